//! Resources: data of any size within a link.
//!
//! A sender cuts its data into segments of a mebibyte, each of which becomes one token of the link's key and is cut into parts; its receiver
//! asks for parts, a few at a time, and proves each segment. Time is an argument; keys, compression and storage are effects that the
//! link and its host answer.
//!
//! Invariants: of a resource no more than one segment is held at either end; whoever offers something hears of its end once, and so does
//! whoever was offered something; what a peer announces costs no more memory than what it sends, and never more than a segment.
//!
//! Spec: spec/endpoint.md#resources.

mod contract;
mod flow;
mod incoming;
mod outgoing;
mod pace;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Machine, MemoryBound, Seed, Sink, Stream, earliest};
use nexus_wire::reticulum::resource::{Advertisement, MapUpdate, PartRequest, ResourceProof, SEGMENT_MAX};
use nexus_wire::reticulum::{Context, DestinationType, LinkId, Packet, PacketHash, PacketType};

use crate::{Handle, Measures};
pub use contract::{
    Arrival, Command, Compression, Effect, Event, Failure, Form, Input, Offer, Offered, Purpose, Segment,
};
use incoming::Incoming;
use outgoing::Outgoing;

/// How long whoever uses the link may think about an offer.
pub const DECISION: Duration = Duration::from_secs(30);
/// The longest metadata that are sent, in bytes.
pub const METADATA_MAX: usize = 0xffff;
/// How long a sender may take from one segment to the next.
const BETWEEN_SEGMENTS: Duration = Duration::from_secs(120);
/// Resources that wait until those before them were sent.
const WAITING: usize = 16;
/// Resources that come at once.
const COMING: usize = 2;
/// Segments that came of late, whose proofs are said again where they were lost.
const PROVED: usize = 8;
/// What comes before the data of a segment within its token, in bytes.
const SALT_LEN: usize = 4;
/// What comes before metadata, in bytes.
const METADATA_HEAD: usize = 3;
/// The longest token: a segment that does not become shorter, and what its beginning, padding and code add.
const TOKEN_MAX: usize = SEGMENT_MAX.saturating_add(128);
/// The most parts of a segment: as many as of packets of 292 bytes.
const PARTS_MAX: usize = 4_096;

/// All resources of a link.
#[derive(Debug)]
pub struct Resources {
    link: LinkId,
    measures: Measures,
    random: Stream,
    waiting: VecDeque<(Handle, Offer)>,
    sending: Option<Outgoing>,
    coming: BTreeMap<Arrival, Incoming>,
    arrivals: u64,
    proved: VecDeque<ResourceProof>,
}

impl Resources {
    /// Those of a link that is up.
    #[must_use]
    pub fn new(link: LinkId, measures: Measures, seed: &Seed) -> Self {
        Self {
            link,
            measures,
            random: seed.fork("resources"),
            waiting: VecDeque::new(),
            sending: None,
            coming: BTreeMap::new(),
            arrivals: 0,
            proved: VecDeque::new(),
        }
    }

    fn obey(&mut self, now: Instant, command: Command, out: &mut impl Sink<Effect>) {
        match command {
            Command::Offer(handle, offer) => self.offer(handle, offer, out),
            Command::Cancel(handle) => self.cancel(handle, out),
            Command::Accept(arrival) => {
                if let Some(incoming) = self.coming.get_mut(&arrival) {
                    incoming.accept(now, out);
                }
            }
            Command::Refuse(arrival) => self.after(arrival, Then::Failed(Failure::Stopped), out),
            Command::Kept(arrival) => self.kept(now, arrival, out),
        }
    }

    fn offer(&mut self, handle: Handle, offer: Offer, out: &mut impl Sink<Effect>) {
        if self.waiting.len() >= WAITING {
            return out.push(Effect::Event(Event::NotSent(handle, Failure::Busy)));
        }
        if offer.metadata.as_ref().is_some_and(|metadata| metadata.len() > METADATA_MAX) {
            return out.push(Effect::Event(Event::NotSent(handle, Failure::TooLong)));
        }
        self.waiting.push_back((handle, offer));
        self.next(out);
    }

    /// Begins with what waits longest, if nothing is being sent.
    fn next(&mut self, out: &mut impl Sink<Effect>) {
        while self.sending.is_none()
            && let Some((handle, offer)) = self.waiting.pop_front()
        {
            match Outgoing::begin(handle, offer, self.measures, &mut self.random, out) {
                Ok(outgoing) => self.sending = Some(outgoing),
                Err(why) => out.push(Effect::Event(Event::NotSent(handle, why))),
            }
        }
    }

    fn cancel(&mut self, handle: Handle, out: &mut impl Sink<Effect>) {
        if self.sending.as_ref().is_some_and(|sending| sending.handle == handle) {
            return self.sent(Then::Failed(Failure::Stopped), out);
        }
        if let Some(place) = self.waiting.iter().position(|(waiting, _)| *waiting == handle) {
            self.waiting.remove(place);
            out.push(Effect::Event(Event::NotSent(handle, Failure::Stopped)));
        }
    }

    /// What is sent has come so far.
    fn sent(&mut self, then: Then, out: &mut impl Sink<Effect>) {
        let why = match then {
            Then::GoesOn => return,
            Then::Whole => None,
            Then::Failed(why) => Some(why),
        };
        let Some(mut sending) = self.sending.take() else { return };
        let told = match why {
            None => Event::Sent(sending.handle),
            Some(why) => {
                if let Some(hash) = sending.hash().filter(|_| is_ours_to_tell(why)) {
                    say(Context::RESOURCE_INITIATOR_CANCEL, hash.as_bytes(), out);
                }
                Event::NotSent(sending.handle, why)
            }
        };
        out.push(Effect::Event(told));
        self.next(out);
    }

    /// Whether nothing is sent, nothing comes, and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.sending.is_none() && self.waiting.is_empty() && self.coming.is_empty()
    }

    /// The link is no more: whoever waits for something hears of its end.
    pub(crate) fn end(&mut self, out: &mut impl Sink<Effect>) {
        let sending = self.sending.take().map(|sending| sending.handle);
        for handle in sending.into_iter().chain(self.waiting.drain(..).map(|(handle, _)| handle)) {
            out.push(Effect::Event(Event::NotSent(handle, Failure::NoLink)));
        }
        while let Some((arrival, _)) = self.coming.pop_first() {
            out.push(Effect::Event(Event::NotArrived(arrival, Failure::NoLink)));
        }
    }

    fn hear(&mut self, now: Instant, context: Context, bytes: &[u8], out: &mut impl Sink<Effect>) {
        match context {
            Context::RESOURCE => {
                for (arrival, incoming) in &mut self.coming {
                    if incoming.part(now, *arrival, bytes, out) {
                        return;
                    }
                }
            }
            Context::RESOURCE_ADVERTISEMENT => {
                if let Ok(advertisement) = Advertisement::decode(bytes) {
                    self.hear_advertisement(now, &advertisement, out);
                }
            }
            Context::RESOURCE_REQUEST => {
                if let (Ok(request), Some(sending)) = (PartRequest::decode(bytes), &mut self.sending) {
                    sending.requested(now, &request, self.measures, out);
                }
            }
            Context::RESOURCE_HASHMAP_UPDATE => {
                let Ok(update) = MapUpdate::decode(bytes) else { return };
                if let Some(incoming) = self.coming.values_mut().find(|incoming| incoming.is_at(&update.hash))
                {
                    incoming.map(now, &update, out);
                }
            }
            Context::RESOURCE_PROOF => {
                if let (Ok(proof), Some(sending)) = (ResourceProof::decode(bytes), &mut self.sending) {
                    let then = sending.proved(&proof, &mut self.random, out);
                    self.sent(then, out);
                }
            }
            Context::RESOURCE_INITIATOR_CANCEL => self.hear_cancel(bytes, out),
            Context::RESOURCE_RECEIVER_CANCEL => {
                let is_this = |sending: &mut Outgoing| sending.hash().is_some_and(|hash| hash.0 == bytes);
                if self.sending.as_mut().is_some_and(is_this) {
                    self.sent(Then::Failed(Failure::Refused), out);
                }
            }
            Context::CACHE_REQUEST => {
                let is_asked = |proof: &&ResourceProof| proof_packet(self.link, proof).0 == bytes;
                if let Some(proof) = self.proved.iter().find(is_asked) {
                    prove(proof, out);
                }
            }
            // Not a resource's.
            _ => {}
        }
    }

    fn hear_advertisement(
        &mut self,
        now: Instant,
        advertisement: &Advertisement<'_>,
        out: &mut impl Sink<Effect>,
    ) {
        let hash = advertisement.hash;
        if let Some(proof) = self.proved.iter().find(|proof| proof.hash == hash) {
            return prove(proof, out);
        }
        if self.coming.values().any(|incoming| incoming.is_at(&hash)) {
            return;
        }
        if let Some((arrival, incoming)) =
            self.coming.iter_mut().find(|(_, incoming)| incoming.awaits(advertisement))
        {
            let (arrival, then) = (*arrival, incoming.go_on(now, advertisement, out));
            return self.after(arrival, then, out);
        }
        let offered =
            Incoming::offered(advertisement, self.measures, now).filter(|_| self.coming.len() < COMING);
        let Some((incoming, offered)) = offered else {
            return say(Context::RESOURCE_RECEIVER_CANCEL, hash.as_bytes(), out);
        };
        self.arrivals = self.arrivals.saturating_add(1);
        let arrival = Arrival(self.arrivals);
        self.coming.insert(arrival, incoming);
        out.push(Effect::Event(Event::Offered(arrival, offered)));
    }

    fn hear_cancel(&mut self, hash: &[u8], out: &mut impl Sink<Effect>) {
        let is_this = |(_, incoming): &(&Arrival, &Incoming)| incoming.hash().0 == hash;
        if let Some(arrival) = self.coming.iter().find(is_this).map(|(arrival, _)| *arrival) {
            self.coming.remove(&arrival);
            out.push(Effect::Event(Event::NotArrived(arrival, Failure::Cancelled)));
        }
    }

    fn kept(&mut self, now: Instant, arrival: Arrival, out: &mut impl Sink<Effect>) {
        let kept = self.coming.get_mut(&arrival).and_then(|incoming| incoming.kept(now));
        let Some((proof, then)) = kept else { return };
        if self.proved.len() >= PROVED {
            self.proved.pop_front();
        }
        self.proved.push_back(proof);
        prove(&proof, out);
        self.after(arrival, then, out);
    }

    /// What comes has come so far.
    fn after(&mut self, arrival: Arrival, then: Then, out: &mut impl Sink<Effect>) {
        let why = match then {
            Then::GoesOn => return,
            Then::Whole => None,
            Then::Failed(why) => Some(why),
        };
        let Some(incoming) = self.coming.remove(&arrival) else { return };
        let told = match why {
            None => Event::Arrived(arrival),
            Some(why) => {
                say(Context::RESOURCE_RECEIVER_CANCEL, incoming.hash().as_bytes(), out);
                Event::NotArrived(arrival, why)
            }
        };
        out.push(Effect::Event(told));
    }
}

impl Machine for Resources {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        let (random, measures) = (&mut self.random, self.measures);
        match input {
            Input::RoundTrip(rtt) => self.measures.rtt = rtt,
            Input::Heard(context, bytes) => self.hear(cx.now, context, &bytes, out),
            Input::Command(command) => self.obey(cx.now, command, out),
            Input::Read(handle, data) => {
                let sending = self.sending.as_mut().filter(|sending| sending.handle == handle);
                let then = sending.map_or(Then::GoesOn, |sending| sending.read(data, random, out));
                self.sent(then, out);
            }
            Input::Packed(handle, packing, data) => {
                if let Some(sending) = self.sending.as_mut().filter(|sending| sending.handle == handle) {
                    sending.packed(packing, data, random, out);
                }
            }
            Input::Sealed(handle, token) => {
                let sending = self.sending.as_mut().filter(|sending| sending.handle == handle);
                let then = sending
                    .map_or(Then::GoesOn, |sending| sending.sealed(cx.now, token, measures, random, out));
                self.sent(then, out);
            }
            Input::Opened(arrival, blob) => {
                if let Some(incoming) = self.coming.get_mut(&arrival) {
                    let then = incoming.opened(arrival, blob, out);
                    self.after(arrival, then, out);
                }
            }
            Input::Unpacked(arrival, data) => {
                if let Some(incoming) = self.coming.get_mut(&arrival) {
                    let then = incoming.unpacked(arrival, data, out);
                    self.after(arrival, then, out);
                }
            }
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        if let Some(sending) = self.sending.as_mut().filter(|sending| sending.deadline <= cx.now) {
            let then = sending.late(cx.now, self.link, self.measures, out);
            self.sent(then, out);
        }
        let late: Vec<_> = self
            .coming
            .iter()
            .filter(|(_, incoming)| incoming.deadline <= cx.now)
            .map(|(arrival, _)| *arrival)
            .collect();
        for arrival in late {
            if let Some(incoming) = self.coming.get_mut(&arrival) {
                let then = incoming.late(cx.now, out);
                self.after(arrival, then, out);
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let coming = self.coming.values().map(|incoming| Some(incoming.deadline));
        let sending = self.sending.as_ref().map(|sending| sending.deadline);
        earliest(coming.chain([sending])).filter(|at| *at < Instant::NEVER)
    }
}

impl Resources {
    /// How many come at once.
    pub(crate) const COMING: usize = COMING;

    /// The most that the resources of a link hold.
    pub(crate) const BOUND: usize = {
        // A vector grows to twice of what it holds, and a part has a vector of its own.
        const PART: usize = size_of::<Vec<u8>>() + 2 * (4 + size_of::<usize>()) + 16;
        const SEGMENT: usize = TOKEN_MAX + PARTS_MAX * PART;
        const OFFER: usize = METADATA_MAX + 2 * size_of::<(Handle, Offer)>();
        const PROOFS: usize = PROVED * 2 * size_of::<ResourceProof>();
        const ARRIVAL: usize = SEGMENT + 12 * size_of::<Incoming>() + 64;
        (SEGMENT + OFFER)
            .saturating_add(WAITING.saturating_mul(OFFER))
            .saturating_add(COMING.saturating_mul(ARRIVAL))
            .saturating_add(PROOFS)
    };
}

impl MemoryBound for Resources {
    fn memory_bound(&self) -> usize {
        Self::BOUND
    }
}

/// Whether a resource goes on.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// It does.
    GoesOn,
    /// It ended, well.
    Whole,
    /// It ended, and the other end is to be told.
    Failed(Failure),
}

/// Whether the other end is to be told why a resource ended: not where it said so itself.
const fn is_ours_to_tell(why: Failure) -> bool {
    !matches!(why, Failure::Refused | Failure::Cancelled | Failure::NoLink)
}

fn say(context: Context, hash: &[u8; 32], out: &mut impl Sink<Effect>) {
    out.push(Effect::Say(context, Form::Sealed, hash.to_vec()));
}

fn prove(proof: &ResourceProof, out: &mut impl Sink<Effect>) {
    out.push(Effect::Say(Context::RESOURCE_PROOF, Form::Proof, proof.encode()));
}

/// What a packet with this proof is called.
fn proof_packet(link: LinkId, proof: &ResourceProof) -> PacketHash {
    let data = proof.encode();
    let header =
        Packet::originating(PacketType::Proof, DestinationType::Link, link.into(), Context::RESOURCE_PROOF);
    Packet { data: &data, ..header }.hash()
}
