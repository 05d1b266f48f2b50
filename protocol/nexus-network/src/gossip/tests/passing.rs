//! Neighbours that have only nodes between them that keep little and pass on what is said.

use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::gossip::{Done, StateHash};
use nexus_wire::nexus::message::MessageKind;

use super::world::{STORE, World};
use crate::gossip::{Extent, Input};

const IP: u64 = 1_000_000;
const HOUR: Duration = Duration::from_secs(3_600);

/// `nodes` with these links, of which `little` pass things on.
fn world(nodes: usize, edges: &[(usize, usize)], little: &[usize], bps: u64) -> World {
    let mut world = World::new(5, nodes, edges, bps);
    for n in little {
        world.tell(*n, Input::Holds { store: STORE, extent: Extent::Passing });
    }
    world
}

fn passed(world: &World) -> u64 {
    world.nodes.iter().map(|node| node.gossip.tally().passed).sum()
}

fn hold_the_same(world: &World, one: usize, other: usize) -> bool {
    world.nodes[one].items.keys().eq(world.nodes[other].items.keys())
}

#[test]
fn two_come_together_through_one_that_keeps_little_and_are_silent_then() {
    // Fast, and where bytes are dear.
    for (bps, within) in [(IP, HOUR), (5_000, HOUR.times(24))] {
        let mut world = world(3, &[(0, 1), (1, 2)], &[1], bps);
        world.publish_random(0, 100);
        world.publish_random(2, 100);
        world.up_all();
        let took = world.run_until(within, |world| hold_the_same(world, 0, 2));
        assert!(took.is_some(), "{bps} bit/s");
        world.run(HOUR);
        let (before, bytes) = (passed(&world), world.bytes);
        world.run(HOUR);
        // What both say of their state, every tenth round; and what the one between tells of what it has, every sixteenth.
        assert!(passed(&world) - before <= 30, "{bps} bit/s: {}", passed(&world) - before);
        assert!(world.bytes - bytes < 20_000, "{bps} bit/s: {}", world.bytes - bytes);
    }
}

#[test]
fn what_is_lost_on_the_way_comes_all_the_same() {
    let mut world = world(4, &[(0, 1), (1, 2), (2, 3)], &[1, 2], IP);
    world.loses_percent = 20;
    world.publish_random(0, 60);
    world.publish_random(3, 5);
    world.up_all();
    assert!(world.run_until(HOUR.times(3), |world| hold_the_same(world, 0, 3)).is_some());
}

#[test]
fn nothing_goes_round_among_those_who_pass_things_on() {
    // A ring of three, and a whole node at each of them.
    let edges = [(0, 1), (1, 2), (2, 0), (0, 3), (1, 4), (2, 5)];
    let mut world = world(6, &edges, &[0, 1, 2], IP);
    for n in 3..6 {
        world.publish_random(n, 30);
    }
    world.up_all();
    let all = |world: &World| hold_the_same(world, 3, 4) && hold_the_same(world, 4, 5);
    assert!(world.run_until(HOUR, all).is_some());
    world.run(HOUR);
    let counts: Vec<u64> = (0..2)
        .map(|_| {
            let before = passed(&world);
            world.run(HOUR);
            passed(&world) - before
        })
        .collect();
    assert!(counts.iter().all(|passed| *passed < 300), "{counts:?} in an hour each, where everybody agrees");
}

#[test]
fn who_makes_states_up_has_few_of_them_passed_on() {
    let mut world = world(3, &[(0, 1), (1, 2)], &[1], IP);
    world.publish_random(2, 5);
    world.up_all();
    world.run(Duration::from_secs(120));
    world.puppet = Some(0);
    let before = passed(&world);
    for _ in 0..10_000 {
        let done = Done { store: STORE, state_hash: StateHash(world.random.bytes()) };
        let body = done.encode(&mut [0; Done::LEN]).unwrap().to_vec();
        world.tell(1, Input::Heard { link: world.link(0), kind: MessageKind::DONE, body });
        world.run(Duration::from_millis(10));
    }
    let passed = passed(&world) - before;
    // 96 at once, and one in two seconds, of a hundred; and what the honest one says.
    assert!((90..=96 + 50 + 20).contains(&passed), "{passed} of 10,000");
}

#[test]
fn who_keeps_all_passes_nothing_on() {
    let mut world = world(3, &[(0, 1), (1, 2)], &[], IP);
    world.publish_random(0, 30);
    world.publish_random(2, 30);
    world.up_all();
    assert!(world.run_until(HOUR, World::agrees).is_some());
    assert_eq!(passed(&world), 0);
}
