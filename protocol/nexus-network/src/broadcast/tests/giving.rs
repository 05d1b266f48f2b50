//! Keys given, acknowledged, used, replaced, lost.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::nexus::message::MessageKind;

use super::world::{IFACE, World, header, identity, link, profile};
use crate::broadcast::{Departure, GivenKey, Input};
use crate::interface::Reach;
use nexus_wire::nexus::control::BroadcastKey;
use nexus_wire::nexus::frame::{BeaconTag, BroadcastKeyId, KeyName};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn id(frame: &[u8]) -> BroadcastKeyId {
    match header(frame).key {
        KeyName::Broadcast(id) => id,
        KeyName::Session(_) => panic!("a broadcast"),
    }
}

#[test]
fn a_key_that_all_neighbours_acknowledged_is_used_and_its_tag_with_it() {
    let mut world = World::linked(3);
    world.run_for(SECONDS(3));
    for node in 0..3 {
        assert_eq!(world.hearers(node), 2);
        assert_eq!(world.nodes[node].tags.len(), 1);
    }
    let tag = world.nodes[0].tags[0];
    assert!(world.nodes[1].tagged.contains(&(link(0), tag)), "its neighbours know whose beacon that is");
    assert!(world.nodes[2].tagged.contains(&(link(0), tag)));
    let frames = world.say(0, b"packet");
    assert_eq!(frames.len(), 1);
    for node in [1, 2] {
        world.hear(node, &frames[0]);
        assert_eq!(world.nodes[node].announced, [(link(0), b"packet".to_vec())]);
        assert_eq!(world.nodes[node].heard, [link(0)]);
        assert_eq!(world.refused(node), []);
    }
}

#[test]
fn an_acknowledgement_rides_with_ones_own_key() {
    let mut world = World::linked(2);
    world.run_for(SECONDS(3));
    let (key, ack) = (MessageKind::BROADCAST_KEY, MessageKind::BROADCAST_KEY_ACK);
    let told: Vec<_> = world.told.iter().map(|(_, _, kinds)| kinds.clone()).collect();
    assert_eq!(told, [vec![key], vec![ack, key], vec![ack]], "three messages for two keys");
}

#[test]
fn a_key_is_given_again_until_it_is_acknowledged_and_ever_less_often() {
    let mut world = World::linked(2);
    world.carries = false;
    world.run_for(SECONDS(3_000));
    let given = world.told.iter().filter(|(from, ..)| *from == 0).count();
    assert!((10..20).contains(&given), "{given}");
    assert_eq!(world.hearers(0), 0, "used, and heard by nobody");
    world.carries = true;
    world.run_for(SECONDS(400));
    assert_eq!((world.hearers(0), world.hearers(1)), (1, 1));
    world.told.clear();
    world.run_for(SECONDS(190));
    assert!(world.told.is_empty(), "nothing is given that is held: {:?}", world.told);
}

#[test]
fn after_half_a_minute_a_key_is_used_by_those_who_acknowledged_it_and_the_others_are_told_over_their_links() {
    let mut world = World::on(3, profile(Reach::Shared, 50_000, 508));
    world.link(0, 1);
    world.run_for(SECONDS(3));
    assert_eq!(world.hearers(0), 1);
    world.link(0, 2);
    world.carries = false;
    world.run_for(SECONDS(60));
    let status = world.nodes[0].organ.status(IFACE).unwrap();
    assert_eq!((status.hearers, status.others), (1, 1));
    assert_eq!(world.say(0, b"packet").len(), 1);
}

#[test]
fn keys_are_replaced_in_time_and_what_was_said_under_the_old_one_is_heard_for_a_minute() {
    let mut world = World::linked(2);
    world.run_for(SECONDS(3));
    let before = world.say(0, b"before");
    let late = world.say(0, b"late");
    let too_late = world.say(0, b"too late");
    world.hear(1, &before[0]);
    // An hour, and the next key is given and used.
    world.run_for(SECONDS(3_600));
    let after = world.say(0, b"after");
    assert_ne!(id(&before[0]), id(&after[0]));
    assert_eq!(header(&after[0]).counter, 0, "another key, another count");
    assert_eq!(world.nodes[0].tags.len(), 2, "and another tag");
    world.hear(1, &after[0]);
    world.hear(1, &late[0]);
    world.run_for(SECONDS(91));
    world.hear(1, &too_late[0]);
    let heard: Vec<_> = world.nodes[1].announced.iter().map(|(_, packet)| packet.clone()).collect();
    assert_eq!(heard, [b"before".to_vec(), b"after".to_vec(), b"late".to_vec()]);
    assert_eq!(world.refused(1), [("unknown_key", 1)]);
}

#[test]
fn while_a_next_key_is_given_the_present_one_is_used() {
    let mut world = World::linked(3);
    world.run_for(SECONDS(3));
    let first = id(&world.say(0, b"first")[0]);
    world.run_for(SECONDS(3_596));
    world.carries = false;
    world.run_for(SECONDS(10));
    assert_eq!(id(&world.say(0, b"still")[0]), first, "nobody acknowledged another");
    assert_eq!(world.hearers(0), 2);
    world.run_for(SECONDS(30));
    assert_ne!(id(&world.say(0, b"other")[0]), first);
    assert_eq!(world.hearers(0), 0, "nobody holds it");
}

#[test]
fn after_an_expulsion_nothing_is_said_under_the_key_that_the_expelled_holds() {
    let mut world = World::linked(3);
    world.run_for(SECONDS(3));
    let before = world.say(0, b"before");
    world.unlink(0, 2, Departure::Expelled);
    assert_eq!(world.hearers(0), 0);
    assert_eq!(world.say(0, b"meanwhile"), Vec::<Vec<u8>>::new(), "no key is in use");
    world.run_for(SECONDS(10));
    assert_eq!(world.hearers(0), 1);
    let after = world.say(0, b"after");
    assert_ne!(id(&before[0]), id(&after[0]));
    world.hear(1, &after[0]);
    assert_eq!(world.nodes[1].announced, [(link(0), b"after".to_vec())]);
}

#[test]
fn a_neighbour_that_left_takes_its_key_along_and_costs_the_others_nothing() {
    let mut world = World::linked(3);
    world.run_for(SECONDS(3));
    let frame = world.say(2, b"packet");
    world.told.clear();
    world.unlink(0, 2, Departure::Left);
    world.hear(0, &frame[0]);
    assert_eq!(world.refused(0), [("unknown_key", 1)]);
    world.run_for(SECONDS(100));
    assert_eq!(world.told, [], "the others hold the key that they held");
    assert_eq!(world.hearers(0), 1);
}

#[test]
fn who_has_an_address_counts_as_a_hearer_while_its_beacon_is_heard() {
    let mut world = World::on(2, profile(Reach::Addressed, 100_000_000, 1_064));
    world.link(0, 1);
    world.run_for(SECONDS(5));
    assert_eq!(world.hearers(0), 0, "it may be beyond where broadcasts reach");
    world.tell(0, Input::Beaconed(link(1)));
    assert_eq!(world.hearers(0), 1);
    world.run_for(SECONDS(119));
    assert_eq!(world.hearers(0), 1);
    world.run_for(SECONDS(1));
    assert_eq!(world.hearers(0), 0);
}

#[test]
fn nothing_is_given_on_a_cable() {
    let mut world = World::on(2, profile(Reach::PointToPoint, 1_000_000, 508));
    world.link(0, 1);
    world.run_for(SECONDS(100));
    assert_eq!(world.told, []);
    assert_eq!(world.nodes[0].organ.status(IFACE), None);
}

#[test]
fn when_the_clocks_parted_no_key_is_used_or_made_before_there_is_entropy() {
    let mut world = World::linked(2);
    world.run_for(SECONDS(3));
    let before = id(&world.say(0, b"before")[0]);
    world.tell(0, Input::ClocksParted);
    assert_eq!(world.hearers(0), 0);
    world.told.clear();
    world.run_for(SECONDS(30));
    assert!(world.told.iter().all(|(from, ..)| *from != 0));
    assert_eq!(world.say(0, b"meanwhile"), Vec::<Vec<u8>>::new());
    world.tell(0, Input::Entropy([9; 32]));
    world.run_for(SECONDS(5));
    assert_ne!(id(&world.say(0, b"after")[0]), before);
}

#[test]
fn entropy_is_asked_for_a_minute_after_a_key_was_made() {
    let mut world = World::linked(2);
    world.run_for(SECONDS(59));
    assert_eq!(world.nodes[0].entropy_wanted, 0);
    world.run_for(SECONDS(2));
    assert_eq!(world.nodes[0].entropy_wanted, 1);
}

#[test]
fn two_keys_of_a_link_and_four_of_a_name_are_held_and_no_more() {
    let mut world = World::on(8, profile(Reach::Shared, 50_000, 508));
    for peer in 1..8 {
        let public = *identity(peer).public();
        world.tell(0, Input::LinkUp { link: link(peer), iface: IFACE, peer: public, max_frame: 508 });
    }
    world.carries = false;
    let given = |peer: u8, n: u8, name: u16| {
        let message = BroadcastKey {
            key_id: BroadcastKeyId(name),
            key: &[peer * 16 + n; 32],
            next_counter: 0,
            beacon_tag: BeaconTag(1),
        };
        Input::Given { link: link(usize::from(peer)), key: GivenKey::of(&message) }
    };
    for n in 0..10 {
        world.tell(0, given(1, n, u16::from(n)));
        assert_eq!(world.nodes[0].organ.keyring.len(), usize::from(n).min(1) + 1, "the oldest goes");
    }
    for peer in 2..8 {
        world.tell(0, given(peer, 0, 500));
    }
    assert_eq!(world.nodes[0].organ.keyring.len(), 2 + 4);
    assert_eq!(world.refused(0), [("crowded", 2)]);
    world.tell(0, given(2, 1, 500));
    assert_eq!(world.refused(0), [("crowded", 2)], "in place of its first");
    assert_eq!(world.nodes[0].organ.keyring.len(), 2 + 4);
    for peer in 1..8 {
        world.tell(0, Input::LinkDown { link: link(peer), departure: Departure::Left });
    }
    assert_eq!(world.nodes[0].organ.keyring.len(), 0);
}
