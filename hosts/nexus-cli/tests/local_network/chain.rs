//! Stock nodes on opposite sides of three nodes, over TCP, radio and a local network.

use std::net::SocketAddr;

use nexus_netns::{Cable, Daemon, Segment};
use nexus_stock::stock::{Interfaces, StockNode};
use serde_json::{Value, json};

use crate::air::{A, Air, B};
use crate::network::{LAN, Network, PATIENCE, acquaint, exchange, link, until_peers};

/// S – TCP – N – radio – N – local network – N – local network – S, each in a place of its own.
struct Chain {
    left: StockNode,
    right: StockNode,
    nodes: [Option<Daemon>; 3],
    air: Air,
    network: Network,
}

/// The length of a resource for the radio: a few packets.
const SHORT: usize = 3_000;

impl Chain {
    fn start() -> Self {
        let (network, air) = (Network::of(7), Air::of(2));
        let cable = Cable::lay(&network.lab, 1, [0, 1]).unwrap();
        Segment::lay(&network.lab, 5, "mid", &[2, 3]).unwrap();
        Segment::lay(&network.lab, 6, "end", &[3, 4]).unwrap();
        let listen = format!("{}:4242", cable.end(1).address);
        let tcp = format!("[[tcp]]\nname = \"tcp\"\nlisten = \"{listen}\"\nmode = \"reticulum\"\n");
        let nodes = [
            network.node(1, "near", &(tcp + &air.rnode(A, ""))),
            network.node(2, "mid", &(LAN.to_owned() + &air.rnode(B, ""))),
            network.node(3, "far", LAN),
        ];
        for node in &nodes[..2] {
            until_linked(node);
        }
        let calling = Interfaces::none().calling(listen.parse::<SocketAddr>().unwrap(), &[]);
        let (left, right) =
            (network.stock_with(0, "left", &calling), network.stock(4, "right", &["devices = end1"]));
        until_peers(&nodes[1], 1);
        until_peers(&nodes[2], 2);
        Self { left, right, nodes: nodes.map(Some), air, network }
    }

    /// Waits until nothing that was learnt would be lost by a crash.
    fn until_written(&self) {
        let written = |status: &Value| status["paths_unwritten"] == 0;
        for node in self.nodes.iter().flatten() {
            node.until(&json!({ "do": "rns_status" }), PATIENCE, written).unwrap();
        }
    }

    /// The relay in the middle ends as by a power cut, and starts again.
    fn restart_the_middle(&mut self) {
        drop(self.nodes[1].take());
        let node = self.network.node(2, "mid", &(LAN.to_owned() + &self.air.rnode(B, "")));
        until_linked(&node);
        until_peers(&node, 1);
        self.nodes[1] = Some(node);
    }

    /// Waits until each node has paths to both ends.
    fn until_known(&self) {
        let ends = [&self.left.plain, &self.right.plain];
        let known = |paths: &Value| {
            let paths = paths["paths"].as_array().unwrap();
            ends.iter().all(|end| paths.iter().any(|path| path["destination"] == ***end))
        };
        for node in self.nodes.iter().flatten() {
            let until = node.until(&json!({ "do": "paths" }), PATIENCE, known);
            until.unwrap_or_else(|error| panic!("{error}\n{}", node.log()));
        }
    }
}

fn until_linked(node: &Daemon) {
    let linked = |status: &Value| !status["links"].as_array().unwrap().is_empty();
    node.until(&json!({ "do": "status" }), PATIENCE, linked).unwrap();
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

#[test]
fn paths_over_radio_and_a_local_network_outlive_a_relays_restart() {
    let mut chain = Chain::start();
    acquaint(&mut chain.left, &mut chain.right, 4);
    chain.until_written();
    chain.restart_the_middle();
    chain.until_known();
    // Nobody announced: the path to the right begins at a peer of the local network, that to the left at a link.
    exchange(&mut chain.left, &mut chain.right);
}
