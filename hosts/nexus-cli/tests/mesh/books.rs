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
        let made = [
            "genesis",
            "new",
            file,
            "--name",
            "mynet",
            "--witness",
            &first,
            "--witness",
            &second,
            "--account",
            &account,
        ];
        said(&nexus(&made), 0);
        assert_eq!(nexus(&made).status.code(), Some(2), "it is never overwritten");
        let draft = said(&nexus(&["genesis", "check", file]), 1);
        assert!(draft.contains("name             mynet") && draft.contains("It is a draft"), "{draft}");
        // A node does not follow a draft.
        let config = |other: &[&str], witness: bool| {
            format!("{}\n[ledger]\ngenesis = \"{file}\"\nwitness = {witness}\n", udp("udp", other, ""))
        };
        one.configure(&config(&[], true));
        let refused = one.node(&["run"]);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains("has not signed this genesis"), "{told}");
        for place in &places {
            let key = place.state.key();
            said(&nexus(&["genesis", "sign", file, "--identity", key.to_str().unwrap()]), 0);
        }
        let checked = said(&nexus(&["genesis", "check", file]), 0);
        assert!(
            checked.contains("It is signed") && checked.contains("together         5000000"),
            "{checked}"
        );

        let [one, two] = places;
        let one = Node::start(one).await;
        two.configure(&config(&[&one.at("udp")], false));
        let two = Node::start(two).await;
        two.until_linked(&one).await;
        let text = said(&run(&one, &["status", "balances"]), 0);
        assert!(
            text.contains(&one.me.node) && text.contains("5000000") && text.contains("this node is witness"),
            "{text}"
        );
        let json = said(&run(&two, &["status", "balances", "--json"]), 0);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&json["balances"]["channels"], &json["balances"]["witness"]),
            (&0.into(), &serde_json::Value::Null)
        );
        assert_eq!(json["balances"]["accounts"][0]["balance"], 5_000_000);
        let texts = [&one, &two].map(|node| {
            let path = node.place.beside("books.txt");
            said(&run(node, &["ledger", "export", path.to_str().unwrap()]), 0);
            (fs::read(&path).unwrap(), path)
        });
        assert_eq!(texts[0].0, texts[1].0, "equal books, equal bytes");
        let [mine, yours] = [&texts[0].1, &texts[1].1].map(|path| path.to_str().unwrap());
        assert_eq!(said(&nexus(&["ledger", "diff", mine, yours]), 0), "They are equal.\n");
        let verified = said(&nexus(&["ledger", "verify", mine, "--genesis", file]), 0);
        assert!(verified.contains("Together 5000000 µNXS, of 5000000 at first"), "{verified}");
        fs::write(yours, String::from_utf8(texts[1].0.clone()).unwrap().replace("state ", "state 0"))
            .unwrap();
        assert_eq!(nexus(&["ledger", "verify", yours]).status.code(), Some(2));
        assert_eq!(said(&run(&one, &["ledger", "show"]), 0), "no channel is in these books\n");

        // With another genesis the same disk is refused, and a node without one says so.
        let two = two.stop();
        let other = two.beside("other.genesis");
        let other = other.to_str().unwrap();
        said(
            &nexus(&[
                "genesis",
                "new",
                other,
                "--name",
                "other",
                "--witness",
                &second,
                "--account",
                &account,
            ]),
            0,
        );
        let key = two.state.key();
        said(&nexus(&["genesis", "sign", other, "--identity", key.to_str().unwrap()]), 0);
        two.configure(&format!("{}\n[ledger]\ngenesis = \"{other}\"\n", udp("udp", &[], "")));
        let refused = two.node(&["run"]);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains("those of another genesis"), "{told}");
        two.configure(&udp("udp", &[], ""));
        let two = Node::start(two).await;
        let text = said(&run(&two, &["status", "balances"]), 0);
        assert!(text.contains("this node keeps no books"), "{text}");
    });
}
