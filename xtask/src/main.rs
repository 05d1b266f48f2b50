//! The project's own commands, behind `cargo xtask`.
//!
//! | command | what it is for |
//! |---|---|
//! | `check` | the two-minute loop: format, clippy, tidy, unit tests |
//! | `test` | everything that CI runs, in stages with their seconds |
//! | `tidy` | the rules of the house that lints cannot see |
//! | `acceptance` | the simulator's verdict on every milestone |
//! | `bench` | all benchmarks, as one table |
//! | `compare` | NEXUS beside what others run |
//! | `interop` | nodes among stock nodes, with the releases that people run |
//! | `fuzz` | all fuzz targets in turn, for a while each |
//!
//! Every failure is a sentence that says what to do; the exit code is 0 only if nothing failed.

mod acceptance;
mod bench;
mod cargo;
mod check;
mod compare;
mod fault;
mod fuzz;
mod interop;
mod metadata;
mod session;
mod stage;
mod stages;
mod table;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::fault::Fault;
use crate::session::Session;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Request,
}

#[derive(Subcommand)]
enum Request {
    /// The two-minute loop: format, clippy, tidy, unit tests.
    Check,
    /// Everything that CI runs, in stages with their seconds.
    Test,
    /// The rules of the house that lints cannot see.
    Tidy,
    /// The simulator's verdict on every milestone: measured against required.
    Acceptance {
        /// Print the verdicts as JSON rather than as a table.
        #[arg(long)]
        json: bool,
    },
    /// All benchmarks, as one table.
    Bench {
        /// Only benchmarks whose name contains this; `daemon`: what a daemon costs, and how fast it is.
        filter: Option<String>,
    },
    /// NEXUS beside what others run, as one table.
    Compare {
        /// What is compared.
        #[command(subcommand)]
        subject: compare::Subject,
    },
    /// Nodes among stock nodes of the newest release.
    Interop {
        /// And of earlier ones.
        #[arg(long)]
        long: bool,
    },
    /// All fuzz targets in turn, or one.
    Fuzz {
        /// Only this target.
        target: Option<String>,
        /// For how long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::compiler_instead() {
        return code;
    }
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("xtask: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(request: Request) -> Result<(), Fault> {
    let mut session = Session::open()?;
    match request {
        Request::Check => check::run(&mut session),
        Request::Test => test::run(&mut session),
        Request::Tidy => tidy::run(&session).map(|note| println!("tidy: {note}")),
        Request::Acceptance { json } => {
            let form = if json { acceptance::Form::Json } else { acceptance::Form::Table };
            acceptance::run(&mut session, form)
        }
        Request::Bench { filter } => bench::run(&session, filter.as_deref()),
        Request::Compare { subject } => compare::run(&mut session, subject),
        Request::Interop { long } => {
            let releases = if long { interop::Releases::All } else { interop::Releases::Newest };
            interop::run(&mut session, releases)
        }
        Request::Fuzz { target, seconds } => fuzz::run(&session, target.as_deref(), seconds),
    }
}
