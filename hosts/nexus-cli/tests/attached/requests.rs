//! What a person asks of stock destinations through the node.

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::instance::Instance;

#[test]
fn a_request_is_answered_by_a_stock_node_beyond_and_by_a_program_of_this_machine() {
    let instance = Instance::start();
    let mut beyond = instance.beyond("beyond");
    let mut program = instance.program("program");
    for node in [&mut beyond, &mut program] {
        node.tell(&json!({ "do": "announce", "of": "ratcheted", "app_data": "" }));
        let to = node.ratcheted.clone();
        let raw = request(&instance, &[&to, "/echo", "asked"]);
        assert_eq!((raw.status.code(), &raw.stdout[..]), (Some(0), &b"asked"[..]), "{raw:?}");
        let told = request(&instance, &["--json", "--identify", &to, "/echo", "again"]);
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!((&told["destination"], &told["packed"]), (&json!(to), &json!("c405616761696e")), "{told}");
        assert!(told["took_us"].as_u64().unwrap() > 0, "{told}");
        let identified = node.wait("identified");
        assert_eq!(identified["identified"], instance.status().transport_id);
        assert_eq!(node.complaints(), Vec::<String>::new());
    }
}

#[test]
fn nobody_answers_in_the_name_of_who_is_not_there_or_knows_nothing_of_it() {
    let instance = Instance::start();
    let mut beyond = instance.beyond("beyond");
    beyond.tell(&json!({ "do": "announce", "of": "plain", "app_data": "" }));
    let silent = request(&instance, &["--for", "1s", &beyond.plain, "/nothing"]);
    let text = String::from_utf8(silent.stdout).unwrap();
    assert_eq!((silent.status.code(), text.starts_with("no answer: ")), (Some(1), true), "{text}");
    let nobody = request(&instance, &["00000000000000000000000000000001", "/echo"]);
    let text = String::from_utf8(nobody.stdout).unwrap();
    assert_eq!((nobody.status.code(), text.contains("knows a way")), (Some(1), true), "{text}");
}

fn request(instance: &Instance, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    command.args(["rns", "request"]).args(words).arg("--state").arg(instance.node.place.state.path());
    command.env("HOME", instance.home()).stdin(Stdio::null()).output().unwrap()
}
