//! What is never relayed, and counted.

use nexus_machine::Duration;
use nexus_wire::reticulum::{Context, DestinationType, MTU, Packet, PacketType};

use crate::endpoint::{Circuit, Endpoint, by_way_of, data, request};
use crate::world::World;

/// One relay between two endpoints that heard nothing but announces so far.
fn line() -> World {
    let mut world = World::line(1);
    world.stock.iter_mut().for_each(|stock| stock.heard.clear());
    world
}

fn nobody_heard_anything(world: &mut World) {
    for stock in &mut world.stock {
        assert_eq!(stock.packets(), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn data_in_header_1_for_others_is_not_relayed() {
    let mut world = line();
    let to = world.stock[1].destination;
    world.say(0, data(to, Context::NONE, b"nobody was asked to carry this"));
    world.say(0, request(to, 1, None));
    nobody_heard_anything(&mut world);
    assert_eq!((world.drops(0).not_for_us, world.drops(0).total()), (2, 2));
}

#[test]
fn packets_that_name_another_relay_are_not_relayed() {
    let mut world = line();
    let to = world.stock[1].destination;
    let other = Endpoint::new(9).identity.hash();
    world.say(0, by_way_of(other, &data(to, Context::NONE, b"for another relay")));
    nobody_heard_anything(&mut world);
    assert_eq!((world.drops(0).other_relay, world.drops(0).total()), (1, 1));
}

#[test]
fn a_packet_is_relayed_once() {
    let mut world = line();
    let (near, to) = (world.transport(0), world.stock[1].destination);
    let said = by_way_of(near, &data(to, Context::NONE, b"once"));
    world.say(0, said.clone());
    world.say(0, said);
    assert_eq!(world.stock[1].packets().len(), 1);
    assert_eq!((world.drops(0).duplicate, world.drops(0).total()), (1, 1));
}

#[test]
fn second_proofs_and_proofs_from_elsewhere_are_not_relayed() {
    let mut world = line();
    let (near, to) = (world.transport(0), world.stock[1].destination);
    world.say(0, by_way_of(near, &data(to, Context::NONE, b"to be proved")));
    let heard = world.stock[1].packet();
    let proof = world.stock[1].proof_of(&heard);
    let mut elsewhere = proof.clone();
    elsewhere[20] ^= 1;
    world.say(0, elsewhere);
    assert_eq!(world.drops(0).no_reverse, 1, "from where the packet came");
    world.say(1, proof.clone());
    assert_eq!(world.stock[0].packets().len(), 1);
    let mut second = proof.clone();
    second[21] ^= 1;
    world.say(1, second);
    world.say(1, proof);
    nobody_heard_anything(&mut world);
    assert_eq!((world.drops(0).no_reverse, world.drops(0).duplicate, world.drops(0).total()), (2, 1, 3));
}

#[test]
fn data_for_groups_and_for_everybody_stays_on_its_medium() {
    let mut world = line();
    let (near, to) = (world.transport(0), world.stock[1].destination);
    for destination_type in [DestinationType::Plain, DestinationType::Group] {
        let header = Packet::originating(PacketType::Data, destination_type, to, Context::NONE);
        let said = Packet { data: b"for whoever is here", ..header }.encode(&mut [0; MTU]).unwrap().to_vec();
        world.say(0, by_way_of(near, &said));
        world.say(0, said);
    }
    nobody_heard_anything(&mut world);
    assert_eq!((world.drops(0).link_local, world.drops(0).total()), (4, 4));
}

#[test]
fn frames_with_access_codes_are_not_taken_where_there_are_none() {
    let mut world = line();
    let (near, to) = (world.transport(0), world.stock[1].destination);
    let mut said = by_way_of(near, &data(to, Context::NONE, b"as if it were sealed"));
    said[0] |= 0x80;
    world.say(0, said);
    nobody_heard_anything(&mut world);
    let refusals = world.relays[0].layer.access().refusals();
    assert_eq!((refusals.unexpected, world.drops(0).total()), (1, 0));
}

#[test]
fn what_came_as_far_as_a_packet_may_is_not_relayed() {
    let mut world = line();
    let (near, to) = (world.transport(0), world.stock[1].destination);
    for hops in [126, 127, 128] {
        let mut said = by_way_of(near, &data(to, Context::NONE, &[hops]));
        said[1] = hops;
        world.say(0, said);
    }
    nobody_heard_anything(&mut world);
    assert_eq!((world.drops(0).hop_limit, world.drops(0).malformed, world.drops(0).total()), (2, 1, 3));
}

#[test]
fn what_is_for_nobody_known_is_not_relayed() {
    let mut world = line();
    let near = world.transport(0);
    let stranger = Endpoint::new(9).destination;
    world.say(0, by_way_of(near, &data(stranger, Context::NONE, b"to whom?")));
    nobody_heard_anything(&mut world);
    assert_eq!((world.drops(0).no_path, world.drops(0).total()), (1, 1));
}

#[test]
fn packets_of_a_link_with_wrong_hops_are_not_relayed() {
    let mut world = line();
    let circuit = asked(&mut world);
    let proof = circuit.proof(&world.stock[1]);
    world.say(1, proof);
    world.stock[0].packet();
    for (from, hops) in [(0, 1), (0, 7), (1, 1), (1, 7)] {
        let mut said = circuit.data(&[u8::try_from(from).unwrap(), hops]);
        said[1] = hops;
        world.say(from, said);
    }
    nobody_heard_anything(&mut world);
    assert_eq!((world.drops(0).off_circuit, world.drops(0).total()), (4, 4));
}

#[test]
fn nothing_of_a_link_is_relayed_before_its_proof_or_without_its_request() {
    let mut world = line();
    let circuit = asked(&mut world);
    world.say(0, circuit.data(b"too early"));
    world.say(1, circuit.data(b"too early as well"));
    let never = Circuit::asked_by(&request(world.stock[1].destination, 9, None));
    world.say(0, never.data(b"of nothing"));
    let proof = never.proof(&world.stock[1]);
    world.say(1, proof);
    nobody_heard_anything(&mut world);
    assert_eq!((world.drops(0).unproved, world.drops(0).no_circuit, world.drops(0).total()), (2, 2, 4));
}

#[test]
fn link_proofs_by_others_or_from_elsewhere_or_again_are_not_relayed() {
    let mut world = line();
    let circuit = asked(&mut world);
    let genuine = circuit.proof(&world.stock[1]);
    world.say(0, genuine.clone());
    assert_eq!(world.drops(0).off_circuit, 1, "from where the request came");
    let forged = circuit.proof(&Endpoint::new(9));
    for _ in 0..20 {
        world.say(1, forged.clone());
    }
    nobody_heard_anything(&mut world);
    assert_eq!(world.drops(0).bad_proof, 20);

    // Whoever is in between may spoil that link, and no other.
    let circuit = asked_as(&mut world, 2);
    let genuine = circuit.proof(&world.stock[1]);
    world.say(1, forged);
    world.say(1, genuine.clone());
    assert_eq!(world.stock[0].packets().len(), 1);
    world.say(1, genuine);
    nobody_heard_anything(&mut world);
    assert_eq!(world.drops(0).duplicate, 1);
}

#[test]
fn a_link_that_nobody_proves_in_time_does_not_come_about() {
    let mut world = line();
    let circuit = asked(&mut world);
    world.run(Duration::from_secs(7));
    assert_eq!(world.drops(0).unanswered, 1);
    let proof = circuit.proof(&world.stock[1]);
    world.stock[0].heard.clear();
    world.say(1, proof);
    nobody_heard_anything(&mut world);
    assert_eq!(world.drops(0).no_circuit, 1);
}

/// A link request that arrived.
fn asked(world: &mut World) -> Circuit {
    asked_as(world, 1)
}

fn asked_as(world: &mut World, n: u8) -> Circuit {
    let (near, to) = (world.transport(0), world.stock[1].destination);
    world.say(0, by_way_of(near, &request(to, n, None)));
    Circuit::asked_by(&world.stock[1].packet())
}
