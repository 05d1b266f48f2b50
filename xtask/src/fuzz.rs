//! `cargo xtask fuzz`: every fuzz target in turn. Not part of CI: it finds what it finds in hours, not in minutes.

mod compiler;

use std::fs;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::metadata::{Metadata, Package};
use crate::session::Session;

pub(crate) use compiler::instead as compiler_instead;

/// Inputs are at most so many bytes long: a little more than the longest frame,
const LONGEST: u32 = 600;
/// or, where an input is a sequence of steps, a few hundred of these.
const LONGEST_SEQUENCE: u32 = 4_096;
/// The targets whose inputs are sequences.
const SEQUENCES: [&str; 2] = ["links", "node"];

/// Fuzzes one target, or all, for so many seconds each, with the sanitizer that needs an unstable compiler flag. Sequences go
/// without it: it slows them several times, and what they drive is forbidden to be unsafe.
pub(crate) fn run(session: &Session, wanted: Option<&str>, seconds: u32) -> Result<(), Fault> {
    let known = targets(session)?;
    let chosen = choose(&known, wanted)?;
    cargo::ensure_subcommand(session, "fuzz")?;
    let this =
        std::env::current_exe().map_err(|error| Fault::new(format!("where is this program? {error}.")))?;
    for target in chosen {
        let folder = session.root().join("fuzz");
        // What the fuzzer finds is kept here between runs, beside the seeds that are committed.
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus).map_err(|error| Fault::io(&corpus, &error))?;
        let limit = format!("-max_total_time={seconds}");
        let mut command = cargo(session);
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", session.target().join("fuzz"));
        command.env("RUSTC_WRAPPER", &this).env(compiler::MARK, "1");
        command
            .args(["fuzz", "run", "--sanitizer", sanitizer(target), target])
            .arg(corpus)
            .arg(folder.join("seeds").join(target));
        let longest = format!("-max_len={}", longest(target));
        cargo::run(command.args(["--", &limit, &longest])).map_err(|fault| {
            Fault::new(format!("{fault} The input that broke it lies in fuzz/artifacts/{target}/."))
        })?;
    }
    Ok(())
}

fn longest(target: &str) -> u32 {
    if SEQUENCES.contains(&target) { LONGEST_SEQUENCE } else { LONGEST }
}

fn sanitizer(target: &str) -> &'static str {
    if SEQUENCES.contains(&target) { "none" } else { "address" }
}

fn targets(session: &Session) -> Result<Vec<String>, Fault> {
    let manifest = session.root().join("fuzz").join("Cargo.toml");
    let mut command = cargo(session);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
    let text = cargo::capture(command.arg(&manifest))?;
    let metadata: Metadata =
        serde_json::from_str(&text).map_err(|error| Fault::json("cargo's metadata", &error))?;
    let targets = |package: &Package| package.targets_of_kind("bin").map(str::to_owned).collect::<Vec<_>>();
    Ok(metadata.packages.iter().flat_map(targets).collect())
}

fn choose<'a>(known: &'a [String], wanted: Option<&str>) -> Result<Vec<&'a str>, Fault> {
    let chosen: Vec<_> = known
        .iter()
        .map(String::as_str)
        .filter(|target| wanted.is_none_or(|wanted| wanted == *target))
        .collect();
    match (wanted, chosen.is_empty()) {
        (Some(wanted), true) => {
            Err(Fault::new(format!("no fuzz target is called {wanted}. There are: {}.", known.join(", "))))
        }
        (None, true) => Err(Fault::new("fuzz/Cargo.toml has no targets.")),
        (_, false) => Ok(chosen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_of_steps_may_be_longer_than_frames() {
        assert_eq!((longest("packet"), longest("links"), longest("node")), (600, 4_096, 4_096));
    }

    #[test]
    fn every_target_that_may_be_longer_is_there() {
        let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/Cargo.toml");
        let manifest = fs::read_to_string(manifest).expect("it is there");
        assert!(SEQUENCES.iter().all(|name| manifest.contains(&format!("[[bin]]\nname = \"{name}\"\n"))));
    }

    #[test]
    fn an_unknown_target_is_refused_with_those_there_are() {
        let known = ["announce".to_owned(), "packet".to_owned()];
        assert_eq!(choose(&known, None).expect("all"), ["announce", "packet"]);
        assert_eq!(choose(&known, Some("packet")).expect("one"), ["packet"]);
        let fault = choose(&known, Some("pocket")).expect_err("a slip").to_string();
        assert_eq!(fault, "no fuzz target is called pocket. There are: announce, packet.");
        assert!(choose(&[], None).is_err());
    }
}
