//! Two stock peers with three nodes between them.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use nexus_stock::StockLxmf;
use nexus_stock::lxmf::{Method, Stamps};
use nexus_stock::stock::Interfaces;
use serde_json::{Value, json};

use crate::air::{A, Air, B};
use crate::extent::{Extent, MESSAGES};
use crate::nodes::Node;
use crate::place::ask;
use crate::row::{LEFT, RIGHT, Row};

/// So many messages are under way each way at once.
const AT_ONCE: usize = 20;

#[test]
fn stock_peers_write_to_each_other_across_a_cable_and_a_radio() {
    let names = [fresh_name(), fresh_name()];
    let air = Air::of(2);
    let nodes = ask(three(&air, &names));
    let home = tempfile::tempdir().unwrap();
    let peer = |node: &Node, name: &str, instance: &str| {
        let key = fs::read_to_string(node.place.state.rpc_key()).unwrap();
        StockLxmf::attached(home.path(), name, Stamps::Unasked, instance, &[key.trim_end()])
    };
    let mut left = peer(&nodes[0], "left", &names[0]);
    let mut right = peer(&nodes[2], "right", &names[1]);
    acquaint(&mut left, &mut right);
    write(&mut left, &mut right, 0..Extent::of_this_run().of(MESSAGES), || ());
    for peer in [&mut left, &mut right] {
        assert_eq!(peer.said("message"), Vec::<Value>::new(), "nothing comes twice");
        assert_eq!(peer.complaints(), Vec::<String>::new());
    }
}

#[test]
fn stock_peers_write_to_each_other_across_tcp_radio_and_a_local_network_while_a_relay_is_started_again() {
    let mut row = Row::start();
    let peer = |place, name: &str, interfaces: &Interfaces| {
        let start = |program: &str| row.network.lab.place(place).command(program);
        StockLxmf::start_by(&start, row.network.home.path(), name, Stamps::Unasked, interfaces)
    };
    let mut left = peer(LEFT, "left", &row.calling());
    let mut right = peer(RIGHT, "right", &Interfaces::none().local_network(&["devices = end1"]));
    row.until_met(1);
    acquaint(&mut left, &mut right);
    let all = Extent::of_this_run().of(MESSAGES);
    write(&mut left, &mut right, 0..all / 2, || ());
    // What is under way then is lost, and what is sent meanwhile finds nobody: peers try again.
    row.end_middle();
    write(&mut left, &mut right, all / 2..all, || row.begin_middle_again());
    for peer in [&mut left, &mut right] {
        assert_eq!(peer.said("message"), Vec::<Value>::new(), "nothing comes twice");
    }
}

/// Each writes to the other, so many at once as a radio carries before peers give up; `meanwhile`, before anybody waits for anything, something
/// happens.
fn write(
    left: &mut StockLxmf,
    right: &mut StockLxmf,
    numbers: std::ops::Range<u32>,
    meanwhile: impl FnOnce(),
) {
    let all: Vec<_> = numbers.map(texts).collect();
    let mut meanwhile = Some(meanwhile);
    for texts in all.chunks(AT_ONCE) {
        for (there, back, method) in texts {
            left.send(&right.address, there, *method);
            right.send(&left.address, back, *method);
        }
        if let Some(happens) = meanwhile.take() {
            happens();
        }
        for (there, back, _) in texts {
            arrives(there, left, right);
            arrives(back, right, left);
        }
    }
}

/// What is said there and back: over links and in packets outside of them in turn; one in ten does not fit a packet.
fn texts(number: u32) -> (String, String, Method) {
    let method = if number.is_multiple_of(2) { Method::Opportunistic } else { Method::Direct };
    let more = if number % 10 == 9 { "x".repeat(1_000) } else { String::new() };
    (format!("there {number} {more}"), format!("back {number} {more}"), method)
}

/// A text's sender holds it for delivered, and it arrived as its sender's own.
fn arrives(text: &str, from: &mut StockLxmf, at: &mut StockLxmf) {
    from.wait_delivered(text);
    let came = at.wait_text(text);
    assert_eq!((&came["from"], &came["verified"]), (&json!(from.address), &json!(true)));
}

/// Each hears of the other.
fn acquaint(left: &mut StockLxmf, right: &mut StockLxmf) {
    left.announce();
    assert_eq!(right.wait_announce(&left.address)["name"], "left");
    right.announce();
    assert_eq!(left.wait_announce(&right.address)["name"], "right");
}

/// A node with programs, one with a cable to it, and one with programs that the second hears by radio.
async fn three(air: &Air, names: &[String; 2]) -> [Node; 3] {
    let shared = |name: &str| format!("[shared]\ninstance = \"{name}\"\n");
    let cable = "[[tcp]]\nname = \"cable\"\n";
    let a = Node::with(&(shared(&names[0]) + cable + "listen = \"127.0.0.1:0\"\n")).await;
    let calls = format!("{cable}connect = [\"{}\"]\n", a.at("cable"));
    let b = Node::with(&(calls + &air.rnode(A, ""))).await;
    let c = Node::with(&(shared(&names[1]) + &air.rnode(B, ""))).await;
    tokio::join!(a.until_linked(&b), b.until_linked(&c), c.until_linked(&b));
    [a, b, c]
}

/// A name that no other test of this machine uses.
fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("nexus-lxmf-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
