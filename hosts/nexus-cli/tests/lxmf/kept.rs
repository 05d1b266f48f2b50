//! Messages that a propagation node keeps until their recipients are there.

use nexus_daemon::api::{Delivered, LeftAt, Paths, Verb};
use nexus_stock::StockLxmf;
use nexus_stock::lxmf::{Method, Stamps};
use nexus_stock::stock::Interfaces;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::nodes::{Node, PATIENCE};
use crate::people::{digits, message};
use crate::place::{Place, ask};

#[test]
fn what_a_stock_peer_leaves_for_a_node_that_is_away_is_fetched_when_it_is_back() {
    let mut world = World::start();
    let away = world.node().stop();
    world.peer.tell(&json!({ "do": "node", "to": world.keeper_address }));
    world.peer.send(&world.own, "for when you are back", Method::Propagated);
    world.peer.wait_delivered("for when you are back");
    let node = ask(Node::start(away));
    let message = message(&node, "for when you are back");
    assert_eq!((message.from, message.verified), (Some(format!("lxmf:{}", world.peer.address)), true));
    world.wait_kept(0);
}

/// How a peer goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    /// It answers no more: its way stands.
    Silent,
    /// It hangs up on its relay, and its way is withdrawn.
    HungUp,
}

#[test]
fn what_a_stock_peer_that_is_silent_does_not_prove_is_left_for_it() {
    leave_for_one_that_is_away(Going::Silent);
}

#[test]
fn what_is_written_to_a_stock_peer_that_hung_up_is_left_for_it() {
    leave_for_one_that_is_away(Going::HungUp);
}

fn leave_for_one_that_is_away(going: Going) {
    let mut world = World::start();
    let node = world.node();
    let (to, interfaces) = (format!("lxmf:{}", world.peer.address), world.call.clone());
    let home = world.home.path().to_owned();
    let peer = Pid::from_raw(world.peer.pid().try_into().unwrap()).unwrap();
    match going {
        Going::Silent => {
            kill_process(peer, Signal::STOP).unwrap();
            while !is_stopped(peer) {
                std::thread::yield_now();
            }
        }
        Going::HungUp => {
            world.until_known(&node);
            kill_process(peer, Signal::KILL).unwrap();
            world.until_withdrawn(&node);
        }
    }
    let verb = Verb::LxmfSend { to, title: String::new(), text: "while you were out".to_owned(), for_s: 0 };
    let sent: Delivered = ask(async { node.client().await.call(verb).await.unwrap() });
    assert!(going == Going::HungUp || is_stopped(peer), "somebody let it go on: {sent:?}");
    assert_eq!(sent.left_at, Some(LeftAt::PropagationNode));
    world.wait_kept(1);
    drop(std::mem::replace(&mut world.peer, StockLxmf::start(&home, "other", Stamps::Unasked, &interfaces)));
    let mut back = StockLxmf::start(&home, "peer", Stamps::Unasked, &interfaces);
    back.tell(&json!({ "do": "ask_path", "to": world.keeper_address }));
    back.wait_announce(&world.keeper_address);
    back.tell(&json!({ "do": "ask_path", "to": world.own }));
    back.wait_announce(&world.own);
    back.tell(&json!({ "do": "node", "to": world.keeper_address }));
    back.tell(&json!({ "do": "sync" }));
    let came = back.wait_text("while you were out");
    assert_eq!((&came["from"], &came["verified"]), (&json!(world.own), &json!(true)));
}

/// Whether a process stands where it was stopped.
fn is_stopped(process: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap();
    status.lines().any(|line| line.starts_with("State:\tT"))
}

/// A relay, and around it a propagation node, a peer that knows it, and a node with an address.
struct World {
    relay: Node,
    keeper: StockLxmf,
    keeper_address: String,
    peer: StockLxmf,
    call: Interfaces,
    node: Option<Node>,
    /// The node's own address.
    own: String,
    home: tempfile::TempDir,
}

impl World {
    fn start() -> Self {
        let clear = "[[tcp]]\nname = \"clear\"\nlisten = \"127.0.0.1:0\"\nmode = \"reticulum\"\n";
        let cable = "[[tcp]]\nname = \"cable\"\n";
        let relay = ask(Node::with(&format!("{clear}{cable}listen = \"127.0.0.1:0\"\n")));
        let call = Interfaces::none().calling(relay.at("clear").parse().unwrap(), &[]);
        let home = tempfile::tempdir().unwrap();
        let mut keeper = StockLxmf::start(home.path(), "keeper", Stamps::Unasked, &call);
        keeper.tell(&json!({ "do": "keep" }));
        let keeper_address = keeper.wait("keeps")["keeps"].as_str().unwrap().to_owned();
        let mut peer = StockLxmf::start(home.path(), "peer", Stamps::Unasked, &call);
        let lxmf = format!("[lxmf]\npropagation_node = \"{keeper_address}\"\n");
        let node = Place::with(&format!("{lxmf}{cable}connect = [\"{}\"]\n", relay.at("cable")));
        let node = ask(async {
            let node = Node::start(node).await;
            tokio::join!(node.until_linked(&relay), relay.until_linked(&node));
            node
        });
        let own = digits(node.me.lxmf.as_ref().unwrap()).to_owned();
        peer.announce();
        for address in [&own, &keeper_address] {
            peer.tell(&json!({ "do": "ask_path", "to": address }));
            peer.wait_announce(address);
        }
        Self { relay, keeper, keeper_address, peer, call, node: Some(node), own, home }
    }

    fn node(&mut self) -> Node {
        self.node.take().unwrap()
    }

    /// Waits until the node knows a way to the peer,
    fn until_known(&self, node: &Node) {
        self.until_ways(node, |ways| ways > 0);
    }

    /// and until it knows none.
    fn until_withdrawn(&self, node: &Node) {
        self.until_ways(node, |ways| ways == 0);
    }

    fn until_ways(&self, node: &Node, is: impl Fn(usize) -> bool) {
        ask(async {
            let mut client = node.client().await;
            let looking = async {
                loop {
                    let Paths { paths, .. } = client.call(Verb::Paths { after: None }).await.unwrap();
                    if is(paths.iter().filter(|path| path.destination == self.peer.address).count()) {
                        return;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(PATIENCE, looking).await.expect("its ways change");
        });
    }

    /// Waits until the propagation node keeps so many messages.
    fn wait_kept(&mut self, count: u64) {
        loop {
            self.keeper.tell(&json!({ "do": "kept" }));
            if self.keeper.wait("kept")["kept"] == count {
                return;
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\n{}\n{}", self.relay.log(), self.keeper.log(), self.peer.log());
        }
    }
}
