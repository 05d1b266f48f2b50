//! That what is said stays within the share of its medium, and that idle neighbours cost next to nothing.

use nexus_machine::Duration;

use super::world::World;

#[test]
fn an_idle_mesh_costs_each_link_less_than_a_byte_in_five_seconds() {
    for nodes in [5, 25, 49] {
        let mut world = World::random(nodes, usize::try_from(nodes).unwrap(), 1_000_000);
        for n in 0..world.nodes.len() {
            world.publish_random(n, 1);
        }
        world.up_all();
        assert!(world.run_until(Duration::from_secs(600), World::agrees).is_some());
        let before = world.bytes;
        world.run(Duration::from_secs(36_000));
        let per_link = (world.bytes - before) / u64::try_from(world.edges.len()).unwrap();
        assert!(per_link < 36_000 / 5, "{nodes} nodes: {per_link} bytes in ten hours, both ways");
    }
}

#[test]
fn two_stores_that_differ_much_are_brought_together_within_the_share_of_a_slow_link() {
    let mut world = World::new(5, 2, &[(0, 1)], 9_600);
    world.publish_random(0, 2_000);
    world.publish_random(1, 30);
    world.up(0);
    world.run(Duration::from_secs(4 * 3_600));
    for side in &world.edges[0].left {
        for (at, _) in side {
            let window = side.iter().filter(|(of, _)| of >= at && of.since(*at) <= Duration::from_secs(600));
            let bytes: usize = window.map(|(_, bytes)| *bytes).sum();
            assert!(bytes <= 9_600 / 8 * 600 * 55 / 1_000, "{bytes} bytes of ten minutes");
        }
    }
    let arrived = world.nodes[1].items.len();
    assert!(arrived > 1_500, "3 % of four hours carry most of it: {arrived}");
}
