//! Many worlds: each drawn from a number, run twice, judged, and reproducible by that number.

use nexus_crypto::{NodeId, NodePublic};
use nexus_machine::{Duration, Seed};
use nexus_network::Mode;

use crate::actor::Actor;
use crate::clock::WorldTime;
use crate::errands::{self, Errands};
use crate::faults::{self, Kinds};
use crate::judge::Bench;
use crate::judge::budget::Budget;
use crate::layout::{Layout, Shape, Speech, Wired};
use crate::meter::Worst;
use crate::observation::{Failure, NodeIndex, Observer};
use crate::schedule::Action;
use crate::trace::TraceHash;
use crate::world::{self, Outcome, Scenario};

/// How long after the faults stopped everybody must have heard of everybody: two refreshes of an announce on media shared
/// with stock nodes, which are an hour apart. Source: spec/simulation.md#liveness.
pub const LIVENESS: Duration = Duration::from_secs(2 * 3_600);
/// The same where no medium is open: one refresh over links, half an hour apart, and what the links themselves take.
pub const LIVENESS_OF_LINKS: Duration = Duration::from_secs(45 * 60);
/// How long a run goes on after that, so that messages of a calm world can be seen to arrive.
pub const AFTERMATH: Duration = Duration::from_secs(30 * 60);

/// The seed that a number on the command line stands for.
#[must_use]
pub fn seed(number: u64) -> Seed {
    let mut entropy = [0; 32];
    entropy[..8].copy_from_slice(&number.to_le_bytes());
    Seed::new(entropy)
}

/// What a world is to be like; what is left open, its seed decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// The number of the seed.
    pub seed: u64,
    /// How many nodes.
    pub nodes: u32,
    /// Its shape.
    pub shape: Option<Shape>,
    /// Which bytes its cables and local networks speak.
    pub wired: Option<Wired>,
    /// Which bytes its radios speak.
    pub radio: Mode,
    /// What people ask of nodes.
    pub errands: Errands,
    /// How long it lasts. Faults stop [`LIVENESS`] and [`AFTERMATH`] before the end; a shorter world has none.
    pub length: Duration,
    /// What may go wrong.
    pub kinds: Kinds,
}

impl Order {
    /// The shape that the seed decides on if the order does not.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let drawn = || {
            let count = u64::try_from(Shape::ALL.len()).expect("a few shapes");
            let index = seed(self.seed).fork("shape").below(count);
            Shape::ALL[usize::try_from(index).expect("below the number of shapes")]
        };
        self.shape.unwrap_or_else(drawn)
    }

    /// The bytes that the seed decides on if the order does not: three worlds of eight have links, three have none, and in
    /// two each medium is one or the other.
    #[must_use]
    pub fn speech(&self) -> Speech {
        let drawn = || match seed(self.seed).fork("speech").below(8) {
            0..3 => Wired::Nexus,
            3..6 => Wired::Reticulum,
            _ => Wired::Mixed,
        };
        Speech { wired: self.wired.unwrap_or_else(drawn), radio: self.radio }
    }

    /// When the faults stop.
    #[must_use]
    pub fn calm_at(&self) -> WorldTime {
        WorldTime::from_start(self.length.minus(LIVENESS).minus(AFTERMATH))
    }

    /// How long after that everybody must have heard of everybody.
    #[must_use]
    pub fn liveness(layout: &Layout) -> Duration {
        let open = layout.media.iter().any(|medium| medium.profile.mode == Mode::Reticulum);
        if open { LIVENESS } else { LIVENESS_OF_LINKS }
    }

    /// The world, down to the last detail.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        let seed = seed(self.seed);
        let drawn = seed.fork_seed("layout");
        let layout = self.shape().layout(self.nodes, &drawn).speaking(self.speech(), &drawn);
        let wake_lag = match self.kinds {
            Kinds::None => Duration::ZERO,
            Kinds::Usual | Kinds::WithStaleDisks => Duration::from_millis(20),
        };
        let settled_at = self.calm_at().after(Self::liveness(&layout));
        let of_errands = seed.fork_seed("errands");
        let mut scenario = Scenario {
            clocks: faults::clocks(self.kinds, layout.nodes, &seed),
            schedule: faults::schedule(self.kinds, &layout, self.calm_at(), &seed.fork_seed("faults")),
            wake_lag,
            ..Scenario::calm(seed, layout, self.length)
        };
        if self.errands == Errands::Usual {
            let ids: Vec<NodeId> = scenario.identities().iter().map(NodePublic::node_id).collect();
            let errands = errands::schedule(&ids, settled_at, self.length, &of_errands);
            scenario.schedule.extend(errands);
        }
        scenario
    }

    /// The judges that see this world: of safety always, of liveness if it lasts long enough and disks are honest.
    ///
    /// A node whose disk and clock both went back announces emissions that others have seen surpassed. It is heard again
    /// once it hears a later one of its own, and nothing says when somebody sends it that.
    #[must_use]
    pub fn bench<A: Actor>(&self, scenario: &Scenario) -> Bench {
        match self.kinds {
            Kinds::None | Kinds::Usual if self.length >= LIVENESS => {
                Bench::with_liveness::<A>(scenario, self.calm_at(), Self::liveness(&scenario.layout))
            }
            Kinds::None | Kinds::Usual | Kinds::WithStaleDisks => Bench::of_safety::<A>(scenario),
        }
    }
}

/// The hash of a run that nobody watches.
#[must_use]
pub fn trace(scenario: &Scenario) -> TraceHash {
    world::run::<nexus_node::Node>(scenario, &mut []).trace
}

/// What came of a run and what the judges think of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// What came of it.
    pub outcome: Outcome,
    /// What was wrong, by judge.
    pub failures: Vec<(&'static str, Failure)>,
    /// The fullest windows of announces and gossip, by class of media.
    pub fullest: Vec<Worst>,
}

/// Runs `scenario` before `bench` and the judge of the budget. A node that would not rest is a failure like any other.
#[must_use]
pub fn run_judged<A: Actor>(scenario: &Scenario, mut bench: Bench) -> Judged {
    let mut budget = Budget::new(&scenario.layout);
    let outcome = {
        let mut observers = bench.observers();
        observers.push(&mut budget);
        world::run::<A>(scenario, &mut observers)
    };
    let mut failures = bench.failures();
    failures.extend(budget.failure());
    failures.extend(outcome.halted.clone().map(|failure| ("rest", failure)));
    Judged { outcome, failures, fullest: budget.meter().worst() }
}

/// The same order, run once before the judges and once before nobody, differed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Differed {
    /// The hash of the run that was judged.
    pub judged: TraceHash,
    /// The hash of the other.
    pub again: TraceHash,
}

/// Runs an order twice: before its judges, and before nobody, so that neither chance nor a judge can have had a hand in it.
/// Both at once: each is a world of its own, in a thread of its own.
pub fn run_twice<A: Actor>(order: &Order) -> (Judged, Result<TraceHash, Differed>) {
    let (judged, again) = std::thread::scope(|threads| {
        let again = threads.spawn(|| world::run::<A>(&order.scenario(), &mut []).trace);
        let scenario = order.scenario();
        let judged = run_judged::<A>(&scenario, order.bench::<A>(&scenario));
        match again.join() {
            Ok(again) => (judged, again),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    let trace = judged.outcome.trace;
    let same = if trace == again { Ok(trace) } else { Err(Differed { judged: trace, again }) };
    (judged, same)
}

/// A run with one crash, and where it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SweptCrash {
    /// After which output of the node.
    pub outputs: u64,
    /// What came of it.
    pub judged: Judged,
}

/// Runs `scenario` once and counts the outputs of `node`; then, for every `stride`-th boundary between two of them, runs it
/// again with a crash at that boundary. `bench` is called for the judges of each run.
#[must_use]
pub fn sweep<A: Actor>(
    scenario: &Scenario,
    node: NodeIndex,
    stride: usize,
    down_for: Duration,
    mut bench: impl FnMut() -> Bench,
) -> Vec<SweptCrash> {
    let outputs = world::run::<A>(scenario, &mut []).outputs[node.place()];
    let crashed_after = |outputs| {
        let crash = Action::CrashAfter { node, outputs, down_for };
        let mut crashing = scenario.clone();
        crashing.schedule.insert(0, (WorldTime::START, crash));
        SweptCrash { outputs, judged: run_judged::<A>(&crashing, bench()) }
    };
    (1..=outputs).step_by(stride.max(1)).map(crashed_after).collect()
}

/// Runs an order before one more observer, without judges.
pub fn run_watched<A: Actor>(order: &Order, observer: &mut dyn Observer) -> Outcome {
    world::run::<A>(&order.scenario(), &mut [observer])
}
