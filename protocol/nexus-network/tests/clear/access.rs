//! Interfaces with access codes.

use std::sync::Arc;

use nexus_network::{Input, InterfaceId};
use nexus_wire::reticulum::ifac::{Ifac, Membership, TagLen};
use nexus_wire::reticulum::{Context, Packet};

use crate::endpoint::{Circuit, by_way_of, data, request};
use crate::world::{CLEAR, End, World};

fn codes_of(name: &str) -> Ifac {
    Ifac::new(Membership::Both { name, passphrase: "mypass" }, TagLen::WIDE)
}

fn sealed(codes: &Ifac, packet: &[u8]) -> Vec<u8> {
    let mut frame = [&[0; 16][..], packet].concat();
    codes.seal(&mut frame).expect("a packet");
    frame
}

fn opened(codes: &Ifac, frame: &[u8]) -> Vec<u8> {
    codes.open(&mut frame.to_vec()).expect("a frame of the network").to_vec()
}

/// One relay: access codes on the side of the first endpoint, none on the other.
fn half_closed() -> (World, Ifac) {
    let mut world = World::new(1, 2);
    let left = InterfaceId(0);
    world.tell(0, Input::AccessCodes { iface: left, codes: Arc::new(codes_of("mynet")) });
    world.join(End::Stock(0), End::Relay(0, left), CLEAR);
    world.join(End::Relay(0, InterfaceId(1)), End::Stock(1), CLEAR);
    world.stock[0].codes = Some(codes_of("mynet"));
    world.meet();
    world.stock.iter_mut().for_each(|stock| stock.heard.clear());
    (world, codes_of("mynet"))
}

#[test]
fn packets_and_links_pass_between_an_interface_with_access_codes_and_one_without() {
    let (mut world, codes) = half_closed();
    let (near, to) = (world.transport(0), world.stock[1].destination);
    let said = data(to, Context::NONE, b"out of a closed network");
    world.say(0, sealed(&codes, &by_way_of(near, &said)));
    let heard = world.stock[1].packet();
    assert_eq!(heard[2..], said[2..]);
    let proof = world.stock[1].proof_of(&heard);
    world.say(1, proof.clone());
    let frame = world.stock[0].heard.pop().expect("its proof came");
    assert_eq!((frame.len(), frame[0] & 0x80), (proof.len() + 16, 0x80), "sealed");
    assert_eq!(opened(&codes, &frame)[2..], proof[2..]);

    world.say(0, sealed(&codes, &by_way_of(near, &request(to, 1, Some(100_000)))));
    let circuit = Circuit::asked_by(&world.stock[1].packet());
    assert_eq!(circuit.mtu(), Some(8_192 - 16), "the codes take their part of a frame");
    let proof = circuit.proof(&world.stock[1]);
    world.say(1, proof);
    let longest = circuit.data(&[7; 8_176 - 19]);
    world.say(1, longest.clone());
    let frame = world.stock[0].heard.pop().expect("it came");
    assert_eq!(opened(&codes, &frame)[2..], longest[2..]);
    assert_eq!(world.drops(0).total(), 0);
}

#[test]
fn announces_leave_sealed_where_there_are_access_codes() {
    let (mut world, codes) = half_closed();
    let announce = world.stock[1].announce(99);
    world.say(1, announce.clone());
    world.run(nexus_machine::Duration::from_secs(5));
    let frame = world.stock[0].heard.pop().expect("it was passed on");
    let packet = opened(&codes, &frame);
    let read = Packet::decode(&packet).expect("an announce");
    assert_eq!((read.destination, read.data), (world.stock[1].destination, &announce[19..]));
}

#[test]
fn frames_without_access_codes_or_with_others_are_not_taken_and_counted() {
    let (mut world, codes) = half_closed();
    let (near, to) = (world.transport(0), world.stock[1].destination);
    let said = by_way_of(near, &data(to, Context::NONE, b"from outside"));
    world.say(0, said.clone());
    world.say(0, sealed(&codes_of("another"), &said));
    let mut spoiled = sealed(&codes, &said);
    spoiled[30] ^= 1;
    world.say(0, spoiled);
    world.say(0, world.stock[0].announce(50));
    let back = by_way_of(near, &data(world.stock[0].destination, Context::NONE, b"from the open side"));
    world.say(1, sealed(&codes, &back));
    for stock in &mut world.stock {
        assert_eq!(stock.heard, Vec::<Vec<u8>>::new());
    }
    let refusals = *world.relays[0].layer.access().refusals();
    assert_eq!((refusals.missing, refusals.wrong, refusals.unexpected), (2, 2, 1));
    assert_eq!(world.drops(0).total(), 0, "nothing was read of them");
}
