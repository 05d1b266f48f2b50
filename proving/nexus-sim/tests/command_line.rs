//! What other programs rely on: exit codes and JSON.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

#[test]
fn milestones_are_listed_by_number() {
    let (code, json) = json(&["milestones", "--json"]);
    assert_eq!((code, json), (0, serde_json::json!(["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"])));
}

#[test]
fn the_criteria_of_the_ledger_are_met() {
    let (code, report) = acceptance("1.5");
    assert_eq!((code, &report["verdict"]), (0, &serde_json::json!("met")), "{report}");
}

#[test]
fn the_criteria_of_transport_and_identity_are_met_and_only_that_of_processes_is_left_open() {
    let (code, report) = acceptance("1.1");
    assert_eq!((code, &report["verdict"]), (2, &serde_json::json!("incomplete")), "{report}");
    for criterion in report["criteria"].as_array().unwrap() {
        let expected = if criterion["id"] == "processes" { "unmeasured" } else { "met" };
        assert_eq!(criterion["verdict"], expected, "{criterion}");
    }
}

#[test]
fn the_criteria_of_payment_channels_are_met() {
    let (code, report) = acceptance("1.4");
    assert_eq!((code, &report["verdict"]), (0, &serde_json::json!("met")), "{report}");
}

#[test]
fn an_unknown_milestone_is_refused_in_one_sentence() {
    let output = run(&["acceptance", "9.9"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}

#[test]
fn a_trace_is_that_of_its_seed() {
    let trace = |seed| json(&["trace", "--seed", seed, "--nodes", "4", "--hours", "4", "--json"]);
    let (code, first) = trace("7");
    assert_eq!((code, first["seed"].as_u64()), (0, Some(7)));
    assert_eq!(first["trace"].as_str().unwrap().len(), 64);
    assert_eq!(trace("7").1, first);
    assert_ne!(trace("8").1["trace"], first["trace"]);
}

#[test]
fn a_swarm_reports_no_failures_and_its_size() {
    let (code, summary) = json(&["swarm", "--seeds", "2", "--nodes", "3", "--days", "1", "--json"]);
    assert_eq!((code, &summary["failures"]), (0, &serde_json::json!([])));
    assert_eq!(summary["simulated_s"], 4 * 86_400);
}

#[test]
fn a_run_is_a_log_that_ends_with_its_trace() {
    let output =
        run(&["run", "--seed", "7", "--nodes", "3", "--world", "ring", "--mode", "nexus", "--hours", "4"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("announces itself") && text.contains("reaches"), "{text}");
    assert!(text.contains("links with"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("trace "), "{text}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_new_world_is_a_file_that_runs_and_reports_in_both_forms() {
    let directory = tempfile::tempdir().expect("a directory for a file");
    let path = directory.path().join("line.toml");
    let new = run(&[
        "world",
        "new",
        "line",
        "--nodes",
        "2",
        "--radios",
        "0",
        "--cables",
        "100",
        "--duration-s",
        "600",
    ]);
    assert_eq!(new.status.code(), Some(0));
    fs::write(&path, &new.stdout).expect("a file can be written");
    let path = path.to_str().expect("a path of ASCII");
    let (code, report) = json(&["run", path, "--json"]);
    assert_eq!((code, &report["failures"]), (0, &serde_json::json!([])), "{report}");
    let bulk =
        report["traffic"].as_array().unwrap().iter().find(|flow| flow["name"] == "bulk").expect("a volume");
    assert!(bulk["shown"].as_u64() > Some(100) && bulk["median_ms"].is_u64(), "{report}");
    let text = String::from_utf8(run(&["run", path]).stdout).unwrap();
    let trace = format!("trace {}", report["trace"].as_str().unwrap());
    assert_eq!(text.lines().last(), Some(trace.as_str()));
}

#[test]
fn a_world_that_is_none_is_refused_in_one_sentence_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory for a file");
    let path = directory.path().join("bad.toml");
    fs::write(&path, "format = 1\nname = 7\n").expect("a file can be written");
    let output = run(&["run", path.to_str().expect("a path of ASCII")]);
    assert_eq!(output.status.code(), Some(2));
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert!(sentence.contains("bad.toml, line 2: invalid type"), "{sentence}");
    assert_eq!(sentence.lines().count(), 1);
    let loud = run(&["world", "new", "line", "--power-dbm", "30"]);
    assert_eq!(loud.status.code(), Some(2));
    assert!(String::from_utf8(loud.stderr).unwrap().contains("30 dBm is too much"));
}

/// A milestone's report, which says what its exit code says.
fn acceptance(number: &str) -> (i32, Value) {
    let (code, report) = json(&["acceptance", number, "--json"]);
    assert_eq!(report["milestone"], number);
    let verdicts = ["met", "missed", "incomplete"];
    assert_eq!(report["verdict"], verdicts[usize::try_from(code).expect("an exit code")]);
    for criterion in report["criteria"].as_array().expect("a list") {
        assert_eq!(criterion["measured"].is_null(), criterion["verdict"] == "unmeasured", "{criterion}");
    }
    (code, report)
}

fn json(arguments: &[&str]) -> (i32, Value) {
    let output = run(arguments);
    let code = output.status.code().expect("the program is not killed");
    (code, serde_json::from_slice(&output.stdout).expect("JSON on standard output"))
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nexus-sim")).args(arguments).output().expect("the program starts")
}
