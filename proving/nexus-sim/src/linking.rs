//! Links on one radio channel: who has them when, and what they cost, measured on what the air carried and on nothing that a node
//! says of itself. Spec: spec/network.md#link-airtime.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nexus_crypto::{DestinationHash, NodeId, NodePublic};
use nexus_machine::{Duration, Seed};
use nexus_network::lora::Modulation;
use nexus_network::{LinkId, Profile};
use nexus_node::{Event, Output};
use nexus_wire::nexus::frame::{Beacon, Finish, First, FrameKind, Head, Reply, SEALED_OVERHEAD};

use crate::actor::Actor;
use crate::clock::WorldTime;
use crate::layout::Layout;
use crate::observation::{Act, MediumIndex, NodeIndex, Observation, Observer, What};
use crate::world::{self, Scenario};

/// What is on the air for links and not for those who use them: every frame that is not sealed, and sealed ones so short that
/// no packet and no announce is in them.
const SHORT: usize = 80;
const HOUR: Duration = Duration::from_secs(3_600);

/// A calm world of nodes that start at the same instant on one channel.
#[must_use]
pub fn channel(modulation: Modulation, nodes: u32, seed: Seed, length: Duration) -> Scenario {
    Scenario { start_spread: Duration::ZERO, ..Scenario::calm(seed, Layout::lora(modulation, nodes), length) }
}

/// How long `nodes` nodes in range of each other that start at once take at most until each two have a link, as the airtime
/// budget of handshakes allows.
///
/// Each takes part in `nodes − 1` handshakes and begins about half of them. So it needs `(nodes − 1) / 2` whole handshakes of
/// airtime; as much again is for what is lost and for who has to begin more than half. Before that it must have heard the
/// others' beacons: two intervals, should the first ones be lost; and the last handshake may be one that is given up first.
/// Source: spec/network.md#link-airtime.
#[must_use]
pub fn bound(profile: &Profile, nodes: u32) -> Duration {
    let airtime = |bytes| profile.airtime(bytes).as_micros();
    let handshake =
        airtime(First::LEN) + airtime(Reply::LEN) + airtime(Finish::LEN) + airtime(SEALED_OVERHEAD);
    let wait = (32 * airtime(profile.frame_size.into())).max(120_000_000);
    let spread = |hourly: u64, unit: u64, saved: u64, needed: u64| {
        let saved = (hourly / 4).min(saved * unit).max(unit);
        let steady = hourly.saturating_sub(saved).max(hourly / 4);
        needed * (HOUR.as_micros() + wait) / steady
    };
    let hour = profile.duty.of(HOUR).as_micros() / 2;
    let whole = hour.min(HOUR.as_micros() / 100);
    let others = u64::from(nodes).saturating_sub(1);
    let handshakes = spread(whole * 6 / 10, handshake, 4, others * handshake);
    let beacon = airtime(Beacon::LEN);
    let interval = spread(whole / 10, beacon, 6, beacon).max(300_000_000);
    let reply = airtime(Reply::LEN);
    let answer = spread(whole * 6 / 10, handshake, 4, reply + airtime(SEALED_OVERHEAD));
    let first_wait = (2 * reply + 1_000_000 + 8 * airtime(profile.frame_size.into())).max(answer);
    let given_up = (20 * reply).max(3 * first_wait).max(30_000_000);
    Duration::from_micros(2 * interval + given_up + handshakes)
}

/// Watches a world of one channel of modems.
#[derive(Debug)]
pub struct Linking {
    nodes: BTreeMap<NodeId, NodeIndex>,
    live: BTreeMap<(NodeIndex, LinkId), NodeIndex>,
    has: BTreeSet<(NodeIndex, NodeIndex)>,
    /// When each two nodes first had a link that both knew of.
    pub complete_at: Option<WorldTime>,
    knows: BTreeSet<(NodeIndex, DestinationHash)>,
    /// When each first had heard of every other.
    pub known_at: Option<WorldTime>,
    /// How many ends of links went down after all were up.
    pub lost: u32,
    /// Links that went down before.
    pub lost_before: u32,
    sent: BTreeMap<NodeIndex, Sent>,
    /// What the first half of a frame was for, until the second comes.
    halves: BTreeMap<NodeIndex, Use>,
    airtime: BTreeMap<Use, Duration>,
}

/// What airtime is used for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Use {
    /// Links themselves.
    Links,
    /// Broadcasts.
    Broadcasts,
    /// What goes over links.
    Traffic,
}

impl Use {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Links, Self::Broadcasts, Self::Traffic];

    /// That of a frame, or of the first half of one.
    fn of(frame: &[u8]) -> Self {
        let kind = frame.first().and_then(|head| Head::from_wire(*head)).map(Head::kind);
        if kind == Some(FrameKind::BROADCAST) {
            Self::Broadcasts
        } else if kind == Some(FrameKind::SEALED) && frame.len() > SHORT {
            Self::Traffic
        } else {
            Self::Links
        }
    }
}

/// What a node transmitted for links.
#[derive(Debug, Default)]
struct Sent {
    within_the_hour: VecDeque<(WorldTime, Duration)>,
    sum: Duration,
    most: Duration,
}

impl Sent {
    fn add(&mut self, at: WorldTime, airtime: Duration) {
        self.within_the_hour.push_back((at, airtime));
        self.sum = self.sum.plus(airtime);
        while let Some((_, gone)) = self.within_the_hour.pop_front_if(|(then, _)| then.after(HOUR) <= at) {
            self.sum = self.sum.minus(gone);
        }
        self.most = self.most.max(self.sum);
    }
}

impl Linking {
    /// An observer of `scenario`, whose first medium it watches.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let ids = scenario.identities();
        Self {
            nodes: ids.iter().map(NodePublic::node_id).zip((0..).map(NodeIndex)).collect(),
            live: BTreeMap::new(),
            has: BTreeSet::new(),
            complete_at: None,
            knows: BTreeSet::new(),
            known_at: None,
            lost: 0,
            lost_before: 0,
            sent: BTreeMap::new(),
            halves: BTreeMap::new(),
            airtime: BTreeMap::new(),
        }
    }

    /// What came of a run of `scenario`.
    #[must_use]
    pub fn watch<A: Actor>(scenario: &Scenario) -> Self {
        let mut linking = Self::of(scenario);
        world::run::<A>(scenario, &mut [&mut linking]);
        linking
    }

    /// The most that any node transmitted for links in any hour.
    #[must_use]
    pub fn most_in_an_hour(&self) -> Duration {
        self.sent.values().map(|sent| sent.most).max().unwrap_or(Duration::ZERO)
    }

    /// How many pairs have a link that both know of.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.has.iter().filter(|(a, b)| a < b && self.has.contains(&(*b, *a))).count()
    }

    /// How many pairs of nodes there are of which the one has heard of the other.
    #[must_use]
    pub fn known(&self) -> usize {
        self.knows.len()
    }

    /// For how long the channel was used for something.
    #[must_use]
    pub fn airtime(&self, of: Use) -> Duration {
        self.airtime.get(&of).copied().unwrap_or(Duration::ZERO)
    }

    fn aired(&mut self, at: WorldTime, node: NodeIndex, airtime: Duration, bytes: &[u8]) {
        let Some((header, frame)) = bytes.split_first() else { return };
        let second = self.halves.remove(&node);
        let of = second.unwrap_or_else(|| Use::of(frame));
        if is_half(*header) && second.is_none() {
            self.halves.insert(node, of);
        }
        let sum = self.airtime.entry(of).or_default();
        *sum = sum.plus(airtime);
        if of == Use::Links {
            self.sent.entry(node).or_default().add(at, airtime);
        }
    }

    fn pairs_of_all(&self) -> usize {
        self.nodes.len() * (self.nodes.len() - 1)
    }

    fn told(&mut self, at: WorldTime, node: NodeIndex, event: &Event) {
        match event {
            Event::LinkUp(link) => {
                let Some(peer) = self.nodes.get(&link.peer.node_id()).copied() else { return };
                self.live.insert((node, link.id), peer);
                self.has.insert((node, peer));
                if self.has.len() == self.pairs_of_all() {
                    self.complete_at.get_or_insert(at);
                }
            }
            Event::LinkDown { last, .. } => {
                let Some(peer) = self.live.remove(&(node, last.id)) else { return };
                if !self.live.iter().any(|((of, _), with)| *of == node && *with == peer) {
                    self.has.remove(&(node, peer));
                }
                let lost = if self.complete_at.is_some() { &mut self.lost } else { &mut self.lost_before };
                *lost += 1;
            }
            Event::Reached { destination, .. } => {
                self.knows.insert((node, *destination));
                if self.knows.len() == self.pairs_of_all() {
                    self.known_at.get_or_insert(at);
                }
            }
            Event::Announced { .. }
            | Event::ChannelJammed { .. }
            | Event::PathFound { .. }
            | Event::PathNotFound { .. }
            | Event::ClocksParted { .. }
            | Event::EntropyWanted
            | Event::Ledger(_)
            | Event::Endpoint(_)
            | Event::Lxmf(_)
            | Event::Economy(_)
            | Event::MessageArrived(_)
            | Event::Attempted { .. }
            | Event::Delivered { .. }
            | Event::Traced { .. }
            | Event::Undelivered { .. } => {}
        }
    }
}

impl Observer for Linking {
    fn observe(&mut self, observation: &Observation<'_>) {
        match &observation.what {
            What::Aired { medium: MediumIndex(0), sender, airtime, bytes, .. } => {
                self.aired(observation.at, *sender, *airtime, bytes);
            }
            What::Node { node, act: Act::Took(Output::Event(event)), .. } => {
                self.told(observation.at, *node, event);
            }
            What::Node { .. } | What::Aired { .. } | What::Marred { .. } | What::Scheduled(_) => {}
        }
    }
}

/// Whether a modem's header stands before half of a frame. Source: spec/air.md#split.
const fn is_half(header: u8) -> bool {
    header & 1 == 1
}
