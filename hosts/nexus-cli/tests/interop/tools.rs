//! What a person is shown of the Reticulum world: `nexus rns`.

use std::process::{Command, Output, Stdio};

use nexus_stock::stock::{Carries, Interfaces, StockNode, free_port};
use serde_json::{Value, json};

use crate::nodes::Node;
use crate::place::ask;
use crate::world::{Shape, Way, calling};

/// Nobody's.
const NOBODY: &str = "00000000000000000000000000000001";

fn rns(node: &Node, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    command.arg("rns").args(words).arg("--state").arg(node.place.state.path());
    command.env("HOME", node.place.state.path()).stdin(Stdio::null()).output().unwrap()
}

/// What a command says that does what it was asked for.
pub(crate) fn said(node: &Node, words: &[&str]) -> String {
    let output = rns(node, words);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{words:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

pub(crate) fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a command says that could not do what it was asked for.
fn in_vain(node: &Node, words: &[&str]) -> String {
    let output = rns(node, words);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_relay_tells_of_its_interfaces_and_ways_and_probes_who_is_behind_them() {
    let way = Way::of(Shape::Chain);
    let (left, right) = way.stock_on_both_sides();
    let node = &way.nodes[0];

    let status = &objects(&said(node, &["status", "--json"]))[0];
    let interfaces = status["interfaces"].as_array().unwrap();
    assert_eq!(interfaces.len(), 2, "{status}");
    for interface in interfaces {
        assert_eq!((&interface["role"], &interface["up"]), (&json!("full"), &json!(true)), "{status}");
        assert!(interface["received"]["frames"].as_u64().unwrap() > 0, "{status}");
    }
    assert_eq!(status["transport_id"], node.me.identity);
    assert_eq!(status["paths"], 4, "{status}");

    let paths = objects(&said(node, &["path", "--json"]));
    let hops = |of: &str| paths.iter().find(|path| path["destination"] == of).map(|path| &path["hops"]);
    for (own, away) in [(&left.plain, 1), (&left.ratcheted, 1), (&right.plain, 4), (&right.ratcheted, 4)] {
        assert_eq!(hops(own), Some(&json!(away)), "{paths:?}");
    }
    let one = said(node, &["path", &format!("<{}>", right.plain)]);
    assert!(one.contains("* 4 hops, via "), "{one}");

    for (own, away, size) in [(&left.plain, 1, "0"), (&right.plain, 4, "16"), (&right.ratcheted, 4, "367")] {
        let probed = &objects(&said(node, &["probe", own, "--size", size, "--count", "2", "--json"]))[0];
        assert_eq!((&probed["sent"], &probed["answered"]), (&json!(2), &json!(2)), "{probed}");
        assert_eq!((&probed["loss_percent"], &probed["hops"]), (&json!(0), &json!(away)), "{probed}");
    }
    let too_long = rns(node, &["probe", &right.plain, "--size", "368"]);
    assert_eq!(too_long.status.code(), Some(2));
    let sentence = String::from_utf8(too_long.stderr).unwrap();
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    assert!(sentence.contains("a probe 367"), "{sentence}");
    // Somebody who is gone proves nothing.
    let gone = left.plain.clone();
    drop(left);
    let text = in_vain(node, &["probe", &gone, "--for", "1s"]);
    assert!(text.contains("no proof 1: "), "{text}");
}

#[test]
fn a_way_that_only_a_stock_relay_knows_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let [at, beyond] = [free_port().unwrap(), free_port().unwrap()];
    let interfaces = Interfaces::none().listening(at, &["mode = access_point"]).listening(beyond, &[]);
    let mut relay = StockNode::start(home.path(), "relay", Carries::Others, &interfaces);
    let far = Interfaces::none().calling(beyond, &[]);
    let mut far = StockNode::start(home.path(), "far", Carries::Itself, &far);
    far.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    relay.wait_announce(&far.plain);
    let node = ask(async {
        let node = Node::with(&calling("relay", at)).await;
        node.until("the relay is called", |status| status.interfaces.iter().any(|one| one.up)).await;
        node
    });
    relay.until_up();
    let sentence = in_vain(&node, &["path", &far.plain]);
    assert!(sentence.contains("nexus rns path --request"), "{sentence}");
    let found = &objects(&said(&node, &["path", "--request", "--json", &far.plain]))[0];
    assert_eq!(
        (&found["ways"][0]["total"]["hops"], &found["ways"][0]["interface"]),
        (&json!(2), &json!("relay"))
    );
    let probed = &objects(&said(&node, &["probe", "--json", &far.plain]))[0];
    assert_eq!(probed["answered"], 1, "{probed}");

    // What is dropped is not there, and cannot be dropped again.
    let sentence = said(&node, &["path", "--drop", &far.plain]);
    assert_eq!(sentence, format!("{}: 1 way is forgotten, until somebody says one\n", far.plain));
    // It fills lines as wide as a page.
    let sentence = in_vain(&node, &["path", &far.plain]);
    let words: Vec<&str> = sentence.split_whitespace().collect();
    assert!(words.join(" ").contains("nexus rns path --request"), "{sentence}");
    assert_eq!(objects(&in_vain(&node, &["path", "--drop", "--json", &far.plain]))[0]["dropped"], 0);
    // And is there again for whoever asks, at once.
    let found = &objects(&said(&node, &["path", "--request", "--json", &far.plain]))[0];
    assert_eq!(found["ways"][0]["total"]["hops"], 2, "{found}");

    let sentence = in_vain(&node, &["path", "--request", "--for", "1s", NOBODY]);
    assert!(sentence.contains(NOBODY) && sentence.lines().count() <= 2, "{sentence}");
    let probed = &objects(&in_vain(&node, &["probe", "--json", NOBODY]))[0];
    assert_eq!((&probed["loss_percent"], &probed["hops"]), (&json!(100), &Value::Null));
}
