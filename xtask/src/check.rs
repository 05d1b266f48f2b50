//! `cargo xtask check`: the loop of a working day.

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::{Note, Report, Stage};
use crate::{stage, tidy};

/// Test binaries that take longer than the loop may: they run other implementations, or many nodes, in real time.
const SLOW_TEST_BINARIES: [&str; 8] =
    ["stock_package", "against_stock", "stock", "attached", "endpoint", "interop", "mesh", "lxmf"];

const STAGES: [Stage; 4] = [
    Stage { name: "format", run: stage::lints::format },
    Stage { name: "clippy", run: stage::lints::clippy },
    Stage { name: "tidy", run: |session| tidy::run(session) },
    Stage { name: "unit tests", run: unit_tests },
];

/// Runs the loop's stages and tells how they went.
pub(crate) fn run(session: &mut Session) -> Result<(), Fault> {
    let mut report = Report::default();
    for stage in &STAGES {
        report.run(session, stage);
    }
    println!("\n{}", report.table());
    report.verdict()
}

fn unit_tests(session: &mut Session) -> Result<Note, Fault> {
    cargo::ensure_subcommand(session, "nextest")?;
    let names: Vec<_> = SLOW_TEST_BINARIES.iter().map(|name| format!("not binary({name})")).collect();
    let filter = names.join(" and ");
    cargo::run(cargo(session).args(["nextest", "run", "--locked", "--workspace", "-E", &filter]))?;
    Ok(format!("without {}", SLOW_TEST_BINARIES.join(" and ")))
}
