//! What paths cost against the cheapest there is, and whether a second one is held ready.

use std::collections::BTreeSet;

use crate::observation::NodeIndex;
use crate::roads::{Distance, Roads};
use crate::tables::{CHEAPEST, Step, Tables};

/// How much more than the cheapest way a path may cost, in thousandths: a quarter,
const SURPLUS: u128 = 1_250;
/// and for each hop so much more, which is what a code leaves unsaid.
const ROUNDING: u128 = 1_045;
/// A next hop that leads to a way that costs more than this against the cheapest, in thousandths, is the wrong one.
const WRONG: u128 = 1_500;

/// A path against the cheapest way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// What it costs, in thousandths of the cheapest; `u64::MAX` if that is free and it is not.
    pub permille: u64,
    /// How many hops it has.
    pub hops: u32,
}

/// What all paths cost at a moment.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Of all pairs of nodes that a path joins.
    pub stretches: Vec<Stretch>,
    /// The worst breach of what is asked of costs, if there is one.
    pub wrong: Option<String>,
    /// A node without a second path though two of its neighbours are nearer than itself, if there is one.
    pub starved: Option<String>,
    /// Pairs whose first node has two ways without a node in common, and how many of those hold two paths.
    pub two_ways: u64,
    /// Of these, so many hold two usable paths by different neighbours.
    pub two_paths: u64,
    /// Pairs whose first node has two neighbours that are nearer to the second, and how many of those hold two paths.
    pub two_nearer: u64,
    /// Of these, so many hold two usable paths by different neighbours.
    pub two_nearer_paths: u64,
}

impl Costs {
    /// Compares what nodes hold with what is true.
    #[must_use]
    pub fn of(roads: &mut Roads, tables: &Tables, liars: &BTreeSet<NodeIndex>) -> Self {
        let mut costs = Self::default();
        for to in (0..roads.nodes()).map(NodeIndex).filter(|to| !liars.contains(to)) {
            let distances = roads.distances(to);
            for from in (0..roads.nodes()).map(NodeIndex).filter(|from| *from != to && !liars.contains(from))
            {
                if let Some(best) = distances[from.place()] {
                    costs.weigh(from, to, best, &distances, roads, tables, liars);
                    costs.count_ways(from, to, best, &distances, roads, tables);
                }
            }
        }
        costs
    }

    #[allow(clippy::too_many_arguments, reason = "a pair, the truth about it, and what nodes hold")]
    fn weigh(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        best: Distance,
        distances: &[Option<Distance>],
        roads: &mut Roads,
        tables: &Tables,
        liars: &BTreeSet<NodeIndex>,
    ) {
        let Some(way) =
            walk(from, to, roads, tables).filter(|way| way.iter().all(|(s, _)| !liars.contains(&s.to)))
        else {
            return;
        };
        let cost: u64 = way.iter().map(|(_, price)| *price).sum();
        let hops = u32::try_from(way.len()).expect("a way is short");
        let permille = match best.cost {
            0 if cost == 0 => 1_000,
            0 => u64::MAX,
            _ => u64::try_from(u128::from(cost) * 1_000 / u128::from(best.cost)).unwrap_or(u64::MAX),
        };
        self.stretches.push(Stretch { permille, hops });
        let (first, price) = way[0];
        let by_first = distances[first.to.place()].map_or(u64::MAX, |rest| rest.cost.saturating_add(price));
        let names: Vec<u32> =
            std::iter::once(from).chain(way.iter().map(|(s, _)| s.to)).map(|n| n.0).collect();
        if u128::from(by_first) * 1_000 > u128::from(best.cost) * WRONG {
            self.wrong.get_or_insert_with(|| {
                format!(
                    "the first hop of {names:?} leads to a way for {by_first}, and there is one for {}",
                    best.cost
                )
            });
        }
        if u128::from(cost) * 1_000 > allowed(best.cost, hops) {
            self.wrong
                .get_or_insert_with(|| format!("{names:?} costs {cost}, and the cheapest way {}", best.cost));
        }
    }

    fn count_ways(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        best: Distance,
        distances: &[Option<Distance>],
        roads: &mut Roads,
        tables: &Tables,
    ) {
        let held: BTreeSet<NodeIndex> = tables.held(from, to).usable.iter().map(|step| step.to).collect();
        let has_two = u64::from(held.len() >= 2);
        let nearer: BTreeSet<NodeIndex> = roads
            .from(from)
            .iter()
            .map(|road| road.to)
            .filter(|there| distances[there.place()].is_some_and(|there| there < best))
            .collect();
        if nearer.len() >= 2 {
            self.two_nearer += 1;
            self.two_nearer_paths += has_two;
            // Where everything costs nothing, hops say exactly who is nearer.
            if best.cost == 0 && has_two == 0 {
                self.starved.get_or_insert_with(|| {
                    format!("node {} holds {held:?} to node {}, and {nearer:?} are nearer", from.0, to.0)
                });
            }
        }
        if roads.has_two_ways(from, to) {
            self.two_ways += 1;
            self.two_paths += has_two;
        }
    }
}

/// In thousandths of its cost.
fn allowed(cost: u64, hops: u32) -> u128 {
    // Rounding is of the codes' decoded values, which are whole numbers: each hop may be off by one more.
    let whole = (u128::from(cost) + u128::from(hops)).saturating_mul(SURPLUS);
    (0..hops).fold(whole, |sum, _| sum.saturating_mul(ROUNDING) / 1_000)
}

/// The hops of the cheapest choices from one node to another, with what each costs; none if they do not lead there.
fn walk(from: NodeIndex, to: NodeIndex, roads: &mut Roads, tables: &Tables) -> Option<Vec<(Step, u64)>> {
    let mut way = Vec::new();
    let mut at = from;
    while at != to {
        let step = tables.held(at, to).chosen[CHEAPEST]?;
        let road = roads.from(at).iter().find(|road| (road.to, road.iface) == (step.to, step.iface))?;
        way.push((step, road.price));
        at = step.to;
        if way.len() > 127 {
            return None;
        }
    }
    Some(way)
}
