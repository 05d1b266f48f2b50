//! Attackers: with an identity of their own and forged addresses, with beacons made up, with handshakes without end.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Duration, Seed};
use nexus_wire::nexus::frame::{FrameKind, Head, LinkVersion};

use super::world::{IFACE, World, address, profile};
use crate::interface::Reach;
use crate::links::{Input, Limits, Policy};

/// Two nodes on a local network that carries nothing by itself, and a third address where nobody speaks: every frame is
/// carried by hand.
fn by_hand(seed: u64) -> World {
    let mut world = World::new(3, profile(Reach::Addressed, 10_000_000), seed);
    world.recording = true;
    world.beacons = false;
    world.loss = 1_000;
    world.tell(0, Input::Up(IFACE, world.profile));
    world.tell(1, Input::Up(IFACE, world.profile));
    world
}

/// The last frame of this kind that a node sent.
fn last(world: &World, node: usize, kind: u8) -> Vec<u8> {
    let is = |(from, _, bytes): &&(usize, usize, Vec<u8>)| *from == node && bytes[0] & 15 == kind;
    world.air.iter().rev().find(is).expect("it was sent").2.clone()
}

/// Bytes that a node sent to an address since the air had `since` frames.
fn sent_to(world: &World, node: usize, to: usize, since: usize) -> usize {
    let is = |(from, at, _): &&(usize, usize, Vec<u8>)| *from == node && *at == to;
    world.air[since..].iter().filter(is).map(|(.., bytes)| bytes.len()).sum()
}

/// Node 1 begins with node 0; its messages come from these addresses. Returns the length of its message 3.
fn begins(world: &mut World, first_from: &[u8], finish_from: u8) -> usize {
    world.tell(1, Input::Dial { iface: IFACE, to: address(1), expected: None });
    world.run_for(Duration::from_millis(500));
    let first = last(world, 1, 1);
    for from in first_from {
        world.inject(0, address(*from), first.clone());
    }
    let reply = last(world, 0, 2);
    world.inject(1, address(1), reply);
    let finish = last(world, 1, 3);
    world.inject(0, address(finish_from), finish.clone());
    assert_eq!(world.nodes[0].up.len(), 1, "it is a genuine handshake");
    finish.len()
}

#[test]
fn an_address_that_only_message_3_names_gets_little_until_it_answers() {
    // From another address than the first message; and from one to which the reply was sent only in a repetition.
    for first_from in [&[2][..], &[3, 2], &[2, 3]] {
        let mut world = by_hand(61);
        let since = world.air.len();
        let finish = begins(&mut world, first_from, 3);
        let to_victim: usize = first_from.iter().filter(|from| **from == 3).map(|_| 107).sum();
        let link = world.link(0);
        for _ in 0..20 {
            world.send(0, link, &[&b"\x81\0\0"[..], &[0; 400]].concat());
        }
        world.run_for(Duration::from_secs(120));
        let spent = sent_to(&world, 0, 2, since).saturating_sub(to_victim);
        assert!(spent <= 3 * finish, "{first_from:?}: {spent} bytes to somebody who never spoke");
    }
}

#[test]
fn an_address_from_which_both_messages_came_is_spoken_to_freely() {
    let mut world = by_hand(62);
    begins(&mut world, &[2], 2);
    let (link, since) = (world.link(0), world.air.len());
    world.send(0, link, &[&b"\x81\0\0"[..], &[0; 900]].concat());
    assert!(sent_to(&world, 0, 1, since) > 900);
}

#[test]
fn a_responder_cannot_make_an_initiator_speak_to_a_stranger() {
    let mut world = by_hand(63);
    world.tell(0, Input::Dial { iface: IFACE, to: address(2), expected: None });
    world.run_for(Duration::from_millis(500));
    let first = last(&world, 0, 1);
    world.inject(1, address(1), first);
    let (reply, since) = (last(&world, 1, 2), world.air.len());
    world.inject(0, address(3), reply);
    let finish = last(&world, 0, 3);
    world.inject(1, address(1), finish);
    let sealed = last(&world, 1, 4);
    world.inject(0, address(3), sealed.clone());
    let link = world.link(0);
    for _ in 0..20 {
        world.send(0, link, &[&b"\x81\0\0"[..], &[0; 400]].concat());
    }
    world.run_for(Duration::from_secs(120));
    let spent = sent_to(&world, 0, 2, since);
    assert!(spent <= 3 * (107 + sealed.len()), "{spent}");
}

#[test]
fn a_link_with_a_forged_address_does_not_stand_in_for_whom_the_operator_named() {
    let mut world = by_hand(64);
    begins(&mut world, &[2], 3);
    world.tell(2, Input::Up(IFACE, world.profile));
    world.loss = 0;
    world.tell(0, Input::Dial { iface: IFACE, to: address(3), expected: None });
    world.run_for(Duration::from_secs(5));
    assert!(world.agree(0, 2), "node 2 lives there, whatever node 1 pretends");
}

#[test]
fn a_neighbours_link_keeps_its_address_when_another_pretends_to_live_there() {
    let mut world = World::new(3, profile(Reach::Addressed, 10_000_000), 65);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(20));
    assert!(world.agree(0, 1) && world.agree(0, 2));
    world.beacons = false;
    world.tell(0, Input::Dial { iface: IFACE, to: address(3), expected: None });
    world.run_for(Duration::from_secs(5));
    // Node 1 moves to node 2's address, and back.
    let to_0 = *world.nodes[1].up.iter().find(|(_, peer)| **peer == world.id(0)).unwrap().0;
    for from in [3, 2] {
        world.loss = 1_000;
        world.send(1, to_0, b"\x81\0\0here I am");
        let sealed = last(&world, 1, 4);
        world.loss = 0;
        assert!(world.inject(0, address(from), sealed).is_some());
        world.run_for(Duration::from_secs(2));
    }
    let handshakes = world.air.iter().filter(|(from, _, bytes)| *from == 0 && bytes[0] & 15 == 1).count();
    world.tell(0, Input::Dial { iface: IFACE, to: address(3), expected: None });
    world.run_for(Duration::from_secs(60));
    let later = world.air.iter().filter(|(from, _, bytes)| *from == 0 && bytes[0] & 15 == 1).count();
    assert_eq!(later, handshakes, "whoever is there is a neighbour already");
    assert!(world.nodes[0].downs.is_empty());
}

#[test]
fn beacons_made_up_do_not_keep_a_dead_link_nor_make_this_node_talk() {
    let mut world = World::new(2, profile(Reach::Addressed, 10_000_000), 66);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(10));
    assert!(world.agree(0, 1));
    world.loss = 1_000;
    let since = world.air.len();
    for n in 0..12_000_u32 {
        let head = Head::new(LinkVersion::ONE, FrameKind::BEACON).to_wire();
        let tag = (n + 7).to_le_bytes();
        world.inject(0, address(2), [&[head][..], &tag, &[1]].concat());
        world.run_for(Duration::from_millis(10));
    }
    assert!(world.nodes[0].up.is_empty(), "silent for two minutes");
    let frames = world.air[since..].iter().filter(|(from, ..)| *from == 0).count();
    assert!(frames < 1_000, "{frames} frames for beacons that anybody can make up");
}

#[test]
fn who_is_unwanted_by_the_time_the_handshake_ends_gets_no_link() {
    let mut world = by_hand(67);
    world.tell(0, Input::Dial { iface: IFACE, to: address(2), expected: None });
    world.run_for(Duration::from_millis(500));
    let first = last(&world, 0, 1);
    world.inject(1, address(1), first);
    let reply = last(&world, 1, 2);
    world.inject(0, address(2), reply);
    let finish = last(&world, 0, 3);
    world.inject(1, address(1), finish);
    let sealed = last(&world, 1, 4);
    world.tell(0, Input::Policy(Policy::Only(BTreeSet::new())));
    world.inject(0, address(2), sealed);
    assert!(world.nodes[0].up.is_empty());
    assert_eq!(world.nodes[0].links.handshakes(), (0, 0), "it leaves nothing behind");
}

#[test]
fn whom_the_operator_named_is_linked_when_there_is_room_again() {
    let limits = Limits { links: 1, ..Limits::default() };
    let mut world = World::with_limits(3, profile(Reach::Addressed, 10_000_000), 68, limits);
    world.beacons = false;
    world.up_all();
    world.tell(0, Input::Dial { iface: IFACE, to: address(2), expected: None });
    world.run_for(Duration::from_secs(5));
    assert!(world.agree(0, 1));
    world.tell(0, Input::Dial { iface: IFACE, to: address(3), expected: None });
    world.run_for(Duration::from_secs(5));
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.refused(0, "crowded"), 0, "no handshake for which there is no room");
    let other = world.id(1);
    // The first link goes, and its peer is not wanted any more: the only room is for the other.
    world.tell(0, Input::Undial { iface: IFACE, to: address(2) });
    world.tell(0, Input::Policy(Policy::AllBut(BTreeSet::from([other]))));
    world.run_for(Duration::from_secs(120));
    assert!(world.agree(0, 2));
}

#[test]
fn a_flood_of_handshakes_pushes_out_a_random_one() {
    let mut survived = 0;
    for seed in 0..20 {
        let limits = Limits { answering: 64, ..Limits::default() };
        let mut world = World::with_limits(2, profile(Reach::Addressed, 10_000_000), 100 + seed, limits);
        world.recording = true;
        world.beacons = false;
        world.loss = 1_000;
        world.up_all();
        let mut random = Seed::new([3; 32]).fork_index("flood", seed).fork("flood");
        let mut flood = |world: &mut World, count: u64| {
            for _ in 0..count {
                let mut bytes = vec![Head::new(LinkVersion::ONE, FrameKind::FIRST).to_wire(), 1];
                bytes.extend(random.bytes::<1>());
                bytes.extend([0; 4]);
                bytes.extend(random.bytes::<32>());
                world.inject(0, address(77), bytes);
                world.run_for(Duration::from_millis(51));
            }
        };
        // Long enough that those who stay are those whom an unfair choice spares.
        flood(&mut world, 200);
        world.tell(1, Input::Dial { iface: IFACE, to: address(1), expected: None });
        world.run_for(Duration::from_millis(500));
        let first = last(&world, 1, 1);
        world.inject(0, address(2), first);
        let reply = last(&world, 0, 2);
        world.run_for(Duration::from_millis(51));
        flood(&mut world, 6);
        world.inject(1, address(1), reply);
        let finish = last(&world, 1, 3);
        world.inject(0, address(2), finish);
        survived += world.nodes[0].up.len();
    }
    assert!(survived >= 15, "{survived} of 20 came through six messages of a flood, at 64 places");
}

#[test]
fn many_questions_in_a_frame_get_one_answer() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 69);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(5));
    let (link, since) = (world.link(1), world.air.len());
    // PING with bit 7: no length, token and clock.
    let ping = [&[0x84][..], &[9; 12]].concat();
    world.send(1, link, &ping.repeat(70));
    world.run_for(Duration::from_millis(50));
    let answers = world.air[since..].iter().filter(|(from, ..)| *from == 0).count();
    assert_eq!(answers, 1);
}

#[test]
fn a_peer_that_takes_no_frames_is_refused() {
    for (frame_size, linked) in [(0, false), (24, false), (106, false), (107, true)] {
        let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 70);
        world.up_all();
        let small = crate::interface::Profile { frame_size, ..world.profile };
        world.tell(1, Input::Up(IFACE, small));
        world.run_for(Duration::from_secs(5));
        assert_eq!(world.agree(0, 1), linked, "{frame_size}");
    }
}

#[test]
fn what_arrived_under_one_key_is_not_acknowledged_under_another() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 50_000), 71);
    world.rekey_after(Duration::from_secs(20));
    world.up_all();
    world.run_for(Duration::from_secs(3));
    let link = world.link(1);
    for _ in 0..400 {
        world.send(1, link, b"\x81\0\0packet");
        world.run_for(Duration::from_millis(500));
    }
    let status = world.nodes[1].links.status().next().unwrap();
    assert!(status.rekeys >= 4, "{}", status.rekeys);
    assert_eq!(status.unacknowledged, 0, "nothing was lost");
}

#[test]
fn what_cannot_leave_is_counted() {
    let mut world = by_hand(72);
    begins(&mut world, &[2], 3);
    let link = world.link(0);
    let before = world.nodes[0].links.withheld();
    for _ in 0..20 {
        world.send(0, link, &[&b"\x81\0\0"[..], &[0; 400]].concat());
    }
    assert_eq!(world.nodes[0].links.withheld() - before, 20);
}
