//! One interface: whose turn it is there, and what keeps it waiting.

use alloc::collections::BTreeMap;

use nexus_machine::{Deadlines, Duration, Instant, Sink};

use super::accounts::{Accounts, Clearance, Limit};
use super::bandwidth::Bandwidth;
use super::courtesy::Courtesy;
use super::pressure::{Ended, Pressure};
use super::queue::{Choice, Gate, LineName, Queue};
use super::shares::{Bucket, Work, budget, budgeted};
use super::surge::Surge;
use super::{Drops, Effect, Frame, Limits, Load};
use crate::interface::{Access, InterfaceId, Profile};
use crate::links::LinkId;

#[derive(Debug)]
pub(super) struct Interface {
    pub(super) profile: Profile,
    /// What it may transmit, if anything limits it.
    pub(super) limit: Option<Limit>,
    pub(super) queue: Queue,
    pub(super) turn: Turn,
    pub(super) drops: Drops,
    pub(super) bandwidth: Bandwidth,
    /// What all traffic may have of it, where that is not for its driver to say.
    budget: Option<Bucket>,
    /// Which neighbours there asked for less.
    pub(super) pressure: BTreeMap<LinkId, Pressure>,
    pub(super) surge: Surge,
    /// How it takes turns with others, where it has to.
    pub(super) courtesy: Option<Courtesy>,
    /// How often those that feed it were told, by severity.
    pub(super) told: [u64; 3],
}

/// Whose turn it is on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing waits; the driver is ready.
    Idle,
    /// The driver has a frame of so many bytes and so much airtime; it will say when it is ready.
    Driver { airtime: Duration, bytes: usize, load: Load },
    /// The driver was asked whether the channel is free, for the `attempt`th time. Between two attempts, because a frame was heard to end, it
    /// is asked as well: if the channel is busy, the next attempt is at the time that was set.
    Sensing { attempt: u8, else_until: Option<Instant> },
    /// The channel was busy `attempt` times; a deadline is set: then it is listened to again.
    BackingOff { attempt: u8, until: Instant },
    /// The same, and a frame was heard to end meanwhile: a deadline is set until the driver is asked.
    Woken { attempt: u8, until: Instant },
    /// Its own frame ended, and others may begin; a deadline is set.
    Pausing,
    /// The duty cycle or the dwell time is used up; a deadline is set.
    Resting,
    /// What waits has had its share, or a neighbour asked for less; a deadline is set.
    Pacing,
    /// A write is to say that the next frame's airtime is spent.
    Claiming,
}

impl Interface {
    pub(super) fn new(
        now: Instant,
        profile: Profile,
        limit: Option<Limit>,
        limits: Limits,
        drops: Drops,
    ) -> Self {
        let (bandwidth, work) = (Bandwidth::of(&profile), Work(profile));
        Self {
            courtesy: Courtesy::of(&profile),
            profile,
            limit,
            queue: Queue::new(limits, work, bandwidth.bps()),
            turn: Turn::Idle,
            drops,
            budget: budget(now, &work, bandwidth.bps()),
            bandwidth,
            pressure: BTreeMap::new(),
            surge: Surge::default(),
            told: [0; 3],
        }
    }

    /// Whether a frame could go to the driver at once, if nothing waits before it.
    pub(super) fn may_pass(&self, frame: &Frame) -> bool {
        let is_free = self.turn == Turn::Idle && self.limit.is_none();
        let is_unpaced = self.budget.is_none() && self.pressure.is_empty();
        is_free && self.profile.access == Access::Direct && (is_unpaced || !frame.is_queued_traffic())
    }

    /// Whether the driver waits for something to leave.
    pub(super) fn may_begin(&self) -> bool {
        matches!(self.turn, Turn::Idle | Turn::Pacing)
    }

    /// The driver was seen at work; `told` is the rate if it is much another than it was.
    pub(super) fn measured(&mut self, now: Instant, told: Option<u64>) {
        if let Some(budget) = &mut self.budget {
            let bps = self.bandwidth.bps();
            budget.set_rate(now, budgeted(&Work(self.profile), bps));
        }
        if let Some(bps) = told {
            self.queue.make_room_for(bps);
        }
    }

    /// Starts with the next frame. The driver is ready.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        accounts: &mut Accounts,
        deadlines: &mut Deadlines<InterfaceId>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(line) = self.next(now, iface, deadlines) else { return };
        if self.is_cleared(now, iface, line, accounts, deadlines, out) {
            match self.profile.access {
                Access::Direct => self.transmit(now, line, accounts, out),
                Access::ListenBeforeTalk { .. } => self.sense(iface, 1, out),
            }
        }
    }

    /// Whose turn it is. If nobody may leave, the interface waits until somebody may.
    pub(super) fn next(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        deadlines: &mut Deadlines<InterfaceId>,
    ) -> Option<LineName> {
        self.pressure.retain(|_, pressure| pressure.decay(now) == Ended::Lasts);
        let mut gate = Gate { budget: self.budget.as_mut(), pressure: &mut self.pressure };
        match self.queue.choose(now, &mut gate) {
            Choice::Next(line) => return Some(line),
            Choice::Later(at) => {
                self.turn = Turn::Pacing;
                deadlines.set(iface, at);
            }
            Choice::Nothing => self.turn = Turn::Idle,
        }
        None
    }

    /// Whether the first of a line may leave by the rules of its spectrum. If not, the interface waits until it may.
    pub(super) fn is_cleared(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        line: LineName,
        accounts: &mut Accounts,
        deadlines: &mut Deadlines<InterfaceId>,
        out: &mut impl Sink<Effect>,
    ) -> bool {
        let (Some(limit), Some(next)) = (self.limit, self.queue.first(line)) else { return true };
        let airtime = self.airtime_at_most(next);
        match accounts.clear(now, &limit, airtime, out) {
            Clearance::Given => return true,
            Clearance::RestsUntil(until) => {
                self.turn = Turn::Resting;
                deadlines.set(iface, until);
            }
            Clearance::Awaited => self.turn = Turn::Claiming,
        }
        false
    }

    /// What a frame may take of the medium.
    pub(super) fn airtime_at_most(&self, frame: &Frame) -> Duration {
        self.profile.airtime(frame.most_on_medium().min(self.profile.frame_size.into()))
    }

    pub(super) fn transmit(
        &mut self,
        now: Instant,
        line: LineName,
        accounts: &mut Accounts,
        out: &mut impl Sink<Effect>,
    ) {
        let mut gate = Gate { budget: self.budget.as_mut(), pressure: &mut self.pressure };
        match self.queue.take(now, line, &mut gate) {
            Some(frame) => self.put_on_medium(now, frame, accounts, out),
            None => self.turn = Turn::Idle,
        }
    }

    /// A frame leaves that did not wait.
    pub(super) fn hand_over(
        &mut self,
        now: Instant,
        frame: Frame,
        accounts: &mut Accounts,
        out: &mut impl Sink<Effect>,
    ) {
        if frame.is_queued_traffic() {
            self.queue.left(frame.flow.class, frame.len_on_medium(), Duration::ZERO);
        }
        self.put_on_medium(now, frame, accounts, out);
    }

    fn put_on_medium(
        &mut self,
        now: Instant,
        frame: Frame,
        accounts: &mut Accounts,
        out: &mut impl Sink<Effect>,
    ) {
        let airtime = self.airtime_at_most(&frame);
        if let Some(limit) = self.limit {
            accounts.begin(now, &limit, airtime);
        }
        self.turn = Turn::Driver { airtime, bytes: frame.len_on_medium(), load: frame.load };
        self.bandwidth.begin(now);
        out.push(Effect::Transmit(frame));
    }

    pub(super) fn sense(&mut self, iface: InterfaceId, attempt: u8, out: &mut impl Sink<Effect>) {
        self.turn = Turn::Sensing { attempt, else_until: None };
        out.push(Effect::Sense(iface));
    }
}
