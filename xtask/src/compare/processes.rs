//! Relays as processes, each with one interface that listens for stock nodes.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::Fault;

/// One that does not listen after so long will not.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running relay. Ended by its own id when dropped.
pub(super) struct Relay(Child);

impl Relay {
    /// Starts it and waits until it listens.
    pub(super) fn start(command: &mut Command, port: u16) -> Result<Self, Fault> {
        let program = PathBuf::from(command.get_program());
        let started = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let relay = Self(started.map_err(|error| Fault::io(&program, &error))?);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err(Fault::new(format!("{} does not listen.", program.display())));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(relay)
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _no_other_waits = self.0.wait();
    }
}

/// A command that starts a node of ours.
pub(super) fn nexus(program: &Path, home: &Path, port: u16) -> Result<Command, Fault> {
    use std::os::unix::fs::PermissionsExt as _;
    let here = |error: std::io::Error| Fault::io(home, &error);
    fs::set_permissions(home, fs::Permissions::from_mode(0o700)).map_err(here)?;
    let configuration =
        format!("log_level = \"error\"\n[[tcp]]\nlisten = \"127.0.0.1:{port}\"\nmode = \"reticulum\"\n");
    fs::write(home.join("nexus.toml"), configuration).map_err(here)?;
    let mut command = Command::new(program);
    command.args(["node", "run", "--while-fed", "--state"]).arg(home).env_remove("NOTIFY_SOCKET");
    Ok(command)
}

/// A command that starts a daemon that reads the reference's configuration.
pub(super) fn stock(program: &Path, home: &Path, port: u16) -> Result<Command, Fault> {
    let configuration = format!(
        "[reticulum]\n  enable_transport = Yes\n  share_instance = No\n\n[logging]\n  loglevel = 1\n\n[interfaces]\n  \
         [[relay]]\n    type = TCPServerInterface\n    enabled = Yes\n    listen_ip = 127.0.0.1\n    listen_port = {port}\n"
    );
    fs::write(home.join("config"), configuration).map_err(|error| Fault::io(home, &error))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(home).env("HOME", home);
    Ok(command)
}

pub(super) fn free_port() -> Result<u16, Fault> {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    free.map(|address| address.port()).map_err(|error| Fault::new(format!("No port is free: {error}.")))
}
