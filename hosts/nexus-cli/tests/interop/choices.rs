//! Which way stock nodes take, what passes between TCP and the air, and what a flood does.

use nexus_machine::Seed;
use nexus_stock::StockNode;
use nexus_stock::endpoint::{Endpoint, Event, Ratchets};
use nexus_stock::stock::{Carries, Interfaces, hex};
use nexus_wire::reticulum::LinkMtu;
use nexus_wire::reticulum::announce::Occasion;
use serde_json::json;

use crate::air::{A, Air, B};
use crate::nodes::{Node, udp};
use crate::place::ask;
use crate::world::{MTU, at, endpoint, heard, in_clear, is};

/// What comes at once from the side of the internet.
const FLOOD: u16 = 2_000;
/// Announces that the air has time for while the test runs, many times over.
const ON_AIR_MAX: u64 = 200;

#[test]
fn of_two_ways_a_stock_node_takes_the_cheap_one() {
    let (dear, cheap, far) = ask(async {
        let far = Node::with(&(in_clear("right", "") + &udp("cheap", &[], "") + &udp("dear", &[], ""))).await;
        let dear = in_clear("left", "") + &udp("dear", &[&far.at("dear")], "price = 1000000\n");
        let dear = Node::with(&dear).await;
        let cheap = Node::with(&(in_clear("left", "") + &udp("cheap", &[&far.at("cheap")], ""))).await;
        tokio::join!(dear.until_linked(&far), cheap.until_linked(&far), far.until_linked(&dear));
        (dear, cheap, far)
    });
    let home = tempfile::tempdir().unwrap();
    let both = Interfaces::none().calling(at(&dear, "left"), &[]).calling(at(&cheap, "left"), &[]);
    let mut left = StockNode::start(home.path(), "left", Carries::Itself, &both);
    let one = Interfaces::none().calling(at(&far, "right"), &[]);
    let mut right = StockNode::start(home.path(), "right", Carries::Itself, &one);
    for of in ["plain", "ratcheted"] {
        right.tell(&json!({ "do": "announce", "of": of, "app_data": "" }));
    }
    for own in [right.plain.clone(), right.ratcheted.clone()] {
        left.wait_announce(&own);
        left.tell(&json!({ "do": "path", "to": own }));
        assert_eq!(left.wait("path")["via"], cheap.me.identity);
    }
}

/// A node between a TCP interface and a channel, and a stock node on the channel.
struct Radio {
    node: Node,
    stock: StockNode,
    air: Air,
    home: tempfile::TempDir,
}

impl Radio {
    fn start() -> Self {
        let (air, home) = (Air::of(2), tempfile::tempdir().unwrap());
        let stock = Interfaces::none().radio(&air.port(B));
        let stock = StockNode::start(home.path(), "radio", Carries::Itself, &stock);
        let config = in_clear("left", "") + &air.rnode(A, "mode = \"reticulum\"\n");
        let node = ask(async {
            let node = Node::with(&config).await;
            let on = |status: &nexus_daemon::api::Status| {
                status.interfaces.iter().any(|interface| interface.name == "radio" && interface.up)
            };
            node.until("its radio is on", on).await;
            node
        });
        Self { node, stock, air, home }
    }
}

#[test]
fn a_resource_of_20_kilobytes_passes_between_tcp_and_the_air() {
    let mut radio = Radio::start();
    let left = Interfaces::none().calling(at(&radio.node, "left"), &[]);
    let mut left = StockNode::start(radio.home.path(), "left", Carries::Itself, &left);
    radio.stock.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    left.wait_announce(&radio.stock.plain);
    left.tell(&json!({ "do": "link", "to": radio.stock.plain }));
    assert_eq!(left.wait("linked")["linked"], radio.stock.wait("linked")["linked"]);
    left.tell(&json!({ "do": "resource", "len": 20_000 }));
    let offered = left.wait("offered");
    assert_eq!(radio.stock.wait("resource")["resource"], offered["offered"]);
    assert_eq!(left.wait("transferred")["transferred"], true);
}

#[test]
fn a_flood_of_announces_from_tcp_does_not_starve_an_attached_radio() {
    let mut radio = Radio::start();
    let left = at(&radio.node, "left");
    let (flooding, mut asking) = (endpoint(1, left, Ratchets::None), endpoint(2, left, Ratchets::None));
    radio.stock.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    let to = heard(&mut asking, &radio.stock.plain).destination;
    let before = radio.air.house.meter(A).sent;
    let strangers = (0..FLOOD).map(|number| {
        let [high, low] = number.to_be_bytes();
        let mut seed = [5; 32];
        (seed[0], seed[1]) = (high, low);
        let mut one =
            Endpoint::new(&Seed::new(seed), "nexus.stock.endpoint", Ratchets::None, LinkMtu::new(MTU));
        one.announce(b"one of many", Occasion::Periodic, 1_700_000_000);
        one.take_packets().remove(0)
    });
    flooding.inject(&strangers.collect::<Vec<_>>());
    for text in ["in the middle of it", "and once more"] {
        let hash = asking.with(|endpoint, _| endpoint.send(to, text.as_bytes())).unwrap();
        assert_eq!(radio.stock.wait("data")["data"], hex(text.as_bytes()));
        asking.wait("a proof", is(Event::Proved(hash)));
    }
    let sent = radio.air.house.meter(A).sent - before;
    assert!(sent < ON_AIR_MAX, "{sent} of {FLOOD} were sent on the air");
}
