//! A relay that ends and starts again, and a connection that is lost: stock nodes notice nothing of either but the pause.

use nexus_daemon::api::{RnsStatus, Verb};
use nexus_stock::stock::{Carries, Interfaces, StockNode, free_port, hex};
use rustix::process::Signal;
use serde_json::json;

use crate::nodes::Node;
use crate::place::{Place, ask, signal};
use crate::world::{calling, in_clear};

#[test]
fn ways_and_links_of_stock_callers_survive_a_relay_that_is_ended() {
    survive(Signal::TERM);
}

#[test]
fn ways_and_links_of_stock_callers_survive_a_relay_that_is_killed() {
    survive(Signal::KILL);
}

fn survive(how: Signal) {
    let home = tempfile::tempdir().unwrap();
    let [at_left, at_right] = [free_port().unwrap(), free_port().unwrap()];
    let listening =
        |name: &str, at: std::net::SocketAddr| in_clear(name, "").replace("127.0.0.1:0", &at.to_string());
    let node = ask(Node::with(&(listening("left", at_left) + &listening("right", at_right))));
    let stock =
        |name, at| StockNode::start(home.path(), name, Carries::Itself, &Interfaces::none().calling(at, &[]));
    let (mut left, mut right) = (stock("left", at_left), stock("right", at_right));
    for stock in [&mut left, &mut right] {
        stock.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    }
    left.wait_announce(&right.plain);
    right.wait_announce(&left.plain);
    left.tell(&json!({ "do": "link", "to": right.plain }));
    left.wait("linked");
    right.wait("linked");
    say(&mut left, &mut right);

    let place = end(node, how);
    let node = ask(Node::start(place));
    let tunnels = ask(async {
        let mut client = node.client().await;
        loop {
            let status: RnsStatus = client.call(Verb::RnsStatus).await.unwrap();
            if status.tunnels == 2 {
                return status;
            }
        }
    });
    assert_eq!((tunnels.paths, tunnels.circuits), (2, 1), "{tunnels:?}");
    // As the announces of before had it: nobody announces again. Whoever was asked for the link speaks first.
    say(&mut right, &mut left);
    say(&mut left, &mut right);
    send(&mut left, &mut right);
    send(&mut right, &mut left);
}

/// Ends a relay: one that is killed has written what it knows, one that is asked to end does that then.
fn end(node: Node, how: Signal) -> Place {
    let is_killed = how == Signal::KILL;
    ask(async {
        let mut client = node.client().await;
        while is_killed && client.call::<RnsStatus>(Verb::RnsStatus).await.unwrap().paths_unwritten > 0 {}
    });
    // What was written before an emission is durable before that is announced.
    node.place.announce();
    signal(node.me.pid, how);
    node.ended()
}

#[test]
fn a_stock_server_gives_a_node_that_calls_it_its_ways_back() {
    let home = tempfile::tempdir().unwrap();
    let [at_hub, at_leaf] = [free_port().unwrap(), free_port().unwrap()];
    let hub = Interfaces::none().listening(at_hub, &[]);
    let mut hub = StockNode::start(home.path(), "hub", Carries::Others, &hub);
    let leaf = Interfaces::none().listening(at_leaf, &[]);
    let mut leaf = StockNode::start(home.path(), "leaf", Carries::Itself, &leaf);
    let both =
        |status: &nexus_daemon::api::Status| status.interfaces.iter().filter(|one| one.up).count() == 2;
    let config = calling("hub", at_hub) + &calling("leaf", at_leaf);
    let node = ask(async {
        let node = Node::with(&config).await;
        node.until("both are called", both).await;
        node
    });
    hub.until_up();
    leaf.until_up();
    leaf.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    hub.wait_announce(&leaf.plain);
    send(&mut hub, &mut leaf);

    let node = ask(Node::start(end(node, Signal::TERM)));
    ask(node.until("both are called again", both));
    hub.until_up();
    leaf.until_up();
    send(&mut hub, &mut leaf);
}

/// A packet arrives and is proved.
fn send(from: &mut StockNode, to: &mut StockNode) {
    from.tell(&json!({ "do": "send", "to": to.plain, "data": hex(b"a packet") }));
    assert_eq!(to.wait("data")["data"], hex(b"a packet"));
    let sent = from.wait("sent");
    from.wait_for("proved", |line| line["proved"] == sent["sent"]);
}

/// Data arrives on the link that is up, and is proved.
fn say(from: &mut StockNode, to: &mut StockNode) {
    from.tell(&json!({ "do": "say", "data": hex(b"on the link") }));
    assert_eq!(to.wait("link_data")["link_data"], hex(b"on the link"));
    let sent = from.wait("sent");
    from.wait_for("proved", |line| line["proved"] == sent["sent"]);
}
