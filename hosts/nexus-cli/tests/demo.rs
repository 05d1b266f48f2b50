//! The demo as a user runs it: real processes, real sockets.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The demo, with everything that it keeps under `directory`.
fn demo(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    command.arg("demo").args(arguments).env("TMPDIR", directory);
    command
}

/// The processes whose command line names a file under `directory`.
fn processes_in(directory: &Path) -> Vec<u32> {
    let named = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(directory.to_str().unwrap())
    };
    let all =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(named).collect()
}

fn nothing_is_left_in(directory: &Path) {
    assert_eq!(processes_in(directory), Vec::<u32>::new(), "processes");
    assert_eq!(fs::read_dir(directory).unwrap().count(), 0, "directories");
}

#[test]
fn five_processes_link_know_each_other_and_deliver_what_nobody_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let output = demo(directory.path(), &["--json", "--seconds", "60"]).output().unwrap();
    let account: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("one JSON object: {}", String::from_utf8_lossy(&output.stderr)));
    assert!(output.status.success(), "{account}");
    let keys: Vec<_> = account.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "ok",
        "nodes",
        "links",
        "media",
        "announces",
        "sent",
        "delivered",
        "rejected_frames",
        "plaintext_on_wire",
        "frames_on_air",
        "recorded_bytes",
        "took_ms",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(account["ok"], true, "{account}");
    for (key, count) in [("nodes", 5), ("links", 4), ("announces", 20), ("sent", 20), ("delivered", 20)] {
        assert_eq!(account[key], count, "{key}: {account}");
    }
    assert_eq!(
        (&account["rejected_frames"], &account["plaintext_on_wire"]),
        (&0.into(), &0.into()),
        "{account}"
    );
    assert_eq!(account["media"], serde_json::json!({ "lora": 2, "udp": 1, "tcp": 1 }), "{account}");
    // Each of the two nodes at the ends of the line writes to all others, is written to by all, and all of it is receipted.
    assert!(account["frames_on_air"].as_u64().unwrap() >= 2 * 16, "{account}");
    assert!(account["recorded_bytes"].as_u64().unwrap() > 10_000, "{account}");
    nothing_is_left_in(directory.path());
}

#[test]
fn a_demo_that_gets_no_time_says_what_was_missing_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    let output = demo(directory.path(), &["--seconds", "0"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with("The time is up: ") && last.contains("of 4 links"), "{said}");
    nothing_is_left_in(directory.path());
}

/// A demo that runs. It ends with the test, and its nodes with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _no_other_waits = self.0.wait();
    }
}

/// A demo of which the first node runs.
fn begun(directory: &Path) -> (Running, impl BufRead) {
    let mut demo = Running(demo(directory, &["--seconds", "60"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(demo.0.stdout.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert!(first.starts_with("A runs: node "), "{first}");
    (demo, said)
}

#[test]
fn a_system_without_terminals_for_radios_is_told_of_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let mut hidden = Command::new("unshare");
    let script = "mount --bind /dev/null /dev/ptmx && exec \"$0\" demo";
    hidden.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_nexus")]);
    let output = hidden.env("TMPDIR", directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(
        said.starts_with("nexus: the virtual radios need terminals, and the system gives none"),
        "{said}"
    );
    nothing_is_left_in(directory.path());
}

#[test]
fn an_interrupted_demo_ends_its_nodes_and_leaves_nothing_behind() {
    // Ctrl-C, a service manager, a terminal that was closed.
    for signal in ["-INT", "-TERM", "-HUP"] {
        let directory = tempfile::tempdir().unwrap();
        let (mut demo, mut said) = begun(directory.path());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "its nodes keep their state there");
        let interrupted = Command::new("kill").args([signal, &demo.0.id().to_string()]).status().unwrap();
        assert!(interrupted.success());
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        demo.0.wait().unwrap();
        let last = rest.lines().last().unwrap_or_default();
        assert!(last.starts_with("Interrupted: ") || last.starts_with("All is well: "), "{signal}: {last}");
        nothing_is_left_in(directory.path());
    }
}

#[test]
fn a_demo_that_is_killed_takes_its_nodes_along() {
    let directory = tempfile::tempdir().unwrap();
    let (mut demo, _said) = begun(directory.path());
    assert!(!processes_in(directory.path()).is_empty());
    demo.0.kill().unwrap();
    demo.0.wait().unwrap();
    let began = Instant::now();
    while !processes_in(directory.path()).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", processes_in(directory.path()));
        std::thread::yield_now();
    }
}
