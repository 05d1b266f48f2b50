//! `cargo xtask compare`: NEXUS beside what others run, in one run on this machine.

mod lxmf;
mod processes;
mod relay;

use std::process::Command;

use clap::Subcommand;

use crate::cargo::{self, cargo};
use crate::fault::Fault;
use crate::session::Session;
use crate::stage::packages;

/// What is compared. But for `relay` and `lxmf` in network namespaces, beside babeld and BIRD, which takes root.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Subject {
    /// For how long a silent death is felt, and what idle links carry, five routers each. Takes a quarter of an hour.
    Routing,
    /// How deaths are felt where cables lose three of ten frames, by NEXUS alone. Takes a quarter of an hour.
    Loss,
    /// What idle links carry in a grid of 25, until every node has said once more who it is. Takes forty minutes.
    Idle,
    /// What a relay carries between stock endpoints over loopback TCP, beside rnsd and rns-cli. Takes some minutes the first time.
    Relay,
    /// How long messages of stock LXMF peers take over a relay, beside rnsd. Takes two minutes.
    Lxmf,
}

/// The routers beside which NEXUS is measured. They are not installed by this command: a service comes with each, and is started
/// with it on most machines, where it changes what the machine's own network does.
const ROUTERS: [&str; 2] = ["babeld", "bird2"];

/// Measures, and prints one table.
pub(crate) fn run(session: &mut Session, subject: Subject) -> Result<(), Fault> {
    let request = match subject {
        Subject::Routing => "compare",
        Subject::Loss => "loss",
        Subject::Idle => "idle",
        Subject::Relay => return relay::run(session),
        Subject::Lxmf => return lxmf::run(session),
    };
    let missing: Vec<_> = ROUTERS.into_iter().filter(|package| !packages::is_installed(package)).collect();
    if !missing.is_empty() {
        let names = missing.join(" ");
        return Err(Fault::new(format!(
            "Debian packages are missing. Run: sudo systemctl mask babeld bird; sudo apt-get install --no-install-recommends {names}"
        )));
    }
    let release = ["--release", "--locked"];
    for package in ["nexus-cli", "nexus-netns"] {
        cargo::run(cargo(session).arg("build").args(release).args(["--package", package]))?;
    }
    let built = session.target().join("release");
    let mut compare = Command::new(built.join("nexus-netns"));
    cargo::run(compare.args([request, "--nexus"]).arg(built.join("nexus")))
}
