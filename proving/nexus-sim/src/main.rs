//! The simulator's command line.
#![forbid(unsafe_code)]

mod commands;
mod rendering;
mod routing_command;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand, ValueEnum};
use commands::{CANNOT_RUN, Form, New};
use nexus_machine::Duration;
use nexus_network::Mode;
use nexus_node::Node;
use nexus_sim::acceptance::{Milestone, MilestoneVerdict};
use nexus_sim::capture::Capture;
use nexus_sim::errands::Errands;
use nexus_sim::faults::Kinds;
use nexus_sim::judge::budget::{self, Budget};
use nexus_sim::layout::{Layout, Shape, Wired};
use nexus_sim::log::{Detail, Log};
use nexus_sim::observation::Observer;
use nexus_sim::swarm::{self, Order};
use rendering::Rendering;
use routing_command::Routes;
use serde_json::json;

/// Simulates networks of NEXUS nodes, deterministically: a seed reproduces everything.
#[derive(Parser)]
#[command(name = "nexus-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the milestones whose acceptance criteria are known.
    Milestones(Output),
    /// Measure a milestone's acceptance criteria: exit code 0 if all are met, 1 if one is missed, 2 if some cannot be
    /// measured.
    Acceptance {
        /// The milestone's number, such as 1.1.
        milestone: String,
        #[command(flatten)]
        output: Output,
    },
    /// Run many worlds with faults drawn from their seeds, each twice, before all judges.
    Swarm(Swarm),
    /// Run random meshes and judge their paths.
    Routes(Routes),
    /// Print figures.
    Figures {
        /// Of what.
        #[arg(default_value = "links")]
        of: FiguresOf,
        /// Of healing: for how many days the partition lasts.
        #[arg(long, default_value_t = 7)]
        days: u64,
        /// Of healing: of how many nodes; without it 10, 30, 100 and 300.
        #[arg(long)]
        nodes: Option<u32>,
    },
    /// World files.
    World {
        #[command(subcommand)]
        command: WorldCommand,
    },
    /// Print the trace hash of one world.
    Trace {
        #[command(flatten)]
        world: World,
        #[command(flatten)]
        output: Output,
    },
    /// Run a world file, or a world drawn from a seed, and draw it: a map with what its media carried, or what its radios did over
    /// time.
    Render {
        /// The world file.
        #[arg(conflicts_with = "seed", required_unless_present = "seed")]
        file: Option<PathBuf>,
        /// The seed from which everything follows.
        #[arg(long)]
        seed: Option<u64>,
        #[command(flatten)]
        world: Shaped,
        #[command(flatten)]
        rendering: Rendering,
    },
    /// Run a world file and print what came of it; or a world drawn from a seed, and print what happens in it. Exit code 0 if
    /// everything was as expected, 1 if not, 2 if it is no world.
    Run {
        /// The world file.
        #[arg(conflicts_with = "seed", required_unless_present = "seed")]
        file: Option<PathBuf>,
        /// The seed from which everything follows.
        #[arg(long)]
        seed: Option<u64>,
        #[command(flatten)]
        world: Shaped,
        #[command(flatten)]
        output: Output,
        /// Print every input, output and damaged frame.
        #[arg(long)]
        verbose: bool,
        /// Record every frame, and what sealed ones say, in this file, for Wireshark and its like.
        #[arg(long, value_name = "FILE")]
        pcap: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum WorldCommand {
    /// Print a new world: places, radios, media and traffic, drawn from a seed.
    New(New),
}

#[derive(Clone, Copy, ValueEnum)]
enum FiguresOf {
    /// What links on radio channels cost in airtime and in time.
    Links,
    /// How fast worlds run on this machine, and where the time goes.
    Speed,
    /// How soon nodes hold the same after a partition.
    Healing,
    /// What it costs two neighbours to find and to send what differs in their stores.
    Summaries,
    /// What networks cost that have nothing to say.
    Upkeep,
    /// How speech gets through on radio, with bulk beside it and without.
    Voice,
    /// How much of a radio channel nodes fill that have nothing to say.
    Control,
}

#[derive(Args, Clone, Copy)]
struct Output {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Output {
    const fn form(self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

#[derive(Args)]
struct Swarm {
    /// How many worlds.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The seed of the first; the others follow.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// How many nodes each world has.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    nodes: u32,
    /// How many days each world lasts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3_650))]
    days: u64,
    /// What may go wrong.
    #[arg(long, default_value = "usual")]
    faults: Faults,
    #[command(flatten)]
    speech: Speech,
    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
struct World {
    /// The seed from which everything follows.
    #[arg(long)]
    seed: u64,
    #[command(flatten)]
    shaped: Shaped,
}

#[derive(Args)]
struct Shaped {
    /// How many nodes.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    nodes: u32,
    /// The world's shape; without it, the seed decides.
    #[arg(long = "world", value_name = "SHAPE")]
    shape: Option<ShapeName>,
    /// How many hours the world lasts. Faults stop two and a half hours before the end.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=87_600))]
    hours: u64,
    /// What may go wrong.
    #[arg(long, default_value = "usual")]
    faults: Faults,
    #[command(flatten)]
    speech: Speech,
}

#[derive(Args, Clone, Copy)]
struct Speech {
    /// What cables and local networks speak; without it, the seed decides.
    #[arg(long)]
    mode: Option<WiredName>,
    /// What radios speak.
    #[arg(long, default_value = "nexus")]
    radio: RadioName,
    /// What people ask of nodes.
    #[arg(long, default_value = "usual")]
    errands: ErrandsName,
}

#[derive(Clone, Copy, ValueEnum)]
enum ErrandsName {
    /// Nothing.
    None,
    /// Messages and probes between random pairs.
    Usual,
}

#[derive(Clone, Copy, ValueEnum)]
enum WiredName {
    /// Links.
    Nexus,
    /// Open packets.
    Reticulum,
    /// Each medium one of the two.
    Mixed,
}

#[derive(Clone, Copy, ValueEnum)]
enum RadioName {
    /// Links.
    Nexus,
    /// Open packets.
    Reticulum,
}

#[derive(Clone, Copy, ValueEnum)]
enum Faults {
    /// Nothing.
    None,
    /// Everything that an honest disk survives.
    Usual,
    /// That, and disks replaced by earlier images of themselves.
    Stale,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShapeName {
    Line,
    Ring,
    Grid,
    Geometric,
    Segment,
    Bridge,
    Mixed,
}

impl From<Faults> for Kinds {
    fn from(faults: Faults) -> Self {
        match faults {
            Faults::None => Self::None,
            Faults::Usual => Self::Usual,
            Faults::Stale => Self::WithStaleDisks,
        }
    }
}

impl From<WiredName> for Wired {
    fn from(name: WiredName) -> Self {
        match name {
            WiredName::Nexus => Self::Nexus,
            WiredName::Reticulum => Self::Reticulum,
            WiredName::Mixed => Self::Mixed,
        }
    }
}

impl From<RadioName> for Mode {
    fn from(name: RadioName) -> Self {
        match name {
            RadioName::Nexus => Self::Nexus,
            RadioName::Reticulum => Self::Reticulum,
        }
    }
}

impl From<ErrandsName> for Errands {
    fn from(name: ErrandsName) -> Self {
        match name {
            ErrandsName::None => Self::None,
            ErrandsName::Usual => Self::Usual,
        }
    }
}

impl From<ShapeName> for Shape {
    fn from(name: ShapeName) -> Self {
        match name {
            ShapeName::Line => Self::Line,
            ShapeName::Ring => Self::Ring,
            ShapeName::Grid => Self::Grid,
            ShapeName::Geometric => Self::Geometric,
            ShapeName::Segment => Self::Segment,
            ShapeName::Bridge => Self::Bridge,
            ShapeName::Mixed => Self::Mixed,
        }
    }
}

impl Shaped {
    fn order(&self, seed: u64) -> Order {
        Order {
            seed,
            nodes: self.nodes,
            shape: self.shape.map(Shape::from),
            wired: self.speech.mode.map(Wired::from),
            radio: self.speech.radio.into(),
            errands: self.speech.errands.into(),
            length: Duration::from_secs(self.hours * 3_600),
            kinds: self.faults.into(),
        }
    }
}

impl Swarm {
    fn order(&self, seed: u64) -> Order {
        Order {
            seed,
            nodes: self.nodes,
            shape: None,
            wired: self.speech.mode.map(Wired::from),
            radio: self.speech.radio.into(),
            errands: self.speech.errands.into(),
            length: Duration::from_secs(self.days * 86_400),
            kinds: self.faults.into(),
        }
    }

    fn reproduce(&self, seed: u64) -> String {
        let mode = self.speech.mode.map(|mode| format!(" --mode {}", named(&mode))).unwrap_or_default();
        let (nodes, hours, faults) = (self.nodes, self.days * 24, named(&self.faults));
        let (radio, errands) = (named(&self.speech.radio), named(&self.speech.errands));
        format!(
            "nexus-sim run --seed {seed} --nodes {nodes} --hours {hours} --faults {faults}{mode} --radio {radio} \
             --errands {errands}"
        )
    }
}

/// What a value is called on the command line.
fn named(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|name| name.get_name().to_owned()).unwrap_or_default()
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Milestones(output) => commands::milestones(output.form()),
        Command::Acceptance { milestone, output } => acceptance(&milestone, output),
        Command::Swarm(swarm) => run_swarm(&swarm),
        Command::Routes(routes) => routing_command::routes(&routes),
        Command::Figures { of, days, nodes } => figures(of, days, nodes),
        Command::World { command: WorldCommand::New(new) } => commands::new_world(&new),
        Command::Trace { world, output } => trace(&world, output),
        Command::Render { file: Some(file), rendering, .. } => rendering.of_file(&file),
        Command::Render { file: None, seed, world, rendering } => {
            rendering.of_order(&world.order(seed.expect("required unless a file is named")))
        }
        Command::Run { file: Some(file), output, pcap, .. } => {
            commands::run_file(&file, output.form(), pcap.as_deref())
        }
        Command::Run { file: None, seed, world, verbose, pcap, .. } => {
            let seed = seed.expect("required unless a file is named");
            let detail = if verbose { Detail::Everything } else { Detail::Events };
            run(seed, &world, detail, pcap.as_deref())
        }
    };
    // A pipe that was closed early, a full disk: what the operating system says when nothing more can be printed.
    done.unwrap_or_else(|error| {
        eprintln!("nexus-sim cannot print its results: {error}");
        ExitCode::from(CANNOT_RUN)
    })
}

fn figures(of: FiguresOf, days: u64, nodes: Option<u32>) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match of {
        FiguresOf::Links => write!(out, "{}", nexus_sim::figures::all())?,
        FiguresOf::Speed => nexus_sim::speed::figures(&mut out)?,
        FiguresOf::Healing => {
            let lasts = Duration::from_secs(86_400 * days);
            nexus_sim::healing::figures(&mut out, lasts, nodes)?;
        }
        FiguresOf::Summaries => nexus_sim::summaries::figures(&mut out)?,
        FiguresOf::Upkeep => nexus_sim::upkeep::figures(&mut out)?,
        FiguresOf::Voice => nexus_sim::load::figures::voice(&mut out)?,
        FiguresOf::Control => nexus_sim::load::figures::channels(&mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn acceptance(number: &str, output: Output) -> io::Result<ExitCode> {
    let Some(milestone) = Milestone::find(number) else {
        eprintln!("There is no milestone {number}: `nexus-sim milestones` lists them.");
        return Ok(ExitCode::from(CANNOT_RUN));
    };
    let report = milestone.measure();
    let mut out = io::stdout().lock();
    if output.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(out, "Milestone {}: {}", milestone.number, milestone.title)?;
        for criterion in &report.criteria {
            let measured = criterion.measured.as_deref().unwrap_or("-");
            writeln!(out, "  {:?}: {}", criterion.verdict, criterion.text)?;
            writeln!(out, "      required: {}; measured: {measured}", criterion.required)?;
        }
        writeln!(out, "{:?}", report.verdict)?;
    }
    Ok(ExitCode::from(match report.verdict {
        MilestoneVerdict::Met => 0,
        MilestoneVerdict::Missed => 1,
        MilestoneVerdict::Incomplete => 2,
    }))
}

fn run_swarm(swarm: &Swarm) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let began = Instant::now();
    let mut failures = Vec::new();
    for seed in (swarm.first_seed..).take(usize::try_from(swarm.seeds).unwrap_or(usize::MAX)) {
        let order = swarm.order(seed);
        let (judged, same) = swarm::run_twice::<Node>(&order);
        let mut reasons: Vec<String> =
            judged.failures.iter().map(|(judge, f)| format!("{judge}, {}: {}", f.at, f.reason)).collect();
        if let Err(differed) = same {
            reasons.push(format!("two runs differ: {} and {}", differed.judged, differed.again));
        }
        if !swarm.output.json {
            let verdict = if reasons.is_empty() { "passed" } else { "FAILED" };
            let (shape, wired) = (format!("{:?}", order.shape()), format!("{:?}", order.speech().wired));
            writeln!(out, "seed {seed:<6} {shape:<10} {wired:<10} {verdict}  {}", judged.outcome.trace)?;
            for fullest in &judged.fullest {
                writeln!(out, "    fullest  {}", budget::told(fullest))?;
            }
        }
        for reason in reasons {
            if !swarm.output.json {
                writeln!(out, "    {reason}\n    reproduce: {}", swarm.reproduce(seed))?;
            }
            failures.push(json!({ "seed": seed, "reason": reason, "reproduce": swarm.reproduce(seed) }));
        }
        out.flush()?;
    }
    let wall_s = began.elapsed().as_secs_f64();
    // Each world is run twice.
    let simulated_s = 2 * swarm.seeds * swarm.days * 86_400;
    let speed = u128::from(simulated_s) * 1_000 / began.elapsed().as_millis().max(1);
    if swarm.output.json {
        let summary = json!({
            "seeds": swarm.seeds, "first_seed": swarm.first_seed, "nodes": swarm.nodes, "days": swarm.days,
            "failures": failures, "simulated_s": simulated_s, "wall_s": wall_s,
            "simulated_s_per_s": u64::try_from(speed).unwrap_or(u64::MAX),
        });
        writeln!(out, "{summary}")?;
    } else {
        writeln!(out, "{simulated_s} simulated seconds in {wall_s:.1} s: {speed} per second")?;
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn trace(world: &World, output: Output) -> io::Result<ExitCode> {
    let order = world.shaped.order(world.seed);
    let trace = nexus_sim::world::run::<Node>(&order.scenario(), &mut []).trace;
    let mut out = io::stdout().lock();
    if output.json {
        writeln!(out, "{}", json!({ "seed": world.seed, "trace": trace.to_string() }))?;
    } else {
        let (nodes, hours) = (world.shaped.nodes, world.shaped.hours);
        writeln!(out, "seed {}, {:?} of {nodes} nodes, {hours} hours: {trace}", world.seed, order.shape())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run(seed: u64, world: &Shaped, detail: Detail, pcap: Option<&Path>) -> io::Result<ExitCode> {
    let order = world.order(seed);
    let scenario = order.scenario();
    let mut bench = order.bench::<Node>(&scenario);
    let mut budget = Budget::new(&scenario.layout);
    let mut log = Log::new(io::stdout().lock(), detail);
    let mut capture = pcap.map(|path| capture(path, &scenario.layout)).transpose()?;
    let outcome = {
        let mut observers = bench.observers();
        observers.push(&mut log);
        observers.push(&mut budget);
        observers.extend(capture.as_mut().map(|capture| capture as &mut dyn Observer));
        nexus_sim::world::run::<Node>(&scenario, &mut observers)
    };
    log.finish()?;
    capture.map_or(Ok(()), Capture::finish)?;
    let mut failures = bench.failures();
    failures.extend(budget.failure());
    failures.extend(outcome.halted.map(|failure| ("rest", failure)));
    let mut out = io::stdout().lock();
    for fullest in budget.meter().worst() {
        writeln!(out, "fullest  {}", budget::told(&fullest))?;
    }
    writeln!(out, "trace {}", outcome.trace)?;
    for (judge, failure) in &failures {
        writeln!(out, "{judge} failed at {}: {}", failure.at, failure.reason)?;
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A recording of a world, in a file.
pub(crate) fn capture(path: &Path, layout: &Layout) -> io::Result<Capture<BufWriter<File>>> {
    File::create(path).map(|file| Capture::new(BufWriter::new(file), layout))
}
