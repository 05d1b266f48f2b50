//! Ways from a left side to a right side, and who is at both.

use std::net::SocketAddr;

use nexus_daemon::api::{Paths, Verb};
use nexus_machine::Seed;
use nexus_stock::Live;
use nexus_stock::endpoint::{Endpoint, Event, Heard, Ratchets};
use nexus_stock::live::LATENCY;
use nexus_stock::stock::{Carries, Interfaces, StockNode, free_port, hex};
use nexus_wire::reticulum::LinkMtu;
use nexus_wire::reticulum::announce::Occasion;
use serde_json::json;

use crate::nodes::{Node, udp};
use crate::place::ask;

/// What the endpoint's interface carries, in bytes: as a stock TCP interface.
pub(crate) const MTU: u32 = 8_192;

/// What lies between the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One node.
    One,
    /// Three nodes in a row, linked with each other.
    Three,
    /// A node, two stock nodes and a node, all in clear.
    Chain,
}

/// Relays, and where they listen in clear. Whatever runs ends with it.
pub(crate) struct Way {
    pub(crate) left: SocketAddr,
    pub(crate) right: SocketAddr,
    pub(crate) nodes: Vec<Node>,
    _stock: Vec<StockNode>,
    /// How many relays there are.
    pub(crate) relays: u8,
    pub(crate) home: tempfile::TempDir,
}

impl Way {
    pub(crate) fn of(shape: Shape) -> Self {
        Self::guarded(shape, "")
    }

    /// The same with more in the configuration of the left interface.
    pub(crate) fn guarded(shape: Shape, left: &str) -> Self {
        match shape {
            Shape::One => ask(Self::one(left)),
            Shape::Three => ask(Self::three(left)),
            Shape::Chain => ask(Self::chain(left)),
        }
    }

    async fn one(more: &str) -> Self {
        let node = Node::with(&(in_clear("left", more) + &in_clear("right", ""))).await;
        let (left, right) = (at(&node, "left"), at(&node, "right"));
        Self {
            left,
            right,
            nodes: vec![node],
            _stock: Vec::new(),
            relays: 1,
            home: tempfile::tempdir().unwrap(),
        }
    }

    async fn three(more: &str) -> Self {
        let a = Node::with(&(in_clear("left", more) + &udp("ab", &[], ""))).await;
        let c = Node::with(&(in_clear("right", "") + &udp("bc", &[], ""))).await;
        let b = Node::with(&(udp("ab", &[&a.at("ab")], "") + &udp("bc", &[&c.at("bc")], ""))).await;
        tokio::join!(b.until_linked(&a), b.until_linked(&c), a.until_linked(&b), c.until_linked(&b));
        let (left, right) = (at(&a, "left"), at(&c, "right"));
        let home = tempfile::tempdir().unwrap();
        Self { left, right, nodes: vec![a, b, c], _stock: Vec::new(), relays: 3, home }
    }

    async fn chain(more: &str) -> Self {
        // What crosses between the two would be another way.
        let apart = "crossings = false\n".to_owned();
        let a = Node::with(&(apart.clone() + &in_clear("left", more) + &in_clear("mid", ""))).await;
        let b = Node::with(&(apart + &in_clear("right", "") + &in_clear("mid", ""))).await;
        let home = tempfile::tempdir().unwrap();
        let port = free_port().unwrap();
        let near = Interfaces::none().calling(at(&a, "mid"), &[]).listening(port, &[]);
        let near = StockNode::start(home.path(), "near", Carries::Others, &near);
        let far = Interfaces::none().calling(port, &[]).calling(at(&b, "mid"), &[]);
        let far = StockNode::start(home.path(), "far", Carries::Others, &far);
        let (left, right) = (at(&a, "left"), at(&b, "right"));
        Self { left, right, nodes: vec![a, b], _stock: vec![near, far], relays: 4, home }
    }

    /// A stock node that calls one side.
    pub(crate) fn stock(&self, name: &str, side: SocketAddr) -> StockNode {
        StockNode::start(self.home.path(), name, Carries::Itself, &Interfaces::none().calling(side, &[]))
    }

    /// Stock nodes on both sides, of which each heard the other's announces.
    pub(crate) fn stock_on_both_sides(&self) -> (StockNode, StockNode) {
        let (mut left, mut right) = (self.stock("left", self.left), self.stock("right", self.right));
        for node in [&mut left, &mut right] {
            for of in ["plain", "ratcheted"] {
                node.tell(&json!({ "do": "announce", "of": of, "app_data": hex(of.as_bytes()) }));
            }
        }
        self.heard(&left, &mut right);
        self.heard(&right, &mut left);
        (left, right)
    }

    /// `at` hears the announces of both destinations of `from`, over all relays.
    fn heard(&self, from: &StockNode, at: &mut StockNode) {
        for (own, of) in [(&from.plain, "plain"), (&from.ratcheted, "ratcheted")] {
            let heard = at.wait_announce(own);
            assert_eq!(heard["app_data"], hex(of.as_bytes()));
            assert_eq!(
                (&heard["identity"], &heard["hops"]),
                (&json!(from.identity), &json!(self.relays + 1))
            );
        }
    }
}

impl Drop for Way {
    /// Tells what the nodes have to say to a test that failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &self.nodes {
                if let Some(status) = node.place.status() {
                    eprintln!("{}: {:?}", status.identity, status.refusals);
                }
                eprintln!("{:#?}", ask(paths(node)));
            }
        }
    }
}

async fn paths(of: &Node) -> Vec<nexus_daemon::api::Path> {
    let Paths { paths, .. } = of.client().await.call(Verb::Paths { after: None }).await.unwrap();
    paths
}

/// An interface that listens for the stock world, and is as far as [`LATENCY`] from it.
pub(crate) fn in_clear(name: &str, more: &str) -> String {
    let faults = format!("faults = {{ delay_ms = {} }}", LATENCY.as_millis());
    format!("[[tcp]]\nname = \"{name}\"\nlisten = \"127.0.0.1:0\"\nmode = \"reticulum\"\n{faults}\n{more}")
}

/// An interface that calls a stock node.
pub(crate) fn calling(name: &str, to: SocketAddr) -> String {
    format!("[[tcp]]\nname = \"{name}\"\nconnect = [\"{to}\"]\nmode = \"reticulum\"\n")
}

/// Where a node listens.
pub(crate) fn at(node: &Node, interface: &str) -> SocketAddr {
    node.at(interface).parse().unwrap()
}

/// An endpoint that calls `side`.
pub(crate) fn endpoint(seed: u8, side: SocketAddr, ratchets: Ratchets) -> Live {
    let endpoint = Endpoint::new(&Seed::new([seed; 32]), "nexus.stock.endpoint", ratchets, LinkMtu::new(MTU));
    Live::connect(side, endpoint, None).unwrap()
}

/// The endpoint announces itself, and the stock node hears it. Its address.
pub(crate) fn make_known(endpoint: &Live, to: &mut StockNode) -> String {
    endpoint.with(|endpoint, now| endpoint.announce(b"endpoint", Occasion::Periodic, now));
    let own = endpoint.with(|endpoint, _| endpoint.destination()).to_string();
    to.wait_announce(&own);
    own
}

/// The stock node announces a destination, and the endpoint hears it.
pub(crate) fn hear(endpoint: &mut Live, from: &mut StockNode, of: &str) -> Heard {
    from.tell(&json!({ "do": "announce", "of": of, "app_data": "" }));
    let own = if of == "plain" { &from.plain } else { &from.ratcheted };
    heard(endpoint, own)
}

/// The endpoint hears of a destination.
pub(crate) fn heard(endpoint: &mut Live, own: &str) -> Heard {
    endpoint.wait("an announce", |event| match event {
        Event::Announced(heard) if heard.destination.to_string() == own => Some(heard.clone()),
        _ => None,
    })
}

/// Waits for exactly this.
pub(crate) fn is(event: Event) -> impl Fn(&Event) -> Option<()> {
    move |happened| (*happened == event).then_some(())
}
