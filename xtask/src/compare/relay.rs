//! `cargo xtask compare relay`: what a relay carries between stock endpoints over loopback TCP, beside `rnsd` and `rns-cli`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::processes::{Relay, free_port, nexus, stock};
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
/// How often each is measured: told is the median, and the least and the most beside it.
const ROUNDS: usize = 5;

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
    let mut runs = relays.each_ref().map(|_| Vec::new());
    // In turns, so that what else the machine does meets all of them.
    for round in 0..ROUNDS {
        for ((name, command), runs) in relays.iter().zip(&mut runs) {
            let home = home.join(round.to_string()).join(name);
            fs::create_dir_all(&home).map_err(|error| Fault::io(&home, &error))?;
            let port = free_port()?;
            let relay = Relay::start(&mut command(&home, port)?, port)?;
            let run = measured(&load, port, &relay)?;
            eprintln!("{name}: {} packets/s, {} µs each, {} lost", run.rate, hundredths(run.cpu), run.lost);
            runs.push(run);
        }
    }
    let rows: Vec<[String; 4]> = relays.iter().zip(&runs).map(|((name, _), runs)| row(name, runs)).collect();
    let heading = [
        ("relay", Align::Left),
        ("packets/s", Align::Right),
        ("processor time for each, µs", Align::Right),
        ("lost of 100,000", Align::Right),
    ];
    println!("\n{}", table::render(heading, &rows));
    fs::remove_dir_all(&home).map_err(|error| Fault::io(&home, &error))
}

/// What one run of the load tells.
#[derive(Clone, Copy)]
struct Run {
    /// Packets a second.
    rate: u64,
    /// Processor time for each, in hundredths of a microsecond.
    cpu: u64,
    /// Packets that did not come.
    lost: u64,
}

/// Has the load run through a relay.
fn measured(load: &Path, port: u16, relay: &Relay) -> Result<Run, Fault> {
    let address = format!("127.0.0.1:{port}");
    let process = relay.id().to_string();
    let text = cargo::capture(Command::new(load).args([&address, PACKETS, PAYLOAD, &process]))?;
    let said = || {
        let (came, rest) = text.split_once(" of ")?;
        let rate = rest.split_once('(')?.1.split_once("/s)")?.0.parse().ok()?;
        let cpu = text.lines().find_map(|line| line.strip_suffix(" µs of processor time a packet"))?;
        let cpu = cpu.replace('.', "").parse().ok()?;
        let lost = PACKETS.parse::<u64>().ok()?.saturating_sub(came.parse().ok()?);
        Some(Run { rate, cpu, lost })
    };
    said().ok_or_else(|| Fault::new(format!("The load says what is not understood: {text}")))
}

/// The median of some runs, with the least and the most beside it.
fn row(name: &str, runs: &[Run]) -> [String; 4] {
    let told = |of: fn(&Run) -> u64, text: fn(u64) -> String| {
        let mut all: Vec<u64> = runs.iter().map(of).collect();
        all.sort_unstable();
        let [least, median, most] =
            [0, all.len() / 2, all.len().saturating_sub(1)].map(|at| text(all.get(at).copied().unwrap_or(0)));
        format!("{median} ({least} to {most})")
    };
    let plain = |number: u64| number.to_string();
    [
        name.to_owned(),
        told(|run| run.rate, plain),
        told(|run| run.cpu, hundredths),
        told(|run| run.lost, plain),
    ]
}

/// A number of hundredths, with its point.
fn hundredths(number: u64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
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
