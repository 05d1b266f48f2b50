//! Stock nodes on opposite sides of three nodes, over TCP, radio and a local network.

use std::net::SocketAddr;

use nexus_netns::{Cable, Daemon, Segment};
use nexus_stock::stock::{Interfaces, StockNode};
use serde_json::{Value, json};

use crate::air::{A, Air, B};
use crate::network::{LAN, Network, PATIENCE, acquaint, exchange, link, until_peers};

/// What crosses between two of the nodes would be another way than the one that is looked at.
const APART: &str = "crossings = false\n";
/// The length of a resource for the radio: a few packets.
const SHORT: usize = 3_000;

/// S – TCP – N – radio – N – local network – N – local network – S, each in a place of its own.
struct Chain {
    left: StockNode,
    right: StockNode,
    nodes: [Daemon; 3],
    _air: Air,
    _network: Network,
}

impl Chain {
    fn start() -> Self {
        let (network, air) = (Network::of(7), Air::of(2));
        let cable = Cable::lay(&network.lab, 1, [0, 1]).unwrap();
        Segment::lay(&network.lab, 5, "mid", &[2, 3]).unwrap();
        Segment::lay(&network.lab, 6, "end", &[3, 4]).unwrap();
        let listen = format!("{}:4242", cable.end(1).address);
        let tcp = format!("[[tcp]]\nname = \"tcp\"\nlisten = \"{listen}\"\nmode = \"reticulum\"\n");
        let nodes = [
            network.node(1, "near", &(APART.to_owned() + &tcp + &air.rnode(A, ""))),
            network.node(2, "mid", &(APART.to_owned() + LAN + &air.rnode(B, ""))),
            network.node(3, "far", &(APART.to_owned() + LAN)),
        ];
        let linked = |status: &Value| !status["links"].as_array().unwrap().is_empty();
        for node in &nodes[..2] {
            node.until(&json!({ "do": "status" }), PATIENCE, linked).unwrap();
        }
        let calling = Interfaces::none().calling(listen.parse::<SocketAddr>().unwrap(), &[]);
        let (left, right) =
            (network.stock_with(0, "left", &calling), network.stock(4, "right", &["devices = end1"]));
        until_peers(&nodes[1], 1);
        until_peers(&nodes[2], 2);
        Self { left, right, nodes, _air: air, _network: network }
    }
}

impl Drop for Chain {
    /// Tells what the nodes have to say to a test that failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &self.nodes {
                let asked = ["rns_status", "paths", "status"].map(|verb| node.ask(&json!({ "do": verb })));
                eprintln!("{asked:?}\n{}", node.log());
            }
        }
    }
}

#[test]
fn stock_nodes_talk_over_tcp_radio_and_a_local_network() {
    let mut chain = Chain::start();
    let (left, right) = (&mut chain.left, &mut chain.right);
    acquaint(left, right, 4);
    exchange(left, right);
    link(left, right, SHORT);
    link(right, left, SHORT);
}
