//! How fast worlds run on one core, and where the time goes. Spec: spec/simulation.md#figures.

use std::cell::Cell;
use std::io::{self, Write};
use std::time::{Duration as Wall, Instant as Stopwatch};

use nexus_crypto::DestinationHash;
use nexus_machine::{Instant, Snapshot};
use nexus_node::{Input, Node, Output};
use nexus_wire::reticulum::Announce;

use crate::actor::{Actor, Birth};
use crate::builder::{self, Kind, Life, Order, Tuning};
use crate::judge::Bench;
use crate::observation::{Observation, Observer};
use crate::trace::Trace;
use crate::world;
use crate::worldfile::{Driven, Prepared, WorldFile};

thread_local! {
    /// What was spent inside nodes since the run began.
    static IN_NODES: Cell<Wall> = const { Cell::new(Wall::ZERO) };
}

/// A node whose time is taken.
#[derive(Debug)]
struct Timed(Node);

fn timed<T>(act: impl FnOnce() -> T) -> T {
    let began = Stopwatch::now();
    let result = act();
    IN_NODES.set(IN_NODES.get() + began.elapsed());
    result
}

impl Actor for Timed {
    fn address(identity: &[u8; 32]) -> DestinationHash {
        <Node as Actor>::address(identity)
    }

    fn remembers(store: &Snapshot, announce: &Announce<'_>) -> bool {
        <Node as Actor>::remembers(store, announce)
    }

    fn boot(birth: Birth) -> Self {
        timed(|| Self(<Node as Actor>::boot(birth)))
    }

    fn handle(&mut self, now: Instant, input: Input) {
        timed(|| self.0.handle(now, input));
    }

    fn handle_timeout(&mut self, now: Instant) {
        timed(|| self.0.handle_timeout(now));
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.0.next_timeout()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.0.poll_output()
    }
}

/// An observer whose time is taken.
struct TimedObserver<O> {
    observer: O,
    spent: Wall,
}

impl<O: Observer> Observer for TimedObserver<O> {
    fn observe(&mut self, observation: &Observation<'_>) {
        let began = Stopwatch::now();
        self.observer.observe(observation);
        self.spent += began.elapsed();
    }
}

/// What a world took.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// The world's length, in seconds.
    pub simulated_s: u64,
    /// How many events its queue had.
    pub events: u64,
    /// All of the run.
    pub all: Wall,
    /// Of that, in nodes: cryptography above all.
    pub nodes: Wall,
    /// Of that, for the trace hash.
    pub trace: Wall,
    /// What the judges of safety took in another run.
    pub judges: Wall,
}

/// Runs a world twice: before nobody, and before the judges of safety.
#[must_use]
pub fn measure(prepared: &Prepared) -> Speed {
    let scenario = &prepared.scenario;
    // The engine makes a trace of its own, whose time cannot be taken: a second one takes as long.
    let mut trace = TimedObserver { observer: Trace::default(), spent: Wall::ZERO };
    IN_NODES.set(Wall::ZERO);
    let began = Stopwatch::now();
    let outcome = world::run::<Timed>(scenario, &mut [&mut trace]);
    let all = began.elapsed().saturating_sub(trace.spent);
    let nodes = IN_NODES.get();
    let mut bench = Bench::of_safety::<Node>(scenario);
    let mut judges: Vec<_> = bench
        .observers()
        .into_iter()
        .map(|observer| TimedObserver { observer: Borrowed(observer), spent: Wall::ZERO })
        .collect();
    let mut observers: Vec<&mut dyn Observer> =
        judges.iter_mut().map(|judge| judge as &mut dyn Observer).collect();
    world::run::<Node>(scenario, &mut observers);
    Speed {
        simulated_s: scenario.length.as_secs(),
        events: outcome.events,
        all,
        nodes,
        trace: trace.spent,
        judges: judges.iter().map(|judge| judge.spent).sum(),
    }
}

struct Borrowed<'a>(&'a mut dyn Observer);

impl Observer for Borrowed<'_> {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.0.observe(observation);
    }
}

/// What carries frames in a measured world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Carriers {
    Radios,
    Cables,
}

/// The worlds that are measured: how many nodes, on what, doing what, for how long.
const WORLDS: [(u32, Carriers, Life, u64); 12] = [
    (10, Carriers::Cables, Life::Idle, 86_400),
    (50, Carriers::Cables, Life::Idle, 86_400),
    (200, Carriers::Cables, Life::Idle, 7_200),
    (10, Carriers::Cables, Life::Saturated, 600),
    (50, Carriers::Cables, Life::Saturated, 240),
    (200, Carriers::Cables, Life::Saturated, 120),
    (10, Carriers::Radios, Life::Idle, 86_400),
    (50, Carriers::Radios, Life::Idle, 14_400),
    (200, Carriers::Radios, Life::Idle, 3_600),
    (10, Carriers::Radios, Life::Saturated, 7_200),
    (50, Carriers::Radios, Life::Saturated, 1_200),
    (200, Carriers::Radios, Life::Saturated, 300),
];

/// Writes a row for each world, as soon as it is measured: `nexus-sim figures speed`.
///
/// # Errors
/// If `out` takes no more.
pub fn figures(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<6} {:<8} {:<10} {:>8} {:>9} {:>12} {:>10} {:>10} {:>7} {:>7} {:>7}  judges",
        "nodes",
        "media",
        "life",
        "simul. s",
        "wall ms",
        "simul. s/s",
        "events",
        "events/s",
        "nodes",
        "trace",
        "rest"
    )?;
    WORLDS.iter().try_for_each(|world| row(out, *world))
}

fn row(
    out: &mut impl Write,
    (nodes, carriers, life, duration_s): (u32, Carriers, Life, u64),
) -> io::Result<()> {
    let (radio_percent, cable_percent) = match carriers {
        Carriers::Radios => (100, 0),
        Carriers::Cables => (0, 100),
    };
    let order = Order {
        kind: Kind::Grid,
        nodes,
        seed: 1,
        spacing_m: 1_500,
        tuning: Tuning::EUROPE,
        driven: Driven::Rnode,
        power_dbm: 14,
        radio_percent,
        cable_percent,
        duration_s,
        life,
    };
    let prepared = WorldFile::load(&builder::build(&order).to_text()).expect("a world that was built is one");
    let speed = measure(&prepared);
    let all_us = speed.all.as_micros().max(1);
    let a_second = |count: u64| u128::from(count) * 1_000_000 / all_us;
    let percent = |part: Wall| part.as_micros() * 100 / all_us;
    let rest = speed.all.saturating_sub(speed.nodes).saturating_sub(speed.trace);
    writeln!(
        out,
        "{nodes:<6} {:<8} {:<10} {duration_s:>8} {:>9} {:>12} {:>10} {:>10} {:>5} % {:>5} % {:>5} %  + {} %",
        format!("{carriers:?}").to_lowercase(),
        format!("{life:?}").to_lowercase(),
        speed.all.as_millis(),
        a_second(speed.simulated_s),
        speed.events,
        a_second(speed.events),
        percent(speed.nodes),
        percent(speed.trace),
        percent(rest),
        percent(speed.judges),
    )
}
