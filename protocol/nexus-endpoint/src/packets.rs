//! Packets to others' destinations outside of links, and their proofs.
//!
//! Source: spec/endpoint.md#packets.

use nexus_crypto::{DestinationHash, VerifyingKey, single};
use nexus_machine::{Cx, Instant, Sink};
use nexus_wire::reticulum::{
    Context, DestinationType, Packet, PacketHash, PacketType, Proof, TruncatedPacketHash,
};

use crate::contract::{Bytes, Effect, Event, Failure, Handle};
use crate::endpoint::{Endpoint, Timer, fail, tell};
use crate::limits::{Limits, tree};
use crate::peers::{Errand, Peer};

/// The longest plaintext of a packet outside of links, in bytes. Source: spec/endpoint.md#packets.
pub const SINGLE_MAX: usize = 383;

/// A packet whose proof is waited for.
#[derive(Debug)]
pub(crate) struct Unproved {
    pub(crate) handle: Handle,
    hash: PacketHash,
    key: VerifyingKey,
    sent: Instant,
}

impl Unproved {
    pub(crate) fn memory_bound(limits: Limits) -> usize {
        tree(limits.unproved, size_of::<(TruncatedPacketHash, Self)>())
    }
}

impl Endpoint {
    pub(crate) fn send(
        &mut self,
        cx: Cx,
        handle: Handle,
        to: DestinationHash,
        plaintext: Bytes,
        out: &mut impl Sink<Effect>,
    ) {
        if plaintext.0.len() > SINGLE_MAX {
            return fail(handle, Failure::TooLong, out);
        }
        self.find(cx, to, Errand::Send { handle, plaintext }, out);
    }

    pub(crate) fn seal(
        &mut self,
        handle: Handle,
        to: &DestinationHash,
        plaintext: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Some(peer) = self.peers.get(to) else { return fail(handle, Failure::NoPath, out) };
        let recipient = peer.public.hash();
        let sealed = peer.seal(|key| single::encrypt(recipient, key, plaintext, &mut self.random));
        match sealed {
            Ok(sealed) => tell(Event::Sealed { handle, sealed: Bytes(sealed) }, out),
            Err(_no_agreement) => fail(handle, Failure::BadKey, out),
        }
    }

    pub(crate) fn send_sealed(
        &mut self,
        now: Instant,
        handle: Handle,
        to: DestinationHash,
        peer: &Peer,
        plaintext: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        if self.unproved.len() >= self.limits.unproved {
            return fail(handle, Failure::Busy, out);
        }
        let recipient = peer.public.hash();
        let sealed = peer.seal(|key| single::encrypt(recipient, key, plaintext, &mut self.random));
        let Ok(sealed) = sealed else {
            return fail(handle, Failure::BadKey, out);
        };
        let header = Packet::originating(PacketType::Data, DestinationType::Single, to, Context::NONE);
        let packet = Packet { data: &sealed, ..header };
        let (hash, key) = (packet.hash(), peer.public.verifying());
        self.unproved.insert(hash.truncated(), Unproved { handle, hash, key, sent: now });
        self.deadlines.set(Timer::Proof(hash.truncated()), now.after(peer.patience()));
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

    pub(crate) fn not_proved(&mut self, packet: &TruncatedPacketHash, out: &mut impl Sink<Effect>) {
        if let Some(unproved) = self.unproved.remove(packet) {
            fail(unproved.handle, Failure::NoAnswer, out);
        }
    }
}
