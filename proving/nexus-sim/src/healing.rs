//! How soon whole nodes hold the same after a partition, in rounds, against the logarithm of their number; and what it costs. Spec:
//! spec/network.md#rounds.
//!
//! A node's own key is an item that it made, and every link makes its peer's one of its own too. So two halves that never met lack all of each
//! other's when the partition ends, which is as if each node had made an item while it lasted.

use std::collections::BTreeSet;
use std::io::{self, Write};

use nexus_machine::{Duration, Stream};
use nexus_node::Node;

use crate::clock::WorldTime;
use crate::layout::{self, Layout, MediumPlan, Speech};
use crate::line::{Line, Rates};
use crate::meter::{Load, Meter, Scope};
use crate::observation::{MediumIndex, NodeIndex, Observation, Observer, Watching};
use crate::schedule::{Action, LinkFaults, Schedule};
use crate::swarm::seed;
use crate::world::{self, Scenario};

/// How many nodes there are.
pub const SIZES: [u32; 4] = [10, 30, 100, 300];
/// What cables carry, in bits per second.
const BPS: u64 = 1_000_000;
/// Of frames so many are lost once the partition is over, in millionths.
const LOSS_PPM: u32 = 100_000;
/// A round of gossip.
const ROUND: Duration = Duration::from_secs(60);
/// How long after the partition it is watched.
const WATCHED: Duration = Duration::from_secs(3_600);

/// What came of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Healed {
    /// How many nodes there are.
    pub nodes: u32,
    /// From its end until everybody held everybody's key; none if that was not within an hour.
    pub took: Option<Duration>,
    /// What gossip sent over all cables in the hour after it, in bytes.
    pub bytes: u64,
}

impl Healed {
    /// Rounds for each doubling of the number of nodes, in hundredths.
    #[must_use]
    pub fn hundredths(&self) -> Option<u64> {
        // The logarithm in thousandths, from the bits of a power: log2 n = log2(n^100) / 100.
        let mut power: u128 = 1;
        let mut doublings: u64 = 0;
        for _ in 0..100 {
            power *= u128::from(self.nodes);
            while power >= 1 << 64 {
                power >>= 1;
                doublings += 1;
            }
        }
        let log2_hundredths = doublings + u64::from(power.ilog2());
        Some(self.took?.as_millis() * 10_000 / ROUND.as_millis() / log2_hundredths.max(1))
    }
}

/// A random tree of `nodes` and half as many chords, cut between its halves from the start until `lasts` is over.
#[must_use]
pub fn heal(nodes: u32, lasts: Duration) -> Healed {
    let seed = seed(u64::from(nodes));
    let layout =
        Layout { nodes, media: cables(nodes, &mut seed.fork("healing")) }.speaking(Speech::NEXUS, &seed);
    let heals_at = WorldTime::from_start(lasts);
    let groups = (0..nodes).map(|node| u8::from(node >= nodes / 2)).collect();
    let mut schedule: Schedule =
        vec![(WorldTime::START, Action::Partition(groups)), (heals_at, Action::Heal)];
    let lossy = LinkFaults { loss_ppm: LOSS_PPM, ..LinkFaults::NONE };
    let media = (0..).take(layout.media.len()).map(MediumIndex);
    schedule.extend(media.map(|medium| (heals_at, Action::Disturb(medium, lossy))));
    let scenario = Scenario { schedule, ..Scenario::calm(seed, layout, lasts.plus(WATCHED)) };
    let mut meter = Meter::from(&scenario.layout, heals_at);
    let wanted = usize::try_from(nodes).expect("a number of nodes fits usize");
    let mut held = Held { keys: vec![0; wanted], heals_at, wanted, done: None };
    world::run::<Node>(&scenario, &mut [&mut meter, &mut held]);
    let gauges = meter.gauges(Scope::Sender).map(|(.., gauge)| gauge);
    let gossip = gauges.flat_map(|gauge| gauge.accounts().collect::<Vec<_>>());
    let bytes = gossip.filter(|(load, _)| matches!(load, Load::Gossip(_))).map(|(_, of)| of.bytes).sum();
    Healed { nodes, took: held.done.map(|at| at.since(heals_at)), bytes }
}

fn cables(nodes: u32, random: &mut Stream) -> Vec<MediumPlan> {
    let mut below = |bound: u32| u32::try_from(random.below(bound.into())).expect("below a u32");
    let mut all: BTreeSet<(u32, u32)> = (1..nodes).map(|node| (below(node), node)).collect();
    for _ in 0..nodes / 2 {
        let (one, other) = (below(nodes), below(nodes));
        if one != other {
            all.insert((one.min(other), one.max(other)));
        }
    }
    let cable = |(one, other)| {
        let plan = layout::cable(one, other);
        let mut profile = plan.profile;
        profile.bandwidth_bps = BPS;
        let line = Line { rates: Rates::Alike(BPS), ..Line::plain(BPS) };
        MediumPlan { profile, line: Some(line), ..plan }
    };
    all.into_iter().map(cable).collect()
}

/// Sees when everybody holds everybody's key.
struct Held {
    keys: Vec<usize>,
    heals_at: WorldTime,
    wanted: usize,
    done: Option<WorldTime>,
}

impl Observer for Held {
    fn observe(&mut self, _observation: &Observation<'_>) {}

    fn watches_routes(&self) -> Watching {
        Watching::Keys
    }

    fn holds(&mut self, at: WorldTime, node: NodeIndex, keys: usize) {
        self.keys[node.place()] = keys;
        if self.done.is_none() && at >= self.heals_at && self.keys.iter().all(|held| *held >= self.wanted) {
            self.done = Some(at);
        }
    }
}

/// Writes a row for each number of nodes, as soon as it is measured: `nexus-sim figures healing`.
///
/// # Errors
/// If `out` takes no more.
pub fn figures(out: &mut impl Write, lasts: Duration, nodes: Option<u32>) -> io::Result<()> {
    writeln!(
        out,
        "a partition of {} s; cables of 1 Mbit/s, one frame in ten lost after it",
        lasts.as_secs()
    )?;
    writeln!(
        out,
        "{:>5} {:>9} {:>9} {:>14} {:>14}",
        "nodes", "s", "rounds", "of log2 nodes", "gossip, bytes"
    )?;
    for nodes in nodes.map_or_else(|| SIZES.to_vec(), |nodes| vec![nodes]) {
        let healed = heal(nodes, lasts);
        let (Some(took), Some(hundredths)) = (healed.took, healed.hundredths()) else {
            writeln!(out, "{nodes:>5} not within an hour")?;
            continue;
        };
        let rounds = took.as_millis() * 100 / ROUND.as_millis();
        writeln!(
            out,
            "{nodes:>5} {:>9} {:>9} {:>14} {:>14}",
            took.as_secs(),
            hundredth(rounds),
            hundredth(hundredths),
            healed.bytes
        )?;
        out.flush()?;
    }
    Ok(())
}

fn hundredth(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_told_for_each_doubling_of_the_nodes() {
        let healed = |nodes, seconds| Healed { nodes, took: Some(Duration::from_secs(seconds)), bytes: 0 };
        assert_eq!(healed(2, 60).hundredths(), Some(100));
        assert_eq!(healed(1_024, 600).hundredths(), Some(100));
        assert_eq!(healed(10, 200).hundredths(), Some(100), "log2 of ten is 3.32");
        assert_eq!(Healed { took: None, ..healed(10, 0) }.hundredths(), None);
    }

    #[test]
    fn whole_nodes_hold_the_same_within_a_round_and_a_half_for_each_doubling_after_a_partition() {
        for nodes in [10, 20] {
            let healed = heal(nodes, Duration::from_secs(3_600));
            let hundredths = healed.hundredths().expect("within an hour");
            assert!(hundredths <= 150, "{healed:?}");
        }
    }
}
