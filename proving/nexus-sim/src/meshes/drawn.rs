//! What a mesh is made of, and what goes wrong in it.

use std::collections::BTreeSet;

use nexus_machine::{Duration, Seed, Stream};
use nexus_node::Command;

use super::below;
use crate::clock::WorldTime;
use crate::layout::{self, Layout, MediumPlan, Speech};
use crate::line::{Line, Rates, Sharing, Taking};
use crate::observation::{MediumIndex, NodeIndex, Provenance};
use crate::schedule::{Action, LinkFaults, Schedule};

/// What cables send, in bits per second.
const RATES: [u64; 6] = [64_000, 256_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
/// The longest delay of a cable, in microseconds.
const LONGEST_US: u64 = 150_000;
/// What wireless networks send, in bits per second.
const WIRELESS_BPS: u64 = 50_000_000;
/// The most nodes of a mesh with a radio channel: it lasts an hour, so that what all have to say finds airtime.
const MOST_WITH_RADIO: u32 = 25;
/// The most nodes on the radio channel.
const RADIOS: usize = 5;

/// Nodes and media: each node but the first is tied to an earlier one by a cable, a network or the radio channel, and half as many cables run
/// besides. Prices are of every order of magnitude; in one mesh of five all is free.
pub(super) fn layout(nodes: u32, seed: &Seed) -> Layout {
    let mut random = seed.fork("media");
    let mut networks: Vec<BTreeSet<u32>> = (0..random.below(3)).map(|_| BTreeSet::new()).collect();
    let has_radio = random.chance(1, 4) && nodes <= MOST_WITH_RADIO;
    let mut radio: Option<BTreeSet<u32>> = has_radio.then(BTreeSet::new);
    let mut cables: BTreeSet<(u32, u32)> = BTreeSet::new();
    for node in 1..nodes {
        let earlier = u32::try_from(random.below(node.into())).expect("below a u32");
        let join = |there: &mut BTreeSet<u32>| {
            if there.is_empty() {
                there.insert(earlier);
            }
            there.insert(node);
        };
        let count = networks.len();
        match (random.below(8), &mut radio) {
            (0, Some(radio)) if radio.len() < RADIOS => join(radio),
            (1..3, _) if count > 0 => join(&mut networks[below(&mut random, count)]),
            _ => _ = cables.insert((earlier, node)),
        }
    }
    for _ in 0..nodes / 2 {
        let [one, other] = [0, 1].map(|_| u32::try_from(random.below(nodes.into())).expect("below a u32"));
        if one != other {
            cables.insert((one.min(other), one.max(other)));
        }
    }
    let mut media: Vec<MediumPlan> = cables.into_iter().map(|ends| cable(ends, &mut random)).collect();
    media.extend(networks.iter().filter(|there| there.len() > 1).map(network));
    media.extend(radio.iter().filter(|there| there.len() > 1).map(channel));
    let mut random = seed.fork("prices");
    if !random.chance(1, 5) {
        for medium in &mut media {
            medium.prices = medium.nodes.iter().map(|_| price(&mut random)).collect();
        }
    }
    Layout { nodes, media }.speaking(Speech::NEXUS, seed)
}

fn cable((one, other): (u32, u32), random: &mut Stream) -> MediumPlan {
    let rate = RATES[below(random, RATES.len())];
    let delay = Duration::from_micros(200 + random.below(LONGEST_US) * random.below(100) / 100);
    let plan = layout::cable(one, other);
    let line = Line { rates: Rates::Alike(rate), ..Line::plain(rate) };
    let mut profile = plan.profile;
    profile.bandwidth_bps = rate;
    MediumPlan { profile, line: Some(line), delay, ..plan }
}

fn network(there: &BTreeSet<u32>) -> MediumPlan {
    let plan = layout::lan(there.iter().copied());
    let line = Line {
        sharing: Sharing::OneAtATime { efficiency_percent: 50 },
        taking: Taking::AtOnce { queue_bytes: 65_536 },
        jitter: Duration::from_millis(2),
        ..Line::plain(WIRELESS_BPS)
    };
    let mut profile = plan.profile;
    profile.bandwidth_bps = line.rate_bps(0);
    MediumPlan { profile, line: Some(line), ..plan }
}

fn channel(there: &BTreeSet<u32>) -> MediumPlan {
    layout::modems(layout::fast(), there.iter().copied())
}

/// Free in one case of six, else from 1 to 131,071, each order of magnitude as likely as any other.
fn price(random: &mut Stream) -> u64 {
    if random.chance(1, 6) {
        return 0;
    }
    let scale = 1 << random.below(17);
    scale + random.below(scale)
}

/// What goes wrong until `calm_at`, and the calm.
pub(super) fn faults(layout: &Layout, calm_at: Duration, seed: &Seed) -> Schedule {
    let mut faults = Faults { layout, until_ms: calm_at.as_millis(), schedule: Schedule::new() };
    faults.losses(&mut seed.fork("losses"));
    faults.churn(&mut seed.fork("churn"));
    faults.partitions(&mut seed.fork("partitions"));
    faults.prices(&mut seed.fork("prices"));
    faults.schedule.sort_by_key(|(at, _)| *at);
    faults.schedule.push((WorldTime::from_start(calm_at), Action::Calm));
    faults.schedule
}

struct Faults<'l> {
    layout: &'l Layout,
    until_ms: u64,
    schedule: Schedule,
}

/// Nothing goes wrong while a mesh begins.
const BEGINS_MS: u64 = 60_000;

impl Faults<'_> {
    /// In half of the meshes media lose up to three frames in ten, each its own share.
    fn losses(&mut self, random: &mut Stream) {
        if !random.chance(1, 2) {
            return;
        }
        for medium in (0..).map(MediumIndex).take(self.layout.media.len()) {
            let loss_ppm = u32::try_from(random.below(300_000)).expect("a probability in ppm");
            let faults = LinkFaults { loss_ppm, ..LinkFaults::NONE };
            self.schedule.push((WorldTime::START, Action::Disturb(medium, faults)));
        }
    }

    /// Nodes die without a word and return; interfaces go down and up.
    fn churn(&mut self, random: &mut Stream) {
        for _ in 0..self.layout.nodes.div_ceil(4) {
            let (at, length) = self.episode(random, 10_000, 200_000);
            let down_for = Duration::from_millis(length);
            let node = self.any_node(random);
            self.push(at, Action::Crash { node, down_for, disk: Provenance::Kept });
        }
        for _ in 0..self.layout.nodes.div_ceil(6) {
            let (at, length) = self.episode(random, 1_000, 100_000);
            let node = self.any_node(random);
            let interfaces: Vec<_> = self.layout.interfaces(node).map(|(iface, _)| iface).collect();
            let iface = interfaces[below(random, interfaces.len())];
            self.push(at, Action::InterfaceDown(node, iface));
            self.push(at + length, Action::InterfaceUp(node, iface));
        }
    }

    fn partitions(&mut self, random: &mut Stream) {
        if !random.chance(1, 2) {
            return;
        }
        let (at, length) = self.episode(random, 30_000, 200_000);
        let groups = (0..self.layout.nodes).map(|_| u8::from(random.chance(1, 2))).collect();
        self.push(at, Action::Partition(groups));
        self.push(at + length, Action::Heal);
    }

    fn prices(&mut self, random: &mut Stream) {
        if self.layout.media.iter().all(|medium| medium.prices.is_empty()) {
            return;
        }
        for _ in 0..self.layout.nodes.div_ceil(2) {
            let (at, _) = self.episode(random, 1, 2);
            let node = self.any_node(random);
            let interfaces: Vec<_> = self.layout.interfaces(node).map(|(iface, _)| iface).collect();
            let iface = interfaces[below(random, interfaces.len())];
            self.push(at, Action::Tell(node, Command::Price { iface, price: price(random) }));
        }
    }

    /// Beginning and length, in milliseconds, of something that is over before the calm.
    fn episode(&self, random: &mut Stream, shortest: u64, longest: u64) -> (u64, u64) {
        let length = shortest + random.below(longest - shortest);
        let room = self.until_ms - BEGINS_MS - length;
        (BEGINS_MS + random.below(room), length)
    }

    fn push(&mut self, at_ms: u64, action: Action) {
        self.schedule.push((WorldTime::from_start(Duration::from_millis(at_ms)), action));
    }

    fn any_node(&self, random: &mut Stream) -> NodeIndex {
        NodeIndex(u32::try_from(random.below(self.layout.nodes.into())).expect("below a u32"))
    }
}
