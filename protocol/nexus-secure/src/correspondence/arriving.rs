//! What arrives, from a packet's bytes to what is kept and acknowledged. A part of [`super::Correspondence`].

use nexus_crypto::exchange::RecipientSecret;
use nexus_crypto::{NodeId, RatchetId};
use nexus_machine::{Cx, Instant, Sink};
use nexus_network::{Class, Recipient};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::end_to_end::{Envelope, Service};
use nexus_wire::reticulum::{Packet, PacketType, Proof};

use super::errands::{Errand, Unjudged};
use super::memory::enc_id;
use super::{Correspondence, Effect, Then, WAITING_MESSAGES, count, node_of};
use crate::contract::{Foreign, Sender};
use crate::envelope::{self, Plaintext, SealedPacket};

impl Correspondence {
    pub(super) fn arrived(
        &mut self,
        now: Instant,
        bytes: &[u8],
        (class, from): (Class, Option<NodeId>),
        out: &mut impl Sink<Effect>,
    ) {
        let Ok(packet) = Packet::decode(bytes) else { return count(&mut self.refusals.malformed) };
        if packet.packet_type == PacketType::Proof {
            let Ok(proof) = Proof::from_packet(&packet) else { return count(&mut self.refusals.unproved) };
            if self.outbox.proved(now, &proof, out).is_none() {
                let tried = self.trials.proved(&proof);
                self.tried(tried, out);
            }
            return;
        }
        match SealedPacket::read(&packet, &self.identity.node_id(), class) {
            None => count(&mut self.refusals.malformed),
            // Before any multiplication: whoever repeats what he heard costs one look.
            Some(sealed) if self.memory.holds(enc_id(&sealed.enc)) => count(&mut self.refusals.replayed),
            Some(mut sealed) => {
                sealed.from = from;
                out.push(Effect::Open(sealed));
            }
        }
    }

    pub(super) fn unopened(&mut self, cx: Cx, packet: &SealedPacket, out: &mut impl Sink<Effect>) {
        let identity = RecipientSecret::Identity(self.identity.as_reticulum().exchange());
        let Some(plaintext) = packet.open(identity) else { return count(&mut self.refusals.unopened) };
        let Ok(envelope) = Envelope::decode(&plaintext) else { return count(&mut self.refusals.malformed) };
        match envelope.service {
            Service::PING => self.ping(cx.now, packet, &envelope, out),
            Service::TRACE => self.trace(cx, packet, &envelope, out),
            Service::WITNESSES => self.noted(cx.now, packet, &envelope, out),
            Service::MESSAGE => count(&mut self.refusals.unprotected),
            _ => count(&mut self.refusals.unknown),
        }
    }

    pub(super) fn opened(
        &mut self,
        cx: Cx,
        with: RatchetId,
        packet: &SealedPacket,
        plaintext: Plaintext,
        out: &mut impl Sink<Effect>,
    ) {
        let Ok(envelope) = Envelope::decode(&plaintext) else { return count(&mut self.refusals.malformed) };
        match envelope.service {
            Service::PING => self.ping(cx.now, packet, &envelope, out),
            Service::TRACE => self.trace(cx, packet, &envelope, out),
            Service::WITNESSES => self.noted(cx.now, packet, &envelope, out),
            Service::MESSAGE => {
                let sender = envelope.sender.map(|said| said.sender);
                let (hash, enc, class) = (packet.hash, packet.enc, packet.class);
                let unjudged = Unjudged { with, hash, enc, class, plaintext };
                match sender {
                    None => self.take_in(cx, &unjudged, Sender::Anonymous, out),
                    Some(node) => {
                        let token = self.errands.begin(Errand::Judge(unjudged));
                        out.push(Effect::Lookup { node, token });
                    }
                }
            }
            _ => count(&mut self.refusals.unknown),
        }
    }

    /// Whether a message's sender is who it says.
    pub(super) fn judge(
        &mut self,
        cx: Cx,
        unjudged: &Unjudged,
        recipient: Option<Recipient>,
        out: &mut impl Sink<Effect>,
    ) {
        let Unjudged { plaintext, enc, .. } = unjudged;
        let Ok(envelope) = Envelope::decode(plaintext) else { return };
        let Some(said) = envelope.sender else { return };
        let Some(recipient) = recipient else {
            return self.take_in(cx, unjudged, Sender::Claimed(said.sender), out);
        };
        let own = self.identity.node_id();
        let signed = node_of(&recipient, &said.sender)
            .is_some_and(|author| envelope::verify(&envelope, plaintext, enc, &own, &author).is_ok());
        if signed {
            self.take_in(cx, unjudged, Sender::Verified(said.sender), out);
        } else {
            count(&mut self.refusals.forged);
        }
    }

    /// A message whose sender is settled.
    pub(super) fn take_in(
        &mut self,
        cx: Cx,
        unjudged: &Unjudged,
        sender: Sender,
        out: &mut impl Sink<Effect>,
    ) {
        let Unjudged { with, hash, enc, class, plaintext } = unjudged;
        let Ok(envelope) = Envelope::decode(plaintext) else { return };
        let fingerprint = envelope::fingerprint(&envelope, plaintext);
        if self.inbox.awaits(&fingerprint) {
            // A proof before the disk has it would be a lie. The sender tries again.
            return count(&mut self.refusals.busy);
        }
        if self.memory.knows(&fingerprint) || self.inbox.contains(&fingerprint) {
            self.memory.remember_for_a_while(enc_id(enc));
            return self.prove(hash, *class, out);
        }
        if !self.memory.has_room(with) {
            count(&mut self.refusals.busy);
            return out.push(Effect::Retire(*with));
        }
        if self.gate.waiting() >= WAITING_MESSAGES {
            return count(&mut self.refusals.busy);
        }
        let unix_s = cx.unix_s().unwrap_or(0);
        let (kept, mut writes) = self.inbox.admit(sender, unix_s, envelope.body, fingerprint);
        writes.push(self.memory.remember(with, enc_id(enc), fingerprint));
        let held = self.gate.hold(Then::Show(kept, *hash, *class));
        let number = held.expect("the gate has room for more than the messages that may wait");
        out.push(Effect::Write { number, writes });
        if !self.memory.has_room(with) {
            out.push(Effect::Retire(*with));
        }
    }

    /// A message that another organ took in and acknowledged.
    pub(super) fn keep(&mut self, cx: Cx, foreign: &Foreign, out: &mut impl Sink<Effect>) {
        let Foreign { sender, fingerprint, text } = foreign;
        if self.inbox.awaits(fingerprint) || self.inbox.contains(fingerprint) {
            return count(&mut self.refusals.replayed);
        }
        if self.gate.waiting() >= WAITING_MESSAGES || text.len() > Foreign::MAX_TEXT {
            return count(&mut self.refusals.busy);
        }
        let unix_s = cx.unix_s().unwrap_or(0);
        let (kept, writes) = self.inbox.admit(*sender, unix_s, text, *fingerprint);
        let held = self.gate.hold(Then::ShowForeign(kept));
        let number = held.expect("the gate has room for more than the messages that may wait");
        out.push(Effect::Write { number, writes });
    }
}
