//! Graphs whose nodes have room for few destinations: whoever is looked for is found.

use super::graphs::{Prices, World, pick_below};
use super::*;
use alloc::collections::BTreeSet;

use crate::routes::PathPolicy;

#[test]
fn where_most_nodes_know_few_others_whoever_is_looked_for_is_found_and_reached() {
    let (mut tried, mut asked) = (0, 0);
    for seed in 0..40 {
        let mut world = forgetful(seed);
        let nodes = world.nodes.len();
        let room = FEW.known;
        assert!(world.nodes.iter().all(|node| node.known().count() <= room), "and most are not known");
        for _ in 0..6 {
            let (from, to) = (pick_below(&mut world.random, nodes), pick_below(&mut world.random, nodes));
            if from == to {
                continue;
            }
            tried += 1;
            world.reach(from, to);
        }
        asked += world.nodes.iter().map(|node| node.path_requests().asked).sum::<u64>();
    }
    assert!(tried > 200 && asked > tried / 2, "{asked} requests for {tried} searches");
}

// ───────────── helpers ─────────────

const FEW: Limits = Limits { known: 6, relays: 32, links: 48, paths: 24, cache_bytes: 1_500 };

/// A connected graph of 20 to 32 nodes, all of which announce and none of which has room for more than a few.
fn forgetful(seed: u64) -> World {
    let mut random = Seed::new([8; 32]).fork_index("forgetful", seed).fork("shape");
    let nodes = 20 + pick_below(&mut random, 13);
    let mut edges = BTreeSet::new();
    for n in 1..nodes {
        edges.insert((pick_below(&mut random, n), n));
    }
    for _ in 0..nodes {
        let (one, other) = (pick_below(&mut random, nodes), pick_below(&mut random, nodes));
        if one < other {
            edges.insert((one, other));
        }
    }
    let edges: Vec<_> = edges.into_iter().collect();
    let targets: Vec<usize> = (0..nodes).collect();
    let mut world = World::with_limits(seed, nodes, &edges, &targets, Prices::Some, FEW);
    world.run(Duration::from_secs(300));
    world
}

impl World {
    /// Looks for `to` and walks there. Who has forgotten the way meanwhile looks for it; the sender tries again.
    fn reach(&mut self, from: usize, to: usize) {
        let destination = Self::address(to);
        self.tell(from, Input::Find { destination, motive: SearchMotive::Wish });
        self.run(Duration::from_secs(20));
        let mut ways = Vec::new();
        for _ in 0..4 {
            let way = self.walk(from, to, PathPolicy::default());
            if way.last() == Some(&to) {
                return;
            }
            if way.len() == 1 {
                // A packet without a path is a search.
                self.tell(from, Input::Find { destination, motive: SearchMotive::Packet });
            }
            self.lost_at(&way, destination);
            self.run(Duration::from_secs(15));
            ways.push(way);
        }
        panic!("from {from} to {to}: {ways:?}");
    }
}
