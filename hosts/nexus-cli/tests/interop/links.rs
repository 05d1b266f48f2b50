//! Reticulum links and what they carry.

use std::time::Instant;

use nexus_stock::endpoint::{Event, Ratchets, Side};
use nexus_stock::stock::{StockNode, hex};
use serde_json::json;

use crate::world::{Shape, Way, endpoint, hear, is, make_known};

/// As the issue of being a relay has it: five megabytes over TCP.
const RESOURCE: usize = 5_000_000;

#[test]
fn links_carry_everything_over_one_relay() {
    carry(Shape::One);
}

#[test]
fn links_carry_everything_over_three_relays() {
    carry(Shape::Three);
}

#[test]
fn links_carry_everything_over_a_chain_with_stock_relays_in_it() {
    carry(Shape::Chain);
}

#[test]
fn an_endpoint_links_with_a_stock_node_over_one_relay_and_is_linked_with() {
    meet(Shape::One);
}

#[test]
fn an_endpoint_links_with_a_stock_node_over_three_relays_and_is_linked_with() {
    meet(Shape::Three);
}

#[test]
fn an_endpoint_links_with_a_stock_node_over_a_chain_and_is_linked_with() {
    meet(Shape::Chain);
}

fn carry(shape: Shape) {
    let way = Way::of(shape);
    let (mut left, mut right) = way.stock_on_both_sides();
    left.tell(&json!({ "do": "link", "to": right.ratcheted }));
    let (asked, accepted) = (left.wait("linked"), right.wait("linked"));
    assert_eq!((&asked["side"], &accepted["side"]), (&json!("initiator"), &json!("responder")));
    assert_eq!((&asked["linked"], &asked["mtu"]), (&accepted["linked"], &accepted["mtu"]));
    say(&mut left, &mut right);
    say(&mut right, &mut left);
    left.tell(&json!({ "do": "identify" }));
    assert_eq!(right.wait("identified")["identified"], left.identity);
    // As packets, and as resources.
    for len in [100, 50_000] {
        let asked: Vec<u8> = (0..len).map(|at: u32| at.wrapping_mul(at).to_be_bytes()[2]).collect();
        left.tell(&json!({ "do": "request", "data": hex(&asked) }));
        assert_eq!(left.wait("answered")["len"], len);
    }
    transfer(&mut left, &mut right, RESOURCE);
    transfer(&mut right, &mut left, 100_000);
    left.tell(&json!({ "do": "close" }));
    assert_eq!(right.wait("closed")["closed"], asked["linked"]);
}

fn meet(shape: Shape) {
    let way = Way::of(shape);
    let mut stock = way.stock("right", way.right);
    let mut endpoint = endpoint(3, way.left, Ratchets::Announced);
    let heard = hear(&mut endpoint, &mut stock, "plain");
    let link = endpoint.with(|endpoint, _| endpoint.link(heard.destination, Instant::now())).unwrap();
    let (up, side, mtu) = endpoint.wait("a link", link_up);
    let linked = stock.wait("linked");
    assert_eq!((up, side), (link, Side::Initiator));
    assert_eq!((&linked["linked"], &linked["mtu"]), (&json!(link.to_string()), &json!(mtu.bytes())));
    let hash = endpoint.with(|endpoint, _| endpoint.send_on(link, b"over the link")).unwrap();
    assert_eq!(stock.wait("link_data")["link_data"], hex(b"over the link"));
    endpoint.wait("a proof", is(Event::Proved(hash)));
    stock.tell(&json!({ "do": "say", "data": hex(b"and back") }));
    endpoint.wait("data", is(Event::LinkData(link, b"and back".to_vec())));
    stock.wait("proved");
    endpoint.wait("an answer to a keepalive", is(Event::KeptAlive(link)));
    let content = vec![7; 60_000];
    endpoint.with(|endpoint, _| endpoint.send_resource(link, &content));
    assert_eq!(stock.wait("resource")["len"], content.len());
    endpoint.wait("its proof", is(Event::ResourceProved(link)));
    endpoint.with(|endpoint, _| endpoint.close(link));
    assert_eq!(stock.wait("closed")["closed"], link.to_string());

    let own = make_known(&endpoint, &mut stock);
    stock.tell(&json!({ "do": "link", "to": own }));
    let (link, side, _) = endpoint.wait("a link", link_up);
    assert_eq!((side, stock.wait("linked")["linked"].as_str()), (Side::Responder, Some(&*link.to_string())));
    stock.tell(&json!({ "do": "identify" }));
    let identity = endpoint.wait("an identity", |event| match event {
        Event::Identified(_, identity) => Some(identity.to_string()),
        _ => None,
    });
    assert_eq!(identity, stock.identity);
    stock.tell(&json!({ "do": "resource", "len": 60_000 }));
    endpoint.wait("a resource", |event| match event {
        Event::Resource(_, data) => (data.len() == 60_000).then_some(()),
        _ => None,
    });
    assert_eq!(stock.wait("transferred")["transferred"], true);
    stock.tell(&json!({ "do": "close" }));
    endpoint.wait("the end", is(Event::Closed(link)));
}

const fn link_up(
    event: &Event,
) -> Option<(nexus_wire::reticulum::LinkId, Side, nexus_wire::reticulum::LinkMtu)> {
    if let Event::LinkUp(link, side, mtu) = event { Some((*link, *side, *mtu)) } else { None }
}

/// Data arrives on the link and is proved.
fn say(from: &mut StockNode, to: &mut StockNode) {
    from.tell(&json!({ "do": "say", "data": hex(b"on the link") }));
    assert_eq!(to.wait("link_data")["link_data"], hex(b"on the link"));
    let sent = from.wait("sent");
    from.wait_for("proved", |line| line["proved"] == sent["sent"]);
}

/// A resource arrives as it was sent, and its sender knows.
fn transfer(from: &mut StockNode, to: &mut StockNode, len: usize) {
    from.tell(&json!({ "do": "resource", "len": len }));
    let offered = from.wait("offered");
    let came = to.wait("resource");
    assert_eq!((&came["resource"], &came["len"]), (&offered["offered"], &json!(len)));
    assert_eq!(from.wait("transferred")["transferred"], true);
}
