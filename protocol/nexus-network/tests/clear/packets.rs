//! Packets for SINGLE destinations, and their proofs.

use nexus_machine::Duration;
use nexus_network::{InterfaceId, Reach};
use nexus_wire::reticulum::{Context, Packet, Proof};

use crate::endpoint::{Circuit, by_way_of, data, request};
use crate::world::{CLEAR, End, Profile, World};

#[test]
fn two_stock_endpoints_exchange_a_packet_and_its_proof_through_any_number_of_relays() {
    for relays in 1..=3 {
        let mut world = World::line(relays);
        let (near, to) = (world.transport(0), world.stock[1].destination);
        assert_eq!(world.stock[0].path_to(to), Some((Some(near), relays + 1)), "{relays} relays");
        world.stock.iter_mut().for_each(|stock| stock.heard.clear());

        let said = data(to, Context(0x42), b"ciphertext of some length");
        world.say(0, by_way_of(near, &said));
        let heard = world.stock[1].packet();
        assert_eq!((heard[0], heard[1]), (0x00, relays), "header 1 behind the last relay, each hop counted");
        assert_eq!(heard[2..], said[2..], "nothing else is changed");

        let proof = world.stock[1].proof_of(&heard);
        world.say(1, proof);
        let heard = world.stock[0].packet();
        let read = Packet::decode(&heard).expect("a packet");
        let proof = Proof::from_packet(&read).expect("a proof");
        let sent = Packet::decode(&said).expect("a packet").hash();
        proof.verify(&sent, &world.stock[1].identity.public().verifying()).expect("it proves what was sent");
        assert_eq!(read.hops.get(), relays);
    }
}

/// A relay on one medium, where both endpoints are heard as if they were one.
fn on_one_medium(reach: Reach) -> World {
    let mut world = World::new(1, 2);
    world.join(End::Stock(0), End::Relay(0, InterfaceId(0)), Profile { reach, ..CLEAR });
    let announces = [world.stock[0].announce(1), world.stock[1].announce(1)];
    for announce in announces {
        world.say(0, announce);
    }
    world.run(Duration::from_secs(20));
    world.stock[0].heard.clear();
    world
}

#[test]
fn on_a_shared_medium_a_relay_says_again_what_the_recipient_may_not_have_heard() {
    let mut world = on_one_medium(Reach::Shared);
    let (near, to) = (world.transport(0), world.stock[1].destination);
    let said = data(to, Context::NONE, b"from one end of the valley to the other");
    world.say(0, by_way_of(near, &said));
    let heard = world.stock[0].packet();
    assert_eq!((heard[0], heard[1], &heard[2..]), (0x00, 1, &said[2..]));
    let proof = world.stock[1].proof_of(&heard);
    world.say(0, proof);
    assert_eq!(world.stock[0].packet()[..2], [0x03, 1]);

    world.say(0, by_way_of(near, &request(to, 1, None)));
    let circuit = Circuit::asked_by(&world.stock[0].packet());
    let proof = circuit.proof(&world.stock[1]);
    world.say(0, proof);
    assert_eq!(world.stock[0].packet()[..2], [0x0f, 1]);
    for payload in [b"there", b"back!"] {
        world.say(0, circuit.data(payload));
        assert_eq!(world.stock[0].packet()[..2], [0x0c, 1]);
    }
    assert_eq!(world.drops(0).total(), 0);
}

#[test]
fn on_a_cable_nothing_goes_back_where_it_came_from() {
    let mut world = on_one_medium(Reach::PointToPoint);
    let (near, to) = (world.transport(0), world.stock[1].destination);
    world.say(0, by_way_of(near, &data(to, Context::NONE, b"back to its sender")));
    assert!(world.stock[0].packets().is_empty());
    assert_eq!((world.drops(0).loops, world.drops(0).total()), (1, 1));
}
