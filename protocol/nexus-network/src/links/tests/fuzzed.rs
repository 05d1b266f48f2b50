//! Two nodes under a script of any bytes: genuine frames lost, reordered, mutated, repeated, sent from elsewhere; garbage; time;
//! what the host says. The world looks at every frame and at every link; at the end both agree again.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use nexus_machine::{Duration, MemoryBound as _, Seed};

use super::world::{IFACE, World, address, profile};
use crate::interface::Reach;
use crate::links::{Input, Limits, Policy};

/// Runs a script of four bytes a step.
fn run(reach: Reach, script: &[u8]) {
    let limits = Limits { links: 4, answering: 8, opening: 4, dials: 8, interfaces: 1 };
    let mut world = World::with_limits(2, profile(reach, 10_000_000), 81, limits);
    world.rekey_after(Duration::from_secs(40));
    world.recording = true;
    world.delay_us = 300_000;
    world.up_all();
    for step in script.chunks_exact(4) {
        let [what, node, x, y] = [step[0], step[1] % 2, step[2], step[3]].map(usize::from);
        act(&mut world, what, node, (x, y));
        world.air.drain(..world.air.len().saturating_sub(64));
        for node in &world.nodes {
            let (opening, answering) = node.links.handshakes();
            assert!(opening <= limits.opening && answering <= limits.answering);
            assert!(node.links.memory_bound() < 8_000_000);
        }
    }
    world.loss = 0;
    for node in 0..2 {
        world.tell(node, Input::Policy(Policy::Anyone));
    }
    let end = world.now.after(Duration::from_secs(400));
    assert!(world.run_until(end, |world| world.agree(0, 1)), "{reach:?}: {script:?}");
}

fn act(world: &mut World, what: usize, node: usize, (x, y): (usize, usize)) {
    let from = address(if y % 4 == 0 { 9 } else { u8::try_from(2 - node).unwrap() });
    let recorded = world.air.len().checked_sub(1 + x % 64).map(|at| world.air[at].2.clone());
    match what % 16 {
        0..=5 => world.run_for(Duration::from_millis(u64::try_from(x * 20).unwrap())),
        6 => world.run_for(Duration::from_secs(u64::try_from(x / 4).unwrap())),
        7 => world.loss = u64::try_from(x * 3).unwrap(),
        8 | 9 => {
            world.inject(node, from, recorded.unwrap_or_default());
        }
        10 | 11 => {
            let mut bytes = recorded.unwrap_or_default();
            if y % 8 == 7 {
                bytes.truncate(y);
            } else if !bytes.is_empty() {
                let at = y * 7 % bytes.len();
                bytes[at] ^= 1 << (y % 8);
            }
            world.inject(node, from, bytes);
        }
        12 => {
            let mut bytes = vec![0x90 | u8::try_from(x % 8).unwrap()];
            let garbage: Vec<u8> = (0..y).map(|n| u8::try_from((n * x + y) % 251).unwrap()).collect();
            bytes.extend(garbage);
            world.inject(node, from, bytes);
        }
        13 => {
            if let Some(link) = world.nodes[node].up.keys().next().copied() {
                world.send(node, link, &[&b"\x81\0\0"[..], &vec![7; x * 2]].concat());
            }
        }
        14 if y % 8 == 0 => world.restart(node),
        14 if y % 8 == 1 => world.tell(node, Input::ClocksParted),
        14 if y % 8 == 2 => world.tell(node, Input::Policy(Policy::Only(BTreeSet::new()))),
        14 if y % 8 == 3 => world.tell(node, Input::Up(IFACE, world.profile)),
        14 => world.tell(node, Input::Policy(Policy::Anyone)),
        _ => {
            let to = address(u8::try_from(2 - node).unwrap());
            world.tell(node, Input::Dial { iface: IFACE, to, expected: None });
        }
    }
}

#[test]
fn any_script_leaves_two_nodes_that_agree_in_the_end() {
    for seed in 0..60 {
        let mut random = Seed::new([8; 32]).fork_index("script", seed).fork("bytes");
        let mut script = vec![0; 4 * 120];
        random.fill(&mut script);
        run([Reach::PointToPoint, Reach::Addressed][usize::try_from(seed % 2).unwrap()], &script);
    }
}
