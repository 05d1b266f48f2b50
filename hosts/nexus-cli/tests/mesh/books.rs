//! Books of nodes as processes: from a genesis to balances and exports.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::nodes::{Node, udp};
use crate::place::{Place, ask};
use crate::tools::{run, said};

fn nexus(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nexus")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What `nexus keygen show` says behind a name.
fn shown(place: &Place, name: &str) -> String {
    let key = place.state.key();
    let text = said(&nexus(&["keygen", "show", key.to_str().unwrap()]), 0);
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
    line.trim().to_owned()
}

/// Makes a genesis of these witnesses, in which one account has something.
fn make(file: &str, name: &str, witnesses: &[&str], account: &str) -> Output {
    let named = ["genesis", "new", file, "--name", name];
    let signing = witnesses.iter().flat_map(|witness| ["--witness", witness]);
    nexus(&named.into_iter().chain(signing).chain(["--account", account]).collect::<Vec<_>>())
}

fn sign(place: &Place, file: &str) {
    let key = place.state.key();
    said(&nexus(&["genesis", "sign", file, "--identity", key.to_str().unwrap()]), 0);
}

/// Why a node does not start.
fn refusal(place: &Place) -> String {
    let refused = place.node(&["run"]);
    assert!(!refused.status.success());
    String::from_utf8_lossy(&refused.stderr).into_owned()
}

fn with_books(of: &[&str], file: &str, rest: &str) -> String {
    format!("{}\n[ledger]\ngenesis = \"{file}\"\n{rest}", udp("udp", of, ""))
}

/// What the pages and exports of two nodes say whose books are equal.
fn judge_books(one: &Node, two: &Node, file: &str) {
    let text = said(&run(one, &["status", "balances"]), 0);
    assert!(
        text.contains(&one.me.node) && text.contains("5000000") && text.contains("this node is witness"),
        "{text}"
    );
    let json = said(&run(two, &["status", "balances", "--json"]), 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let balances = &json["balances"];
    assert_eq!((&balances["channels"], &balances["witness"]), (&0.into(), &serde_json::Value::Null));
    assert_eq!(balances["accounts"][0]["balance"], 5_000_000);
    let texts = [one, two].map(|node| {
        let path = node.place.beside("books.txt");
        said(&run(node, &["ledger", "export", path.to_str().unwrap()]), 0);
        (fs::read(&path).unwrap(), path)
    });
    assert_eq!(texts[0].0, texts[1].0, "equal books, equal bytes");
    let [mine, yours] = [&texts[0].1, &texts[1].1].map(|path| path.to_str().unwrap());
    assert_eq!(said(&nexus(&["ledger", "diff", mine, yours]), 0), "They are equal.\n");
    let verified = said(&nexus(&["ledger", "verify", mine, "--genesis", file]), 0);
    assert!(verified.contains("Together 5000000 µNXS, of 5000000 at first"), "{verified}");
    let spoilt = String::from_utf8(texts[1].0.clone()).unwrap().replace("state ", "state 0");
    fs::write(yours, spoilt).unwrap();
    assert_eq!(nexus(&["ledger", "verify", yours]).status.code(), Some(2));
    assert_eq!(said(&run(one, &["ledger", "show"]), 0), "no channel is in these books\n");
}

#[test]
fn from_a_genesis_that_witnesses_signed_to_equal_exports_of_two_nodes() {
    ask(async {
        let places = [Place::with(""), Place::with("")];
        places[0].key([1; 32]);
        places[1].key([2; 32]);
        let [one, two] = [&places[0], &places[1]];
        let path = one.beside("net.genesis");
        let file = path.to_str().unwrap();
        let (first, second) = (shown(one, "Ed25519 "), shown(two, "Ed25519 "));
        let account = format!("{}=5000000", shown(one, "node id "));
        let make_it = || make(file, "mynet", &[&first, &second], &account);
        said(&make_it(), 0);
        assert_eq!(make_it().status.code(), Some(2), "it is never overwritten");
        let draft = said(&nexus(&["genesis", "check", file]), 1);
        assert!(draft.contains("name             mynet") && draft.contains("It is a draft"), "{draft}");
        // A node does not follow a draft.
        one.configure(&with_books(&[], file, "witness = true\n"));
        let told = refusal(one);
        assert!(told.contains("has not signed this genesis"), "{told}");
        for place in &places {
            sign(place, file);
        }
        let checked = said(&nexus(&["genesis", "check", file]), 0);
        let (signed, sum) = ("It is signed", "together         5000000");
        assert!(checked.contains(signed) && checked.contains(sum), "{checked}");

        let [one, two] = places;
        let one = Node::start(one).await;
        two.configure(&with_books(&[&one.at("udp")], file, "witness = false\n"));
        let two = Node::start(two).await;
        two.until_linked(&one).await;
        judge_books(&one, &two, file);

        // With another genesis the same disk is refused, and a node without one says so.
        let two = two.stop();
        let other = two.beside("other.genesis");
        let other = other.to_str().unwrap();
        said(&make(other, "other", &[&second], &account), 0);
        sign(&two, other);
        two.configure(&with_books(&[], other, ""));
        let told = refusal(&two);
        assert!(told.contains("those of another genesis"), "{told}");
        two.configure(&udp("udp", &[], ""));
        let two = Node::start(two).await;
        let text = said(&run(&two, &["status", "balances"]), 0);
        assert!(text.contains("this node keeps no books"), "{text}");
    });
}
