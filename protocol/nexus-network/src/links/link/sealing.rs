//! What happens to a frame as it leaves, and to the link as time passes.

use alloc::vec::Vec;

use nexus_machine::{Instant, Sink};
use nexus_wire::nexus::frame::{HEADER_LEN, TAG_LEN};
use nexus_wire::nexus::message::{MessageKind, MessageWriter, Messages};
use nexus_wire::nexus::recording::Direction;

use super::rekey::Wish;
use super::{Desk, Effect, Link};
use crate::interface::Endpoint;
use crate::tap::Tap;

/// What became of a frame that was to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Sealing {
    /// It goes there.
    To(Option<Endpoint>),
    /// The address that the peer moved to has not answered yet: it gets no more than a few times what came from it. Or it is an
    /// offer of keys that was answered while its repetition waited.
    Withheld,
    /// No counter is left.
    Exhausted,
}

impl Link {
    /// Whether a plaintext of this length, headroom included, fits one frame.
    pub(in super::super) const fn fits(&self, behind_headroom: usize) -> bool {
        behind_headroom.saturating_add(TAG_LEN) <= self.max_frame
    }

    /// The longest frame that both sides take, in bytes.
    pub(in super::super) const fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Seals a plaintext behind headroom, in place. An acknowledgement that is owed rides along if there is room.
    pub(in super::super) fn seal(&mut self, bytes: &mut Vec<u8>, tap: &mut Tap) -> Sealing {
        let sealed_len = bytes.len().saturating_add(TAG_LEN);
        if self.moved.as_mut().is_some_and(|moved| !moved.allows(sealed_len)) {
            return Sealing::Withheld;
        }
        if self.is_stale_offer(bytes) {
            return Sealing::Withheld;
        }
        if self.acks.is_owed() && self.fits(bytes.len().saturating_add(Self::ack_len())) {
            self.prepend_ack(bytes);
        }
        let awaits_ack = self.pace.acknowledged && carries_packet(bytes);
        let Some(header) = self.current.next_header() else { return Sealing::Exhausted };
        let plaintext = bytes.get(HEADER_LEN..).unwrap_or_default();
        tap.note(self.iface, Direction::Sent, Some(self.peer.node_id()), header, plaintext);
        let Ok(counter) = self.current.seal(bytes) else { return Sealing::Exhausted };
        if awaits_ack {
            self.acks.await_for(counter);
        }
        self.sent.count(bytes.len());
        Sealing::To(self.endpoint)
    }

    fn prepend_ack(&mut self, bytes: &mut Vec<u8>) {
        let Some(ack) = self.ack() else { return };
        self.acks.rides();
        let mut message = [0; 16];
        let mut writer = MessageWriter::new(&mut message);
        writer.put(&ack).expect("an acknowledgement has nine bytes");
        let written = writer.finish();
        bytes.splice(HEADER_LEN..HEADER_LEN, written.iter().copied());
    }

    /// When something is due.
    pub(in super::super) fn deadline(&self, own: nexus_crypto::NodeId) -> Instant {
        let set = self.set.as_ref().map_or(Instant::NEVER, |set| set.until);
        [self.probe_due(own), self.acks_due(), self.rekey_due(own), self.death(), self.previous_until(), set]
            .into_iter()
            .min()
            .unwrap_or(Instant::NEVER)
    }

    /// Does what is due.
    pub(in super::super) fn due<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) -> Wish {
        let now = desk.cx.now;
        self.erase_previous(desk);
        if self.set.as_ref().is_some_and(|set| set.until <= now) {
            self.set = None;
        }
        self.acknowledge(desk);
        if let Some(down) = self.probe_or_give_up(desk) {
            return Wish::End(down);
        }
        self.rekey_if_due(desk)
    }
}

/// Whether the frame is to be acknowledged: its first message tells, since packets stand alone or behind acknowledgements.
fn carries_packet(bytes: &[u8]) -> bool {
    let plaintext = bytes.get(HEADER_LEN..).unwrap_or_default();
    let mut kinds = Messages::new(plaintext).map_while(Result::ok).map(|message| message.kind);
    kinds.any(|kind| kind == MessageKind::PACKET || kind == MessageKind::FRAGMENT)
}
