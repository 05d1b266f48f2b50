//! Commands on world files.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use nexus_sim::acceptance::MILESTONES;
use nexus_sim::builder::{self, Kind, Life, Order, Tuning};
use nexus_sim::capture::Capture;
use nexus_sim::report;
use nexus_sim::worldfile::{Driven, Prepared, WorldFile};
use serde_json::Value;

use crate::capture;

/// What a new world is to be like.
#[derive(Args)]
pub(crate) struct New {
    /// The kind of world.
    kind: KindName,
    /// How many nodes; raised to what the kind needs.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    nodes: u32,
    /// The seed of the places, and of everything that happens.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=0x7fff_ffff_ffff_ffff))]
    seed: u64,
    /// About how far neighbours are apart, in metres.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    spacing_m: i32,
    /// Whose rules hold: 869.525 MHz, SF7, 125 kHz, a tenth of the time; or 914.9 MHz, SF7, 500 kHz.
    #[arg(long, default_value = "europe")]
    region: RegionName,
    /// Another spreading factor.
    #[arg(long, value_parser = clap::value_parser!(u8).range(5..=12))]
    spreading_factor: Option<u8>,
    /// Another bandwidth, in hertz.
    #[arg(long)]
    bandwidth_hz: Option<u32>,
    /// What drives radios.
    #[arg(long, default_value = "rnode")]
    driven: DrivenName,
    /// What radios give their antennas.
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u8).range(..=30))]
    power_dbm: u8,
    /// Of the nodes, so many percent have a radio. Gateways always have one.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(..=100))]
    radios: u8,
    /// Of the pairs of nodes side by side, so many percent have a cable.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    cables: u8,
    /// How long the world lasts, in seconds.
    #[arg(long, default_value_t = 14_400, value_parser = clap::value_parser!(u64).range(60..=315_360_000))]
    duration_s: u64,
    /// What its people do.
    #[arg(long, default_value = "usual")]
    life: LifeName,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindName {
    /// Nodes in a row.
    Line,
    /// Two ends, and the others side by side between them.
    Diamond,
    /// Rows and columns.
    Grid,
    /// Nodes anywhere in a square.
    Geometric,
    /// Houses around a green, and some along two roads.
    Village,
    /// Islands of radios, joined by gateways over the Internet.
    Town,
    /// Two such islands, and somebody who drives from one to the other and back.
    Mobile,
}

#[derive(Clone, Copy, ValueEnum)]
enum RegionName {
    Europe,
    America,
}

#[derive(Clone, Copy, ValueEnum)]
enum DrivenName {
    /// A modem with a firmware that queues, listens and splits.
    Rnode,
    /// Nothing: the node's own core listens before it talks.
    Transceiver,
}

#[derive(Clone, Copy, ValueEnum)]
enum LifeName {
    /// Nothing.
    Idle,
    /// Messages and telemetry; speech and volumes where a cable is.
    Usual,
    /// More than radios carry: 720 messages and 360 readings of each node in an hour.
    Saturated,
}

impl New {
    fn order(&self) -> Order {
        let tuning = match self.region {
            RegionName::Europe => Tuning::EUROPE,
            RegionName::America => Tuning::AMERICA,
        };
        Order {
            kind: match self.kind {
                KindName::Line => Kind::Line,
                KindName::Diamond => Kind::Diamond,
                KindName::Grid => Kind::Grid,
                KindName::Geometric => Kind::Geometric,
                KindName::Village => Kind::Village,
                KindName::Town => Kind::Town,
                KindName::Mobile => Kind::Mobile,
            },
            nodes: self.nodes,
            seed: self.seed,
            spacing_m: self.spacing_m,
            tuning: Tuning {
                spreading_factor: self.spreading_factor.unwrap_or(tuning.spreading_factor),
                bandwidth_hz: self.bandwidth_hz.unwrap_or(tuning.bandwidth_hz),
                ..tuning
            },
            driven: match self.driven {
                DrivenName::Rnode => Driven::Rnode,
                DrivenName::Transceiver => Driven::Transceiver,
            },
            power_dbm: self.power_dbm,
            radio_percent: self.radios,
            cable_percent: self.cables,
            duration_s: self.duration_s,
            life: match self.life {
                LifeName::Idle => Life::Idle,
                LifeName::Usual => Life::Usual,
                LifeName::Saturated => Life::Saturated,
            },
        }
    }
}

/// Prints a new world, if it is one.
pub(crate) fn new_world(new: &New) -> io::Result<ExitCode> {
    let text = builder::build(&new.order()).to_text();
    if let Err(refusal) = WorldFile::load(&text) {
        eprintln!("There is no such world: {}", refusal.sentence);
        return Ok(ExitCode::from(CANNOT_RUN));
    }
    write!(io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// How a result is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
}

/// Runs a world file: exit code 0 if everything was as expected, 1 if not, 2 if it is no world.
pub(crate) fn run_file(path: &Path, form: Form, pcap: Option<&Path>) -> io::Result<ExitCode> {
    let Some(prepared) = load(path) else { return Ok(ExitCode::from(CANNOT_RUN)) };
    let mut capture = pcap.map(|path| capture(path, &prepared.scenario.layout)).transpose()?;
    let report = report::run_before(&prepared, capture.as_mut());
    capture.map_or(Ok(()), Capture::finish)?;
    let mut out = io::stdout().lock();
    match form {
        Form::Text => writeln!(out, "{report}")?,
        Form::Json => writeln!(out, "{}", serde_json::to_string(&report)?)?,
    }
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints which milestones there are.
pub(crate) fn milestones(form: Form) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if form == Form::Json {
        let numbers = MILESTONES.iter().map(|milestone| milestone.number);
        writeln!(out, "{}", numbers.collect::<Value>())?;
    } else {
        for milestone in &MILESTONES {
            writeln!(
                out,
                "{}  {} ({} criteria)",
                milestone.number,
                milestone.title,
                milestone.criteria.len()
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a world file, or says on standard error why it is none.
pub(crate) fn load(path: &Path) -> Option<Prepared> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| eprintln!("{shown} cannot be read: {error}")).ok()?;
    WorldFile::load(&text).map_err(|refusal| eprintln!("{shown}, {refusal}")).ok()
}

/// The exit code of a command that could not be carried out.
pub(crate) const CANNOT_RUN: u8 = 2;
