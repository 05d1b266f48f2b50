//! What arrives, over links of every kind.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Duration, Instant};
use nexus_wire::reticulum::Context;
use nexus_wire::reticulum::resource::SEGMENT_MAX;

use super::world::{Accepts, CABLE, Medium, Side, World, noise};
use crate::Handle;
use crate::resource::{Arrival, Command, Compression, Event, Failure, Input};

const MINUTES: Duration = Duration::from_secs(600);
const RTT: Duration = Duration::from_millis(2);

/// Sends data from left to right; the world afterwards.
fn sent(mut world: World, data: &[u8], compression: Compression, metadata: Option<&[u8]>) -> World {
    world.offer(1, data.to_vec(), compression, metadata.map(<[u8]>::to_vec));
    world.run(MINUTES.times(60));
    assert_eq!(world.end(Side::Left).events, [Event::Sent(Handle(1))]);
    let right = world.end(Side::Right);
    assert_eq!(right.events.last(), Some(&Event::Arrived(Arrival(1))));
    assert!(right.arrived.remove(&Arrival(1)).unwrap_or_default() == data, "other bytes came");
    assert_eq!(right.metadata.as_deref(), metadata);
    world
}

#[test]
fn data_of_every_size_arrives_byte_for_byte() {
    for len in [0, 1, 412, 413, 464 * 74, 464 * 75, 100_000, SEGMENT_MAX, SEGMENT_MAX + 1] {
        sent(World::new(CABLE, RTT, 464), &noise(len), Compression::None, None);
    }
    sent(World::new(CABLE, RTT, 16_348), &noise(3_000_000), Compression::None, None);
}

#[test]
fn five_megabytes_cross_a_link_that_loses_a_third_and_repeats_and_reorders() {
    let medium = Medium { lost: 30, doubled: 10, jitter: Duration::from_millis(20), ..CABLE };
    let data = noise(5_000_000);
    let mut world = sent(World::new(medium, Duration::from_millis(25), 464), &data, Compression::None, None);
    for side in [Side::Left, Side::Right] {
        let held = world.end(side).held_most;
        assert!(held < 1_500_000, "{side:?} held {held} bytes of a resource of 5,000,000");
    }
}

#[test]
fn metadata_come_before_the_data_and_count_in_its_segment() {
    let metadata = vec![0x81, 0xa4, b'n', b'a', b'm', b'e', 0xc4, 1, b'x'];
    for len in [0, 100, SEGMENT_MAX - 12, SEGMENT_MAX - 11, SEGMENT_MAX] {
        sent(World::new(CABLE, RTT, 8_156), &noise(len), Compression::None, Some(&metadata));
    }
}

#[test]
fn what_becomes_shorter_is_sent_compressed_segment_by_segment() {
    let data = [vec![7; 1_500_000], noise(1_500_000)].concat();
    let mut world = sent(World::new(CABLE, RTT, 464), &data, Compression::Tried, None);
    let parts = world.end(Side::Left).said[&Context::RESOURCE.0];
    assert!(parts < 2 * 1_500_000 / 464, "{parts} parts: nothing became shorter");
}

#[test]
fn a_slow_radio_link_carries_parts_that_take_seconds() {
    let medium = Medium { delay: Duration::from_millis(50), bytes_a_second: 120, ..CABLE };
    let mut world =
        sent(World::new(medium, Duration::from_secs(2), 464), &noise(20_000), Compression::None, None);
    assert!(world.now < Instant::BOOT.after(Duration::from_secs(300)), "took until {:?}", world.now);
    let parts = world.end(Side::Left).said[&Context::RESOURCE.0];
    assert!(parts < 50, "{parts} parts were sent, of 44");
}

#[test]
fn parts_leave_so_that_the_queue_of_a_medium_holds_them() {
    for bytes_a_second in [1_250_000, 12_500_000, 125_000_000] {
        let medium = Medium { bytes_a_second, queue: 128 << 10, delay: Duration::from_millis(5), ..CABLE };
        let world = World::new(medium, Duration::from_millis(10), 8_156);
        let mut world = sent(world, &noise(5_000_000), Compression::None, None);
        let (parts, needed) = (world.end(Side::Left).said[&Context::RESOURCE.0], 5_000_000 / 8_156);
        assert!(parts < needed + needed / 8, "{parts} parts were sent, {needed} needed");
        let alone = Duration::from_micros(5_000_000 * 1_000_000 / bytes_a_second);
        let took = world.now.since(Instant::BOOT);
        assert!(took < alone.times(2).plus(Duration::from_secs(2)), "{took:?}, the medium alone {alone:?}");
    }
}

#[test]
fn resources_wait_for_one_another_and_both_directions_do_not() {
    let mut world = World::new(CABLE, RTT, 464);
    for handle in 1..=5 {
        world.offer(handle, noise(10_000), Compression::None, None);
    }
    world.run(MINUTES);
    let sent: Vec<_> = (1..=5).map(|handle| Event::Sent(Handle(handle))).collect();
    assert_eq!(world.end(Side::Left).events, sent);
    assert_eq!(world.end(Side::Right).arrived.len(), 5);
}

#[test]
fn more_than_may_wait_is_refused_at_once() {
    let mut world = World::new(CABLE, RTT, 464);
    for handle in 1..=18 {
        world.offer(handle, noise(100), Compression::None, None);
    }
    assert_eq!(world.end(Side::Left).events, [Event::NotSent(Handle(18), Failure::Busy)]);
    world.run(MINUTES);
    assert_eq!(world.end(Side::Left).events.len(), 18);
}

#[test]
fn what_is_refused_ends_at_once_on_both_sides() {
    let mut world = World::new(CABLE, RTT, 464);
    world.end(Side::Right).accepts = Accepts::None;
    world.offer(1, noise(100_000), Compression::None, None);
    world.run(Duration::from_secs(1));
    assert_eq!(world.end(Side::Left).events, [Event::NotSent(Handle(1), Failure::Refused)]);
    assert_eq!(world.end(Side::Right).events[1..], [Event::NotArrived(Arrival(1), Failure::Stopped)]);
}

#[test]
fn whoever_does_not_decide_in_time_refuses() {
    let mut world = World::new(CABLE, RTT, 464);
    world.end(Side::Right).accepts = Accepts::Undecided;
    world.offer(1, noise(100), Compression::None, None);
    world.run(Duration::from_secs(31));
    assert_eq!(world.end(Side::Left).events, [Event::NotSent(Handle(1), Failure::Refused)]);
    assert_eq!(world.end(Side::Right).events[1..], [Event::NotArrived(Arrival(1), Failure::Refused)]);
}

#[test]
fn either_end_can_stop_a_transfer_and_the_other_hears_of_it() {
    for side in [Side::Left, Side::Right] {
        let mut world = World::new(Medium { bytes_a_second: 10_000, ..CABLE }, RTT, 464);
        world.offer(1, noise(100_000), Compression::None, None);
        world.run(Duration::from_secs(2));
        let (command, left, right) = match side {
            Side::Left => (Command::Cancel(Handle(1)), Failure::Stopped, Failure::Cancelled),
            Side::Right => (Command::Refuse(Arrival(1)), Failure::Refused, Failure::Stopped),
        };
        world.tell(side, Input::Command(command));
        world.run(Duration::from_secs(30));
        assert_eq!(world.end(Side::Left).events, [Event::NotSent(Handle(1), left)]);
        assert_eq!(world.end(Side::Right).events[1..], [Event::NotArrived(Arrival(1), right)]);
    }
}

#[test]
fn a_proof_that_was_lost_is_asked_for_and_said_again() {
    let mut world = World::new(CABLE, RTT, 464);
    world.swallowed.push((Side::Left, Context::RESOURCE_PROOF, 3));
    let mut world = sent(world, &noise(2_000_000), Compression::None, None);
    assert_eq!(world.end(Side::Left).said[&Context::CACHE_REQUEST.0], 3);
    assert_eq!(world.end(Side::Right).arrived.len(), 0, "nothing came twice");
}

#[test]
fn an_offer_that_was_lost_is_made_again() {
    let mut world = World::new(CABLE, RTT, 464);
    world.swallowed.push((Side::Right, Context::RESOURCE_ADVERTISEMENT, 4));
    sent(world, &noise(1_000), Compression::None, None);
}

#[test]
fn a_peer_that_falls_silent_is_given_up_by_both_ends() {
    let mut world = World::new(CABLE, RTT, 464);
    world.swallowed.push((Side::Right, Context::RESOURCE_ADVERTISEMENT, usize::MAX));
    world.offer(1, noise(1_000), Compression::None, None);
    world.run(MINUTES);
    assert_eq!(world.end(Side::Left).events, [Event::NotSent(Handle(1), Failure::Silent)]);
    for context in [Context::RESOURCE, Context::RESOURCE_HASHMAP_UPDATE] {
        let mut world = World::new(CABLE, RTT, 464);
        world.swallowed.push((Side::Right, context, usize::MAX));
        world.offer(1, noise(100_000), Compression::None, None);
        world.run(MINUTES);
        assert_eq!(world.end(Side::Right).events[1..], [Event::NotArrived(Arrival(1), Failure::Silent)]);
        assert_eq!(world.end(Side::Left).events, [Event::NotSent(Handle(1), Failure::Refused)]);
        let asked = world.end(Side::Right).said[&Context::RESOURCE_REQUEST.0];
        assert!((17..=60).contains(&asked), "asked {asked} times");
    }
}

#[test]
fn data_that_cannot_be_read_is_not_sent() {
    let mut world = World::new(CABLE, RTT, 464);
    world.offer(1, noise(3_000_000), Compression::None, None);
    world.end(Side::Left).data.insert(Handle(1), noise(2_000_000));
    world.run(MINUTES);
    assert_eq!(world.end(Side::Left).events, [Event::NotSent(Handle(1), Failure::Unreadable)]);
    assert_eq!(world.end(Side::Right).events[1..], [Event::NotArrived(Arrival(1), Failure::Cancelled)]);
}
