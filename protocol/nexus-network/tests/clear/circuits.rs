//! Reticulum links through relays.

use nexus_machine::Duration;
use nexus_wire::reticulum::{Context, PacketType};

use crate::endpoint::{Circuit, by_way_of, request};
use crate::world::World;

/// A circuit between the endpoints of a line, proved.
fn standing(world: &mut World) -> Circuit {
    let (near, to) = (world.transport(0), world.stock[1].destination);
    world.stock.iter_mut().for_each(|stock| stock.heard.clear());
    world.say(0, by_way_of(near, &request(to, 1, Some(500))));
    let circuit = Circuit::asked_by(&world.stock[1].packet());
    let proof = circuit.proof(&world.stock[1]);
    world.say(1, proof);
    world.stock[0].packet();
    circuit
}

#[test]
fn a_link_between_stock_endpoints_goes_through_any_number_of_relays_both_ways() {
    for relays in 1..=3 {
        let mut world = World::line(relays);
        let (near, to) = (world.transport(0), world.stock[1].destination);
        world.stock.iter_mut().for_each(|stock| stock.heard.clear());

        let asking = request(to, 1, Some(500));
        world.say(0, by_way_of(near, &asking));
        let heard = world.stock[1].packet();
        assert_eq!((heard[0], heard[1]), (0x02, relays));
        let circuit = Circuit::asked_by(&heard);
        assert_eq!(circuit.id, Circuit::asked_by(&asking).id, "the same at both ends");

        let proof = circuit.proof(&world.stock[1]);
        world.say(1, proof.clone());
        let heard = world.stock[0].packet();
        assert_eq!((heard[0], heard[1]), (0x0f, relays));
        assert_eq!(heard[2..], proof[2..], "it is signed, and not changed");

        for (from, to) in [(0, 1), (1, 0), (0, 1)] {
            let said = circuit.data(&[u8::try_from(from).expect("two of them"), relays]);
            world.say(from, said.clone());
            if from == 0 && world.stock[to].heard.is_empty() {
                continue; // The third is the first again.
            }
            let heard = world.stock[to].packet();
            assert_eq!((heard[0], heard[1]), (0x0c, relays));
            assert_eq!(heard[2..], said[2..]);
        }
        for n in 0..usize::from(relays) {
            assert_eq!(world.drops(n).total(), u64::from(n == 0), "{:?}", world.drops(n));
            assert_eq!(world.relays[n].layer.forwarding().circuits(), 1);
        }
        assert_eq!(world.drops(0).duplicate, 1);
    }
}

#[test]
fn keepalives_resource_parts_and_channel_messages_pass_as_often_as_they_are_sent() {
    let mut world = World::line(2);
    let circuit = standing(&mut world);
    let repeating = [
        (PacketType::Data, Context::KEEPALIVE),
        (PacketType::Data, Context::RESOURCE),
        (PacketType::Data, Context::RESOURCE_REQUEST),
        (PacketType::Proof, Context::RESOURCE_PROOF),
        (PacketType::Data, Context::CACHE_REQUEST),
        (PacketType::Data, Context::CHANNEL),
    ];
    for (packet_type, context) in repeating {
        let said = circuit.packet(packet_type, context, b"again");
        world.say(0, said.clone());
        world.say(0, said);
        assert_eq!(world.stock[1].packets().len(), 2, "{context:?}");
    }
}

#[test]
fn the_mtu_of_a_link_is_what_the_narrowest_medium_carries() {
    // Both sides in clear: what older stock nodes take on a connection.
    for (relays, signalled, left) in [
        (1, Some(100_000), Some(8_192)),
        (1, Some(1_064), Some(1_064)),
        (1, None, None),
        (3, Some(100_000), Some(1_038)),
    ] {
        let mut world = World::line(relays);
        let (near, to) = (world.transport(0), world.stock[1].destination);
        world.stock[1].heard.clear();
        world.say(0, by_way_of(near, &request(to, 1, signalled)));
        let circuit = Circuit::asked_by(&world.stock[1].packet());
        assert_eq!(circuit.mtu(), left, "{relays} relays");
        let proof = circuit.proof(&world.stock[1]);
        world.say(1, proof);
        let longest = usize::try_from(left.unwrap_or(500)).expect("small");
        let said = circuit.data(&vec![5; longest - 19]);
        world.say(0, said.clone());
        assert_eq!(world.stock[1].packet()[2..], said[2..], "and so much passes");
    }
}

#[test]
fn where_a_medium_negotiates_nothing_the_signalling_is_taken_off() {
    let mut world = World::line_over(&[crate::world::Profile { frame_size: 508, ..crate::world::CLEAR }]);
    let (near, to) = (world.transport(0), world.stock[1].destination);
    world.stock[1].heard.clear();
    let asking = request(to, 1, Some(8_192));
    world.say(0, by_way_of(near, &asking));
    let circuit = Circuit::asked_by(&world.stock[1].packet());
    assert_eq!(circuit.mtu(), None);
    assert_eq!(circuit.id, Circuit::asked_by(&asking).id, "the link is the same");
}

#[test]
fn a_destination_may_be_further_than_it_was_said_to_be_and_stock_nodes_do_not_notice() {
    for relays in [1, 3] {
        let mut world = World::line(relays);
        let (near, to) = (world.transport(0), world.stock[1].destination);
        let (_, said_to_be) = world.stock[0].path_to(to).expect("it was announced");
        world.stock.iter_mut().for_each(|stock| stock.heard.clear());
        world.say(0, by_way_of(near, &request(to, 1, None)));
        let circuit = Circuit::asked_by(&world.stock[1].packet());
        // It comes four hops more than its announce did.
        let mut proof = circuit.proof(&world.stock[1]);
        proof[1] = 4;
        world.say(1, proof);
        assert_eq!(world.stock[0].packet()[1] + 1, said_to_be, "{relays} relays");
        let mut said = circuit.data(b"from as far as the proof");
        said[1] = 4;
        world.say(1, said);
        assert_eq!(world.stock[0].packet()[1] + 1, said_to_be);
        world.say(1, circuit.data(b"from nearer than the proof"));
        assert!(world.stock[0].packets().is_empty());
        assert_eq!(world.drops(usize::from(relays) - 1).off_circuit, 1);
    }
}

#[test]
fn a_link_of_which_nothing_passed_for_a_quarter_of_an_hour_is_over() {
    let mut world = World::line(1);
    let circuit = standing(&mut world);
    world.run(Duration::from_secs(890));
    world.say(0, circuit.data(b"in time"));
    world.stock[1].heard.retain(|frame| frame[0] == 0x0c);
    assert_eq!(world.stock[1].packets().len(), 1);
    world.run(Duration::from_secs(890));
    world.say(1, circuit.data(b"in time again"));
    world.run(Duration::from_secs(965));
    assert_eq!(world.relays[0].layer.forwarding().circuits(), 0);
    world.stock[1].heard.clear();
    world.say(0, circuit.data(b"too late"));
    assert!(world.stock[1].packets().is_empty());
    assert_eq!(world.drops(0).no_circuit, 1);
    let last = world.relays[0].disk.last().expect("it was written");
    assert_eq!((&last.key[..], &last.value), (&circuit.id.as_bytes()[..], &None), "and not kept on the disk");
}

#[test]
fn a_link_survives_the_restart_of_a_relay() {
    for relays in [1, 3] {
        for first in [0, 1] {
            let mut world = World::line(relays);
            let circuit = standing(&mut world);
            world.restart(usize::from(relays) / 2);
            world.meet();
            world.stock.iter_mut().for_each(|stock| stock.heard.clear());
            // Whoever speaks second is heard: from where the first one is, is known then.
            world.say(first, circuit.data(b"after the restart"));
            world.stock.iter_mut().for_each(|stock| stock.heard.clear());
            for (from, to) in [(1 - first, first), (first, 1 - first)] {
                let said = circuit.data(&[u8::try_from(from).expect("two of them"), 9]);
                world.say(from, said.clone());
                assert_eq!(world.stock[to].packet()[2..], said[2..], "{relays} relays, {from} to {to}");
            }
        }
    }
}

#[test]
fn a_link_that_is_proved_shows_how_long_the_segment_behind_takes() {
    let mut world = World::line(1);
    let latency = |world: &World, n: usize| {
        let destination = world.stock[n].destination;
        let seen = world.relays[0].layer.routing(world.now).candidates(&destination);
        seen.first().expect("there is a way").said.worst_latency.0
    };
    let (near, to) = (world.transport(0), world.stock[1].destination);
    world.stock.iter_mut().for_each(|stock| stock.heard.clear());
    world.say(0, by_way_of(near, &request(to, 1, Some(500))));
    let circuit = Circuit::asked_by(&world.stock[1].packet());
    assert_eq!(latency(&world, 1), 0, "what a cable of 10 Mbps takes");
    world.run(Duration::from_secs(3));
    let proof = circuit.proof(&world.stock[1]);
    let mut forged = proof.clone();
    forged[30] ^= 1;
    world.say(1, forged);
    assert_eq!(latency(&world, 1), 0, "of a proof that does not verify nothing is learnt");
    world.say(1, proof);
    world.stock[0].packet();
    assert!((1_500..1_600).contains(&latency(&world, 1)), "{}", latency(&world, 1));
    assert_eq!(latency(&world, 0), 0, "of whoever asked nothing is learnt");
}
