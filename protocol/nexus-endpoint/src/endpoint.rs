//! The organ: own destinations, peers, and what is said to them.
//!
//! Invariants: a ratchet and an emission time are durable before they are announced; what is kept of strangers has a bound; whoever
//! asked for something hears of its end once.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;

use nexus_crypto::{DestinationHash, IdentityHash, ReticulumIdentity};
use nexus_machine::{
    BoundedMap, Cx, Deadlines, Duration, Instant, Machine, MapOverflow, MemoryBound, Seed, Sink, Snapshot,
    Stream,
};
use nexus_wire::reticulum::{
    DestinationType, Hops, Packet, PacketType, Payload, Propagation,
    TruncatedPacketHash,
};

use crate::contract::{Command, Effect, Event, Failure, Input};
use crate::own::Own;
use crate::peers::{Peer, Unproved, Wanted};

/// Destinations of others that are remembered.
const PEERS: usize = 256;
/// Entropy is asked for when a key was made, so often at most.
const ENTROPY_EVERY: Duration = Duration::from_secs(60);

/// The organ.
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) identity: ReticulumIdentity,
    /// The relay that carries what is said.
    relay: IdentityHash,
    pub(crate) random: Stream,
    pub(crate) own: Own,
    pub(crate) peers: BoundedMap<DestinationHash, Peer>,
    pub(crate) wanted: BTreeMap<DestinationHash, Wanted>,
    pub(crate) unproved: BTreeMap<TruncatedPacketHash, Unproved>,
    pub(crate) deadlines: Deadlines<Timer>,
    refreshed: Option<Instant>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A destination is to be announced again.
    Announce(DestinationHash),
    /// A path that was asked for.
    Path(DestinationHash),
    /// The proof of a packet.
    Proof(TruncatedPacketHash),
}

impl Endpoint {
    /// An endpoint of this identity, resuming from what was durable. `relay` is the transport id of the node that carries its packets.
    #[must_use]
    pub fn new(identity: ReticulumIdentity, relay: IdentityHash, snapshot: &Snapshot, seed: &Seed) -> Self {
        Self {
            own: Own::resume(snapshot),
            identity,
            relay,
            random: seed.fork("endpoint"),
            peers: BoundedMap::new(PEERS, MapOverflow::EvictLeastRecent),
            wanted: BTreeMap::new(),
            unproved: BTreeMap::new(),
            deadlines: Deadlines::default(),
            refreshed: None,
        }
    }

    fn hear(&mut self, cx: Cx, bytes: &[u8], out: &mut impl Sink<Effect>) {
        let Some(packet) = Packet::decode(bytes).ok().and_then(counted) else { return };
        match (packet.packet_type, packet.destination_type) {
            (PacketType::Announce, _) => self.hear_announce(cx, &packet, out),
            (PacketType::Proof, DestinationType::Single) => self.hear_proof(cx.now, &packet, out),
            (PacketType::Data, DestinationType::Single) => self.open(cx.now, &packet, out),
            (
                PacketType::Data | PacketType::Proof,
                DestinationType::Link | DestinationType::Plain | DestinationType::Group,
            )
            | (PacketType::LinkRequest, _) => {}
        }
    }

    fn obey(&mut self, cx: Cx, command: Command, out: &mut impl Sink<Effect>) {
        match command {
            Command::Serve(service) => self.serve(cx, service, out),
            Command::Announce(destination) => self.announce(cx, destination, out),
            Command::Withdraw(destination) => self.withdraw(&destination),
            Command::Send { handle, to, plaintext } => self.send(cx, handle, to, plaintext, out),
        }
    }

    /// What a payload's packet is.
    pub(crate) fn say(payload: &impl Payload, out: &mut impl Sink<Effect>) {
        let mut buffer = [0; 600];
        let written = payload.encode(&mut buffer).expect("such payloads are short");
        out.push(Effect::Transmit(written.to_vec()));
    }

    pub(crate) fn put(packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let mut buffer = vec![0; packet.encoded_len()];
        packet.encode(&mut buffer).expect("the buffer is as long as the packet");
        out.push(Effect::Transmit(buffer));
    }

    /// The packet as the relay takes it to carry it on.
    pub(crate) fn routed<'a>(&self, packet: Packet<'a>) -> Packet<'a> {
        Packet { transport: Some(self.relay), propagation: Propagation::Transport, ..packet }
    }

    /// A key was made.
    pub(crate) fn made_key(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        if self.refreshed.is_none_or(|at| now.since(at) >= ENTROPY_EVERY) {
            self.refreshed = Some(now);
            out.push(Effect::EntropyWanted);
        }
    }
}

impl Machine for Endpoint {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Entropy(entropy) => self.random.refresh(&entropy),
            Input::Durable(through) => self.durable(through, out),
            Input::Packet(bytes) => self.hear(cx, &bytes, out),
            Input::Command(command) => self.obey(cx, command, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Announce(destination) => self.announce(cx, destination, out),
                Timer::Path(destination) => self.no_path_yet(cx, destination, out),
                Timer::Proof(packet) => {
                    if let Some(unproved) = self.unproved.remove(&packet) {
                        fail(unproved.handle, Failure::NoAnswer, out);
                    }
                }
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Endpoint {
    fn memory_bound(&self) -> usize {
        const NODE: usize = 4;
        let peers = PEERS.saturating_mul(NODE).saturating_mul(size_of::<(DestinationHash, Peer)>());
        peers
            .saturating_add(Own::MEMORY_BOUND)
            .saturating_add(Wanted::MEMORY_BOUND)
            .saturating_add(Unproved::MEMORY_BOUND)
    }
}

/// Tells of the end of something.
pub(crate) fn fail(handle: u64, why: Failure, out: &mut impl Sink<Effect>) {
    tell(Event::Failed { handle, why }, out);
}

pub(crate) fn tell(event: Event, out: &mut impl Sink<Effect>) {
    out.push(Effect::Event(Box::new(event)));
}

/// With the hop counted that it just came.
fn counted(packet: Packet<'_>) -> Option<Packet<'_>> {
    Hops::counted(packet.hops).map(|hops| Packet { hops, ..packet })
}
