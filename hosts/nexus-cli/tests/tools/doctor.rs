//! `nexus doctor` on this machine. What each check finds is tested beside it, on machines that are laid out for it.

use std::os::unix::fs::PermissionsExt as _;

use crate::fake_node::{FakeNode, said};

#[test]
fn it_names_what_is_wrong_and_the_command_that_mends_it() {
    let node = FakeNode::quiet();
    let state = node.home.path().join("state");
    std::fs::remove_file(state.join("control.sock")).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = node.run(&["doctor"]);
    let text = said(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("run: chmod 700 {}", state.display())), "{text}");
    assert!(text.contains("PROBLEM  node: no node runs") && text.contains("run: nexus node start"), "{text}");
}

#[test]
fn its_object_says_the_same_as_its_text() {
    let node = FakeNode::quiet();
    let state = node.home.path().join("state");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    let output = node.run(&["doctor", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = |check: &str| {
        let checks = json["checks"].as_array().unwrap();
        checks.iter().find(|checked| checked["check"] == check).unwrap()["findings"]
            .as_array()
            .unwrap()
            .clone()
    };
    for check in ["state directory", "key file", "node", "version", "interfaces", "port"] {
        assert!(findings(check).is_empty(), "{check}: {json}");
    }
    assert_eq!(json["ok"] == true, output.status.code() == Some(0));
}
