//! Classes, shares, congestion: what waits, who goes first, who loses.

use super::*;
use nexus_machine::{Key, Slab};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::traffic::Fragment;

/// A medium of 1 Mbit/s on which nobody has to listen: a frame of 500 bytes takes 4 ms.
fn cable() -> Profile {
    Profile { bandwidth_bps: 1_000_000, ..profile(Access::Direct) }
}

/// Links with neighbours, by number.
pub(super) fn link(n: u32) -> LinkId {
    let mut slab: Slab<u32> = Slab::new(64);
    let keys: Vec<Key> = (0..=n).map(|n| slab.insert(n).unwrap()).collect();
    LinkId(*keys.last().unwrap())
}

fn packet(class: Class, from: Feeder, len: usize) -> Frame {
    let flow = Flow { class, from, then: Then::Anything };
    let (bytes, under) = (vec![9; len], None);
    Frame { iface: LEFT, to: None, bytes, about: None, load: Load::Traffic, flow, under }
}

/// One source of packets: so many bytes each, one every so often.
#[derive(Clone, Copy)]
struct Source {
    class: Class,
    from: Feeder,
    len: usize,
    every_us: u64,
}

/// A medium that takes as long for a frame as its profile says, for a while under load.
struct Run {
    bench: Bench,
    /// When the driver is ready again.
    busy_until: Option<Instant>,
    left: Vec<(Frame, Duration)>,
    signals: Vec<(Duration, LinkId, Congestion)>,
    surges: Vec<(Duration, u32)>,
}

impl Run {
    fn new(profile: Profile) -> Self {
        let limits = Limits { interfaces: 3, frames: 256, bytes: 128 * 1024 };
        let mut bench = Bench::with(profile);
        bench.organ = Media::new(limits, &Snapshot::empty(), &Seed::new([1; 32]));
        bench.tell(Input::Up(LEFT, profile));
        Self { bench, busy_until: None, left: vec![], signals: vec![], surges: vec![] }
    }

    fn now(&self) -> Duration {
        self.bench.now.since(Instant::BOOT)
    }

    fn take(&mut self, effects: VecDeque<Effect>) {
        for effect in effects {
            match effect {
                Effect::Transmit(frame) => {
                    let airtime = self.bench.organ.profile(LEFT).unwrap().airtime(frame.bytes.len());
                    self.busy_until = Some(self.bench.now.after(airtime));
                    self.left.push((frame, self.now()));
                }
                Effect::Congested { link, congestion } => self.signals.push((self.now(), link, congestion)),
                Effect::Surge(_, extra) => self.surges.push((self.now(), extra)),
                Effect::Sense(_) | Effect::Jammed(_) | Effect::Carries(..) => {}
                Effect::Lost(_) | Effect::Write { .. } => unreachable!("the bench takes them"),
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let effects = self.bench.tell(input);
        self.take(effects);
    }

    /// Lets the sources speak for so long.
    fn feed(&mut self, sources: &[Source], span: Duration) {
        let end = self.bench.now.after(span);
        let mut next: Vec<Instant> = sources.iter().map(|_| self.bench.now).collect();
        loop {
            let speaks = next.iter().min().copied().unwrap_or(Instant::NEVER);
            let wakes = self.bench.organ.next_timeout().unwrap_or(Instant::NEVER);
            let now = speaks.min(wakes).min(self.busy_until.unwrap_or(Instant::NEVER));
            if now >= end {
                self.bench.now = end;
                return;
            }
            self.bench.now = self.bench.now.max(now);
            if self.busy_until.is_some_and(|until| until <= now) {
                self.busy_until = None;
                self.tell(Input::TxReady(LEFT));
            }
            if wakes <= now {
                let effects = self.bench.timeout_at(self.bench.now);
                self.take(effects);
            }
            for (source, at) in sources.iter().zip(&mut next) {
                while *at <= now {
                    *at = at.after(Duration::from_micros(source.every_us));
                    self.tell(Input::Send(packet(source.class, source.from, source.len)));
                }
            }
        }
    }

    fn bytes(&self, is_so: impl Fn(&Flow) -> bool) -> usize {
        self.left.iter().filter(|(frame, _)| is_so(&frame.flow)).map(|(frame, _)| frame.bytes.len()).sum()
    }

    fn queue(&self) -> QueueStatus {
        self.bench.organ.queue(LEFT).unwrap()
    }
}

const ONE: fn(u32) -> Feeder = |n| Feeder::Link(link(n));

/// 500 bytes every 1.33 ms are three times a megabit.
fn bulk(from: Feeder) -> Source {
    Source { class: Class::Bulk, from, len: 500, every_us: 1_333 }
}

/// A tenth of a megabit.
fn voice(from: Feeder) -> Source {
    Source { class: Class::RealTime, from, len: 125, every_us: 10_000 }
}

#[test]
fn real_time_within_its_share_passes_three_times_the_load_and_bulk_keeps_a_tenth() {
    let mut run = Run::new(cable());
    let middle = Source { class: Class::Standard, ..bulk(ONE(2)) };
    run.feed(&[voice(ONE(0)), bulk(ONE(1)), middle, bulk(ONE(2))], Duration::from_secs(20));
    let queue = run.queue();
    let voice = queue.class(Class::RealTime);
    assert!(voice.left >= 1_990 && voice.late == 0, "{voice:?}");
    assert!(voice.longest < Duration::from_millis(50), "{voice:?}");
    let all = run.bytes(|_| true);
    let bulk = run.bytes(|flow| flow.class == Class::Bulk);
    assert!(bulk * 10 >= all, "{bulk} of {all}");
    let budget = 1_000_000 / 8 * 20 / 10 * 9;
    assert!(all <= budget + 13_000 && all * 100 >= budget * 97, "{all} of {budget}");
}

#[test]
fn real_time_beyond_its_share_is_dropped_when_it_is_late() {
    let mut run = Run::new(cable());
    let flood = Source { class: Class::RealTime, ..bulk(ONE(0)) };
    run.feed(&[flood, voice(ONE(1))], Duration::from_secs(10));
    let class = run.queue().class(Class::RealTime);
    assert!(class.late > 1_000 || run.bench.organ.drops(LEFT).unwrap().displaced > 1_000, "{class:?}");
    assert!(class.longest <= Duration::from_millis(500), "{class:?}");
    let heard = run.bytes(|flow| flow.from == ONE(1));
    assert!(heard >= 125 * 990, "the other neighbour's passes: {heard}");
}

#[test]
fn bulk_alone_beside_urgent_traffic_of_the_same_neighbour_has_a_tenth() {
    let mut run = Run::new(cable());
    let urgent = Source { class: Class::Interactive, ..bulk(ONE(0)) };
    run.feed(&[urgent, bulk(ONE(0))], Duration::from_secs(10));
    let (bulk, all) = (run.bytes(|flow| flow.class == Class::Bulk), run.bytes(|_| true));
    assert!((95..=115).contains(&(bulk * 1_000 / all)), "{bulk} of {all}");
}

#[test]
fn equal_neighbours_have_equal_shares_whatever_they_offer() {
    let mut run = Run::new(cable());
    let sources: Vec<Source> =
        (0..5).map(|n| Source { every_us: 1_333 * (1 + u64::from(n)), ..bulk(ONE(n)) }).collect();
    run.feed(&sources, Duration::from_secs(20));
    let had: Vec<usize> = (0..5).map(|n| run.bytes(|flow| flow.from == ONE(n))).collect();
    let (sum, squares) = (had.iter().sum::<usize>(), had.iter().map(|had| had * had).sum::<usize>());
    assert!(sum * sum * 100 >= squares * had.len() * 99, "{had:?}");
}

#[test]
fn shares_are_by_weight_where_weights_differ() {
    let mut run = Run::new(cable());
    run.tell(Input::Weigh(link(0), Weight::new(3).unwrap()));
    run.feed(&[bulk(ONE(0)), bulk(ONE(1))], Duration::from_secs(20));
    let [much, less] = [0, 1].map(|n| run.bytes(|flow| flow.from == ONE(n)));
    assert!((290..=310).contains(&(much * 100 / less)), "{much} {less}");
}

#[test]
fn over_its_share_a_neighbour_waits_whatever_class_it_claims() {
    let mut run = Run::new(cable());
    let pushy = Source { class: Class::RealTime, ..bulk(ONE(0)) };
    run.feed(&[pushy, bulk(ONE(1))], Duration::from_secs(20));
    let [pushy, modest] = [0, 1].map(|n| run.bytes(|flow| flow.from == ONE(n)));
    assert!((90..=110).contains(&(pushy * 100 / modest)), "{pushy} {modest}");
}

#[test]
fn what_else_a_neighbour_sends_does_not_hold_back_its_speech_within_its_share() {
    let mut run = Run::new(cable());
    // 28 of the 30 hundredths that each of three has of the interface.
    let every_us = 3_571;
    let speech = Source { every_us, ..voice(ONE(0)) };
    let pushy = Source { class: Class::RealTime, ..bulk(ONE(1)) };
    run.feed(&[speech, bulk(ONE(0)), pushy, bulk(ONE(1)), bulk(ONE(2))], Duration::from_secs(20));
    let spoken = |flow: &Flow| flow.from == ONE(0) && flow.class == Class::RealTime;
    let left = run.left.iter().filter(|(frame, _)| spoken(&frame.flow)).map(|(_, at)| *at);
    let offered = (0_u64..).map(|n| Duration::from_micros(n * every_us));
    let longest = left.clone().zip(offered).map(|(left, offered)| left.minus(offered)).max().unwrap();
    assert!(longest < Duration::from_millis(40), "{longest:?}");
    assert!(left.count() > 5_580, "none is lost");
    let shares = [0, 1, 2].map(|n| run.bytes(|flow| flow.from == ONE(n)));
    let all: usize = shares.iter().sum();
    assert!(shares.iter().all(|share| (300..=366).contains(&(share * 1_000 / all))), "{shares:?}");
    let bulk = run.bytes(|flow| flow.class == Class::Bulk);
    assert!(bulk * 10 >= all, "{bulk} of {all}");
}

#[test]
fn who_spoke_little_so_far_saved_up_no_speech() {
    let mut run = Run::new(cable());
    run.feed(&[bulk(ONE(0)), bulk(ONE(1))], Duration::from_secs(20));
    let before = [0, 1].map(|n| run.bytes(|flow| flow.from == ONE(n)));
    let pushy = Source { class: Class::RealTime, ..bulk(ONE(0)) };
    run.feed(&[pushy, bulk(ONE(0)), bulk(ONE(1))], Duration::from_secs(2));
    let [pushy, modest] = [0, 1].map(|n| run.bytes(|flow| flow.from == ONE(n)) - before[n as usize]);
    assert!((75..=135).contains(&(pushy * 100 / modest)), "{pushy} {modest}");
}

#[test]
fn a_neighbour_that_floods_loses_its_own_packets_and_nobody_elses() {
    let mut run = Run::new(cable());
    let flood = Source { every_us: 200, ..bulk(ONE(0)) };
    let modest = Source { class: Class::Standard, every_us: 10_000, ..bulk(ONE(1)) };
    run.feed(&[flood, modest], Duration::from_secs(10));
    assert!(run.bytes(|flow| flow.from == ONE(1)) >= 500 * 990);
    let drops = run.bench.organ.drops(LEFT).unwrap();
    assert!(drops.over_share > 0 && drops.over_share + drops.displaced > 10_000, "{drops:?}");
}

#[test]
fn who_feeds_a_crowded_queue_is_told_at_a_bounded_rate_and_who_hardly_does_is_not() {
    let mut run = Run::new(cable());
    run.feed(&[bulk(ONE(0)), voice(ONE(1))], Duration::from_secs(10));
    assert!((20..=110).contains(&run.signals.len()), "{}", run.signals.len());
    assert!(run.signals.iter().all(|(_, to, _)| *to == link(0)));
    let severities: Vec<Severity> = run.signals.iter().map(|(.., said)| said.severity()).collect();
    assert_eq!(severities[0], Severity::MODERATE);
    assert!(severities.contains(&Severity::SEVERE) && severities.contains(&Severity::SATURATED));
    let (_, _, first) = run.signals[0];
    assert_eq!(first.scope(), Scope::ALL_OUTBOUND, "there is no other way out");
    assert!((450..=700).contains(&first.drain_ms), "{}", first.drain_ms);
}

#[test]
fn a_neighbour_that_is_saturated_gets_real_time_alone_until_that_is_over() {
    let mut run = Run::new(cable());
    let to = link(7);
    let send = |class| {
        let under = Some(Seal::Link(to));
        Input::Send(Frame { under, ..packet(class, Feeder::Own, 100) })
    };
    let congestion = Congestion::new(Severity::SATURATED, Scope::THIS_LINK, 1_000);
    run.tell(Input::Complained(Complained { iface: LEFT, link: to, congestion, sent_bps: 400_000 }));
    for _ in 0..10 {
        for class in CLASSES {
            run.tell(send(class));
        }
    }
    run.feed(&[], Duration::from_millis(900));
    let left = |run: &Run, class| run.left.iter().filter(|(frame, _)| frame.flow.class == class).count();
    assert_eq!([Class::RealTime, Class::Standard, Class::Bulk].map(|class| left(&run, class)), [10, 0, 0]);
    assert_eq!(run.queue().pressed.len(), 1);
    run.feed(&[], Duration::from_secs(60));
    assert_eq!(CLASSES.map(|class| left(&run, class)), [10, 10, 10, 10], "{:?}", run.queue());
    assert_eq!(run.queue().pressed, [], "and it decays");
}

#[test]
fn a_moderately_congested_neighbour_gets_a_quarter_less_and_others_no_less() {
    let mut run = Run::new(cable());
    let [slow, fast] = [link(7), link(8)];
    let to = |link, from| {
        let under = Some(Seal::Link(link));
        Input::Send(Frame { under, ..packet(Class::Standard, ONE(from), 480) })
    };
    let congestion = Congestion::new(Severity::MODERATE, Scope::THIS_LINK, 10_000);
    run.tell(Input::Complained(Complained { iface: LEFT, link: slow, congestion, sent_bps: 400_000 }));
    for _ in 0..500 {
        run.tell(to(slow, 0));
        run.tell(to(fast, 1));
        run.feed(&[], Duration::from_millis(10));
    }
    let sent = |link| {
        let under = Some(Seal::Link(link));
        run.left
            .iter()
            .filter(|(frame, _)| frame.under == under)
            .map(|(frame, _)| frame.bytes.len())
            .sum::<usize>()
    };
    // 400 kbit/s for five seconds are 250,000 bytes, of which 240,000 are offered.
    assert!((175_000..=195_000).contains(&sent(slow)), "{}", sent(slow));
    assert!(sent(fast) >= 235_000, "{}", sent(fast));
}

#[test]
fn pieces_of_a_message_leave_one_behind_the_other() {
    let mut run = Run::new(cable());
    run.tell(Input::Send(packet(Class::Standard, ONE(0), 400)));
    let piece = |then| {
        let frame = packet(Class::Bulk, ONE(1), 300);
        Input::Send(Frame { flow: Flow { then, ..frame.flow }, ..frame })
    };
    for then in [Then::ItsNext, Then::ItsNext, Then::Anything] {
        run.tell(piece(then));
    }
    run.feed(&[], Duration::from_millis(4));
    for _ in 0..9 {
        run.tell(Input::Send(packet(Class::RealTime, ONE(0), 100)));
    }
    run.feed(&[], Duration::from_secs(2));
    let order: Vec<Class> = run.left.iter().map(|(frame, _)| frame.flow.class).collect();
    let first = order.iter().position(|class| *class == Class::Bulk).unwrap();
    assert_eq!(order[first..first + 3], [Class::Bulk; 3], "{order:?}");
}

/// A packet on a link, as it waits: behind headroom.
fn on_link(class: Class, n: u8, len: usize) -> Input {
    let frame = packet(class, ONE(1), len);
    let mut bytes = frame.bytes;
    bytes.fill(n);
    bytes[HEADER_LEN] = MessageKind::PACKET.without_length();
    Input::Send(Frame { bytes, under: Some(Seal::Link(link(1))), ..frame })
}

/// A medium on which a frame of 496 bytes takes 413 ms, with packets of 480 on a link, of which each is another, for a minute.
fn slow_with_bulk(voices: &[Source]) -> Run {
    let mut run = Run::new(Profile { bandwidth_bps: 9_600, ..cable() });
    // What begins before anybody spoke is not cut.
    run.feed(voices, Duration::from_millis(200));
    for n in 0..100 {
        run.tell(on_link(Class::Bulk, n + 1, 480));
        run.feed(voices, Duration::from_millis(600));
    }
    run
}

#[test]
fn speech_goes_between_the_pieces_of_what_takes_long_and_each_message_is_whole_behind_it() {
    // 2.7 kbit/s of what is left for both.
    let voice = Source { class: Class::RealTime, from: ONE(0), len: 100, every_us: 300_000 };
    let run = slow_with_bulk(&[voice]);
    let waits = run.queue().class(Class::RealTime);
    assert!(waits.left >= 198 && waits.late == 0, "{waits:?}");
    assert!(waits.longest < Duration::from_millis(260), "not behind a whole frame: {waits:?}");
    let (mut whole, mut pieces, mut between) = (0, Vec::<Vec<u8>>::new(), 0);
    for (frame, _) in &run.left {
        let airtime = cable().airtime(frame.bytes.len()).times(1_000_000 / 9_600);
        let message = Messages::new(frame.bytes.get(HEADER_LEN..).unwrap()).next();
        let Some(Ok(message)) = message.filter(|_| frame.flow.class == Class::Bulk) else {
            between += usize::from(!pieces.is_empty());
            continue;
        };
        if message.kind != MessageKind::FRAGMENT {
            assert!(pieces.is_empty(), "nothing else of a link comes between pieces");
            whole += 1;
            continue;
        }
        assert!(airtime <= Duration::from_millis(250), "{airtime:?}");
        let fragment = message.parse::<Fragment<'_>>().unwrap();
        assert_eq!(usize::from(fragment.place().index()), pieces.len(), "one behind the other");
        pieces.push(fragment.piece().to_vec());
        let is_last = fragment.place().is_last();
        assert_eq!(frame.flow.then == Then::Anything, is_last);
        if is_last {
            let message = pieces.concat();
            assert_eq!((message[0], message.len()), (MessageKind::PACKET.without_length(), 480 - HEADER_LEN));
            assert!(message.windows(2).skip(1).all(|pair| pair[0] == pair[1]), "pieces of one message");
            pieces.clear();
            whole += 1;
        }
    }
    assert!(between >= 20, "speech went between {between} times");
    let bulk = run.queue().class(Class::Bulk);
    assert_eq!(whole, bulk.left, "a message counts once, in however many pieces");
    assert!(whole >= 50, "{whole}");
}

#[test]
fn where_nobody_speaks_nothing_is_cut() {
    let run =
        slow_with_bulk(&[Source { class: Class::Interactive, from: ONE(0), len: 100, every_us: 300_000 }]);
    assert!(run.left.iter().all(|(frame, _)| frame.bytes.len() == 100 || frame.bytes.len() == 480));
    // Nor five seconds after somebody did.
    let mut run = Run::new(Profile { bandwidth_bps: 9_600, ..cable() });
    run.tell(Input::Send(packet(Class::RealTime, ONE(0), 100)));
    run.feed(&[], Duration::from_millis(5_100));
    run.tell(on_link(Class::Bulk, 1, 480));
    run.feed(&[], Duration::from_secs(1));
    assert_eq!(run.left.iter().map(|(frame, _)| frame.bytes.len()).collect::<Vec<_>>(), [100, 480]);
}

#[test]
fn speech_without_end_does_not_keep_the_pieces_of_a_message_apart_for_long() {
    let mut run = Run::new(Profile { bandwidth_bps: 9_600, ..cable() });
    let flood = Source { class: Class::RealTime, from: ONE(0), len: 100, every_us: 40_000 };
    for n in 0..20 {
        run.tell(on_link(Class::Bulk, n + 1, 480));
        run.feed(&[flood], Duration::from_secs(3));
    }
    let mut begun: Option<Duration> = None;
    let mut complete = 0;
    for (frame, at) in run.left.iter().filter(|(frame, _)| frame.flow.class == Class::Bulk) {
        let first = *begun.get_or_insert(*at);
        if frame.flow.then == Then::Anything {
            // Four of the longest frames, and what was on its way.
            let took = Duration::from_micros(at.as_micros() - first.as_micros());
            assert!(took < Duration::from_millis(4 * 424 + 600), "{took:?}");
            begun = None;
            complete += 1;
        }
    }
    assert!(complete >= 5, "bulk keeps its tenth: {complete}");
}

#[test]
fn a_crowded_interface_asks_more_and_says_so() {
    let mut run = Run::new(cable());
    run.feed(&[bulk(ONE(0))], Duration::from_secs(30));
    assert!(run.surges.is_sorted_by_key(|(_, extra)| *extra) && !run.surges.is_empty(), "{:?}", run.surges);
    assert!(run.queue().surge > 57_000, "a full queue asks double: {}", run.queue().surge);
    run.feed(&[], Duration::from_secs(2_000));
    assert_eq!(run.surges.last().map(|(_, extra)| *extra), Some(0), "and no more when it is empty");
}

/// Whatever is put in, displaced, taken, recalled and dropped: what is held is what was put in and did not leave.
#[test]
fn nothing_that_waits_is_lost_or_counted_twice() {
    let mut random = Seed::new([4; 32]).fork("queue");
    let mut run = Run::new(cable());
    let limits = Limits { interfaces: 1, frames: 9, bytes: 1_800 };
    run.bench.organ = Media::new(limits, &Snapshot::empty(), &Seed::new([1; 32]));
    run.tell(Input::Up(LEFT, cable()));
    let (mut told, mut most) = (0_u64, 0);
    for _ in 0..20_000 {
        if random.chance(2, 3) {
            let class = CLASSES[index(&mut random, 4)];
            let len = index(&mut random, 480);
            let traffic = packet(class, ONE(u32::try_from(random.below(4)).unwrap()), len);
            let about = random.chance(1, 4).then(|| about(1));
            let load = if random.chance(1, 4) { Load::Links } else { Load::Traffic };
            run.tell(Input::Send(Frame { about, load, ..traffic }));
            told += 1;
        } else if random.chance(1, 20) {
            run.tell(Input::Recall(about(1)));
        } else {
            run.feed(&[], Duration::from_micros(random.below(20_000)));
        }
        let queue = run.queue();
        let by_class = CLASSES.iter().fold(0, |sum, class| sum + queue.class(*class).waiting.frames);
        assert_eq!(by_class, queue.traffic.frames);
        assert_eq!(
            queue.sharers.iter().map(|sharer| sharer.waiting.bytes).sum::<usize>(),
            queue.traffic.bytes
        );
        let held = queue.traffic.frames + queue.control.frames + queue.news.frames;
        assert_eq!(held, run.bench.organ.waiting(LEFT).unwrap());
        most = most.max(held);
        let late: u64 = queue.classes.iter().map(|class| class.late).sum();
        let drops = run.bench.organ.drops(LEFT).unwrap();
        let gone = drops.displaced + drops.over_share + drops.recalled + drops.too_long + late;
        let left = u64::try_from(run.left.len() + held).unwrap();
        assert_eq!(left + gone, told);
    }
    assert_eq!(most, 9, "and the bound is reached");
}
