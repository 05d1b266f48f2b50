//! Ten thousand handshakes over media that lose half, with restarts of either side: both ends agree on one link.

use nexus_machine::Duration;

use super::world::{World, profile};
use crate::interface::Reach;

/// How long after the last trouble both must agree: the patience of a handshake in vain, and its back-off.
const SETTLED: Duration = Duration::from_secs(240);

fn campaign(reach: Reach, seed: u64, handshakes: u32) {
    let mut world = World::new(2, profile(reach, 10_000_000), seed);
    world.delay_us = 400_000;
    world.up_all();
    for round in 0..handshakes {
        world.loss = world.random.below(501);
        let end = world.now.after(SETTLED);
        assert!(world.run_until(end, |world| world.agree(0, 1)), "{reach:?} {seed}, handshake {round}");
        // What is still on its way may not undo it: a little later they agree still, or again.
        let pause = Duration::from_millis(world.random.below(4_000));
        world.run_for(pause);
        let who = usize::try_from(world.random.below(3)).unwrap();
        for node in (0..2).filter(|node| who == 2 || who == *node) {
            world.restart(node);
        }
    }
}

#[test]
fn half_the_frames_lost_on_a_cable() {
    campaign(Reach::PointToPoint, 1, 2_500);
}

#[test]
fn half_the_frames_lost_on_another_cable() {
    campaign(Reach::PointToPoint, 2, 2_500);
}

#[test]
fn half_the_frames_lost_on_a_local_network() {
    campaign(Reach::Addressed, 3, 2_500);
}

#[test]
fn half_the_frames_lost_on_another_local_network() {
    campaign(Reach::Addressed, 4, 2_500);
}
