//! Programs attach and talk: with a stock node beyond this one, and with each other.

use nexus_stock::stock::{StockNode, hex};
use serde_json::{Value, json};

use crate::instance::Instance;

#[test]
fn a_program_talks_with_a_stock_node_beyond_this_node() {
    let instance = Instance::start();
    let mut program = instance.program("program");
    let mut beyond = instance.beyond("beyond");
    talk(&mut program, &mut beyond, 1);
    assert_eq!(instance.status().refusals.get("program_unknown"), None, "whatever a program asks is known");
}

#[test]
fn two_programs_of_one_machine_talk_with_each_other() {
    let instance = Instance::start();
    let mut one = instance.program("one");
    let mut other = instance.program("other");
    talk(&mut one, &mut other, 0);
    assert_eq!(instance.status().refusals.get("program_unknown"), None, "whatever a program asks is known");
}

/// Announces, packets with proofs, links, requests and resources, each way. The other is `hops` away.
fn talk(one: &mut StockNode, other: &mut StockNode, hops: u8) {
    announce(one, other, hops);
    announce(other, one, hops);
    for _ in 0..2 {
        send(one, other);
        link(one, other);
        std::mem::swap(one, other);
    }
    for node in [one, other] {
        assert_eq!(node.complaints(), Vec::<String>::new());
    }
}

/// Both destinations of `from` are heard at `at`.
fn announce(from: &mut StockNode, at: &mut StockNode, hops: u8) {
    for (own, of) in [(from.plain.clone(), "plain"), (from.ratcheted.clone(), "ratcheted")] {
        from.tell(&json!({ "do": "announce", "of": of, "app_data": hex(of.as_bytes()) }));
        let heard = at.wait_announce(&own);
        assert_eq!((&heard["app_data"], &heard["hops"]), (&json!(hex(of.as_bytes())), &json!(hops)));
    }
}

/// Packets arrive once and are proved.
fn send(from: &mut StockNode, at: &mut StockNode) {
    for to in [at.plain.clone(), at.ratcheted.clone()] {
        from.tell(&json!({ "do": "send", "to": to, "data": hex(to.as_bytes()) }));
        assert_eq!(at.wait("data")["data"], hex(to.as_bytes()));
        let sent = from.wait("sent");
        from.wait_for("proved", |line| line["proved"] == sent["sent"]);
        assert_eq!(at.said("data"), Vec::<Value>::new());
    }
}

/// A link stands, carries data with proofs both ways, a request and a resource, and ends for both.
fn link(from: &mut StockNode, at: &mut StockNode) {
    from.tell(&json!({ "do": "link", "to": at.ratcheted }));
    let linked = from.wait("linked");
    assert_eq!(at.wait("linked")["linked"], linked["linked"]);
    for (one, other) in [(0, 1), (1, 0)] {
        let ends = [&mut *from, &mut *at];
        ends[one].tell(&json!({ "do": "say", "data": hex(b"on a link") }));
        assert_eq!(ends[other].wait("link_data")["link_data"], hex(b"on a link"));
        let sent = ends[one].wait("sent");
        ends[one].wait_for("proved", |line| line["proved"] == sent["sent"]);
    }
    from.tell(&json!({ "do": "request", "data": hex(b"asked") }));
    assert_eq!(from.wait("answered")["len"], 5);
    from.tell(&json!({ "do": "resource", "len": 50_000 }));
    let offered = from.wait("offered");
    assert_eq!(at.wait("resource")["resource"], offered["offered"]);
    assert_eq!(from.wait("transferred")["transferred"], true);
    from.tell(&json!({ "do": "close" }));
    for node in [from, at] {
        node.wait_for("closed", |line| line["closed"] == linked["linked"]);
    }
}
