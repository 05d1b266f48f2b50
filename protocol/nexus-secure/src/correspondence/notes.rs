//! Notes: what is said once, sealed, and without a receipt. A part of [`super::Correspondence`]. Spec: spec/secure.md#notes.

use nexus_crypto::exchange::RecipientPublic;
use nexus_machine::{Instant, Sink};
use nexus_network::{Class, Recipient};
use nexus_wire::nexus::end_to_end::Envelope;
use nexus_wire::nexus::path_cost::CompactPathCost;

use super::errands::Errand;
use super::memory::enc_id;
use super::{Correspondence, Effect, count, node_of};
use crate::contract::{Note, Reply};
use crate::envelope::{self, Letter, SealedPacket};

impl Correspondence {
    /// Whoever is written to is looked up.
    pub(super) fn note(&mut self, note: Note, out: &mut impl Sink<Effect>) {
        let to = note.to;
        let token = self.errands.begin(Errand::Note(note));
        out.push(Effect::Lookup { node: to, token });
    }

    /// Seals a note, if its recipient and a way there are known; they are looked for if not, and it is forgotten.
    pub(super) fn write_note(
        &mut self,
        note: &Note,
        token: u64,
        known: Option<(Recipient, CompactPathCost)>,
        out: &mut impl Sink<Effect>,
    ) {
        let Note { to, service, reply, body } = note;
        let Some((recipient, _)) = known else { return out.push(Effect::Wanted(*to)) };
        let Some(public) = node_of(&recipient, to) else { return };
        let reply_to = match reply {
            Reply::Wanted => Some(self.identity.node_id()),
            Reply::Unwanted => None,
        };
        let letter = Letter { service: *service, reply_to, request_id: self.random.next_u32(), body };
        let identity = public.exchange();
        let key =
            recipient.ratchet.as_ref().map_or(RecipientPublic::Identity(&identity), RecipientPublic::Ratchet);
        if let Ok(packet) = envelope::seal(&letter, to, key, None, &mut self.random) {
            out.push(Effect::Originate { handle: token, packet, policy: None, class: Class::Standard });
        }
    }

    /// A note arrived. It is proved like all that arrives, so that relays know that the way holds; what it says answers itself.
    pub(super) fn noted(
        &mut self,
        now: Instant,
        packet: &SealedPacket,
        envelope: &Envelope<'_>,
        out: &mut impl Sink<Effect>,
    ) {
        if !self.notes.take(now) {
            return count(&mut self.refusals.busy);
        }
        self.memory.remember_for_a_while(enc_id(&packet.enc));
        self.prove(&packet.hash, packet.class, out);
        let Envelope { service, reply_to, body, .. } = *envelope;
        out.push(Effect::Noted { service, reply_to, body: body.to_vec() });
    }
}
