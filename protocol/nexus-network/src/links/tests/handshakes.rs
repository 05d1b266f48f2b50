//! How links come to be.

use alloc::collections::BTreeSet;
use nexus_machine::Duration;

use super::world::{IFACE, World, address, profile};
use crate::interface::Reach;
use crate::links::{Down, Input, Policy};

#[test]
fn the_ends_of_a_cable_link_and_measure_their_round_trip() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 1);
    world.up_all();
    world.run_for(Duration::from_secs(2));
    assert!(world.agree(0, 1));
    for node in 0..2 {
        let status = world.nodes[node].links.status().next().unwrap();
        let rtt = status.rtt.expect("measured");
        assert!(rtt >= Duration::from_millis(2) && rtt < Duration::from_millis(7), "{rtt:?}");
        assert_eq!((world.nodes[node].measured, world.nodes[node].downs.len()), (1, 0));
    }
    let other_handshakes = world.refused(0, "overtaken") + world.refused(1, "overtaken");
    assert_eq!(world.refused_in_all(0) + world.refused_in_all(1), other_handshakes);
}

#[test]
fn many_on_a_local_network_find_each_other_by_beacons() {
    let mut world = World::new(6, profile(Reach::Addressed, 100_000_000), 2);
    world.up_all();
    world.run_for(Duration::from_secs(12));
    for a in 0..6 {
        for b in 0..a {
            assert!(world.agree(a, b), "{a} and {b}");
        }
    }
    let downs: usize = world.nodes.iter().map(|node| node.downs.len()).sum();
    world.run_for(Duration::from_secs(600));
    assert_eq!(world.nodes.iter().map(|node| node.downs.len()).sum::<usize>(), downs, "they stay");
    assert_eq!(downs, 0, "nobody handshakes twice");
}

#[test]
fn on_a_radio_channel_a_first_message_names_its_target() {
    let mut world = World::new(3, profile(Reach::Shared, 10_937), 3);
    world.delay_us = 50_000;
    world.up_all();
    world.run_for(Duration::from_secs(120));
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        assert!(world.agree(a, b), "{a} and {b}");
    }
    let foreign: u64 = (0..3).map(|node| world.refused(node, "foreign_target")).sum();
    assert!(foreign >= 3, "everybody hears everything: {foreign}");
}

#[test]
fn a_named_peer_must_be_who_was_named() {
    let mut world = World::new(3, profile(Reach::Addressed, 10_000_000), 4);
    world.tell(0, Input::Up(IFACE, world.profile));
    world.tell(1, Input::Up(IFACE, world.profile));
    let third = world.id(2);
    world.beacons = false;
    world.tell(0, Input::Dial { iface: IFACE, to: address(2), expected: Some(third) });
    world.run_for(Duration::from_secs(3));
    assert!(world.nodes[0].up.is_empty() && world.nodes[1].up.is_empty());
    assert!(world.refused(0, "other_peer") >= 1);
    let second = world.id(1);
    world.tell(0, Input::Dial { iface: IFACE, to: address(2), expected: Some(second) });
    world.run_for(Duration::from_secs(40));
    assert!(world.agree(0, 1));
}

#[test]
fn whom_either_sides_policy_does_not_want_gets_no_link() {
    for refuser in 0..2 {
        let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 5);
        let other = world.id(1 - refuser);
        world.tell(refuser, Input::Policy(Policy::AllBut(BTreeSet::from([other]))));
        world.up_all();
        world.run_for(Duration::from_secs(100));
        assert!(world.nodes[0].up.is_empty() && world.nodes[1].up.is_empty());
        assert!(world.refused(refuser, "unwanted") >= 1);
        world.tell(refuser, Input::Policy(Policy::Only(BTreeSet::from([other]))));
        world.run_for(Duration::from_secs(120));
        assert!(world.agree(0, 1), "wanted after all");
        world.tell(refuser, Input::Policy(Policy::Only(BTreeSet::new())));
        assert_eq!(world.nodes[refuser].downs, [Down::Policy]);
    }
}

#[test]
fn a_peer_that_started_anew_is_linked_again_within_seconds() {
    for reach in [Reach::PointToPoint, Reach::Addressed] {
        let mut world = World::new(2, profile(reach, 10_000_000), 6);
        world.up_all();
        world.run_for(Duration::from_secs(10));
        assert!(world.agree(0, 1));
        world.restart(1);
        world.run_for(Duration::from_secs(5));
        assert!(world.agree(0, 1), "{reach:?}");
        assert_eq!(world.nodes[0].downs, [Down::Replaced], "the survivor kept the old link until then");
    }
}

#[test]
fn an_interface_that_goes_down_takes_its_links_and_handshakes_along() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 7);
    world.up_all();
    world.run_for(Duration::from_secs(2));
    world.tell(0, Input::Down(IFACE));
    assert_eq!((world.nodes[0].up.len(), world.nodes[0].downs.clone()), (0, [Down::Interface].into()));
    assert_eq!(world.nodes[0].links.handshakes(), (0, 0));
    world.tell(0, Input::Up(IFACE, world.profile));
    world.run_for(Duration::from_secs(3));
    assert!(world.agree(0, 1));
}

#[test]
fn clocks_that_part_end_every_link_and_keys_wait_for_entropy() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 8);
    world.up_all();
    world.run_for(Duration::from_secs(2));
    let asked = world.nodes[0].entropy_wanted;
    world.tell(0, Input::ClocksParted);
    assert_eq!(
        (world.nodes[0].downs.clone(), world.nodes[0].entropy_wanted),
        ([Down::ClocksParted].into(), asked + 1)
    );
    world.run_for(Duration::from_secs(3));
    assert!(world.agree(0, 1), "and again");
}
