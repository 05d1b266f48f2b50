//! The organ that owns the way out: a bounded queue per interface, readiness, and listen before talk.
//!
//! Invariant: at most one frame is with the driver of an interface at any time; everything else waits here, where it can
//! still be counted, dropped or overtaken. On half-duplex media a frame leaves only after the channel was sensed clear, and
//! after seven attempts in vain it is dropped and said to be. In no hour does it transmit more than the medium's duty cycle
//! allows, nor within a dwell time more than that; what several interfaces transmit in one sub-band counts together, and a restart
//! gives nothing back. Spec: spec/network.md#medium-access.

mod accounts;
mod bandwidth;
mod flow;
mod meter;
mod queue;
mod status;
mod tally;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{
    Cx, Deadlines, Duration, Instant, Machine, MemoryBound, Pushed, Seed, Sink, Snapshot, Stream, Write,
    earliest,
};

use nexus_wire::nexus::control::Ack;
use nexus_wire::nexus::frame::TAG_LEN;
use nexus_wire::nexus::message::MessageWriter;

use crate::broadcast::SIGNATURE_LEN;
use crate::interface::{Access, Endpoint, InterfaceId, Profile};
use crate::links::LinkId;

pub use flow::{CLASSES, Class, Feeder, Flow, Then, Weight, patience};
pub use status::{ClassStatus, Held, Pressed, QueueStatus, Sharer};

pub use accounts::AIRTIME;
use accounts::{Accounts, Clearance, Limit};
use bandwidth::Bandwidth;
pub use meter::{Meter, Spent, TOGETHER_PPM, Usage, Window};
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
    /// Whoever is behind a link has so much of each interface by which its packets go out, relative to others; until the link is down.
    Weigh(LinkId, Weight),
    /// A link is no more: it feeds nothing.
    LinkDown(LinkId),
    /// Frames about this destination that still wait are out of date: they must not leave.
    Recall(DestinationHash),
    /// The frame that [`Effect::Transmit`] handed over has so many bytes once it is sealed.
    Sealed(InterfaceId, usize),
    /// The driver can take one more frame.
    TxReady(InterfaceId),
    /// Somebody is transmitting.
    ChannelBusy(InterfaceId),
    /// Nobody is transmitting.
    ChannelClear(InterfaceId),
    /// Writes are durable up to this number.
    Durable(u64),
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
    /// An announce, or what goes with announces, does not leave there.
    Lost(InterfaceId),
    /// An interface under load carries so many bits per second, which is another rate than its profile's or than was said before.
    Carries(InterfaceId, u64),
    /// Make this write durable, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The write.
        write: Write,
    },
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
    /// What it is on the medium for.
    pub load: Load,
    /// In which line it waits.
    pub flow: Flow,
    /// Under whose key it is sealed as it leaves; none if it leaves as it is.
    pub under: Option<Seal>,
}

/// What a frame is on the medium for: what is metered and bounded apart. Source: spec/network.md#budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Load {
    /// Packets, of this node or passed on.
    Traffic,
    /// What links need: handshakes, beacons, keys, pings, acknowledgements.
    Links,
    /// Announces, costs, withdrawals, and what asks for paths.
    Announces,
    /// Replicated state of a tier.
    Gossip(Tier),
}

/// How much a replicated store matters: a tier leaves to the next what it does not use of its share. Source: spec/network.md#budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tier {
    /// By which packets find their way.
    Routing,
    /// By which relays are paid.
    Payment,
    /// What nodes offer each other.
    Services,
    /// What people tell each other.
    Social,
}

/// Under whose key a frame is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// A link's.
    Link(LinkId),
    /// This node's broadcast key on the frame's interface: it is signed too.
    Broadcast,
    /// The access codes of the frame's interface, which make it so many bytes longer.
    AccessCodes(u8),
}

/// Why frames did not leave, per interface. Counted, never reset while the interface is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drops {
    /// Longer than the medium's longest frame, than an hour's duty cycle, or than a dwell time.
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

#[derive(Debug)]
struct Interface {
    profile: Profile,
    /// What it may transmit, if anything limits it.
    limit: Option<Limit>,
    queue: Queue,
    turn: Turn,
    drops: Drops,
    bandwidth: Bandwidth,
}

/// Whose turn it is on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing waits; the driver is ready.
    Idle,
    /// The driver has a frame of so many bytes and so much airtime; it will say when it is ready.
    Driver { airtime: Duration, bytes: usize, load: Load },
    /// The driver was asked whether the channel is free, for the `attempt`th time.
    Sensing { attempt: u8 },
    /// The channel was busy `attempt` times; a deadline is set.
    BackingOff { attempt: u8 },
    /// The duty cycle or the dwell time is used up; a deadline is set.
    Resting,
    /// A write is to say that the next frame's airtime is spent.
    Claiming,
}

impl Media {
    /// The organ without interfaces, with what was spent before. Its random stream decides back-offs only.
    #[must_use]
    pub fn new(limits: Limits, snapshot: &Snapshot, seed: &Seed) -> Self {
        Self {
            interfaces: BTreeMap::new(),
            backoffs: Deadlines::default(),
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

    /// What waits on an interface, and what became of what waited.
    #[must_use]
    pub fn queue(&self, iface: InterfaceId) -> Option<QueueStatus> {
        let state = self.interfaces.get(&iface)?;
        let mut status = QueueStatus {
            room: Held { frames: self.limits.frames, bytes: self.limits.bytes },
            ..QueueStatus::default()
        };
        for frame in state.queue.frames() {
            let held = match frame.load {
                Load::Traffic => &mut status.traffic,
                Load::Links => &mut status.control,
                Load::Announces | Load::Gossip(_) => &mut status.news,
            };
            held.frames = held.frames.saturating_add(1);
            held.bytes = held.bytes.saturating_add(frame.bytes.len());
        }
        Some(status)
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
            let announces = state.queue.frames().filter(|frame| frame.load == Load::Announces);
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
        let queue = Queue::new(self.limits);
        let limit = Limit::of(iface, &profile);
        if let Some(limit) = limit {
            self.accounts.open(now, &limit);
        }
        let bandwidth = Bandwidth::of(&profile);
        self.make_room_for_meter(iface);
        let interface = Interface { profile, limit, queue, turn: Turn::Idle, drops, bandwidth };
        self.interfaces.insert(iface, interface);
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
        let may_pass =
            state.turn == Turn::Idle && state.limit.is_none() && state.profile.access == Access::Direct;
        if may_pass && state.queue.lets_pass(&frame) {
            return state.hand_over(now, frame, &mut self.accounts, out);
        }
        let lost = match state.queue.push(frame) {
            Pushed::Queued => 0,
            Pushed::Displaced(older) => {
                let lost = u64::try_from(older.len()).unwrap_or(u64::MAX);
                lose(older, out);
                lost
            }
            Pushed::Refused(frame) => {
                lose([frame], out);
                1
            }
        };
        state.drops.displaced = state.drops.displaced.saturating_add(lost);
        if state.turn == Turn::Idle {
            state.begin(now, iface, &mut self.accounts, &mut self.backoffs, out);
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
        if !state.queue.is_empty()
            && let Some(bps) = state.bandwidth.carried(now, bytes, airtime)
        {
            out.push(Effect::Carries(iface, bps));
        }
        state.begin(now, iface, &mut self.accounts, &mut self.backoffs, out);
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
        if state.queue.is_empty() {
            // What wanted the channel was recalled.
            state.turn = Turn::Idle;
        } else if state.is_cleared(now, iface, &mut self.accounts, &mut self.backoffs, out) {
            // While it was sensed the next frame may have become another, longer one, or another interface may have spent.
            state.transmit(now, &mut self.accounts, out);
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

    fn weigh(&mut self, link: LinkId, weight: Weight) {
        if weight == Weight::ONE {
            self.weights.remove(&link);
        } else {
            self.weights.insert(link, weight);
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
            lose(state.queue.pop(), out);
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

/// These frames do not leave.
pub(crate) fn lose(frames: impl IntoIterator<Item = Frame>, out: &mut impl Sink<Effect>) {
    for frame in frames {
        match frame.load {
            Load::Announces => out.push(Effect::Lost(frame.iface)),
            Load::Traffic | Load::Links | Load::Gossip(_) => {}
        }
    }
}

impl Frame {
    /// How long it is once it is sealed, in bytes.
    fn len_on_medium(&self) -> usize {
        let sealing = match self.under {
            None => 0,
            Some(Seal::Link(_)) => TAG_LEN,
            Some(Seal::Broadcast) => TAG_LEN.saturating_add(SIGNATURE_LEN),
            Some(Seal::AccessCodes(len)) => len.into(),
        };
        self.bytes.len().saturating_add(sealing)
    }

    /// How long it may become: an acknowledgement rides in a frame of a link if there is room.
    fn most_on_medium(&self) -> usize {
        let ride = match self.under {
            Some(Seal::Link(_)) => MessageWriter::len_of(&Ack { highest: 0, bitmap: 0 }),
            None | Some(Seal::Broadcast | Seal::AccessCodes(_)) => 0,
        };
        self.len_on_medium().saturating_add(ride)
    }
}

impl Interface {
    /// Starts with the next frame. The driver is ready.
    fn begin(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        accounts: &mut Accounts,
        deadlines: &mut Deadlines<InterfaceId>,
        out: &mut impl Sink<Effect>,
    ) {
        if self.queue.is_empty() {
            self.turn = Turn::Idle;
        } else if self.is_cleared(now, iface, accounts, deadlines, out) {
            match self.profile.access {
                Access::Direct => self.transmit(now, accounts, out),
                Access::ListenBeforeTalk { .. } => self.sense(iface, 1, out),
            }
        }
    }

    /// Whether the next frame may leave by the rules of its spectrum. If not, the interface waits until it may.
    fn is_cleared(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        accounts: &mut Accounts,
        deadlines: &mut Deadlines<InterfaceId>,
        out: &mut impl Sink<Effect>,
    ) -> bool {
        let (Some(limit), Some(next)) = (self.limit, self.queue.front()) else { return true };
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
    fn airtime_at_most(&self, frame: &Frame) -> Duration {
        self.profile.airtime(frame.most_on_medium().min(self.profile.frame_size.into()))
    }

    fn transmit(&mut self, now: Instant, accounts: &mut Accounts, out: &mut impl Sink<Effect>) {
        match self.queue.pop() {
            Some(frame) => self.hand_over(now, frame, accounts, out),
            None => self.turn = Turn::Idle,
        }
    }

    fn hand_over(
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
            Input::Up(iface, profile) => self.open(cx.now, iface, profile),
            Input::Down(iface) => {
                self.close(cx.now, iface);
            }
            Input::Send(frame) => self.send(cx.now, frame, out),
            Input::Weigh(link, weight) => self.weigh(link, weight),
            Input::LinkDown(link) => self.weigh(link, Weight::ONE),
            Input::Recall(about) => self.recall(about, out),
            Input::Sealed(iface, len) => self.sealed(cx.now, iface, len),
            Input::TxReady(iface) => self.tx_ready(cx.now, iface, out),
            Input::Durable(through) => self.durable(cx.now, through, out),
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
                Turn::Idle | Turn::Driver { .. } | Turn::Sensing { .. } | Turn::Claiming => {}
            }
        }
        self.accounts.age(cx.now, out);
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest([self.backoffs.next(), self.accounts.next_timeout()])
    }
}

impl MemoryBound for Media {
    fn memory_bound(&self) -> usize {
        // A frame's bytes, its place in the queue (a ring doubles when it grows), and the interface's own state.
        let frames = self.limits.frames.saturating_mul(size_of::<(Frame, usize)>()).saturating_mul(2);
        let each = self.limits.bytes.saturating_add(frames).saturating_add(1024);
        let each = each.saturating_add(Meter::MEMORY_BOUND).saturating_add(size_of::<Meter>());
        let accounts = Accounts::MEMORY_BOUND;
        self.limits.interfaces.saturating_mul(each).saturating_add(accounts).saturating_add(4096)
    }
}
