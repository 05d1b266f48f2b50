//! How soon all hold the same, over random graphs.
#![allow(clippy::disallowed_macros, reason = "what was measured is for the specification")]

use alloc::vec::Vec;

use nexus_machine::Duration;

use super::world::{Edge, World};

const IP: u64 = 1_000_000;
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn what_one_node_publishes_is_everywhere_within_a_round() {
    let mut world = World::random(1, 30, IP);
    world.up_all();
    world.run(Duration::from_secs(120));
    world.publish_random(0, 1);
    let took = world.run_until(Duration::from_secs(60), World::agrees);
    assert!(took.is_some());
}

#[test]
fn a_partition_of_a_week_heals_within_as_many_rounds_as_the_logarithm_of_the_nodes() {
    // The logarithm in hundredths.
    for (nodes, log2) in [(10_u16, 332), (30, 491), (100, 664), (300, 823)] {
        let mut world = World::random(nodes.into(), nodes.into(), IP);
        world.loses_percent = 10;
        let half = world.nodes.len() / 2;
        let is_between =
            |edge: &Edge| edge.ends.map(|end| end < half)[0] != edge.ends.map(|end| end < half)[1];
        let between: Vec<usize> = (0..world.edges.len()).filter(|at| is_between(&world.edges[*at])).collect();
        world.publish_random(0, 20);
        world.up_all();
        assert!(world.run_until(HOUR, World::agrees).is_some());
        for at in &between {
            world.down(*at);
        }
        for n in 0..world.nodes.len() {
            world.publish_random(n, 1);
        }
        world.run(HOUR.times(7 * 24));
        assert!(!world.agrees());
        let before = world.bytes;
        for at in between {
            world.up(at);
        }
        let took = world.run_until(HOUR, World::agrees).expect("it heals within an hour");
        let (hundredths, bytes) = (took.as_millis() * 100 / 600 / log2, world.bytes - before);
        std::eprintln!(
            "{nodes} nodes: {took:?}, {hundredths} hundredths of log2 N rounds, {bytes} bytes on all links"
        );
        assert!(hundredths <= 150, "{nodes} nodes: {took:?}");
    }
}
