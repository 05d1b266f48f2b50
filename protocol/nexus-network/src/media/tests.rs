mod limits;
mod metered;
mod queues;
mod turns;

use super::*;
use crate::interface::{DutyCycle, Dwell, Mode, Reach, Role, SubBand, SubBandId, Timing};
use alloc::collections::VecDeque;
use alloc::vec;
use nexus_machine::Write;
use nexus_testkit::laws;
use nexus_wire::nexus::control::{Congestion, Scope, Severity};

const LEFT: InterfaceId = InterfaceId(1);
/// A sub-band with a dwell time.
const SHARED: SubBand = SubBand {
    id: SubBandId(3),
    dwell: Some(Dwell { most: Duration::from_millis(400), within: Duration::from_secs(20) }),
};
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
fn news_wait_behind_everything_else_and_have_every_fourth_turn() {
    let mut media = Bench::new(Access::Direct);
    let other = |n| Input::Send(Frame { about: None, ..frame(n) });
    media.tell(other(0));
    for news in [send(1), send(2)] {
        media.tell(news);
    }
    for n in 3..8 {
        media.tell(other(n));
    }
    let mut turns = vec![];
    while let Some(Effect::Transmit(next)) = media.tell(Input::TxReady(LEFT)).pop_front() {
        turns.push(next.bytes[0]);
    }
    assert_eq!(turns, [3, 4, 5, 1, 6, 7, 2], "each kind in the order in which it came");
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
    assert_eq!(media.lost, [LEFT]);
}

#[test]
fn what_is_recalled_while_it_waits_does_not_leave() {
    let mut media = Bench::new(Access::Direct);
    for n in [1, 2, 3] {
        media.tell(send(n));
    }
    assert_eq!(media.tell(Input::Recall(about(2))), []);
    assert_eq!(media.tell(Input::Recall(about(1))), [], "what the driver has cannot be recalled");
    assert_eq!(media.tell(Input::TxReady(LEFT)), [Effect::Transmit(frame(3))]);
    assert_eq!(media.organ.drops(LEFT).unwrap().recalled, 1);
    assert_eq!(media.lost, [LEFT]);
}

#[test]
fn an_interface_whose_only_frame_is_recalled_comes_to_rest() {
    let mut sensing = Bench::new(Access::ListenBeforeTalk { slot: SLOT });
    sensing.tell(send(1));
    sensing.tell(Input::Recall(about(1)));
    assert_eq!(sensing.tell(Input::ChannelBusy(LEFT)), []);
    assert_eq!(sensing.organ.next_timeout(), None);
    assert_eq!(sensing.tell(send(2)), [Effect::Sense(LEFT)], "and the next one begins anew");
    let mut waiting = Bench::new(Access::ListenBeforeTalk { slot: SLOT });
    waiting.tell(send(1));
    waiting.tell(Input::ChannelBusy(LEFT));
    waiting.tell(Input::Recall(about(1)));
    let due = waiting.organ.next_timeout().unwrap();
    assert_eq!(waiting.timeout_at(due), []);
    assert_eq!(waiting.tell(send(2)), [Effect::Sense(LEFT)]);
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
        |seed| laws::Organ::new(Media::new(LIMITS, &Snapshot::empty(), seed)),
        |random, _| {
            let iface = InterfaceId(u8::try_from(random.below(4)).unwrap());
            match random.below(10) {
                0 => Input::Up(
                    iface,
                    Profile {
                        duty: DutyCycle::new(
                            [1, 10, DutyCycle::UNLIMITED.hundredths_of_a_percent()][index(random, 3)],
                        )
                        .unwrap(),
                        sub_band: random.chance(1, 2).then_some(SHARED),
                        overhead: 0,
                        price: 0,
                        ..profile(if random.chance(1, 2) {
                            Access::Direct
                        } else {
                            Access::ListenBeforeTalk { slot: Duration::from_micros(random.below(200_000)) }
                        })
                    },
                ),
                1 if random.chance(1, 4) => Input::Down(iface),
                1..=4 => Input::Send(drawn(random, iface)),
                5 if random.chance(1, 4) => Input::Complained(Complained {
                    iface,
                    link: queues::link(u32::try_from(random.below(4)).unwrap()),
                    congestion: Congestion::new(
                        [Severity::NONE, Severity::MODERATE, Severity::SEVERE, Severity::SATURATED]
                            [index(random, 4)],
                        Scope::THIS_LINK,
                        u16::try_from(random.below(65_536)).unwrap(),
                    ),
                    sent_bps: random.below(1_000_000),
                }),
                5 if random.chance(1, 8) => {
                    let weight = Weight::new(u16::try_from(random.below(65_535)).unwrap() + 1).unwrap();
                    Input::Weigh(queues::link(u32::try_from(random.below(4)).unwrap()), weight)
                }
                5 if random.chance(1, 2) => Input::Recall(about(u8::try_from(random.below(3)).unwrap())),
                5 => Input::TxReady(iface),
                6 => Input::ChannelBusy(iface),
                7 => Input::Durable(random.below(40)),
                8 => Input::Heard(iface),
                _ => Input::ChannelClear(iface),
            }
        },
    );
}

/// Any frame: news, what links need, packets of any class and neighbour, pieces of messages.
fn drawn(random: &mut Stream, iface: InterfaceId) -> Frame {
    let link = |random: &mut Stream| queues::link(u32::try_from(random.below(4)).unwrap());
    let from = match random.below(3) {
        0 => Feeder::Own,
        1 => Feeder::Clear(InterfaceId(9)),
        _ => Feeder::Link(link(random)),
    };
    let then = if random.chance(1, 5) { Then::ItsNext } else { Then::Anything };
    Frame {
        iface,
        to: None,
        bytes: vec![7; usize::try_from(random.below(520)).unwrap()],
        about: random.chance(1, 3).then(|| about(u8::try_from(random.below(3)).unwrap())),
        load: if random.chance(1, 4) { Load::Links } else { Load::Traffic },
        flow: Flow { class: CLASSES[index(random, 4)], from, then },
        under: random.chance(1, 2).then(|| Seal::Link(link(random))),
    }
}

fn index(random: &mut Stream, bound: u64) -> usize {
    usize::try_from(random.below(bound)).unwrap()
}

const LIMITS: Limits = Limits { interfaces: 3, frames: 8, bytes: 2_000 };

/// The organ, a clock, and a disk.
struct Bench {
    organ: Media,
    now: Instant,
    disk: Snapshot,
    /// The writes that are not durable yet. Empty while the disk is quick.
    on_their_way: VecDeque<(u64, Write)>,
    speed: Speed,
    /// What was said not to leave.
    lost: Vec<InterfaceId>,
}

/// When writes are durable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speed {
    AtOnce,
    WhenAsked,
}

impl Bench {
    fn new(access: Access) -> Self {
        Self::with(profile(access))
    }

    fn limited(access: Access) -> Self {
        Self::with(limited(access))
    }

    fn with(profile: Profile) -> Self {
        let mut bench = Self {
            organ: Media::new(LIMITS, &Snapshot::empty(), &Seed::new([1; 32])),
            now: Instant::BOOT,
            disk: Snapshot::empty(),
            on_their_way: VecDeque::new(),
            speed: Speed::AtOnce,
            lost: Vec::new(),
        };
        bench.tell(Input::Up(LEFT, profile));
        bench
    }

    /// The process ends, and another one starts with what was durable; its clock begins anew.
    fn restart(&mut self, profile: Profile) {
        self.organ = Media::new(LIMITS, &self.disk, &Seed::new([1; 32]));
        self.now = Instant::BOOT;
        self.on_their_way.clear();
        self.tell(Input::Up(LEFT, profile));
    }

    fn tell(&mut self, input: Input) -> VecDeque<Effect> {
        let mut out = VecDeque::new();
        self.organ.handle(Cx::at(self.now), input, &mut out);
        self.keep(out)
    }

    fn timeout_at(&mut self, now: Instant) -> VecDeque<Effect> {
        self.now = now;
        let mut out = VecDeque::new();
        self.organ.handle_timeout(Cx::at(now), &mut out);
        self.keep(out)
    }

    /// Takes the writes; what follows from them follows at once if the disk is quick.
    fn keep(&mut self, effects: VecDeque<Effect>) -> VecDeque<Effect> {
        let mut out = VecDeque::new();
        for effect in effects {
            match effect {
                Effect::Write { number, write } => self.on_their_way.push_back((number, write)),
                Effect::Lost(iface) => self.lost.push(iface),
                Effect::Transmit(_)
                | Effect::Sense(_)
                | Effect::Jammed(_)
                | Effect::Carries(..)
                | Effect::Congested { .. }
                | Effect::Surge(..) => {
                    out.push_back(effect);
                }
            }
        }
        if self.speed == Speed::AtOnce && !self.on_their_way.is_empty() {
            out.extend(self.sync());
        }
        out
    }

    /// All writes become durable.
    fn sync(&mut self) -> VecDeque<Effect> {
        let mut through = 0;
        while let Some((number, write)) = self.on_their_way.pop_front() {
            through = number;
            self.disk.apply(write);
        }
        self.tell(Input::Durable(through))
    }
}

pub(super) fn profile(access: Access) -> Profile {
    Profile {
        mode: Mode::Reticulum,
        reach: Reach::Shared,
        access,
        bandwidth_bps: 5_000,
        frame_size: 500,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

fn limited(access: Access) -> Profile {
    Profile { duty: DutyCycle::new(100).unwrap(), ..profile(access) }
}

fn frame(n: u8) -> Frame {
    Frame {
        iface: LEFT,
        to: None,
        bytes: vec![n; 20],
        about: Some(about(n)),
        load: Load::Announces,
        flow: Flow::OWN,
        under: None,
    }
}

fn about(n: u8) -> DestinationHash {
    DestinationHash([n; 16])
}

fn send(n: u8) -> Input {
    Input::Send(frame(n))
}
