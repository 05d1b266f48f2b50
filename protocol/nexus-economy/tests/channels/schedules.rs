//! Random schedules: letters lost, repeated and out of order, writes that are late, crashes on either side of a write. At the end of each
//! everything heals, and every win must have been paid.

use nexus_economy::channels::account::Own;
use nexus_machine::{Duration, Seed, Stream};

use crate::world::{REWARD, World};

const SCHEDULES: u64 = 1_000;
const STEPS: u32 = 120;

#[test]
fn whatever_is_lost_late_or_crashes_every_win_is_paid_once_and_little_is_at_stake() {
    let (mut crashes, mut updates, mut widest) = (0, 0, 0);
    for schedule in 0..SCHEDULES {
        let mut random = Seed::new([0xc4; 32]).fork_index("schedules", schedule).fork("schedule");
        let mut world = World::opened();
        let lent = world.nodes[0].account().agreed.body.balance_a;
        let wins = [random.below(8), random.below(8)];
        world.win(wins);
        for _ in 0..STEPS {
            crashes += u64::from(step(&mut world, &mut random));
            let [a, b] = [0, 1].map(|own| world.nodes[own].account().agreed.body);
            assert_eq!(a.balance_a + a.balance_b, 2 * lent, "schedule {schedule}: value");
            assert_eq!(b.balance_a + b.balance_b, 2 * lent, "schedule {schedule}: value");
            widest = widest.max(a.balance_a.abs_diff(b.balance_a));
        }
        heal(&mut world);
        let [a, b] = [0, 1].map(|own| world.nodes[own].account().clone());
        assert_eq!(a.agreed, b.agreed, "schedule {schedule}");
        assert!(a.own == Own::AwaitingWin && b.own == Own::AwaitingWin, "schedule {schedule}: stuck");
        assert_eq!(world.nodes.iter().map(|node| node.wins).sum::<u64>(), 0, "schedule {schedule}: stuck");
        let balance = lent + REWARD * wins[0] - REWARD * wins[1];
        assert_eq!(a.agreed.body.balance_a, balance, "schedule {schedule}: every win, once");
        updates += wins[0] + wins[1];
    }
    println!("{SCHEDULES} schedules, {updates} wins, {crashes} crashes: views at most {widest} µNXS apart");
    assert!(crashes > SCHEDULES, "a schedule without crashes proves little");
    assert!(widest <= REWARD, "never more than one win is between the two");
}

/// One thing that happens; whether it was a crash.
fn step(world: &mut World, random: &mut Stream) -> bool {
    let own = usize::from(random.chance(1, 2));
    match random.below(20) {
        0..5 => drop(world.sync(own)),
        5..10 => drop(world.deliver(own)),
        10 => drop(world.link[own].pop_front()),
        11 => {
            let first = world.link[own].front().cloned();
            world.link[own].extend(first);
        }
        12 => {
            let last = world.link[own].pop_back();
            if let Some(bytes) = last {
                world.link[own].push_front(bytes);
            }
        }
        13..16 => world.pass_quietly(Duration::from_millis(random.below(5_000))),
        16 => world.link_up(),
        17 => {
            // The write was made, and nothing that depends on it was done.
            if let Some((_, writes)) = world.nodes[own].waiting.pop_front() {
                for write in writes {
                    world.nodes[own].disk.apply(write);
                }
            }
            crash(world, own);
            return true;
        }
        18 => {
            crash(world, own);
            return true;
        }
        _ => world.win([0, 0]),
    }
    false
}

fn crash(world: &mut World, own: usize) {
    world.nodes[own].restart();
    world.link_up();
}

fn heal(world: &mut World) {
    for _ in 0..6 {
        world.run();
        world.link_up();
        world.run();
        world.win([0, 0]);
        world.run();
        world.pass(Duration::from_secs(700));
    }
}
