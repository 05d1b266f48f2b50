//! What is said on a link that is up: data with its proofs, and who the initiator is.

use nexus_crypto::Signature;
use nexus_crypto::identity::IdentityPublic;
use nexus_machine::{Cx, Duration, Sink};
use nexus_wire::reticulum::proof::Proved;
use nexus_wire::reticulum::resource::RequestId;
use nexus_wire::reticulum::{
    Context, DestinationType, LinkId, Packet, PacketHash, PacketType, Proof, TruncatedPacketHash,
};

use super::{Form, SENT, Sent};
use crate::channel;
use crate::contract::{Bytes, Effect, Event, Failure, Handle, Side};
use crate::endpoint::{Endpoint, Timer, fail, tell};

/// A proof on a link is waited for so many round trips, and no shorter than:
const PATIENCE_RTT: u64 = 6;
const PATIENCE_MIN: Duration = Duration::from_secs(1);

impl Endpoint {
    /// Something came on a link.
    pub(crate) fn hear_on_link(&mut self, cx: Cx, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let Some(id) = packet.link() else { return };
        let Some(link) = self.links.all.get(&id) else { return };
        match (packet.packet_type, packet.context) {
            (PacketType::Proof, Context::LINK_REQUEST_PROOF) => self.establish(cx, packet, out),
            (PacketType::Proof, Context::NONE) => self.hear_proof_on(cx, &id, packet, out),
            (PacketType::Data, Context::KEEPALIVE) => self.hear_keepalive(cx, &id, packet.data, out),
            (PacketType::Data, Context::RESOURCE) | (PacketType::Proof, _) => {
                self.hear_clear(cx, &id, packet, out);
            }
            (PacketType::Data, context) => {
                let Some(Ok(plaintext)) = link.key().map(|key| key.decrypt(packet.data)) else { return };
                self.confirm(cx, &id, out);
                self.hear_sealed(cx, &id, context, &plaintext, &packet.hash(), out);
            }
            (PacketType::Announce | PacketType::LinkRequest, _) => {}
        }
    }

    /// What the other end sealed.
    fn hear_sealed(
        &mut self,
        cx: Cx,
        id: &LinkId,
        context: Context,
        plaintext: &[u8],
        hash: &PacketHash,
        out: &mut impl Sink<Effect>,
    ) {
        match context {
            Context::NONE => {
                self.prove_on(id, hash, out);
                tell(Event::Said { link: *id, plaintext: Bytes(plaintext.to_vec()) }, out);
            }
            Context::NEXUS => {
                tell(Event::Carried { link: *id, plaintext: Bytes(plaintext.to_vec()) }, out);
            }
            Context::LINK_RTT => self.hear_round_trip(cx, id, plaintext, out),
            Context::LINK_IDENTIFY => self.hear_identity(id, plaintext, out),
            Context::LINK_CLOSE => self.hear_close(id, plaintext, out),
            Context::REQUEST => self.hear_request(id, RequestId(hash.truncated().0), plaintext, out),
            Context::RESPONSE => self.hear_response(id, plaintext, out),
            Context::CHANNEL => {
                let heard = channel::Input::Heard(plaintext.to_vec());
                self.tell_channel(cx, id, heard, Some(hash), out);
            }
            // Resources; of what else there is nothing is spoken here.
            _ => self.hear_of_transfers(cx, id, context, plaintext, out),
        }
    }

    /// What is in clear on a link: parts of resources, and their proofs.
    fn hear_clear(&mut self, cx: Cx, id: &LinkId, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        if let Some(link) = self.up(id) {
            link.heard = cx.now;
            self.hear_of_transfers(cx, id, packet.context, packet.data, out);
        }
    }

    /// Data for the other end, which proves them.
    pub(crate) fn tell_on(
        &mut self,
        cx: Cx,
        handle: Handle,
        id: &LinkId,
        plaintext: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Some(link) = self.up(id) else { return fail(handle, Failure::NoLink, out) };
        if link.is_too_long(plaintext) {
            return fail(handle, Failure::TooLong, out);
        }
        if link.sent.len() >= SENT {
            return fail(handle, Failure::Busy, out);
        }
        let until = cx.now.after(link.rtt.times(PATIENCE_RTT).max(PATIENCE_MIN));
        let Some(hash) = self.say_on(id, Context::NONE, Form::Sealed, plaintext, out) else { return };
        if let Some(link) = self.up(id) {
            link.sent.insert(hash.truncated(), Sent { handle, hash, at: cx.now });
            self.deadlines.set(Timer::Said(*id, hash.truncated()), until);
        }
    }

    fn hear_proof_on(&mut self, cx: Cx, id: &LinkId, packet: &Packet<'_>, out: &mut impl Sink<Effect>) {
        let Some(link) = self.up(id) else { return };
        let Ok(proof) = Proof::from_packet(packet) else { return };
        let Proved::OnLink(_, hash) = proof.proved else { return };
        if let Some((said, number)) = link.said_in_channel(&hash.truncated()) {
            if proof.verify(&said, &link.theirs).is_ok() {
                link.heard = cx.now;
                self.tell_channel(cx, id, channel::Input::Proved(number), None, out);
            }
            return;
        }
        let Some(sent) = link.sent.get(&hash.truncated()) else { return };
        if proof.verify(&sent.hash, &link.theirs).is_err() {
            return;
        }
        let (handle, after) = (sent.handle, cx.now.since(sent.at));
        link.heard = cx.now;
        link.sent.remove(&hash.truncated());
        self.deadlines.cancel(Timer::Said(*id, hash.truncated()));
        tell(Event::Delivered { handle, after }, out);
    }

    pub(crate) fn not_proved_on(
        &mut self,
        id: &LinkId,
        hash: &TruncatedPacketHash,
        out: &mut impl Sink<Effect>,
    ) {
        let sent = self.links.all.get_mut(id).and_then(|link| link.sent.remove(hash));
        if let Some(sent) = sent {
            fail(sent.handle, Failure::NoAnswer, out);
        }
    }

    /// Says what nobody proves; what is longer than a packet is left out.
    pub(crate) fn carry(&mut self, id: &LinkId, plaintext: &[u8], out: &mut impl Sink<Effect>) {
        if self.up(id).is_some_and(|link| !link.is_too_long(plaintext)) {
            self.say_on(id, Context::NEXUS, Form::Sealed, plaintext, out);
        }
    }

    /// Says who this end is.
    pub(crate) fn identify(&mut self, id: &LinkId, out: &mut impl Sink<Effect>) {
        if self.up(id).is_none_or(|link| link.side != Side::Initiator) {
            return;
        }
        let public = *self.identity.public();
        let signature = self.identity.sign_untagged(&[id.as_bytes(), public.as_bytes()]);
        let said = [*public.as_bytes(), signature.0].concat();
        self.say_on(id, Context::LINK_IDENTIFY, Form::Sealed, &said, out);
    }

    fn hear_identity(&mut self, id: &LinkId, plaintext: &[u8], out: &mut impl Sink<Effect>) {
        if self.up(id).is_none_or(|link| link.side != Side::Responder) {
            return;
        }
        let Some((public, signature)) = plaintext.split_first_chunk::<64>() else { return };
        let (Ok(signature), identity) = (<[u8; 64]>::try_from(signature), IdentityPublic(*public)) else {
            return;
        };
        let signed = [&id.as_bytes()[..], identity.as_bytes()];
        if identity.verifying().verify_untagged(&signed, &Signature(signature)).is_ok() {
            tell(Event::Identified { link: *id, identity }, out);
        }
    }

    /// Proves a packet of a link.
    pub(crate) fn prove_on(&mut self, id: &LinkId, hash: &PacketHash, out: &mut impl Sink<Effect>) {
        let Some(link) = self.links.all.get(id) else { return };
        let signature = match &link.signing {
            Some(signing) => signing.sign_untagged(&[hash.as_bytes()]),
            None => self.identity.sign_untagged(&[hash.as_bytes()]),
        };
        Self::say(&Proof { proved: Proved::OnLink(*id, *hash), signature }, out);
    }

    /// Says something on a link that has a key. What the proof of the packet will name.
    pub(crate) fn say_on(
        &mut self,
        id: &LinkId,
        context: Context,
        form: Form,
        bytes: &[u8],
        out: &mut impl Sink<Effect>,
    ) -> Option<PacketHash> {
        let key = self.links.all.get(id)?.key()?;
        let (packet_type, sealed) = match form {
            Form::Sealed => (PacketType::Data, Some(key.encrypt(bytes, &mut self.random))),
            Form::Clear => (PacketType::Data, None),
            Form::Proof => (PacketType::Proof, None),
        };
        let header = Packet::originating(packet_type, DestinationType::Link, (*id).into(), context);
        let packet = Packet { data: sealed.as_deref().unwrap_or(bytes), ..header };
        Self::put(&packet, out);
        Some(packet.hash())
    }
}
