//! Announces over links, and the paths that follow from them.

use super::*;
use nexus_machine::Key;
use nexus_wire::nexus::cost::{CostHeard, CostPrint};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{Delimited, MessageKind, Messages};
use nexus_wire::nexus::path_cost::{CostCode, HopCount};
use nexus_wire::nexus::traffic::{self, Class};

use super::costs::any_record;
use crate::routes::{PathPolicy, Stage};

#[test]
fn with_links_alone_an_emission_begins_and_goes_to_each_as_its_originator_sends_it() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(Input::Ratchet(ratchet()));
    let [Effect::Write { number, .. }] = node.tell(up(ONE, 2, FAST))[..] else { panic!("begins") };
    assert_eq!(node.tell(up(TWO, 3, FAST)), []);
    let effects = node.tell(Input::Durable(number));
    assert_eq!(effects[0], Effect::Recall(address(1)));
    for (effect, link) in effects[1..].iter().zip([ONE, TWO]) {
        let told = told(effect);
        assert_eq!((told.link, told.about, told.cost), (link, address(1), CompactPathCost::ORIGIN));
        assert_eq!((told.packet[0], told.packet[1]), (0x21, 0));
        assert!(told.packet.len() <= 474);
    }
    assert_eq!(effects[3], Effect::Announced { emitted_at: UNIX });
    let later = node.tell(up(THREE, 4, FAST));
    assert_eq!(told(&later[0]).packet, told(&effects[1]).packet, "who comes later: the same emission");
}

#[test]
fn an_announce_is_passed_on_to_every_other_link_once_with_its_cost_and_without_transport_id() {
    let mut node = Bench::with_links();
    let mut far = announce_of(7, UNIX);
    far[1] = 3;
    let heard = node.hear_on(ONE, promised(far.clone()));
    assert!(matches!(
        heard[..],
        [Effect::Recall(_), Effect::Reached(Sighting { hops: 4, iface: NEXUS, .. })]
    ));
    let sent = node.wait_briefly();
    assert_eq!(sent.iter().map(|effect| told(effect).link).collect::<Vec<_>>(), [TWO, THREE]);
    let told = told(&sent[0]);
    assert_eq!(
        (told.packet[0], told.packet[1]),
        (0x71, 4),
        "header 2 in transport, ratchet flag kept, hop counted"
    );
    assert_eq!(told.packet[2..], far[2..], "no transport id");
    assert_eq!((told.cost.hops, told.cost.worst_latency), (HopCount(3), LatencyMs(20)));
    assert_eq!(told.cost.cumulative_cost, CostCode::FREE);
    assert_eq!(node.hear_on(TWO, promised(far)), [], "another neighbour's copy");
    assert_eq!(node.wait_briefly(), []);
    let path = node.organ.path(&address(7)).unwrap();
    assert_eq!((path.via, path.stage), (Via::Link { link: ONE, iface: NEXUS }, Stage::Relay));
    assert_eq!(path.cost, told.cost);
}

#[test]
fn a_cost_beside_an_emission_that_is_not_signed_changes_no_path() {
    let mut node = Bench::with_links();
    let known = promised(announce_of(7, UNIX));
    node.hear_on(ONE, known.clone());
    let path = |node: &Bench| node.organ.path(&address(7)).unwrap();
    let (before, mut forged) = (path(&node), promised(announce_of(7, UNIX + 1)));
    *forged.last_mut().unwrap() ^= 1;
    let mut changed = known.clone();
    *changed.last_mut().unwrap() ^= 1;
    let free = |link, packet| Input::HeardOnLink { link, cost: CompactPathCost::ORIGIN, packet };
    for (link, packet) in [(ONE, changed.clone()), (TWO, changed), (ONE, forged.clone()), (TWO, forged)] {
        assert_eq!(node.tell(free(link, packet)), []);
        assert_eq!(path(&node), before);
    }
    node.tell(free(TWO, known));
    assert_eq!(
        path(&node).via.link(),
        Some(TWO),
        "the same emission, byte for byte: another path, and a better one"
    );
}

#[test]
fn fast_links_hear_within_twenty_milliseconds_and_slow_ones_within_half_a_second() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    for (link, peer, bps) in [(ONE, 2, FAST), (TWO, 3, FAST), (THREE, 4, 5_000)] {
        node.tell(up(link, peer, bps));
    }
    node.hear_on(ONE, announce_of(7, UNIX));
    let mut moments = Vec::new();
    while let Some(at) = node.organ.next_timeout().filter(|at| *at < node.now.after(Duration::from_secs(1))) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        node.organ.handle_timeout(Cx::at(at), &mut out);
        moments.extend(out.iter().map(|effect| (told(effect).link, at.as_micros())));
    }
    let at = |link| moments.iter().find(|(heard, _)| *heard == link).unwrap().1;
    assert_eq!(moments.len(), 2);
    assert!(at(TWO) <= 20_000 && at(THREE) <= 500_000, "{moments:?}");
}

#[test]
fn what_is_heard_in_clear_reaches_links_and_what_links_say_is_spoken_in_clear() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(up(ONE, 2, FAST));
    node.hear(&announce_of(7, UNIX));
    let sent = node.wait_briefly();
    let tells: Vec<&Effect> = sent.iter().filter(|effect| matches!(effect, Effect::Tell { .. })).collect();
    assert_eq!(tells.len(), 1);
    assert_eq!(told(tells[0]).cost.hops, HopCount(1));
    node.hear_on(ONE, announce_of(8, UNIX));
    let sent = node.wait_briefly();
    let about = address(8);
    let is_told = |effect: &Effect| matches!(effect, Effect::Tell { about: told, .. } if *told == about);
    assert!(!sent.iter().any(is_told), "in clear only");
    let said = frames(sent).into_iter().find(|frame| frame.about == Some(about));
    let frame = said.expect("it is said in clear");
    let packet = Packet::decode(&frame.bytes).unwrap();
    assert_eq!((packet.flags().byte(), packet.hops.get()), (0x71, 3), "with the hops of the path");
    assert_eq!(packet.transport, Some(identity(1).public().hash()));
    assert_eq!(Announce::from_packet(&packet).unwrap().verify(), Ok(()));
}

#[test]
fn a_path_ends_with_its_link_and_the_same_emission_restores_it_but_no_older_one() {
    let mut node = Bench::with_links();
    node.hear_on(ONE, announce_of(7, UNIX));
    node.wait_briefly();
    node.tell(Input::LinkDown(ONE));
    assert_eq!(node.organ.path(&address(7)), None);
    assert!(node.organ.recipient(&address(7)).is_some(), "who it is stays known");
    assert_eq!(node.hear_on(TWO, announce_of(7, UNIX - 1)), [], "older");
    assert!(matches!(node.hear_on(TWO, promised(announce_of(7, UNIX)))[..], [Effect::Reached(_)]));
    assert_eq!(node.organ.path(&address(7)).unwrap().via.link(), Some(TWO));
    let sent = node.wait_briefly();
    assert_eq!(
        sent.iter().map(|effect| told(effect).link).collect::<Vec<_>>(),
        [THREE],
        "who may have lost it too"
    );
}

#[test]
fn what_waits_to_be_passed_on_is_not_said_to_links_once_its_path_is_lost() {
    let mut node = Bench::with_links();
    node.hear_on(ONE, announce_of(7, UNIX));
    node.tell(Input::LinkDown(ONE));
    assert_eq!(node.wait_briefly(), []);
    node.hear_on(TWO, promised(announce_of(7, UNIX)));
    assert_eq!(told(&node.wait_briefly()[0]).link, THREE);
}

#[test]
fn what_can_wait_goes_around_a_congested_neighbour_until_that_is_over_and_what_cannot_does_not() {
    let mut node = Bench::with_links();
    for link in [ONE, TWO] {
        node.hear_on(link, promised(announce_of(7, UNIX)));
    }
    let straight = node.organ.next_hop(node.now, &address(7), PathPolicy::default(), None).unwrap();
    let [congested, other] = if straight.next_hop.link() == Some(ONE) { [ONE, TWO] } else { [TWO, ONE] };
    let step = node.organ.around_congestion(node.now, &address(7), Class::Bulk, None, straight);
    assert_eq!(step.next_hop.link(), Some(congested), "nobody complained");
    let (now, until) = (node.now, node.now.after(Duration::from_secs(2)));
    node.organ.spare(congested, until);
    let mut goes_over = |at: Instant, class, from| {
        let step = node.organ.around_congestion(at, &address(7), class, from, straight);
        step.next_hop.link().unwrap()
    };
    let everything = [Class::RealTime, Class::Interactive, Class::Standard, Class::Bulk];
    assert_eq!(
        everything.map(|class| goes_over(now, class, Some(THREE))),
        [congested, congested, other, other]
    );
    assert_eq!(goes_over(now, Class::Bulk, Some(other)), congested, "never back where it came from");
    assert_eq!(goes_over(until, Class::Bulk, None), congested, "it is over");
    node.tell(Input::LinkDown(other));
    let step = node.organ.around_congestion(now, &address(7), Class::Bulk, None, straight);
    assert_eq!(step.next_hop.link(), Some(congested), "a congested way is better than none");
}

#[test]
fn a_path_moves_to_another_link_with_the_same_peer() {
    let mut node = Bench::with_links();
    node.tell(up(FOUR, 2, FAST));
    node.now = node.now.after(Duration::from_secs(2));
    node.hear_on(ONE, announce_of(7, UNIX));
    node.tell(Input::LinkDown(ONE));
    assert_eq!(node.organ.path(&address(7)).unwrap().via.link(), Some(FOUR));
    assert_eq!(node.wait_briefly().iter().map(|effect| told(effect).link).collect::<Vec<_>>(), [TWO, THREE]);
}

#[test]
fn a_link_that_comes_up_is_told_of_all_that_does_not_lead_through_its_peer_nearest_first() {
    let mut node = Bench::with_links();
    for (n, hops) in [(7, 3), (8, 1), (9, 2)] {
        let mut announce = announce_of(n, UNIX);
        announce[1] = hops;
        node.hear_on(TWO, promised(announce));
    }
    node.hear_on(ONE, announce_of(10, UNIX));
    node.wait_briefly();
    let before = node.now;
    node.tell(up(FOUR, 2, FAST));
    let sent = node.wait_briefly();
    let about: Vec<DestinationHash> = sent.iter().map(|effect| told(effect).about).collect();
    assert_eq!(about, [address(8), address(9), address(7)], "not of 10, which that peer said");
    assert!(sent.iter().all(|effect| told(effect).link == FOUR));
    assert!(node.now.since(before) >= Duration::from_millis(3 * 25), "paced");
}

#[test]
fn what_is_said_of_others_is_said_again_four_times_but_not_to_the_slowest_links() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    for (link, peer, bps) in [(ONE, 2, FAST), (TWO, 3, 64_000), (THREE, 4, 5_000)] {
        node.tell(up(link, peer, bps));
    }
    node.hear_on(ONE, announce_of(7, UNIX));
    assert_eq!(
        node.told_within(Duration::from_secs(400)),
        [(TWO, 0), (THREE, 0), (TWO, 15), (TWO, 45), (TWO, 105), (TWO, 345)]
    );
}

#[test]
fn what_is_said_of_oneself_is_said_again_and_a_newer_emission_takes_its_place() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(up(ONE, 2, FAST));
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    assert_eq!(node.told_within(Duration::from_secs(30)), [(ONE, 15)]);
    node.tell(Input::Announce);
    assert_eq!(node.tell(Input::Durable(2)).len(), 3);
    node.now = node.now.after(Duration::from_secs(15));
    assert_eq!(node.told_within(Duration::from_secs(400)), [(ONE, 0), (ONE, 30), (ONE, 90), (ONE, 330)]);
}

#[test]
fn what_a_link_was_told_when_it_came_up_it_is_told_again_four_times() {
    let mut node = Bench::with_links();
    node.hear_on(ONE, announce_of(7, UNIX));
    node.told_within(Duration::from_secs(400));
    node.tell(up(FOUR, 5, FAST));
    assert_eq!(
        node.told_within(Duration::from_secs(400)),
        [(FOUR, 0), (FOUR, 15), (FOUR, 45), (FOUR, 105), (FOUR, 345)]
    );
}

#[test]
fn what_was_lost_meanwhile_is_not_said_again() {
    let mut node = Bench::with_links();
    node.hear_on(ONE, announce_of(7, UNIX));
    node.wait_briefly();
    node.tell(Input::LinkDown(ONE));
    assert_eq!(node.told_within(Duration::from_secs(300)), []);
}

#[test]
fn a_leaf_speaks_for_itself_only() {
    let mut node = Bench::with_links();
    node.relaying = Relaying::Off;
    node.hear_on(ONE, announce_of(7, UNIX));
    node.tell(up(FOUR, 5, FAST));
    assert_eq!(node.wait_briefly(), []);
    assert!(node.organ.path(&address(7)).is_some());
}

#[test]
fn a_neighbour_that_says_a_surpassed_emission_is_told_of_the_newest_once_in_ten_seconds() {
    let mut node = Bench::with_links();
    node.hear_on(ONE, announce_of(2, UNIX + 5));
    node.wait_briefly();
    // The peer's clock went back: nobody would believe it.
    let effects = node.hear_on(ONE, announce_of(2, UNIX));
    let corrected = told(&effects[0]);
    assert_eq!((corrected.link, corrected.about), (ONE, address(2)));
    assert_eq!(emitted_at(&corrected.packet), UNIX + 5);
    assert_eq!(node.hear_on(ONE, announce_of(2, UNIX + 1)), []);
    node.now = node.now.after(Duration::from_secs(10));
    assert_eq!(node.hear_on(ONE, announce_of(2, UNIX + 1)).len(), 1);
    assert_eq!(node.organ.refusals().stale, 3);
}

#[test]
fn an_own_emission_heard_on_a_link_raises_the_counter_and_an_older_one_is_corrected() {
    let mut node = Bench::with_links();
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    let effects = node.hear_on(ONE, promised(own_announce(UNIX - 5)));
    assert_eq!(emitted_at(&told(&effects[0]).packet), UNIX);
    let effects = node.hear_on(ONE, promised(own_announce(UNIX + 500)));
    assert!(matches!(effects[..], [Effect::Recall(_), Effect::Write { .. }]));
    assert_eq!(node.organ.last_emission(), UNIX + 501);
}

#[test]
fn one_neighbour_has_so_many_verified_at_once_and_no_more() {
    let mut node = Bench::with_links();
    let mut forged = announce_of(7, UNIX);
    *forged.last_mut().unwrap() ^= 1;
    for _ in 0..300 {
        node.hear_on(ONE, forged.clone());
    }
    assert_eq!((node.organ.refusals().forged, node.organ.refusals().hasty), (200, 100));
    assert_eq!(node.hear_on(TWO, announce_of(7, UNIX)).len(), 2, "others are not affected");
    node.now = node.now.after(Duration::from_millis(20));
    assert_eq!(node.hear_on(ONE, announce_of(8, UNIX)).len(), 2);
}

#[test]
fn only_announces_of_links_that_are_up_are_believed() {
    let mut node = Bench::with_links();
    assert_eq!(node.hear_on(FOUR, announce_of(7, UNIX)), []);
    let mut data = announce_of(7, UNIX);
    data[0] = 0x20;
    assert_eq!(node.hear_on(ONE, data), []);
    assert_eq!(node.hear_on(ONE, vec![]), []);
    assert_eq!((node.organ.refusals().closed, node.organ.refusals().malformed), (1, 2));
    node.tell(up(FOUR, 5, FAST));
    node.tell(up(FIVE, 6, FAST));
    assert_eq!(node.organ.refusals().links, 1, "beyond the bound");
}

#[test]
fn whoever_makes_destinations_up_pushes_out_its_own_alone() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    let fast = Profile { bandwidth_bps: 100_000_000, ..profile(Mode::Nexus) };
    node.tell(Input::Up(NEXUS, fast));
    for (link, n) in [(FOUR, 6), (FIVE, 5)] {
        let peer = identity(n).public().hash();
        node.tell(Input::LinkUp { link, iface: NEXUS, peer, hop: hop(100_000_000) });
    }
    for (link, n) in [(FOUR, 20), (FOUR, 21), (FIVE, 22), (FIVE, 30), (FIVE, 31), (FIVE, 32), (FIVE, 33)] {
        node.hear_on(link, promised(announce_of(n, UNIX)));
    }
    // What the flood repeated first, and another says too, is that one's.
    node.hear_on(FOUR, promised(announce_of(22, UNIX)));
    for n in 34..90 {
        node.hear_on(FIVE, promised(announce_of(n, UNIX)));
    }
    let known: Vec<DestinationHash> = node.organ.known().map(|(destination, _)| *destination).collect();
    assert_eq!(known.len(), LIMITS.known);
    for n in [20, 21, 22] {
        assert!(known.contains(&identity(n).node_id().into()), "{n} was pushed out");
    }
}

#[test]
fn on_a_slow_cable_announces_take_three_percent_and_the_nearest_wait_the_shortest() {
    let (cable, fast) = (InterfaceId(7), InterfaceId(8));
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    let limits = Limits { known: 200, relays: 200, links: 4, paths: 400, cache_bytes: 100_000 };
    let (nothing, seed) = (Snapshot::empty(), Seed::new([5; 32]));
    node.organ = Announces::new(identity(1), AppData::default(), limits, &nothing, &seed);
    node.tell(Input::Up(cable, Profile { bandwidth_bps: 9_600, ..profile(Mode::Nexus) }));
    node.tell(Input::Up(fast, Profile { bandwidth_bps: 100_000_000, ..profile(Mode::Nexus) }));
    let peer = |n| identity(n).public().hash();
    node.tell(Input::LinkUp { link: FOUR, iface: cable, peer: peer(6), hop: hop(9_600) });
    node.tell(Input::LinkUp { link: FIVE, iface: fast, peer: peer(5), hop: hop(100_000_000) });
    node.told_within(Duration::from_secs(1));
    for n in 30..130 {
        let mut packet = promised(announce_of(n, UNIX));
        // The later it is heard, the nearer it is.
        packet[1] = 130 - n;
        node.hear_on(FIVE, packet);
    }
    let mut all = Vec::new();
    for minute in 0..30_u64 {
        let begin = node.now;
        for effect in node.effects_within(Duration::from_secs(60)) {
            if matches!(&effect, Effect::Tell { link, .. } if *link == FOUR) {
                let Told { packet, .. } = told(&effect);
                all.push((minute, packet[1], packet.len()));
            }
        }
        assert!(node.now > begin);
    }
    let in_first = all.iter().filter(|(minute, ..)| *minute == 0).count();
    // Each takes 7 to 8 s of the share, and little is saved up.
    assert!((7..13).contains(&in_first), "in the first minute: {in_first}");
    assert_eq!(all.len(), 100, "and in the end all of them");
    let later: Vec<_> = all.iter().filter(|(minute, ..)| *minute > 0).collect();
    let bytes: usize = later.iter().map(|(.., len)| len + 32).sum();
    let minutes = usize::try_from(later.last().unwrap().0).unwrap();
    assert!(bytes <= (minutes + 1) * 60 * 36, "{bytes} bytes in {minutes} minutes");
    assert!(later.is_sorted_by_key(|(_, hops, _)| *hops), "the nearest first: {later:?}");
}

#[test]
fn with_links_the_announce_is_refreshed_half_hourly_but_hourly_in_clear() {
    let mut node = Bench::start(&Snapshot::empty());
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    node.tell(up(ONE, 2, FAST));
    let due = |node: &mut Bench| loop {
        let at = node.organ.next_timeout().unwrap();
        let mut out: VecDeque<Effect> = VecDeque::new();
        node.now = at;
        node.wake(&mut out);
        if let Some(Effect::Write { number, .. }) = out.front() {
            return *number;
        }
    };
    let number = due(&mut node);
    assert!(node.now.since(Instant::BOOT) < LINK_REFRESH.plus(REFRESH_SPREAD));
    let effects = node.tell(Input::Durable(number));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Send(_))), "too soon in clear");
    assert_eq!(told(&effects[1]).link, ONE);
    let number = due(&mut node);
    let effects = node.tell(Input::Durable(number));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(_))), "an hour is over");
}

// ───────────── helpers ─────────────

pub(super) const ONE: LinkId = LinkId(Key { slot: 0, generation: 0 });
pub(super) const TWO: LinkId = LinkId(Key { slot: 1, generation: 0 });
pub(super) const THREE: LinkId = LinkId(Key { slot: 2, generation: 0 });
pub(super) const FOUR: LinkId = LinkId(Key { slot: 3, generation: 7 });
const FIVE: LinkId = LinkId(Key { slot: 4, generation: 0 });
pub(super) const FAST: u64 = 100_000_000;

impl Bench {
    /// Links with 2, 3 and 4.
    pub(super) fn with_links() -> Self {
        let mut bench = Self::without_interfaces(&Snapshot::empty());
        for (link, peer) in [(ONE, 2), (TWO, 3), (THREE, 4)] {
            bench.tell(up(link, peer, FAST));
        }
        bench
    }

    pub(super) fn hear_on(&mut self, link: LinkId, packet: Vec<u8>) -> Vec<Effect> {
        let cost = CompactPathCost { hops: HopCount(2), ..CompactPathCost::ORIGIN };
        self.tell(Input::HeardOnLink { link, cost, packet })
    }

    /// Lets that much time pass. Which links were told something, and in which second from here.
    fn told_within(&mut self, time: Duration) -> Vec<(LinkId, u64)> {
        let (begin, until) = (self.now, self.now.after(time));
        let mut all = Vec::new();
        while let Some(deadline) = self.organ.next_timeout().filter(|deadline| *deadline <= until) {
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.now = deadline;
            self.wake(&mut out);
            let said = out.iter().filter(|effect| is_announce(effect));
            all.extend(said.map(|effect| (told(effect).link, deadline.since(begin).as_secs())));
        }
        self.now = until;
        all
    }

    /// Lets that much time pass: what was done.
    pub(super) fn effects_within(&mut self, time: Duration) -> Vec<Effect> {
        let mut out: VecDeque<Effect> = VecDeque::new();
        let until = self.now.after(time);
        while let Some(deadline) = self.organ.next_timeout().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.wake(&mut out);
        }
        self.now = until;
        out.into()
    }

    /// Lets ten seconds pass, and stops at the last moment at which something was done. What was done, costs alone excluded.
    fn wait_briefly(&mut self) -> Vec<Effect> {
        self.wait_briefly_for_all().into_iter().filter(is_announce).collect()
    }

    pub(super) fn wait_briefly_for_all(&mut self) -> Vec<Effect> {
        let mut out: VecDeque<Effect> = VecDeque::new();
        let until = self.now.after(Duration::from_secs(10));
        while let Some(deadline) = self.organ.next_timeout().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.wake(&mut out);
        }
        out.into()
    }
}

const fn is_announce(effect: &Effect) -> bool {
    !matches!(effect, Effect::Say { .. })
}

/// Anything about links, malformed announces included.
pub(super) fn input(random: &mut Stream, genuine: &[Vec<u8>]) -> Input {
    let link = [ONE, TWO, THREE, FOUR, FIVE][usize::try_from(random.below(5)).unwrap()];
    let hop = hop(random.below(200_000_000));
    match random.below(15) {
        14 => {
            let print_of = |random: &mut Stream| CostPrint::of(&any_record(random, pick_number));
            let heard = (0..random.below(3))
                .map(|_| CostHeard { destination: address(pick_number(random)), print: print_of(random) });
            Input::CostsHeard { link, lines: heard.collect() }
        }
        13 => {
            let trust = [Trust::Sure, Trust::Quiet, Trust::Trial, Trust::Doubted];
            let trust = trust[usize::try_from(random.below(4)).unwrap()];
            let reliability = random.chance(1, 2).then(|| u8::try_from(1 + random.below(255)).unwrap());
            Input::LinkStands { link, trust, reliability }
        }
        10 => Input::CostRequested { link, destination: address(pick_number(random)) },
        11 | 12 => {
            let records = (0..random.below(3)).map(|_| any_record(random, pick_number));
            Input::Costs { link, records: records.collect() }
        }
        8 => Input::Hearing { link, hearing: Hearing::Broadcasts },
        9 => Input::Hearing { link, hearing: Hearing::LinkOnly },
        0 => Input::LinkUp { link, iface: NEXUS, peer: identity(2).public().hash(), hop },
        1 => Input::LinkUp { link, iface: NEXUS, peer: IdentityHash(random.bytes()), hop },
        2 => Input::LinkMeasured { link, hop },
        3 => Input::LinkDown(link),
        other => {
            let mut packet =
                if other == 4 { mangled(random, genuine) } else { pick(random, genuine).clone() };
            if random.chance(1, 2) && !packet.is_empty() {
                packet = promised(packet);
            }
            Input::HeardOnLink { link, cost: CompactPathCost::ORIGIN, packet }
        }
    }
}

/// One of those whose announces the laws are tried with, or this node itself.
fn pick_number(random: &mut Stream) -> u8 {
    if random.chance(1, 12) { 1 } else { u8::try_from(30 + random.below(12)).unwrap() }
}

pub(super) fn up(link: LinkId, peer: u8, bps: u64) -> Input {
    Input::LinkUp { link, iface: NEXUS, peer: identity(peer).public().hash(), hop: hop(bps) }
}

pub(super) fn hop(bps: u64) -> Hop {
    Hop { price: 0, latency: LatencyMs(20), bandwidth: BandwidthCode::nearest(bps) }
}

pub(super) fn address(n: u8) -> DestinationHash {
    identity(n).node_id().into()
}

/// As a relay sends it over a link: the bit for the transport id that is left out.
pub(super) fn promised(mut packet: Vec<u8>) -> Vec<u8> {
    packet[0] |= 0x50;
    packet
}

fn emitted_at(packet: &[u8]) -> u64 {
    let mut packet = packet.to_vec();
    packet[0] &= !0x40;
    let packet = Packet::decode(&packet).unwrap();
    let announce = Announce::from_packet(&packet).unwrap();
    announce.verify().unwrap();
    announce.claim.random_hash.emitted_at()
}

struct Told {
    link: LinkId,
    about: DestinationHash,
    cost: CompactPathCost,
    packet: Vec<u8>,
}

/// What is said on a link: one ANNOUNCE to the end, behind room for the header.
fn told(effect: &Effect) -> Told {
    let Effect::Tell { link, about, plaintext } = effect else { panic!("tells: {effect:?}") };
    let messages: Vec<_> = Messages::new(&plaintext[HEADER_LEN..]).collect::<Result<_, _>>().unwrap();
    let [message] = messages[..] else { panic!("one message") };
    assert_eq!((message.kind, message.delimited), (MessageKind::ANNOUNCE, Delimited::ByEnd));
    let traffic::Announce { cost, packet } = message.parse().unwrap();
    Told { link: *link, about: *about, cost, packet: packet.to_vec() }
}
