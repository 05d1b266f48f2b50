//! The demo as a user runs it: real processes, real sockets.

use std::process::Command;

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
