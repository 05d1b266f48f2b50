//! The demo as a user runs it: real processes, real sockets.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

#[test]
fn five_processes_find_each_other_through_relays() {
    let output = Command::new(env!("CARGO_BIN_EXE_nexus"))
        .args(["demo", "--json", "--seconds", "60"])
        .output()
        .unwrap();
    let account: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("one JSON object: {}", String::from_utf8_lossy(&output.stderr)));
    assert!(output.status.success(), "{account}");
    assert_eq!(account["ok"], true, "{account}");
    assert_eq!((&account["reached"], &account["expected"]), (&20.into(), &20.into()), "{account}");
    assert_eq!(account["relayed"], 12, "all pairs but the eight of neighbours: {account}");
    assert_eq!(account["rejected_frames"], 0, "{account}");
}

#[test]
fn a_demo_that_gets_no_time_says_what_was_missing_and_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_nexus")).args(["demo", "--seconds", "0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(said.trim_end().ends_with("of 20 pairs were reached within 0 s."), "{said}");
}

#[test]
fn an_interrupted_demo_ends_its_nodes_and_leaves_nothing_behind() {
    let state = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_nexus"))
        .args(["demo", "--seconds", "60"])
        .env("TMPDIR", state.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(demo.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 1, "its nodes keep their state there");
    let interrupted = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    // The demo's output ends when the demo does, and the demo ends after its nodes.
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    demo.wait().unwrap();
    let last = rest.lines().last().unwrap_or_default();
    assert!(last.starts_with("Interrupted: ") || last.starts_with("All 5 nodes"), "{last}");
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0, "{rest}");
}
