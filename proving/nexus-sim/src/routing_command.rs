//! The command on random meshes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use nexus_sim::capture::Capture;
use nexus_sim::judge::budget;
use nexus_sim::log::{Detail, Log};
use nexus_sim::meshes::{Order, Spread, Verdict};
use nexus_sim::meter::{Class, Scope, Worst};
use nexus_sim::observation::Observer;
use nexus_sim::swarm;
use serde_json::json;

/// Random meshes, their paths judged.
#[derive(Args)]
pub(crate) struct Routes {
    /// How many meshes.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The seed of the first; the others follow.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many nodes each has; without it, the seed decides: 5 to 60.
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=200))]
    nodes: Option<u32>,
    /// Of so many meshes one is run twice, and the hashes compared; 0 for none.
    #[arg(long, default_value_t = 10)]
    twice: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print what happens in the meshes, too.
    #[arg(long, conflicts_with = "json")]
    events: bool,
    /// Record what the mesh carries, opened, to a file for Wireshark: of one mesh, so --seeds 1.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

/// What is added up over meshes.
#[derive(Default)]
struct Sums {
    /// In thousandths.
    stretch: Spread,
    /// In milliseconds.
    holes: Spread,
    pathless: Spread,
    circles: Spread,
    nearer: [u64; 2],
    ways: [u64; 2],
    letters: [u64; 2],
    /// By class of media, what they speak, scope and length: the fullest window of announces and gossip, and in which mesh.
    fullest: BTreeMap<(Class, Scope, usize), (u64, u64, Worst)>,
}

impl Sums {
    fn add(&mut self, seed: u64, verdict: &Verdict) {
        for worst in &verdict.fullest {
            let (place, busy_ns) = ((worst.class, worst.scope, worst.window), worst.peak.busy_ns);
            if self.fullest.get(&place).is_none_or(|(known, ..)| busy_ns > *known) {
                self.fullest.insert(place, (busy_ns, seed, worst.clone()));
            }
        }
        if let Some((_, costs)) = verdict.routing.costs().last() {
            costs.stretches.iter().for_each(|stretch| self.stretch.add(stretch.permille));
            self.nearer = [self.nearer[0] + costs.two_nearer, self.nearer[1] + costs.two_nearer_paths];
            self.ways = [self.ways[0] + costs.two_ways, self.ways[1] + costs.two_paths];
        }
        for span in verdict.routing.ways().ended() {
            let sum = if span.is_hole { &mut self.holes } else { &mut self.pathless };
            sum.add(span.length().as_millis());
        }
        verdict.routing.circles().iter().for_each(|circle| self.circles.add(circle.as_millis()));
        let (offered, delivered) = verdict.told.counts();
        self.letters = [self.letters[0] + offered, self.letters[1] + delivered];
    }
}

impl Routes {
    /// Runs a mesh before its judges, and tells of it what is wanted.
    fn judged(&self, order: Order, out: &mut impl Write) -> io::Result<Verdict> {
        let mut log = self.events.then(|| Log::new(out, Detail::Events));
        let mesh = order.mesh();
        let layout = &mesh.scenario.layout;
        let mut capture = self.pcap.as_deref().map(|path| crate::capture(path, layout)).transpose()?;
        let mut also: Vec<&mut dyn Observer> = Vec::new();
        also.extend(log.as_mut().map(|log| log as &mut dyn Observer));
        also.extend(capture.as_mut().map(|capture| capture as &mut dyn Observer));
        let verdict = mesh.judged(mesh.bounds(), &mut also);
        drop(also);
        log.map_or(Ok(()), Log::finish)?;
        capture.map_or(Ok(()), Capture::finish)?;
        Ok(verdict)
    }
}

/// Runs the meshes and prints a line for each, and how their figures are spread.
pub(crate) fn routes(routes: &Routes) -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let began = Instant::now();
    let (mut all, mut failures) = (Sums::default(), Vec::new());
    for seed in (routes.from..).take(usize::try_from(routes.seeds).unwrap_or(usize::MAX)) {
        let order = Order { seed, nodes: routes.nodes };
        let verdict = routes.judged(order, &mut out)?;
        all.add(seed, &verdict);
        let mut reasons: Vec<String> =
            verdict.failures.iter().map(|(judge, f)| format!("{judge}, {}: {}", f.at, f.reason)).collect();
        if routes.twice > 0 && seed.is_multiple_of(routes.twice) {
            let again = swarm::trace(&order.mesh().scenario);
            if again != verdict.outcome.trace {
                reasons.push(format!("two runs differ: {} and {again}", verdict.outcome.trace));
            }
        }
        if !routes.json {
            write!(out, "{}", line(seed, &order, &verdict, reasons.is_empty()))?;
        }
        for reason in reasons {
            if !routes.json {
                writeln!(out, "    {reason}")?;
            }
            failures.push(json!({ "seed": seed, "nodes": routes.nodes, "reason": reason }));
        }
        out.flush()?;
    }
    let wall_s = began.elapsed().as_secs();
    let Sums { stretch, holes, pathless, circles, nearer, ways, letters, fullest } = &all;
    if routes.json {
        let summary = json!({
            "seeds": routes.seeds, "from": routes.from, "failures": failures, "wall_s": wall_s,
            "letters": letters, "two_nearer": nearer, "two_ways": ways,
            "stretch_permille_99": stretch.at(990), "stretch_permille_most": stretch.at(1_000),
            "hole_ms_most": holes.at(1_000), "circles": circles.count(),
            "fullest": fullest.values().map(|(_, _, worst)| budget::told(worst)).collect::<Vec<_>>(),
        });
        writeln!(out, "{summary}")?;
    } else {
        writeln!(out, "{} meshes in {wall_s} s, {} failures", routes.seeds, failures.len())?;
        writeln!(out, "cost in thousandths of the cheapest: {}", stretch.told())?;
        writeln!(out, "ms in which packets ended nowhere: {}", holes.told())?;
        writeln!(out, "ms without a path where there was a way: {}", pathless.told())?;
        writeln!(out, "circles, in ms: {}", circles.told())?;
        writeln!(
            out,
            "second paths: {} of {} with two nearer neighbours, {} of {} with two ways",
            nearer[1], nearer[0], ways[1], ways[0]
        )?;
        writeln!(out, "letters: {} of {} arrived", letters[1], letters[0])?;
        for (_, seed, worst) in fullest.values() {
            writeln!(out, "fullest, seed {seed}: {}", budget::told(worst))?;
        }
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(seed: u64, order: &Order, verdict: &Verdict, passed: bool) -> String {
    let mut sums = Sums::default();
    sums.add(seed, verdict);
    let mesh = order.mesh();
    let radio = if mesh.has_radio { "radio" } else { "     " };
    format!(
        "seed {seed:<6} {:>2} nodes {:>3} media {radio}  stretch {:>5}  holes {:>5}, longest {:>7} ms  pathless {:>5}, longest {:>7} ms  \
         letters {}/{}  {}  {}\n",
        order.size(),
        mesh.scenario.layout.media.len(),
        sums.stretch.at(1_000),
        sums.holes.count(),
        sums.holes.at(1_000),
        sums.pathless.count(),
        sums.pathless.at(1_000),
        sums.letters[1],
        sums.letters[0],
        if passed { "passed" } else { "FAILED" },
        verdict.outcome.trace,
    )
}
