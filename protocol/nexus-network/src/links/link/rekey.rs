//! Replacing a link's keys from inside it: `Noise_NN`, authenticated by the link. Source: spec/network.md#rekey.

use alloc::boxed::Box;

use nexus_crypto::EphemeralPublic;
use nexus_crypto::noise::{AwaitingRekeyAck, ChannelBinding, REKEY_ACK_LEN, answer_rekey};
use nexus_machine::{Duration, Instant, Sink};
use nexus_wire::nexus::control::{Rekey, RekeyAck};
use nexus_wire::nexus::frame::{HEADER_LEN, SessionId};
use nexus_wire::nexus::handshake::rekey_prologue;
use nexus_wire::nexus::message::{Message, MessageKind, Messages};

use super::super::airtime::Purpose;
use super::super::pace::jittered;
use super::super::sessions::Owner;
use super::{Desk, Effect, Keys, Link, Previous, Refused, Slot};
use crate::links::status::Down;

/// What this side has offered and the other has not answered yet.
#[derive(Debug)]
pub(super) struct Offer {
    awaiting: AwaitingRekeyAck,
    ephemeral: EphemeralPublic,
    /// Where this side will receive.
    pub(super) session: SessionId,
    again_at: Instant,
    wait: Duration,
}

/// The answer to the other side's offer, for when it comes again.
#[derive(Debug)]
pub(super) struct Answered {
    ephemeral: [u8; 32],
    theirs: SessionId,
    ours: SessionId,
    ack: [u8; REKEY_ACK_LEN],
}

/// What a link wants of the organ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Wish {
    Nothing,
    /// A whole handshake with the same peer.
    Renewal,
    /// To be no more.
    End(Down),
}

/// Every so many replacements one is a whole handshake.
const RENEWAL: u32 = 24;
/// Frames under one key after which another is offered.
const FRAMES: u32 = 1 << 31;
/// Offers come at least so often in a key's interval, whatever is lost.
const OFFERS: u64 = 60;

impl Link {
    /// When another key is due. The side with the higher address leaves the lower some time to offer first.
    pub(super) fn rekey_due(&self, own: nexus_crypto::NodeId) -> Instant {
        if let Some(offer) = &self.offer {
            return offer.again_at;
        }
        if !self.may_offer() || self.current.are_the_carriers() {
            return Instant::NEVER;
        }
        let courtesy = if own < self.peer.node_id() { 0 } else { self.pace.rekey_after.as_micros() / 16 };
        let by_age = self.current.made_at.after(self.pace.rekey_after).after(Duration::from_micros(courtesy));
        let at = if self.is_used_up() { Instant::BOOT } else { by_age };
        at.max(self.rekey_not_before)
    }

    /// When the current keys are dead.
    pub(super) fn death(&self) -> Instant {
        if self.current.are_the_carriers() {
            // Whoever keeps the medium replaces it.
            return Instant::NEVER;
        }
        self.current.made_at.after(self.pace.rekey_after.times(2))
    }

    /// Whether the current keys have sealed as much as they should.
    pub(in super::super) const fn is_used_up(&self) -> bool {
        self.current.sealed_bytes >= self.pace.rekey_bytes || self.current.sealed() >= FRAMES
    }

    const fn may_offer(&self) -> bool {
        self.previous.is_none() && self.next.is_none() && self.heard_under_current
    }

    const fn rekeys_are_up(&self) -> bool {
        self.rekeys.saturating_add(1) >= RENEWAL
    }

    /// Offers, offers again, or asks for a whole handshake.
    pub(super) fn rekey_if_due<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) -> Wish {
        let now = desk.cx.now;
        if self.death() <= now {
            return Wish::End(Down::KeyExpired);
        }
        if self.rekey_due(desk.own) > now {
            return Wish::Nothing;
        }
        if self.offer.is_none() {
            // A whole handshake that does not come about must not cost the link: there is still the short way.
            let last_call =
                self.pace.rekey_after.plus(Duration::from_micros(self.pace.rekey_after.as_micros() / 2));
            if self.rekeys_are_up() && now < self.current.made_at.after(last_call) {
                self.rekey_not_before =
                    now.after(Duration::from_micros(self.pace.rekey_after.as_micros() / 16));
                return Wish::Renewal;
            }
            self.begin_offer(desk);
        }
        self.repeat_offer(desk);
        Wish::Nothing
    }

    fn begin_offer<S>(&mut self, desk: &mut Desk<'_, S>) {
        let now = desk.cx.now;
        let (wait, _) = self.probe_waits();
        let owner = Owner::Link(desk.id);
        let Some(session) = desk.sessions.take(now, self.iface, owner, desk.random) else {
            self.rekey_not_before = now.after(wait);
            return desk.refusals.count(Refused::crowded);
        };
        let awaiting = AwaitingRekeyAck::offer(&prologue(&self.current.binding), desk.random);
        let ephemeral = awaiting.ephemeral();
        self.offer = Some(Box::new(Offer { awaiting, ephemeral, session, again_at: now, wait }));
    }

    fn repeat_offer<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        let Some(offer) = &mut self.offer else { return };
        offer.again_at = desk.cx.now.after(jittered(offer.wait, desk.random)).after(Duration::from_micros(1));
        let longest = Duration::from_micros(self.pace.rekey_after.as_micros() / OFFERS);
        offer.wait = offer.wait.times(2).min(longest.max(offer.wait));
        let (session, ephemeral) = (offer.session, offer.ephemeral);
        let body = Rekey { session, noise: ephemeral.as_bytes() };
        if !self.say(Purpose::Asking, &body, desk) {
            let ready_at = Self::askable_at(&body, desk);
            if let Some(offer) = &mut self.offer {
                offer.again_at = offer.again_at.max(ready_at);
            }
        }
    }

    /// Whether a plaintext behind headroom offers keys that are offered no more: under other keys it would be a new offer, to which
    /// the answer would be in vain.
    pub(super) fn is_stale_offer(&self, bytes: &[u8]) -> bool {
        let plaintext = bytes.get(HEADER_LEN..).unwrap_or_default();
        if MessageKind::first_of(plaintext) != Some(MessageKind::REKEY) {
            return false;
        }
        let first = Messages::new(plaintext).next().and_then(Result::ok);
        let offered = first.and_then(|message| message.parse::<Rekey<'_>>().ok());
        offered.is_some_and(|rekey| self.offer.as_ref().is_none_or(|offer| offer.session != rekey.session))
    }

    pub(super) fn rekey_offered<S: Sink<Effect>>(
        &mut self,
        slot: Slot,
        message: &Message<'_>,
        desk: &mut Desk<'_, S>,
    ) {
        let Ok(Rekey { session: theirs, noise }) = message.parse() else {
            return desk.refusals.count(Refused::malformed);
        };
        // Under keys that were replaced it is late, not wrong.
        if slot != Slot::Current {
            return;
        }
        if self.current.are_the_carriers() {
            return desk.refusals.count(Refused::misplaced_rekey);
        }
        if let Some(answered) = &self.answered
            && answered.theirs == theirs
            && answered.ephemeral == *noise
        {
            let _offered_again = self.say(
                Purpose::Answering,
                &RekeyAck { session: answered.ours, noise: &answered.ack },
                desk,
            );
            return;
        }
        if self.next.is_some() {
            return desk.refusals.count(Refused::misplaced_rekey);
        }
        if let Some(offer) = &self.offer {
            if desk.own < self.peer.node_id() {
                // Both offered: this one stands.
                return;
            }
            desk.sessions.retire(desk.cx.now, (self.iface, offer.session));
            self.offer = None;
        }
        self.answer(theirs, noise, desk);
    }

    fn answer<S: Sink<Effect>>(&mut self, theirs: SessionId, ephemeral: &[u8; 32], desk: &mut Desk<'_, S>) {
        let now = desk.cx.now;
        let prologue = prologue(&self.current.binding);
        let Ok((ack, established)) = answer_rekey(&prologue, &EphemeralPublic(*ephemeral), desk.random)
        else {
            return desk.refusals.count(Refused::misplaced_rekey);
        };
        let owner = Owner::Link(desk.id);
        let Some(ours) = desk.sessions.take(now, self.iface, owner, desk.random) else {
            return desk.refusals.count(Refused::crowded);
        };
        self.next = Some(Box::new(Keys::new(established, ours, theirs, self.pace.window, now)));
        // Without airtime the offer goes unanswered, and comes again.
        let _offered_again = self.say(Purpose::Answering, &RekeyAck { session: ours, noise: &ack }, desk);
        self.answered = Some(Box::new(Answered { ephemeral: *ephemeral, theirs, ours, ack }));
    }

    pub(super) fn rekey_answered<S: Sink<Effect>>(
        &mut self,
        slot: Slot,
        message: &Message<'_>,
        desk: &mut Desk<'_, S>,
    ) {
        let Ok(RekeyAck { session: theirs, noise }) = message.parse() else {
            return desk.refusals.count(Refused::malformed);
        };
        if slot != Slot::Current {
            return;
        }
        // Without an offer it is the answer to one that was answered already.
        let Some(offer) = self.offer.take() else { return };
        let Offer { awaiting, ephemeral, session, again_at, wait } = *offer;
        match awaiting.finish(noise) {
            Ok(established) => {
                let keys = Keys::new(established, session, theirs, self.pace.window, desk.cx.now);
                self.replace(keys, desk);
                self.heard_under_current = false;
                // The other side opens under these keys and waits for a frame to use them itself.
                self.probe(desk);
            }
            Err(refused) => {
                desk.refusals.count(Refused::misplaced_rekey);
                let awaiting = refused.state;
                self.offer = Some(Box::new(Offer { awaiting, ephemeral, session, again_at, wait }));
            }
        }
    }

    /// The other side uses the next keys: so does this one.
    pub(super) fn promote<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        let Some(next) = self.next.take() else { return };
        self.answered = None;
        self.replace(*next, desk);
        // Without airtime the other side's probe has its answer later.
        let _asked_again = self.say_nothing_within_budget(Purpose::Answering, desk);
    }

    fn replace<S>(&mut self, keys: Keys, desk: &mut Desk<'_, S>) {
        let replaced = Box::new(core::mem::replace(&mut self.current, keys));
        self.rekeys = self.rekeys.saturating_add(1);
        self.acks.forget();
        self.suspicion.forget_waiting();
        if let Some(older) = self.previous.replace(Previous { keys: replaced, until: None }) {
            desk.sessions.retire(desk.cx.now, (self.iface, older.keys.at));
        }
    }

    /// When the previous keys are erased, at the latest at the end of their own life.
    pub(super) fn previous_until(&self) -> Instant {
        self.previous.as_ref().map_or(Instant::NEVER, |previous| {
            let dead = previous.keys.made_at.after(self.pace.rekey_after.times(2));
            previous.until.map_or(dead, |until| until.min(dead))
        })
    }

    pub(super) fn erase_previous<S>(&mut self, desk: &mut Desk<'_, S>) {
        if self.previous_until() <= desk.cx.now
            && let Some(previous) = self.previous.take()
        {
            desk.sessions.retire(desk.cx.now, (self.iface, previous.keys.at));
        }
    }
}

fn prologue(binding: &ChannelBinding) -> [u8; 45] {
    rekey_prologue(binding.as_bytes())
}
