//! The organ that owns the way out: a bounded queue per interface, readiness, and listen before talk.
//!
//! Invariant: at most one frame is with the driver of an interface at any time; everything else waits here, where it can
//! still be counted, dropped or overtaken. On half-duplex media a frame leaves only after the channel was sensed clear, and
//! after seven attempts in vain it is dropped and said to be; whoever sent one lets others begin. In no hour does it transmit more than the medium's duty cycle
//! allows, nor within a dwell time more than that; what several interfaces transmit in one sub-band counts together, and a restart
//! gives nothing back. Spec: spec/network.md#medium-access.

mod accounts;
mod bandwidth;
mod contract;
mod courtesy;
mod flow;
mod lines;
mod meter;
mod pieces;
mod pressure;
mod queue;
mod shares;
mod status;
mod surge;
mod tally;
mod telling;
#[cfg(test)]
mod tests;
mod turn;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{
    Cx, Deadlines, Duration, Instant, Machine, MemoryBound, Seed, Sink, Snapshot, Stream, earliest,
};

use crate::interface::{Access, InterfaceId, Profile};
use crate::links::LinkId;

pub use contract::{Complained, Drops, Effect, Frame, Input, Limits, Load, Seal, Tier};
pub use flow::{CLASSES, Class, Feeder, Flow, Then, Weight, patience};
pub use status::{ClassStatus, Held, Pressed, QueueStatus, Sharer};

pub use accounts::AIRTIME;
use accounts::{Accounts, Limit};
pub(crate) use contract::lose;
pub use meter::{Meter, Spent, TOGETHER_PPM, Usage, Window};
use queue::{Displaced, Queue};
pub(crate) use surge::surged;
use turn::{Interface, Turn};

/// Attempts at a busy channel before a frame is dropped. Source: spec/network.md#medium-access.
pub const MAX_ATTEMPTS: u8 = 7;

/// The organ.
#[derive(Debug)]
pub struct Media {
    interfaces: BTreeMap<InterfaceId, Interface>,
    backoffs: Deadlines<InterfaceId>,
    /// When the queue of an interface is looked at for its price.
    looks: Deadlines<InterfaceId>,
    /// What was spent where the time to transmit is limited. It outlives the interface: who pulls the plug has no more of it.
    accounts: Accounts,
    /// What was on media for what. A meter outlives its interface, and goes when another needs the room.
    meters: BTreeMap<InterfaceId, Meter>,
    /// Of those links of which something else was said than [`Weight::ONE`].
    weights: BTreeMap<LinkId, Weight>,
    random: Stream,
    limits: Limits,
    /// Frames for interfaces that are not up, and interfaces beyond the limit.
    refused: u64,
}

impl Media {
    /// The organ without interfaces, with what was spent before. Its random stream decides back-offs only.
    #[must_use]
    pub fn new(limits: Limits, snapshot: &Snapshot, seed: &Seed) -> Self {
        Self {
            interfaces: BTreeMap::new(),
            backoffs: Deadlines::default(),
            looks: Deadlines::default(),
            accounts: Accounts::resume(snapshot),
            meters: BTreeMap::new(),
            weights: BTreeMap::new(),
            random: seed.fork("media"),
            limits,
            refused: 0,
        }
    }

    /// The interfaces that are up.
    pub fn up(&self) -> impl Iterator<Item = (InterfaceId, &Profile)> {
        self.interfaces.iter().map(|(iface, state)| (*iface, &state.profile))
    }

    /// The profile of an interface that is up.
    #[must_use]
    pub fn profile(&self, iface: InterfaceId) -> Option<&Profile> {
        self.interfaces.get(&iface).map(|state| &state.profile)
    }

    /// What an interface carries under load, in bits per second; 0 if nothing is known.
    #[must_use]
    pub fn bandwidth_bps(&self, iface: InterfaceId) -> Option<u64> {
        self.interfaces.get(&iface).map(|state| state.bandwidth.bps())
    }

    /// Why frames of an interface did not leave.
    #[must_use]
    pub fn drops(&self, iface: InterfaceId) -> Option<Drops> {
        self.interfaces.get(&iface).map(|state| state.drops)
    }

    /// What an interface had on its medium since the node started, also while it is down; none if nothing.
    #[must_use]
    pub fn meter(&self, iface: InterfaceId) -> Option<&Meter> {
        self.meters.get(&iface)
    }

    /// How much of what an interface carries, as it was [measured](Media::bandwidth_bps), `spent` is in such a time: in millionths. None if
    /// it is down, or nothing is known of what it carries.
    #[must_use]
    pub fn share_ppm(&self, iface: InterfaceId, spent: Spent, window: Window) -> Option<u64> {
        let state = self.interfaces.get(&iface)?;
        let (nominal, measured) = (state.profile.bandwidth_bps, state.bandwidth.bps());
        // In millionths of a second, times bits per second.
        let work = match nominal {
            0 => u128::from(spent.bytes).saturating_mul(8_000_000),
            _ => u128::from(spent.time.as_micros()).saturating_mul(nominal.into()),
        };
        let whole = u128::from(measured).saturating_mul(window.length().as_micros().into());
        let ppm = work.saturating_mul(1_000_000).checked_div(whole)?;
        Some(u64::try_from(ppm).unwrap_or(u64::MAX))
    }

    /// How many frames wait on an interface.
    #[must_use]
    pub fn waiting(&self, iface: InterfaceId) -> Option<usize> {
        self.interfaces.get(&iface).map(|state| state.queue.len())
    }

    /// How long the announces that wait on an interface, and what goes with them, take at its nominal rate.
    #[must_use]
    pub fn announces_waiting(&self, iface: InterfaceId) -> Duration {
        self.interfaces.get(&iface).map_or(Duration::ZERO, |state| {
            let announces = state.queue.announces();
            announces
                .fold(Duration::ZERO, |sum, frame| sum.plus(state.profile.airtime(frame.len_on_medium())))
        })
    }

    /// How many frames were for no interface that is up.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn open(&mut self, now: Instant, iface: InterfaceId, profile: Profile) {
        let drops = self.close(now, iface);
        if self.interfaces.len() >= self.limits.interfaces {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let limit = Limit::of(iface, &profile);
        if let Some(limit) = limit {
            self.accounts.open(now, &limit);
        }
        self.make_room_for_meter(iface);
        self.interfaces.insert(iface, Interface::new(now, profile, limit, self.limits, drops));
    }

    /// There are as many meters as there may be interfaces: one whose interface is down makes room.
    fn make_room_for_meter(&mut self, iface: InterfaceId) {
        if self.meters.contains_key(&iface) || self.meters.len() < self.limits.interfaces {
            return;
        }
        let down = self.meters.keys().find(|metered| !self.interfaces.contains_key(metered)).copied();
        if let Some(down) = down {
            self.meters.remove(&down);
        }
    }

    /// Forgets an interface; what waited is counted in the drops that it leaves behind.
    fn close(&mut self, now: Instant, iface: InterfaceId) -> Drops {
        self.backoffs.cancel(iface);
        self.looks.cancel(iface);
        let Some(closed) = self.interfaces.remove(&iface) else { return Drops::default() };
        if let (Turn::Driver { airtime, .. }, Some(limit)) = (closed.turn, closed.limit) {
            // It may have left.
            self.accounts.end(now, &limit, airtime);
        }
        let waiting = u64::try_from(closed.queue.len()).unwrap_or(u64::MAX);
        Drops { went_down: closed.drops.went_down.saturating_add(waiting), ..closed.drops }
    }

    /// The same as [`Input::Send`]: a frame is moved as seldom as can be.
    pub(crate) fn send(&mut self, now: Instant, frame: Frame, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&frame.iface) else {
            self.refused = self.refused.saturating_add(1);
            return;
        };
        let len = frame.len_on_medium();
        let too_long_at_once =
            state.limit.is_some_and(|limit| !limit.has_room_for(state.airtime_at_most(&frame)));
        if len > usize::from(state.profile.frame_size) || too_long_at_once {
            state.drops.too_long = state.drops.too_long.saturating_add(1);
            return lose([frame], out);
        }
        let iface = frame.iface;
        if state.may_pass(&frame) && state.queue.lets_pass(now, &frame) {
            return state.hand_over(now, frame, &mut self.accounts, out);
        }
        let (is_traffic, from) = (frame.is_queued_traffic(), frame.flow.from);
        let weight = match from {
            Feeder::Link(link) => self.weights.get(&link).copied().unwrap_or(Weight::ONE),
            Feeder::Own | Feeder::Clear(_) => Weight::ONE,
        };
        let Displaced { full, over_share } = state.queue.push(now, frame, weight);
        let count = |frames: &VecDeque<Frame>| u64::try_from(frames.len()).unwrap_or(u64::MAX);
        state.drops.displaced = state.drops.displaced.saturating_add(count(&full));
        state.drops.over_share = state.drops.over_share.saturating_add(count(&over_share));
        lose(full, out);
        if state.may_begin() {
            state.begin(now, iface, &mut self.accounts, &mut self.backoffs, out);
        }
        if is_traffic {
            self.watch(now, iface, from, out);
        }
    }

    /// A frame was sealed on its way to the driver: what it takes of the medium is known.
    fn sealed(&mut self, now: Instant, iface: InterfaceId, len: usize) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        let Turn::Driver { airtime, load, .. } = state.turn else { return };
        let exact = state.profile.airtime(len);
        state.turn = Turn::Driver { airtime: exact, bytes: len, load };
        let bytes = u64::try_from(state.profile.bytes_on_medium(len)).unwrap_or(u64::MAX);
        let spent = Spent { bytes, time: state.profile.time_on_medium(len) };
        self.meters.entry(iface).or_default().add(now, load, spent);
        if let Some(limit) = state.limit {
            self.accounts.amend(now, &limit, airtime, exact);
        }
    }

    /// The driver took its frame.
    fn tx_ready(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        let Turn::Driver { airtime, bytes, .. } = state.turn else { return };
        if let Some(limit) = state.limit {
            self.accounts.end(now, &limit, airtime);
        }
        if !state.queue.is_empty() {
            let told = state.bandwidth.carried(now, bytes, airtime);
            state.measured(now, told);
            if let Some(bps) = told {
                out.push(Effect::Carries(iface, bps));
            }
        }
        match &mut state.courtesy {
            None => state.begin(now, iface, &mut self.accounts, &mut self.backoffs, out),
            Some(courtesy) => {
                state.turn = Turn::Pausing;
                self.backoffs.set(iface, now.after(courtesy.pause(airtime, &mut self.random)));
            }
        }
    }

    /// Whoever was on the channel is done: what waits for it need not wait for as long as the longest frame takes.
    fn heard(&mut self, now: Instant, iface: InterfaceId) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        let Some(courtesy) = &mut state.courtesy else { return };
        let wakes_at = now.after(courtesy.wake(&mut self.random));
        if let Turn::BackingOff { attempt, until } = state.turn
            && wakes_at < until
        {
            state.turn = Turn::Woken { attempt, until };
            self.backoffs.set(iface, wakes_at);
        }
    }

    /// Starts with the next frame of an interface whose driver is ready.
    fn begin(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        if let Some(state) = self.interfaces.get_mut(&iface) {
            state.begin(now, iface, &mut self.accounts, &mut self.backoffs, out);
        }
    }

    fn channel_clear(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        if !matches!(state.turn, Turn::Sensing { .. }) {
            return;
        }
        // What wanted the channel may have been recalled, or be too late.
        let Some(line) = state.next(now, iface, &mut self.backoffs) else { return };
        if state.is_cleared(now, iface, line, &mut self.accounts, &mut self.backoffs, out) {
            // While it was sensed the next frame may have become another, longer one, or another interface may have spent.
            state.transmit(now, line, &mut self.accounts, out);
        }
    }

    fn durable(&mut self, now: Instant, through: u64, out: &mut impl Sink<Effect>) {
        while let Some(account) = self.accounts.durable(through) {
            let claims = |(_, state): &(&InterfaceId, &Interface)| {
                state.turn == Turn::Claiming && state.limit.is_some_and(|limit| limit.account == account)
            };
            let waiting: Vec<InterfaceId> =
                self.interfaces.iter().filter(claims).map(|(iface, _)| *iface).collect();
            for iface in waiting {
                self.begin(now, iface, out);
            }
        }
    }

    fn recall(&mut self, about: DestinationHash, out: &mut impl Sink<Effect>) {
        for state in self.interfaces.values_mut() {
            let recalled = state.queue.recall(about);
            let count = u64::try_from(recalled.len()).unwrap_or(u64::MAX);
            state.drops.recalled = state.drops.recalled.saturating_add(count);
            lose(recalled, out);
        }
    }

    fn channel_busy(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        let Access::ListenBeforeTalk { slot } = state.profile.access else { return };
        let attempt = match state.turn {
            Turn::Sensing { attempt, else_until: None } => attempt,
            Turn::Sensing { attempt, else_until: Some(until) } => {
                // Another was sooner: that is no attempt.
                state.turn = Turn::BackingOff { attempt, until };
                self.backoffs.set(iface, until.max(now));
                return;
            }
            Turn::Idle
            | Turn::Driver { .. }
            | Turn::BackingOff { .. }
            | Turn::Woken { .. }
            | Turn::Pausing
            | Turn::Resting
            | Turn::Pacing
            | Turn::Claiming => return,
        };
        let Some(line) = state.next(now, iface, &mut self.backoffs) else { return };
        if attempt >= MAX_ATTEMPTS {
            let dropped = state.queue.drop_first(now, line);
            let count = u64::try_from(dropped.len()).unwrap_or(u64::MAX);
            state.drops.jammed = state.drops.jammed.saturating_add(count);
            lose(dropped, out);
            out.push(Effect::Jammed(iface));
            self.begin(now, iface, out);
            return;
        }
        let slots = self.random.below(1_u64.wrapping_shl(u32::from(attempt))).saturating_add(1);
        // A slot of no length would be a busy loop: it is at least a microsecond.
        let wait = slot.max(Duration::from_micros(1)).times(slots);
        let until = now.after(wait);
        state.turn = Turn::BackingOff { attempt, until };
        self.backoffs.set(iface, until);
    }
}

impl Machine for Media {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Up(iface, profile) => self.open(cx.now, iface, profile),
            Input::Down(iface) => {
                self.close(cx.now, iface);
            }
            Input::Send(frame) => self.send(cx.now, frame, out),
            Input::Weigh(link, weight) => self.weigh(link, weight),
            Input::LinkDown(link) => self.link_down(link),
            Input::Complained(complained) => self.complained(cx.now, complained, out),
            Input::Recall(about) => self.recall(about, out),
            Input::Sealed(iface, len) => self.sealed(cx.now, iface, len),
            Input::TxReady(iface) => self.tx_ready(cx.now, iface, out),
            Input::Durable(through) => self.durable(cx.now, through, out),
            Input::ChannelBusy(iface) => self.channel_busy(cx.now, iface, out),
            Input::ChannelClear(iface) => self.channel_clear(cx.now, iface, out),
            Input::Heard(iface) => self.heard(cx.now, iface),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(iface) = self.backoffs.pop_due(cx.now) {
            let Some(state) = self.interfaces.get_mut(&iface) else { continue };
            match state.turn {
                Turn::BackingOff { .. } | Turn::Woken { .. } if state.queue.is_empty() => {
                    state.turn = Turn::Idle;
                }
                Turn::BackingOff { attempt, .. } => state.sense(iface, attempt.saturating_add(1), out),
                Turn::Woken { attempt, until } => {
                    state.turn = Turn::Sensing { attempt, else_until: Some(until) };
                    out.push(Effect::Sense(iface));
                }
                Turn::Pausing | Turn::Resting | Turn::Pacing => self.begin(cx.now, iface, out),
                Turn::Idle | Turn::Driver { .. } | Turn::Sensing { .. } | Turn::Claiming => {}
            }
        }
        self.look(cx.now, out);
        self.accounts.age(cx.now, out);
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest([self.backoffs.next(), self.looks.next(), self.accounts.next_timeout()])
    }
}

impl MemoryBound for Media {
    fn memory_bound(&self) -> usize {
        // What waits, and the interface's own state.
        let each = Queue::memory_bound(self.limits).saturating_add(2_048);
        let each = each.saturating_add(Meter::MEMORY_BOUND).saturating_add(size_of::<Meter>());
        let accounts = Accounts::MEMORY_BOUND;
        self.limits.interfaces.saturating_mul(each).saturating_add(accounts).saturating_add(4096)
    }
}
