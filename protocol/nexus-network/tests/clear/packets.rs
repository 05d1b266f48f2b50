//! Packets for SINGLE destinations, and their proofs.

use nexus_wire::reticulum::{Context, Packet, Proof};

use crate::endpoint::{by_way_of, data};
use crate::world::World;

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
