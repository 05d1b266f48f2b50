//! COST records and requests: what is told between announces, and what comes of it.

use super::links::{FOUR, ONE, THREE, TWO, address, promised, up};
use super::*;
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::cost::{CostFlags, CostHeard, CostList, CostPrint, CostRequest, Segments, Standing};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::path_cost::{CostCode, Generation, HopCount};

use crate::announces::budget::Purpose;
use crate::links::Trust;
use crate::overheard::Carrier;
use crate::routes::PathPolicy;

#[test]
fn a_cost_that_moved_by_more_than_a_quarter_is_told_and_a_smaller_change_is_not() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.wait_briefly_for_all();
    node.say(ONE, &[offer(7, 0, 1_200)]);
    assert_eq!(node.records(), []);
    node.say(ONE, &[offer(7, 0, 1_600)]);
    let told = node.records();
    assert_eq!(told.iter().map(|(link, _)| *link).collect::<Vec<_>>(), [TWO, THREE]);
    let (_, record) = told[0];
    assert!(record.cost.cumulative_cost.price().unwrap().abs_diff(1_600) < 80);
    assert_eq!((record.destination, record.cost.hops), (address(7), HopCount(3)));
    assert_eq!((record.flags.standing, record.flags.generation.get()), (Standing::Offered, 0));
    node.say(ONE, &[offer(7, 0, 700)]);
    assert_eq!(node.records().len(), 2, "and back");
}

#[test]
fn what_moved_by_less_is_told_once_it_has_settled() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.within(200);
    node.say(ONE, &[offer(7, 0, 1_200)]);
    assert_eq!(node.records(), [], "not at once");
    let told: Vec<_> = node.within(12).iter().flat_map(records_of).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].1.cost.cumulative_cost.price().unwrap().abs_diff(1_200) < 60);
    node.say(ONE, &[offer(7, 0, 1_000)]);
    let early: Vec<_> = node.within(45).iter().flat_map(records_of).collect();
    assert_eq!(early, [], "at most once a minute");
    assert_eq!(node.within(20).iter().flat_map(records_of).count(), 2);
}

#[test]
fn a_path_that_was_kept_by_habit_gives_way_once_the_other_has_been_better_for_a_while() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.hear_at(TWO, 7, 1_200);
    node.within(200);
    let chosen = |node: &Bench| {
        let mut all = node.organ.choices().filter(|choice| choice.is_chosen_by(PathPolicy::Cheapest));
        all.next().unwrap().next_hop
    };
    let [one, two] = [ONE, TWO].map(|link| node.organ.links.get(link).map(|other| other.peer));
    node.say(TWO, &[offer(7, 0, 850)]);
    assert_eq!(chosen(&node), one, "hardly better");
    node.within(90);
    assert_eq!(chosen(&node), two);
}

#[test]
fn an_announce_is_not_passed_on_with_the_cost_of_an_older_emission() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.hear_at(TWO, 7, 1_000);
    // Not told to anybody yet, so that both remain usable whatever is said.
    let newer = promised(announce_of(7, UNIX + 60));
    node.tell(Input::HeardOnLink { link: ONE, cost: cost(1_000), packet: newer.clone() });
    node.tell(Input::LinkDown(ONE));
    assert!(node.organ.path(&address(7)).is_some(), "by the other, of the older emission");
    let said = node.within(400);
    let newer_said = said.iter().filter(|effect| match effect {
        Effect::Tell { plaintext, .. } => plaintext.ends_with(&newer[2..]),
        _ => false,
    });
    assert_eq!(newer_said.count(), 0, "whoever hears it would take that cost for the newer emission's");
}

#[test]
fn what_is_back_is_announced_again_to_those_who_came_meanwhile() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.within(500);
    node.say(ONE, &[withdrawal(7, 0)]);
    node.within(10);
    node.tell(up(FOUR, 6, 1_000_000_000));
    node.within(400);
    node.say(ONE, &[offer(7, 0, 1_000)]);
    let told = node.within(20).into_iter().filter(
        |effect| matches!(effect, Effect::Tell { link, about, .. } if *link == FOUR && *about == address(7)),
    );
    assert!(told.count() > 0);
}

#[test]
fn a_link_that_is_younger_than_what_a_peer_said_does_not_inherit_its_paths() {
    let reached = |second_link_at: u64| {
        let mut node = Bench::with_links();
        let peer = identity(2).public().hash();
        let hop = node.organ.links.get(ONE).unwrap().hop;
        node.within(second_link_at);
        if second_link_at < 10 {
            node.tell(Input::LinkUp { link: FOUR, iface: NEXUS, peer, hop });
        }
        node.within(20);
        node.hear_at(ONE, 7, 1_000);
        node.within(20);
        if second_link_at >= 10 {
            node.tell(Input::LinkUp { link: FOUR, iface: NEXUS, peer, hop });
        }
        node.tell(Input::LinkDown(ONE));
        node.organ.path(&address(7)).is_some()
    };
    assert!(reached(1), "it is the same peer by another way");
    assert!(!reached(10), "it may have started anew, and know nothing of what it said");
}

#[test]
fn a_second_path_takes_over_at_once_and_without_one_the_path_is_withdrawn() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.hear_at(TWO, 7, 1_000);
    node.wait_briefly_for_all();
    node.tell(Input::LinkDown(ONE));
    assert_eq!(node.organ.path(&address(7)).unwrap().via.link(), Some(TWO));
    node.records();
    node.tell(Input::LinkDown(TWO));
    assert_eq!(node.organ.path(&address(7)), None);
    let told = node.records();
    assert_eq!(
        told.iter().map(|(link, record)| (*link, record.flags.standing)).collect::<Vec<_>>(),
        [(THREE, Standing::Withdrawn); 2],
        "and once more a quarter of a second later"
    );
}

#[test]
fn what_a_neighbour_withdraws_is_used_no_more_and_an_older_withdrawal_changes_nothing() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.say(ONE, &[offer(7, 2, 1_000)]);
    node.say(ONE, &[withdrawal(7, 1)]);
    assert!(node.organ.path(&address(7)).is_some(), "it came late");
    node.say(ONE, &[withdrawal(7, 2)]);
    assert_eq!(node.organ.path(&address(7)), None);
}

#[test]
fn a_record_before_its_announce_counts_once_that_verified_and_waits_for_a_minute() {
    let path = |wait| {
        let mut node = Bench::with_links();
        node.say(TWO, &[offer(7, 0, 10)]);
        assert_eq!(node.organ.path(&address(7)), None);
        node.now = node.now.after(Duration::from_secs(wait));
        node.hear_at(ONE, 7, 1_000);
        node.organ.path(&address(7)).unwrap().via.link()
    };
    assert_eq!((path(60), path(61)), (Some(TWO), Some(ONE)));
    let mut node = Bench::with_links();
    let many: Vec<CostRecord> = (0..70).map(|n| offer(7 + n, 0, 10)).collect();
    node.say(TWO, &many);
    let held = node.organ.links.get(TWO).unwrap().pending.len();
    assert_eq!(held, 64);
}

#[test]
fn a_newer_generation_is_passed_on_once_like_an_emission() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.wait_briefly_for_all();
    node.say(ONE, &[offer(7, 1, 1_000)]);
    let told = node.records();
    assert_eq!(
        told.iter().map(|(link, record)| (*link, record.flags.generation.get())).collect::<Vec<_>>(),
        [(TWO, 1), (THREE, 1)]
    );
    node.say(ONE, &[offer(7, 1, 1_000)]);
    node.say(TWO, &[offer(7, 1, 1_500)]);
    assert_eq!(node.records(), [], "a copy, and what costs more");
    node.say(ONE, &[offer(7, 0, 10)]);
    assert_eq!(node.records(), [], "an older one");
}

#[test]
fn who_has_only_infeasible_paths_asks_along_them_three_times_in_three_seconds_and_then_every_ten() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.wait_briefly_for_all();
    node.hear_at(TWO, 7, 5_000);
    let lost = node.tell(Input::LinkDown(ONE));
    assert_eq!(asked(&lost), [(TWO, address(7))]);
    assert_eq!(node.organ.path(&address(7)), None, "it may lead back here");
    assert_eq!(asked(&node.within(3)), [(TWO, address(7)); 2], "it may have been lost");
    assert_eq!(asked(&node.within(9)), []);
    assert_eq!(asked(&node.within(4)), [(TWO, address(7)); 3], "and again");
    assert_eq!(asked(&node.within(14)), [], "but in vain it is asked less often");
    assert_eq!(asked(&node.within(10)), [(TWO, address(7)); 3]);
    node.say(TWO, &[offer(7, 1, 5_000)]);
    assert_eq!(node.organ.path(&address(7)).unwrap().via.link(), Some(TWO));
    assert_eq!(asked(&node.within(60)), []);
}

#[test]
fn who_pays_a_quarter_more_than_it_said_asks_for_a_way_that_is_cheaper_by_less() {
    let asked_at = |other: u64, worse: u64| {
        let mut node = Bench::with_links();
        node.hear_at(ONE, 7, 1_000);
        node.wait_briefly_for_all();
        node.hear_at(TWO, 7, other);
        let raised = node.tell(Input::Costs { link: ONE, records: vec![offer(7, 0, worse)] });
        let asked = asked(&raised);
        node.say(ONE, &[offer(7, 1, worse)]);
        node.say(TWO, &[offer(7, 1, other)]);
        node.within(90);
        (asked, node.organ.path(&address(7)).unwrap().via.link().unwrap())
    };
    assert_eq!(asked_at(1_350, 1_600), (vec![(ONE, address(7))], TWO), "cheaper by less than a fifth");
    assert_eq!(asked_at(1_570, 1_600).0, [], "hardly cheaper");
    assert_eq!(asked_at(1_100, 1_220).0, [], "it costs less than a quarter more than was said");
}

#[test]
fn a_request_is_passed_on_along_the_path_but_not_back_and_rarely() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    let ask =
        |node: &mut Bench, link| asked(&node.tell(Input::CostRequested { link, destination: address(7) }));
    assert_eq!(ask(&mut node, ONE), [], "it came from where it would go");
    assert_eq!(ask(&mut node, TWO), [(ONE, address(7))]);
    assert_eq!(ask(&mut node, THREE), [], "it was asked of late");
    node.say(ONE, &[offer(7, 0, 1_000)]);
    let mut passed_on = 0;
    for _ in 0..100 {
        node.now = node.now.after(Duration::from_millis(100));
        passed_on += ask(&mut node, THREE).len();
    }
    assert!((2..=3).contains(&passed_on), "as often as one asks: {passed_on}");
    node.now = node.now.after(Duration::from_secs(10));
    assert_eq!(ask(&mut node, THREE), [(ONE, address(7))]);
}

#[test]
fn a_request_that_was_passed_on_is_said_again_until_its_next_hop_says_anything_of_the_destination() {
    let passed_on = |is_heard: bool| {
        let mut node = Bench::with_links();
        node.hear_at(ONE, 7, 1_000);
        node.wait_briefly_for_all();
        let mut all = asked(&node.tell(Input::CostRequested { link: TWO, destination: address(7) }));
        if is_heard {
            node.say(ONE, &[offer(7, 0, 1_000)]);
        }
        all.extend(asked(&node.within(60)));
        all
    };
    assert_eq!(passed_on(true), [(ONE, address(7))]);
    assert_eq!(passed_on(false), [(ONE, address(7)); 3]);
}

#[test]
fn requests_spend_of_the_budget_and_wait_where_it_is_spent() {
    let mut node = Bench::with_links();
    node.tell(Input::Up(NEXUS, profile(Mode::Nexus)));
    node.hear_at(ONE, 7, 1_000);
    node.within(400);
    node.organ.speech.budgets.spend(NEXUS, node.now, 0, Carrier::Broadcast);
    let (now, before) = (node.now, node.organ.speech.budgets.free_at(NEXUS, Purpose::Cost, node.now));
    let ask =
        |node: &mut Bench, link| asked(&node.tell(Input::CostRequested { link, destination: address(7) }));
    assert_eq!(ask(&mut node, TWO), [(ONE, address(7))]);
    assert!(node.organ.speech.budgets.free_at(NEXUS, Purpose::Cost, now) > before);
    node.now = node.now.after(Duration::from_secs(30));
    node.organ.speech.budgets.spend(NEXUS, node.now, 10_000_000, Carrier::Broadcast);
    assert_eq!(ask(&mut node, TWO), []);
    let busy_until = node.organ.speech.budgets.busy_until(NEXUS, Purpose::Cost, node.now).unwrap();
    let wait = busy_until.since(node.now).as_secs();
    assert_eq!(asked(&node.within(wait)), []);
    assert_ne!(asked(&node.within(2)), [], "once there is room");
}

#[test]
fn an_emission_that_came_while_there_was_no_way_is_said_once_there_is_one() {
    let mut node = Bench::with_links();
    node.tell(Input::Up(NEXUS, profile(Mode::Nexus)));
    node.hear_at(ONE, 7, 1_000);
    node.within(5);
    let stands = |trust| Input::LinkStands { link: ONE, trust, reliability: None };
    node.tell(stands(Trust::Doubted));
    node.within(5);
    let told = node.organ.words(&address(7)).unwrap();
    assert_eq!(told.flags.standing, Standing::Withdrawn);
    let lines = vec![CostHeard { destination: address(7), print: CostPrint::of(&told) }];
    node.tell(Input::CostsHeard { link: TWO, lines });
    let newer = promised(announce_of(7, UNIX + 60));
    node.tell(Input::HeardOnLink { link: ONE, cost: cost(1_000), packet: newer.clone() });
    let about = |effect: &Effect| match effect {
        Effect::Tell { link, plaintext, .. } => *link == TWO && plaintext.ends_with(&newer[2..]),
        _ => false,
    };
    assert!(!node.within(2).iter().any(about), "there is no way");
    node.tell(stands(Trust::Sure));
    assert!(node.within(2).iter().any(about));
}

#[test]
fn whoever_has_no_way_and_missed_an_emission_is_told_it() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    let newer = promised(announce_of(7, UNIX + 60));
    node.tell(Input::HeardOnLink { link: ONE, cost: cost(1_000), packet: newer.clone() });
    node.within(2_000);
    let told = |node: &mut Bench, record| {
        let effects = node.tell(Input::Costs { link: TWO, records: vec![record] });
        let is_meant = |effect: &Effect| match effect {
            Effect::Tell { link, plaintext, .. } => *link == TWO && plaintext.ends_with(&newer[2..]),
            _ => false,
        };
        effects.iter().filter(|effect| is_meant(effect)).count()
    };
    assert_eq!(told(&mut node, offer(7, 0, 1_000)), 0, "it has a way");
    assert_eq!(told(&mut node, record(7, UNIX + 60, 0, 0, Standing::Withdrawn)), 0, "it has the emission");
    assert_eq!(told(&mut node, withdrawal(7, 0)), 1);
    assert_eq!(told(&mut node, withdrawal(7, 0)), 0, "at most once in ten seconds");
    // The other side of it.
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.wait_briefly_for_all();
    node.tell(Input::LinkDown(ONE));
    node.within(500);
    node.say(TWO, &[record(7, UNIX + 60, 0, 1_000, Standing::Offered)]);
    let said = node.records();
    assert_eq!(
        said.iter().map(|(link, record)| (*link, record.flags.standing)).collect::<Vec<_>>(),
        [(TWO, Standing::Withdrawn)]
    );
}

#[test]
fn what_is_quoted_and_was_never_heard_of_is_asked_of_whoever_quotes_it() {
    let asks = |effects: &[Effect]| -> Vec<_> {
        let is_none = |record: &CostRecord| {
            record.flags.standing == Standing::Withdrawn && record.random_hash == [0; 10]
        };
        let said = effects.iter().flat_map(records_of).filter(|(_, record)| is_none(record));
        said.map(|(link, record)| (link, record.destination)).collect()
    };
    let mut node = Bench::with_links();
    node.say(ONE, &[offer(7, 0, 500)]);
    assert_eq!(asks(&node.within(19)), [], "the announce may be slower");
    assert_eq!(asks(&node.within(2)), [(ONE, address(7))]);
    for wait in [40, 80, 160, 320] {
        assert_eq!(asks(&node.within(wait - 4)), [], "question and answer take their time");
        assert_eq!(asks(&node.within(4)), [(ONE, address(7))], "either may have been lost");
    }
    assert_eq!(asks(&node.within(1_000)), [], "often enough, each time that it is quoted");
    for n in 7..20 {
        node.say(ONE, &[offer(n, 0, 500)]);
    }
    assert_eq!(asks(&node.within(21)).len(), 8, "so many together,");
    assert_eq!(asks(&node.within(11)).len(), 5, "and the others later");
    node.say(ONE, &[offer(7, 0, 500)]);
    node.hear_at(ONE, 7, 500);
    let asked = asks(&node.within(100));
    assert_eq!(asked.len(), 12, "the others once more");
    assert!(!asked.contains(&(ONE, address(7))), "its announce came");
    // Who has no room for what it hears asks for nothing.
    let mut full = Bench::with_links();
    for n in 100..100 + u8::try_from(LIMITS.known).unwrap() {
        full.hear_at(ONE, n, 1_000);
    }
    full.say(ONE, &[offer(7, 0, 500)]);
    assert_eq!(asks(&full.within(60)), []);
    // Whoever is asked says the announce.
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.within(100);
    let nothing = record(7, 0, 0, 0, Standing::Withdrawn);
    let effects = node.tell(Input::Costs { link: TWO, records: vec![nothing] });
    let announce = promised(announce_of(7, UNIX));
    let is_told = |effect: &Effect| matches!(effect, Effect::Tell { link: TWO, plaintext, .. } if plaintext.ends_with(&announce[2..]));
    assert!(effects.iter().any(is_told), "{effects:?}");
}

#[test]
fn the_destination_answers_with_another_generation_and_after_the_last_with_an_emission() {
    let mut node = Bench::with_links();
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    node.acknowledge_own(ONE);
    let ask = |node: &mut Bench| {
        node.now = node.now.after(Duration::from_secs(10));
        node.tell(Input::CostRequested { link: ONE, destination: address(1) })
    };
    for generation in 1..=63 {
        assert_eq!(ask(&mut node), []);
        let told = node.records();
        let flags = |(_, record): &(LinkId, CostRecord)| record.flags.generation.get() == generation;
        assert!(told.len() >= 3 && told.iter().all(flags), "{generation}: {told:?}");
    }
    assert!(matches!(ask(&mut node)[..], [Effect::Write { .. }]), "all are used up");
}

#[test]
fn whoever_asks_the_destination_and_is_not_known_to_have_its_announce_is_told_it() {
    let mut node = Bench::with_links();
    node.tell(Input::Ratchet(ratchet()));
    node.tell(Input::Durable(1));
    node.within(3);
    let own = node.organ.own.current().unwrap().bytes.clone();
    let told = |node: &mut Bench| {
        let effects = node.tell(Input::CostRequested { link: ONE, destination: address(1) });
        let is_told = |effect: &Effect| matches!(effect, Effect::Tell { link: ONE, plaintext, .. } if plaintext.ends_with(&own[2..]));
        effects.iter().filter(|effect| is_told(effect)).count()
    };
    assert_eq!([told(&mut node), told(&mut node)], [1, 0], "at most once in ten seconds");
    node.within(10);
    assert_eq!(told(&mut node), 1);
    node.acknowledge_own(ONE);
    node.within(10);
    assert_eq!(told(&mut node), 0, "it has it");
}

#[test]
fn a_path_of_which_nobody_speaks_goes_after_four_intervals() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.within(4 * 1_800 - 60);
    assert!(node.organ.path(&address(7)).is_some(), "stale, and all that there is");
    node.within(1_200);
    assert_eq!(node.organ.paths(&address(7), node.now).count(), 0);
}

#[test]
fn whoever_sends_what_cannot_be_carried_on_is_told_again_that_there_is_no_way() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.wait_briefly_for_all();
    node.tell(Input::LinkDown(ONE));
    node.within(300);
    let cx = node.cx();
    let mut out: VecDeque<Effect> = VecDeque::new();
    node.organ.unreachable(cx, TWO, address(7), &mut out);
    assert_eq!(node.organ.searches(), 1, "nothing leads there any more: it is looked for");
    let told = node.records();
    assert_eq!(
        told.iter().map(|(link, record)| (*link, record.flags.standing)).collect::<Vec<_>>(),
        [(TWO, Standing::Withdrawn)]
    );
}

#[test]
fn what_is_owed_to_a_slow_link_is_told_together_and_within_its_share() {
    let mut node = Bench::with_links();
    node.tell(up(THREE, 4, 5_000));
    for n in 30..34 {
        node.hear_at(ONE, n, 1_000);
    }
    node.within(100);
    let rises: Vec<CostRecord> = (30..34).map(|n| offer(n, 0, 9_000)).collect();
    node.say(ONE, &rises);
    let mut messages = 0;
    for effect in node.within(1) {
        messages += usize::from(matches!(effect, Effect::Say { to: Outlet::Link(THREE), .. }));
    }
    assert!((1..=2).contains(&messages), "{messages}");
}

// ───────────── helpers ─────────────

impl Bench {
    /// The peer of `link` says that it has this node's own announce.
    fn acknowledge_own(&mut self, link: LinkId) {
        let said = self.organ.words(&address(1)).unwrap();
        let lines = vec![CostHeard { destination: address(1), print: CostPrint::of(&said) }];
        self.tell(Input::CostsHeard { link, lines });
    }

    pub(super) fn hear_at(&mut self, link: LinkId, n: u8, price: u64) -> Vec<Effect> {
        let packet = promised(announce_of(n, UNIX));
        self.tell(Input::HeardOnLink { link, cost: cost(price), packet })
    }

    pub(super) fn say(&mut self, link: LinkId, records: &[CostRecord]) {
        self.tell(Input::Costs { link, records: records.to_vec() });
    }

    fn within(&mut self, seconds: u64) -> Vec<Effect> {
        let until = self.now.after(Duration::from_secs(seconds));
        let mut out: VecDeque<Effect> = VecDeque::new();
        while let Some(deadline) = self.organ.next_timeout().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.wake(&mut out);
        }
        self.now = until;
        out.into()
    }

    /// What is told of costs within a second, by link.
    fn records(&mut self) -> Vec<(LinkId, CostRecord)> {
        let mut all: Vec<_> = self.within(1).iter().flat_map(records_of).collect();
        all.sort_by_key(|(link, _)| *link);
        all
    }
}

pub(super) fn records_of(effect: &Effect) -> Vec<(LinkId, CostRecord)> {
    let Effect::Say { to: Outlet::Link(link), message } = effect else { return Vec::new() };
    let message = Messages::new(&message[HEADER_LEN..]).next().unwrap().unwrap();
    if message.kind != MessageKind::COST {
        return Vec::new();
    }
    message.parse::<CostList<'_>>().unwrap().records().map(|record| (*link, record)).collect()
}

pub(super) fn asked(effects: &[Effect]) -> Vec<(LinkId, DestinationHash)> {
    let mut all = Vec::new();
    for effect in effects {
        let Effect::Say { to: Outlet::Link(link), message } = effect else { continue };
        let message = Messages::new(&message[HEADER_LEN..]).next().unwrap().unwrap();
        if message.kind == MessageKind::COST_REQUEST {
            all.push((*link, message.parse::<CostRequest>().unwrap().destination));
        }
    }
    all
}

fn cost(price: u64) -> CompactPathCost {
    CompactPathCost {
        cumulative_cost: CostCode::Known(PriceCode::nearest(price)),
        hops: HopCount(2),
        ..CompactPathCost::ORIGIN
    }
}

pub(super) fn offer(n: u8, generation: u8, price: u64) -> CostRecord {
    record(n, UNIX, generation, price, Standing::Offered)
}

pub(super) fn withdrawal(n: u8, generation: u8) -> CostRecord {
    record(n, UNIX, generation, 0, Standing::Withdrawn)
}

fn record(n: u8, unix_s: u64, generation: u8, price: u64, standing: Standing) -> CostRecord {
    let flags =
        CostFlags { standing, segments: Segments::Nexus, generation: Generation::new(generation).unwrap() };
    let random_hash = *RandomHash::new([1, 2, 3, 4, 5], unix_s).as_bytes();
    CostRecord { destination: address(n), random_hash, cost: cost(price), flags }
}

/// A record of anything, of a known emission more often than not.
pub(super) fn any_record(random: &mut Stream, whose: impl Fn(&mut Stream) -> u8) -> CostRecord {
    let n = whose(random);
    let standing = if random.chance(1, 4) { Standing::Withdrawn } else { Standing::Offered };
    let generation = u8::try_from(random.below(3)).unwrap();
    record(n, UNIX + random.below(26), generation, random.below(10_000), standing)
}
