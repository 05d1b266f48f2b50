//! A person at a node and a stock peer write to each other.

use std::process::{Command, Output};
use std::time::Duration;

use nexus_daemon::api::{Delivered, Message, Verb};
use nexus_daemon::client::ClientError;
use nexus_stock::StockLxmf;
use nexus_stock::lxmf::{Method, Stamps};
use nexus_stock::stock::{Carries, Interfaces, StockNode};
use serde_json::json;

use crate::nodes::{Node, PATIENCE};
use crate::place::ask;

#[test]
fn a_person_at_a_node_and_a_stock_peer_write_to_each_other_over_a_relay() {
    let mut people = People::meet("", Stamps::Unasked);
    people.talk();
}

#[test]
fn a_person_at_a_node_and_a_stock_peer_write_to_each_other_over_a_mesh_of_links_and_stock_segments() {
    let mut people = People::meet_over_a_mesh();
    people.talk();
}

#[test]
fn both_pay_the_stamps_that_the_other_asks_for() {
    let mut people = People::meet("stamp_cost = 8\n", Stamps::Enforced(8));
    people.talk();
    assert_eq!(people.refused("lxmf_unstamped"), 0);
}

#[test]
fn nobody_is_written_to_at_an_address_that_nobody_announced() {
    let people = People::meet("", Stamps::Unasked);
    let written = people.nexus(&["send", "--for", "1s", &format!("lxmf:{}", "07".repeat(16)), "hello"]);
    let said = String::from_utf8(written.stdout).unwrap();
    assert!(said.starts_with("not delivered: nobody answered who knows a way"), "{said}");
}

#[test]
fn a_node_without_an_address_says_so() {
    ask(async {
        let node = Node::with("").await;
        let to = format!("lxmf:{}", "07".repeat(16));
        let verb = Verb::LxmfSend { to, title: String::new(), text: "hello".to_owned(), for_s: 1 };
        let Err(ClientError::Refused(refused)) = node.client().await.call::<Delivered>(verb).await else {
            panic!("it was taken")
        };
        assert!(refused.sentence.contains("[lxmf]"), "{refused:?}");
        assert_eq!(node.me.lxmf, None);
    });
}

/// A node with an address, relays, and a stock peer that calls the last of them.
struct People {
    node: Node,
    relays: Vec<Node>,
    peer: StockLxmf,
    /// The node's own address, as it is typed.
    own: String,
    _stock: Option<StockNode>,
    _home: tempfile::TempDir,
}

/// What nodes are linked by: one listens, another calls.
const CABLE: &str = "[[tcp]]\nname = \"cable\"\n";
/// Where stock nodes call.
const CLEAR: &str = "[[tcp]]\nname = \"clear\"\nlisten = \"127.0.0.1:0\"\nmode = \"reticulum\"\n";
/// How the person at the node wants to be called.
const PERSON: &str = "[lxmf]\ndisplay_name = \"Anna\"\n";

fn listening() -> String {
    format!("{CABLE}listen = \"127.0.0.1:0\"\n")
}

fn calling(node: &Node) -> String {
    format!("{CABLE}connect = [\"{}\"]\n", node.at("cable"))
}

impl People {
    /// A relay between them. `more` are lines of the node's section, `stamps` what the peer asks for.
    fn meet(more: &str, stamps: Stamps) -> Self {
        let (node, relay) = ask(async {
            let relay = Node::with(&(CLEAR.to_owned() + &listening())).await;
            let node = Node::with(&format!("{PERSON}{more}{}", calling(&relay))).await;
            tokio::join!(node.until_linked(&relay), relay.until_linked(&node));
            (node, relay)
        });
        let home = tempfile::tempdir().unwrap();
        Self::acquainted(node, vec![relay], None, stamps, home)
    }

    /// A link, a stock relay between two nodes, another link, and the stock peer.
    fn meet_over_a_mesh() -> Self {
        let (node, near, far, last) = ask(async {
            let near = Node::with(&(CLEAR.to_owned() + &listening())).await;
            let node = Node::with(&(PERSON.to_owned() + &calling(&near))).await;
            let far = Node::with(&(CLEAR.to_owned() + &listening())).await;
            let last = Node::with(&(CLEAR.to_owned() + &calling(&far))).await;
            tokio::join!(node.until_linked(&near), near.until_linked(&node));
            tokio::join!(last.until_linked(&far), far.until_linked(&last));
            (node, near, far, last)
        });
        let home = tempfile::tempdir().unwrap();
        let at = |node: &Node| node.at("clear").parse().unwrap();
        let both = Interfaces::none().calling(at(&near), &[]).calling(at(&far), &[]);
        let stock = StockNode::start(home.path(), "between", Carries::Others, &both);
        Self::acquainted(node, vec![near, far, last], Some(stock), Stamps::Unasked, home)
    }

    /// Each heard the other's announce.
    fn acquainted(
        node: Node,
        relays: Vec<Node>,
        stock: Option<StockNode>,
        stamps: Stamps,
        home: tempfile::TempDir,
    ) -> Self {
        let call = Interfaces::none().calling(relays.last().unwrap().at("clear").parse().unwrap(), &[]);
        let mut peer = StockLxmf::start(home.path(), "peer", stamps, &call);
        let own = node.me.lxmf.clone().unwrap();
        peer.announce();
        // It may have been announced before the peer was there: then it is asked for.
        peer.tell(&json!({ "do": "ask_path", "to": digits(&own) }));
        assert_eq!(peer.wait_announce(digits(&own))["name"], "Anna");
        Self { node, relays, peer, own, _stock: stock, _home: home }
    }

    /// A text each way by each way, and an answer to who wrote.
    fn talk(&mut self) {
        let to = format!("lxmf:{}", self.peer.address);
        let [long, longer] = [300, 5_000].map(|len| "x".repeat(len));
        for text in ["hello from a node", &long, &longer] {
            let sent = self.nexus(&["send", &to, "--json", text]);
            let said: serde_json::Value = serde_json::from_slice(&sent.stdout)
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&sent.stderr)));
            assert_eq!(said["delivered"], true, "{said} {}", self.node.log());
            let came = self.peer.wait_text(text);
            assert_eq!((&came["from"], &came["verified"]), (&json!(digits(&self.own)), &json!(true)));
        }
        let own = digits(&self.own).to_owned();
        for (text, method) in [
            ("hello from afar", Method::Opportunistic),
            ("and on a link", Method::Direct),
            (&longer, Method::Direct),
        ] {
            self.peer.send(&own, text, method);
            self.peer.wait_delivered(text);
            let message = message(&self.node, text);
            assert_eq!((message.from.as_deref(), message.verified), (Some(&*to), true));
        }
        let listened = self.nexus(&["listen", "--count", "1"]);
        let line = String::from_utf8(listened.stdout).unwrap();
        assert!(line.contains(&format!("{to} (verified): hello from afar")), "{line}");
        assert_eq!(self.peer.complaints(), Vec::<String>::new());
    }

    /// What the command prints.
    fn nexus(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
        command.args(words).arg("--state").arg(self.node.place.state.path());
        command.env("XDG_CONFIG_HOME", self.node.place.state.path());
        command.output().unwrap()
    }

    fn refused(&self, cause: &str) -> u64 {
        let status = ask(self.node.until("it answers", |_| true));
        status.refusals.get(cause).copied().unwrap_or(0)
    }
}

impl Drop for People {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\n{}", self.node.log(), self.peer.log());
            self.relays.iter().for_each(|relay| eprintln!("{}", relay.log()));
        }
    }
}

/// The message with that text, once it is there.
pub(crate) fn message(at: &Node, text: &str) -> Message {
    ask(async {
        let looking = async {
            loop {
                let inbox = at.inbox().await;
                if let Some(found) = inbox.into_iter().find(|message| message.text == text) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, looking).await;
        in_time.unwrap_or_else(|_late| panic!("it never came: {}", at.log()))
    })
}

/// An address without the word before it.
pub(crate) fn digits(address: &str) -> &str {
    address.strip_prefix("lxmf:").unwrap()
}
