//! What is on its way, and when it is tried again. A part of [`super::Correspondence`].
//! Spec: spec/secure.md#correspondence.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::VerifyingKey;
use nexus_crypto::exchange::RecipientPublic;
use nexus_crypto::{DestinationHash, NodeId, NodeIdentity, single};
use nexus_machine::{
    BoundedMap, Deadlines, Duration, Inserted, Instant, MapOverflow, MemoryBound, Sink, Stream,
};
use nexus_network::{Class, Originated, Recipient};
use nexus_wire::nexus::end_to_end::Service;
use nexus_wire::nexus::path_cost::HopCount;
use nexus_wire::nexus::trace::TraceAnswer;
use nexus_wire::reticulum::proof::Proved;
use nexus_wire::reticulum::{Context, DestinationType, Packet, PacketHash, PacketType, Proof};

use super::{Effect, node_of};
use crate::contract::{Attempt, Authorship, Content, Outgoing, Traced, Undelivered};
use crate::envelope::{self, Letter};

/// The shortest patience with an attempt, and the longest.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);
/// How many round trips an attempt is given.
const ROUND_TRIPS: u64 = 4;
/// How many attempts at one thing are remembered: a receipt of an earlier one counts as well.
const REMEMBERED: usize = 4;
/// To how many nodes the round trip is remembered.
const ROUND_TRIPS_KEPT: usize = 64;

#[derive(Debug)]
pub(super) struct Outbox {
    ways: BTreeMap<u64, Way>,
    deadlines: Deadlines<u64>,
    round_trips: BoundedMap<NodeId, Duration>,
    limit: usize,
}

/// One thing on its way.
#[derive(Debug)]
struct Way {
    outgoing: Outgoing,
    request_id: u32,
    /// No attempt begins after this.
    until: Instant,
    /// Until when the last attempt is waited for.
    patient_until: Instant,
    /// How long to wait after the next attempt.
    delay: Duration,
    attempts: u32,
    /// Newest last.
    sent: VecDeque<Sent>,
    standing: Standing,
}

/// How the last attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It may arrive.
    Underway,
    /// It did not leave: there is no way.
    NoPath,
}

/// One attempt.
#[derive(Debug)]
struct Sent {
    token: u64,
    hash: PacketHash,
    at: Instant,
    recipient: VerifyingKey,
    /// What the answer to a probe repeats.
    nonce: [u8; 8],
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            ways: BTreeMap::new(),
            deadlines: Deadlines::default(),
            round_trips: BoundedMap::new(ROUND_TRIPS_KEPT, MapOverflow::EvictLeastRecent),
            limit,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ways.len()
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    pub(super) fn accept(
        &mut self,
        now: Instant,
        outgoing: Outgoing,
        random: &mut Stream,
    ) -> Result<(), Undelivered> {
        let is_too_long = match &outgoing.content {
            Content::Message { text, .. } => text.len() > Content::MAX_TEXT,
            Content::Probe { len, .. } => *len > Content::MAX_PROBE,
            Content::Ping { padding } => *padding > Content::MAX_PADDING,
            Content::Trace => false,
        };
        if is_too_long {
            return Err(Undelivered::TooLong);
        }
        if self.ways.len() >= self.limit || self.ways.contains_key(&outgoing.handle) {
            return Err(Undelivered::Busy);
        }
        let way = Way {
            request_id: random.next_u32(),
            until: now.after(outgoing.lifetime),
            patient_until: now,
            delay: patience(self.round_trips.get(&outgoing.to)),
            attempts: 0,
            sent: VecDeque::new(),
            standing: Standing::Underway,
            outgoing,
        };
        self.ways.insert(way.outgoing.handle, way);
        Ok(())
    }

    /// Begins an attempt: its recipient, who is to be looked up.
    pub(super) fn attempt(&mut self, now: Instant, handle: u64, random: &mut Stream) -> Option<NodeId> {
        let way = self.ways.get_mut(&handle)?;
        let jitter = Duration::from_micros(random.below(way.delay.as_micros() / 4));
        let again = now.after(way.delay.plus(jitter));
        way.delay = way.delay.times(2).min(LONGEST);
        self.deadlines.set(handle, again.min(way.over_at()));
        Some(way.outgoing.to)
    }

    /// Seals the attempt that `token` names and sends it, if its recipient is known.
    #[expect(clippy::too_many_arguments, reason = "they are the organ's other parts, lent for this call")]
    pub(super) fn write(
        &mut self,
        now: Instant,
        handle: u64,
        token: u64,
        recipient: Option<Recipient>,
        author: &NodeIdentity,
        random: &mut Stream,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(way) = self.ways.get_mut(&handle) else { return };
        let patience = match way.outgoing.content {
            Content::Probe { patience, .. } => patience,
            Content::Ping { .. } | Content::Trace | Content::Message { .. } => {
                patience(self.round_trips.get(&way.outgoing.to))
            }
        };
        let Some((packet, sent)) =
            recipient.and_then(|recipient| way.seal(now, token, &recipient, author, random))
        else {
            return self.no_path(now, handle, out);
        };
        way.sent.push_back(sent);
        way.sent.drain(..way.sent.len().saturating_sub(REMEMBERED));
        way.standing = Standing::Underway;
        way.patient_until = now.after(patience);
        let due = self.deadlines.get(handle).unwrap_or(Instant::NEVER);
        // The last attempt of a lifetime is given its time too.
        self.deadlines.set(handle, if due >= way.until { way.over_at() } else { due });
        let class = way.outgoing.class.unwrap_or(Class::Interactive);
        out.push(Effect::Originate { handle: token, packet, policy: way.outgoing.policy, class });
    }

    pub(super) fn originated(
        &mut self,
        now: Instant,
        token: u64,
        outcome: Originated,
        out: &mut impl Sink<Effect>,
    ) {
        let is_of = |way: &Way| way.sent.iter().any(|sent| sent.token == token);
        let Some((&handle, way)) = self.ways.iter_mut().find(|(_, way)| is_of(way)) else { return };
        match outcome {
            Originated::Left(_) => {
                way.attempts = way.attempts.saturating_add(1);
                out.push(Effect::Attempted { handle, attempt: Attempt::Sent });
            }
            // One that the network calls malformed would be a bug of ours; it is no way to the recipient either.
            Originated::NoPath | Originated::Malformed => {
                way.sent.retain(|sent| sent.token != token);
                if way.sent.is_empty() {
                    way.patient_until = now;
                }
                self.no_path(now, handle, out);
            }
        }
    }

    fn no_path(&mut self, now: Instant, handle: u64, out: &mut impl Sink<Effect>) {
        out.push(Effect::Attempted { handle, attempt: Attempt::NoPath });
        let Some(way) = self.ways.get_mut(&handle) else { return };
        way.standing = Standing::NoPath;
        if way.over_at() <= now {
            return self.give_up(handle, out);
        }
        out.push(Effect::Wanted(way.outgoing.to));
    }

    /// What waits for a way to `destination`, or waited in vain long enough, to be tried at once.
    pub(super) fn reached(&mut self, now: Instant, destination: &DestinationHash) -> Vec<u64> {
        let mut ready = Vec::new();
        for (handle, way) in &mut self.ways {
            let is_to_it = DestinationHash::from(way.outgoing.to) == *destination;
            if is_to_it && now < way.until && (way.standing == Standing::NoPath || now >= way.patient_until) {
                way.delay = patience(self.round_trips.get(&way.outgoing.to));
                ready.push(*handle);
            }
        }
        ready
    }

    /// The next that is to be tried again. Those whose time is over end here.
    pub(super) fn pop_due(&mut self, now: Instant, out: &mut impl Sink<Effect>) -> Option<u64> {
        while let Some(handle) = self.deadlines.pop_due(now) {
            let Some(way) = self.ways.get(&handle) else { continue };
            if now >= way.over_at() {
                self.give_up(handle, out);
            } else if now < way.until {
                return Some(handle);
            } else {
                self.deadlines.set(handle, way.over_at());
            }
        }
        None
    }

    fn give_up(&mut self, handle: u64, out: &mut impl Sink<Effect>) {
        let Some(way) = self.ways.remove(&handle) else { return };
        self.deadlines.cancel(handle);
        let why = match way.attempts {
            0 => Undelivered::NoPath,
            attempts => Undelivered::NoReceipt { attempts },
        };
        out.push(Effect::Undelivered { handle, why });
    }

    /// A proof: of a message it is the receipt. Nothing if it proves nothing that is on its way.
    pub(super) fn proved(&mut self, now: Instant, proof: &Proof, out: &mut impl Sink<Effect>) -> Option<()> {
        let names = |sent: &Sent| match proof.proved {
            Proved::Implicit(address) => address == sent.hash.truncated(),
            Proved::Explicit(hash) => hash == sent.hash,
            Proved::OnLink(..) => false,
        };
        let is_it = |sent: &&Sent| names(sent) && proof.verify(&sent.hash, &sent.recipient).is_ok();
        let (handle, at, awaited) = self.ways.iter().find_map(|(handle, way)| {
            let sent = way.sent.iter().find(is_it)?;
            Some((*handle, sent.at, &way.outgoing.content))
        })?;
        match awaited {
            Content::Message { .. } | Content::Probe { .. } => self.deliver(now, handle, at, out),
            // That a node was reached is not its answer.
            Content::Ping { .. } | Content::Trace => {}
        }
        Some(())
    }

    /// An answer. Nothing if it answers nothing that is on its way.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        request_id: u32,
        body: [u8; 8],
        out: &mut impl Sink<Effect>,
    ) -> Option<()> {
        let (handle, at) = self.asked(Service::PING, request_id, body)?;
        self.deliver(now, handle, at, out);
        Some(())
    }

    /// The answer to a trace, which came over `back` links. Nothing if it answers nothing that is on its way.
    pub(super) fn traced(
        &mut self,
        now: Instant,
        request_id: u32,
        answer: &TraceAnswer,
        back: HopCount,
        out: &mut impl Sink<Effect>,
    ) -> Option<()> {
        let (handle, at) = self.asked(Service::TRACE, request_id, answer.nonce)?;
        let (attempts, round_trip) = self.end(now, handle, at)?;
        let TraceAnswer { nonce: _, clock_ms, hops: there, back: way_back } = *answer;
        let clock_ms = (clock_ms > 0).then_some(clock_ms);
        let traced = Traced { there, back, way_back, clock_ms };
        out.push(Effect::Traced { handle, attempts, round_trip, traced });
        Some(())
    }

    /// The probe that an answer answers, and when the attempt began that it names.
    fn asked(&self, service: Service, request_id: u32, nonce: [u8; 8]) -> Option<(u64, Instant)> {
        self.ways.iter().find_map(|(handle, way)| {
            let asked = way.asks() == Some(service) && way.request_id == request_id;
            let sent = way.sent.iter().find(|sent| asked && sent.nonce == nonce)?;
            Some((*handle, sent.at))
        })
    }

    fn deliver(&mut self, now: Instant, handle: u64, at: Instant, out: &mut impl Sink<Effect>) {
        let Some((attempts, round_trip)) = self.end(now, handle, at) else { return };
        out.push(Effect::Delivered { handle, attempts, round_trip });
    }

    /// It is on its way no more: how often it was sent, and how long after the attempt `at` that was.
    fn end(&mut self, now: Instant, handle: u64, at: Instant) -> Option<(u32, Duration)> {
        let way = self.ways.remove(&handle)?;
        self.deadlines.cancel(handle);
        let round_trip = now.since(at);
        match self.round_trips.insert(way.outgoing.to, round_trip) {
            // A guess for the next time, which may be lost.
            Inserted::Fresh | Inserted::Replaced(_) | Inserted::Evicted(..) | Inserted::Refused(_) => {}
        }
        Some((way.attempts.max(1), round_trip))
    }
}

/// How long a receipt may take.
fn patience(round_trip: Option<&Duration>) -> Duration {
    round_trip.map_or(SHORTEST, |known| known.times(ROUND_TRIPS).max(SHORTEST).min(LONGEST))
}

impl Way {
    /// Of which service a question is asked; none if what is sent is no question.
    const fn asks(&self) -> Option<Service> {
        match self.outgoing.content {
            Content::Ping { .. } => Some(Service::PING),
            Content::Trace => Some(Service::TRACE),
            Content::Message { .. } | Content::Probe { .. } => None,
        }
    }

    /// When nothing more is waited for: its lifetime is over, and the last attempt had its time.
    fn over_at(&self) -> Instant {
        self.until.max(self.patient_until)
    }

    fn seal(
        &self,
        now: Instant,
        token: u64,
        recipient: &Recipient,
        author: &NodeIdentity,
        random: &mut Stream,
    ) -> Option<(Vec<u8>, Sent)> {
        let to = &self.outgoing.to;
        if let Content::Probe { len, .. } = self.outgoing.content {
            let (packet, hash) = noise(*to, recipient, len, random)?;
            let recipient = recipient.public.verifying();
            return Some((packet, Sent { token, hash, at: now, recipient, nonce: [0; 8] }));
        }
        let public = node_of(recipient, to)?;
        let (identity, nonce) = (public.exchange(), random.bytes());
        let mut question = nonce.to_vec();
        let ratchet = recipient.ratchet.as_ref().map(RecipientPublic::Ratchet);
        let (letter, key, author) = match &self.outgoing.content {
            Content::Probe { .. } => return None,
            Content::Ping { .. } | Content::Trace => {
                if let Content::Ping { padding } = self.outgoing.content {
                    question.resize(nonce.len().saturating_add(padding.into()), 0);
                }
                let letter = self.letter(self.asks()?, Some(author.node_id()), &question);
                (letter, ratchet.unwrap_or(RecipientPublic::Identity(&identity)), None)
            }
            Content::Message { text, authorship } => {
                let author = match authorship {
                    Authorship::Signed => Some(author),
                    Authorship::Anonymous => None,
                };
                // Without a ratchet it would have no forward secrecy, and its recipient would not take it.
                (self.letter(Service::MESSAGE, None, text), ratchet?, author)
            }
        };
        let packet = envelope::seal(&letter, to, key, author, random).ok()?;
        let hash = Packet::decode(&packet).ok()?.hash();
        let sent = Sent { token, hash, at: now, recipient: public.verifying(), nonce };
        Some((packet, sent))
    }

    const fn letter<'a>(&self, service: Service, reply_to: Option<NodeId>, body: &'a [u8]) -> Letter<'a> {
        Letter { service, reply_to, request_id: self.request_id, body }
    }
}

/// A packet of random bytes, and its hash. Source: spec/reticulum.md#probes.
fn noise(to: NodeId, recipient: &Recipient, len: u16, random: &mut Stream) -> Option<(Vec<u8>, PacketHash)> {
    let mut plaintext = vec![0; usize::from(len)];
    random.fill(&mut plaintext);
    let identity = recipient.public.exchange();
    let ratchet = recipient.ratchet.as_ref().map(RecipientPublic::Ratchet);
    let key = ratchet.unwrap_or(RecipientPublic::Identity(&identity));
    let data = single::encrypt(recipient.public.hash(), key, &plaintext, random).ok()?;
    let header = Packet::originating(PacketType::Data, DestinationType::Single, to.into(), Context::NONE);
    let packet = Packet { data: &data, ..header };
    let mut bytes = vec![0; packet.encoded_len()];
    packet.encode(&mut bytes).ok()?;
    Some((bytes, packet.hash()))
}

impl MemoryBound for Outbox {
    fn memory_bound(&self) -> usize {
        // Nodes of trees are at least half full; a ring doubles when it grows; a text is as long as its host made it room.
        let sent = size_of::<Sent>().saturating_mul(2).saturating_mul(REMEMBERED);
        let way = size_of::<(u64, Way)>().saturating_mul(3).saturating_add(sent).saturating_add(512);
        let ways = self.limit.saturating_add(12).saturating_mul(way.saturating_add(Content::MAX_TEXT));
        ways.saturating_add(ROUND_TRIPS_KEPT.saturating_mul(192)).saturating_add(2_048)
    }
}
