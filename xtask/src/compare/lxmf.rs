//! `cargo xtask compare lxmf`: how long people's messages take over one relay, beside `rnsd`.

use std::fs;
use std::process::Command;

use super::processes::{Relay, free_port, nexus, stock};
use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stage::stock_python;
use crate::table::{self, Align};

/// How often each relay is started: in turns, so that what else the machine does meets both.
const ROUNDS: usize = 3;

/// Builds what is measured, measures, and prints one table.
pub(super) fn run(session: &mut Session) -> Result<(), Fault> {
    let release = ["--release", "--locked"];
    cargo::run(cargo(session).arg("build").args(release).args(["--package", "nexus-cli"]))?;
    let example = ["--package", "nexus-stock", "--example", "lxmf_round_trip"];
    cargo::run(cargo(session).arg("build").args(release).args(example))?;
    stock_python::run(session)?;
    let built = session.target().join("release");
    let home = session.target().join("compare-lxmf");
    // What a run before this left behind.
    let _not_there = fs::remove_dir_all(&home);
    let python = session.target().join("stock-python/bin");
    let names = ["nexus".to_owned(), format!("rnsd {}", stock_python::STOCK_VERSION)];
    let mut measured: [Vec<(String, u64)>; 2] = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (at, (name, measured)) in names.iter().zip(&mut measured).enumerate() {
            let home = home.join(round.to_string()).join(name);
            fs::create_dir_all(&home).map_err(|error| Fault::io(&home, &error))?;
            let port = free_port()?;
            let mut command = match at {
                0 => nexus(&built.join("nexus"), &home, port)?,
                _ => stock(&python.join("rnsd"), &home, port)?,
            };
            let _relay = Relay::start(&mut command, port)?;
            let mut trips = Command::new(built.join("examples/lxmf_round_trip"));
            trips.arg(format!("127.0.0.1:{port}")).env("NEXUS_STOCK_PYTHON", python.join("python"));
            let text = cargo::capture(&mut trips)?;
            eprintln!("{name}:\n{}", text.trim_end());
            measured.extend(text.lines().filter_map(said));
        }
    }
    let mut kinds: Vec<&str> = Vec::new();
    for (kind, _) in measured.iter().flatten() {
        if !kinds.contains(&kind.as_str()) {
            kinds.push(kind);
        }
    }
    let rows: Vec<[String; 3]> = kinds
        .iter()
        .map(|kind| {
            let [ours, theirs] = measured.each_ref().map(|all| told(all, kind));
            [(*kind).to_owned(), ours, theirs]
        })
        .collect();
    let [ours, theirs] = names.each_ref().map(String::as_str);
    let heading = [("median, ms (least to most)", Align::Left), (ours, Align::Right), (theirs, Align::Right)];
    println!("\n{}", table::render(heading, &rows));
    fs::remove_dir_all(&home).map_err(|error| Fault::io(&home, &error))
}

/// A line of what is measured: of what kind, and how many microseconds.
fn said(line: &str) -> Option<(String, u64)> {
    let (kind, micros) = line.rsplit_once(": ")?;
    Some((kind.to_owned(), micros.strip_suffix(" us")?.parse().ok()?))
}

fn told(all: &[(String, u64)], kind: &str) -> String {
    let mut of_kind: Vec<u64> = all.iter().filter(|(of, _)| of == kind).map(|(_, micros)| *micros).collect();
    of_kind.sort_unstable();
    let ms = |at: usize| {
        let micros = of_kind.get(at).copied().unwrap_or(0);
        format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
    };
    let last = of_kind.len().saturating_sub(1);
    format!("{} ({} to {})", ms(of_kind.len() / 2), ms(0), ms(last))
}
