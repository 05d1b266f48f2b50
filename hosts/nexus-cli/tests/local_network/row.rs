//! Three nodes in a row, with a TCP listener at one end and a local network at the other.

use std::net::SocketAddr;

use nexus_netns::{Cable, Daemon, Segment};
use nexus_stock::stock::Interfaces;
use serde_json::{Value, json};

use crate::air::{A, Air, B};
use crate::network::{LAN, Network, PATIENCE, until_peers};

/// Where whoever calls the first node is,
pub(crate) const LEFT: usize = 0;
/// and whoever is on the local network of the last one.
pub(crate) const RIGHT: usize = 4;

/// What the three are called.
const NAMES: [&str; 3] = ["near", "mid", "far"];
/// Which of them is the middle one.
const MID: usize = 1;

/// (left) – TCP – N – radio – N – local network – N – local network – (right), each in a place of its own.
pub(crate) struct Row {
    nodes: Vec<Daemon>,
    configs: [String; 3],
    listen: SocketAddr,
    air: Air,
    pub(crate) network: Network,
}

impl Row {
    /// The nodes, linked.
    pub(crate) fn start() -> Self {
        let (network, air) = (Network::of(7), Air::of(2));
        let cable = Cable::lay(&network.lab, 1, [LEFT, 1]).unwrap();
        Segment::lay(&network.lab, 5, "mid", &[2, 3]).unwrap();
        Segment::lay(&network.lab, 6, "end", &[3, RIGHT]).unwrap();
        let listen = format!("{}:4242", cable.end(1).address);
        let tcp = format!("[[tcp]]\nname = \"tcp\"\nlisten = \"{listen}\"\nmode = \"reticulum\"\n");
        let configs = [tcp + &air.rnode(A, ""), LAN.to_owned() + &air.rnode(B, ""), LAN.to_owned()];
        let mut row = Self { nodes: Vec::new(), configs, listen: listen.parse().unwrap(), air, network };
        for node in 0..NAMES.len() {
            row.nodes.push(row.begin(node));
        }
        row.until_linked();
        row
    }

    fn begin(&self, node: usize) -> Daemon {
        self.network.node(node + 1, NAMES[node], &self.configs[node])
    }

    /// The two at the ends of the radio have a link.
    fn until_linked(&self) {
        let linked = |status: &Value| {
            status["links"].as_array().unwrap().iter().any(|link| link["interface"] == "radio")
        };
        for node in &self.nodes[..=MID] {
            node.until(&json!({ "do": "status" }), PATIENCE, linked)
                .unwrap_or_else(|error| panic!("{error}\n{}", node.log()));
        }
    }

    /// All nodes have a way to this destination.
    pub(crate) fn until_known(&self, destination: &str) {
        let known = |answer: &Value| {
            answer["paths"].as_array().unwrap().iter().any(|path| path["destination"] == destination)
        };
        for node in &self.nodes {
            node.until(&json!({ "do": "paths" }), PATIENCE, known)
                .unwrap_or_else(|error| panic!("{error}\n{}", node.log()));
        }
    }

    /// How whoever is at [`LEFT`] calls the first node.
    pub(crate) fn calling(&self) -> Interfaces {
        Interfaces::none().calling(self.listen, &[])
    }

    /// The middle and the last node have each other, and the last one so many more, as peers.
    pub(crate) fn until_met(&self, more: usize) {
        until_peers(&self.nodes[MID], 1);
        until_peers(&self.nodes[MID + 1], 1 + more);
    }

    /// Ends the middle node in order.
    pub(crate) fn end_middle(&mut self) {
        self.nodes.remove(MID).end().unwrap();
    }

    /// Starts the middle node again.
    pub(crate) fn begin_middle_again(&mut self) {
        self.nodes.insert(MID, self.begin(MID));
    }

    /// The middle node ends, and is there again as it was.
    pub(crate) fn restart_middle(&mut self) {
        self.end_middle();
        self.begin_middle_again();
        self.until_linked();
    }
}

impl Drop for Row {
    /// Tells what the nodes have to say to a test that failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("on the air: {:?}", [A, B].map(|radio| self.air.house.meter(radio)));
            for node in &self.nodes {
                let asked = ["rns_status", "paths", "status"].map(|verb| node.ask(&json!({ "do": verb })));
                eprintln!("{asked:?}\n{}", node.log());
            }
        }
    }
}
