//! Floods of first messages, medium by medium: what they cost, whom they disturb, and how soon somebody genuine gets through.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Machine as _, MemoryBound as _, Seed, Stream};
use nexus_testkit::heap;
use nexus_wire::nexus::frame::{FrameKind, Head, LinkVersion};

use super::world::{IFACE, World, address, identity, profile};
use crate::interface::{Profile, Reach};
use crate::links::{Effect, Input, Limits, LinkId, Links, Policy};

/// A medium of each kind.
fn media() -> [Profile; 3] {
    [
        profile(Reach::PointToPoint, 115_200),
        profile(Reach::Addressed, 100_000_000),
        profile(Reach::Shared, 10_937),
    ]
}

/// A first message to `target` with a key that nobody has.
fn fresh(target: u32, random: &mut Stream) -> Vec<u8> {
    let head = Head::new(LinkVersion::ONE, FrameKind::FIRST).to_wire();
    let mut bytes = [&[head, 1][..], &random.bytes::<1>(), &target.to_le_bytes()].concat();
    bytes.extend(random.bytes::<32>());
    bytes
}

/// What a node calls itself in its beacons: the last that was on the air; nobody in particular on a cable.
fn tag(world: &World, node: usize) -> u32 {
    let beacon = world.air.iter().rev().find(|(from, _, bytes)| *from == node && bytes[0] & 15 == 7);
    beacon.map_or(0, |(_, _, bytes)| u32::from_le_bytes(bytes[1..5].try_into().unwrap()))
}

/// How many frames of this kind an organ sends.
fn count(effects: &VecDeque<Effect>, kind: FrameKind) -> u64 {
    let is = |effect: &&Effect| match effect {
        Effect::Send(frame) => Head::from_wire(frame.bytes[0]).map(Head::kind) == Some(kind),
        Effect::Up(_)
        | Effect::Down { .. }
        | Effect::Measured { .. }
        | Effect::Stands { .. }
        | Effect::Beaconed(_)
        | Effect::EntropyWanted => false,
    };
    u64::try_from(effects.iter().filter(is).count()).unwrap()
}

#[test]
fn memory_and_answers_stay_within_their_limits_on_every_medium() {
    for medium in media() {
        let mut random = Seed::new([3; 32]).fork("flood");
        let (mut links, start) = heap::growth_of(|| {
            Links::new(identity(1), Policy::Anyone, Limits::default(), &Seed::new([1; 32]))
        });
        let mut now = Instant::BOOT;
        let mut held = start;
        let tell = |links: &mut Links, now, input: Option<Input>| {
            let mut out: VecDeque<Effect> = VecDeque::new();
            match input {
                Some(input) => links.handle(Cx::at(now), input, &mut out),
                None => links.handle_timeout(Cx::at(now), &mut out),
            }
            out
        };
        drop(tell(&mut links, now, Some(Input::Up(IFACE, medium))));
        // On a radio channel the tag is known to whoever listens.
        now = now.after(Duration::from_secs(1));
        let beacon = tell(&mut links, now, None);
        let target = beacon.iter().find_map(|effect| match effect {
            Effect::Send(frame) => Some(u32::from_le_bytes(frame.bytes[1..5].try_into().unwrap())),
            Effect::Up(_)
            | Effect::Down { .. }
            | Effect::Measured { .. }
            | Effect::Stands { .. }
            | Effect::Beaconed(_)
            | Effect::EntropyWanted => None,
        });
        let target = target.filter(|_| medium.reach == Reach::Shared).unwrap_or(0);
        drop(beacon);
        let (mut answers, mut cookies) = (0, 0);
        // A thousand a second for a minute.
        for n in 0..60_000_u64 {
            now = now.after(Duration::from_millis(1));
            let from = (medium.reach == Reach::Addressed)
                .then(|| address(u8::try_from(if n % 2 == 0 { 200 } else { n % 100 }).unwrap()));
            let bytes = fresh(target, &mut random);
            let before = heap::held();
            let mut effects =
                tell(&mut links, now, Some(Input::Frame { iface: IFACE, from, bytes: bytes.clone() }));
            answers += count(&effects, FrameKind::REPLY);
            cookies += count(&effects, FrameKind::COOKIE);
            effects = tell(&mut links, now, None);
            drop(effects);
            drop(bytes);
            held += heap::held() - before;
        }
        let bound = isize::try_from(links.memory_bound()).unwrap();
        assert!(held <= bound, "{:?}: {held} bytes held, {bound} declared", medium.reach);
        assert!(links.handshakes().1 <= Limits::default().answering);
        let most = match medium.reach {
            Reach::PointToPoint => 20 + 60 * 2,
            Reach::Addressed => 20 + 60 * 20,
            Reach::Shared => 3 + 6,
        };
        assert!(answers <= most, "{:?}: {answers} answers", medium.reach);
        assert!(answers >= most / 2, "{:?}: {answers} answers", medium.reach);
        let expected = if medium.reach == Reach::Addressed { 60_000 - answers } else { 0 };
        assert_eq!(cookies, expected, "{:?}", medium.reach);
    }
}

/// Two linked nodes of which the first is flooded with first messages for a minute, a hundred a second. Packets go both ways
/// meanwhile.
fn flooded_while_linked(medium: Profile, seed: u64) {
    let mut world = World::new(2, medium, seed);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(90));
    assert!(world.agree(0, 1), "{:?}", medium.reach);
    let links: [LinkId; 2] = [world.link(0), world.link(1)];
    let target = if medium.reach == Reach::Shared { tag(&world, 0) } else { 0 };
    let mut random = Seed::new([4; 32]).fork("flood");
    for node in &mut world.nodes {
        node.heard.clear();
    }
    let mut said = 0;
    for n in 0..6_000_u64 {
        let bytes = fresh(target, &mut random);
        world.inject(0, address(u8::try_from(100 + n % 50).unwrap()), bytes);
        if n % 500 == 0 {
            for (node, link) in links.into_iter().enumerate() {
                world.send(node, link, b"\x81\0\0a packet meanwhile");
            }
            said += 1;
        }
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(Duration::from_secs(10));
    for (node, link) in links.into_iter().enumerate() {
        assert_eq!(world.link(node), link, "{:?}", medium.reach);
        let heard = world.nodes[node].heard.iter().filter(|heard| heard.ends_with(b"a packet meanwhile"));
        assert_eq!(heard.count(), said, "{:?}", medium.reach);
    }
    let (_, answering) = world.nodes[0].links.handshakes();
    assert!(answering <= 1_024);
}

#[test]
fn a_link_that_is_up_does_not_notice_a_flood() {
    for (medium, seed) in media().into_iter().zip(151..) {
        flooded_while_linked(medium, seed);
    }
}

#[test]
fn a_peer_on_a_flooded_cable_that_started_anew_is_linked_within_three_minutes() {
    for seed in 0..3 {
        let mut world = World::new(2, profile(Reach::PointToPoint, 115_200), 160 + seed);
        world.up_all();
        world.run_for(Duration::from_secs(5));
        assert!(world.agree(0, 1));
        let mut random = Seed::new([5; 32]).fork_index("flood", seed).fork("flood");
        let began = world.now;
        world.restart(1);
        // Fifty times as many as are answered: few of the peer's own are. Once its silence is noticed, this node begins.
        while !world.agree(0, 1) {
            let bytes = fresh(0, &mut random);
            world.inject(0, address(2), bytes);
            world.run_for(Duration::from_millis(10));
            assert!(world.now.since(began) < Duration::from_secs(180), "seed {seed}");
        }
    }
}

#[test]
fn a_first_message_that_made_a_link_leads_nowhere_however_often_it_comes_again() {
    for (medium, seed) in media().into_iter().zip(171..) {
        let mut world = World::new(2, medium, seed);
        world.recording = true;
        world.up_all();
        world.run_for(Duration::from_secs(120));
        assert!(world.agree(0, 1));
        let links = [world.link(0), world.link(1)];
        let is_first = |(_, _, bytes): &&(usize, usize, Vec<u8>)| bytes[0] & 15 == 1;
        let (_, to, first) = world.air.iter().rev().find(is_first).unwrap().clone();
        for n in 0..500_u64 {
            world.inject(to, address(u8::try_from(n % 60).unwrap()), first.clone());
            world.run_for(Duration::from_millis(50));
        }
        world.run_for(Duration::from_secs(60));
        assert_eq!([world.link(0), world.link(1)], links, "{:?}", medium.reach);
        assert!(world.nodes[to].links.handshakes().1 <= 2, "{:?}", medium.reach);
    }
}

#[test]
fn on_a_radio_channel_first_messages_for_others_and_for_nobody_spend_nothing() {
    let mut world = World::new(2, profile(Reach::Shared, 10_937), 181);
    world.recording = true;
    world.tell(0, Input::Up(IFACE, world.profile));
    world.run_for(Duration::from_secs(5));
    let (own, mut random) = (tag(&world, 0), Seed::new([6; 32]).fork("flood"));
    let sent = world.air.len();
    for n in 0..2_000 {
        let target = if n % 2 == 0 { 0 } else { own ^ 1 };
        let bytes = fresh(target, &mut random);
        world.inject(0, address(9), bytes);
    }
    assert_eq!((world.air.len(), world.refused(0, "foreign_target")), (sent, 2_000));
    assert_eq!(world.nodes[0].links.handshakes(), (0, 0));
    world.tell(1, Input::Up(IFACE, world.profile));
    let end = world.now.after(Duration::from_secs(120));
    assert!(world.run_until(end, |world| world.agree(0, 1)), "a newcomer is answered as ever");
}
