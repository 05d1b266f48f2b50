//! Random meshes in which paths are judged: cables of many rates, wireless networks, a radio channel; prices, loss, churn, partitions.
//!
//! Each follows from a number alone. Faults stop at a stated moment; what comes after it has to work. Spec: spec/simulation.md#meshes.

mod drawn;
mod told;

use nexus_crypto::{NodeId, NodePublic};
use nexus_machine::{Duration, Stream};
use nexus_node::{Command, Node};

use crate::clock::WorldTime;
use crate::errands;
use crate::faults::{self, Kinds};
use crate::judge::Bench;
use crate::judge::budget::Budget;
use crate::judge::routing::{Bounds, Routing};
use crate::layout::Layout;
use crate::meter::Worst;
use crate::observation::{Failure, NodeIndex, Observer};
use crate::schedule::{Action, Schedule};
use crate::swarm;
use crate::traffic::{Demand, Flow};
use crate::world::{self, Friends, Outcome, Scenario};

pub use told::{Spread, Told};

/// When faults stop.
const CALM_AT: Duration = Duration::from_secs(600);
/// How long after that everybody reaches everybody: what links take to be made again, and what is told over them.
const SETTLES: Duration = Duration::from_secs(360);
/// The same where there is a radio channel: handshakes there wait for airtime.
const SETTLES_ON_RADIO: Duration = Duration::from_secs(1_200);
/// For how long messages are offered after that: each pair one, of many pairs some.
const OFFERS: Duration = Duration::from_secs(60);
const OFFERS_ON_RADIO: Duration = Duration::from_secs(600);
/// The most pairs that write.
const PAIRS: u64 = 150;
const PAIRS_ON_RADIO: u64 = 40;
/// For how long each is tried.
const LIFETIME: Duration = Duration::from_secs(120);
/// Then all announce anew, as they would within half an hour, and at the end of the world costs are what they should be.
const AFTERMATH: Duration = Duration::from_secs(250);
const AFTERMATH_ON_RADIO: Duration = Duration::from_secs(1_500);
/// The announces are spread over so much.
const ANNOUNCES: Duration = Duration::from_secs(30);

/// What a mesh is to be like; what is left open, its seed decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// The number of the seed.
    pub seed: u64,
    /// How many nodes, if that is not drawn: of ten worlds six have 5 to 12, three 13 to 25, and one 26 to 60.
    pub nodes: Option<u32>,
}

/// A mesh, and what is asked of it.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// What happens.
    pub scenario: Scenario,
    /// From when on everybody reaches everybody.
    pub settled_at: WorldTime,
    /// Whether there is a radio channel.
    pub has_radio: bool,
}

impl Order {
    /// How many nodes it has.
    #[must_use]
    pub fn size(&self) -> u32 {
        let mut random = swarm::seed(self.seed).fork("size");
        let drawn = match random.below(20) {
            0..12 => 5 + random.below(8),
            12..18 => 13 + random.below(13),
            _ => 26 + random.below(35),
        };
        self.nodes.unwrap_or_else(|| u32::try_from(drawn).expect("at most sixty"))
    }

    /// The mesh, down to the last detail.
    #[must_use]
    pub fn mesh(&self) -> Mesh {
        let seed = swarm::seed(self.seed);
        let layout = drawn::layout(self.size(), &seed.fork_seed("mesh"));
        let has_radio = layout.media.iter().any(crate::layout::MediumPlan::is_radio);
        let (settles, offers, aftermath) = if has_radio {
            (SETTLES_ON_RADIO, OFFERS_ON_RADIO, AFTERMATH_ON_RADIO)
        } else {
            (SETTLES, OFFERS, AFTERMATH)
        };
        let settled_at = WorldTime::from_start(CALM_AT).after(settles);
        let offered_at = settled_at.after(offers);
        let length = offered_at.after(aftermath).since(WorldTime::START);
        let mut scenario = Scenario {
            clocks: faults::clocks(Kinds::Usual, layout.nodes, &seed),
            schedule: drawn::faults(&layout, CALM_AT, &seed.fork_seed("faults")),
            traffic: vec![chatter(&layout)],
            wake_lag: Duration::from_millis(20),
            // Prices are of every order of magnitude: nobody could pay them, and paths are what is judged.
            friends: Friends::Everybody,
            ..Scenario::calm(seed, layout, length)
        };
        let letters = letters(&scenario, settled_at, offers, if has_radio { PAIRS_ON_RADIO } else { PAIRS });
        scenario.schedule.extend(letters);
        scenario.schedule.extend(announces(&scenario, offered_at));
        Mesh { scenario, settled_at, has_radio }
    }

    /// Runs it before its judges, and before `also`.
    #[must_use]
    pub fn judged(&self, also: &mut [&mut dyn Observer]) -> Verdict {
        let mesh = self.mesh();
        let bounds = mesh.bounds();
        mesh.judged(bounds, also)
    }
}

impl Mesh {
    /// What is asked of its paths.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds {
            circle: Duration::ZERO,
            hole: if self.has_radio { HOLE_ON_RADIO } else { HOLE },
            settled_at: self.settled_at,
            gap: GAP,
            looks: Vec::new(),
            liars: std::collections::BTreeSet::new(),
        }
    }

    /// Runs it before the judges of safety and of paths.
    #[must_use]
    pub fn judged(&self, bounds: Bounds, also: &mut [&mut dyn Observer]) -> Verdict {
        let scenario = &self.scenario;
        let calm_at = WorldTime::from_start(CALM_AT);
        let mut bench = Bench::of_calm::<Node>(scenario, calm_at, self.settled_at.since(calm_at));
        let mut routing = Routing::new(scenario, bounds);
        let mut told = Told::new(self.settled_at);
        let mut budget = Budget::new(&scenario.layout);
        let outcome = {
            let mut observers = bench.observers();
            observers.push(&mut routing);
            observers.push(&mut told);
            observers.push(&mut budget);
            observers.extend(also.iter_mut().map(|observer| &mut **observer as &mut dyn Observer));
            world::run::<Node>(scenario, &mut observers)
        };
        routing.finish(WorldTime::from_start(scenario.length));
        let mut failures = bench.failures();
        failures.extend(routing.failures());
        failures.extend(budget.failure());
        failures.extend(told.failure().map(|failure| ("letters", failure)));
        failures.extend(outcome.halted.clone().map(|failure| ("rest", failure)));
        Verdict { outcome, routing, told, failures, fullest: budget.meter().worst() }
    }
}

/// A path that leads nowhere is used as long as a silent neighbour is believed, and as the news of it takes: where links are fast,
const HOLE: Duration = Duration::from_secs(240);
/// and on radio, where they are asked whether they are there after ten minutes.
const HOLE_ON_RADIO: Duration = Duration::from_secs(1_800);

/// While something is said anew, some know it already and others do not.
const GAP: Duration = Duration::from_secs(2);

/// What came of a mesh.
#[derive(Debug)]
pub struct Verdict {
    /// What came of the run.
    pub outcome: Outcome,
    /// What the judge of paths saw.
    pub routing: Routing,
    /// What became of the letters.
    pub told: Told,
    /// What was wrong, by judge.
    pub failures: Vec<(&'static str, Failure)>,
    /// The fullest windows of announces and gossip, by class of media.
    pub fullest: Vec<Worst>,
}

/// While things go wrong, people write: a neighbour that died is missed by whoever sends to it.
fn chatter(layout: &Layout) -> Flow {
    let apart = Duration::from_millis(60_000 / u64::from(layout.nodes));
    let radio = layout.media.iter().any(crate::layout::MediumPlan::is_radio);
    let apart = if radio { apart.max(Duration::from_secs(15)) } else { apart };
    Flow {
        from: WorldTime::from_start(Duration::from_secs(30)),
        until: WorldTime::from_start(CALM_AT),
        demand: Demand::Messages {
            among: layout.node_indices().collect(),
            apart,
            bytes: (16, 100),
            lifetime: Duration::from_secs(60),
        },
    }
}

/// Letters of each pair to each other, or of as many pairs as there may be, spread over the time that there is for them.
fn letters(scenario: &Scenario, settled_at: WorldTime, offers: Duration, most: u64) -> Schedule {
    let ids: Vec<NodeId> = scenario.identities().iter().map(NodePublic::node_id).collect();
    let mut random = scenario.seed.fork("letters");
    let all = scenario.layout.node_indices();
    let mut pairs: Vec<(NodeIndex, NodeIndex)> = all
        .flat_map(|from| scenario.layout.node_indices().map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
        .collect();
    while u64::try_from(pairs.len()).expect("a length fits u64") > most {
        let count = u64::try_from(pairs.len()).expect("a length fits u64");
        pairs.swap_remove(usize::try_from(random.below(count)).expect("below a length"));
    }
    let mut letter = |(number, (from, to)): (u64, (NodeIndex, NodeIndex))| {
        let at = settled_at.after(Duration::from_micros(random.below(offers.as_micros())));
        let command = errands::message(FIRST_HANDLE + number, ids[to.place()], LIFETIME, &mut random);
        (at, Action::Tell(from, command))
    };
    let mut schedule: Schedule = (0..).zip(pairs).map(&mut letter).collect();
    schedule.sort_by_key(|(at, _)| *at);
    schedule
}

/// Each node announces anew, at a moment of its own.
fn announces(scenario: &Scenario, from: WorldTime) -> Schedule {
    let mut random = scenario.seed.fork("announces");
    let mut announce = |node: NodeIndex| {
        let at = from.after(Duration::from_micros(random.below(ANNOUNCES.as_micros())));
        (at, Action::Tell(node, Command::Announce))
    };
    let mut schedule: Schedule = scenario.layout.node_indices().map(&mut announce).collect();
    schedule.sort_by_key(|(at, _)| *at);
    schedule
}

/// Handles of letters: no flow has them.
pub(crate) const FIRST_HANDLE: u64 = 1 << 60;

fn below(random: &mut Stream, bound: usize) -> usize {
    let bound = u64::try_from(bound).expect("a length fits u64");
    usize::try_from(random.below(bound)).expect("below a length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesh_follows_its_seed_and_ends_in_calm() {
        let drawn = |seed| format!("{:?}", Order { seed, nodes: None }.mesh().scenario);
        assert_eq!(drawn(3), drawn(3));
        assert_ne!(drawn(3), drawn(4));
        for seed in 0..40 {
            let mesh = Order { seed, nodes: None }.mesh();
            let calm_at = WorldTime::from_start(CALM_AT);
            for (at, action) in &mesh.scenario.schedule {
                let is_over = match action {
                    Action::Crash { down_for, .. } => at.after(*down_for) <= calm_at,
                    Action::Tell(..) => true,
                    _ => *at <= calm_at,
                };
                assert!(is_over, "seed {seed}: {action:?} at {at}");
            }
        }
    }

    #[test]
    fn sizes_are_drawn_from_five_to_sixty() {
        let sizes: Vec<u32> = (0..300).map(|seed| Order { seed, nodes: None }.size()).collect();
        assert!(sizes.iter().all(|size| (5..=60).contains(size)));
        assert!(sizes.iter().filter(|size| **size > 25).count() > 10);
        assert!(sizes.iter().filter(|size| **size <= 12).count() > 140);
    }
}
