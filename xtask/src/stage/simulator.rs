//! The simulator's judges over a small swarm, and the same seed's trace from two builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::Note;

const SEEDS: &str = "20";
/// Worlds whose radios speak open packets, as stock nodes do.
const OPEN_SEEDS: &str = "6";
/// Random meshes whose paths are judged, and their nodes.
const MESHES: &str = "20";
const MESH_NODES: &str = "10";
const NODES: &str = "20";
const DAYS: &str = "1";

/// Seeds whose traces the debug and the release build have to agree on: a radio channel, three kinds of transport, a grid.
const TRACED_SEEDS: [u64; 3] = [2, 7, 19];
/// How long their worlds last.
const TRACED_HOURS: &str = "6";

/// How the simulator is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// Overflow traps, nothing inlined.
    Debug,
    /// What ships.
    Release,
}

/// What `nexus-sim trace --json` prints.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Trace {
    /// The seed that was asked for.
    seed: u64,
    /// A hash over everything that every node did, in hexadecimal.
    trace: String,
}

/// Runs the swarm, then compares the traces.
pub(crate) fn run(session: &mut Session) -> Result<Note, Fault> {
    let release = build(session, Build::Release)?;
    let debug = build(session, Build::Debug)?;
    for (radio, seeds) in [("nexus", SEEDS), ("reticulum", OPEN_SEEDS)] {
        let mut swarm = Command::new(&release);
        swarm.args(["swarm", "--seeds", seeds, "--nodes", NODES, "--days", DAYS, "--radio", radio, "--json"]);
        judged(&cargo::capture(&mut swarm)?)?;
    }
    let mut routes = Command::new(&release);
    routes.args(["routes", "--seeds", MESHES, "--nodes", MESH_NODES, "--json"]);
    judged(&cargo::capture(&mut routes)?)?;
    for seed in TRACED_SEEDS {
        agree(&trace(&debug, seed)?, &trace(&release, seed)?)?;
    }
    let traced = TRACED_SEEDS.len();
    Ok(format!(
        "{SEEDS} seeds of {NODES} nodes for {DAYS} virtual day, {OPEN_SEEDS} with open radios; {MESHES} meshes; {traced} traces equal in debug \
         and release"
    ))
}

/// Builds the simulator and tells where it is.
pub(crate) fn build(session: &Session, build: Build) -> Result<PathBuf, Fault> {
    let mut command = cargo(session);
    command.args(["build", "--locked", "--package", "nexus-sim"]);
    let folder = match build {
        Build::Debug => "debug",
        Build::Release => {
            command.arg("--release");
            "release"
        }
    };
    cargo::run(&mut command)?;
    Ok(session.target().join(folder).join("nexus-sim"))
}

fn trace(simulator: &Path, seed: u64) -> Result<Trace, Fault> {
    let mut command = Command::new(simulator);
    let seed_text = seed.to_string();
    let text =
        cargo::capture(command.args(["trace", "--seed", &seed_text, "--hours", TRACED_HOURS, "--json"]))?;
    parse_trace(&text, seed)
}

/// A program that exits with success but tells nothing has judged nothing.
fn judged(text: &str) -> Result<(), Fault> {
    let verdicts: Value =
        serde_json::from_str(text).map_err(|error| Fault::json("the swarm's verdict", &error))?;
    let is_empty = verdicts.as_array().is_some_and(Vec::is_empty)
        || verdicts.as_object().is_some_and(serde_json::Map::is_empty)
        || verdicts.is_null();
    if is_empty { Err(Fault::new("the swarm's verdict is empty: nothing was judged.")) } else { Ok(()) }
}

fn parse_trace(text: &str, seed: u64) -> Result<Trace, Fault> {
    let trace: Trace =
        serde_json::from_str(text).map_err(|error| Fault::json("the simulator's trace", &error))?;
    if trace.seed != seed || trace.trace.is_empty() {
        return Err(Fault::new(format!("asked for the trace of seed {seed}, the simulator printed {text}")));
    }
    Ok(trace)
}

fn agree(debug: &Trace, release: &Trace) -> Result<(), Fault> {
    if debug == release {
        return Ok(());
    }
    Err(Fault::new(format!(
        "seed {} runs differently in debug ({}) and release ({}): something in the core depends on the build.",
        debug.seed, debug.trace, release.trace
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_of_the_seed_that_was_asked_for() {
        let text = r#"{"seed":2,"trace":"a5"}"#;
        assert_eq!(parse_trace(text, 2).expect("it is"), Trace { seed: 2, trace: "a5".to_owned() });
        assert!(parse_trace(text, 3).is_err());
        assert!(parse_trace(r#"{"seed":2,"trace":""}"#, 2).is_err());
        assert!(parse_trace(r#"{"seed":2}"#, 2).is_err());
    }

    #[test]
    fn a_swarm_that_tells_nothing_is_not_believed() {
        assert!(judged(r#"{"runs":20}"#).is_ok());
        for nothing in ["", "null", "[]", "{}", "all is well"] {
            assert!(judged(nothing).is_err(), "{nothing}");
        }
    }

    #[test]
    fn builds_that_differ_are_named() {
        let debug = Trace { seed: 2, trace: "a5".to_owned() };
        let release = Trace { seed: 2, trace: "5a".to_owned() };
        let fault = agree(&debug, &release).expect_err("they differ").to_string();
        assert!(fault.starts_with("seed 2 runs differently in debug (a5) and release (5a)"), "{fault}");
        assert!(agree(&debug, &debug).is_ok());
    }
}
