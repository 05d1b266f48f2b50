//! Announces, SINGLE packets and their proofs.

use nexus_stock::endpoint::{Event, Ratchets};
use nexus_stock::stock::{StockNode, hex};
use serde_json::{Value, json};

use crate::world::{Shape, Way, endpoint, heard, is, make_known};

#[test]
fn announces_packets_and_proofs_pass_one_relay() {
    pass(Shape::One);
}

#[test]
fn announces_packets_and_proofs_pass_three_relays() {
    pass(Shape::Three);
}

#[test]
fn announces_packets_and_proofs_pass_a_chain_with_stock_relays_in_it() {
    pass(Shape::Chain);
}

fn pass(shape: Shape) {
    let way = Way::of(shape);
    let endpoints = [(1, Ratchets::Announced), (2, Ratchets::None)]
        .map(|(seed, ratchets)| (ratchets, endpoint(seed, way.left, ratchets)));
    let (mut left, mut right) = way.stock_on_both_sides();
    for _ in 0..2 {
        let (plain, ratcheted) = (right.plain.clone(), right.ratcheted.clone());
        send(&mut left, &plain, &mut right);
        send(&mut left, &ratcheted, &mut right);
        std::mem::swap(&mut left, &mut right);
    }
    for (ratchets, mut endpoint) in endpoints {
        let own = make_known(&endpoint, &mut right);
        right.tell(&json!({ "do": "send", "to": own, "data": hex(b"to an endpoint") }));
        let ratcheted = endpoint.wait("a packet", |event| match event {
            Event::Data { plaintext, with } if plaintext == b"to an endpoint" => {
                Some(*with != nexus_crypto::single::OpenedWith::Identity)
            }
            _ => None,
        });
        assert_eq!(ratcheted, ratchets == Ratchets::Announced);
        let sent = right.wait("sent");
        right.wait_for("proved", |line| line["proved"] == sent["sent"]);
        for (own, has_ratchet) in [(right.plain.clone(), false), (right.ratcheted.clone(), true)] {
            let heard = heard(&mut endpoint, &own);
            assert_eq!((heard.hops, heard.ratchet.is_some()), (way.relays + 1, has_ratchet));
            assert_eq!(heard.transport.unwrap().to_string(), way.nodes[0].me.identity);
            let hash =
                endpoint.with(|endpoint, _| endpoint.send(heard.destination, b"of an endpoint")).unwrap();
            assert_eq!(right.wait("data")["data"], hex(b"of an endpoint"));
            endpoint.wait("a proof", is(Event::Proved(hash)));
        }
    }
    for node in [&left, &right] {
        assert_eq!(node.complaints(), Vec::<String>::new());
    }
}

/// A packet arrives once and is proved.
fn send(from: &mut StockNode, to: &str, at: &mut StockNode) {
    from.tell(&json!({ "do": "send", "to": to, "data": hex(to.as_bytes()) }));
    assert_eq!(at.wait("data")["data"], hex(to.as_bytes()));
    let sent = from.wait("sent");
    from.wait_for("proved", |line| line["proved"] == sent["sent"]);
    assert_eq!(at.said("data"), Vec::<Value>::new());
}
