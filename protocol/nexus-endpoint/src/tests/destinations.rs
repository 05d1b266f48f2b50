use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_wire::reticulum::{Announce, Packet, PathRequest, Payload, path_request::Tag};

use super::world::{NAME, Relay, UNIX, World, address, service};
use crate::{Accepting, Announcing, Command, Event, Input, NotServed, Service};

#[test]
fn a_destination_is_announced_once_its_ratchet_and_emission_are_durable() {
    let mut world = World::of(1);
    world.nodes[0].disk_works = false;
    let destination = world.serve(0, NAME);
    assert!(world.sent.is_empty() && world.events(0).is_empty(), "nothing is durable yet");
    world.sync(0);
    let [sent] = &world.sent[..] else { panic!("one announce") };
    let packet = Packet::decode(sent).unwrap();
    let announce = Announce::from_packet(&packet).unwrap();
    assert_eq!(announce.destination, destination);
    assert_eq!(announce.claim.random_hash.emitted_at(), UNIX);
    assert_eq!(announce.claim.app_data, b"app");
    assert!(announce.claim.ratchet.is_some() && announce.is_relayable());
    assert_eq!(world.events(0), [Event::Serving { name: NAME.into(), destination }]);
}

#[test]
fn a_restarted_endpoint_emits_later_and_keeps_its_ratchet() {
    let mut world = World::of(1);
    world.serve(0, NAME);
    world.restart(0, 1);
    world.serve(0, NAME);
    let said = said(&world);
    assert_eq!(said[0].0, UNIX);
    assert_eq!(said[1].0, UNIX + 1, "no two emissions of one second");
    assert_eq!(said[0].1, said[1].1);
}

#[test]
fn a_ratchet_is_replaced_with_the_first_announce_after_half_an_hour_and_old_ones_are_forgotten() {
    let mut world = World::of(1);
    let destination = world.serve(0, NAME);
    world.pass(Duration::from_secs(29 * 60));
    world.command(0, Command::Announce(destination));
    world.pass(Duration::from_secs(60));
    world.command(0, Command::Announce(destination));
    world.pass(Duration::from_secs(5 * 3_600));
    let said = said(&world);
    assert_eq!(said.len(), 3 + 5, "and once an hour");
    assert_eq!(said[0].1, said[1].1);
    let mut ratchets: Vec<_> = said.iter().map(|said| said.1).collect();
    ratchets.dedup();
    assert_eq!(ratchets.len(), 2 + 5);
    let kept = world.nodes[0].disk.iter().filter(|(_, key, _)| key.len() == 24).count();
    assert_eq!(kept, super::world::LIMITS.ratchets);
}

#[test]
fn app_data_that_change_while_an_announce_waits_for_the_disk_are_said() {
    let mut world = World::of(1);
    world.nodes[0].disk_works = false;
    world.serve(0, NAME);
    world.command(0, Command::Serve(service(NAME, b"later")));
    world.nodes[0].disk_works = true;
    world.sync(0);
    let last = world.sent.last().expect("two announces");
    assert_eq!(Announce::from_packet(&Packet::decode(last).unwrap()).unwrap().claim.app_data, b"later");
    assert_eq!(world.sent.len(), 2);
    assert_eq!(world.events(0).len(), 1, "it is told once");
}

#[test]
fn only_so_many_destinations_are_had_and_what_was_durable_of_others_gives_way() {
    let mut world = World::of(1);
    for name in ["a", "b"] {
        world.serve(0, name);
    }
    world.events(0);
    world.serve(0, "c");
    let why = NotServed::TooMany;
    assert_eq!(world.events(0), [Event::NotServing { name: "c".into(), why }]);
    world.command(0, Command::Withdraw(address(0, "a")));
    world.serve(0, "c");
    assert!(matches!(world.events(0)[..], [Event::Serving { .. }]));
    let stored: Vec<_> = world.nodes[0].disk.iter().map(|(_, key, _)| key[..16].to_vec()).collect();
    let of = |name: &str| stored.contains(&address(0, name).0.to_vec());
    assert!(of("b") && of("c") && !of("a"));
    world.restart(0, 1);
    for name in ["b", "c"] {
        world.serve(0, name);
    }
    assert_eq!(world.events(0).len(), 2);
}

#[test]
fn names_and_app_data_have_a_length() {
    let mut world = World::of(1);
    let long = core::iter::repeat_n('x', 129).collect();
    let (app_data, announcing) = (Vec::new(), Announcing::WhenAsked);
    world.command(
        0,
        Command::Serve(Service { name: long, app_data, announcing, accepting: Accepting::Links }),
    );
    world.command(0, Command::Serve(service(NAME, &[0; 286])));
    world.command(0, Command::Serve(service(NAME, &[0; 285])));
    let events = world.events(0);
    assert!(matches!(
        events[..],
        [
            Event::NotServing { why: NotServed::TooLong, .. },
            Event::NotServing { why: NotServed::TooLong, .. },
            Event::Serving { .. }
        ]
    ));
    assert_eq!(world.sent[0].len(), 484);
}

#[test]
fn whoever_asks_for_a_path_is_answered_with_a_fresh_announce_but_not_as_often_as_anybody_likes() {
    let mut world = World::of(1);
    let destination = world.serve(0, NAME);
    world.relay = Relay::Swallows;
    world.sent.clear();
    world.tell(0, Input::Packet(asking(destination)));
    let answer = Packet::decode(&world.sent[0]).unwrap();
    assert!(answer.is_path_response());
    for _ in 0..100 {
        world.tell(0, Input::Packet(asking(destination)));
    }
    assert_eq!(world.sent.len(), 8);
    world.tell(0, Input::Packet(asking(DestinationHash([9; 16]))));
    assert_eq!(world.sent.len(), 8);
}

#[test]
fn a_withdrawn_destination_is_not_announced_again() {
    let mut world = World::of(1);
    let destination = world.serve(0, NAME);
    world.command(0, Command::Withdraw(destination));
    world.command(0, Command::Announce(destination));
    world.pass(Duration::from_secs(10_000));
    assert_eq!(world.sent.len(), 1);
}

fn asking(wanted: DestinationHash) -> Vec<u8> {
    let tag = Tag::new(&[1; 16]).unwrap();
    let mut buffer = vec![0; 100];
    PathRequest { wanted, requester: None, tag }.encode(&mut buffer).unwrap().to_vec()
}

/// When each announce was emitted, and with which ratchet.
fn said(world: &World) -> Vec<(u64, Option<nexus_crypto::RatchetPublic>)> {
    let said = |bytes: &Vec<u8>| {
        let packet = Packet::decode(bytes).unwrap();
        let announce = Announce::from_packet(&packet).unwrap();
        (announce.claim.random_hash.emitted_at(), announce.claim.ratchet)
    };
    world.sent.iter().map(said).collect()
}
