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

/// What two stores of a thousand items cost that differ in some, half on each side, from the link's coming up until both hold the same: bytes on the
/// link both ways, frames and all that rounds say included, and how long it takes.
fn differing(differences: usize, bps: u64) -> (u64, Duration) {
    let mut world = World::new(u64::try_from(differences).unwrap(), 2, &[(0, 1)], bps);
    for _ in 0..1_000 - differences {
        let body = world.random.bytes::<32>().to_vec();
        world.publish(0, body.clone());
        world.publish(1, body);
    }
    world.publish_random(0, differences.div_ceil(2));
    world.publish_random(1, differences / 2);
    world.up(0);
    let took = world.run_until(HOUR.times(48), World::agrees).expect("they agree within two days");
    (world.bytes, took)
}

#[test]
fn a_difference_costs_few_bytes_on_every_class_of_links_through_the_whole_engine() {
    // From 10 kbit/s, below, below 1 kbit/s; and what one difference may cost there, where it is one, of ten, of a hundred.
    for (bps, most) in [(1_000_000, [600, 180, 140]), (5_000, [600, 200, 200]), (900, [600, 250, 300])] {
        for (differences, most) in [1, 10, 100].into_iter().zip(most) {
            let (bytes, took) = differing(differences, bps);
            let each = bytes / u64::try_from(differences).unwrap();
            std::eprintln!(
                "{bps} bit/s, {differences} of 1,000 differ: {bytes} bytes, {each} each, {took:?}"
            );
            assert!(each <= most, "{bps} bit/s, {differences} of 1,000: {each} bytes each, {took:?}");
        }
    }
}
