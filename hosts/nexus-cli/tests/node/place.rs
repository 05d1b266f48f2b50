//! A state directory, and the node in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nexus_crypto::IdentitySeed;
use nexus_daemon::api::{Done, Event, Status, Verb};
use nexus_daemon::client::Client;
use nexus_daemon::key_store;
use nexus_daemon::lock::Lock;
use nexus_daemon::state_dir::StateDir;
use nexus_secure::at_rest;
use rustix::process::{Pid, Signal, kill_process};

/// Alone on a port of its own.
pub(crate) const QUIET: &str =
    "[[udp]]\nlisten = \"127.0.0.1:0\"\ndiscovery_v4 = false\ndiscovery_v6 = false\n";

/// A state directory. What still runs in it when it is dropped is killed.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    pub(crate) state: StateDir,
}

impl Place {
    /// An empty one, with a configuration.
    pub(crate) fn with(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(directory.path().join("state"))).unwrap();
        state.make().unwrap();
        fs::write(state.config(), config).unwrap();
        Self { directory, state }
    }

    /// A configuration that announces: a cable to `peer`, which nobody has to read.
    pub(crate) fn that_announces(peer: &std::net::UdpSocket) -> Self {
        let to = peer.local_addr().unwrap();
        Self::with(&format!("[[udp]]\nlisten = \"127.0.0.1:0\"\nmode = \"reticulum\"\npeers = [\"{to}\"]\n"))
    }

    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.state.config(), config).unwrap();
    }

    /// A file outside of the state directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A key file with this seed.
    pub(crate) fn key(&self, seed: [u8; 32]) {
        key_store::create(&self.state.key(), &at_rest::plain(&IdentitySeed::from_bytes(seed))).unwrap();
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
        command.arg("node").args(words).arg("--state").arg(self.state.path());
        command.stdin(Stdio::null()).env_remove("NOTIFY_SOCKET");
        command
    }

    pub(crate) fn node(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs in the foreground, until it answers.
    pub(crate) fn run(&self, mut command: Command) -> (Child, Status) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        loop {
            if let Some(status) = self.status() {
                return (child, status);
            }
            if child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
                continue;
            }
            panic!("{}", String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr));
        }
    }

    pub(crate) fn start(&self) -> Status {
        let started = self.node(&["start"]);
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        self.status().unwrap()
    }

    /// What the node says of itself, if it answers.
    pub(crate) fn status(&self) -> Option<Status> {
        ask(self.asked())
    }

    /// The same, within a conversation.
    pub(crate) async fn asked(&self) -> Option<Status> {
        Client::connect(&self.state).await.ok()?.call(Verb::Status).await.ok()
    }

    /// Lets the node announce itself; the emission.
    pub(crate) fn announce(&self) -> u64 {
        ask(async {
            let mut client = Client::connect(&self.state).await.unwrap();
            let watching = client.ask(Verb::Events).await.unwrap();
            let Done {} = client.call(Verb::Announce).await.unwrap();
            loop {
                let answer = client.answer(watching).await.unwrap();
                if let nexus_daemon::api::Answer::Event(Event::Announced { emission }) = answer {
                    return emission;
                }
            }
        })
    }

    /// Whether a process holds the state directory.
    pub(crate) fn holder(&self) -> Option<u32> {
        Lock::holder(&self.state).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(Some(pid)) = Lock::holder(&self.state) {
            signal(pid, Signal::KILL);
        }
    }
}

/// Gives a file another mode.
pub(crate) fn expose(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Sends a signal to one process, by its id.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    let _gone_already = kill_process(pid, signal);
}

/// Runs a conversation with a node.
pub(crate) fn ask<T>(conversation: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(conversation)
}

/// What a refused command says: one sentence, and exit code 2.
pub(crate) fn sentence(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let sentences: Vec<_> = said.lines().filter(|line| line.starts_with("nexus: ")).collect();
    assert_eq!(sentences.len(), 1, "{said}");
    sentences[0].to_owned()
}
