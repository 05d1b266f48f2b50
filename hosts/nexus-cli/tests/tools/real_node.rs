//! The tools beside a real daemon, alone on a port of its own.

use std::path::Path;
use std::process::{Command, Output};

use nexus_daemon::api::Status;

use crate::fake_node::said;

/// Alone on the loopback.
const QUIET: &str = "[[udp]]\nlisten = \"127.0.0.1:0\"\ndiscovery_v4 = false\ndiscovery_v6 = false\n";

/// A running daemon; stopped when dropped.
struct RealNode {
    home: tempfile::TempDir,
}

impl RealNode {
    fn start() -> Self {
        let node = Self { home: tempfile::tempdir().unwrap() };
        assert!(node.run(&["keygen", "new"]).status.success());
        std::fs::write(node.state().join("nexus.toml"), QUIET).unwrap();
        let started = node.run(&["node", "start"]);
        assert!(started.status.success(), "{started:?}");
        node
    }

    fn state(&self) -> std::path::PathBuf {
        self.home.path().join("state")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run_in(self.home.path(), arguments)
    }
}

impl Drop for RealNode {
    fn drop(&mut self) {
        let _stopped_already = self.run(&["node", "stop"]);
    }
}

fn run_in(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nexus"))
        .args(arguments)
        .env("NEXUS_STATE", home.join("state"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env_remove("NOTIFY_SOCKET")
        .output()
        .unwrap()
}

#[test]
fn a_real_daemon_is_what_the_tools_expect() {
    let node = RealNode::start();
    let shown: serde_json::Value =
        serde_json::from_slice(&node.run(&["keygen", "show", "--json"]).stdout).unwrap();
    let status: Status = serde_json::from_slice(&node.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(shown["node"], status.node.as_str(), "the daemon is who keygen made");
    assert_eq!(shown["identity"], status.identity.as_str());
    let text = said(&node.run(&["status"]).stdout);
    assert!(text.contains(&status.node) && text.contains("udp0") && text.contains("no links yet"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let sections = node.run(&["status", "--json", "interfaces", "links", "paths"]);
    let sections: serde_json::Value = serde_json::from_slice(&sections.stdout).unwrap();
    assert_eq!(
        (&sections["interfaces"][0]["kind"], &sections["links"]),
        (&"udp".into(), &serde_json::json!([]))
    );
}

#[test]
fn the_doctor_finds_a_real_daemon_well_and_misses_one_that_was_stopped() {
    let node = RealNode::start();
    let findings = |check: &str| {
        let output = node.run(&["doctor", "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = json["checks"].as_array().unwrap();
        checks.iter().find(|checked| checked["check"] == check).unwrap()["findings"].as_array().unwrap().len()
    };
    for check in ["state directory", "key file", "node", "version", "interfaces"] {
        assert_eq!(findings(check), 0, "{check}");
    }
    assert!(node.run(&["node", "stop"]).status.success());
    assert_eq!(findings("node"), 1);
    assert_eq!(node.run(&["status"]).status.code(), Some(3));
}
