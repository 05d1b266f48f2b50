//! The organ that owns the way out: a bounded queue per interface, readiness, and listen before talk.
//!
//! Invariant: at most one frame is with the driver of an interface at any time; everything else waits here, where it can
//! still be counted, dropped or overtaken. On half-duplex media a frame leaves only after the channel was sensed clear, and
//! after seven attempts in vain it is dropped and said to be. Spec: spec/network.md#medium-access.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{
    BoundedQueue, Cx, Deadlines, Duration, Instant, Machine, MemoryBound, Pushed, QueueOverflow, Seed, Sink,
    Stream,
};

use crate::interface::{Access, Endpoint, InterfaceId, Profile};

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The interface came up, with this profile, ready to transmit. What waited for an earlier profile is gone.
    Up(InterfaceId, Profile),
    /// The interface went down.
    Down(InterfaceId),
    /// Send this frame when its turn comes. Announces of the same destination that still wait there leave the queue.
    Send(Frame),
    /// A newer announce of this destination was heard: older ones that wait must not leave, on any interface.
    Surpassed(DestinationHash),
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
    /// Whose announce it is, if it is one.
    pub announces: Option<DestinationHash>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Why frames did not leave, per interface. Counted, never reset while the interface is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drops {
    /// Longer than the medium's longest frame.
    pub too_long: u64,
    /// The queue was full: the longest-waiting frames made room.
    pub displaced: u64,
    /// A newer announce of the same destination took their place.
    pub surpassed: u64,
    /// The channel stayed busy.
    pub jammed: u64,
    /// The interface went down with frames waiting.
    pub went_down: u64,
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
    random: Stream,
    limits: Limits,
    /// Frames for interfaces that are not up, and interfaces beyond the limit.
    refused: u64,
}

#[derive(Debug)]
struct Interface {
    profile: Profile,
    queue: BoundedQueue<Frame>,
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
}

impl Media {
    /// The organ without interfaces. Its random stream decides back-offs only.
    #[must_use]
    pub fn new(limits: Limits, seed: &Seed) -> Self {
        Self {
            interfaces: BTreeMap::new(),
            backoffs: Deadlines::default(),
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
        let queue = BoundedQueue::new(self.limits.frames, self.limits.bytes, QueueOverflow::DropOldest);
        self.interfaces.insert(iface, Interface { profile, queue, turn: Turn::Idle, drops });
    }

    /// Forgets an interface; what waited is counted in the drops that it leaves behind.
    fn close(&mut self, iface: InterfaceId) -> Drops {
        self.backoffs.cancel(iface);
        let Some(closed) = self.interfaces.remove(&iface) else { return Drops::default() };
        let waiting = u64::try_from(closed.queue.len()).unwrap_or(u64::MAX);
        Drops { went_down: closed.drops.went_down.saturating_add(waiting), ..closed.drops }
    }

    fn send(&mut self, frame: Frame, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&frame.iface) else {
            self.refused = self.refused.saturating_add(1);
            return;
        };
        if frame.bytes.len() > usize::from(state.profile.frame_size) {
            state.drops.too_long = state.drops.too_long.saturating_add(1);
            return;
        }
        if let Some(destination) = frame.announces {
            state.withdraw(destination);
        }
        let (iface, weight) = (frame.iface, frame.bytes.len());
        let lost = match state.queue.push(frame, weight) {
            Pushed::Queued => 0,
            Pushed::Displaced(older) => u64::try_from(older.len()).unwrap_or(u64::MAX),
            Pushed::Refused(_) => 1,
        };
        state.drops.displaced = state.drops.displaced.saturating_add(lost);
        if state.turn == Turn::Idle {
            self.begin(iface, out);
        }
    }

    /// Starts with the longest-waiting frame of an interface whose driver is ready.
    fn begin(&mut self, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        match state.profile.access {
            Access::Direct => state.transmit(out),
            Access::ListenBeforeTalk { .. } if state.queue.is_empty() => state.turn = Turn::Idle,
            Access::ListenBeforeTalk { .. } => state.sense(iface, 1, out),
        }
    }

    fn channel_busy(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let Some(state) = self.interfaces.get_mut(&iface) else { return };
        let (Turn::Sensing { attempt }, Access::ListenBeforeTalk { slot }) =
            (state.turn, state.profile.access)
        else {
            return;
        };
        if attempt >= MAX_ATTEMPTS {
            if state.queue.pop().is_some() {
                state.drops.jammed = state.drops.jammed.saturating_add(1);
                out.push(Effect::Jammed(iface));
            }
            self.begin(iface, out);
            return;
        }
        state.turn = Turn::BackingOff { attempt };
        let slots = self.random.below(1_u64.wrapping_shl(u32::from(attempt))).saturating_add(1);
        // A slot of no length would be a busy loop: it is at least a microsecond.
        let wait = slot.max(Duration::from_micros(1)).times(slots);
        self.backoffs.set(iface, now.after(wait));
    }
}

impl Interface {
    /// Takes what waits of a destination's announces out of the queue. Relays re-emit the newest only.
    fn withdraw(&mut self, destination: DestinationHash) {
        let surpassed = self.queue.retain(|frame| frame.announces != Some(destination));
        let surpassed = u64::try_from(surpassed).unwrap_or(u64::MAX);
        self.drops.surpassed = self.drops.surpassed.saturating_add(surpassed);
    }

    fn transmit(&mut self, out: &mut impl Sink<Effect>) {
        self.turn = match self.queue.pop() {
            Some(frame) => {
                out.push(Effect::Transmit(frame));
                Turn::Driver
            }
            None => Turn::Idle,
        };
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
            Input::Send(frame) => self.send(frame, out),
            Input::Surpassed(destination) => {
                for state in self.interfaces.values_mut() {
                    state.withdraw(destination);
                }
            }
            Input::TxReady(iface) => {
                if self.interfaces.get(&iface).is_some_and(|state| state.turn == Turn::Driver) {
                    self.begin(iface, out);
                }
            }
            Input::ChannelBusy(iface) => self.channel_busy(cx.now, iface, out),
            Input::ChannelClear(iface) => {
                if let Some(state) = self.interfaces.get_mut(&iface)
                    && matches!(state.turn, Turn::Sensing { .. })
                {
                    state.transmit(out);
                }
            }
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(iface) = self.backoffs.pop_due(cx.now) {
            if let Some(state) = self.interfaces.get_mut(&iface)
                && let Turn::BackingOff { attempt } = state.turn
            {
                state.sense(iface, attempt.saturating_add(1), out);
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
        self.limits.interfaces.saturating_mul(each).saturating_add(4096)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::{Mode, Reach};
    use alloc::collections::VecDeque;
    use alloc::vec;
    use nexus_testkit::laws;

    const LEFT: InterfaceId = InterfaceId(1);
    const SLOT: Duration = Duration::from_millis(100);

    #[test]
    fn one_frame_is_with_the_driver_and_the_rest_wait_their_turn() {
        let mut media = Bench::new(Access::Direct);
        assert_eq!(media.tell(send(1)), [Effect::Transmit(frame(1))]);
        assert_eq!(media.tell(send(2)), []);
        assert_eq!(media.tell(send(3)), []);
        assert_eq!(media.tell(Input::TxReady(LEFT)), [Effect::Transmit(frame(2))]);
        assert_eq!(media.tell(Input::TxReady(LEFT)), [Effect::Transmit(frame(3))]);
        assert_eq!(media.tell(Input::TxReady(LEFT)), []);
        assert_eq!(media.tell(Input::TxReady(LEFT)), [], "a readiness nobody asked for is no second turn");
        assert_eq!(media.tell(send(4)), [Effect::Transmit(frame(4))]);
    }

    #[test]
    fn an_announce_that_waits_gives_way_to_a_newer_one_of_its_destination() {
        let of =
            |n: u8, destination| Frame { announces: Some(DestinationHash([destination; 16])), ..frame(n) };
        let mut media = Bench::new(Access::Direct);
        media.tell(send(0));
        for (n, destination) in [(1, 7), (2, 8), (3, 7)] {
            media.tell(Input::Send(of(n, destination)));
        }
        media.tell(send(4));
        assert_eq!(media.organ.drops(LEFT).unwrap().surpassed, 1);
        media.tell(Input::Surpassed(DestinationHash([8; 16])));
        assert_eq!(media.organ.drops(LEFT).unwrap().surpassed, 2);
        assert_eq!(media.tell(Input::TxReady(LEFT)), [Effect::Transmit(of(3, 7))]);
        assert_eq!(media.tell(Input::TxReady(LEFT)), [Effect::Transmit(frame(4))]);
    }

    #[test]
    fn a_channel_that_clears_for_a_withdrawn_frame_carries_nothing() {
        let mut media = Bench::new(Access::ListenBeforeTalk { slot: SLOT });
        let destination = DestinationHash([7; 16]);
        let announce = Frame { announces: Some(destination), ..frame(1) };
        assert_eq!(media.tell(Input::Send(announce)), [Effect::Sense(LEFT)]);
        media.tell(Input::Surpassed(destination));
        assert_eq!(media.tell(Input::ChannelClear(LEFT)), []);
        assert_eq!(media.tell(send(2)), [Effect::Sense(LEFT)], "and the next frame has its turn");
    }

    #[test]
    fn a_full_queue_drops_its_oldest_and_counts_them() {
        let mut media = Bench::new(Access::Direct);
        for n in 0..=LIMITS.frames + 3 {
            media.tell(send(u8::try_from(n).unwrap()));
        }
        assert_eq!(media.organ.drops(LEFT).unwrap().displaced, 3);
        assert_eq!(media.tell(Input::TxReady(LEFT)), [Effect::Transmit(frame(4))]);
    }

    #[test]
    fn a_frame_longer_than_the_medium_carries_is_counted_not_sent() {
        let mut media = Bench::new(Access::Direct);
        let long = Frame { bytes: vec![0; 501], ..frame(0) };
        assert_eq!(media.tell(Input::Send(long)), []);
        assert_eq!(media.organ.drops(LEFT).unwrap().too_long, 1);
    }

    #[test]
    fn a_half_duplex_frame_leaves_only_over_a_clear_channel() {
        let mut media = Bench::new(Access::ListenBeforeTalk { slot: SLOT });
        assert_eq!(media.tell(send(1)), [Effect::Sense(LEFT)]);
        assert_eq!(media.tell(Input::ChannelBusy(LEFT)), []);
        let deadline = media.organ.next_timeout().unwrap();
        assert!((1..=2).contains(&(deadline.as_micros() / SLOT.as_micros())), "one or two slots, at first");
        assert_eq!(media.timeout_at(deadline), [Effect::Sense(LEFT)]);
        assert_eq!(media.tell(Input::ChannelClear(LEFT)), [Effect::Transmit(frame(1))]);
        assert_eq!(media.tell(Input::ChannelClear(LEFT)), [], "an unasked answer changes nothing");
    }

    #[test]
    fn seven_busy_answers_drop_the_frame_and_the_next_one_gets_its_chance() {
        let mut media = Bench::new(Access::ListenBeforeTalk { slot: SLOT });
        media.tell(send(1));
        media.tell(send(2));
        for attempt in 1..MAX_ATTEMPTS {
            assert_eq!(media.tell(Input::ChannelBusy(LEFT)), []);
            let before = media.now;
            let deadline = media.organ.next_timeout().unwrap();
            assert!(deadline.since(before) <= SLOT.times(1 << attempt));
            assert_eq!(media.timeout_at(deadline), [Effect::Sense(LEFT)]);
        }
        assert_eq!(media.tell(Input::ChannelBusy(LEFT)), [Effect::Jammed(LEFT), Effect::Sense(LEFT)]);
        assert_eq!(media.tell(Input::ChannelClear(LEFT)), [Effect::Transmit(frame(2))]);
        assert_eq!(media.organ.drops(LEFT).unwrap().jammed, 1);
    }

    #[test]
    fn an_interface_that_goes_down_forgets_what_waited() {
        let mut media = Bench::new(Access::ListenBeforeTalk { slot: SLOT });
        media.tell(send(1));
        media.tell(Input::ChannelBusy(LEFT));
        media.tell(Input::Down(LEFT));
        assert_eq!(media.organ.next_timeout(), None);
        assert_eq!(media.tell(send(2)), []);
        assert_eq!(media.organ.refused(), 1);
    }

    #[test]
    fn media_obeys_the_laws() {
        laws::obeyed_by(
            "media",
            |seed| laws::Organ::new(Media::new(LIMITS, seed)),
            |random, _| {
                let iface = InterfaceId(u8::try_from(random.below(4)).unwrap());
                match random.below(8) {
                    0 => Input::Up(
                        iface,
                        profile(if random.chance(1, 2) {
                            Access::Direct
                        } else {
                            Access::ListenBeforeTalk { slot: Duration::from_micros(random.below(200_000)) }
                        }),
                    ),
                    1 if random.chance(1, 4) => Input::Down(iface),
                    1..=4 => Input::Send(Frame {
                        iface,
                        to: None,
                        announces: random.chance(1, 2).then_some(DestinationHash([7; 16])),
                        bytes: vec![7; usize::try_from(random.below(520)).unwrap()],
                    }),
                    5 => Input::TxReady(iface),
                    6 => Input::ChannelBusy(iface),
                    _ => Input::ChannelClear(iface),
                }
            },
        );
    }

    const LIMITS: Limits = Limits { interfaces: 3, frames: 8, bytes: 2_000 };

    struct Bench {
        organ: Media,
        now: Instant,
    }

    impl Bench {
        fn new(access: Access) -> Self {
            let mut bench = Self { organ: Media::new(LIMITS, &Seed::new([1; 32])), now: Instant::BOOT };
            bench.tell(Input::Up(LEFT, profile(access)));
            bench
        }

        fn tell(&mut self, input: Input) -> VecDeque<Effect> {
            let mut out = VecDeque::new();
            self.organ.handle(Cx::at(self.now), input, &mut out);
            out
        }

        fn timeout_at(&mut self, now: Instant) -> VecDeque<Effect> {
            self.now = now;
            let mut out = VecDeque::new();
            self.organ.handle_timeout(Cx::at(now), &mut out);
            out
        }
    }

    fn profile(access: Access) -> Profile {
        Profile { mode: Mode::Reticulum, reach: Reach::Shared, access, bandwidth_bps: 5_000, frame_size: 500 }
    }

    fn frame(n: u8) -> Frame {
        Frame { iface: LEFT, to: None, announces: None, bytes: vec![n; 20] }
    }

    fn send(n: u8) -> Input {
        Input::Send(frame(n))
    }
}
