use alloc::vec::Vec;

use nexus_crypto::identity::IdentityPublic;
use nexus_crypto::{DestinationHash, IdentitySeed, NodeId, NodeIdentity};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Stream};
use nexus_testkit::laws;
use nexus_wire::reticulum::LinkId;

use super::{Crossings, Effect, Input, Reached, Slot, Way};
use crate::contract::Handle;

const WAY: Way = Way { bandwidth_bps: 8_000, data_len: 431 };

fn identity(n: u8) -> IdentityPublic {
    *NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32])).public().identity()
}

fn node(n: u8) -> NodeId {
    NodeId::of(identity(n).hash())
}

fn link(n: u8) -> LinkId {
    LinkId([n; 16])
}

/// The lowest and the highest address of some identities.
fn ends() -> [u8; 2] {
    let by_address = |n: &u8| node(*n);
    [
        (1..20).min_by_key(by_address).expect("there are some"),
        (1..20).max_by_key(by_address).expect("there are some"),
    ]
}

struct Bench {
    organ: Crossings,
    now: Instant,
}

impl Bench {
    fn of(n: u8) -> Self {
        Self { organ: Crossings::new(node(n)), now: Instant::BOOT }
    }

    fn tell(&mut self, input: Input) -> Vec<Effect> {
        let mut out: alloc::collections::VecDeque<Effect> = [].into();
        self.organ.handle(Cx::at(self.now), input, &mut out);
        out.into()
    }

    fn hear(&mut self, n: u8, hops: u8) {
        self.tell(Input::Heard { identity: identity(n), hops, through: None });
    }

    /// The announce of a node came by a relay.
    fn hear_through(&mut self, n: u8, relay: u8, hops: u8) -> Vec<Effect> {
        self.tell(Input::Heard { identity: identity(n), hops, through: Some(node(relay)) })
    }

    /// Lets time pass; every question about a node is answered so.
    fn pass(&mut self, time: Duration, reached: Reached) -> Vec<(Duration, Effect)> {
        let (began, until) = (self.now, self.now.after(time));
        let mut seen = Vec::new();
        while let Some(at) = self.organ.next_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let mut out: alloc::collections::VecDeque<Effect> = [].into();
            self.organ.handle_timeout(Cx::at(self.now), &mut out);
            while let Some(effect) = out.pop_front() {
                match effect {
                    Effect::Consider { node } => out.extend(self.tell(Input::Considered { node, reached })),
                    other => seen.push((self.now.since(began), other)),
                }
            }
        }
        self.now = until;
        seen
    }

    /// The next that is asked for a link, and after how long: time stops there.
    fn begins(&mut self, within: Duration) -> Option<(Duration, Handle, DestinationHash)> {
        let began = self.now;
        while self.now.since(began) < within {
            for (_, effect) in self.pass(Duration::from_secs(1), Reached::AcrossStock) {
                if let Effect::Open { handle, to } = effect {
                    return Some((self.now.since(began), handle, to));
                }
            }
        }
        None
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_nearest_node_is_crossed_to_and_told_who_this_is() {
    let [low, _] = ends();
    let mut bench = Bench::of(low);
    let others: Vec<u8> = (1..20).filter(|n| *n != low).take(2).collect();
    bench.hear(others[0], 5);
    bench.hear(others[1], 3);
    let (_, handle, to) = bench.begins(MINUTE).expect("somebody is asked");
    assert_eq!(to, node(others[1]).into());
    let opened = bench.tell(Input::Opened { handle, link: link(1), way: WAY });
    let up = Effect::Up { slot: Slot(0), identity: identity(others[1]), way: WAY };
    assert_eq!(opened, [Effect::Identify { link: link(1) }, up]);
    let (after, _, next) = bench.begins(MINUTE).expect("then the other");
    assert_eq!(next, node(others[0]).into());
    assert!(after >= Duration::from_secs(30), "what is behind the first is told meanwhile");
}

#[test]
fn whoever_is_behind_another_node_is_not_crossed_to_as_long_as_that_one_answers() {
    let [low, _] = ends();
    let mut bench = Bench::of(low);
    let others: Vec<u8> = (1..20).filter(|n| *n != low).take(2).collect();
    let [relay, behind] = others[..] else { panic!("there are two") };
    // It is heard of first: who carried it may be a node, and is asked for.
    assert_eq!(bench.hear_through(behind, relay, 2), [Effect::Find { destination: node(relay).into() }]);
    bench.hear(relay, 1);
    let (_, handle, to) = bench.begins(MINUTE).expect("the nearer one is asked");
    assert_eq!(to, node(relay).into());
    bench.tell(Input::Opened { handle, link: link(1), way: WAY });
    assert_eq!(bench.begins(MINUTE.times(30)), None, "it leads there");
    // It leads nowhere any more, and is asked in vain.
    bench.tell(Input::Ended { link: link(1) });
    let (_, _, to) = bench.begins(MINUTE.times(10)).expect("somebody is asked");
    assert_eq!(to, node(behind).into());
}

#[test]
fn whoever_is_behind_a_relay_that_is_no_node_is_crossed_to() {
    let [low, high] = ends();
    let mut bench = Bench::of(low);
    let relay = (1..20).find(|n| *n != low && *n != high).expect("there are more");
    bench.hear_through(high, relay, 2);
    assert!(bench.begins(MINUTE).is_some_and(|(.., to)| to == node(high).into()));
}

#[test]
fn a_crossing_that_became_needless_ends_when_its_day_is_over() {
    let [low, high] = ends();
    let mut bench = Bench::of(low);
    let relay = (1..20).find(|n| *n != low && *n != high).expect("there are more");
    bench.hear_through(high, relay, 2);
    let (_, handle, _) = bench.begins(MINUTE).expect("it begins");
    bench.tell(Input::Opened { handle, link: link(1), way: WAY });
    let mut seen = Vec::new();
    for _ in 0..25 {
        bench.hear(relay, 1);
        bench.hear_through(high, relay, 2);
        // The relay is reached over links meanwhile.
        seen.extend(bench.pass(MINUTE.times(60), Reached::OverLinks).into_iter().map(|(_, effect)| effect));
    }
    assert_eq!(seen, [Effect::Down { slot: Slot(0) }, Effect::Close { link: link(1) }]);
}

#[test]
fn whoever_is_reached_over_links_is_left_alone() {
    let [low, high] = ends();
    let mut bench = Bench::of(low);
    bench.hear(high, 3);
    assert_eq!(bench.pass(MINUTE.times(30), Reached::OverLinks), []);
}

#[test]
fn the_higher_address_leaves_the_lower_time_to_begin() {
    let [low, high] = ends();
    let begins = |own, other| {
        let mut bench = Bench::of(own);
        bench.hear(other, 2);
        bench.begins(MINUTE.times(5)).expect("it begins").0
    };
    assert!(begins(low, high) < MINUTE && begins(high, low) >= MINUTE);
}

#[test]
fn of_two_that_were_begun_at_once_both_ends_keep_the_same() {
    let [low, high] = ends();
    let kept = |own: u8, other: u8, mine: u8, theirs: u8| {
        let mut bench = Bench::of(own);
        bench.hear(other, 2);
        let (_, handle, _) = bench.begins(MINUTE.times(5)).expect("it begins");
        bench.tell(Input::Asked { link: link(theirs), way: WAY });
        bench.tell(Input::Named { link: link(theirs), identity: identity(other) });
        bench.tell(Input::Opened { handle, link: link(mine), way: WAY });
        let all: Vec<LinkId> = bench.organ.all().filter_map(|(slot, _)| bench.organ.link(slot)).collect();
        assert_eq!(all.len(), 1);
        all[0]
    };
    assert_eq!(kept(low, high, 1, 2), link(1));
    assert_eq!(kept(high, low, 2, 1), link(1));
}

#[test]
fn a_node_that_started_anew_has_its_crossing_at_once_whoever_began_the_one_before() {
    let [low, high] = ends();
    for (own, other) in [(low, high), (high, low)] {
        let mut bench = Bench::of(own);
        bench.hear(other, 2);
        let (_, handle, _) = bench.begins(MINUTE.times(5)).expect("it begins");
        bench.tell(Input::Opened { handle, link: link(1), way: WAY });
        bench.pass(MINUTE.times(10), Reached::OverLinks);
        bench.tell(Input::Asked { link: link(2), way: WAY });
        let named = bench.tell(Input::Named { link: link(2), identity: identity(other) });
        assert!(named.contains(&Effect::Close { link: link(1) }), "{named:?}");
        assert_eq!(bench.organ.slot(&link(2)), Some(Slot(1)));
    }
}

#[test]
fn whoever_does_not_say_who_it_is_is_closed() {
    let mut bench = Bench::of(1);
    assert_eq!(bench.tell(Input::Asked { link: link(7), way: WAY }), []);
    assert!(bench.organ.has(&link(7)));
    let seen = bench.pass(MINUTE, Reached::AcrossStock);
    assert_eq!(seen, [(MINUTE, Effect::Close { link: link(7) })]);
    // So many may be there without a name, and no more.
    for n in 0..16 {
        assert_eq!(bench.tell(Input::Asked { link: link(n), way: WAY }), []);
    }
    assert_eq!(bench.tell(Input::Asked { link: link(99), way: WAY }), [Effect::Close { link: link(99) }]);
}

#[test]
fn a_crossing_is_replaced_daily_and_the_old_one_ends_when_the_other_is_up() {
    let [low, high] = ends();
    let mut bench = Bench::of(low);
    bench.hear(high, 2);
    let (_, handle, _) = bench.begins(MINUTE).expect("it begins");
    bench.tell(Input::Opened { handle, link: link(1), way: WAY });
    let hour = MINUTE.times(60);
    for _ in 0..23 {
        bench.hear(high, 2);
        assert_eq!(bench.begins(hour), None, "one to a node");
    }
    bench.hear(high, 2);
    let (_, handle, _) = bench.begins(hour.plus(MINUTE)).expect("a day later");
    let replaced = bench.tell(Input::Opened { handle, link: link(2), way: WAY });
    let up = Effect::Up { slot: Slot(1), identity: identity(high), way: WAY };
    let (down, close) = (Effect::Down { slot: Slot(0) }, Effect::Close { link: link(1) });
    assert_eq!(replaced, [Effect::Identify { link: link(2) }, up, down, close]);
}

#[test]
fn whoever_does_not_answer_is_asked_ever_more_seldom() {
    let [low, high] = ends();
    let mut bench = Bench::of(low);
    let mut waits = Vec::new();
    for _ in 0..5 {
        bench.hear(high, 2);
        let (after, handle, _) = bench.begins(MINUTE.times(60)).expect("it is asked again");
        bench.tell(Input::Failed { handle });
        waits.push(after);
    }
    assert!(
        waits[1..].windows(2).all(|pair| pair[1] >= pair[0].times(2).minus(Duration::from_secs(10))),
        "{waits:?}"
    );
}

#[test]
fn a_relay_that_may_be_a_node_is_asked_for_once_and_one_in_a_minute() {
    let mut bench = Bench::of(1);
    let find = |n| Effect::Find { destination: node(n).into() };
    assert_eq!(bench.tell(Input::Carried { by: node(2) }), [find(2)]);
    assert_eq!(bench.tell(Input::Carried { by: node(3) }), [], "not both at once");
    bench.pass(MINUTE, Reached::Unreached);
    assert_eq!(bench.tell(Input::Carried { by: node(2) }), [], "it did not answer");
    assert_eq!(bench.tell(Input::Carried { by: node(3) }), [find(3)]);
    assert_eq!(bench.tell(Input::Carried { by: node(1) }), [], "this one");
}

#[test]
fn others_find_room_and_there_are_no_more_than_so_many() {
    let [low, _] = ends();
    let mut bench = Bench::of(low);
    for n in (1..40).filter(|n| *n != low) {
        bench.hear(n, 2);
    }
    let mut begun = 0_u8;
    while let Some((_, handle, _)) = bench.begins(MINUTE.times(30)) {
        begun += 1;
        bench.tell(Input::Opened { handle, link: link(begun), way: WAY });
    }
    assert_eq!(begun, 4);
    for n in 100..120 {
        bench.tell(Input::Asked { link: link(n), way: WAY });
        bench.tell(Input::Named { link: link(n), identity: identity(n) });
    }
    assert_eq!(bench.organ.all().count(), 8);
    // One that is there may be replaced all the same.
    bench.pass(MINUTE, Reached::OverLinks);
    bench.tell(Input::Asked { link: link(200), way: WAY });
    let named = bench.tell(Input::Named { link: link(200), identity: identity(100) });
    assert!(named.contains(&Effect::Close { link: link(100) }), "{named:?}");
}

#[test]
fn a_frame_takes_its_time_before_the_next() {
    let mut bench = Bench::of(1);
    bench.tell(Input::Asked { link: link(7), way: WAY });
    bench.tell(Input::Named { link: link(7), identity: identity(2) });
    bench.tell(Input::Said { slot: Slot(0), bytes: 500 });
    let seen = bench.pass(MINUTE, Reached::AcrossStock);
    assert_eq!(seen, [(Duration::from_millis(500), Effect::Ready { slot: Slot(0) })]);
}

#[test]
fn crossings_obey_the_laws() {
    let some: Vec<IdentityPublic> = (0..40).map(identity).collect();
    let own = node(1);
    laws::obeyed_by(
        "crossings",
        |_| laws::Organ::new(Crossings::new(own)),
        |random: &mut Stream, _| {
            let n = u8::try_from(random.below(40)).expect("it is small");
            let handle = Handle(Handle::OWN | random.below(6));
            match random.below(10) {
                0 | 1 => {
                    let through = random.chance(1, 2).then(|| NodeId::of(some[usize::from(n / 2)].hash()));
                    Input::Heard { identity: some[usize::from(n)], hops: n % 7, through }
                }
                2 => Input::Carried { by: NodeId::of(some[usize::from(n)].hash()) },
                3 => Input::Considered {
                    node: NodeId::of(some[usize::from(n)].hash()),
                    reached: Reached::AcrossStock,
                },
                4 => Input::Opened { handle, link: link(n), way: WAY },
                5 => Input::Failed { handle },
                6 => Input::Asked { link: link(n), way: WAY },
                7 => Input::Named { link: link(n), identity: some[usize::from(n)] },
                8 => Input::Ended { link: link(n) },
                _ => Input::Said { slot: Slot(n % 9), bytes: 400 },
            }
        },
    );
}
