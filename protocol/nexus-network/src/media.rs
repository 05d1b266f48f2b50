//! The organ that owns the way out: a bounded queue per interface, readiness, and listen before talk.
//!
//! Invariant: at most one frame is with the driver of an interface at any time; everything else waits here, where it can
//! still be counted, dropped or overtaken. On half-duplex media a frame leaves only after the channel was sensed clear, and
//! after seven attempts in vain it is dropped and said to be. In no hour does it transmit more than the medium's duty cycle
//! allows. Spec: spec/network.md#medium-access.

mod allowance;
mod queue;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Deadlines, Duration, Instant, Machine, MemoryBound, Pushed, Seed, Sink, Stream};

use nexus_wire::nexus::frame::TAG_LEN;

use crate::broadcast::SIGNATURE_LEN;
use crate::interface::{Access, DutyCycle, Endpoint, InterfaceId, Profile};
use crate::links::LinkId;

use allowance::{Allowance, HOUR};
use queue::Queue;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The interface came up, with this profile, ready to transmit. What waited for an earlier profile is gone.
    Up(InterfaceId, Profile),
    /// The interface went down.
    Down(InterfaceId),
    /// Send this frame when its turn comes.
    Send(Frame),
    /// Frames about this destination that still wait are out of date: they must not leave.
    Recall(DestinationHash),
    /// The driver can take one more frame.
    TxReady(InterfaceId),
    /// Somebody is transmitting.
    ChannelBusy(InterfaceId),
    /// Nobody is transmitting.
    ChannelClear(InterfaceId),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Hand this frame to the driver.
    Transmit(Frame),
    /// Ask the driver whether the channel is free.
    Sense(InterfaceId),
    /// The channel was busy seven times in a row: its frame was dropped.
    Jammed(InterfaceId),
}

/// One frame on its way to a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it goes out.
    pub iface: InterfaceId,
    /// To whom; `None` is the only peer, or everybody.
    pub to: Option<Endpoint>,
    /// Its bytes; or, if it is sealed as it leaves, [`HEADER_LEN`](nexus_wire::nexus::frame::HEADER_LEN) bytes of headroom and a plaintext.
    pub bytes: Vec<u8>,
    /// Whose news it carries: it can be recalled by that name while it waits.
    pub about: Option<DestinationHash>,
    /// Under whose key it is sealed as it leaves; none if it leaves as it is.
    pub under: Option<Seal>,
}

/// Under whose key a frame is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// A link's.
    Link(LinkId),
    /// This node's broadcast key on the frame's interface: it is signed too.
    Broadcast,
}

/// Why frames did not leave, per interface. Counted, never reset while the interface is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drops {
    /// Longer than the medium's longest frame, or than an hour's duty cycle.
    pub too_long: u64,
    /// The queue was full: the longest-waiting frames made room.
    pub displaced: u64,
    /// The channel stayed busy.
    pub jammed: u64,
    /// The interface went down with frames waiting.
    pub went_down: u64,
    /// They were recalled, because they were out of date.
    pub recalled: u64,
}

/// How much may wait on one interface.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Interfaces, at most; further ones are not opened.
    pub interfaces: usize,
    /// Frames waiting on one interface.
    pub frames: usize,
    /// Bytes waiting on one interface.
    pub bytes: usize,
}

impl Default for Limits {
    /// For a host: 16 interfaces of 256 frames and 128 KiB each.
    fn default() -> Self {
        Self { interfaces: 16, frames: 256, bytes: 128 * 1024 }
    }
}

/// Attempts at a busy channel before a frame is dropped. Source: spec/network.md#medium-access.
pub const MAX_ATTEMPTS: u8 = 7;

/// The organ.
#[derive(Debug)]
pub struct Media {
    interfaces: BTreeMap<InterfaceId, Interface>,
    backoffs: Deadlines<InterfaceId>,
    /// What was spent where the time to transmit is limited. It outlives the interface: who pulls the plug has no more of it.
    spent: BTreeMap<InterfaceId, Allowance>,
    random: Stream,
    limits: Limits,
    /// Frames for interfaces that are not up, and interfaces beyond the limit.
    refused: u64,
}

#[derive(Debug)]
struct Interface {
    profile: Profile,
    queue: Queue,
    turn: Turn,
    drops: Drops,
}

/// Whose turn it is on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing waits; the driver is ready.
    Idle,
    /// The driver has a frame; it will say when it is ready.
    Driver,
    /// The driver was asked whether the channel is free, for the `attempt`th time.
    Sensing { attempt: u8 },
    /// The channel was busy `attempt` times; a deadline is set.
    BackingOff { attempt: u8 },
    /// The duty cycle is used up; a deadline is set.
    Resting,
}

impl Media {
    /// The organ without interfaces. Its random stream decides back-offs only.
    #[must_use]
    pub fn new(limits: Limits, seed: &Seed) -> Self {
        Self {
            interfaces: BTreeMap::new(),
            backoffs: Deadlines::default(),
            spent: BTreeMap::new(),
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

    /// Why frames of an interface did not leave.
    #[must_use]
    pub fn drops(&self, iface: InterfaceId) -> Option<Drops> {
        self.interfaces.get(&iface).map(|state| state.drops)
    }

    /// How many frames were for no interface that is up.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn open(&mut self, iface: InterfaceId, profile: Profile) {
        let drops = self.close(iface);
        if self.interfaces.len() >= self.limits.interfaces {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        let queue = Queue::new(self.limits);
        self.interfaces.insert(iface, Interface { profile, queue, turn: Turn::Idle, drops });
    }

    /// Forgets an interface; what waited is counted in the drops that it leaves behind.
    fn close(&mut self, iface: InterfaceId) -> Drops {
        self.backoffs.cancel(iface);
        let Some(closed) = self.interfaces.remove(&iface) else { return Drops::default() };
        let waiting = u64::try_from(closed.queue.len()).unwrap_or(u64::MAX);
        Drops { went_down: closed.drops.went_down.saturating_add(waiting), ..closed.drops }
    }

    fn send(&mut self, now: Instant, frame: Frame, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&frame.iface) else {
            self.refused = self.refused.saturating_add(1);
            return;
        };
        let len = frame.len_on_medium();
        let too_long_for_an_hour = state.hourly().is_some_and(|hourly| state.profile.airtime(len) > hourly);
        if len > usize::from(state.profile.frame_size) || too_long_for_an_hour {
            state.drops.too_long = state.drops.too_long.saturating_add(1);
            return;
        }
        let iface = frame.iface;
        let lost = match state.queue.push(frame) {
            Pushed::Queued => 0,
            Pushed::Displaced(older) => u64::try_from(older.len()).unwrap_or(u64::MAX),
            Pushed::Refused(_) => 1,
        };
        state.drops.displaced = state.drops.displaced.saturating_add(lost);
        if state.turn == Turn::Idle {
            self.begin(now, iface, out);
        }
    }

    /// Starts with the next frame of an interface whose driver is ready.
    fn begin(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        if let Some(until) = state.rests_until(now, iface, &mut self.spent) {
            state.turn = Turn::Resting;
            self.backoffs.set(iface, until);
            return;
        }
        match state.profile.access {
            Access::Direct => state.transmit(now, iface, &mut self.spent, out),
            Access::ListenBeforeTalk { .. } if state.queue.is_empty() => state.turn = Turn::Idle,
            Access::ListenBeforeTalk { .. } => state.sense(iface, 1, out),
        }
    }

    fn channel_clear(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        if !matches!(state.turn, Turn::Sensing { .. }) {
            return;
        }
        // While it was sensed the next frame may have become another, longer one.
        match state.rests_until(now, iface, &mut self.spent) {
            Some(until) => {
                state.turn = Turn::Resting;
                self.backoffs.set(iface, until);
            }
            None => state.transmit(now, iface, &mut self.spent, out),
        }
    }

    fn recall(&mut self, about: DestinationHash) {
        for state in self.interfaces.values_mut() {
            let recalled = u64::try_from(state.queue.recall(about).len()).unwrap_or(u64::MAX);
            state.drops.recalled = state.drops.recalled.saturating_add(recalled);
        }
    }

    fn channel_busy(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        let (Turn::Sensing { attempt }, Access::ListenBeforeTalk { slot }) =
            (state.turn, state.profile.access)
        else {
            return;
        };
        if state.queue.is_empty() {
            // What wanted the channel was recalled.
            state.turn = Turn::Idle;
            return;
        }
        if attempt >= MAX_ATTEMPTS {
            state.queue.pop();
            state.drops.jammed = state.drops.jammed.saturating_add(1);
            out.push(Effect::Jammed(iface));
            self.begin(now, iface, out);
            return;
        }
        state.turn = Turn::BackingOff { attempt };
        let slots = self.random.below(1_u64.wrapping_shl(u32::from(attempt))).saturating_add(1);
        // A slot of no length would be a busy loop: it is at least a microsecond.
        let wait = slot.max(Duration::from_micros(1)).times(slots);
        self.backoffs.set(iface, now.after(wait));
    }
}

impl Frame {
    /// How long it is once it is sealed, in bytes.
    fn len_on_medium(&self) -> usize {
        let sealing = match self.under {
            None => 0,
            Some(Seal::Link(_)) => TAG_LEN,
            Some(Seal::Broadcast) => TAG_LEN.saturating_add(SIGNATURE_LEN),
        };
        self.bytes.len().saturating_add(sealing)
    }
}

impl Interface {
    /// How much it may transmit in an hour, if that is limited.
    fn hourly(&self) -> Option<Duration> {
        (self.profile.duty != DutyCycle::UNLIMITED).then(|| self.profile.duty.of(HOUR))
    }

    /// Until when the next frame has to wait for the duty cycle, if it has to.
    fn rests_until(
        &self,
        now: Instant,
        iface: InterfaceId,
        spent: &mut BTreeMap<InterfaceId, Allowance>,
    ) -> Option<Instant> {
        let hourly = self.hourly()?;
        let airtime = self.profile.airtime(self.queue.front()?.len_on_medium());
        spent.entry(iface).or_default().fits_at(now, airtime, hourly)
    }

    fn transmit(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        spent: &mut BTreeMap<InterfaceId, Allowance>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(frame) = self.queue.pop() else {
            self.turn = Turn::Idle;
            return;
        };
        if self.hourly().is_some() {
            let airtime = self.profile.airtime(frame.len_on_medium());
            spent.entry(iface).or_default().spend(now, airtime);
        }
        self.turn = Turn::Driver;
        out.push(Effect::Transmit(frame));
    }

    fn sense(&mut self, iface: InterfaceId, attempt: u8, out: &mut impl Sink<Effect>) {
        self.turn = Turn::Sensing { attempt };
        out.push(Effect::Sense(iface));
    }
}

impl Machine for Media {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Up(iface, profile) => self.open(iface, profile),
            Input::Down(iface) => {
                self.close(iface);
            }
            Input::Send(frame) => self.send(cx.now, frame, out),
            Input::Recall(about) => self.recall(about),
            Input::TxReady(iface) => {
                if self.interfaces.get(&iface).is_some_and(|state| state.turn == Turn::Driver) {
                    self.begin(cx.now, iface, out);
                }
            }
            Input::ChannelBusy(iface) => self.channel_busy(cx.now, iface, out),
            Input::ChannelClear(iface) => self.channel_clear(cx.now, iface, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(iface) = self.backoffs.pop_due(cx.now) {
            let Some(state) = self.interfaces.get_mut(&iface) else { continue };
            match state.turn {
                Turn::BackingOff { .. } if state.queue.is_empty() => state.turn = Turn::Idle,
                Turn::BackingOff { attempt } => state.sense(iface, attempt.saturating_add(1), out),
                Turn::Resting => self.begin(cx.now, iface, out),
                Turn::Idle | Turn::Driver | Turn::Sensing { .. } => {}
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.backoffs.next()
    }
}

impl MemoryBound for Media {
    fn memory_bound(&self) -> usize {
        // A frame's bytes, its place in the queue (a ring doubles when it grows), and the interface's own state.
        let frames = self.limits.frames.saturating_mul(size_of::<(Frame, usize)>()).saturating_mul(2);
        let each = self.limits.bytes.saturating_add(frames).saturating_add(1024);
        // There are 256 names of interfaces.
        let allowances = Allowance::MEMORY_BOUND.saturating_add(128).saturating_mul(256);
        self.limits.interfaces.saturating_mul(each).saturating_add(allowances).saturating_add(4096)
    }
}
