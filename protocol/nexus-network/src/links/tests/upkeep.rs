//! What keeps links alive and what they carry: probes, address moves, acknowledgements, fragments, and what they weigh.

use alloc::vec;
use nexus_machine::Duration;
use nexus_testkit::heap;
use nexus_wire::nexus::frame::HEADER_LEN;

use super::world::{World, address, profile};
use crate::interface::{Profile, Reach};
use crate::links::{Down, Limits};

#[test]
fn a_peer_that_falls_silent_is_given_up_within_a_minute_and_a_half() {
    let mut world = World::new(2, profile(Reach::Addressed, 10_000_000), 21);
    world.up_all();
    world.run_for(Duration::from_secs(10));
    assert!(world.agree(0, 1));
    world.loss = 1_000;
    world.run_for(Duration::from_secs(10));
    assert!(world.nodes[0].downs.is_empty(), "not at once");
    world.run_for(Duration::from_secs(80));
    assert_eq!(
        (world.nodes[0].downs.clone(), world.nodes[1].downs.clone()),
        (vec![Down::Silent], vec![Down::Silent])
    );
    world.loss = 0;
    world.run_for(Duration::from_secs(60));
    assert!(world.agree(0, 1), "and is found again");
}

#[test]
fn an_idle_link_costs_a_probe_or_its_answer_every_quarter_minute_and_on_slow_media_every_minute() {
    let (frames, bytes) = idle_hour(10_000_000);
    assert!((180..=250).contains(&frames), "{frames} frames");
    assert!(bytes < 3 * 3_600, "{bytes} bytes: less than 3 a second each way");
    let (frames, bytes) = idle_hour(50_000);
    assert!((45..=65).contains(&frames), "{frames} frames");
    assert!(bytes < 3_600, "{bytes} bytes: less than 1 a second each way");
}

#[test]
fn what_is_asked_for_carrying_is_part_of_the_hop_and_may_be_set_while_the_link_is_up() {
    let cable = Profile { price: 500, ..profile(Reach::PointToPoint, 10_000_000) };
    let mut world = World::new(2, cable, 27);
    world.up_all();
    world.run_for(Duration::from_secs(10));
    let (link, before) = (world.link(0), world.nodes[0].measured);
    let asked = |world: &World| world.nodes[0].links.hop(link).unwrap().price;
    assert_eq!(asked(&world), 500);
    for (price, told) in [(800, 1), (800, 1), (0, 2)] {
        world.tell(0, crate::links::Input::Price { iface: super::world::IFACE, price });
        assert_eq!((asked(&world), world.nodes[0].measured - before), (price, told));
    }
    world.tell(0, crate::links::Input::Price { iface: crate::interface::InterfaceId(9), price: 7 });
    assert_eq!(asked(&world), 0, "it was another interface's");
}

/// What one side sends on an idle link in an hour, rekeys included: frames and bytes.
fn idle_hour(bandwidth_bps: u64) -> (u64, u64) {
    let mut world = World::new(2, profile(Reach::PointToPoint, bandwidth_bps), 22);
    world.up_all();
    world.run_for(Duration::from_secs(60));
    let before = world.nodes[0].links.status().next().unwrap().sent;
    world.run_for(Duration::from_secs(3_600));
    let after = world.nodes[0].links.status().next().unwrap().sent;
    (after.frames - before.frames, after.bytes - before.bytes)
}

#[test]
fn a_peer_is_followed_to_another_address_only_by_its_newest_frame() {
    let mut world = World::new(2, profile(Reach::Addressed, 10_000_000), 23);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(10));
    let link = world.link(1);
    let endpoint = |world: &World| world.nodes[0].links.status().next().unwrap().endpoint.unwrap();
    // Two frames on their way, the older one from elsewhere: it arrives late, and changes nothing.
    world.loss = 1_000;
    world.send(1, link, b"\x81\0\0older");
    world.send(1, link, b"\x81\0\0newer");
    let sealed: vec::Vec<_> = world
        .air
        .iter()
        .rev()
        .filter(|(from, ..)| *from == 1)
        .take(2)
        .map(|(.., bytes)| bytes.clone())
        .collect();
    assert!(world.inject(0, address(2), sealed[0].clone()).is_some());
    assert!(world.inject(0, address(50), sealed[1].clone()).is_some());
    assert_eq!(endpoint(&world), address(2));
    // A newer one moves it. Until a probe is answered from there, little is sent there.
    world.send(1, link, b"\x81\0\0newest");
    let newest = world.air.last().unwrap().2.clone();
    assert!(world.inject(0, address(50), newest.clone()).is_some());
    assert_eq!(endpoint(&world), address(50));
    let own = world.link(0);
    let sent = world.nodes[0].links.status().next().unwrap().sent.bytes;
    for _ in 0..10 {
        world.send(0, own, b"\x81\0\0to a stranger?");
    }
    let more = world.nodes[0].links.status().next().unwrap().sent.bytes - sent;
    assert!(more <= 3 * u64::try_from(newest.len()).unwrap(), "{more}");
    // The peer really is there: it answers, and all is as before.
    world.nodes[1].address = address(50);
    world.loss = 0;
    world.run_for(Duration::from_secs(30));
    for _ in 0..10 {
        world.send(0, own, b"\x81\0\0to a friend");
    }
    world.run_for(Duration::from_secs(1));
    let heard = world.nodes[1].heard.iter().filter(|heard| heard.ends_with(b"to a friend")).count();
    assert_eq!(heard, 10);
    assert!(world.agree(0, 1));
}

#[test]
fn packets_on_slow_links_are_acknowledged_and_losses_counted() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 50_000), 24);
    world.up_all();
    world.run_for(Duration::from_secs(10));
    let link = world.link(0);
    for _ in 0..200 {
        world.send(0, link, b"\x81\0\0a packet");
        world.run_for(Duration::from_millis(300));
    }
    world.run_for(Duration::from_secs(5));
    let status = world.nodes[0].links.status().next().unwrap();
    assert_eq!((status.acknowledged, status.unacknowledged), (200, 0));
    world.loss = 500;
    for _ in 0..200 {
        world.send(0, link, b"\x81\0\0a packet");
        world.run_for(Duration::from_millis(300));
    }
    world.loss = 0;
    for _ in 0..40 {
        world.send(0, link, b"\x81\0\0a packet");
        world.run_for(Duration::from_millis(300));
    }
    let status = world.nodes[0].links.status().next().unwrap();
    let (got, lost) = (status.acknowledged - 200, status.unacknowledged);
    assert!((100..=180).contains(&got) && (60..=140).contains(&lost), "{got} {lost}");
}

#[test]
fn a_message_longer_than_a_frame_arrives_in_pieces() {
    let small = Profile { frame_size: 200, ..profile(Reach::PointToPoint, 10_000_000) };
    let mut world = World::new(2, small, 25);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(5));
    let link = world.link(0);
    let message: vec::Vec<u8> =
        (0..500_u16).map(|n| if n == 0 { 0x81 } else { n.to_le_bytes()[0] }).collect();
    world.delay_us = 50_000;
    world.nodes[1].heard.clear();
    world.send(0, link, &message);
    world.run_for(Duration::from_secs(1));
    assert!(world.nodes[1].heard.contains(&message));
    assert!(world.air.iter().all(|(.., bytes)| bytes.len() <= 200));
    let nothing = world.nodes[0].links.frames(link, vec![0; HEADER_LEN + 600]).count();
    assert_eq!(nothing, 0, "longer than any message");
}

#[test]
fn an_idle_link_weighs_less_than_a_kilobyte() {
    let limits = Limits { links: 300, opening: 300, ..Limits::default() };
    let mut world = World::with_limits(2, profile(Reach::PointToPoint, 10_000_000), 26, limits);
    world.up_all();
    world.run_for(Duration::from_secs(120));
    assert!(world.agree(0, 1));
    // What one more link holds: the difference that its end makes.
    let before = heap::held();
    world.tell(0, crate::links::Input::Down(super::world::IFACE));
    let freed = before - heap::held();
    let size = isize::try_from(size_of::<crate::links::link::Link>()).unwrap();
    assert!(freed + size < 1_024, "{freed} on the heap beside {size}");
}
