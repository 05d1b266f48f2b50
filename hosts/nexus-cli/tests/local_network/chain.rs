//! Stock nodes on opposite sides of three nodes, over TCP, radio and a local network.

use nexus_stock::stock::{StockNode, hex};
use serde_json::{Value, json};

use crate::extent::{Extent, LINK};
use crate::network::{acquaint, exchange, link};
use crate::row::{LEFT, RIGHT, Row};

/// The length of a resource for the radio: a few packets.
const SHORT: usize = 3_000;
/// So often something is said until its proof comes in time.
const TRIES: usize = 10;

/// A row of nodes, and stock nodes at both ends of it.
fn between(more: &str) -> (StockNode, StockNode, Row) {
    let row = Row::start(more);
    let left = row.network.stock_with(LEFT, "left", &row.calling());
    let right = row.network.stock(RIGHT, "right", &["devices = end1"]);
    row.until_met(1);
    (left, right, row)
}

#[test]
fn stock_nodes_talk_over_tcp_radio_and_a_local_network() {
    let (mut left, mut right, _row) = between("crossings = false\n");
    acquaint(&mut left, &mut right, 4);
    exchange(&mut left, &mut right);
    link(&mut left, &mut right, SHORT);
    link(&mut right, &mut left, SHORT);
}

#[test]
fn a_link_stands_across_three_relays_while_the_middle_one_is_started_again() {
    let (mut left, mut right, mut row) = between("");
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

/// Data arrives on the link that is up, and is proved. A stock node waits for a proof for six round trips as they were when the link was made,
/// and a radio on which nodes meet again is slower than that: what is not proved by then is said again, as programs do.
fn say(from: &mut StockNode, to: &mut StockNode) {
    for _ in 0..TRIES {
        from.tell(&json!({ "do": "say", "data": hex(b"on the link") }));
        assert_eq!(to.wait("link_data")["link_data"], hex(b"on the link"));
        let sent = from.wait("sent");
        let ended = from.wait_any(&["proved", "unproved"], &sent["sent"]);
        if !ended["proved"].is_null() {
            return;
        }
    }
    panic!("{TRIES} times data arrived, and no proof of it in time");
}
