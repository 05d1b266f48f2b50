//! Routing: measured on the five nodes of `worlds/five.toml`, and on random meshes.

use nexus_machine::Duration;
use nexus_network::announces::Choice;
use nexus_node::{Event, Node, Output};

use super::{Measurement, verdict};
use crate::clock::WorldTime;
use crate::judge::routing::Costs;
use crate::meshes::Order;
use crate::observation::{Act, NodeIndex, Observation, Observer, Watching, What};
use crate::report::Ledger;
use crate::roads::Roads;
use crate::tables::{CHEAPEST, Tables};
use crate::world::{self, Scenario};
use crate::worldfile::WorldFile;

const FIVE: &str = include_str!("../../worlds/five.toml");
/// What happens there, in seconds of its time: a node leaves and returns, a price rises, a price falls.
const LEAVES_S: u64 = 1_200;
const RETURNS_S: u64 = 2_100;
const RISES_S: u64 = 3_600;
const FALLS_S: u64 = 4_500;
const ENDS_S: u64 = 5_400;
/// A round of gossip.
const ROUND: Duration = Duration::from_secs(60);
/// Random meshes whose costs are measured besides.
const MESHES: u64 = 12;

/// From the start of all nodes, and from each change of a price, until each node's choices are right.
pub(super) fn converges() -> Measurement {
    let five = Convergence::watch(&five());
    let spans = [0, RISES_S, FALLS_S].map(|at_s| five.until_right(at_s));
    let told: Vec<String> = spans.iter().map(|span| seconds(*span)).collect();
    let measured = format!(
        "all choices right {} s after the start of all nodes, {} s after a price rose, {} s after one fell",
        told[0], told[1], told[2]
    );
    verdict(measured, spans.iter().all(|span| span.is_some_and(|span| span <= ROUND.times(3))))
}

/// What paths cost against the cheapest there are.
pub(super) fn optimal() -> Measurement {
    let five = Convergence::watch(&five());
    let meshes = (1..=MESHES).map(|seed| Order { seed, nodes: Some(10) }.judged(&mut []));
    let looks: Vec<Costs> =
        meshes.filter_map(|mesh| mesh.routing.costs().last().map(|(_, costs)| costs.clone())).collect();
    let of_meshes = looks.iter().flat_map(|costs| costs.stretches.iter().map(|stretch| stretch.permille));
    let mut all: Vec<u64> = of_meshes.chain(five.stretches.iter().copied()).collect();
    all.sort_unstable();
    let exact = all.iter().filter(|permille| **permille <= 1_000).count();
    let most = all.last().copied().unwrap_or(u64::MAX);
    let wrong = looks.iter().filter(|costs| costs.wrong.is_some()).count() + usize::from(five.was_wrong);
    let measured = format!(
        "{exact} of {} paths are the cheapest there are, the dearest of the others costs {most} ‰ of that; {wrong} worlds of {} with a \
         path beyond the bound",
        all.len(),
        MESHES + 1,
    );
    verdict(measured, wrong == 0 && !all.is_empty())
}

/// A node that relays stops without a word; later it returns.
pub(super) fn reroutes() -> Measurement {
    let five = Convergence::watch(&five());
    let (away, back) = (five.until_right(LEAVES_S), five.until_right(RETURNS_S));
    let measured = format!(
        "all choices right {} s after a node was gone and {} s after it was back; then at most {} changes of a path in ten \
         rounds; {} of {} messages arrived",
        seconds(away),
        seconds(back),
        five.flips_after_return,
        five.arrived,
        five.offered,
    );
    let in_time = |span: Option<Duration>| span.is_some_and(|span| span <= ROUND.times(3));
    verdict(measured, in_time(away) && in_time(back) && five.flips_after_return <= 2)
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or_else(
        || "never".to_owned(),
        |span| format!("{}.{:01}", span.as_secs(), span.as_millis() % 1_000 / 100),
    )
}

fn five() -> Scenario {
    WorldFile::load(FIVE).expect("the file is a world").scenario
}

/// When choices are right: each pair of nodes between which there is a way is joined by its choices, at a cost within the bound.
struct Convergence {
    roads: Roads,
    tables: Tables,
    /// From when on they were right, or wrong.
    turns: Vec<(WorldTime, Right)>,
    ended: WorldTime,
    /// What paths cost at the end of each quiet time, in thousandths of the cheapest.
    stretches: Vec<u64>,
    was_wrong: bool,
    looks: Vec<WorldTime>,
    /// Changes of the cheapest path of one node to one destination in the ten rounds that begin three after the return.
    flips: std::collections::BTreeMap<(NodeIndex, NodeIndex), u32>,
    flips_after_return: u32,
    offered: u64,
    arrived: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Right {
    Yes,
    No,
}

impl Convergence {
    fn watch(scenario: &Scenario) -> Self {
        let ended = WorldTime::from_start(scenario.length);
        let mut watch = Self {
            roads: Roads::new(&scenario.layout),
            tables: Tables::new(&scenario.identities()),
            turns: vec![(WorldTime::START, Right::No)],
            ended,
            stretches: Vec::new(),
            was_wrong: false,
            looks: [LEAVES_S, RETURNS_S, RISES_S, FALLS_S, ENDS_S].map(second).to_vec(),
            flips: std::collections::BTreeMap::new(),
            flips_after_return: 0,
            offered: 0,
            arrived: 0,
        };
        let mut ledger = Ledger::of(scenario);
        world::run::<Node>(scenario, &mut [&mut watch, &mut ledger]);
        watch.look_until(ended);
        watch.flips_after_return = watch.flips.values().copied().max().unwrap_or(0);
        watch.offered = ledger.flows().iter().map(|flow| flow.offered.texts).sum();
        watch.arrived = ledger.flows().iter().map(|flow| flow.shown.texts).sum();
        watch
    }

    /// How long after a moment choices were right and stayed so until the next thing happened.
    fn until_right(&self, at_s: u64) -> Option<Duration> {
        let at = second(at_s);
        let next =
            [LEAVES_S, RETURNS_S, RISES_S, FALLS_S, ENDS_S].map(second).into_iter().find(|next| *next > at);
        let before = next.unwrap_or(self.ended);
        let last = self.turns.iter().rev().find(|(turn, _)| *turn < before)?;
        match last {
            (turn, Right::Yes) => Some(turn.since(at)),
            (_, Right::No) => None,
        }
    }

    fn look_until(&mut self, now: WorldTime) {
        while self.looks.first().is_some_and(|look| *look <= now) {
            self.looks.remove(0);
            let costs = Costs::of(&mut self.roads, &self.tables, &std::collections::BTreeSet::new());
            self.was_wrong |= costs.wrong.is_some();
            self.stretches.extend(costs.stretches.iter().map(|stretch| stretch.permille));
        }
    }

    fn compare(&mut self, at: WorldTime) {
        let costs = Costs::of(&mut self.roads, &self.tables, &std::collections::BTreeSet::new());
        let nodes = self.roads.nodes();
        let joined = (0..nodes).map(|to| {
            let distances = self.roads.distances(NodeIndex(to));
            distances.iter().flatten().count().saturating_sub(1)
        });
        let right = costs.wrong.is_none() && costs.stretches.len() == joined.sum::<usize>();
        let right = if right && nodes > 0 { Right::Yes } else { Right::No };
        if self.turns.last().is_none_or(|(_, last)| *last != right) {
            self.turns.push((at, right));
        }
    }
}

impl Observer for Convergence {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.look_until(observation.at);
        let changed = self.roads.observe(observation);
        if let What::Node { node, act, .. } = &observation.what {
            match act {
                Act::Crashed => _ = self.tables.take(*node, &[]).len(),
                Act::Took(Output::Event(Event::LinkUp(status))) => {
                    self.tables.link_up(*node, status, &self.roads);
                }
                _ => {}
            }
        }
        if changed {
            self.compare(observation.at);
        }
    }

    fn watches_routes(&self) -> Watching {
        Watching::Routes
    }

    fn chose(&mut self, at: WorldTime, node: NodeIndex, all: &[Choice]) {
        let before: Vec<_> = (0..self.roads.nodes())
            .map(|to| self.tables.held(node, NodeIndex(to)).chosen[CHEAPEST])
            .collect();
        let changed = self.tables.take(node, all);
        let from = second(RETURNS_S).after(ROUND.times(3));
        for to in &changed {
            let flipped = self.tables.held(node, *to).chosen[CHEAPEST] != before[to.place()];
            if flipped && at > from && at < from.after(ROUND.times(10)) {
                *self.flips.entry((node, *to)).or_default() += 1;
            }
        }
        if !changed.is_empty() {
            self.compare(at);
        }
    }
}

fn second(at_s: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(at_s))
}
