//! What keeps a link alive: probes and their answers, acknowledgements, and following a peer to another address.

use alloc::collections::VecDeque;

use nexus_crypto::NodeId;
use nexus_machine::{Duration, Instant, Sink};
use nexus_wire::nexus::control::{Ack, Ping, Pong};
use nexus_wire::nexus::frame::{SEALED_OVERHEAD, SealedHeader};
use nexus_wire::nexus::message::{Message, MessageWriter};
use nexus_wire::nexus::path_cost::{Hop, LatencyMs};

use super::super::airtime::Purpose;
use super::super::pace::{Pace, jittered};
use super::super::share::Share;
use super::suspicion::Answer;
use super::{Desk, Effect, Link, Refused, Slot};
use crate::interface::Endpoint;
use crate::links::status::Down;

/// A question whether the peer is there.
#[derive(Debug)]
pub(super) struct Probe {
    token: u32,
    sent_at: Instant,
    attempts: u8,
    /// When it is asked again; never while nothing is asked.
    again_at: Instant,
}

/// Questions without an answer after which a peer is gone.
const PROBES: u8 = 8;
/// The longest wait from one question to the next.
const PROBE_WAIT_MAX: Duration = Duration::from_secs(8);

impl Default for Probe {
    fn default() -> Self {
        Self { token: 0, sent_at: Instant::BOOT, attempts: 0, again_at: Instant::NEVER }
    }
}

impl Probe {
    /// Something arrived: the peer is there, whether or not it answers.
    pub(super) const fn answered_by_life(&mut self) {
        self.again_at = Instant::NEVER;
        self.attempts = 0;
    }
}

/// Acknowledgements, owed and awaited.
#[derive(Debug)]
pub(super) struct Acks {
    /// When a frame must leave for one; never while none is owed, or such a frame waits for its turn.
    due: Instant,
    owed: bool,
    /// What such a frame is sent for.
    purpose: Purpose,
    /// Counters of frames with packets that were sent, and not acknowledged yet, oldest first.
    sent: VecDeque<u32>,
    pub(super) acknowledged: u64,
    pub(super) lost: u64,
}

/// Whether a frame that waits for its acknowledgement displaced another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    BesideOthers,
    InPlaceOfAnother,
}

/// Frames that may wait for their acknowledgement: what one can tell of.
const AWAITED: usize = 33;

impl Default for Acks {
    fn default() -> Self {
        Self {
            due: Instant::NEVER,
            owed: false,
            purpose: Purpose::Acknowledging,
            sent: VecDeque::new(),
            acknowledged: 0,
            lost: 0,
        }
    }
}

impl Acks {
    pub(super) const MEMORY_BOUND: usize = 2 * (AWAITED + 1) * size_of::<u32>();

    /// A frame with a packet arrived: it is acknowledged with what is sent next, or within a frame's airtime.
    pub(super) fn owe(&mut self, slot: Slot, now: Instant, pace: &Pace) {
        if pace.acknowledged && slot == Slot::Current {
            let soon = now.after(pace.frame_airtime.max(Duration::from_millis(10)));
            self.due = self.due.min(soon);
            self.owed = true;
        }
    }

    pub(super) const fn is_owed(&self) -> bool {
        self.owed
    }

    pub(super) const fn rides(&mut self) {
        self.due = Instant::NEVER;
        self.owed = false;
        self.purpose = Purpose::Acknowledging;
    }

    /// A frame with a packet leaves. At the bound the oldest is told of no more, and counts as lost.
    pub(super) fn await_for(&mut self, counter: u32) -> Awaited {
        self.sent.push_back(counter);
        if self.sent.len() <= AWAITED {
            return Awaited::BesideOthers;
        }
        self.sent.pop_front();
        self.lost = self.lost.saturating_add(1);
        Awaited::InPlaceOfAnother
    }

    /// The keys were replaced: what was sent under the others is not told of any more.
    pub(super) fn forget(&mut self) {
        self.rides();
        self.sent.clear();
    }

    fn take(&mut self, ack: Ack, share: &mut Share) {
        let oldest_told = ack.highest.saturating_sub(32);
        self.sent.retain(|counter| {
            if ack.covers(*counter) {
                self.acknowledged = self.acknowledged.saturating_add(1);
                share.hit();
                false
            } else if *counter < oldest_told {
                self.lost = self.lost.saturating_add(1);
                share.miss();
                false
            } else {
                true
            }
        });
    }
}

/// The peer was heard from another address, which has not answered yet: it is not to be used against a stranger.
#[derive(Debug)]
pub(super) struct Moved {
    received: u64,
    sent: u64,
}

impl Moved {
    /// How many times what came from an address may go there before it has answered.
    const FACTOR: u64 = 3;

    /// So many bytes came from there.
    pub(super) fn new(received: usize) -> Self {
        Self { received: u64::try_from(received).unwrap_or(u64::MAX), sent: 0 }
    }

    /// Counts `bytes` if they may be sent.
    pub(super) fn allows(&mut self, bytes: usize) -> bool {
        let sent = self.sent.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let allowed = sent <= self.received.saturating_mul(Self::FACTOR);
        if allowed {
            self.sent = sent;
        }
        allowed
    }
}

impl Link {
    /// Asks whether the peer is there, from the first question on.
    pub(in super::super) fn probe<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        self.probe.attempts = 0;
        self.ask(desk);
    }

    fn ask<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        let now = desk.cx.now;
        let (shortest, longest) = self.probe_waits();
        let wait = shortest.times(1_u64.wrapping_shl(self.probe.attempts.into())).min(longest);
        let token = desk.random.next_u32();
        let clock_ms = desk.cx.unix_s().unwrap_or(0).saturating_mul(1_000);
        let ping = Ping { token, clock_ms };
        if self.say(Purpose::Asking, &ping, desk) {
            let attempts = self.probe.attempts.saturating_add(1);
            let again_at = now.after(jittered(wait, desk.random)).after(Duration::from_micros(1));
            self.probe = Probe { token, sent_at: now, attempts, again_at };
        } else {
            // What was not asked is not unanswered.
            let wait = Duration::from_micros(desk.random.below(longest.as_micros()));
            self.probe.again_at = Self::askable_at(&ping, desk).after(wait);
        }
    }

    /// From a probe to the next: the first wait, and the longest.
    pub(super) fn probe_waits(&self) -> (Duration, Duration) {
        let answer = self.answer_time();
        // On slow media an answer alone may take longer than the longest wait elsewhere,
        let longest = PROBE_WAIT_MAX.max(answer);
        if !self.pace.is_shared {
            return (answer, longest);
        }
        // and on a shared channel the peer may have to save up airtime for it.
        let sixteenth = Duration::from_micros(self.quarter_of_keepalive().as_micros() / 4);
        (answer.max(sixteenth), longest.max(self.quarter_of_keepalive()))
    }

    const fn quarter_of_keepalive(&self) -> Duration {
        Duration::from_micros(self.pace.keepalive.as_micros() / 4)
    }

    /// Whether the medium is one on which frames are acknowledged, because a byte is dear there.
    pub(in super::super) const fn is_acknowledged(&self) -> bool {
        self.pace.acknowledged
    }

    /// Four round trips, or a guess at them.
    pub(in super::super) fn answer_time(&self) -> Duration {
        let guessed = self.pace.frame_airtime.times(8).plus(Duration::from_secs(1));
        let measured = self.rtt.map(|rtt| rtt.times(4).max(Duration::from_millis(250)));
        measured.map_or(guessed, |measured| measured.plus(self.pace.frame_airtime.times(4)))
    }

    /// Whether it waits for an answer.
    pub(in super::super) fn is_asking(&self) -> bool {
        self.probe.again_at < Instant::NEVER
    }

    /// When the answer that it waits for is late.
    pub(super) fn question_due(&self) -> Option<Instant> {
        Some(self.probe.again_at).filter(|_| self.is_asking())
    }

    /// When the next probe is due.
    pub(super) fn probe_due(&self, own: NodeId) -> Instant {
        // While it is asked, the answer is waited for, and nothing else.
        if self.is_asking() { self.probe.again_at } else { self.heard_at.after(self.quiet(own)) }
    }

    /// How long it may be quiet. The side with the higher address waits longer, so that one question serves both.
    fn quiet(&self, own: NodeId) -> Duration {
        let courtesy = if own < self.peer.node_id() { Duration::ZERO } else { self.quarter_of_keepalive() };
        self.pace.keepalive.plus(courtesy)
    }

    /// Asks, asks again, or gives up.
    pub(super) fn probe_or_give_up<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) -> Option<Down> {
        let now = desk.cx.now;
        let asking = self.is_asking();
        if asking && self.probe.again_at <= now {
            self.suspicion.count(Answer::Lost);
            if self.probe.attempts >= PROBES {
                return Some(Down::Silent);
            }
            self.ask(desk);
        } else if !asking && self.heard_at.after(self.quiet(desk.own)) <= now {
            self.probe(desk);
        }
        None
    }

    pub(super) fn pinged<S: Sink<Effect>>(&mut self, message: &Message<'_>, desk: &mut Desk<'_, S>) {
        let Ok(Ping { token, .. }) = message.parse() else {
            return desk.refusals.count(Refused::malformed);
        };
        let clock_ms = desk.cx.unix_s().unwrap_or(0).saturating_mul(1_000);
        if !self.say(Purpose::Answering, &Pong { token, clock_ms }, desk) {
            // Any frame says that this side lives; how long the way takes, a late one does not tell.
            self.acks.purpose = Purpose::Answering;
            self.acks.due = self.acks.due.min(Self::nothing_at(Purpose::Answering, desk));
        }
    }

    pub(super) fn ponged<S: Sink<Effect>>(
        &mut self,
        message: &Message<'_>,
        from: Option<Endpoint>,
        desk: &mut Desk<'_, S>,
    ) {
        let Ok(Pong { token, .. }) = message.parse() else {
            return desk.refusals.count(Refused::malformed);
        };
        let sample = match self.hurried_answer(token, desk.cx.now) {
            Some(sample) => sample,
            None if token == self.probe.token && self.probe.sent_at > Instant::BOOT => {
                self.suspicion.count(Answer::Came);
                // The token answers once: a second answer would measure something else.
                desk.cx.now.since(core::mem::replace(&mut self.probe.sent_at, Instant::BOOT))
            }
            None => return,
        };
        if from == self.endpoint {
            self.moved = None;
        }
        self.measured(sample, desk);
        self.tell(desk);
    }

    /// A round trip took so long.
    fn measured<S: Sink<Effect>>(&mut self, sample: Duration, desk: &mut Desk<'_, S>) {
        let smoothed =
            self.rtt.map_or(sample, |rtt| Duration::from_micros(rtt.times(7).plus(sample).as_micros() / 8));
        let told_before = self.rtt.map(latency);
        self.rtt = Some(smoothed);
        if told_before.is_none_or(|before| is_other(before, latency(smoothed))) {
            desk.out.push(Effect::Measured { link: desk.id, hop: self.hop() });
        }
    }

    /// What this link adds to a path: what this node asks, its measured latency and nominal bandwidth.
    pub(in super::super) fn hop(&self) -> Hop {
        let latency = self.rtt.map_or(LatencyMs::saturating(self.pace.frame_airtime.as_millis()), latency);
        Hop { price: self.pace.price, latency, bandwidth: self.pace.bandwidth }
    }

    pub(super) fn acknowledged<S: Sink<Effect>>(
        &mut self,
        slot: Slot,
        message: &Message<'_>,
        desk: &mut Desk<'_, S>,
    ) {
        match message.parse::<Ack>() {
            Ok(ack) if slot == Slot::Current => {
                self.acks.take(ack, &mut self.suspicion.acknowledged);
                self.tell(desk);
            }
            Ok(_) => {}
            Err(_) => desk.refusals.count(Refused::malformed),
        }
    }

    pub(super) const fn acks_due(&self) -> Instant {
        self.acks.due
    }

    /// An acknowledgement on its own.
    pub(super) fn acknowledge<S: Sink<Effect>>(&mut self, desk: &mut Desk<'_, S>) {
        if self.acks.due <= desk.cx.now {
            // It is written as the frame is sealed: what arrived under one pair of keys is not told under another.
            // Without airtime it may ride with what is sent before.
            let purpose = self.acks.purpose;
            if self.say_nothing_within_budget(purpose, desk) {
                self.acks.due = Instant::NEVER;
                self.acks.purpose = Purpose::Acknowledging;
            } else {
                self.acks.due = Self::nothing_at(purpose, desk);
            }
        }
    }

    /// When there is airtime for an acknowledgement on its own.
    fn nothing_at<S>(purpose: Purpose, desk: &mut Desk<'_, S>) -> Instant {
        let bytes = SEALED_OVERHEAD.saturating_add(Self::ack_len());
        let ready_at = desk.airtime.ready_at(purpose, bytes);
        ready_at.max(desk.cx.now.after(Duration::from_millis(10)))
    }

    /// What arrived under the current keys.
    pub(super) fn ack(&self) -> Option<Ack> {
        let window = &self.current.window;
        window.highest().map(|highest| Ack { highest, bitmap: window.bitmap() })
    }

    /// Follows the peer to another address, if this frame is the newest of all.
    pub(super) fn moves<S: Sink<Effect>>(
        &mut self,
        header: SealedHeader,
        from: Option<Endpoint>,
        bytes: usize,
        desk: &mut Desk<'_, S>,
    ) {
        if from == self.endpoint {
            if let Some(moved) = &mut self.moved {
                moved.received = moved.received.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
                // What came makes room for the question, if that was lost or withheld.
                if self.probe.sent_at.after(self.answer_time()) <= desk.cx.now {
                    self.probe(desk);
                }
            }
        } else if from.is_some() && self.current.window.highest() == Some(header.counter) {
            self.endpoint = from;
            self.moved = Some(Moved::new(bytes));
            self.probe(desk);
        }
    }

    /// What an acknowledgement takes of a plaintext that it rides in.
    pub(super) fn ack_len() -> usize {
        MessageWriter::len_of(&Ack { highest: 0, bitmap: 0 })
    }
}

fn latency(rtt: Duration) -> LatencyMs {
    LatencyMs::saturating(rtt.as_millis() / 2)
}

/// Whether two latencies differ by more than a quarter and a few milliseconds.
fn is_other(before: LatencyMs, after: LatencyMs) -> bool {
    let apart = before.0.abs_diff(after.0);
    apart > 5 && u32::from(apart).saturating_mul(4) > u32::from(before.0)
}
