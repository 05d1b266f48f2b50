//! A node as a process in a place, asked through its control socket.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::lab::{LabError, Place};

/// How long an answer may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked whether something came about.
const LOOK: Duration = Duration::from_millis(20);

/// A running node. It ends when this is dropped, and when this process ends.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    state: PathBuf,
    node: String,
}

impl Daemon {
    /// Starts `program` (`nexus`) in a place, with an empty state directory or one of before, and waits until it answers. Its user's home is the
    /// state directory: nothing that this machine's own users keep is read.
    pub fn start(program: &Path, place: &Place, state: PathBuf, config: &str) -> Result<Self, LabError> {
        let home = state.clone();
        Self::start_at_home(program, place, state, &home, config)
    }

    /// The same, for a user with this home.
    pub fn start_at_home(
        program: &Path,
        place: &Place,
        state: PathBuf,
        home: &Path,
        config: &str,
    ) -> Result<Self, LabError> {
        let shown = state.display().to_string();
        fs::create_dir_all(&state).map_err(LabError::system(&shown))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&state, mode).map_err(LabError::system(&shown))?;
        fs::write(state.join("nexus.toml"), config).map_err(LabError::system(&shown))?;
        let log = fs::File::create(state.join("lab.log")).map_err(LabError::system(&shown))?;
        let mut command = place.command(&program.to_string_lossy());
        command.args(["node", "run", "--while-fed", "--state"]).arg(&state);
        command
            .env("HOME", home)
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        let process = command.spawn().map_err(LabError::system(program.display().to_string()))?;
        let mut daemon = Self { process, state, node: String::new() };
        daemon.until_it_answers()?;
        Ok(daemon)
    }

    fn until_it_answers(&mut self) -> Result<(), LabError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(status) = self.ask(&json!({ "do": "status" })) {
                status["node"].as_str().unwrap_or_default().clone_into(&mut self.node);
                return Ok(());
            }
            let ended = self.process.try_wait().map_err(LabError::system("the node's process"))?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(LabError::Late(format!("a node does not answer: {}", self.log())));
            }
            thread::sleep(LOOK);
        }
    }

    /// Its id.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.state.join("lab.log")).unwrap_or_else(|cause| cause.to_string())
    }

    /// Asks one thing: the answer's `ok`.
    pub fn ask(&self, what: &Value) -> Result<Value, LabError> {
        let (_, mut reader) = self.connect(PATIENCE)?;
        say(&mut reader, 1, what)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).map_err(LabError::system("a node's answer"))?;
            let answer: Value = serde_json::from_str(&line)
                .map_err(|cause| LabError::Late(format!("a node's answer is no JSON: {cause}")))?;
            if let Some(ok) = answer.get("ok") {
                return Ok(ok.clone());
            }
            if let Some(error) = answer.get("error") {
                return Err(LabError::Late(format!("a node refuses {what}: {error}")));
            }
        }
    }

    /// Waits until `holds` of what it answers.
    pub fn until(
        &self,
        what: &Value,
        patience: Duration,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<(), LabError> {
        let deadline = Instant::now() + patience;
        loop {
            let answer = self.ask(what)?;
            if holds(&answer) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(LabError::Late(format!("a node goes on saying {answer}")));
            }
            thread::sleep(LOOK);
        }
    }

    /// A connection to its control socket, twice, whose reads give up after `read`.
    pub(crate) fn connect(&self, read: Duration) -> Result<(Reader, Reader), LabError> {
        let failed = || LabError::system("a node's control socket");
        let stream = UnixStream::connect(self.state.join("control.sock")).map_err(failed())?;
        stream.set_read_timeout(Some(read)).map_err(failed())?;
        let other = stream.try_clone().map_err(failed())?;
        Ok((BufReader::new(stream), BufReader::new(other)))
    }

    /// Ends it in order: what it knows to be written is on the disk, where one that starts in the same directory finds it.
    pub fn end(mut self) -> Result<(), LabError> {
        drop(self.process.stdin.take());
        let ended = self.process.wait().map_err(LabError::system("the node's process"))?;
        if ended.success() { Ok(()) } else { Err(LabError::Late(format!("a node failed: {}", self.log()))) }
    }

    /// Stops it where it stands: it keeps its sockets, says nothing and ends nothing.
    pub fn freeze(&self) -> Result<(), LabError> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on, as if no time had passed.
    pub fn thaw(&self) -> Result<(), LabError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), LabError> {
        kill_process(Pid::from_child(&self.process), signal)
            .map_err(|cause| LabError::system("a signal to a node")(cause.into()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _no_other_waits = self.process.wait();
    }
}

/// A control connection.
pub(crate) type Reader = BufReader<UnixStream>;

/// Writes a request.
pub(crate) fn say(to: &mut Reader, id: u64, what: &Value) -> Result<(), LabError> {
    let mut line = what.clone();
    line["v"] = json!(1);
    line["id"] = json!(id);
    to.get_mut()
        .write_all(format!("{line}\n").as_bytes())
        .map_err(LabError::system("a node's control socket"))
}
