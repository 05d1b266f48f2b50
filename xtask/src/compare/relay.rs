//! `cargo xtask compare relay`: what a relay carries between stock endpoints over loopback TCP, beside `rnsd` and `rns-cli`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stage::stock_python;
use crate::table::{self, Align};

/// Packets sent without a pause, each another one.
const PACKETS: &str = "100000";
/// What each of them carries, in bytes.
const PAYLOAD: &str = "200";
/// The port that is measured beside the reference: installed to be run, never a dependency.
const RNS_CLI: &str = "0.7.1";
/// One that does not listen after so long will not.
const PATIENCE: Duration = Duration::from_secs(30);

/// What starts a relay in a folder, listening on a port.
type Start<'a> = &'a dyn Fn(&Path, u16) -> Result<Command, Fault>;

/// Builds what is measured, measures, and prints one table.
pub(super) fn run(session: &mut Session) -> Result<(), Fault> {
    let release = ["--release", "--locked"];
    cargo::run(cargo(session).arg("build").args(release).args(["--package", "nexus-cli"]))?;
    let example = ["--package", "nexus-daemon", "--example", "stock_load"];
    cargo::run(cargo(session).arg("build").args(release).args(example))?;
    stock_python::run(session)?;
    let port_of_rust = rns_cli(session)?;
    let built = session.target().join("release");
    let load = built.join("examples/stock_load");
    let home = session.target().join("compare-relay");
    // What a run before this left behind.
    let _not_there = fs::remove_dir_all(&home);
    let reference = session.target().join("stock-python/bin/rnsd");
    let relays: [(String, Start<'_>); 3] = [
        ("nexus".to_owned(), &|home, port| nexus(&built.join("nexus"), home, port)),
        (format!("rnsd {}", stock_python::STOCK_VERSION), &|home, port| stock(&reference, home, port)),
        (format!("rns-cli {RNS_CLI}"), &|home, port| stock(&port_of_rust, home, port)),
    ];
    let mut rows = Vec::new();
    for (number, (name, command)) in relays.into_iter().enumerate() {
        let home = home.join(number.to_string());
        fs::create_dir_all(&home).map_err(|error| Fault::io(&home, &error))?;
        let port = free_port()?;
        let relay = Relay::start(&mut command(&home, port)?, port)?;
        let [rate, cpu, lost] = measured(&load, port, &relay)?;
        eprintln!("{name}: {rate}, {cpu}, {lost}");
        rows.push([name, rate, cpu, lost]);
    }
    let heading = [
        ("relay", Align::Left),
        ("packets", Align::Right),
        ("processor time for each", Align::Right),
        ("lost of 100,000", Align::Right),
    ];
    println!("\n{}", table::render(heading, &rows));
    fs::remove_dir_all(&home).map_err(|error| Fault::io(&home, &error))
}

/// A running relay. Ended by its own id when dropped.
struct Relay(Child);

impl Relay {
    /// Starts it and waits until it listens.
    fn start(command: &mut Command, port: u16) -> Result<Self, Fault> {
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
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _no_other_waits = self.0.wait();
    }
}

/// A command that starts a node of ours.
fn nexus(program: &Path, home: &Path, port: u16) -> Result<Command, Fault> {
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
fn stock(program: &Path, home: &Path, port: u16) -> Result<Command, Fault> {
    let configuration = format!(
        "[reticulum]\n  enable_transport = Yes\n  share_instance = No\n\n[logging]\n  loglevel = 1\n\n[interfaces]\n  \
         [[relay]]\n    type = TCPServerInterface\n    enabled = Yes\n    listen_ip = 127.0.0.1\n    listen_port = {port}\n"
    );
    fs::write(home.join("config"), configuration).map_err(|error| Fault::io(home, &error))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(home).env("HOME", home);
    Ok(command)
}

/// Has the load run through a relay; what it tells: packets a second, processor time, packets lost.
fn measured(load: &Path, port: u16, relay: &Relay) -> Result<[String; 3], Fault> {
    let address = format!("127.0.0.1:{port}");
    let process = relay.0.id().to_string();
    let text = cargo::capture(Command::new(load).args([&address, PACKETS, PAYLOAD, &process]))?;
    let said = || {
        let (came, rest) = text.split_once(" of ")?;
        let rate = rest.split_once('(')?.1.split_once(')')?.0;
        let cpu = text.lines().find_map(|line| line.strip_suffix(" of processor time a packet"))?;
        let lost = PACKETS.parse::<u64>().ok()?.saturating_sub(came.parse().ok()?);
        Some([rate.to_owned(), cpu.to_owned(), lost.to_string()])
    };
    said().ok_or_else(|| Fault::new(format!("The load says what is not understood: {text}")))
}

/// The other port, installed below the target directory if it is not there. Building it takes minutes.
fn rns_cli(session: &Session) -> Result<PathBuf, Fault> {
    let root = session.target().join(format!("rns-cli-{RNS_CLI}"));
    let program = root.join("bin").join("rnsd");
    if !program.exists() {
        eprintln!("rns-cli {RNS_CLI} is missing: installing it, which takes some minutes.");
        let mut install = cargo(session);
        // Its own folder: what it builds is nothing of the workspace's.
        install.env("CARGO_TARGET_DIR", root.join("build"));
        cargo::run(
            install.args(["install", "--locked", "rns-cli", "--version", RNS_CLI, "--root"]).arg(&root),
        )?;
    }
    Ok(program)
}

fn free_port() -> Result<u16, Fault> {
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    free.map(|address| address.port()).map_err(|error| Fault::new(format!("No port is free: {error}.")))
}
