//! Which nodes hear which: media, and worlds made of them.

mod plan;

use nexus_machine::{Duration, Seed};
use nexus_network::lora::Modulation;
use nexus_network::region::{self, Region, Wish};
use nexus_network::rnode::Settings;
use nexus_network::{Access, DutyCycle, InterfaceId, Mode, Profile, Reach, Role, Timing};

use crate::line::Line;
use crate::observation::{MediumIndex, NodeIndex};

pub use plan::{MediumPlan, RadioPlan, Terrain};

/// Which bytes the media of a world speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Speech {
    /// Cables and local networks.
    pub wired: Wired,
    /// Radio channels.
    pub radio: Mode,
}

impl Speech {
    /// Open packets everywhere.
    pub const RETICULUM: Self = Self { wired: Wired::Reticulum, radio: Mode::Reticulum };
    /// Links everywhere.
    pub const NEXUS: Self = Self { wired: Wired::Nexus, radio: Mode::Nexus };
}

/// Which bytes cables and local networks speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wired {
    /// Open packets.
    Reticulum,
    /// Links only. Local networks then carry addresses, as sockets do.
    Nexus,
    /// Each medium one of the two, by the seed.
    Mixed,
}

/// What drives a node's radio.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Radio {
    /// A modem with a firmware that queues, listens and splits.
    Rnode,
    /// A bare chip: the node's own core listens before it talks.
    Transceiver,
}

/// Nodes and the media between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// How many nodes there are.
    pub nodes: u32,
    /// The media. A node's interfaces are numbered by their order, from 0.
    pub media: Vec<MediumPlan>,
}

/// Shapes of a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Each node has a cable to the next.
    Line,
    /// A line whose ends meet.
    Ring,
    /// Rows and columns, as square as the number of nodes allows.
    Grid,
    /// Nodes scattered over a square, each with a cable to those near it; connected.
    Geometric,
    /// All nodes share one half-duplex radio channel.
    Segment,
    /// Two half-duplex segments of different speed, with one node on both: one of `RNode`s, one of bare transceivers.
    Bridge,
    /// A local network of the first half, a radio channel of the second, and a cable between the two: three kinds of
    /// transport.
    Mixed,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Line, Self::Ring, Self::Grid, Self::Geometric, Self::Segment, Self::Bridge, Self::Mixed];

    /// A world of this shape with `nodes` nodes (at least two). Only [`Shape::Geometric`] depends on the seed.
    #[must_use]
    pub fn layout(self, nodes: u32, seed: &Seed) -> Layout {
        let nodes = nodes.max(2);
        let media = match self {
            Self::Line => cables((1..nodes).map(|node| (node - 1, node))),
            Self::Ring => {
                let closing = (nodes > 2).then_some((nodes - 1, 0));
                cables((1..nodes).map(|node| (node - 1, node)).chain(closing))
            }
            Self::Grid => cables(grid(nodes).into_iter()),
            Self::Geometric => cables(geometric(nodes, seed).into_iter()),
            Self::Segment => vec![modems(fast(), 0..nodes)],
            Self::Bridge => {
                let middle = nodes / 2;
                vec![modems(fast(), 0..=middle), transceivers(slow(), middle..nodes)]
            }
            Self::Mixed => mixed(nodes),
        };
        Layout { nodes, media }
    }
}

impl Layout {
    /// `nodes` nodes that link on one `LoRa` channel, each by its RNode: all hear all.
    #[must_use]
    pub fn lora(modulation: Modulation, nodes: u32) -> Self {
        let mut plan = modems(modulation, 0..nodes);
        plan.profile.mode = Mode::Nexus;
        Self { nodes, media: vec![plan] }
    }

    /// `nodes` nodes that link on one `LoRa` channel by transceivers without firmware: they listen before they talk themselves, and
    /// nobody queues or splits frames for them.
    #[must_use]
    pub fn bare(modulation: Modulation, nodes: u32) -> Self {
        let mut plan = transceivers(modulation, 0..nodes);
        plan.profile.mode = Mode::Nexus;
        Self { nodes, media: vec![plan] }
    }

    /// `nodes` nodes that link on one channel by such radios: all hear all.
    #[must_use]
    pub fn on_channel(channel: region::Channel, radios: Radio, nodes: u32) -> Self {
        let mut plan = match radios {
            Radio::Rnode => rnodes_on(channel, 0..nodes),
            Radio::Transceiver => transceivers_on(channel, 0..nodes),
        };
        plan.profile.mode = Mode::Nexus;
        Self { nodes, media: vec![plan] }
    }

    /// The same nodes and media, speaking as `speech` says. Source: spec/simulation.md#media.
    #[must_use]
    pub fn speaking(mut self, speech: Speech, seed: &Seed) -> Self {
        let mut random = seed.fork("speech");
        for medium in &mut self.media {
            medium.profile.mode = match (medium.is_radio(), speech.wired) {
                (true, _) => speech.radio,
                (false, Wired::Reticulum) => Mode::Reticulum,
                (false, Wired::Nexus) => Mode::Nexus,
                (false, Wired::Mixed) => {
                    if random.chance(1, 2) {
                        Mode::Nexus
                    } else {
                        Mode::Reticulum
                    }
                }
            };
            if medium.is_lan() && medium.profile.mode == Mode::Nexus {
                medium.profile.reach = Reach::Addressed;
            }
        }
        self
    }

    /// The media that `node` is on, by interface.
    pub fn interfaces(&self, node: NodeIndex) -> impl Iterator<Item = (InterfaceId, MediumIndex)> {
        let on = (0..).zip(&self.media).filter(move |(_, medium)| medium.nodes.contains(&node));
        (0..).zip(on).map(|(iface, (medium, _))| (InterfaceId(iface), MediumIndex(medium)))
    }

    /// For each node, the number of the group within which everything goes over links: nodes that links connect, and between
    /// whom there is no way over an open medium, not even a detour. None if it is in no such group.
    #[must_use]
    pub fn linked_groups(&self) -> Vec<Option<u32>> {
        let all: Vec<u32> = (0..self.nodes).collect();
        let of_links = |medium: &&MediumPlan| medium.profile.mode == Mode::Nexus;
        let groups =
            joined(all.clone(), self.media.iter().filter(of_links).map(|medium| medium.nodes.clone()));
        let is_closed = |group: u32| {
            let inside = |node: &NodeIndex| groups[node.place()] == group;
            // The rest of the world, without ways through the group: what touches the group twice is a detour.
            let touching =
                |medium: &MediumPlan| medium.nodes.iter().copied().filter(inside).collect::<Vec<_>>();
            let outside = self
                .media
                .iter()
                .map(|medium| medium.nodes.iter().copied().filter(|node| !inside(node)).collect::<Vec<_>>());
            let rest = joined(all.clone(), outside);
            let mut touched = std::collections::BTreeMap::<u32, std::collections::BTreeSet<NodeIndex>>::new();
            for medium in self.media.iter().filter(|medium| medium.profile.mode == Mode::Reticulum) {
                let ends = touching(medium);
                if ends.len() > 1 {
                    return false;
                }
                let beyond = medium.nodes.iter().find(|node| !inside(node));
                if let Some(beyond) = beyond {
                    touched.entry(rest[beyond.place()]).or_default().extend(ends);
                }
            }
            touched.values().all(|ends| ends.len() <= 1)
        };
        groups.iter().map(|group| Some(*group).filter(|group| is_closed(*group))).collect()
    }

    /// All nodes.
    pub fn node_indices(&self) -> impl Iterator<Item = NodeIndex> + use<> {
        (0..self.nodes).map(NodeIndex)
    }
}

/// Gives one number to all that any of `sets` joins.
fn joined(mut groups: Vec<u32>, sets: impl Iterator<Item = Vec<NodeIndex>>) -> Vec<u32> {
    for set in sets {
        let members: Vec<u32> = set.iter().map(|node| groups[node.place()]).collect();
        if let Some(first) = members.first().copied() {
            groups.iter_mut().filter(|group| members.contains(group)).for_each(|group| *group = first);
        }
    }
    groups
}

/// A point-to-point link over the Internet: 10 Mbit/s, 15 ms.
const CABLE_BPS: u64 = 10_000_000;
const CABLE_DELAY: Duration = Duration::from_millis(15);
/// A switched local network: 100 Mbit/s, 200 µs.
const LAN_BPS: u64 = 100_000_000;
const LAN_DELAY: Duration = Duration::from_micros(200);
/// The fast and the slow radio channels have this width, and these spreading factors: about 11 and 3.5 kbit/s.
const RADIO_BANDWIDTH_HZ: u32 = 250_000;
const FAST_SPREADING_FACTOR: u8 = 7;
const SLOW_SPREADING_FACTOR: u8 = 9;
/// Europe's sub-band with a duty cycle of a tenth, as loud as its others permit.
const RADIO_HZ: u32 = 869_525_000;
const RADIO_DBM: u8 = 14;
/// The longest frames: a Reticulum packet on a stream, an `RNode` frame on radio.
pub(crate) const STREAM_FRAME: u16 = 1_064;
pub(crate) const RADIO_FRAME: u16 = 508;

fn cables(pairs: impl Iterator<Item = (u32, u32)>) -> Vec<MediumPlan> {
    pairs.map(|(a, b)| cable(a, b)).collect()
}

pub(crate) fn cable(a: u32, b: u32) -> MediumPlan {
    let profile = Profile {
        mode: Mode::Reticulum,
        reach: Reach::PointToPoint,
        access: Access::Direct,
        bandwidth_bps: CABLE_BPS,
        frame_size: STREAM_FRAME,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    };
    wired(profile, CABLE_DELAY, vec![NodeIndex(a), NodeIndex(b)])
}

pub(crate) fn lan(nodes: impl Iterator<Item = u32>) -> MediumPlan {
    let profile = Profile {
        mode: Mode::Reticulum,
        reach: Reach::Shared,
        access: Access::Direct,
        bandwidth_bps: LAN_BPS,
        frame_size: STREAM_FRAME,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    };
    wired(profile, LAN_DELAY, nodes.map(NodeIndex).collect())
}

/// A medium on which each sends at the same rate, and waits until its frame has left.
fn wired(profile: Profile, delay: Duration, nodes: Vec<NodeIndex>) -> MediumPlan {
    let line = Some(Line::plain(profile.bandwidth_bps));
    let (routes, prices) = (Vec::new(), Vec::new());
    MediumPlan { profile, modems: None, terrain: None, line, delay, nodes, routes, prices }
}

/// A channel on which all hear all.
fn radio(profile: Profile, modems: Option<region::Channel>, nodes: Vec<NodeIndex>) -> MediumPlan {
    let (delay, routes, prices) = (Duration::ZERO, Vec::new(), Vec::new());
    MediumPlan { profile, modems, terrain: None, line: None, delay, nodes, routes, prices }
}

pub(crate) fn fast() -> Modulation {
    modulation(FAST_SPREADING_FACTOR)
}

fn slow() -> Modulation {
    modulation(SLOW_SPREADING_FACTOR)
}

fn modulation(spreading_factor: u8) -> Modulation {
    Modulation::new(RADIO_BANDWIDTH_HZ, spreading_factor, 5).expect("within the modulation's range")
}

/// A half-duplex channel of `RNode`s, which all hear each other.
pub(crate) fn modems(modulation: Modulation, nodes: impl Iterator<Item = u32>) -> MediumPlan {
    rnodes_on(european(modulation), nodes)
}

/// A half-duplex channel of transceivers, which all hear each other.
fn transceivers(modulation: Modulation, nodes: std::ops::Range<u32>) -> MediumPlan {
    transceivers_on(european(modulation), nodes)
}

fn european(modulation: Modulation) -> region::Channel {
    let wish = Wish {
        frequency_hz: Some(RADIO_HZ),
        bandwidth_hz: Some(modulation.bandwidth_hz()),
        spreading_factor: Some(modulation.spreading_factor()),
        coding_rate: Some(modulation.coding_rate()),
        tx_power_dbm: Some(RADIO_DBM),
        duty: DutyCycle::TEN_PERCENT,
    };
    Region::Eu868.channel(&wish).expect("up to 250 kHz fit the sub-band")
}

fn rnodes_on(channel: region::Channel, nodes: impl Iterator<Item = u32>) -> MediumPlan {
    let settings = Settings { mode: Mode::Reticulum, channel: Some(channel) };
    let profile = settings.profile().expect("a modem with a channel has a profile");
    let nodes = nodes.map(NodeIndex).collect();
    radio(profile, Some(channel), nodes)
}

/// A slot is the longest frame.
fn transceivers_on(channel: region::Channel, nodes: std::ops::Range<u32>) -> MediumPlan {
    let plan = rnodes_on(channel, nodes);
    let slot = channel.modulation().airtime(RADIO_FRAME.into());
    MediumPlan { profile: Profile { access: Access::ListenBeforeTalk { slot }, ..plan.profile }, ..plan }
}

fn mixed(nodes: u32) -> Vec<MediumPlan> {
    let middle = nodes / 2;
    let mut media = vec![cable(middle - 1, middle)];
    if middle > 1 {
        media.push(lan(0..middle));
    }
    if nodes - middle > 1 {
        media.push(modems(fast(), middle..nodes));
    }
    media
}

fn grid(nodes: u32) -> Vec<(u32, u32)> {
    let columns = nodes.isqrt();
    let right = (0..nodes).filter(|node| (node + 1) % columns != 0 && node + 1 < nodes).map(|n| (n, n + 1));
    let below = (0..nodes.saturating_sub(columns)).map(|node| (node, node + columns));
    right.chain(below).collect()
}

/// Random positions; an edge where two are near, and for each node one to the nearest earlier one, so that all connect.
fn geometric(nodes: u32, seed: &Seed) -> Vec<(u32, u32)> {
    const SIDE: u64 = 10_000;
    /// Each node has about this many in range.
    const DEGREE: u64 = 4;
    let mut random = seed.fork("positions");
    let positions: Vec<(u64, u64)> = (0..nodes).map(|_| (random.below(SIDE), random.below(SIDE))).collect();
    let squared = |a: (u64, u64), b: (u64, u64)| a.0.abs_diff(b.0).pow(2) + a.1.abs_diff(b.1).pow(2);
    // A disc of area π r² holds π r² / SIDE² of all nodes; 22/7 is π enough.
    let range_squared = DEGREE * SIDE * SIDE * 7 / (22 * u64::from(nodes));
    let mut edges = Vec::new();
    for (node, here) in (0..).zip(&positions) {
        let earlier = (0..node).zip(positions.iter().map(|there| squared(*here, *there)));
        let nearest = earlier.clone().min_by_key(|(other, distance)| (*distance, *other));
        let near = earlier.filter(|(_, distance)| *distance <= range_squared);
        edges.extend(near.chain(nearest).map(|(other, _)| (other, node)));
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The nodes that `layout` connects to node 0.
    fn connected(layout: &Layout) -> usize {
        let mut reached = BTreeSet::from([NodeIndex(0)]);
        for _ in 0..layout.nodes {
            for medium in &layout.media {
                if medium.nodes.iter().any(|node| reached.contains(node)) {
                    reached.extend(&medium.nodes);
                }
            }
        }
        reached.len()
    }

    #[test]
    fn every_shape_connects_all_its_nodes() {
        for shape in Shape::ALL {
            for nodes in [2, 3, 5, 7, 20, 50] {
                for seed in 0..5 {
                    let layout = shape.layout(nodes, &Seed::new([seed; 32]));
                    assert_eq!(connected(&layout), usize::try_from(nodes).unwrap(), "{shape:?} of {nodes}");
                    let two_ended =
                        |m: &MediumPlan| m.profile.reach != Reach::PointToPoint || m.nodes.len() == 2;
                    assert!(layout.media.iter().all(two_ended), "{shape:?} of {nodes}");
                }
            }
        }
    }

    #[test]
    fn a_grid_of_nine_has_twelve_edges_and_a_ring_of_five_has_five() {
        let edges = |shape: Shape, nodes| shape.layout(nodes, &Seed::new([0; 32])).media.len();
        assert_eq!((edges(Shape::Grid, 9), edges(Shape::Ring, 5), edges(Shape::Line, 5)), (12, 5, 4));
    }

    #[test]
    fn a_geometric_world_follows_its_seed() {
        let layout = |seed| Shape::Geometric.layout(20, &Seed::new([seed; 32]));
        assert_eq!(layout(1), layout(1));
        assert_ne!(layout(1), layout(2));
    }

    #[test]
    fn a_world_of_links_has_addresses_on_its_local_network_and_its_radio_may_be_open() {
        let seed = Seed::new([0; 32]);
        let speaks = |speech| -> Vec<(Mode, Reach)> {
            let layout = Shape::Mixed.layout(8, &seed).speaking(speech, &seed);
            layout.media.iter().map(|medium| (medium.profile.mode, medium.profile.reach)).collect()
        };
        let (cable, lan) = ((Mode::Nexus, Reach::PointToPoint), (Mode::Nexus, Reach::Addressed));
        assert_eq!(speaks(Speech::NEXUS), [cable, lan, (Mode::Nexus, Reach::Shared)]);
        let open_radio = Speech { radio: Mode::Reticulum, ..Speech::NEXUS };
        assert_eq!(speaks(open_radio), [cable, lan, (Mode::Reticulum, Reach::Shared)]);
        let as_drawn = Shape::Mixed.layout(8, &seed);
        assert_eq!(as_drawn.clone().speaking(Speech::RETICULUM, &seed), as_drawn);
    }

    #[test]
    fn a_mixed_world_has_media_of_both_kinds() {
        let speech = Speech { wired: Wired::Mixed, ..Speech::NEXUS };
        let layout = Shape::Ring.layout(20, &Seed::new([0; 32])).speaking(speech, &Seed::new([0; 32]));
        let linked = layout.media.iter().filter(|medium| medium.profile.mode == Mode::Nexus).count();
        assert!((1..20).contains(&linked), "{linked} of 20");
    }

    #[test]
    fn links_alone_join_only_those_between_whom_there_is_no_open_detour() {
        let medium = |mode, nodes: &[u32]| {
            let mut plan = cable(0, 1);
            (plan.profile.mode, plan.nodes) = (mode, nodes.iter().copied().map(NodeIndex).collect());
            plan
        };
        let groups = |media: &[(Mode, &[u32])]| {
            let media = media.iter().map(|(mode, nodes)| medium(*mode, nodes)).collect();
            Layout { nodes: 4, media }.linked_groups()
        };
        let (links, open) = (Mode::Nexus, Mode::Reticulum);
        let together = |groups: Vec<Option<u32>>| (groups[0].is_some() && groups[0] == groups[1], groups[3]);
        assert!(together(groups(&[(links, &[0, 1]), (links, &[1, 2, 3])])).0);
        let (near, far) = together(groups(&[(links, &[0, 1]), (open, &[1, 2]), (open, &[2, 3])]));
        assert!(near && far.is_some_and(|far| far != 0), "whoever is alone is closed");
        assert!(!together(groups(&[(links, &[0, 1]), (open, &[1, 2]), (open, &[2, 0])])).0, "a detour");
        assert!(!together(groups(&[(links, &[0, 1]), (open, &[0, 1, 2, 3])])).0, "an open medium of both");
    }

    #[test]
    fn a_bridge_node_has_an_interface_on_each_segment() {
        let layout = Shape::Bridge.layout(6, &Seed::new([0; 32]));
        let interfaces: Vec<_> = layout.interfaces(NodeIndex(3)).collect();
        assert_eq!(interfaces, [(InterfaceId(0), MediumIndex(0)), (InterfaceId(1), MediumIndex(1))]);
        assert_eq!(layout.interfaces(NodeIndex(0)).count(), 1);
    }
}
