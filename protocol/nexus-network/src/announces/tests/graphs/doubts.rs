//! Links whose peers are doubted, trusted and doubted again.

use super::*;

#[test]
fn a_doubted_link_loses_in_the_same_instant_and_wins_again_only_if_it_is_much_better() {
    let mut world = World::of(4, &[(0, 1), (0, 2), (1, 3), (2, 3)], &[3]);
    world.settle();
    let first = world.next(0, 3, PathPolicy::Cheapest).unwrap();
    let other = 3 - first;
    world.stands(first - 1, 0, Trust::Doubted);
    assert_eq!(world.next(0, 3, PathPolicy::Cheapest), Some(other), "at once");
    world.stands(first - 1, 0, Trust::Trial);
    assert_eq!(world.next(0, 3, PathPolicy::Cheapest), Some(other));
    world.stands(first - 1, 0, Trust::Sure);
    assert_eq!(world.next(0, 3, PathPolicy::Cheapest), Some(other), "it is no better");
    world.stands(other - 1, 0, Trust::Quiet);
    assert_eq!(
        world.next(0, 3, PathPolicy::Cheapest),
        Some(first),
        "of that one nothing was heard for rounds"
    );
}

#[test]
fn where_both_are_doubted_who_is_heard_again_is_preferred() {
    let mut world = World::of(4, &[(0, 1), (0, 2), (1, 3), (2, 3)], &[3]);
    world.settle();
    for (at, other) in [(0, 2), (1, 1)] {
        world.stands(0, 0, Trust::Doubted);
        world.stands(1, 0, Trust::Doubted);
        assert!(world.next(0, 3, PathPolicy::Cheapest).is_some(), "nothing better is known");
        world.stands(1 - at, 0, Trust::Trial);
        assert_eq!(world.next(0, 3, PathPolicy::Cheapest), Some(other));
    }
}

#[test]
fn what_only_a_doubted_link_leads_to_is_withdrawn_asked_for_elsewhere_and_used_all_the_same() {
    // A ring: from 1 the other way round is longer, and not feasible.
    let mut world = World::of(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)], &[0]);
    world.settle();
    assert_eq!(world.usable(1, 0), [0]);
    world.stands(0, 1, Trust::Doubted);
    assert_eq!(world.next(1, 0, PathPolicy::Cheapest), Some(0), "there is nothing better");
    world.run(Duration::from_millis(200));
    assert!(!world.usable(2, 0).contains(&1), "whoever was told of it is told that it is gone");
    world.run(Duration::from_secs(3));
    assert_eq!(
        world.next(1, 0, PathPolicy::Cheapest),
        Some(2),
        "the destination was asked the other way round"
    );
}

#[test]
fn a_withdrawal_that_was_lost_is_said_again_to_whoever_sends_packets_there() {
    let mut world = World::of(3, &[(0, 1), (1, 2)], &[2]);
    world.settle();
    world.run(Duration::from_secs(120));
    assert_eq!(world.usable(0, 2), [1]);
    world.loses_percent = 100;
    world.stands(1, 1, Trust::Doubted);
    world.run(Duration::from_millis(100));
    world.loses_percent = 0;
    assert_eq!(world.usable(0, 2), [1], "it was lost");
    let (link, now) = (world.link(0), world.now);
    let step = world.nodes[1].next_hop(now, &World::address(2), PathPolicy::Cheapest, Some(link));
    assert!(step.is_some(), "the packet goes on");
    world.run(Duration::from_millis(100));
    assert!(world.usable(0, 2).is_empty(), "and its sender knows");
    world.stands(1, 1, Trust::Trial);
    world.run(Duration::from_millis(100));
    assert_eq!(world.usable(0, 2), [1], "who is heard again leads there again");
}

#[test]
fn doubts_make_no_loops_and_when_they_are_over_whoever_is_connected_has_a_path() {
    for seed in 1_000..1_040 {
        let mut world = World::random(seed, Prices::Some);
        if seed.is_multiple_of(4) && world.nodes.len() <= 12 {
            world.judge_every_step();
        }
        world.loses_percent = 10;
        for _ in 0..30 {
            let at = pick_below(&mut world.random, world.edges.len());
            let end = pick_below(&mut world.random, 2);
            let trust = [Trust::Sure, Trust::Quiet, Trust::Trial, Trust::Doubted];
            let trust = trust[pick_below(&mut world.random, trust.len())];
            let end = world.edges[at].ends[end];
            world.stands(at, end, trust);
            world.suffer(Duration::from_secs(1));
        }
        world.loses_percent = 0;
        for at in 0..world.edges.len() {
            for end in world.edges[at].ends {
                world.stands(at, end, Trust::Sure);
            }
        }
        world.run(Duration::from_secs(700));
        world.assert_all_reachable();
    }
}

#[test]
fn a_path_that_is_distrusted_is_probed_at_once_when_its_neighbour_says_another_emission() {
    let mut world = World::of(3, &[(0, 1), (1, 2)], &[2]);
    world.settle();
    let (address, now) = (World::address(2), world.now);
    let step = world.nodes[0].next_hop(now, &address, PathPolicy::Cheapest, None).unwrap();
    for _ in 0..3 {
        world.nodes[0].expect_proof(now, step.path);
    }
    world.run(Duration::from_secs(250));
    assert!(world.nodes[0].paths(&address, world.now).all(|path| path.is_distrusted));
    let before = world.nodes[0].doubts().probes;
    world.run(Duration::from_secs(20));
    assert_eq!(world.nodes[0].doubts().probes, before, "it is left alone for minutes");
    world.tell(2, Input::Announce);
    world.run(Duration::from_secs(20));
    assert_eq!(world.nodes[0].doubts().probes, before + 6);
}

#[test]
fn a_path_that_was_distrusted_before_it_was_known_how_much_its_first_hop_loses_is_trusted_again() {
    let mut world = World::of(5, &[(0, 1), (1, 2), (2, 3), (3, 4)], &[4]);
    world.settle();
    let (address, now) = (World::address(4), world.now);
    let step = world.nodes[0].next_hop(now, &address, PathPolicy::Cheapest, None).unwrap();
    for _ in 0..3 {
        world.nodes[0].expect_proof(now, step.path);
    }
    world.run(Duration::from_secs(50));
    assert!(world.nodes[0].paths(&address, world.now).all(|path| path.is_distrusted));
    let link = world.link(0);
    world.tell(0, Input::LinkStands { link, trust: Trust::Sure, reliability: Some(63) });
    world.run(Duration::from_secs(150));
    assert!(world.nodes[0].paths(&address, world.now).all(|path| !path.is_distrusted));
}

impl World {
    /// An end of an edge thinks so of the other.
    fn stands(&mut self, at: usize, end: usize, trust: Trust) {
        let link = self.link(at);
        self.tell(end, Input::LinkStands { link, trust, reliability: None });
    }
}
