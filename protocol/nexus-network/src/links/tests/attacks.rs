//! Attacks on pieces, tags and senders that spec/wire.md names: each changes nothing.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::nexus::frame::HEADER_LEN;

use super::world::{World, address, profile};
use crate::interface::{Profile, Reach};
use crate::links::{LinkId, fragments};

/// Frames are so short here that a message of [`LENGTH`] goes in two.
const FRAME_SIZE: u16 = 200;
const LENGTH: usize = 300;

fn short_frames(reach: Reach, bandwidth_bps: u64) -> Profile {
    Profile { frame_size: FRAME_SIZE, ..profile(reach, bandwidth_bps) }
}

fn link_to(world: &World, node: usize, peer: usize) -> LinkId {
    let peer = world.id(peer);
    *world.nodes[node].up.iter().find(|(_, of)| **of == peer).expect("linked").0
}

/// A message with its kind, and its pieces as they are said.
fn in_pieces(fill: u8) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut message = vec![fill; LENGTH];
    message[0] = 0x81;
    let behind_headroom = [&[0; HEADER_LEN][..], &message].concat();
    let pieces =
        fragments::cut(&behind_headroom, usize::from(FRAME_SIZE), fragments::Ends::WithFrame).unwrap();
    (message, pieces.into_iter().map(|piece| piece[HEADER_LEN..].to_vec()).collect())
}

/// One piece as an attacker writes it.
fn piece(index: u8, count: u8, len: usize) -> Vec<u8> {
    [&[0x83, index | count << 4][..], &vec![7; len]].concat()
}

fn heard(world: &World, node: usize, message: &Vec<u8>) -> usize {
    world.nodes[node].heard.iter().filter(|heard| *heard == message).count()
}

#[test]
fn pieces_of_two_neighbours_never_make_one_message() {
    let mut world = World::new(3, short_frames(Reach::Addressed, 10_000_000), 201);
    world.up_all();
    world.run_for(Duration::from_secs(20));
    let (one, other) = (link_to(&world, 1, 0), link_to(&world, 2, 0));
    let (message, pieces) = in_pieces(9);
    assert_eq!(pieces.len(), 2);
    world.send(1, one, &pieces[0]);
    world.send(2, other, &pieces[1]);
    world.run_for(Duration::from_millis(100));
    assert_eq!(heard(&world, 0, &message), 0, "half of it came over another link");
    for said in &pieces {
        world.send(1, one, said);
        world.run_for(Duration::from_millis(20));
    }
    assert_eq!(heard(&world, 0, &message), 1);
    assert!(world.nodes.iter().all(|node| node.downs.is_empty()));
}

#[test]
fn what_leaves_between_the_pieces_of_a_message_keeps_it_from_nothing() {
    let mut world = World::new(2, short_frames(Reach::PointToPoint, 10_000_000), 202);
    world.up_all();
    world.run_for(Duration::from_secs(5));
    let link = world.link(1);
    let (message, pieces) = in_pieces(1);
    let between = [&[0x81, 0, 0][..], &[9; 40]].concat();
    world.send(1, link, &pieces[0]);
    world.send(1, link, &between);
    world.send(1, link, &between);
    world.run_for(Duration::from_millis(20));
    world.send(1, link, &pieces[1]);
    world.run_for(Duration::from_millis(20));
    assert_eq!((heard(&world, 0, &between), heard(&world, 0, &message)), (2, 1));
    // A piece whose message is over, or never began, does not leave.
    world.send(1, link, &pieces[1]);
    world.run_for(Duration::from_millis(20));
    assert_eq!(heard(&world, 0, &pieces[1]), 1);
}

#[test]
fn a_set_that_another_displaced_is_not_completed() {
    let mut world = World::new(2, short_frames(Reach::PointToPoint, 10_000_000), 202);
    world.up_all();
    world.run_for(Duration::from_secs(5));
    let link = world.link(1);
    world.become_lawless(1, link);
    let (first, [a, b]) = {
        let (message, pieces) = in_pieces(1);
        (message, <[_; 2]>::try_from(pieces).unwrap())
    };
    let (second, others) = in_pieces(2);
    // The second set begins before the first is complete; what is late of the first fits neither.
    for said in [&a, &others[0], &others[1], &b] {
        world.send(1, link, said);
        world.run_for(Duration::from_millis(20));
    }
    assert_eq!((heard(&world, 0, &first), heard(&world, 0, &second)), (0, 1));
}

#[test]
fn pieces_that_contradict_each_other_or_are_too_much_make_nothing() {
    for pieces in [
        vec![piece(0, 3, 175), piece(1, 3, 175), piece(2, 3, 175)],
        vec![piece(0, 3, 100), piece(1, 2, 100)],
        vec![piece(0, 3, 100), piece(1, 3, 90)],
        vec![piece(0, 2, 90), piece(1, 2, 100)],
    ] {
        let mut world = World::new(2, short_frames(Reach::PointToPoint, 10_000_000), 203);
        world.delay_us = 1;
        world.up_all();
        world.run_for(Duration::from_secs(5));
        let link = world.link(1);
        world.become_lawless(1, link);
        world.nodes[0].heard.clear();
        for said in &pieces {
            world.send(1, link, said);
            world.run_for(Duration::from_millis(5));
        }
        assert_eq!(world.nodes[0].heard, pieces, "the frames and nothing that was put together");
        assert_eq!(world.refused(0, "misplaced_fragment"), 1);
        assert!(world.agree(0, 1));
    }
}

#[test]
fn a_set_waits_for_eight_airtimes_and_a_second_at_least() {
    // A frame takes 0.32 s.
    for (bandwidth_bps, within, beyond) in [(10_000_000, 900, 1_100), (5_000, 2_400, 2_700)] {
        let arrives_after = |wait_ms: u64| {
            let mut world = World::new(2, short_frames(Reach::PointToPoint, bandwidth_bps), 204);
            world.delay_us = 1;
            world.up_all();
            // Nothing else takes a counter so early.
            world.run_for(Duration::from_secs(10));
            let link = world.link(1);
            let (message, pieces) = in_pieces(3);
            world.send(1, link, &pieces[0]);
            world.loss = 1_000;
            world.run_for(Duration::from_millis(wait_ms));
            world.loss = 0;
            world.send(1, link, &pieces[1]);
            world.run_for(Duration::from_millis(50));
            heard(&world, 0, &message)
        };
        assert_eq!(arrives_after(within), 1, "{bandwidth_bps}");
        assert_eq!(arrives_after(beyond), 0, "{bandwidth_bps}");
    }
}

#[test]
fn a_beacon_with_a_linked_peers_tag_changes_no_link_from_wherever_it_comes() {
    let mut world = World::new(2, profile(Reach::Addressed, 10_000_000), 205);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(20));
    assert!(world.agree(0, 1));
    let links = [world.link(0), world.link(1)];
    let beacons: BTreeMap<usize, Vec<u8>> = world
        .air
        .iter()
        .filter(|(_, _, bytes)| bytes[0] & 15 == 7)
        .map(|(from, _, bytes)| (*from, bytes.clone()))
        .collect();
    let sent = world.air.len();
    for _ in 0..50 {
        for node in 0..2_usize {
            for from in [u8::try_from(2 - node).unwrap(), 9] {
                world.inject(node, address(from), beacons[&(1 - node)].clone());
                world.inject(node, address(from), beacons[&node].clone());
            }
        }
        world.run_for(Duration::from_secs(1));
    }
    assert_eq!([world.link(0), world.link(1)], links);
    assert!(world.nodes.iter().all(|node| node.downs.is_empty()));
    // Whoever was begun with does not know its peer's tag, and asks the stranger's address who is there, now and then.
    let answered: usize = world.air[sent..].iter().map(|(_, _, bytes)| bytes.len()).sum();
    assert!(answered < 50 * 200, "{answered} bytes in answer to two hundred beacons");
}

#[test]
fn a_first_message_for_a_tag_of_an_earlier_start_is_not_answered() {
    for (medium, seed) in
        [(profile(Reach::Addressed, 10_000_000), 206), (profile(Reach::Shared, 10_937), 207)]
    {
        let mut world = World::new(2, medium, seed);
        world.recording = true;
        world.up_all();
        world.run_until(world.now.after(Duration::from_secs(120)), |world| world.agree(0, 1));
        assert!(world.agree(0, 1));
        let is_aimed = |(_, _, bytes): &&(usize, usize, Vec<u8>)| bytes[0] & 15 == 1 && bytes[3..7] != [0; 4];
        let (_, to, first) = world.air.iter().find(is_aimed).unwrap().clone();
        world.restart(to);
        let (sent, refused) = (world.air.len(), world.refused(to, "foreign_target"));
        world.inject(to, address(9), first);
        assert_eq!((world.air.len(), world.refused(to, "foreign_target")), (sent, refused + 1));
        assert_eq!(world.nodes[to].links.handshakes(), (0, 0));
    }
}

#[test]
fn frames_that_come_back_to_their_senders_change_nothing() {
    for (medium, seed) in [
        (profile(Reach::PointToPoint, 10_000_000), 208),
        (profile(Reach::Addressed, 10_000_000), 209),
        (profile(Reach::Shared, 10_937), 210),
    ] {
        let mut world = World::new(2, medium, seed);
        world.reflecting = true;
        world.up_all();
        world.run_until(world.now.after(Duration::from_secs(120)), |world| world.agree(0, 1));
        // Both may have begun at once.
        world.run_for(Duration::from_secs(120));
        assert!(world.agree(0, 1), "{:?}", medium.reach);
        let links = [world.link(0), world.link(1)];
        world.run_for(Duration::from_secs(1_800));
        assert_eq!([world.link(0), world.link(1)], links, "{:?}", medium.reach);
        let refused = world.refused_in_all(0) + world.refused_in_all(1);
        assert!(refused > 5, "{:?}: they were heard and refused: {refused}", medium.reach);
    }
}
