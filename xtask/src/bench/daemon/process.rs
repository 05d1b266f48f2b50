//! A daemon as a process of its own, asked over its control socket. Spec: spec/control.md.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fault::Fault;

/// One running daemon; it ends when this is dropped, for it is fed by a pipe from here.
#[derive(Debug)]
pub(super) struct Daemon {
    process: Child,
    control: BufReader<UnixStream>,
}

/// A daemon that does not answer for so long will not.
const PATIENCE: Duration = Duration::from_secs(20);

impl Daemon {
    /// Starts one on a port of its own, with these peers, and waits until it answers.
    pub(super) fn start(program: &Path, state: &Path, peers: &[&str]) -> Result<Self, Fault> {
        let here = |error: std::io::Error| Fault::io(state, &error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(state).map_err(here)?;
        let configuration = format!(
            "log_level = \"error\"\n[[udp]]\nlisten = \"127.0.0.1:0\"\ndiscovery_v4 = false\ndiscovery_v6 = false\npeers = {peers:?}\n"
        );
        fs::write(state.join("nexus.toml"), configuration).map_err(here)?;
        let mut process = Command::new(program)
            .args(["node", "run", "--while-fed", "--state"])
            .arg(state)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| Fault::io(program, &error))?;
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(state.join("control.sock")) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_micros(200)),
                Err(error) => {
                    let _already_gone = process.kill();
                    return Err(here(error));
                }
            }
        };
        stream.set_read_timeout(Some(Duration::from_mins(1))).map_err(here)?;
        Ok(Self { process, control: BufReader::new(stream) })
    }

    /// Asks one thing.
    pub(super) fn ask(&mut self, what: &Value) -> Result<Value, Fault> {
        self.say(what, 1)?;
        loop {
            let reply = self.hear()?;
            if let Some(answer) = reply.get("ok") {
                return Ok(answer.clone());
            }
            if let Some(error) = reply.get("error") {
                return Err(Fault::new(format!("The daemon refuses {what}: {error}.")));
            }
        }
    }

    /// Asks the same thing many times, so many at a time. Returns how often it was done.
    pub(super) fn ask_many(&mut self, what: &Value, times: usize, at_a_time: usize) -> Result<usize, Fault> {
        let (mut asked, mut answered, mut done) = (0, 0, 0);
        while answered < times {
            while asked < times && asked - answered < at_a_time {
                asked += 1;
                self.say(what, asked)?;
            }
            let reply = self.hear()?;
            done += usize::from(reply.get("ok").is_some());
            answered += usize::from(reply.get("event").is_none());
        }
        Ok(done)
    }

    fn say(&mut self, what: &Value, id: usize) -> Result<(), Fault> {
        let mut line = what.clone();
        line["v"] = json!(1);
        line["id"] = json!(id);
        self.control.get_mut().write_all(format!("{line}\n").as_bytes()).map_err(|error| lost(&error))
    }

    fn hear(&mut self) -> Result<Value, Fault> {
        let mut line = String::new();
        self.control.read_line(&mut line).map_err(|error| lost(&error))?;
        serde_json::from_str(&line).map_err(|error| Fault::json("the daemon's answer", &error))
    }

    /// Where its UDP interface listens.
    pub(super) fn address(&mut self) -> Result<String, Fault> {
        let interfaces = self.ask(&json!({ "do": "interfaces" }))?;
        let address = interfaces["interfaces"][0]["address"].as_str();
        address.map(str::to_owned).ok_or_else(|| Fault::new("The daemon does not say where it listens."))
    }

    /// The sizes in its `/proc` status, in KiB.
    pub(super) fn memory(&self) -> Result<BTreeMap<String, u64>, Fault> {
        let text = self.proc("status")?;
        let entry = |line: &str| {
            let (name, value) = line.split_once(':')?;
            let kib = value.trim().strip_suffix(" kB")?.parse().ok()?;
            Some((name.to_owned(), kib))
        };
        Ok(text.lines().filter_map(entry).collect())
    }

    /// The processor time that all of its threads have spent so far.
    pub(super) fn cpu(&self) -> Result<Duration, Fault> {
        let tasks = Path::new("/proc").join(self.process.id().to_string()).join("task");
        let mut nanos = 0_u64;
        for task in fs::read_dir(&tasks).map_err(|error| Fault::io(&tasks, &error))?.flatten() {
            // A thread may end while they are counted.
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            nanos += text.split_whitespace().next().and_then(|spent| spent.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    fn proc(&self, file: &str) -> Result<String, Fault> {
        let path = Path::new("/proc").join(self.process.id().to_string()).join(file);
        fs::read_to_string(&path).map_err(|error| Fault::io(&path, &error))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _already_gone = self.process.wait();
    }
}

fn lost(error: &std::io::Error) -> Fault {
    Fault::new(format!("The daemon does not answer any more: {error}."))
}
