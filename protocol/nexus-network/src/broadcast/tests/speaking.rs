//! What is said: sealed once, in fragments if it is long, each counter once.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::nexus::control::BroadcastKey;
use nexus_wire::nexus::frame::{BeaconTag, KeyName};

use super::world::{IFACE, World, header, link};
use crate::broadcast::{GivenKey, Input};

fn settled(count: usize) -> World {
    let mut world = World::linked(count);
    world.run_for(Duration::from_secs(5));
    world
}

#[test]
fn a_long_announce_goes_in_fragments_each_of_them_signed() {
    let mut world = settled(2);
    let packet: Vec<u8> = (0..474_u16).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let frames = world.say(0, &packet);
    assert_eq!(frames.len(), 2);
    assert!(frames.iter().all(|frame| frame.len() <= 508));
    world.hear(1, &frames[1]);
    assert_eq!(world.nodes[1].announced, []);
    world.hear(1, &frames[0]);
    assert_eq!(world.nodes[1].announced, [(link(0), packet)]);
    assert_eq!(world.refused(1), []);
}

#[test]
fn an_announce_of_409_bytes_is_the_longest_that_goes_in_one_frame_of_508() {
    let mut world = settled(2);
    let frames = world.say(0, &[1; 409]);
    assert_eq!(frames.iter().map(Vec::len).collect::<Vec<_>>(), [508]);
    assert_eq!(world.say(0, &[1; 410]).len(), 2);
}

#[test]
fn fragments_of_two_senders_and_of_two_keys_do_not_mix() {
    let mut world = settled(3);
    let (one, other) = (vec![1; 474], vec![2; 474]);
    let first = world.say(0, &one);
    let second = world.say(1, &other);
    world.hear(2, &first[0]);
    world.hear(2, &second[1]);
    assert_eq!(world.nodes[2].announced, []);
    world.hear(2, &second[0]);
    world.hear(2, &first[1]);
    assert_eq!(world.nodes[2].announced, [(link(1), other), (link(0), one.clone())]);
    // Half of it under one key, half under the next.
    let before = world.say(0, &one);
    world.run_for(Duration::from_secs(3_610));
    let after = world.say(0, &one);
    assert_ne!(header(&before[0]).key, header(&after[0]).key);
    world.hear(2, &before[0]);
    world.hear(2, &after[1]);
    assert_eq!(world.nodes[2].announced.len(), 2);
}

#[test]
fn a_set_that_waits_is_displaced_by_the_next_and_given_up_in_time() {
    let mut world = settled(2);
    let [first, second, third] = [1, 2, 3].map(|n| world.say(0, &[n; 474]));
    world.hear(1, &first[0]);
    world.hear(1, &second[0]);
    world.hear(1, &first[1]);
    assert_eq!(world.nodes[1].announced, [], "displaced, and displacing");
    world.hear(1, &second[1]);
    assert_eq!(world.nodes[1].announced, []);
    world.hear(1, &third[0]);
    world.run_for(Duration::from_secs(2));
    world.hear(1, &third[1]);
    assert_eq!(world.nodes[1].announced, [], "too late");
}

#[test]
fn no_counter_seals_two_frames_and_before_the_last_another_key_is_made() {
    let mut world = settled(2);
    let counters: Vec<u32> = (0..5).map(|n| header(&world.say(0, &[n])[0]).counter).collect();
    assert_eq!(counters, [0, 1, 2, 3, 4]);
    let name = |frame: &[u8]| header(frame).key;
    let before = world.say(0, b"before");
    let own = &mut world.nodes[0].organ.channels.get_mut(&IFACE).unwrap().current;
    own.as_mut().unwrap().counter = u32::MAX - 1;
    let last = world.say(0, b"last");
    assert_eq!((name(&last[0]), header(&last[0]).counter), (name(&before[0]), u32::MAX - 1));
    assert_eq!(world.say(0, b"none"), Vec::<Vec<u8>>::new());
    assert_eq!(world.nodes[0].organ.withheld(), 1);
    world.run_for(Duration::from_secs(5));
    let after = world.say(0, b"after");
    assert_ne!(name(&after[0]), name(&before[0]));
    world.hear(1, &after[0]);
    assert_eq!(world.nodes[1].announced, [(link(0), b"after".to_vec())]);
}

#[test]
fn a_frame_is_taken_once_and_none_from_before_the_key_was_given() {
    let mut world = settled(2);
    let frames: Vec<Vec<u8>> = (0..70).map(|n| world.say(0, &[n]).remove(0)).collect();
    world.hear(1, &frames[1]);
    world.hear(1, &frames[1]);
    world.hear(1, &frames[69]);
    world.hear(1, &frames[2]);
    assert_eq!(world.nodes[1].announced.len(), 2);
    assert_eq!(world.refused(1), [("replayed", 1), ("too_old", 1)]);
    // A newcomer is given the same key later.
    let mut late = World::linked(3);
    late.run_for(Duration::from_secs(5));
    let early = late.say(0, b"early");
    late.unlink(0, 1, crate::broadcast::Departure::Left);
    late.link(0, 1);
    late.run_for(Duration::from_secs(5));
    late.hear(1, &early[0]);
    assert_eq!(late.nodes[1].announced, []);
    assert_eq!(late.refused(1), [("too_old", 1)]);
}

#[test]
fn the_same_key_given_again_opens_no_frame_again() {
    let mut world = settled(2);
    let frame = world.say(0, b"once").remove(0);
    world.hear(1, &frame);
    let own = world.nodes[0].organ.channels[&IFACE].current.as_ref().unwrap();
    let message = BroadcastKey { next_counter: 0, beacon_tag: BeaconTag(5), ..own.as_message() };
    let again = GivenKey::of(&message);
    world.tell(1, Input::Given { link: link(0), key: again });
    world.hear(1, &frame);
    assert_eq!(world.nodes[1].announced.len(), 1);
    assert_eq!(world.refused(1), [("replayed", 1)]);
    assert!(matches!(header(&frame).key, KeyName::Broadcast(_)));
}
