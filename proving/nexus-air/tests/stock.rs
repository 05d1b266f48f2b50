//! Virtual modems under the published Reticulum package, run as a black box through its public interface.
//!
//! `cargo xtask test` installs the package and names its interpreter in `NEXUS_STOCK_PYTHON`.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nexus_air::live::{Address, House, Plan, Port};
use nexus_air::{Hearing, RadioId};
use nexus_machine::Seed;
use serde_json::Value;

/// How long anything may take before the test gives up. Nothing waits for it unless something is broken.
const DEADLINE: Duration = Duration::from_mins(1);
/// The only port at which the package looks for an RNode on TCP.
const STOCK_TCP_PORT: u16 = 7633;

const A: RadioId = RadioId(0);
const B: RadioId = RadioId(1);

#[test]
fn two_stock_nodes_hear_each_other_through_virtual_modems_at_terminals() {
    let home = tempfile::tempdir().unwrap();
    let plan = Plan::terminals(Hearing::everybody(2), Seed::new([3; 32]));
    let house = House::open(plan, home.path()).unwrap();
    let mut left = StockNode::start(&home, "left", house.address(A), "Yes");
    let mut right = StockNode::start(&home, "right", house.address(B), "No");
    left.wait_for("ready");
    right.wait_for("ready");
    converse(&mut left, &mut right);
    // With flow control the package sends nothing more until the modem has said that it is ready.
    for _ in 0..2 {
        left.tell("announce");
    }
    for _ in 0..2 {
        let own = left.wait_for("own");
        assert_eq!(right.wait_for("announced")["announced"], own["own"]);
    }
    // One that is longer than 254 bytes goes in two halves.
    right.tell("announce-long");
    assert_eq!(left.wait_for("announced")["app_data"], "00".repeat(300));
    // What the package reads of the modem's statistics is what the independent meter says.
    let airtime = house.meter(A).airtime.as_micros();
    let told = left.ask_until("airtime_short", |share| share.as_f64().is_some_and(|share| share > 0.0));
    let percent = told["airtime_short"].as_f64().unwrap();
    let expected = f64::from(u32::try_from(airtime).unwrap()) / 150_000.0;
    assert!(percent <= expected + 0.01, "{percent} % of 15 s, and {airtime} µs were on the air");
    let on_air = house.transmissions();
    assert!(on_air.iter().all(|one| one.channel.frequency.0 == 867_200_000));
    let halves: Vec<_> = on_air.iter().filter(|one| one.bytes[0] & 1 == 1).collect();
    assert_eq!((on_air.len(), halves.len()), (6, 2));
    assert_eq!((halves[0].bytes.len(), halves[0].end), (255, halves[1].start));
}

#[test]
fn a_stock_node_finds_a_virtual_modem_at_a_tcp_port() {
    let home = tempfile::tempdir().unwrap();
    let (house, host) = house_with_tcp(&home);
    let mut left = StockNode::start(&home, "left", house.address(A), "No");
    let mut right = StockNode::start_at(&home, "right", &format!("tcp://{host}"), "No");
    left.wait_for("ready");
    right.wait_for("ready");
    converse(&mut left, &mut right);
}

#[test]
fn a_stock_node_is_there_again_when_its_modem_is_plugged_in_again() {
    let home = tempfile::tempdir().unwrap();
    let plan = Plan::terminals(Hearing::everybody(2), Seed::new([3; 32]));
    let house = House::open(plan, home.path()).unwrap();
    let mut left = StockNode::start(&home, "left", house.address(A), "No");
    let mut right = StockNode::start(&home, "right", house.address(B), "No");
    left.wait_for("ready");
    right.wait_for("ready");
    house.unplug(A).unwrap();
    left.ask_until("status", |status| status == &Value::Bool(false));
    house.plug(A).unwrap();
    left.ask_until("status", |status| status == &Value::Bool(true));
    converse(&mut left, &mut right);
}

/// Each hears the other's announce.
fn converse(left: &mut StockNode, right: &mut StockNode) {
    left.tell("announce");
    let own = left.wait_for("own");
    let heard = right.wait_for("announced");
    assert_eq!((&heard["announced"], &heard["app_data"]), (&own["own"], &"6f7665722074686520616972".into()));
    right.tell("announce");
    let own = right.wait_for("own");
    assert_eq!(left.wait_for("announced")["announced"], own["own"]);
}

/// A modem at a terminal, and one at the package's own port of a loopback address that nobody else uses.
fn house_with_tcp(home: &tempfile::TempDir) -> (House, Ipv4Addr) {
    let [.., high, low] = std::process::id().to_be_bytes();
    for third in 1..=u8::MAX {
        let host = Ipv4Addr::new(127, third, high, low);
        let port = Port::Tcp(SocketAddr::from((host, STOCK_TCP_PORT)));
        let plan = Plan::terminals(Hearing::everybody(2), Seed::new([4; 32]));
        if let Ok(house) = House::open(Plan { ports: vec![Port::Terminal, port], ..plan }, home.path()) {
            return (house, host);
        }
    }
    panic!("no loopback address has port {STOCK_TCP_PORT} free");
}

/// A stock node in a process and a directory of its own. Ended by its own id when dropped.
struct StockNode {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<Value>,
    unread: VecDeque<Value>,
}

impl StockNode {
    fn start(home: &tempfile::TempDir, name: &str, address: &Address, flow_control: &str) -> Self {
        let Address::Terminal(path) = address else { panic!("the modem of {name} is at a terminal") };
        Self::start_at(home, name, path.to_str().unwrap(), flow_control)
    }

    fn start_at(home: &tempfile::TempDir, name: &str, port: &str, flow_control: &str) -> Self {
        let directory: PathBuf = home.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let python = std::env::var_os("NEXUS_STOCK_PYTHON").expect(
            "NEXUS_STOCK_PYTHON is not set: run `cargo xtask test`, which installs the stock package and sets it",
        );
        let mut child = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock/radio.py"))
            .args([directory.as_os_str(), port.as_ref(), flow_control.as_ref()])
            .env("HOME", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Whatever else the package may print is not for the test.
                if let Ok(said) = serde_json::from_str(&line)
                    && tell.send(said).is_err()
                {
                    return;
                }
            }
        });
        let stdin = child.stdin.take().unwrap();
        Self { child, stdin, lines, unread: VecDeque::new() }
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.stdin, "{word}").unwrap();
    }

    /// The next line that has `key`. Others are kept for later.
    fn wait_for(&mut self, key: &str) -> Value {
        let started = Instant::now();
        if let Some(place) = self.unread.iter().position(|line| !line[key].is_null()) {
            return self.unread.remove(place).unwrap();
        }
        loop {
            let left = DEADLINE.saturating_sub(started.elapsed());
            let line =
                self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("the stock node never said {key}"));
            if !line[key].is_null() {
                return line;
            }
            self.unread.push_back(line);
        }
    }

    /// Asks for what the package tells of its interface until `key` is as it should be.
    fn ask_until(&mut self, key: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        while started.elapsed() < DEADLINE {
            self.tell("interface");
            let told = self.wait_for("interface")["interface"].take();
            if is_right(&told[key]) {
                return told;
            }
        }
        panic!("{key} of the stock node's interface never was as it should be");
    }
}

impl Drop for StockNode {
    fn drop(&mut self) {
        // A node that has ended needs neither.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
