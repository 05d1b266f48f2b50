//! One link: its keys, who is at its other end, and what keeps it alive.
//!
//! A part of the organ, not an organ: [`Links`](super::Links) owns its deadline and carries out what it says.

mod liveness;
mod rekey;
mod sealing;
mod suspicion;

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodePublic};
use nexus_machine::{Cx, Duration, Instant, Sink, Stream};
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::frame::{BeaconTag, HEADER_LEN, SEALED_OVERHEAD, SealedHeader, SessionId, TAG_LEN};
use nexus_wire::nexus::message::{Body, Message, MessageKind, MessageWriter, Messages};
use nexus_wire::nexus::traffic::Fragment;

use super::airtime::{Airtime, Purpose};
use super::fragments::{self, Put};
use super::keys::{CannotOpen, Keys};
use super::lately::Lately;
use super::pace::Pace;
use super::refusals::{Refusals, Refused};
use super::sessions::Sessions;
use super::status::{Down, LinkStatus, Traffic};
use super::trials::Strikes;
use super::{Effect, LinkId};
use crate::interface::{Endpoint, InterfaceId};
use crate::media::{Flow, Frame, Load, Seal};

use liveness::{Acks, Moved, Probe};
pub(super) use rekey::Wish;
use rekey::{Answered, Offer};
pub(super) use sealing::{Due, Sealing};
use suspicion::Suspicion;

/// A link that is up.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) iface: InterfaceId,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) peer: NodePublic,
    pub(super) up_at: Instant,
    pub(super) heard_at: Instant,
    /// The deadline that the organ has set for it; never while there is none.
    pub(super) wakes_at: Instant,
    /// The hash of the message 3 that made it, as long as its sender may not know that it arrived.
    pub(super) finish: Option<[u8; 16]>,
    /// What the peer says it calls itself in its beacons.
    pub(super) tag: Option<BeaconTag>,
    pace: Pace,
    /// The longest frame that both sides take, in bytes.
    max_frame: usize,
    current: Keys,
    /// Opens only.
    previous: Option<Previous>,
    /// Opens only, until something arrives under it.
    next: Option<Box<Keys>>,
    offer: Option<Box<Offer>>,
    answered: Option<Box<Answered>>,
    /// Whether something arrived under the current keys.
    heard_under_current: bool,
    rekeys: u32,
    /// No offer and no renewal before: an earlier one was in vain.
    rekey_not_before: Instant,
    probe: Probe,
    suspicion: Suspicion,
    acks: Acks,
    moved: Option<Moved>,
    rtt: Option<Duration>,
    set: Option<Box<fragments::Set<SessionId>>>,
    sent: Traffic,
    /// What was sent of late.
    pub(super) lately: Lately,
    received: Traffic,
}

/// Keys that were replaced.
#[derive(Debug)]
struct Previous {
    keys: Box<Keys>,
    /// When they are erased: set once something arrived under those that replaced them.
    until: Option<Instant>,
}

/// Which of a link's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Previous,
    Current,
    Next,
}

/// What a link needs of the organ around it, for one call.
pub(super) struct Desk<'a, S> {
    pub(super) cx: Cx,
    pub(super) id: LinkId,
    pub(super) own: NodeId,
    pub(super) airtime: &'a mut Airtime,
    pub(super) sessions: &'a mut Sessions,
    pub(super) random: &'a mut Stream,
    pub(super) refusals: &'a mut Refusals,
    pub(super) out: &'a mut S,
}

/// What made a link: the outcome of a handshake.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) iface: InterfaceId,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) peer: NodePublic,
    pub(super) keys: Keys,
    /// The longest frame that the peer takes.
    pub(super) peer_max_frame: u16,
    /// The hash of the message 3, on the responder's side.
    pub(super) finish: Option<[u8; 16]>,
    /// How many bytes came from `endpoint`, if nothing shows that the peer receives there.
    pub(super) unshown: Option<usize>,
}

impl Link {
    /// The most heap that a link holds, in bytes, its own size excluded: two more pairs of keys and three windows, an offer
    /// or an answer, a set of fragments, frames that wait for acknowledgement.
    pub(super) const MEMORY_BOUND: usize = 2 * size_of::<Keys>()
        + 3 * 33 * 8
        + size_of::<Offer>()
        + size_of::<Answered>()
        + 2_048
        + size_of::<fragments::Set<SessionId>>()
        + fragments::Set::<SessionId>::MEMORY_BOUND
        + Acks::MEMORY_BOUND
        + Suspicion::MEMORY_BOUND;

    /// A link with a peer that was doubted so often of late.
    pub(super) fn new(made: Made, strikes: Strikes, pace: Pace, now: Instant) -> Self {
        let Made { iface, endpoint, peer, keys, peer_max_frame, finish, unshown } = made;
        Self {
            iface,
            endpoint,
            peer,
            up_at: now,
            heard_at: now,
            wakes_at: Instant::NEVER,
            finish,
            tag: None,
            max_frame: usize::from(pace.frame_size.min(peer_max_frame)),
            pace,
            current: keys,
            previous: None,
            next: None,
            offer: None,
            answered: None,
            heard_under_current: false,
            rekeys: 0,
            rekey_not_before: now,
            probe: Probe::default(),
            suspicion: Suspicion::new(strikes, pace.trial, now),
            acks: Acks::default(),
            moved: unshown.map(Moved::new),
            rtt: None,
            set: None,
            sent: Traffic::default(),
            lately: Lately::default(),
            received: Traffic::default(),
        }
    }

    /// From here on it says pieces of messages as they come, as no lawful one does.
    #[cfg(test)]
    pub(super) const fn become_lawless(&mut self) {
        self.current.lawless = true;
    }

    /// Its peer is asked after so much silence.
    pub(super) const fn probe_after(&mut self, keepalive: Duration) {
        self.pace.keepalive = keepalive;
    }

    /// What is asked for carrying packets out over it, in µNXS for 1,024 bytes.
    pub(super) const fn set_price(&mut self, price: u64) {
        self.pace.price = price;
    }

    /// What its medium was seen to carry.
    pub(super) const fn set_bandwidth(&mut self, bandwidth: BandwidthCode) {
        self.pace.bandwidth = bandwidth;
    }

    pub(super) fn status(&self, id: LinkId) -> LinkStatus {
        LinkStatus {
            id,
            iface: self.iface,
            endpoint: self.endpoint,
            peer: self.peer,
            up_at: self.up_at,
            heard_at: self.heard_at,
            rtt: self.rtt,
            rekeys: self.rekeys,
            sent: self.sent,
            received: self.received,
            acknowledged: self.acks.acknowledged,
            unacknowledged: self.acks.lost,
            trust: self.suspicion.trust(),
            doubts: self.suspicion.doubts,
            reliability: self.suspicion.reliability(),
        }
    }

    /// What its peer is remembered by once it is down.
    pub(super) fn last_strikes(&self, why: Down, now: Instant) -> Strikes {
        self.suspicion.last_strikes(why, now)
    }

    /// Where the peer was shown to receive.
    #[allow(
        clippy::option_option,
        reason = "a place that is not shown is another thing than one without an address"
    )]
    pub(super) const fn lives_at(&self) -> Option<Option<Endpoint>> {
        if self.moved.is_none() { Some(self.endpoint) } else { None }
    }

    /// All sessions under which it receives, or would.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        [
            Some(self.current.at),
            self.previous.as_ref().map(|previous| previous.keys.at),
            self.next.as_ref().map(|next| next.at),
            self.offer.as_ref().map(|offer| offer.session),
        ]
        .into_iter()
        .flatten()
    }

    /// Opens a sealed frame in place and does what its control messages say. Returns what is left for others: the plaintext's
    /// end within the frame, and a message that was put together from fragments.
    pub(super) fn receive<S: Sink<Effect>>(
        &mut self,
        header: SealedHeader,
        session: SessionId,
        from: Option<Endpoint>,
        frame: &mut [u8],
        desk: &mut Desk<'_, S>,
    ) -> Option<Received> {
        let slot = self.slot(session)?;
        let keys = self.keys(slot)?;
        let tag_len = keys.tag_len();
        if let Err(why) = keys.open(header, frame) {
            desk.refusals.count(match why {
                CannotOpen::NotAuthentic => Refused::not_authentic,
                CannotOpen::Replayed => Refused::replayed,
                CannotOpen::TooOld => Refused::too_old,
            });
            return None;
        }
        self.received.count(frame.len());
        let slot = self.heard(slot, header, from, frame.len(), desk);
        let end = frame.len().saturating_sub(tag_len);
        let plaintext = frame.get(HEADER_LEN..end).unwrap_or_default();
        let whole = self.control(slot, session, header.counter, from, plaintext, desk);
        Some(Received { end, whole })
    }

    fn slot(&self, session: SessionId) -> Option<Slot> {
        if self.current.at == session {
            Some(Slot::Current)
        } else if self.previous.as_ref().is_some_and(|previous| previous.keys.at == session) {
            Some(Slot::Previous)
        } else if self.next.as_ref().is_some_and(|next| next.at == session) {
            Some(Slot::Next)
        } else {
            // The session of an offer: nothing can arrive under keys that do not exist.
            None
        }
    }

    fn keys(&mut self, slot: Slot) -> Option<&mut Keys> {
        match slot {
            Slot::Current => Some(&mut self.current),
            Slot::Previous => self.previous.as_mut().map(|previous| &mut *previous.keys),
            Slot::Next => self.next.as_deref_mut(),
        }
    }

    /// Takes note of an authentic frame. Returns the slot in which its keys are afterwards.
    fn heard<S: Sink<Effect>>(
        &mut self,
        slot: Slot,
        header: SealedHeader,
        from: Option<Endpoint>,
        bytes: usize,
        desk: &mut Desk<'_, S>,
    ) -> Slot {
        let now = desk.cx.now;
        self.heard_at = now;
        self.heard_of_peer(desk);
        let slot = match slot {
            Slot::Previous => return Slot::Previous,
            Slot::Next => {
                self.promote(desk);
                Slot::Current
            }
            Slot::Current => Slot::Current,
        };
        self.heard_under_current = true;
        self.finish = None;
        self.probe.answered_by_life();
        let grace = self.pace.grace(self.rtt);
        if let Some(previous) = &mut self.previous {
            previous.until.get_or_insert(now.after(grace));
        }
        self.moves(header, from, bytes, desk);
        slot
    }

    fn control<S: Sink<Effect>>(
        &mut self,
        slot: Slot,
        session: SessionId,
        counter: u32,
        from: Option<Endpoint>,
        plaintext: &[u8],
        desk: &mut Desk<'_, S>,
    ) -> Option<Vec<u8>> {
        let (mut whole, mut ping, mut rekey) = (None, None, None);
        for message in Messages::new(plaintext) {
            let Ok(message) = message else {
                desk.refusals.count(Refused::malformed);
                break;
            };
            match message.kind {
                MessageKind::PACKET => self.acks.owe(slot, desk.cx.now, &self.pace),
                MessageKind::FRAGMENT => {
                    self.acks.owe(slot, desk.cx.now, &self.pace);
                    whole = whole.or(self.fragment(session, counter, &message, desk));
                }
                // One answer to a frame, however often it asks.
                MessageKind::PING => ping = Some(message),
                MessageKind::PONG => self.ponged(&message, from, desk),
                MessageKind::ACK => self.acknowledged(slot, &message, desk),
                MessageKind::REKEY => rekey = Some(message),
                MessageKind::REKEY_ACK => self.rekey_answered(slot, &message, desk),
                // What is not the link's own is for others, or for nobody.
                _ => {}
            }
        }
        if let Some(ping) = ping {
            self.pinged(&ping, desk);
        }
        if let Some(rekey) = rekey {
            self.rekey_offered(slot, &rekey, desk);
        }
        whole
    }

    fn fragment<S>(
        &mut self,
        session: SessionId,
        counter: u32,
        message: &Message<'_>,
        desk: &mut Desk<'_, S>,
    ) -> Option<Vec<u8>> {
        let Ok(fragment) = message.parse::<Fragment<'_>>() else {
            desk.refusals.count(Refused::malformed);
            return None;
        };
        let until = desk.cx.now.after(self.pace.frame_airtime.times(8).max(Duration::from_secs(1)));
        let mut set = self.set.take().map(|set| *set);
        let put = fragments::put(&mut set, session, counter, &fragment, until);
        self.set = set.map(Box::new);
        match put {
            Put::Waiting => None,
            Put::Whole(message) => Some(message),
            Put::Misplaced => {
                desk.refusals.count(Refused::misplaced_fragment);
                None
            }
        }
    }

    /// Sends one control message under the current keys, if its medium has airtime for it. Whether it left.
    #[must_use = "without airtime it has to be said later"]
    fn say<'b, S: Sink<Effect>>(
        &self,
        purpose: Purpose,
        body: &impl Body<'b>,
        desk: &mut Desk<'_, S>,
    ) -> bool {
        let bytes = plaintext_of(body);
        let paid = desk.airtime.take(desk.cx.now, purpose, bytes.len().saturating_add(TAG_LEN));
        if paid {
            let frame = self.frame(desk.id, bytes);
            desk.out.push(Effect::Send(frame));
        }
        paid
    }

    /// When a question of this length can be asked.
    fn askable_at<'b, S>(body: &impl Body<'b>, desk: &mut Desk<'_, S>) -> Instant {
        Self::sayable_at(Purpose::Asking, body, desk)
    }

    fn sayable_at<'b, S>(purpose: Purpose, body: &impl Body<'b>, desk: &mut Desk<'_, S>) -> Instant {
        let bytes = MessageWriter::len_of(body).saturating_add(SEALED_OVERHEAD);
        desk.airtime.ready_at(purpose, bytes).max(desk.cx.now.after(Duration::from_micros(1)))
    }

    /// Sends a frame without messages, if its medium has airtime for it. Whether it left.
    pub(super) fn say_nothing_within_budget<S: Sink<Effect>>(
        &self,
        purpose: Purpose,
        desk: &mut Desk<'_, S>,
    ) -> bool {
        let ack = if self.acks.is_owed() { Self::ack_len() } else { 0 };
        let bytes = SEALED_OVERHEAD.saturating_add(ack);
        let paid = desk.airtime.take(desk.cx.now, purpose, bytes);
        if paid {
            self.say_nothing(desk);
        }
        paid
    }

    /// Sends a frame without messages: that it arrives is its message. Its airtime is taken.
    pub(super) fn say_nothing<S: Sink<Effect>>(&self, desk: &mut Desk<'_, S>) {
        let mut bytes = Vec::with_capacity(HEADER_LEN.saturating_add(TAG_LEN));
        bytes.resize(HEADER_LEN, 0);
        desk.out.push(Effect::Send(self.frame(desk.id, bytes)));
    }

    /// A frame of this plaintext, which stands behind headroom.
    pub(super) const fn frame(&self, id: LinkId, bytes: Vec<u8>) -> Frame {
        Frame {
            iface: self.iface,
            to: None,
            bytes,
            about: None,
            load: Load::Links,
            flow: Flow::OWN,
            under: Some(Seal::Link(id)),
        }
    }
}

/// What a frame had for others than the link.
#[derive(Debug)]
pub(super) struct Received {
    /// Where the plaintext ends within the frame; it begins behind the header.
    pub(super) end: usize,
    /// A message that its fragment completed, behind headroom.
    pub(super) whole: Option<Vec<u8>>,
}

/// One message behind headroom, with room for the tag.
fn plaintext_of<'b>(body: &impl Body<'b>) -> Vec<u8> {
    let len = HEADER_LEN.saturating_add(MessageWriter::len_of(body));
    let mut bytes = Vec::with_capacity(len.saturating_add(TAG_LEN));
    bytes.resize(len, 0);
    let (_, room) = bytes.split_at_mut(HEADER_LEN);
    MessageWriter::new(room).put(body).expect("the buffer has the message's own length");
    bytes
}
