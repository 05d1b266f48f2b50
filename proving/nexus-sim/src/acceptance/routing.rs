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
use crate::tables::{BALANCED, CHEAPEST, Tables};
use crate::world::{self, Friends, Scenario};
use crate::worldfile::WorldFile;

const FIVE: &str = include_str!("../../worlds/five.toml");
/// What happens there, in seconds of its time: a node leaves and returns, a price rises, a price falls.
const LEAVES_S: u64 = 1_200;
const RETURNS_S: u64 = 2_100;
const RISES_S: u64 = 3_600;
const FALLS_S: u64 = 4_500;
const ENDS_S: u64 = 5_400;
/// Runs of it.
pub(super) const FIVE_SEEDS: std::ops::Range<u64> = 12..17;
/// Who writes to whom there, and who leaves.
const FLOWS: [(NodeIndex, NodeIndex); 2] = [(NodeIndex(0), NodeIndex(4)), (NodeIndex(4), NodeIndex(0))];
const LEAVES: NodeIndex = NodeIndex(2);
/// A round of gossip.
const ROUND: Duration = Duration::from_secs(60);
/// Random meshes whose costs are measured besides.
const MESHES: u64 = 12;

/// From the start of all nodes, and from each change of a price, until each node's choices are right.
pub(super) fn converges() -> Measurement {
    let runs: Vec<Convergence> = FIVE_SEEDS.map(Convergence::of_five).collect();
    let spans = [0, RISES_S, FALLS_S].map(|at_s| slowest(&runs, at_s));
    let told = spans.map(seconds);
    let relapses = runs.iter().flat_map(|run| [0, RISES_S, FALLS_S].map(|at_s| run.longest_relapse(at_s)));
    let relapse = relapses.max().unwrap_or(Duration::ZERO);
    let measured = format!(
        "the slowest of {} runs: all choices right for a round from {} s after the start of all nodes, {} s after a price rose, {} s after one \
         fell; later wrong for {} s at most at a time, at refreshes",
        runs.len(),
        told[0],
        told[1],
        told[2],
        seconds(Some(relapse)),
    );
    let in_time = spans.iter().all(|span| span.is_some_and(|span| span <= ROUND.times(3)));
    verdict(measured, in_time && relapse < ROUND)
}

/// What paths cost against the cheapest there are.
pub(super) fn optimal() -> Measurement {
    let five = Convergence::of_five(12);
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

/// A node that relays for two of the flows stops without a word; later it returns.
pub(super) fn reroutes() -> Measurement {
    let runs: Vec<Convergence> = FIVE_SEEDS.map(Convergence::of_five).collect();
    let (away, back) = (slowest(&runs, LEAVES_S), slowest(&runs, RETURNS_S));
    let late = runs.iter().map(|run| run.latest).max();
    let flips = runs.iter().map(|run| run.flips_after_return).max().unwrap_or(u32::MAX);
    let [offered, arrived, through] = [
        runs.iter().map(|run| run.offered).sum::<u64>(),
        runs.iter().map(|run| run.arrived).sum(),
        runs.iter().map(|run| run.through).sum(),
    ];
    let measured = format!(
        "{} runs, in which {through} of {} flows went through it: {arrived} of {offered} messages arrived, the latest {} s after it was \
         offered; all choices right, also those that nobody uses, {} s after it was gone and {} s after it was back; then at most {flips} \
         changes of a path in ten rounds",
        runs.len(),
        2 * runs.len(),
        seconds(late),
        seconds(away),
        seconds(back),
    );
    let in_time = |span: Option<Duration>| span.is_some_and(|span| span <= ROUND.times(3));
    let met = in_time(late) && in_time(back) && flips <= 2 && arrived == offered && through > 0;
    verdict(measured, met)
}

fn slowest(runs: &[Convergence], at_s: u64) -> Option<Duration> {
    let spans: Option<Vec<Duration>> = runs.iter().map(|run| run.until_right(at_s)).collect();
    spans.and_then(|spans| spans.into_iter().max())
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or_else(
        || "never".to_owned(),
        |span| format!("{}.{:01}", span.as_secs(), span.as_millis() % 1_000 / 100),
    )
}

pub(super) fn five(seed: u64) -> Scenario {
    let file = WorldFile::read(FIVE).expect("the file is a world");
    let scenario = WorldFile { seed, ..file }.prepare(FIVE).expect("the file is a world").scenario;
    // What is asked chooses paths; whether it could be paid is another milestone's.
    Scenario { friends: Friends::Everybody, ..scenario }
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
    /// How long the message took that took longest.
    latest: Duration,
    /// How many of the flows went through the node that leaves when it left.
    through: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Right {
    Yes,
    No,
}

impl Convergence {
    fn of_five(seed: u64) -> Self {
        Self::watch(&five(seed))
    }

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
            latest: Duration::ZERO,
            through: 0,
        };
        let mut ledger = Ledger::of(scenario);
        world::run::<Node>(scenario, &mut [&mut watch, &mut ledger]);
        watch.look_until(ended);
        watch.flips_after_return = watch.flips.values().copied().max().unwrap_or(0);
        watch.offered = ledger.flows().iter().map(|flow| flow.offered.texts).sum();
        watch.latest = ledger
            .flows()
            .iter()
            .flat_map(|flow| flow.latencies.iter().copied())
            .max()
            .unwrap_or(Duration::ZERO);
        watch.arrived = ledger.flows().iter().map(|flow| flow.shown.texts).sum();
        watch
    }

    /// How long after a moment choices were right, and stayed so for a round or until the next thing happened.
    fn until_right(&self, at_s: u64) -> Option<Duration> {
        let spells = self.spells(at_s);
        let lasts = |(_, right, span): &&(WorldTime, Right, Duration)| *right == Right::Yes && *span >= ROUND;
        spells.iter().find(lasts).map(|(from, ..)| from.since(second(at_s)))
    }

    /// For how long choices were wrong at a stretch after they had been right for a round: each node's emissions, every half hour, come by a
    /// dearer way first at times.
    fn longest_relapse(&self, at_s: u64) -> Duration {
        let Some(right_after) = self.until_right(at_s) else { return Duration::ZERO };
        let right_at = second(at_s).after(right_after);
        let spells = self.spells(at_s).into_iter();
        let wrong = spells.filter(|(from, right, _)| *right == Right::No && *from > right_at);
        wrong.map(|(.., span)| span).max().unwrap_or(Duration::ZERO)
    }

    /// From when on choices were right or wrong between a moment and the next thing that happens, and for how long.
    fn spells(&self, at_s: u64) -> Vec<(WorldTime, Right, Duration)> {
        let at = second(at_s);
        let next =
            [LEAVES_S, RETURNS_S, RISES_S, FALLS_S, ENDS_S].map(second).into_iter().find(|next| *next > at);
        let end = next.unwrap_or(self.ended);
        let before = self.turns.iter().rev().find(|(turn, _)| *turn <= at).map(|(_, right)| (at, *right));
        let within = self.turns.iter().filter(|(turn, _)| *turn > at && *turn < end).copied();
        let turns: Vec<(WorldTime, Right)> = before.into_iter().chain(within).collect();
        let ends = turns.iter().skip(1).map(|(turn, _)| *turn).chain([end]);
        turns.iter().zip(ends).map(|((from, right), to)| (*from, *right, to.since(*from))).collect()
    }

    fn look_until(&mut self, now: WorldTime) {
        while let Some(look) = self.looks.first().copied().filter(|look| *look <= now) {
            self.looks.remove(0);
            if look == second(LEAVES_S) {
                let through = FLOWS.iter().filter(|(from, to)| self.goes_through(*from, *to, LEAVES)).count();
                self.through = u64::try_from(through).expect("two at most");
            }
            let costs = Costs::of(&mut self.roads, &self.tables, &std::collections::BTreeSet::new());
            self.was_wrong |= costs.wrong.is_some();
            self.stretches.extend(costs.stretches.iter().map(|stretch| stretch.permille));
        }
    }

    /// Whether what a node sends without other wishes goes through another.
    fn goes_through(&self, from: NodeIndex, to: NodeIndex, through: NodeIndex) -> bool {
        let next = |at: &NodeIndex| self.tables.held(*at, to).chosen[BALANCED].map(|step| step.to);
        std::iter::successors(Some(from), next).take(8).any(|at| at == through)
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
