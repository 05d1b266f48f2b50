//! `cargo xtask test`: everything that CI runs.
//!
//! The tests come last, so that the output closes with nextest's own summary.

use std::num::NonZero;
use std::thread;
use std::time::Instant;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stages::{Note, Report, Stage};
use crate::{stage, tidy};

/// Cheap stages first; those that prepare something for the tests before the tests are built.
const STAGES: [Stage; 14] = [
    Stage { name: "packages", run: stage::packages::run },
    Stage { name: "stock python", run: stage::stock_python::run },
    Stage { name: "nextest", run: nextest },
    Stage { name: "format", run: stage::lints::format },
    Stage { name: "tidy", run: |session| tidy::run(session) },
    Stage { name: "dependencies", run: stage::dependencies::run },
    Stage { name: "licences", run: stage::licences::run },
    Stage { name: "clippy", run: stage::lints::clippy },
    Stage { name: "rustdoc", run: stage::lints::rustdoc },
    Stage { name: "doc tests", run: stage::examples::run },
    Stage { name: "bare metal", run: stage::bare_metal::run },
    Stage { name: "riscv32", run: stage::riscv32::run },
    Stage { name: "simulator", run: stage::simulator::run },
    Stage { name: "build the tests", run: build_tests },
];

/// Runs every stage, tells how they went, then runs the tests.
pub(crate) fn run(session: &mut Session) -> Result<(), Fault> {
    let mut report = Report::default();
    for stage in &STAGES {
        report.run(session, stage);
    }
    println!("\n{}\n==> tests", report.table());
    let started = Instant::now();
    let mut nextest = cargo(session);
    nextest.args(["nextest", "run", "--locked", "--workspace", "--profile", "crowded"]);
    let tested = cargo::run(nextest.args(["--test-threads", &threads().to_string()]));
    let stages = report.verdict();
    match tested {
        Ok(()) => stages,
        Err(fault) => {
            let before = stages.err().map_or(String::new(), |fault| format!(" Before that, {fault}"));
            let seconds = started.elapsed().as_secs_f32();
            Err(Fault::new(format!("the stage tests failed after {seconds:.1} s: {fault}{before}")))
        }
    }
}

/// Two for each core: `.config/nextest.toml` tells which tests count for two.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).saturating_mul(2)
}

fn nextest(session: &mut Session) -> Result<Note, Fault> {
    cargo::ensure_subcommand(session, "nextest")?;
    let version = cargo::capture(cargo(session).args(["nextest", "--version"]))?;
    Ok(version.lines().next().unwrap_or_default().to_owned())
}

fn build_tests(session: &mut Session) -> Result<Note, Fault> {
    cargo::run(cargo(session).args(["nextest", "run", "--locked", "--workspace", "--no-run"]))?;
    Ok(Note::new())
}
