//! The published Reticulum package in a process of its own, run as a black box through its public interface.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nexus_air::live::Address;
use serde_json::Value;

/// How long anything may take before the test gives up. Nothing waits for it unless something is broken.
const DEADLINE: Duration = Duration::from_mins(1);

/// How a stock node has its radio tuned, always to 867.2 MHz and a coding rate of 4/5.
#[derive(Clone, Copy)]
pub(crate) struct Tuned {
    bandwidth_hz: u32,
    spreading_factor: u8,
}

impl Tuned {
    /// An everyday channel.
    pub(crate) const SLOW: Self = Self { bandwidth_hz: 125_000, spreading_factor: 8 };
    /// The fastest that there is.
    pub(crate) const FAST: Self = Self { bandwidth_hz: 500_000, spreading_factor: 5 };
}

/// Whether a stock node waits until its modem says that it is ready.
#[derive(Clone, Copy)]
pub(crate) enum FlowControl {
    On,
    Off,
}

/// A stock node in a process and a directory of its own. Ended by its own id when dropped.
pub(crate) struct StockNode {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<Value>,
    unread: VecDeque<Value>,
    directory: PathBuf,
}

impl StockNode {
    pub(crate) fn start(home: &Path, name: &str, address: &Address, tuned: Tuned, flow: FlowControl) -> Self {
        let Address::Terminal(path) = address else { panic!("the modem of {name} is at a terminal") };
        Self::start_at(home, name, path.to_str().unwrap(), tuned, flow)
    }

    pub(crate) fn start_at(home: &Path, name: &str, port: &str, tuned: Tuned, flow: FlowControl) -> Self {
        let directory = home.join(name);
        let Tuned { bandwidth_hz, spreading_factor } = tuned;
        let flow_control = match flow {
            FlowControl::On => "Yes",
            FlowControl::Off => "No",
        };
        std::fs::create_dir_all(&directory).unwrap();
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proving/nexus-air/tests/stock/radio.py");
        let python = std::env::var_os("NEXUS_STOCK_PYTHON").expect(
            "NEXUS_STOCK_PYTHON is not set: run `cargo xtask test`, which installs the stock package and sets it",
        );
        let mut child = Command::new(python)
            .arg(script)
            .args([directory.as_os_str(), port.as_ref(), flow_control.as_ref()])
            .args([bandwidth_hz.to_string(), spreading_factor.to_string()])
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
        Self { child, stdin, lines, unread: VecDeque::new(), directory }
    }

    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.stdin, "{word}").unwrap();
    }

    /// The next line that has `key`. Others are kept for later.
    pub(crate) fn wait_for(&mut self, key: &str) -> Value {
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

    /// What it said so far with `key`, however much of it was waited for.
    pub(crate) fn said(&mut self, key: &str) -> Vec<Value> {
        self.unread.extend(self.lines.try_iter());
        self.unread.iter().filter(|line| !line[key].is_null()).map(|line| line[key].clone()).collect()
    }

    /// The lines of its log that tell of something that went wrong.
    pub(crate) fn complaints(&self) -> usize {
        let log = std::fs::read_to_string(self.directory.join("logfile")).unwrap_or_default();
        let wrong = ["[Critical]", "[Error]", "[Warning]", "Traceback", "Exception"];
        log.lines().filter(|line| wrong.iter().any(|word| line.contains(word))).count()
    }

    /// Asks for what the package tells of its interface until `key` is as it should be.
    pub(crate) fn ask_until(&mut self, key: &str, is_right: impl Fn(&Value) -> bool) -> Value {
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
