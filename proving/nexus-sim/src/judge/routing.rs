//! Paths lead where they should: no loops, no holes, everybody reached, at a fair cost, and a second way where there is one.
//!
//! It compares what nodes hold ([`Tables`]) with what is true ([`Roads`]), at each change. Source: spec/simulation.md#routing.

mod costs;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use nexus_machine::Duration;
use nexus_network::announces::Choice;
use nexus_node::{Event, Input, Output};

use crate::clock::WorldTime;
use crate::observation::{Act, Failure, Finding, NodeIndex, Observation, Observer, Verdict, Watching, What};
use crate::roads::Roads;
use crate::tables::{CHEAPEST, Tables};
use crate::world::Scenario;

pub use costs::{Costs, Stretch};
pub use ways::{Span, Ways};

/// What is asked of paths.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// A circle of hops that may be used lasts at most so long.
    pub circle: Duration,
    /// A path that leads nowhere, where there is a way, is used for at most so long.
    pub hole: Duration,
    /// From when on everybody who can be reached is reached by everybody.
    pub settled_at: WorldTime,
    /// After that nobody is without a path for longer.
    pub gap: Duration,
    /// When costs and second paths are looked at, besides the end.
    pub looks: Vec<WorldTime>,
    /// Nodes that lie: what goes through them is not judged.
    pub liars: BTreeSet<NodeIndex>,
}

/// The judge.
#[derive(Debug)]
pub struct Routing {
    bounds: Bounds,
    roads: Roads,
    tables: Tables,
    /// By destination: a circle that is there, and since when.
    circles: BTreeMap<NodeIndex, (WorldTime, Vec<NodeIndex>)>,
    /// How long circles lasted.
    circled: Vec<Duration>,
    ways: Ways,
    /// What paths cost, at each look.
    costs: Vec<(WorldTime, Costs)>,
    /// By node and destination: how often the cheapest path changed since the last look.
    flips: BTreeMap<(NodeIndex, NodeIndex), u32>,
    /// When something changed that ways were not compared with yet.
    changed_at: Option<WorldTime>,
    compared_at: WorldTime,
    findings: [Finding; 4],
}

/// What each finding is about.
const NAMES: [&str; 4] = ["circles", "holes", "reach", "costs"];
const CIRCLES: usize = 0;
const HOLES: usize = 1;
const REACH: usize = 2;
const COSTS: usize = 3;

/// Ways are followed at most so often.
const TICK: Duration = Duration::from_millis(50);

impl Routing {
    /// A judge of a world.
    #[must_use]
    pub fn new(scenario: &Scenario, bounds: Bounds) -> Self {
        let nodes = scenario.layout.node_indices().count();
        Self {
            roads: Roads::new(&scenario.layout),
            tables: Tables::new(&scenario.identities()),
            circles: BTreeMap::new(),
            circled: Vec::new(),
            ways: Ways::new(nodes),
            costs: Vec::new(),
            flips: BTreeMap::new(),
            changed_at: None,
            compared_at: WorldTime::START,
            findings: std::array::from_fn(|_| Finding::default()),
            bounds,
        }
    }

    /// The run is over.
    pub fn finish(&mut self, end: WorldTime) {
        self.compare_until(end);
        self.look(end);
        for (_, (since, _)) in std::mem::take(&mut self.circles) {
            self.circle_ended(since, end);
        }
        let ended = self.ways.finish(end);
        self.judge_spans(&ended);
    }

    /// What was wrong, by what it is about.
    #[must_use]
    pub fn failures(&self) -> Vec<(&'static str, Failure)> {
        let failed = |(name, finding): (&'static str, &Finding)| match finding.verdict() {
            Verdict::Passed => None,
            Verdict::Failed(failure) => Some((name, failure)),
        };
        NAMES.into_iter().zip(&self.findings).filter_map(failed).collect()
    }

    /// How long circles lasted that nodes could have used.
    #[must_use]
    pub fn circles(&self) -> &[Duration] {
        &self.circled
    }

    /// How long nodes held paths that led nowhere, or held none where there was a way.
    #[must_use]
    pub const fn ways(&self) -> &Ways {
        &self.ways
    }

    /// What paths cost at each look.
    #[must_use]
    pub fn costs(&self) -> &[(WorldTime, Costs)] {
        &self.costs
    }

    /// The most changes of one node's cheapest path to one destination since the last look.
    #[must_use]
    pub fn most_flips(&self) -> u32 {
        self.flips.values().copied().max().unwrap_or(0)
    }

    /// Compares what nodes hold with what is true, if something changed before `now`.
    fn compare_until(&mut self, now: WorldTime) {
        let Some(changed_at) = self.changed_at.filter(|at| *at < now) else { return };
        if now.since(self.compared_at) < TICK {
            return;
        }
        self.changed_at = None;
        self.compared_at = now;
        let ended = self.ways.compare(changed_at, &mut self.roads, &self.tables, &self.bounds.liars);
        self.judge_spans(&ended);
    }

    fn judge_spans(&mut self, ended: &[(Span, String)]) {
        for (span, what) in ended {
            let Bounds { hole, settled_at, gap, .. } = self.bounds;
            if span.is_hole && span.until.since(span.since) > hole {
                let lasted = span.until.since(span.since).as_millis();
                self.findings[HOLES].fail(span.since, || format!("{what}, for {lasted} ms"));
            }
            let late = span.since.max(settled_at).after(gap);
            if span.until > late {
                self.findings[REACH]
                    .fail(late, || format!("{what} from {} until {}", span.since, span.until));
            }
        }
    }

    fn look_if_due(&mut self, now: WorldTime) {
        while let Some(at) = self.bounds.looks.first().copied().filter(|at| *at <= now) {
            self.bounds.looks.remove(0);
            self.look(at);
        }
    }

    fn look(&mut self, at: WorldTime) {
        let costs = Costs::of(&mut self.roads, &self.tables, &self.bounds.liars);
        if let Some(reason) = &costs.wrong {
            self.findings[COSTS].fail(at, || reason.clone());
        }
        self.costs.push((at, costs));
        self.flips.clear();
    }

    fn took(&mut self, at: WorldTime, node: NodeIndex, all: &[Choice]) {
        let before: Vec<_> = (0..self.roads.nodes())
            .map(|n| self.tables.held(node, NodeIndex(n)).chosen[CHEAPEST].map(|step| step.to))
            .collect();
        for destination in self.tables.take(node, all) {
            self.changed_at = Some(at);
            let chosen = self.tables.held(node, destination).chosen[CHEAPEST].map(|step| step.to);
            if chosen.is_some() && before[destination.place()] != chosen {
                *self.flips.entry((node, destination)).or_default() += 1;
            }
            self.look_for_circles(at, node, destination);
        }
    }

    /// Circles that were there may be gone.
    fn look_again(&mut self, at: WorldTime) {
        let known: Vec<_> = self.circles.iter().map(|(to, (_, circle))| (circle[0], *to)).collect();
        for (node, destination) in known {
            self.look_for_circles(at, node, destination);
        }
    }

    fn look_for_circles(&mut self, at: WorldTime, node: NodeIndex, destination: NodeIndex) {
        // A circle that was there may be gone, or lead through others.
        let known = self.circles.get(&destination).map(|(_, circle)| circle.clone()).unwrap_or_default();
        let candidates = std::iter::once(node).chain(known);
        let circle = candidates
            .filter_map(|node| self.tables.circle_through(node, destination, &self.roads))
            .find(|circle| circle.iter().all(|node| !self.bounds.liars.contains(node)));
        let since = self.circles.remove(&destination).map(|(since, _)| since);
        match (since, circle) {
            (since, Some(circle)) => {
                self.circles.insert(destination, (since.unwrap_or(at), circle));
            }
            (Some(since), None) => self.circle_ended(since, at),
            (None, None) => {}
        }
        if let Some((since, circle)) = self.circles.get(&destination)
            && at.since(*since) > self.bounds.circle
        {
            let names: Vec<u32> = circle.iter().map(|node| node.0).collect();
            self.findings[CIRCLES].fail(*since, || format!("towards node {}: {names:?}", destination.0));
        }
    }

    fn circle_ended(&mut self, since: WorldTime, until: WorldTime) {
        let lasted = until.since(since);
        // What a node says in one go is seen before what it holds then.
        if lasted > Duration::ZERO {
            self.circled.push(lasted);
        }
        if lasted > self.bounds.circle {
            self.findings[CIRCLES].fail(since, || format!("a circle lasts {} ms", lasted.as_millis()));
        }
    }
}

impl Observer for Routing {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.compare_until(observation.at);
        self.look_if_due(observation.at);
        if self.roads.observe(observation) {
            self.changed_at = Some(observation.at);
        }
        match &observation.what {
            What::Node { node, act: Act::Crashed, .. } => {
                self.took(observation.at, *node, &[]);
                self.look_again(observation.at);
            }
            What::Node { node, act: Act::Took(Output::Event(Event::LinkUp(status))), .. } => {
                self.tables.link_up(*node, status, &self.roads);
                self.changed_at = Some(observation.at);
                for destination in (0..self.roads.nodes()).map(NodeIndex) {
                    self.look_for_circles(observation.at, *node, destination);
                }
            }
            What::Node { act: Act::Given { input: Input::Up { .. } | Input::Down { .. }, .. }, .. } => {
                self.look_again(observation.at);
            }
            What::Node { .. } | What::Marred { .. } | What::Aired { .. } | What::Scheduled(_) => {}
        }
    }

    fn watches_routes(&self) -> Watching {
        Watching::Routes
    }

    fn chose(&mut self, at: WorldTime, node: NodeIndex, all: &[Choice]) {
        self.took(at, node, all);
    }
}
