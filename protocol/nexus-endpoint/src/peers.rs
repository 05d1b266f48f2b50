//! Destinations of others: what is known of them, how they are found, and packets to them outside of links.
//!
//! Source: spec/endpoint.md#peers.

use alloc::vec::Vec;

use nexus_crypto::exchange::RecipientPublic;
use nexus_crypto::identity::IdentityPublic;
use nexus_crypto::{DestinationHash, RatchetPublic, VerifyingKey, single};
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::reticulum::path_request::Tag;
use nexus_wire::reticulum::{
    Announce, Context, DestinationType, Packet, PacketHash, PacketType, PathRequest, Proof,
    TruncatedPacketHash,
};

use crate::contract::{Bytes, Effect, Event, Failure};
use crate::endpoint::{Endpoint, Timer, fail, tell};

/// The longest plaintext of a packet outside of links, in bytes.
pub(crate) const SINGLE_MAX: usize = 383;
/// What was heard of a destination is asked for again after so long: its ratchet may be another.
const FRESH: Duration = Duration::from_secs(300);
/// A path is asked for so often, each time waited for so long.
const ASKED: u8 = 3;
const ASKING: Duration = Duration::from_secs(6);
/// Destinations that are looked for, and what waits for each.
const WANTED: usize = 32;
const ERRANDS: usize = 16;
/// Packets outside of links whose proofs are waited for.
const UNPROVED: usize = 256;
/// A proof may take so long, and so much more for each hop.
const PER_HOP: Duration = Duration::from_secs(6);

/// Another's destination.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) public: IdentityPublic,
    ratchet: Option<RatchetPublic>,
    pub(crate) hops: u8,
    heard: Instant,
    emitted_at: u64,
}

/// One that is looked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    errands: Vec<Errand>,
    asked: u8,
}

/// What waits for a path.
#[derive(Debug)]
pub(crate) enum Errand {
    /// A packet.
    Send { handle: u64, plaintext: Bytes },
}

/// A packet whose proof is waited for.
#[derive(Debug)]
pub(crate) struct Unproved {
    pub(crate) handle: u64,
    hash: PacketHash,
    key: VerifyingKey,
    sent: Instant,
}

impl Wanted {
    pub(crate) const MEMORY_BOUND: usize =
        WANTED * (4 * size_of::<Self>() + ERRANDS * (2 * size_of::<Errand>() + SINGLE_MAX + 64));
}

impl Unproved {
    pub(crate) const MEMORY_BOUND: usize = UNPROVED * 8 * (size_of::<Self>() + size_of::<Timer>());
}

impl Endpoint {
    pub(crate) fn send(
        &mut self,
        cx: Cx,
        handle: u64,
        to: DestinationHash,
        plaintext: Bytes,
        out: &mut impl Sink<Effect>,
    ) {
        if plaintext.0.len() > SINGLE_MAX {
            return fail(handle, Failure::TooLong, out);
        }
        self.find(cx, to, Errand::Send { handle, plaintext }, out);
    }

    /// Carries out an errand with a peer that was heard of late, or asks for a path first.
    pub(crate) fn find(
        &mut self,
        cx: Cx,
        to: DestinationHash,
        errand: Errand,
        out: &mut impl Sink<Effect>,
    ) {
        if let Some(wanted) = self.wanted.get_mut(&to) {
            if wanted.errands.len() >= ERRANDS {
                return fail(errand.handle(), Failure::Busy, out);
            }
            return wanted.errands.push(errand);
        }
        if self.peers.get(&to).is_some_and(|peer| cx.now.since(peer.heard) < FRESH) {
            return self.run(cx, to, errand, out);
        }
        if self.wanted.len() >= WANTED {
            return fail(errand.handle(), Failure::Busy, out);
        }
        self.wanted.insert(to, Wanted { errands: Vec::from([errand]), asked: 0 });
        self.ask(cx.now, to, out);
    }

    fn ask(&mut self, now: Instant, wanted: DestinationHash, out: &mut impl Sink<Effect>) {
        let Some(waiting) = self.wanted.get_mut(&wanted) else { return };
        waiting.asked = waiting.asked.saturating_add(1);
        let tag = Tag::new(&self.random.bytes::<16>()).expect("it is as long as a tag may be");
        Self::say(&PathRequest { wanted, requester: None, tag }, out);
        self.deadlines.set(Timer::Path(wanted), now.after(ASKING));
    }

    /// Nobody answered yet. What was known before is better than nothing.
    pub(crate) fn no_path_yet(&mut self, cx: Cx, to: DestinationHash, out: &mut impl Sink<Effect>) {
        if self.wanted.get(&to).is_some_and(|wanted| wanted.asked < ASKED) {
            return self.ask(cx.now, to, out);
        }
        if self.peers.contains(&to) {
            return self.found(cx, to, out);
        }
        let Some(wanted) = self.wanted.remove(&to) else { return };
        for errand in wanted.errands {
            fail(errand.handle(), Failure::NoPath, out);
        }
    }

    pub(crate) fn hear_announce(&mut self, cx: Cx, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let destination = packet.destination;
        if !self.wanted.contains_key(&destination) && !self.peers.contains(&destination) {
            return;
        }
        let Ok(announce) = Announce::from_packet(packet) else { return };
        let emitted_at = announce.claim.random_hash.emitted_at();
        if self.peers.get(&destination).is_some_and(|peer| peer.emitted_at > emitted_at)
            || announce.verify().is_err()
        {
            return;
        }
        let (public, ratchet, hops) = (announce.claim.public, announce.claim.ratchet, packet.hops.get());
        // Whoever was heard longest ago makes room, and is asked for again.
        let _displaced =
            self.peers.insert(destination, Peer { public, ratchet, hops, heard: cx.now, emitted_at });
        self.found(cx, destination, out);
    }

    fn found(&mut self, cx: Cx, to: DestinationHash, out: &mut impl Sink<Effect>) {
        self.deadlines.cancel(Timer::Path(to));
        let Some(wanted) = self.wanted.remove(&to) else { return };
        for errand in wanted.errands {
            self.run(cx, to, errand, out);
        }
    }

    fn run(&mut self, cx: Cx, to: DestinationHash, errand: Errand, out: &mut impl Sink<Effect>) {
        let Some(peer) = self.peers.get(&to).cloned() else {
            return fail(errand.handle(), Failure::NoPath, out);
        };
        match errand {
            Errand::Send { handle, plaintext } => self.seal(cx, handle, to, &peer, &plaintext.0, out),
        }
    }

    fn seal(
        &mut self,
        cx: Cx,
        handle: u64,
        to: DestinationHash,
        peer: &Peer,
        plaintext: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        if self.unproved.len() >= UNPROVED {
            return fail(handle, Failure::Busy, out);
        }
        let exchange = peer.public.exchange();
        let key = peer
            .ratchet
            .as_ref()
            .map_or(RecipientPublic::Identity(&exchange), RecipientPublic::Ratchet);
        let Ok(sealed) = single::encrypt(peer.public.hash(), key, plaintext, &mut self.random) else {
            return fail(handle, Failure::NoPath, out);
        };
        let header = Packet::originating(PacketType::Data, DestinationType::Single, to, Context::NONE);
        let packet = self.routed(Packet { data: &sealed, ..header });
        let (hash, key, sent) = (packet.hash(), peer.public.verifying(), cx.now);
        self.unproved.insert(hash.truncated(), Unproved { handle, hash, key, sent });
        self.deadlines.set(Timer::Proof(hash.truncated()), cx.now.after(patience(peer.hops)));
        Self::put(&packet, out);
    }

    pub(crate) fn hear_proof(&mut self, now: Instant, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let address = TruncatedPacketHash(packet.destination.0);
        let Some(unproved) = self.unproved.get(&address) else { return };
        let Ok(proof) = Proof::from_packet(packet) else { return };
        if proof.verify(&unproved.hash, &unproved.key).is_err() {
            return;
        }
        let (handle, after) = (unproved.handle, now.since(unproved.sent));
        self.unproved.remove(&address);
        self.deadlines.cancel(Timer::Proof(address));
        tell(Event::Delivered { handle, after }, out);
    }
}

impl Errand {
    const fn handle(&self) -> u64 {
        match self {
            Self::Send { handle, .. } => *handle,
        }
    }
}

/// How long an answer from so far away may take.
pub(crate) fn patience(hops: u8) -> Duration {
    PER_HOP.times(u64::from(hops).saturating_add(1))
}
