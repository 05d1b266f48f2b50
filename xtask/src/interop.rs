//! `cargo xtask interop`: nodes among stock nodes, by the releases that people run.

use std::process::Command;
use std::time::Instant;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stage::stock_python;
use crate::table::{self, Align};

/// Which releases of the stock package the tests run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Releases {
    /// The one that `cargo xtask test` uses.
    Newest,
    /// Those before it, too, each in an environment of its own.
    All,
}

/// What people still run besides the newest.
const EARLIER: [&str; 2] = ["1.3.1", "1.4.2"];
/// The endpoint alone against the package, and nodes between both;
const TESTS: &str = "binary(against_stock) or binary(interop)";
/// and whether its tools are answered by a node that they are attached to.
const TOOLS: &str = "binary(attached) & test(questions)";
/// A release whose tools ask in another form, which only the package's own instances understand.
const ASKS_OTHERWISE: &str = "1.3.1";
/// What goes farther in a long run, with the newest release alone: 100 messages each way between LXMF peers, and links of ten minutes.
const FARTHER: [&str; 4] =
    ["-E", "binary(lxmf) & test(relays) or binary(local_network) & test(chain)", "--profile", "long"];
/// Asks the tests for it.
const LONG_RUN: &str = "NEXUS_LONG_RUN";

/// Runs the tests with each release, and tells how they went.
pub(crate) fn run(session: &mut Session, releases: Releases) -> Result<(), Fault> {
    cargo::ensure_subcommand(session, "nextest")?;
    let earlier: &[&str] = match releases {
        Releases::Newest => &[],
        Releases::All => &EARLIER,
    };
    let mut rows = Vec::new();
    for version in [stock_python::STOCK_VERSION].iter().chain(earlier) {
        stock_python::prepare(session, version)?;
        let mut command = cargo(session);
        let tools = if *version == ASKS_OTHERWISE { String::new() } else { format!(" or {TOOLS}") };
        command.args(["nextest", "run", "--locked", "-E", &(TESTS.to_owned() + &tools)]);
        command.args(["--package", "nexus-stock", "--package", "nexus-cli"]);
        rows.push(told(version, &mut command));
    }
    if releases == Releases::All {
        let newest = stock_python::STOCK_VERSION;
        stock_python::prepare(session, newest)?;
        let mut command = cargo(session);
        command.env(LONG_RUN, "1").args(["nextest", "run", "--locked"]).args(FARTHER);
        rows.push(told(&format!("{newest}, longer"), command.args(["--package", "nexus-cli"])));
    }
    println!(
        "\n{}",
        table::render([("rns", Align::Left), ("seconds", Align::Right), ("", Align::Left)], &rows)
    );
    let failed: Vec<_> =
        rows.iter().filter(|[_, _, verdict]| verdict != "ok").map(|[version, ..]| version.as_str()).collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Fault::new(format!("tests failed with rns {}.", failed.join(", "))))
    }
}

/// Runs tests; what is told of how they went.
fn told(what: &str, command: &mut Command) -> [String; 3] {
    let started = Instant::now();
    let passed = cargo::run(command).is_ok();
    let seconds = format!("{:.1}", started.elapsed().as_secs_f32());
    [what.to_owned(), seconds, if passed { "ok" } else { "FAILED" }.to_owned()]
}
