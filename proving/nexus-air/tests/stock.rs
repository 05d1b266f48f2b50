//! Virtual modems under the published Reticulum package, run as a black box through its public interface.
//!
//! `cargo xtask test` installs the package and names its interpreter in `NEXUS_STOCK_PYTHON`.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

#[path = "stock/node.rs"]
mod node;

use std::net::{Ipv4Addr, SocketAddr};

use nexus_air::live::{House, Plan, Port};
use nexus_air::{Hearing, RadioId};
use nexus_machine::Seed;
use serde_json::Value;

use node::{FlowControl, StockNode, Tuned};

/// The only port at which the package looks for an RNode on TCP.
const STOCK_TCP_PORT: u16 = 7633;

const A: RadioId = RadioId(0);
const B: RadioId = RadioId(1);

#[test]
fn two_stock_nodes_hear_each_other_through_virtual_modems_at_terminals() {
    let home = tempfile::tempdir().unwrap();
    let plan = Plan::terminals(Hearing::everybody(2), Seed::new([3; 32]));
    let house = House::open(plan, home.path()).unwrap();
    let mut left = StockNode::start(home.path(), "left", house.address(A), Tuned::SLOW, FlowControl::On);
    let mut right = StockNode::start(home.path(), "right", house.address(B), Tuned::SLOW, FlowControl::Off);
    left.wait_for("ready");
    right.wait_for("ready");
    converse(&mut left, &mut right);
    // With flow control the package sends nothing more until the modem has said that it is ready.
    for _ in 0..2 {
        left.tell("announce");
    }
    for _ in 0..2 {
        let own = left.wait_for("own");
        assert_eq!(right.wait_for("announced")["announced"], own["own"]);
    }
    // One that is longer than 254 bytes goes in two halves.
    right.tell("announce-long");
    assert_eq!(left.wait_for("announced")["app_data"], "00".repeat(300));
    // What the package reads of the modem's statistics is what the independent meter says.
    let airtime = house.meter(A).airtime.as_micros();
    let told = left.ask_until("airtime_short", |share| share.as_f64().is_some_and(|share| share > 0.0));
    let percent = told["airtime_short"].as_f64().unwrap();
    let expected = f64::from(u32::try_from(airtime).unwrap()) / 150_000.0;
    assert!(percent <= expected + 0.01, "{percent} % of 15 s, and {airtime} µs were on the air");
    let on_air = house.transmissions();
    assert!(on_air.iter().all(|one| one.channel.frequency.0 == 867_200_000));
    let halves: Vec<_> = on_air.iter().filter(|one| one.bytes[0] & 1 == 1).collect();
    assert_eq!((on_air.len(), halves.len()), (6, 2));
    assert_eq!((halves[0].bytes.len(), halves[0].end), (255, halves[1].start));
    for node in [&mut left, &mut right] {
        assert_eq!(node.said("announced"), Vec::<Value>::new(), "heard what nobody said");
        assert_eq!(node.complaints(), 0, "lines of its log");
    }
}

#[test]
fn a_stock_node_finds_a_virtual_modem_at_a_tcp_port() {
    let home = tempfile::tempdir().unwrap();
    let (house, host) = house_with_tcp(&home);
    let mut left = StockNode::start(home.path(), "left", house.address(A), Tuned::FAST, FlowControl::Off);
    let mut right =
        StockNode::start_at(home.path(), "right", &format!("tcp://{host}"), Tuned::FAST, FlowControl::Off);
    left.wait_for("ready");
    right.wait_for("ready");
    converse(&mut left, &mut right);
}

#[test]
fn a_stock_node_is_there_again_when_its_modem_is_plugged_in_again() {
    let home = tempfile::tempdir().unwrap();
    let plan = Plan::terminals(Hearing::everybody(2), Seed::new([3; 32]));
    let house = House::open(plan, home.path()).unwrap();
    let mut left = StockNode::start(home.path(), "left", house.address(A), Tuned::SLOW, FlowControl::Off);
    let mut right = StockNode::start(home.path(), "right", house.address(B), Tuned::SLOW, FlowControl::Off);
    left.wait_for("ready");
    right.wait_for("ready");
    house.unplug(A).unwrap();
    left.ask_until("status", |status| status == &Value::Bool(false));
    house.plug(A).unwrap();
    left.ask_until("status", |status| status == &Value::Bool(true));
    converse(&mut left, &mut right);
}

/// Each hears the other's announce.
fn converse(left: &mut StockNode, right: &mut StockNode) {
    left.tell("announce");
    let own = left.wait_for("own");
    let heard = right.wait_for("announced");
    assert_eq!((&heard["announced"], &heard["app_data"]), (&own["own"], &"6f7665722074686520616972".into()));
    right.tell("announce");
    let own = right.wait_for("own");
    assert_eq!(left.wait_for("announced")["announced"], own["own"]);
}

/// A modem at a terminal, and one at the package's own port of a loopback address that nobody else uses.
fn house_with_tcp(home: &tempfile::TempDir) -> (House, Ipv4Addr) {
    let [.., high, low] = std::process::id().to_be_bytes();
    for third in 1..=u8::MAX {
        let host = Ipv4Addr::new(127, third, high, low);
        let port = Port::Tcp(SocketAddr::from((host, STOCK_TCP_PORT)));
        let plan = Plan::terminals(Hearing::everybody(2), Seed::new([4; 32]));
        if let Ok(house) = House::open(Plan { ports: vec![Port::Terminal, port], ..plan }, home.path()) {
            return (house, host);
        }
    }
    panic!("no loopback address has port {STOCK_TCP_PORT} free");
}
