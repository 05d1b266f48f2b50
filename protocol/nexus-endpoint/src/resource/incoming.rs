//! A resource that comes: asked for part by part, in rounds. Source: spec/endpoint.md#receiving.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Instant, Sink};
use nexus_wire::reticulum::Context;
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::resource::{
    Advertisement, MAP_LEN, MapUpdate, PartHash, PartRequest, ResourceFlags, ResourceHash, ResourceProof,
    SEGMENT_MAX,
};

use super::contract::{Arrival, Effect, Event, Failure, Form, Offered, Purpose, Segment};
use super::pace::{FAST_MAX, Pace};
use super::{BETWEEN_SEGMENTS, DECISION, METADATA_HEAD, PARTS_MAX, SALT_LEN, TOKEN_MAX, Then};
use crate::{Bytes, Measures};

/// Rounds that bring nothing before a sender is taken to be gone.
const TRIES: u8 = 16;
/// How far beyond the first part that is missing a part may lie: those of a round that was given up count as well.
const REACH: usize = 2 * FAST_MAX;

/// A resource that comes.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The hash of its first segment.
    original: ResourceHash,
    offered: Offered,
    /// Which segment it is at, from 1.
    number: u64,
    /// How much of what was announced has not come, in bytes.
    left: u64,
    stage: Stage,
    pace: Pace,
    pub(super) deadline: Instant,
}

/// Where a segment stands.
#[derive(Debug)]
enum Stage {
    /// It is not known whether it is wanted.
    Undecided(Parts),
    /// It comes.
    Coming(Parts),
    /// Its token is being opened.
    Opening(Announced),
    /// It is being decompressed.
    Unpacking(Announced),
    /// Whoever uses the link has it, and keeps it.
    Handed(ResourceProof),
    /// It is kept; the next one is waited for.
    Between,
}

/// What was said of a segment.
#[derive(Clone, Copy, Debug)]
struct Announced {
    hash: ResourceHash,
    random: [u8; 4],
    flags: ResourceFlags,
}

impl Incoming {
    /// What is offered, if it is a beginning and may be one.
    pub(super) fn offered(
        advertisement: &Advertisement<'_>,
        measures: Measures,
        now: Instant,
    ) -> Option<(Self, Offered)> {
        let flags = advertisement.flags;
        let purpose = match (
            advertisement.request,
            flags.has(ResourceFlags::REQUEST),
            flags.has(ResourceFlags::RESPONSE),
        ) {
            (None, false, false) => Purpose::Data,
            (Some(request), true, false) => Purpose::Request(request),
            (Some(request), false, true) => Purpose::Response(request),
            (Some(_), false, false) | (None, _, _) | (_, true, true) => return None,
        };
        if advertisement.segment != 1 || advertisement.original != advertisement.hash {
            return None;
        }
        let parts = Parts::announced(advertisement)?;
        let offered = Offered { len: advertisement.data_len, segments: advertisement.segments, purpose };
        let incoming = Self {
            original: advertisement.original,
            offered,
            number: 1,
            left: offered.len,
            stage: Stage::Undecided(parts),
            pace: Pace::new(measures.rtt, measures.part_len),
            deadline: now.after(DECISION),
        };
        Some((incoming, offered))
    }

    /// Whether this is the segment that it is at.
    pub(super) fn is_at(&self, hash: &ResourceHash) -> bool {
        match &self.stage {
            Stage::Undecided(parts) | Stage::Coming(parts) => parts.announced.hash == *hash,
            Stage::Opening(announced) | Stage::Unpacking(announced) => announced.hash == *hash,
            Stage::Handed(proof) => proof.hash == *hash,
            Stage::Between => false,
        }
    }

    /// Whether an advertisement offers the segment that it waits for.
    pub(super) fn awaits(&self, advertisement: &Advertisement<'_>) -> bool {
        matches!(self.stage, Stage::Between)
            && advertisement.original == self.original
            && advertisement.segments == self.offered.segments
            && advertisement.segment == self.number
    }

    /// The segment that it waits for is offered.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        advertisement: &Advertisement<'_>,
        out: &mut impl Sink<Effect>,
    ) -> Then {
        let Some(parts) = Parts::announced(advertisement) else { return Then::Failed(Failure::Corrupt) };
        self.stage = Stage::Coming(parts);
        self.ask(now, out);
        Then::GoesOn
    }

    /// It is wanted.
    pub(super) fn accept(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        match core::mem::replace(&mut self.stage, Stage::Between) {
            Stage::Undecided(parts) => {
                self.stage = Stage::Coming(parts);
                self.ask(now, out);
            }
            stage => self.stage = stage,
        }
    }

    /// A part came. Whether it is one of its own.
    pub(super) fn part(
        &mut self,
        now: Instant,
        arrival: Arrival,
        part: &[u8],
        out: &mut impl Sink<Effect>,
    ) -> bool {
        let Stage::Coming(parts) = &mut self.stage else { return false };
        if !parts.take(part) {
            return false;
        }
        if core::mem::replace(&mut parts.silent, false) {
            self.pace.first_part(now.since(parts.asked_at));
        }
        parts.tries = 0;
        if parts.have == parts.places.len() {
            self.put_together(arrival, out);
        } else if parts.round_is_over() {
            self.pace.round(parts.round_bytes, now.since(parts.asked_at));
            self.ask(now, out);
        } else {
            self.deadline = self.pace.until_next(now);
        }
        true
    }

    /// More part hashes came.
    pub(super) fn map(&mut self, now: Instant, update: &MapUpdate<'_>, out: &mut impl Sink<Effect>) {
        let Stage::Coming(parts) = &mut self.stage else { return };
        if parts.learn(update) && parts.round_is_over() {
            self.ask(now, out);
        }
    }

    /// Its deadline passed.
    pub(super) fn late(&mut self, now: Instant, out: &mut impl Sink<Effect>) -> Then {
        match &mut self.stage {
            Stage::Undecided(_) => Then::Failed(Failure::Refused),
            Stage::Between => Then::Failed(Failure::Silent),
            Stage::Coming(parts) if parts.tries >= TRIES => Then::Failed(Failure::Silent),
            Stage::Coming(parts) => {
                parts.tries = parts.tries.saturating_add(1);
                self.pace.lost();
                self.ask(now, out);
                Then::GoesOn
            }
            Stage::Opening(_) | Stage::Unpacking(_) | Stage::Handed(_) => {
                self.deadline = Instant::NEVER;
                Then::GoesOn
            }
        }
    }

    /// Asks for what is missing next.
    fn ask(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        let Stage::Coming(parts) = &mut self.stage else { return };
        let request = parts.request(self.pace.window());
        parts.asked_at = now;
        self.deadline = self.pace.until_first(now, parts.tries);
        out.push(Effect::Say(Context::RESOURCE_REQUEST, Form::Sealed, request));
    }

    fn put_together(&mut self, arrival: Arrival, out: &mut impl Sink<Effect>) {
        self.deadline = Instant::NEVER;
        if let Stage::Coming(parts) = &mut self.stage {
            let token = core::mem::take(&mut parts.places).concat();
            self.stage = Stage::Opening(parts.announced);
            out.push(Effect::Open(arrival, token));
        }
    }

    /// Its token was opened.
    pub(super) fn opened(
        &mut self,
        arrival: Arrival,
        blob: Option<Bytes>,
        out: &mut impl Sink<Effect>,
    ) -> Then {
        let Stage::Opening(announced) = self.stage else { return Then::GoesOn };
        let Some(mut blob) = blob.filter(|blob| blob.0.len() >= SALT_LEN) else {
            return Then::Failed(Failure::Corrupt);
        };
        blob.0.drain(..SALT_LEN);
        match announced.packing() {
            Packing::Plain => self.verify(announced, arrival, blob.0, out),
            Packing::Compressed => {
                self.stage = Stage::Unpacking(announced);
                // No more than is left of what was announced, and than a segment is long: what would be longer is not made.
                let most = u64::try_from(SEGMENT_MAX).unwrap_or(u64::MAX).min(self.left);
                out.push(Effect::Unpack(arrival, blob, u32::try_from(most).unwrap_or(u32::MAX)));
                Then::GoesOn
            }
        }
    }

    /// It was decompressed.
    pub(super) fn unpacked(
        &mut self,
        arrival: Arrival,
        data: Option<Bytes>,
        out: &mut impl Sink<Effect>,
    ) -> Then {
        let Stage::Unpacking(announced) = self.stage else { return Then::GoesOn };
        match data {
            Some(data) => self.verify(announced, arrival, data.0, out),
            None => Then::Failed(Failure::Corrupt),
        }
    }

    fn verify(
        &mut self,
        announced: Announced,
        arrival: Arrival,
        mut data: Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) -> Then {
        let left = u64::try_from(data.len()).ok().and_then(|len| self.left.checked_sub(len));
        let Some(left) = left.filter(|left| *left < self.left || self.offered.segments == 1) else {
            return Then::Failed(Failure::Corrupt);
        };
        if data.len() > SEGMENT_MAX || ResourceHash::of(&data, announced.random) != announced.hash {
            return Then::Failed(Failure::Corrupt);
        }
        self.left = left;
        let proof = ResourceProof::of(announced.hash, &data);
        let has_metadata = self.number == 1 && announced.flags.has(ResourceFlags::METADATA);
        let metadata = if has_metadata {
            let Some(metadata) = metadata(&data) else { return Then::Failed(Failure::Corrupt) };
            let metadata = metadata.to_vec();
            data.drain(..metadata.len().saturating_add(METADATA_HEAD));
            Some(Bytes(metadata))
        } else {
            None
        };
        self.stage = Stage::Handed(proof);
        let segment = Segment { number: self.number, metadata, data: Bytes(data) };
        out.push(Effect::Event(Event::Segment(arrival, segment)));
        Then::GoesOn
    }

    /// Whoever uses the link keeps the segment. Its proof, if it was handed out.
    pub(super) fn kept(&mut self, now: Instant) -> Option<(ResourceProof, Then)> {
        let Stage::Handed(proof) = self.stage else { return None };
        self.stage = Stage::Between;
        if self.number >= self.offered.segments {
            return Some((proof, Then::Whole));
        }
        self.number = self.number.saturating_add(1);
        self.deadline = now.after(BETWEEN_SEGMENTS);
        Some((proof, Then::GoesOn))
    }

    /// What its sender calls the segment it is at, or its first one.
    pub(super) fn hash(&self) -> ResourceHash {
        match &self.stage {
            Stage::Undecided(parts) | Stage::Coming(parts) => parts.announced.hash,
            Stage::Opening(announced) | Stage::Unpacking(announced) => announced.hash,
            Stage::Handed(proof) => proof.hash,
            Stage::Between => self.original,
        }
    }
}

impl Announced {
    const fn packing(&self) -> Packing {
        if self.flags.has(ResourceFlags::COMPRESSED) { Packing::Compressed } else { Packing::Plain }
    }
}

/// The metadata at the beginning of data.
fn metadata(data: &[u8]) -> Option<&[u8]> {
    let ([high, middle, low], rest) = data.split_first_chunk::<METADATA_HEAD>()?;
    let len = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).ok()?;
    rest.get(..len)
}

/// The parts of a segment.
#[derive(Debug)]
struct Parts {
    announced: Announced,
    transfer_len: usize,
    /// The part hashes that are known, from the first on.
    map: Vec<PartHash>,
    /// Empty where one is missing.
    places: Vec<Vec<u8>>,
    have: usize,
    bytes: usize,
    /// All before it are here.
    first_missing: usize,
    /// What was asked for in this round and is missing, and what came of it.
    asked: Vec<usize>,
    /// Whether more part hashes were asked for in this round and are missing.
    asked_map: bool,
    asked_at: Instant,
    round_bytes: u64,
    /// Whether nothing came since it was asked.
    silent: bool,
    tries: u8,
}

impl Parts {
    /// What was announced, if it is of a size that may be.
    fn announced(advertisement: &Advertisement<'_>) -> Option<Self> {
        let transfer_len = usize::try_from(advertisement.transfer_len).ok()?;
        let count = usize::try_from(advertisement.parts).ok()?;
        let map: Vec<_> = PartHash::each(advertisement.map).collect();
        let is_possible = (1..=TOKEN_MAX).contains(&transfer_len)
            && (1..=PARTS_MAX).contains(&count)
            && count <= transfer_len
            && map.len() == count.min(MAP_LEN)
            && advertisement.flags.has(ResourceFlags::ENCRYPTED)
            && (1..=advertisement.segments).contains(&advertisement.segment);
        let announced =
            Announced { hash: advertisement.hash, random: advertisement.random, flags: advertisement.flags };
        is_possible.then(|| Self {
            announced,
            transfer_len,
            map,
            places: vec![Vec::new(); count],
            have: 0,
            bytes: 0,
            first_missing: 0,
            asked: Vec::new(),
            asked_map: false,
            asked_at: Instant::BOOT,
            round_bytes: 0,
            silent: true,
            tries: 0,
        })
    }

    /// Begins a round: asks for so many of those missing, and for more hashes where those known end.
    fn request(&mut self, window: usize) -> Vec<u8> {
        let missing =
            (self.first_missing..self.map.len()).filter(|at| self.places.get(*at).is_some_and(Vec::is_empty));
        self.asked = missing.take(window).collect();
        self.round_bytes = 0;
        self.silent = true;
        self.asked_map = self.asked.len() < window && self.map.len() < self.places.len();
        let last = self.map.last().copied().filter(|_| self.asked_map);
        let wanted: Vec<u8> =
            self.asked.iter().filter_map(|at| self.map.get(*at)).flat_map(|hash| hash.0).collect();
        PartRequest { last, hash: self.announced.hash, wanted: &wanted }.encode()
    }

    fn round_is_over(&self) -> bool {
        self.asked.is_empty() && !self.asked_map
    }

    /// Puts a part where it belongs; whether it belongs anywhere.
    fn take(&mut self, part: &[u8]) -> bool {
        let bytes = self.bytes.saturating_add(part.len());
        if part.is_empty() || bytes > self.transfer_len {
            return false;
        }
        let hash = PartHash::of(part, self.announced.random);
        let near = self.map.iter().zip(&mut self.places).enumerate().skip(self.first_missing).take(REACH);
        let Some((at, (_, place))) =
            near.into_iter().find(|(_, (known, place))| **known == hash && place.is_empty())
        else {
            return false;
        };
        *place = part.to_vec();
        self.bytes = bytes;
        self.have = self.have.saturating_add(1);
        self.round_bytes = self.round_bytes.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        self.asked.retain(|asked| *asked != at);
        while self.places.get(self.first_missing).is_some_and(|part| !part.is_empty()) {
            self.first_missing = self.first_missing.saturating_add(1);
        }
        true
    }

    /// Takes the stretch of part hashes that follows on those known; whether it is that one.
    fn learn(&mut self, update: &MapUpdate<'_>) -> bool {
        let begins = usize::try_from(update.stretch).ok().and_then(|stretch| stretch.checked_mul(MAP_LEN));
        let missing = self.places.len().saturating_sub(self.map.len());
        let hashes = update.map.len() / PartHash::LEN;
        if begins != Some(self.map.len()) || hashes != missing.min(MAP_LEN) || missing == 0 {
            return false;
        }
        self.map.extend(PartHash::each(update.map));
        self.asked_map = false;
        true
    }
}
