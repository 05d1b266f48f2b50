//! A resource that is sent: segment by segment, as its receiver asks for parts. Source: spec/endpoint.md#sending.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_machine::{Duration, Instant, Sink, Stream};
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::resource::{
    Advertisement, MAP_LEN, MapUpdate, PartHash, PartRequest, ResourceFlags, ResourceHash, ResourceProof,
    SEGMENT_MAX,
};
use nexus_wire::reticulum::{Context, LinkId};

use super::contract::{Compression, Effect, Failure, Form, Offer, Purpose};
use super::flow::Flow;
use super::{METADATA_HEAD, METADATA_MAX, PARTS_MAX, SALT_LEN, TOKEN_MAX, Then, proof_packet};
use crate::{Bytes, Handle, Measures};

/// How often a segment is offered before nobody is taken to listen; each time is waited for twice as long.
const OFFERS: u8 = 5;
/// How often a proof is asked for.
const QUESTIONS: u8 = 6;
/// How long an answer may take besides four round trips, at first.
const ANSWER: Duration = Duration::from_secs(3);
/// How long a receiver that took parts may say nothing, besides 32 round trips: it asks again by itself.
const SILENCE: Duration = Duration::from_secs(60);
/// Parts that are sent for one request: more than any receiver asks for.
const ANSWERED: usize = 100;

/// A resource that is sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) handle: Handle,
    offer: Offer,
    /// Which segment it is at, from 1, and of how many.
    number: u64,
    segments: u64,
    original: Option<ResourceHash>,
    random: [u8; 4],
    stage: Stage,
    flow: Flow,
    pub(super) deadline: Instant,
}

/// Where a segment stands.
#[derive(Debug)]
enum Stage {
    /// Its data is being read.
    Reading,
    /// It is being compressed.
    Packing(ResourceProof),
    /// Its token is being made.
    Sealing(ResourceProof, Packing),
    /// It is offered, and was so often.
    Offered(Parts, u8),
    /// Its receiver takes parts.
    Sending(Parts),
    /// All parts were sent; the proof was asked for so often.
    Proving(Parts, u8),
}

/// The parts of a segment.
#[derive(Debug)]
struct Parts {
    proof: ResourceProof,
    packing: Packing,
    token: Vec<u8>,
    part_len: usize,
    map: Vec<PartHash>,
    /// Where a part with a hash is, in the order of hashes.
    places: Vec<(PartHash, u16)>,
    sent: Vec<bool>,
    unsent: usize,
    /// Places of parts that were asked for and have not left, and after which part hash more are to follow.
    asked: VecDeque<u16>,
    asked_after: Option<PartHash>,
}

impl Outgoing {
    /// Begins to send.
    pub(super) fn begin(
        handle: Handle,
        offer: Offer,
        measures: Measures,
        random: &mut Stream,
        out: &mut impl Sink<Effect>,
    ) -> Result<Self, Failure> {
        if offer.metadata.as_ref().is_some_and(|metadata| metadata.len() > METADATA_MAX) {
            return Err(Failure::TooLong);
        }
        let segments = offer.total().ok_or(Failure::TooLong)?.div_ceil(segment_max()).max(1);
        let stage = Stage::Reading;
        let mut outgoing = Self {
            handle,
            offer,
            number: 1,
            segments,
            original: None,
            random: [0; 4],
            stage,
            flow: Flow::new(measures.rtt),
            deadline: Instant::NEVER,
        };
        outgoing.begin_segment(random, out);
        Ok(outgoing)
    }

    fn begin_segment(&mut self, random: &mut Stream, out: &mut impl Sink<Effect>) {
        self.random = random.bytes();
        self.stage = Stage::Reading;
        self.flow.ends();
        self.deadline = Instant::NEVER;
        let (from, len) = self.stretch();
        out.push(Effect::Read(self.handle, from, len));
    }

    /// The data of the segment it is at, without metadata.
    fn stretch(&self) -> (u64, u32) {
        let before = self.number.saturating_sub(1).saturating_mul(segment_max());
        let head = self.offer.head_len();
        let from = before.saturating_sub(head);
        let until = before.saturating_add(segment_max()).saturating_sub(head).min(self.offer.len);
        (from, u32::try_from(until.saturating_sub(from)).unwrap_or(u32::MAX))
    }

    /// The data of the segment was read.
    pub(super) fn read(
        &mut self,
        data: Option<Bytes>,
        random: &mut Stream,
        out: &mut impl Sink<Effect>,
    ) -> Then {
        if !matches!(self.stage, Stage::Reading) {
            return Then::GoesOn;
        }
        let (_, len) = self.stretch();
        let is_right = |data: &Bytes| u32::try_from(data.0.len()) == Ok(len);
        let Some(Bytes(mut data)) = data.filter(is_right) else { return Then::Failed(Failure::Unreadable) };
        if self.number == 1
            && let Some(metadata) = &self.offer.metadata
        {
            let [_, head @ ..] = u32::try_from(metadata.len()).unwrap_or_default().to_be_bytes();
            data.splice(..0, head.iter().chain(metadata).copied());
        }
        let hash = ResourceHash::of(&data, self.random);
        let proof = ResourceProof::of(hash, &data);
        match self.offer.compression {
            Compression::Tried => {
                self.stage = Stage::Packing(proof);
                out.push(Effect::Pack(self.handle, Bytes(data)));
            }
            Compression::None => self.seal(proof, Packing::Plain, data, random, out),
        }
        Then::GoesOn
    }

    /// The data of the segment was compressed, or it was of no use.
    pub(super) fn packed(
        &mut self,
        packing: Packing,
        data: Bytes,
        random: &mut Stream,
        out: &mut impl Sink<Effect>,
    ) {
        if let Stage::Packing(proof) = self.stage {
            self.seal(proof, packing, data.0, random, out);
        }
    }

    fn seal(
        &mut self,
        proof: ResourceProof,
        packing: Packing,
        mut data: Vec<u8>,
        random: &mut Stream,
        out: &mut impl Sink<Effect>,
    ) {
        self.stage = Stage::Sealing(proof, packing);
        data.splice(..0, random.bytes::<SALT_LEN>());
        out.push(Effect::Seal(self.handle, Bytes(data)));
    }

    /// The token of the segment was made.
    pub(super) fn sealed(
        &mut self,
        now: Instant,
        token: Vec<u8>,
        measures: Measures,
        random: &mut Stream,
        out: &mut impl Sink<Effect>,
    ) -> Then {
        let Stage::Sealing(proof, packing) = self.stage else { return Then::GoesOn };
        if token.is_empty() || token.len() > TOKEN_MAX {
            return Then::Failed(Failure::TooLong);
        }
        let part_len = usize::try_from(measures.part_len.max(1)).unwrap_or(usize::MAX);
        if token.len().div_ceil(part_len) > PARTS_MAX {
            return Then::Failed(Failure::TooLong);
        }
        let Some(parts) = Parts::cut(proof, packing, token, part_len, self.random) else {
            // Two parts with one hash: both would be asked for by it. Made again, they have others.
            self.begin_segment(random, out);
            return Then::GoesOn;
        };
        self.original.get_or_insert(proof.hash);
        self.stage = Stage::Offered(parts, 0);
        self.offer_again(now, measures, out)
    }

    fn offer_again(&mut self, now: Instant, measures: Measures, out: &mut impl Sink<Effect>) -> Then {
        let Stage::Offered(parts, offers) = &mut self.stage else { return Then::GoesOn };
        if *offers >= OFFERS {
            return Then::Failed(Failure::Silent);
        }
        self.deadline = now.after(patience(measures, *offers));
        *offers = offers.saturating_add(1);
        let map: Vec<u8> = parts.map.iter().take(MAP_LEN).flat_map(|hash| hash.0).collect();
        let (purpose, request) = match self.offer.purpose {
            Purpose::Data => (ResourceFlags::default(), None),
            Purpose::Request(request) => (ResourceFlags::REQUEST, Some(request)),
            Purpose::Response(request) => (ResourceFlags::RESPONSE, Some(request)),
        };
        let flag = |is_set: bool, flag| if is_set { flag } else { ResourceFlags::default() };
        let flags = ResourceFlags::ENCRYPTED
            .with(purpose)
            .with(flag(parts.packing == Packing::Compressed, ResourceFlags::COMPRESSED))
            .with(flag(self.segments > 1, ResourceFlags::SPLIT))
            .with(flag(self.offer.metadata.is_some(), ResourceFlags::METADATA));
        let advertisement = Advertisement {
            transfer_len: u64::try_from(parts.token.len()).unwrap_or(u64::MAX),
            data_len: self.offer.total().unwrap_or(u64::MAX),
            parts: u64::try_from(parts.map.len()).unwrap_or(u64::MAX),
            hash: parts.proof.hash,
            random: self.random,
            original: self.original.unwrap_or(parts.proof.hash),
            segment: self.number,
            segments: self.segments,
            request,
            flags,
            map: &map,
        };
        let said = advertisement.encode();
        if u32::try_from(said.len()).is_ok_and(|len| len > measures.data_len) {
            return Then::Failed(Failure::TooLong);
        }
        out.push(Effect::Say(Context::RESOURCE_ADVERTISEMENT, Form::Sealed, said));
        Then::GoesOn
    }

    /// Its receiver asks for parts.
    pub(super) fn requested(
        &mut self,
        now: Instant,
        request: &PartRequest<'_>,
        measures: Measures,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(parts) = self.stage.parts_mut().filter(|parts| parts.proof.hash == request.hash) else {
            return;
        };
        if parts.asked.is_empty() {
            self.flow.asked(now);
        }
        parts.ask(request);
        self.stage = match core::mem::replace(&mut self.stage, Stage::Reading) {
            Stage::Offered(parts, _) | Stage::Sending(parts) | Stage::Proving(parts, _) => {
                Stage::Sending(parts)
            }
            stage @ (Stage::Reading | Stage::Packing(_) | Stage::Sealing(..)) => stage,
        };
        self.say_parts(now, measures, out);
    }

    /// Says what was asked for, as fast as it may leave.
    fn say_parts(&mut self, now: Instant, measures: Measures, out: &mut impl Sink<Effect>) {
        let Stage::Sending(parts) = &mut self.stage else { return };
        while !parts.asked.is_empty() {
            if !self.flow.lets(now) {
                self.deadline = self.flow.next().unwrap_or(now);
                return;
            }
            if let Some(part) = parts.next() {
                self.flow.leaves(part);
                out.push(Effect::Say(Context::RESOURCE, Form::Clear, part.to_vec()));
            }
        }
        self.flow.rests();
        if let Some(update) = parts.asked_after.take().and_then(|last| parts.after(last)) {
            out.push(Effect::Say(Context::RESOURCE_HASHMAP_UPDATE, Form::Sealed, update));
        }
        if parts.unsent > 0 {
            self.deadline = now.after(measures.rtt.times(32).plus(SILENCE));
            return;
        }
        self.deadline = now.after(patience(measures, 0));
        if let Stage::Sending(parts) = core::mem::replace(&mut self.stage, Stage::Reading) {
            self.stage = Stage::Proving(parts, 0);
        }
    }

    /// Its receiver says that it has the segment.
    pub(super) fn proved(
        &mut self,
        proof: &ResourceProof,
        random: &mut Stream,
        out: &mut impl Sink<Effect>,
    ) -> Then {
        if self.stage.parts_mut().is_none_or(|parts| parts.proof != *proof) {
            return Then::GoesOn;
        }
        if self.number >= self.segments {
            return Then::Whole;
        }
        self.number = self.number.saturating_add(1);
        self.begin_segment(random, out);
        Then::GoesOn
    }

    /// Its deadline passed.
    pub(super) fn late(
        &mut self,
        now: Instant,
        link: LinkId,
        measures: Measures,
        out: &mut impl Sink<Effect>,
    ) -> Then {
        match &mut self.stage {
            Stage::Offered(..) => self.offer_again(now, measures, out),
            Stage::Sending(parts) if parts.asked.is_empty() => Then::Failed(Failure::Silent),
            Stage::Sending(_) => {
                self.say_parts(now, measures, out);
                Then::GoesOn
            }
            Stage::Proving(_, questions) if *questions >= QUESTIONS => Then::Failed(Failure::Silent),
            Stage::Proving(parts, questions) => {
                *questions = questions.saturating_add(1);
                self.deadline = now.after(patience(measures, *questions));
                let packet = proof_packet(link, &parts.proof);
                out.push(Effect::Say(Context::CACHE_REQUEST, Form::Clear, packet.as_bytes().to_vec()));
                Then::GoesOn
            }
            Stage::Reading | Stage::Packing(_) | Stage::Sealing(..) => {
                self.deadline = Instant::NEVER;
                Then::GoesOn
            }
        }
    }

    /// What its receiver calls the segment it is at, or the first one, if it was told of any.
    pub(super) fn hash(&mut self) -> Option<ResourceHash> {
        self.stage.parts_mut().map(|parts| parts.proof.hash).or(self.original)
    }
}

impl Stage {
    const fn parts_mut(&mut self) -> Option<&mut Parts> {
        match self {
            Self::Offered(parts, _) | Self::Sending(parts) | Self::Proving(parts, _) => Some(parts),
            Self::Reading | Self::Packing(_) | Self::Sealing(..) => None,
        }
    }
}

impl Offer {
    /// What comes before the data, in bytes.
    fn head_len(&self) -> u64 {
        let len = |metadata: &Vec<u8>| {
            u64::try_from(metadata.len().saturating_add(METADATA_HEAD)).unwrap_or(u64::MAX)
        };
        self.metadata.as_ref().map_or(0, len)
    }

    /// All of it, in bytes.
    fn total(&self) -> Option<u64> {
        self.len.checked_add(self.head_len())
    }
}

impl Parts {
    /// The parts of a token; none if two have the same hash.
    fn cut(
        proof: ResourceProof,
        packing: Packing,
        token: Vec<u8>,
        part_len: usize,
        random: [u8; 4],
    ) -> Option<Self> {
        let map: Vec<_> = token.chunks(part_len).map(|part| PartHash::of(part, random)).collect();
        let mut places: Vec<_> = map.iter().copied().zip(0..).collect();
        places.sort_unstable();
        if places.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
            return None;
        }
        let (sent, unsent) = (alloc::vec![false; map.len()], map.len());
        let (asked, asked_after) = (VecDeque::new(), None);
        Some(Self { proof, packing, token, part_len, map, places, sent, unsent, asked, asked_after })
    }

    fn place(&self, hash: PartHash) -> Option<u16> {
        let found = self.places.binary_search_by_key(&hash, |(hash, _)| *hash).ok()?;
        self.places.get(found).map(|(_, place)| *place)
    }

    /// Notes what is asked for, each part once.
    fn ask(&mut self, request: &PartRequest<'_>) {
        for hash in PartHash::each(request.wanted).take(ANSWERED) {
            if let Some(place) = self.place(hash)
                && self.asked.len() < ANSWERED
                && !self.asked.contains(&place)
            {
                self.asked.push_back(place);
            }
        }
        self.asked_after = request.last.or(self.asked_after);
    }

    /// The next part that was asked for: it leaves.
    fn next(&mut self) -> Option<&[u8]> {
        let place = usize::from(self.asked.pop_front()?);
        let sent = self.sent.get_mut(place)?;
        if !core::mem::replace(sent, true) {
            self.unsent = self.unsent.saturating_sub(1);
        }
        self.token.chunks(self.part_len).nth(place)
    }

    /// The stretch of part hashes that begins after the part with this hash, if one does.
    fn after(&self, last: PartHash) -> Option<Vec<u8>> {
        let next = usize::from(self.place(last)?).saturating_add(1);
        let stretch = next.checked_div(MAP_LEN)?;
        let map: Vec<u8> = self.map.iter().skip(next).take(MAP_LEN).flat_map(|hash| hash.0).collect();
        if !next.is_multiple_of(MAP_LEN) || map.is_empty() {
            return None;
        }
        let stretch = u64::try_from(stretch).unwrap_or(u64::MAX);
        Some(MapUpdate { hash: self.proof.hash, stretch, map: &map }.encode())
    }
}

fn segment_max() -> u64 {
    u64::try_from(SEGMENT_MAX).unwrap_or(u64::MAX)
}

/// How long an answer is waited for, where so many were waited for in vain.
fn patience(measures: Measures, in_vain: u8) -> Duration {
    measures.rtt.times(4).plus(ANSWER).times(1_u64.checked_shl(u32::from(in_vain)).unwrap_or(u64::MAX))
}
