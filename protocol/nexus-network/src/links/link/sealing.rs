//! What happens to a frame as it leaves, and to the link as time passes.

use alloc::vec::Vec;

use nexus_machine::{Instant, Sink};
use nexus_wire::nexus::control::Ping;
use nexus_wire::nexus::frame::{HEADER_LEN, TAG_LEN};
use nexus_wire::nexus::message::{MessageKind, MessageWriter, Messages};
use nexus_wire::nexus::recording::Direction;
use nexus_wire::nexus::traffic::{Fragment, FragmentPlace};

use super::liveness::Awaited;
use super::rekey::Wish;
use super::{Desk, Effect, Link};
use crate::interface::Endpoint;
use crate::links::keys::CannotSeal;
use crate::tap::Tap;

/// What became of a frame that was to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Sealing {
    /// It goes there,
    To(Option<Endpoint>, Due),
    /// The address that the peer moved to has not answered yet: it gets no more than a few times what came from it. Or it is an
    /// offer of keys that was answered while its repetition waited, or a piece without its first.
    Withheld,
    /// No counter is left.
    Exhausted,
}

/// Whether a frame that leaves makes something due sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Due {
    /// It does.
    Sooner,
    /// It does not.
    Unchanged,
}

/// What a frame has that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    Packet,
    /// A piece of a message, at this place.
    Piece(FragmentPlace),
    /// A PING with this token.
    Question(u32),
    Neither,
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
    pub(in super::super) fn seal(&mut self, now: Instant, bytes: &mut Vec<u8>, tap: &mut Tap) -> Sealing {
        let sealed_len = bytes.len().saturating_add(TAG_LEN);
        if self.moved.as_mut().is_some_and(|moved| !moved.allows(sealed_len)) {
            return Sealing::Withheld;
        }
        if self.is_stale_offer(bytes) {
            return Sealing::Withheld;
        }
        let carries = carries(bytes);
        let piece = match carries {
            Carries::Piece(place) => Some(place),
            Carries::Packet | Carries::Question(_) | Carries::Neither => None,
        };
        let header = match self.current.take_header(piece) {
            Ok(header) => header,
            Err(CannotSeal::Exhausted) => return Sealing::Exhausted,
            Err(CannotSeal::Orphan) => return Sealing::Withheld,
        };
        let counter = header.counter;
        if self.acks.is_owed() && self.fits(bytes.len().saturating_add(Self::ack_len())) {
            self.prepend_ack(bytes);
        }
        let plaintext = bytes.get(HEADER_LEN..).unwrap_or_default();
        tap.note(self.iface, Direction::Sent, Some(self.peer.node_id()), header, plaintext);
        self.current.seal(header, bytes);
        self.sent.count(bytes.len());
        self.lately.add(now, bytes.len());
        let is_due_sooner = match carries {
            Carries::Packet if self.pace.acknowledged => {
                self.await_acknowledgement(counter);
                self.is_first_unanswered(now)
            }
            Carries::Packet => self.begins_silence(now),
            Carries::Piece(_) if self.pace.acknowledged => {
                self.await_acknowledgement(counter);
                false
            }
            Carries::Question(token) => self.question_left(token, now),
            Carries::Piece(_) | Carries::Neither => false,
        };
        Sealing::To(self.endpoint, if is_due_sooner { Due::Sooner } else { Due::Unchanged })
    }

    fn await_acknowledgement(&mut self, counter: u32) {
        if self.acks.await_for(counter) == Awaited::InPlaceOfAnother {
            self.suspicion.acknowledged.miss();
        }
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
        let keys = self.rekey_due(own).min(self.death()).min(self.previous_until());
        let peer = self.probe_due(own).min(self.suspicion_due());
        keys.min(peer).min(self.acks_due()).min(set)
    }

    /// Does what is due.
    pub(in super::super) fn due<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) -> Wish {
        let now = desk.cx.now;
        self.erase_previous(desk);
        if self.set.as_ref().is_some_and(|set| set.until <= now) {
            self.set = None;
        }
        self.acknowledge(desk);
        if let Some(down) = self.suspect(desk).or_else(|| self.probe_or_give_up(desk)) {
            return Wish::End(down);
        }
        self.rekey_if_due(desk)
    }
}

/// What of a frame is answered: its first messages tell, since packets and questions stand alone or behind acknowledgements.
fn carries(bytes: &[u8]) -> Carries {
    let plaintext = bytes.get(HEADER_LEN..).unwrap_or_default();
    for message in Messages::new(plaintext).map_while(Result::ok) {
        match message.kind {
            MessageKind::PACKET => return Carries::Packet,
            MessageKind::FRAGMENT => {
                return message
                    .parse()
                    .map_or(Carries::Neither, |fragment: Fragment<'_>| Carries::Piece(fragment.place()));
            }
            MessageKind::PING => {
                return message
                    .parse()
                    .map_or(Carries::Neither, |Ping { token, .. }| Carries::Question(token));
            }
            _ => {}
        }
    }
    Carries::Neither
}
