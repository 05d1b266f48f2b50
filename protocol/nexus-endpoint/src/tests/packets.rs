use alloc::vec::Vec;

use nexus_crypto::single::single_length;
use nexus_crypto::{DestinationHash, RatchetSecret, single};
use nexus_machine::{Duration, Seed};
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{Context, DestinationType, Packet, PacketType, Payload, Proof, RandomHash};

use super::world::{NAME, Relay, UNIX, World, address, identity};
use crate::{Bytes, Command, Event, Failure, Found, Handle, Input, SINGLE_MAX};

#[test]
fn a_packet_finds_its_destination_and_is_proved() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.events(1);
    world.send(0, 5, destination, b"hello");
    assert_eq!(world.events(1), [received(destination, b"hello")]);
    let after = Duration::ZERO;
    assert_eq!(world.events(0), [Event::Delivered { handle: Handle(5), after }]);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.events(0), [], "it ended once");
}

#[test]
fn whoever_is_behind_a_destination_is_told_with_its_app_data() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.command(0, Command::Find { handle: Handle(1), destination });
    let identity = *identity(1).public();
    let peer = Found { destination, identity, hops: 0, app_data: b"app".to_vec() };
    assert_eq!(world.events(0), [Event::Found { handle: Handle(1), peer }]);
}

#[test]
fn the_longest_packet_fits_the_mtu_and_a_longer_one_is_refused() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.send(0, 1, destination, &[7; SINGLE_MAX]);
    assert!(matches!(world.events(0)[..], [Event::Delivered { .. }]));
    let longest = world.sent.iter().map(Vec::len).max().unwrap();
    assert!(longest + 16 <= 500, "a relay puts its transport id in");
    assert!(single_length(SINGLE_MAX + 1) + 35 > 500);
    world.send(0, 2, destination, &[7; SINGLE_MAX + 1]);
    assert_eq!(world.events(0), [failed(2, Failure::TooLong)]);
}

#[test]
fn what_the_node_remembers_of_whom_nobody_answers_for_is_good_for_sealing_and_for_asking_again() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    let announce = world.sent.pop().expect("it was announced");
    world.relay = Relay::Swallows;
    let find = Command::Find { handle: Handle(1), destination };
    world.command(0, find.clone());
    world.pass(Duration::from_secs(18));
    assert_eq!(world.events(0), [failed(1, Failure::NoPath)], "it never heard of it");
    let of_another = world.serve(0, "another");
    world.remembered.push((destination, world.sent.pop().expect("it was announced")));
    world.command(0, find.clone());
    world.pass(Duration::from_secs(18));
    let failed_again = failed(1, Failure::NoPath);
    assert!(world.events(0).contains(&failed_again), "{of_another} is not {destination}");
    world.remembered = Vec::from([(destination, announce)]);
    world.command(0, find.clone());
    world.pass(Duration::from_secs(18));
    let found = world.events(0);
    assert!(matches!(&found[..], [Event::Found { handle: Handle(1), peer }] if peer.app_data == b"app"));
    let plaintext = Bytes(b"for later".to_vec());
    world.command(0, Command::Seal { handle: Handle(2), to: destination, plaintext });
    assert!(matches!(&world.events(0)[..], [Event::Sealed { handle: Handle(2), .. }]));
    // It is not taken for one that was heard of late: whoever is back is asked for at once.
    let asked = world.sent.len();
    world.command(0, find);
    assert_eq!(world.sent.len(), asked + 1);
}

#[test]
fn what_nobody_knows_is_asked_for_three_times_and_then_given_up() {
    let mut world = World::of(1);
    world.send(0, 1, address(9, NAME), b"hello");
    world.pass(Duration::from_secs(17));
    assert_eq!((world.events(0), world.sent.len()), (Vec::new(), 3));
    world.pass(Duration::from_secs(1));
    assert_eq!((world.events(0), world.sent.len()), ([failed(1, Failure::NoPath)].to_vec(), 3));
}

#[test]
fn a_packet_that_is_not_proved_fails_when_its_time_is_over() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.send(0, 1, destination, b"hello");
    world.events(0);
    world.relay = Relay::Swallows;
    world.send(0, 2, destination, b"lost");
    world.pass(Duration::from_micros(5_999_999));
    assert_eq!(world.events(0), []);
    world.pass(Duration::from_micros(1));
    assert_eq!(world.events(0), [failed(2, Failure::NoAnswer)]);
}

#[test]
fn a_proof_by_another_key_proves_nothing() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.command(0, Command::Find { handle: Handle(0), destination });
    world.events(0);
    world.relay = Relay::Swallows;
    world.send(0, 1, destination, b"hello");
    let hash = Packet::decode(world.sent.last().unwrap()).unwrap().hash();
    let proof = |signer| {
        let mut buffer = [0; 200];
        Input::Packet(Proof::implicit(&hash, &identity(signer)).encode(&mut buffer).unwrap().to_vec())
    };
    world.tell(0, proof(2));
    assert_eq!(world.events(0), []);
    world.tell(0, proof(1));
    assert!(matches!(world.events(0)[..], [Event::Delivered { .. }]));
}

#[test]
fn what_was_sealed_to_an_older_ratchet_or_to_the_identity_is_opened() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.relay = Relay::Swallows;
    world.command(0, Command::Find { handle: Handle(0), destination });
    let first = world.sent[0].clone();
    world.pass(Duration::from_secs(2 * 3_600 + 1));
    world.relay = Relay::Carries;
    // The relay repeats what it heard at first: the sender knows no newer ratchet.
    world.events(1);
    world.tell(0, Input::Packet(first));
    world.send(0, 1, destination, b"hello");
    assert_eq!(world.events(1), [received(destination, b"hello")]);

    let header = Packet::originating(PacketType::Data, DestinationType::Single, destination, Context::NONE);
    let (identity, mut random) = (identity(1), Seed::new([3; 32]).fork("test"));
    let key = identity.public().exchange();
    let key = nexus_crypto::RecipientPublic::Identity(&key);
    let sealed = single::encrypt(identity.hash(), key, b"plainly", &mut random).unwrap();
    let packet = Packet { data: &sealed, ..header };
    let mut buffer = [0; 500];
    world.tell(1, Input::Packet(packet.encode(&mut buffer).unwrap().to_vec()));
    assert_eq!(world.events(1), [received(destination, b"plainly")]);
}

#[test]
fn an_older_announce_does_not_bring_its_ratchet_back() {
    let mut world = World::of(2);
    let destination = address(2, NAME);
    world.command(0, Command::Find { handle: Handle(0), destination });
    let mut random = Seed::new([3; 32]).fork("test");
    let newer = RatchetSecret::generate(&mut random);
    for (ratchet, emitted_at) in [(&newer, UNIX + 5), (&RatchetSecret::generate(&mut random), UNIX)] {
        let announce = announced(2, ratchet, emitted_at);
        world.tell(0, Input::Packet(announce));
    }
    world.sent.clear();
    world.send(0, 1, destination, b"hello");
    let packet = Packet::decode(&world.sent[0]).unwrap();
    let refused = single::WithoutRatchet::Refused;
    single::decrypt(&identity(2), [&newer], refused, packet.data).expect("it is sealed to the newer one");
}

#[test]
fn what_waits_and_what_is_under_way_has_a_bound() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.relay = Relay::Swallows;
    for handle in 0..3 {
        world.send(0, handle, address(9, NAME), b"hello");
    }
    assert_eq!(world.events(0), [failed(2, Failure::Busy)], "two errands for each");
    world.send(0, 3, address(8, NAME), b"hello");
    world.send(0, 4, address(7, NAME), b"hello");
    assert_eq!(world.events(0), [failed(4, Failure::Busy)], "two destinations");
    world.pass(Duration::from_secs(60));
    world.events(0);
    world.relay = Relay::Carries;
    world.command(0, Command::Find { handle: Handle(5), destination });
    world.relay = Relay::Swallows;
    world.events(0);
    for handle in 6..9 {
        world.send(0, handle, destination, b"hello");
    }
    assert_eq!(world.events(0), [failed(8, Failure::Busy)], "two proofs");
}

#[test]
fn what_is_for_an_own_destination_does_not_leave() {
    let mut world = World::of(1);
    let destination = world.serve(0, NAME);
    world.events(0);
    world.send(0, 1, destination, b"hello");
    assert_eq!(world.events(0), [failed(1, Failure::Own)]);
}

fn received(destination: DestinationHash, text: &[u8]) -> Event {
    Event::Received { destination, plaintext: Bytes(text.to_vec()) }
}

fn failed(handle: u64, why: Failure) -> Event {
    Event::Failed { handle: Handle(handle), why }
}

fn announced(n: u8, ratchet: &RatchetSecret, emitted_at: u64) -> Vec<u8> {
    let identity = identity(n);
    let claim = Claim {
        public: *identity.public(),
        name: nexus_crypto::NameHash::of(NAME),
        random_hash: RandomHash::new([1; 5], emitted_at),
        ratchet: Some(ratchet.public()),
        app_data: b"",
    };
    let mut buffer = [0; 500];
    claim.sign(&identity).encode(Occasion::Periodic, &mut buffer).unwrap().to_vec()
}
