//! Stock nodes on opposite sides of three nodes, over TCP, radio and a local network.

use std::sync::atomic::{AtomicU32, Ordering};

use nexus_stock::stock::{StockNode, hex};
use serde_json::{Value, json};

use crate::extent::{Extent, LINK};
use crate::network::acquaint;
use crate::row::{LEFT, RIGHT, Row};

/// The length of a resource for the radio: a few packets.
const SHORT: usize = 3_000;
/// So often something is said until its proof comes in time.
const TRIES: usize = 10;

/// A row of nodes, and stock nodes at both ends of it.
fn between() -> (StockNode, StockNode, Row) {
    let row = Row::start();
    let left = row.network.stock_with(LEFT, "left", &row.calling());
    let right = row.network.stock(RIGHT, "right", &["devices = end1"]);
    row.until_met(1);
    (left, right, row)
}

#[test]
fn stock_nodes_talk_over_tcp_radio_and_a_local_network() {
    let (mut left, mut right, _row) = between();
    acquaint(&mut left, &mut right, 4);
    send(&mut left, &mut right);
    send(&mut right, &mut left);
    for _ in 0..2 {
        link_over_radio(&mut left, &mut right);
        std::mem::swap(&mut left, &mut right);
    }
}

#[test]
fn a_link_stands_across_three_relays_while_the_middle_one_is_started_again() {
    let (mut left, mut right, mut row) = between();
    acquaint(&mut left, &mut right, 4);
    left.tell(&json!({ "do": "link", "to": right.plain }));
    let linked = left.wait("linked");
    right.wait("linked");
    say(&mut left, &mut right);
    say(&mut right, &mut left);
    let half = Extent::of_this_run().of(LINK) / 2;
    left.stays(half, "closed");
    row.restart_middle();
    row.until_met(1);
    for end in [&left, &right] {
        row.until_known(&end.plain);
    }
    // Whoever asked is heard first: where it is, nothing durable tells.
    say(&mut left, &mut right);
    say(&mut right, &mut left);
    left.stays(half, "closed");
    say(&mut right, &mut left);
    say(&mut left, &mut right);
    assert_eq!(right.said("closed"), Vec::<Value>::new());
    left.tell(&json!({ "do": "close" }));
    for node in [&mut left, &mut right] {
        node.wait_for("closed", |line| line["closed"] == linked["linked"]);
    }
}

/// A link stands, carries data both ways, a request and a resource, and ends. What one lost frame makes a stock node give up is tried again.
fn link_over_radio(one: &mut StockNode, other: &mut StockNode) {
    let linked = established(one, other);
    say(one, other);
    say(other, one);
    let is_answered = |one: &mut StockNode| {
        one.tell(&json!({ "do": "request", "data": hex(b"asked") }));
        let ended = one.wait_either(&["answered", "unanswered"]);
        !ended["answered"].is_null()
    };
    assert!((0..TRIES).any(|_| is_answered(one)), "{TRIES} requests were not answered");
    one.tell(&json!({ "do": "resource", "len": SHORT }));
    let offered = one.wait("offered");
    assert_eq!(other.wait("resource")["resource"], offered["offered"]);
    assert_eq!(one.wait("transferred")["transferred"], true);
    one.tell(&json!({ "do": "close" }));
    for node in [one, other] {
        node.wait_for("closed", |line| line["closed"] == linked);
    }
}

/// The id of a link that stands at both ends.
fn established(one: &mut StockNode, other: &mut StockNode) -> Value {
    for _ in 0..TRIES {
        one.tell(&json!({ "do": "link", "to": other.plain }));
        let ended = one.wait_either(&["linked", "closed"]);
        let id = ended["linked"].clone();
        if !id.is_null() && !other.wait_any(&["linked", "closed"], &id)["linked"].is_null() {
            return id;
        }
    }
    panic!("{TRIES} links were not established");
}

/// Data arrives on the link that is up, and is proved.
fn say(from: &mut StockNode, to: &mut StockNode) {
    until_proved(from, to, "link_data", |from, data| {
        from.tell(&json!({ "do": "say", "data": data }));
    });
}

/// A packet outside of links arrives, and is proved.
fn send(from: &mut StockNode, to: &mut StockNode) {
    let destination = to.plain.clone();
    until_proved(from, to, "data", |from, data| {
        from.tell(&json!({ "do": "send", "to": destination, "data": data }));
    });
}

/// What is said arrives, and is proved. Two modems that begin in the same slot hear nothing of each other, and nobody below those who talk sends
/// a frame again: what is not proved in time is said again, as programs do. And a stock node waits for a proof on a link for six round trips as
/// they were when it was made; a radio on which nodes meet again is slower than that.
fn until_proved(from: &mut StockNode, to: &mut StockNode, key: &str, say: impl Fn(&mut StockNode, &str)) {
    static SAID: AtomicU32 = AtomicU32::new(0);
    for _ in 0..TRIES {
        let data = hex(&SAID.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        say(from, &data);
        let sent = from.wait("sent");
        let ended = from.wait_any(&["proved", "unproved"], &sent["sent"]);
        if !ended["proved"].is_null() {
            to.wait_for(key, |line| line[key] == data);
            return;
        }
    }
    panic!("{TRIES} times something was said, and no proof of it came in time");
}
