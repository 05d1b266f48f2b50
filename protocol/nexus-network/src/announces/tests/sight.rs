//! What can be seen of paths, and whose choice is said to be another.

use super::costs::{offer, withdrawal};
use super::links::{ONE, THREE, TWO, address};
use super::*;
use crate::routes::{PathPolicy, Standing};
use nexus_wire::nexus::path_cost::CostCode;

#[test]
fn every_candidate_is_shown_with_what_was_said_its_total_its_scores_and_what_it_wins() {
    let mut node = Bench::with_links();
    node.tell(Input::LinkMeasured { link: TWO, hop: Hop { price: 500, ..links::hop(links::FAST) } });
    node.hear_at(ONE, 7, 1_000);
    node.hear_at(TWO, 7, 1_000);
    node.now = node.now.after(Duration::from_secs(30));
    let routing = Routing::new(&node.organ, node.now);
    let mut seen = routing.candidates(&address(7));
    seen.sort_by_key(|candidate| candidate.via.link());
    let [one, two] = &seen[..] else { panic!("two ways: {seen:?}") };
    assert_eq!((one.via.link(), two.via.link()), (Some(ONE), Some(TWO)));
    assert_eq!(one.said, two.said, "both said the same");
    let price = |cost: CompactPathCost| cost.cumulative_cost.price().unwrap();
    assert_eq!(one.total.cumulative_cost, one.said.cumulative_cost, "that hop is free");
    assert!(price(two.total).abs_diff(price(two.said) + 500) < 50, "this one is not: {two:?}");
    assert_eq!((one.total.hops.0, one.said.hops.0, one.total.worst_latency.0), (3, 2, 20));
    assert_eq!((one.standing, two.standing), (Standing::Usable, Standing::Usable));
    assert_eq!((one.age_s, one.expires_in_s), (30, 3 * 1_800 - 30));
    for policy in [PathPolicy::Cheapest, PathPolicy::Fastest, PathPolicy::MostReliable, PathPolicy::default()]
    {
        assert!(one.wins(policy) && !two.wins(policy), "{policy:?}");
        let chosen = routing.chosen(&address(7), policy).unwrap();
        assert_eq!(chosen.via.link(), Some(ONE));
    }
    for (better, worse) in one.marks.iter().zip(&two.marks) {
        assert!(better.score.unwrap() < worse.score.unwrap(), "{better:?} {worse:?}");
    }
}

#[test]
fn what_may_lead_back_says_what_was_said_here_and_there() {
    let mut node = Bench::with_links();
    node.hear_at(ONE, 7, 1_000);
    node.wait_briefly_for_all();
    node.hear_at(TWO, 7, 5_000);
    let standing = |node: &Bench, link| {
        let seen = Routing::new(&node.organ, node.now).candidates(&address(7));
        seen.into_iter().find(|candidate| candidate.via.link() == Some(link)).unwrap()
    };
    let dear = standing(&node, TWO);
    let Standing::Infeasible { said, limit } = dear.standing else { panic!("{dear:?}") };
    assert!(said.cost.price().unwrap().abs_diff(5_000) < 250, "{said:?}");
    assert!(limit.cost.price().unwrap().abs_diff(1_000) < 50, "what this node said: {limit:?}");
    assert_eq!((said.hops.0, limit.hops.0), (2, 3));
    assert!(dear.marks.iter().all(|mark| mark.score.is_none() && !mark.wins), "it does not compete");
    node.say(THREE, &[offer(7, 2, 900)]);
    node.wait_briefly_for_all();
    let old = standing(&node, ONE);
    assert!(
        matches!(old.standing, Standing::Outdated { spoken_of } if spoken_of.generation.get() == 2),
        "{old:?}"
    );
    assert!(!old.standing.is_usable() && !dear.standing.is_usable());
}

#[test]
fn what_nobody_said_for_long_is_stale_and_an_unknown_cost_is_shown_as_that() {
    let mut node = Bench::with_links();
    let unknown = CompactPathCost { cumulative_cost: CostCode::Unknown, ..CompactPathCost::ORIGIN };
    node.tell(Input::HeardOnLink { link: ONE, cost: unknown, packet: links::promised(announce_of(7, UNIX)) });
    let later = node.now.after(Duration::from_secs(3 * 1_800 + 1));
    let [only] = Routing::new(&node.organ, later).candidates(&address(7))[..] else { panic!("one way") };
    assert_eq!((only.standing, only.expires_in_s), (Standing::Stale, 0));
    assert_eq!(only.total.cumulative_cost, CostCode::Unknown);
    assert!(only.wins(PathPolicy::Cheapest), "there is no other");
}

#[test]
fn destinations_are_shown_page_by_page() {
    let mut node = Bench::with_links();
    for n in 5..10 {
        node.hear_at(ONE, n, 10);
    }
    let routing = Routing::new(&node.organ, node.now);
    let all: Vec<_> = routing.destinations(None).map(|(destination, _)| *destination).collect();
    assert_eq!((all.len(), all.is_sorted()), (5, true));
    let rest: Vec<_> = routing.destinations(Some(&all[2])).map(|(destination, _)| *destination).collect();
    assert_eq!(rest, all[3..]);
    assert_eq!(routing.destinations(all.last()).count(), 0);
}

#[test]
fn a_destination_is_named_when_its_choice_may_be_another_and_not_while_it_stays() {
    let mut node = Bench::with_links();
    let rerouted = |node: &mut Bench| core::iter::from_fn(|| node.organ.take_rerouted()).collect::<Vec<_>>();
    node.hear_at(ONE, 7, 1_000);
    assert_eq!(rerouted(&mut node), [address(7)], "learnt");
    node.wait_briefly_for_all();
    node.say(ONE, &[offer(7, 0, 1_100)]);
    assert_eq!(rerouted(&mut node), [], "the same way, at another price");
    node.say(ONE, &[withdrawal(7, 0)]);
    assert_eq!(rerouted(&mut node), [address(7)], "lost");
}

#[test]
fn of_rerouted_destinations_that_nobody_takes_the_oldest_are_counted_and_forgotten() {
    let mut node = Bench::with_links();
    for n in 5..12 {
        node.hear_at(ONE, n, 10);
    }
    let kept: Vec<_> = core::iter::from_fn(|| node.organ.take_rerouted()).collect();
    assert_eq!(kept, (8..12).map(address).collect::<Vec<_>>());
    assert_eq!(node.organ.missed_rerouted(), 3);
}
