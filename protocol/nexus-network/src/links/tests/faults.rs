//! Entropy that does not come or comes twice, and clocks that stand still or leap.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed};

use super::world::{IFACE, World, address, identity, profile};
use crate::interface::Reach;
use crate::links::{Down, Effect, Input, Limits, Links, Policy};

const HOUR: Duration = Duration::from_secs(3_600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The frames of handshakes that a node sent since the air had `since` frames.
fn handshakes_of(world: &World, node: usize, since: usize) -> usize {
    let is =
        |(from, _, bytes): &&(usize, usize, Vec<u8>)| *from == node && (1..=3).contains(&(bytes[0] & 15));
    world.air[since..].iter().filter(is).count()
}

#[test]
fn without_entropy_links_stay_and_it_is_asked_for_once_a_minute() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 301);
    world.entropy = false;
    world.up_all();
    world.run_for(Duration::from_secs(5));
    assert!(world.agree(0, 1), "the seed is entropy too");
    world.run_for(HOUR.times(5));
    assert!(world.agree(0, 1));
    for node in &world.nodes {
        assert!(node.downs.is_empty());
        assert!((295..=301).contains(&node.entropy_wanted), "{}", node.entropy_wanted);
    }
}

#[test]
fn after_clocks_parted_nothing_is_begun_or_answered_before_there_is_entropy() {
    for reach in [Reach::PointToPoint, Reach::Addressed] {
        let mut world = World::new(2, profile(reach, 10_000_000), 302);
        world.recording = true;
        world.up_all();
        world.run_for(Duration::from_secs(20));
        assert!(world.agree(0, 1));
        world.entropy = false;
        let asked = world.nodes[0].entropy_wanted;
        world.tell(0, Input::ClocksParted);
        assert_eq!(world.nodes[0].downs, [Down::ClocksParted]);
        let since = world.air.len();
        // The other end finds out, and begins again and again.
        world.run_for(HOUR);
        assert!(world.nodes[0].up.is_empty());
        assert_eq!(handshakes_of(&world, 0, since), 0, "{reach:?}: a key was made");
        assert!(handshakes_of(&world, 1, since) > 5, "{reach:?}: the other end tried");
        let asks = world.nodes[0].entropy_wanted - asked;
        assert!((55..=70).contains(&asks), "{reach:?}: asked {asks} times in an hour");
        world.entropy = true;
        world.tell(0, Input::Entropy([7; 32]));
        let end = world.now.after(Duration::from_secs(90));
        assert!(world.run_until(end, |world| world.agree(0, 1)), "{reach:?}");
    }
}

/// What an organ sends of itself at its deadlines, until `until`.
fn says(links: &mut Links, until: Instant) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    while let Some(at) = links.next_timeout().filter(|at| *at <= until) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        links.handle_timeout(Cx::at(at), &mut out);
        said.extend(out.into_iter().filter_map(|effect| match effect {
            Effect::Send(frame) => Some(frame.bytes),
            Effect::Up(_)
            | Effect::Down { .. }
            | Effect::Measured { .. }
            | Effect::Stands { .. }
            | Effect::Beaconed(_)
            | Effect::EntropyWanted => None,
        }));
    }
    said
}

#[test]
fn two_copies_of_one_machine_say_the_same_until_they_know_and_nothing_alike_after() {
    let mut copies: Vec<Links> = (0..2)
        .map(|_| Links::new(identity(1), Policy::Anyone, Limits::default(), &Seed::new([5; 32])))
        .collect();
    let at = |seconds| Instant::BOOT.after(Duration::from_secs(seconds));
    let mut said = Vec::new();
    for (links, n) in copies.iter_mut().zip(1..) {
        let mut out: VecDeque<Effect> = VecDeque::new();
        links.handle(Cx::at(at(0)), Input::Up(IFACE, profile(Reach::PointToPoint, 1_000_000)), &mut out);
        let before = says(links, at(10));
        assert!(!before.is_empty());
        // Resumed: no key is made until its own entropy came.
        links.handle(Cx::at(at(10)), Input::ClocksParted, &mut out);
        assert_eq!(says(links, at(100)), Vec::<Vec<u8>>::new());
        links.handle(Cx::at(at(100)), Input::Entropy([n; 32]), &mut out);
        said.push((before, says(links, at(200))));
    }
    assert_eq!(said[0].0, said[1].0, "they are copies");
    assert!(!said[0].1.is_empty());
    assert!(said[0].1.iter().all(|frame| !said[1].1.contains(frame)));
    assert!(said[0].1.iter().all(|frame| !said[0].0.contains(frame)), "nor what was begun before");
}

#[test]
fn a_machine_that_slept_for_a_week_seals_nothing_under_the_old_key_and_links_anew() {
    for reach in [Reach::PointToPoint, Reach::Addressed] {
        let mut world = World::new(2, profile(reach, 10_000_000), 303);
        world.recording = true;
        world.up_all();
        world.run_for(Duration::from_secs(20));
        assert!(world.agree(0, 1));
        let since = world.air.len();
        world.now = world.now.after(WEEK);
        world.run_for(Duration::from_micros(10));
        assert!(
            world.nodes.iter().all(|node| node.up.is_empty() && node.downs == [Down::KeyExpired]),
            "{reach:?}"
        );
        let sealed = world.air[since..].iter().filter(|(_, _, bytes)| bytes[0] & 15 == 4).count();
        assert_eq!(sealed, 0, "{reach:?}");
        let end = world.now.after(Duration::from_secs(60));
        assert!(world.run_until(end, |world| world.agree(0, 1)), "{reach:?}");
    }
}

#[test]
fn a_clock_that_stands_still_for_thousands_of_frames_harms_nothing() {
    let mut world = World::new(2, profile(Reach::Addressed, 10_000_000), 304);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(20));
    assert!(world.agree(0, 1));
    let link = world.link(1);
    let now = world.now;
    for n in 0..5_000_u32 {
        let sent = world.air.len();
        world.send(1, link, b"\x81\0\0at one moment");
        let frame = world.air[sent].2.clone();
        assert!(world.inject(0, address(2), frame.clone()).is_some(), "{n}");
        assert!(world.inject(0, address(2), frame).is_none(), "{n}: once");
    }
    assert_eq!(world.now, now);
    world.run_for(Duration::from_secs(60));
    assert!(world.agree(0, 1) && world.nodes.iter().all(|node| node.downs.is_empty()));
}
