//! Transport and identity, as far as announces go: measured on worlds of real nodes.

use std::collections::{BTreeMap, BTreeSet};

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_network::Reach;
use nexus_node::{Event, Input, Node, Output};
use nexus_wire::reticulum::{Announce, Packet, PacketType};

use super::{Measurement, verdict};
use crate::clock::WorldTime;
use crate::judge::Bench;
use crate::layout::Shape;
use crate::observation::{Act, MediumIndex, NodeIndex, Observation, Observer, What};
use crate::schedule::{Action, LinkFaults};
use crate::swarm;
use crate::world::{self, Scenario};

/// A mesh of six nodes: three on a local network, three on a radio channel, a cable between.
pub(super) fn exchanged_across_media() -> Measurement {
    let scenario = calm(Shape::Mixed, 6);
    let media =
        scenario.layout.media.iter().map(|medium| (medium.profile.reach == Reach::Shared, medium.is_radio()));
    let kinds = media.collect::<BTreeSet<_>>().len();
    let (reached, passed) = observed(&scenario);
    let pairs = reached.pairs(|_| true);
    let measured = format!("{pairs} of 30 pairs over {kinds} kinds of medium within {} s", reached.last_s());
    verdict(measured, pairs == 30 && kinds >= 2 && passed)
}

/// Eight nodes in a line: the ends are seven hops apart.
pub(super) fn forwarded_along_a_line() -> Measurement {
    let (reached, passed) = observed(&calm(Shape::Line, 8));
    let (all, relayed) = (reached.pairs(|_| true), reached.pairs(|hops| hops > 1));
    let farthest = reached.pairs.values().max().copied().unwrap_or_default();
    let measured = format!("{all} of 56 pairs, {relayed} of them by relays, up to {farthest} hops");
    verdict(measured, all == 56 && relayed == 42 && passed)
}

/// Four nodes in a line over media that flip bits in three frames of ten.
pub(super) fn forgeries_rejected() -> Measurement {
    forged(calm(Shape::Line, 4))
}

/// All media of `scenario` flip bits in three frames of ten, and each node has something to forge every minute.
pub(super) fn forged(mut scenario: Scenario) -> Measurement {
    let faults = LinkFaults { corrupt_ppm: 300_000, ..LinkFaults::NONE };
    let count = u32::try_from(scenario.layout.media.len()).expect("a few media");
    let media = (0..count).map(|medium| (WorldTime::START, Action::Disturb(MediumIndex(medium), faults)));
    scenario.schedule.extend(media);
    // The schedule gives each node something to forge every minute.
    let minutes = scenario.length.as_secs() / 60;
    let nodes = scenario.layout.nodes;
    let announces = (1..minutes).flat_map(|minute| {
        let at = WorldTime::from_start(Duration::from_secs(60 * minute));
        (0..nodes).map(move |node| (at, Action::Tell(NodeIndex(node), nexus_node::Command::Announce)))
    });
    scenario.schedule.extend(announces);

    let mut forgeries = Forgeries::default();
    let mut bench = Bench::of_safety::<Node>(&scenario);
    let mut observers = bench.observers();
    observers.push(&mut forgeries);
    world::run::<Node>(&scenario, &mut observers);
    let failures = bench.failures();
    let measured = format!("{} forged announces heard, {} judges object", forgeries.heard, failures.len());
    verdict(measured, forgeries.heard > 0 && failures.is_empty())
}

/// A world without faults, long enough for everybody to announce itself twice: whoever starts last misses first announces.
fn calm(shape: Shape, nodes: u32) -> Scenario {
    let seed = swarm::seed(11);
    let layout = shape.layout(nodes, &seed);
    Scenario::calm(seed, layout, Duration::from_secs(3 * 3_600))
}

/// Who reached whom, and whether the judges of safety agree with the run.
pub(super) fn observed(scenario: &Scenario) -> (Reached, bool) {
    let mut reached = Reached::default();
    let mut bench = Bench::of_safety::<Node>(scenario);
    let mut observers = bench.observers();
    observers.push(&mut reached);
    let outcome = world::run::<Node>(scenario, &mut observers);
    (reached, bench.failures().is_empty() && outcome.halted.is_none())
}

/// Which node reached whom first, over how many hops, and when the last of them did.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pairs: BTreeMap<(NodeIndex, DestinationHash), u8>,
    last: WorldTime,
}

impl Reached {
    pub(super) fn pairs(&self, over: impl Fn(u8) -> bool) -> usize {
        self.pairs.values().filter(|hops| over(**hops)).count()
    }

    pub(super) fn last_s(&self) -> u64 {
        self.last.since(WorldTime::START).as_micros().div_ceil(1_000_000)
    }
}

impl Observer for Reached {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = &observation.what else { return };
        if let Act::Took(Output::Event(Event::Reached { destination, hops, .. })) = act {
            self.pairs.entry((*node, *destination)).or_insert_with(|| {
                self.last = observation.at;
                *hops
            });
        }
    }
}

/// Announces that nodes heard and that nobody signed.
#[derive(Debug, Default)]
struct Forgeries {
    heard: u64,
}

impl Observer for Forgeries {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { act: Act::Given { input: Input::Frame { bytes, .. }, .. }, .. } = &observation.what
        else {
            return;
        };
        let announce = Packet::decode(bytes).ok().filter(|packet| packet.packet_type == PacketType::Announce);
        let forged = announce.is_some_and(|packet| {
            Announce::from_packet(&packet).map_or(true, |announce| announce.verify().is_err())
        });
        self.heard += u64::from(forged);
    }
}
