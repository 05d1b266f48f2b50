//! Files between this node and the package's own `rncp`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use nexus_stock::stock::Tool;
use serde_json::{Value, json};

use crate::instance::Instance;

/// Longer than a segment, and not all of it random: some of it can be compressed.
fn content() -> Vec<u8> {
    let mut state = 1_u32;
    let noise = (0..700_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    noise.chain(std::iter::repeat_n(b'x', 700_000)).collect()
}

#[test]
fn rncp_leaves_a_file_at_this_node_if_it_may() {
    let instance = Instance::start();
    let tool = tool(&instance);
    let into = tempfile::tempdir().unwrap();
    let printed = tool.run("rncp", &["-p"]);
    let who = printed.lines().find_map(|line| line.split_once("Identity     : <")).expect("its identity").1;
    let who = who.trim_end_matches('>');
    let words = ["receive", "--json", "--count", "2", "--from", who, "--into"];
    let mut receiving = Nexus::start(&instance, &[&words[..], &[into.path().to_str().unwrap()]].concat());
    let destination = receiving.next()["destination"].as_str().unwrap().to_owned();
    let file = instance.home().join("boat.jpg");
    fs::write(&file, content()).unwrap();
    for name in ["boat.jpg", "boat.jpg.1"] {
        let said = tool.run("rncp", &["-S", file.to_str().unwrap(), &destination]);
        assert!(said.contains("copied to"), "{said}");
        let arrived = receiving.next();
        let place = into.path().join(name);
        assert_eq!(arrived, json!({ "file": place, "bytes": content().len(), "from": who }));
        assert!(fs::read(place).unwrap() == content(), "it is the same");
    }
    assert!(receiving.process.wait().unwrap().success());
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn this_node_leaves_a_file_at_a_listening_rncp() {
    let instance = Instance::start();
    let tool = tool(&instance);
    let mut listening = Stopped(tool.start("rncp", &["-v", "-l", "-n", "-b", "0"]));
    let mut lines = BufReader::new(listening.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let destination = lines.find_map(|line| {
        let (_, rest) = line.split_once("listening on <")?;
        Some(rest.split('>').next()?.to_owned())
    });
    let destination = destination.expect("where it listens");
    let file = instance.home().join("boat.jpg");
    fs::write(&file, content()).unwrap();
    let mut sending = Nexus::start(&instance, &["send-file", "--json", file.to_str().unwrap(), &destination]);
    let sent = sending.next();
    assert_eq!(
        (&sent["destination"], &sent["bytes"]),
        (&json!(destination), &json!(content().len())),
        "{sent}"
    );
    assert!(sending.process.wait().unwrap().success());
    // It is put in its place once its proof has left.
    let place = instance.home().join("tools/boat.jpg");
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !fs::read(&place).is_ok_and(|data| data == content()) {
        assert!(std::time::Instant::now() < deadline, "it is not there, or another");
        std::thread::yield_now();
    }
}

#[test]
fn a_file_for_nobody_is_not_sent_and_a_stranger_leaves_none() {
    let instance = Instance::start();
    let other = Instance::start();
    let file = instance.home().join("a");
    fs::write(&file, b"a").unwrap();
    let nobody = "00000000000000000000000000000001";
    let mut sending = Nexus::start(&instance, &["send-file", "--json", file.to_str().unwrap(), nobody]);
    let told = sending.next();
    assert!(told["why"].as_str().unwrap().contains("knows a way"), "{told}");
    assert_eq!(sending.process.wait().unwrap().code(), Some(1));
    let into = tempfile::tempdir().unwrap();
    let words = ["receive", "--json", "--from", nobody, "--into", into.path().to_str().unwrap()];
    let mut receiving = Nexus::start(&other, &words);
    let destination = receiving.next()["destination"].as_str().unwrap().to_owned();
    let stock = Tool::attached(other.home(), "tools", &other.name, &[other.key_line().trim_end()]);
    let mut refused = Stopped(stock.start("rncp", &["-S", "-w", "5", file.to_str().unwrap(), &destination]));
    assert!(!refused.0.wait().unwrap().success());
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
}

fn tool(instance: &Instance) -> Tool {
    Tool::attached(instance.home(), "tools", &instance.name, &[instance.key_line().trim_end()])
}

/// Ended by its own id when dropped.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A running `nexus rns`.
struct Nexus {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Nexus {
    fn start(instance: &Instance, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
        command.arg("rns").args(words).arg("--state").arg(instance.node.place.state.path());
        command.env("HOME", instance.home()).stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// The next object that it prints.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut complaint = String::new();
            self.process.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
            panic!("it printed {line:?} and said {complaint:?}")
        })
    }
}

impl Drop for Nexus {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
