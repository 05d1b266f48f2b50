//! A neighbour that makes destinations up, as fast as it is listened to, in a line of relays: what others announced stays reachable.

use super::graphs::{Prices, World};
use super::links::promised;
use super::*;
use nexus_testkit::heap;

use nexus_wire::nexus::path_cost::HopCount;

use crate::routes::PathPolicy;

#[test]
fn however_many_destinations_a_neighbour_makes_up_it_pushes_out_nobody_elses_anywhere() {
    // 4 brings a hundred destinations to 0, from which a line leads over 1 and 2 to 3; 5 is the flooder, at 1. 6 comes later.
    let edges = [(0, 1), (1, 2), (2, 3), (0, 4), (1, 5), (3, 6)];
    let mut world = World::with_limits(0, 7, &edges, &[0, 3], Prices::None, ROOM);
    let [honest, flooder, late] = [3, 4, 5];
    world.run(Duration::from_secs(5));
    world.down(late, Duration::from_secs(1));
    let genuine: Vec<NodeIdentity> = (0..GENUINE).map(|n| numbered(1_000_000 + n)).collect();
    let (mut most, mut before) = (0, (0, 0));
    let flood = flood();
    for n in 0..flood {
        if n % REFRESH_AFTER == 0 {
            let unix_s = UNIX + u64::from(n);
            for identity in &genuine {
                world.hears(0, honest, signed(identity, unix_s, b"N\x01"), FAR);
                world.run(Duration::from_millis(10));
            }
            world.tell(0, Input::Announce);
            world.tell(3, Input::Announce);
        }
        world.hears(1, flooder, signed(&numbered(n), UNIX, b"N\x01"), 0);
        world.run(EVERY);
        if n % 1_000 == 0 {
            most = most.max(world.nodes[1].known().count());
        }
        if n == flood / 2 {
            before = (heap::held(), world.all_known());
        }
    }
    assert_eq!((most, world.nodes[1].refusals().hasty), (ROOM.known, 0), "all were looked at");
    // What drips through fills the others' tables, up to their bounds: nothing else grows.
    let (growth, learnt) = (heap::held() - before.0, world.all_known() - before.1);
    assert!(growth < 65_536 + 4_096 * isize::try_from(learnt).unwrap(), "{growth} bytes for {learnt} more");
    assert!(world.nodes[1].refusals().withheld > u64::from(flood / 2), "{:?}", world.nodes[1].refusals());
    world.up(late);
    world.run(Duration::from_secs(60));
    for at in [1, 2, 3, 6] {
        let node = &mut world.nodes[at];
        let known = genuine.iter().filter(|identity| {
            let destination = identity.node_id().into();
            node.announce_of(&destination).is_some()
                && node.next_hop(world.now, &destination, PathPolicy::Cheapest, None).is_some()
        });
        assert_eq!(known.count(), genuine.len(), "node {at} knows {}", node.known().count());
    }
    for (from, to) in [(0, 3), (3, 0), (1, 3), (2, 0), (6, 0)] {
        assert_eq!(world.walk(from, to, PathPolicy::Cheapest).last(), Some(&to));
    }
    let bound = world.nodes[1].memory_bound();
    let relay = world.nodes.remove(1);
    let ((), freed) = heap::growth_of(|| drop(relay));
    assert!(usize::try_from(-freed).unwrap() < bound, "{freed} of {bound}");
}

// ───────────── helpers ─────────────

const ROOM: Limits = Limits { known: 1_024, relays: 512, links: 16, paths: 4_096, cache_bytes: 262_144 };
/// At fifty a second that is three minutes, and ten times the table.
const FLOOD: u32 = 10_000;
const GENUINE: u32 = 100;
/// The hops that genuine ones came.
const FAR: u8 = 5;
/// As fast as signatures of one neighbour are looked at.
const EVERY: Duration = Duration::from_millis(20);
/// Everybody announces anew after 1,600 s, at that rate.
const REFRESH_AFTER: u32 = 80_000;

/// As many, or so many times as many as somebody wishes.
#[expect(clippy::disallowed_methods, reason = "how much a test does is its caller's to say")]
fn flood() -> u32 {
    FLOOD * std::env::var("NEXUS_FLOOD").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

fn numbered(n: u32) -> NodeIdentity {
    let mut seed = [77; 32];
    seed[..4].copy_from_slice(&n.to_le_bytes());
    NodeIdentity::from_seed(IdentitySeed::from_bytes(seed))
}

impl World {
    /// How many destinations all nodes know together.
    fn all_known(&self) -> usize {
        self.nodes.iter().map(|node| node.known().count()).sum()
    }

    /// The peer at the other end of an edge says an announce that came so many hops.
    fn hears(&mut self, node: usize, edge: usize, mut packet: Vec<u8>, hops: u8) {
        packet[1] = hops;
        let cost = CompactPathCost { hops: HopCount(hops), ..CompactPathCost::ORIGIN };
        self.tell(node, Input::HeardOnLink { link: self.link(edge), cost, packet: promised(packet) });
    }
}
