//! What is true of a world's ways: who can reach whom at a moment, and what that costs, exactly.
//!
//! It follows from the layout, from what hosts told their nodes (interfaces, prices, starts) and from what was done to media; nothing
//! that a node says of paths enters, and no code of the routing. Costs are sums of what each node on the way asks for the medium by which it
//! passes a packet on, in u64. Radio channels of a landscape are not judged: all on a channel are taken to hear each other.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use nexus_machine::Instant;
use nexus_network::{InterfaceId, Mode};
use nexus_node::{Command, Input};

use crate::layout::{Layout, MediumPlan};
use crate::observation::{Act, MediumIndex, NodeIndex, Observation, What};
use crate::schedule::{Action, Direction};

/// The ways of a world at a moment.
#[derive(Clone, Debug)]
pub struct Roads {
    /// By node: its interfaces.
    ends: Vec<Vec<End>>,
    /// By medium: who is on it and who reaches whom, if links are spoken on it.
    media: Vec<Option<Medium>>,
    running: Vec<bool>,
    groups: Vec<u8>,
    cuts: BTreeSet<Direction>,
    /// By node: whom it reaches at once, and for what. Made when it is asked for.
    adjacent: Option<Vec<Vec<Road>>>,
}

/// An interface.
#[derive(Clone, Copy, Debug)]
struct End {
    medium: MediumIndex,
    /// What is asked for it while it is up.
    price: Option<u64>,
    /// How often it came up or went down.
    epoch: u32,
}

#[derive(Clone, Debug)]
struct Medium {
    nodes: Vec<(NodeIndex, InterfaceId)>,
    /// By port, and by port: whether what the first sends reaches the second.
    reaches: Vec<Vec<bool>>,
}

/// One hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Road {
    /// Where to.
    pub to: NodeIndex,
    /// By which interface.
    pub iface: InterfaceId,
    /// What is asked for it.
    pub price: u64,
}

/// What the cheapest way costs, and with how many hops of those that cost so much.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Distance {
    /// In µNXS for 1,024 bytes.
    pub cost: u64,
    /// Hops.
    pub hops: u32,
}

impl Roads {
    /// Those of a world in which nobody runs yet.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        let end = |(_, medium)| End { medium, price: None, epoch: 0 };
        let nodes = layout.node_indices();
        Self {
            ends: nodes.map(|node| layout.interfaces(node).map(end).collect()).collect(),
            media: (0..)
                .map(MediumIndex)
                .zip(&layout.media)
                .map(|(index, plan)| Medium::of(layout, index, plan))
                .collect(),
            running: layout.node_indices().map(|_| false).collect(),
            groups: layout.node_indices().map(|_| 0).collect(),
            cuts: BTreeSet::new(),
            adjacent: None,
        }
    }

    /// Takes note of what happened; whether a way is another than before.
    pub fn observe(&mut self, observation: &Observation<'_>) -> bool {
        let changed = match &observation.what {
            What::Node { node, act: Act::Booted { .. }, .. } => {
                self.running[node.place()] = true;
                true
            }
            What::Node { node, act: Act::Crashed, .. } => {
                self.running[node.place()] = false;
                for end in &mut self.ends[node.place()] {
                    (end.price, end.epoch) = (None, end.epoch + 1);
                }
                true
            }
            What::Node { node, act: Act::Given { input, .. }, .. } => self.given(*node, input),
            What::Scheduled(action) => self.done(action),
            What::Node { .. } | What::Marred { .. } | What::Aired { .. } => false,
        };
        if changed {
            self.adjacent = None;
        }
        changed
    }

    fn given(&mut self, node: NodeIndex, input: &Input) -> bool {
        let mut set = |iface: InterfaceId, price| {
            let end = self.ends[node.place()].get_mut(usize::from(iface.0));
            end.is_some_and(|end| {
                end.epoch += 1;
                std::mem::replace(&mut end.price, price) != price
            })
        };
        match input {
            Input::Up { iface, profile } => set(*iface, Some(profile.price)),
            Input::Down { iface } => set(*iface, None),
            Input::Command(Command::Price { iface, price }) => {
                let is_up = self.ends[node.place()].get(usize::from(iface.0));
                let is_up = is_up.is_some_and(|end| end.price.is_some());
                let end = self.ends[node.place()].get_mut(usize::from(iface.0));
                end.filter(|_| is_up).is_some_and(|end| end.price.replace(*price) != Some(*price))
            }
            Input::Command(_)
            | Input::Frame { .. }
            | Input::TxReady { .. }
            | Input::ChannelBusy { .. }
            | Input::ChannelClear { .. }
            | Input::Persisted { .. }
            | Input::WallClock { .. }
            | Input::Read { .. }
            | Input::Entropy(_) => false,
        }
    }

    fn done(&mut self, action: &Action) -> bool {
        match action {
            Action::Partition(groups) => self.groups.clone_from(groups),
            Action::Heal => self.groups.fill(0),
            Action::Cut(direction) => _ = self.cuts.insert(*direction),
            Action::Mend(direction) => _ = self.cuts.remove(direction),
            Action::Calm => {
                self.groups.fill(0);
                self.cuts.clear();
            }
            Action::Disturb(..)
            | Action::Crash { .. }
            | Action::CrashAfter { .. }
            | Action::InterfaceDown(..)
            | Action::InterfaceUp(..)
            | Action::ClockJump(..)
            | Action::Sleep(..)
            | Action::Starve(_)
            | Action::Feed(_)
            | Action::FillDisk(_)
            | Action::FreeDisk(_)
            | Action::TakeImage(_)
            | Action::WakeEarly(_)
            | Action::Tell(..)
            | Action::MoveAddress(..)
            | Action::Inject { .. } => return false,
        }
        true
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        index(self.ends.len())
    }

    /// Which of the interface's times it is by which `at` is on the medium behind an interface of `beside`: links do not outlive it.
    #[must_use]
    pub fn epoch(&self, beside: NodeIndex, iface: InterfaceId, at: NodeIndex) -> Option<u32> {
        let end = self.ends[beside.place()].get(usize::from(iface.0))?;
        let medium = self.media[end.medium.place()].as_ref()?;
        let (_, iface) = medium.nodes.iter().find(|(node, _)| *node == at)?;
        Some(self.ends[at.place()][usize::from(iface.0)].epoch)
    }

    /// Whether a node runs.
    #[must_use]
    pub fn runs(&self, node: NodeIndex) -> bool {
        self.running[node.place()]
    }

    /// Whom a node reaches at once: both have to hear each other, or there is no link.
    pub fn from(&mut self, node: NodeIndex) -> &[Road] {
        let adjacent = self
            .adjacent
            .take()
            .unwrap_or_else(|| (0..self.ends.len()).map(|n| self.roads_from(NodeIndex(index(n)))).collect());
        &self.adjacent.insert(adjacent)[node.place()]
    }

    fn roads_from(&self, from: NodeIndex) -> Vec<Road> {
        let mut roads = Vec::new();
        for (iface, end) in (0..).map(InterfaceId).zip(&self.ends[from.place()]) {
            let (Some(price), Some(medium)) = (end.price, &self.media[end.medium.place()]) else { continue };
            let here = medium.nodes.iter().position(|(node, _)| *node == from).expect("it is on its media");
            for (there, (to, to_iface)) in medium.nodes.iter().enumerate() {
                let other = self.ends[to.place()][usize::from(to_iface.0)];
                let hear = medium.reaches[here][there] && medium.reaches[there][here];
                let together = self.groups[from.place()] == self.groups[to.place()];
                let is_cut = [(from, *to), (*to, from)]
                    .iter()
                    .any(|(from, to)| self.is_cut(Direction { medium: end.medium, from: *from, to: *to }));
                if *to != from && other.price.is_some() && hear && together && !is_cut {
                    roads.push(Road { to: *to, iface, price });
                }
            }
        }
        roads
    }

    fn is_cut(&self, direction: Direction) -> bool {
        self.cuts.contains(&direction)
    }

    /// What the cheapest way from each node to one of them costs: Dijkstra's algorithm, backwards.
    pub fn distances(&mut self, to: NodeIndex) -> Vec<Option<Distance>> {
        let nodes = self.ends.len();
        let mut back: Vec<Vec<(NodeIndex, u64)>> = vec![Vec::new(); nodes];
        for from in (0..nodes).map(|n| NodeIndex(index(n))) {
            for road in self.from(from) {
                back[road.to.place()].push((from, road.price));
            }
        }
        let mut best: Vec<Option<Distance>> = vec![None; nodes];
        if !self.running[to.place()] {
            return best;
        }
        let mut open = BinaryHeap::from([Reverse((Distance { cost: 0, hops: 0 }, to))]);
        while let Some(Reverse((distance, at))) = open.pop() {
            if best[at.place()].is_some() {
                continue;
            }
            best[at.place()] = Some(distance);
            for (from, price) in back[at.place()].iter().filter(|(from, _)| best[from.place()].is_none()) {
                let cost = distance.cost.saturating_add(*price);
                open.push(Reverse((Distance { cost, hops: distance.hops + 1 }, *from)));
            }
        }
        best
    }

    /// Whether two ways lead from one node to another that have no node between them in common: augmenting paths over nodes that are
    /// split in two.
    pub fn has_two_ways(&mut self, from: NodeIndex, to: NodeIndex) -> bool {
        let Some(first) = self.way(from, to, &[]) else { return false };
        self.way(from, to, &first).is_some()
    }

    /// A way that crosses `taken` only by walking back along it, as flows do: the nodes that it enters.
    fn way(&mut self, from: NodeIndex, to: NodeIndex, taken: &[NodeIndex]) -> Option<Vec<NodeIndex>> {
        /// Where a walk stands at a node of the way that is taken: having come to it from beside, or back along the way.
        type State = (NodeIndex, bool);
        let place = |node: NodeIndex| taken.iter().position(|there| *there == node);
        let mut before: std::collections::BTreeMap<State, Option<State>> = [((from, true), None)].into();
        let mut open = std::collections::VecDeque::from([(from, true)]);
        while let Some(state @ (at, is_free)) = open.pop_front() {
            if at == to {
                let mut way = vec![at];
                let mut here = before[&state];
                while let Some(state) = here {
                    way.push(state.0);
                    here = before[&state];
                }
                way.reverse();
                return Some(way);
            }
            let at_taken = place(at);
            let mut next: Vec<State> = Vec::new();
            if let Some(here) = at_taken.filter(|here| *here > 0) {
                next.push((taken[here - 1], true));
            }
            if is_free || at_taken.is_none() {
                let used =
                    |there: NodeIndex| at_taken.is_some_and(|here| taken.get(here + 1) == Some(&there));
                let beside = self.from(at).iter().map(|road| road.to).filter(|there| !used(*there));
                next.extend(beside.map(|there| (there, place(there).is_none())));
            }
            for state in next {
                if state.0 != from && !before.contains_key(&state) {
                    before.insert(state, Some((at, is_free)));
                    open.push_back(state);
                }
            }
        }
        None
    }
}

impl Medium {
    fn of(layout: &Layout, index: MediumIndex, plan: &MediumPlan) -> Option<Self> {
        if plan.profile.mode != Mode::Nexus {
            return None;
        }
        let port = |node: &NodeIndex| {
            let iface = layout.interfaces(*node).find(|(_, on)| *on == index);
            (*node, iface.expect("a node on a medium has an interface for it").0)
        };
        let range_m = plan.line.as_ref().and_then(|line| line.range_m);
        let reaches = |from: usize, to: usize| {
            range_m.is_none_or(|range_m| {
                let [from, to] = [from, to].map(|port| plan.routes[port].at(Instant::BOOT));
                from.distance_cm(to) <= 100 * u64::from(range_m)
            })
        };
        let ports = 0..plan.nodes.len();
        let reaches = ports.clone().map(|from| ports.clone().map(|to| reaches(from, to)).collect()).collect();
        Some(Self { nodes: plan.nodes.iter().map(port).collect(), reaches })
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).expect("a world has fewer than 2³² nodes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::WorldTime;
    use crate::layout::{Shape, Speech};
    use crate::observation::Provenance;
    use nexus_machine::{Duration, Seed, Snapshot};

    #[test]
    fn the_cheapest_way_is_found_and_follows_prices_cuts_partitions_and_deaths() {
        let (layout, mut roads) = ring(5, &[10, 10, 10, 10, 100]);
        assert_eq!(cost(&mut roads, 0, 2), Some((20, 2)));
        assert_eq!(cost(&mut roads, 0, 4), Some((40, 4)), "the direct cable asks a hundred");
        tell(&mut roads, 0, &Input::Command(Command::Price { iface: interface(&layout, 0, 4), price: 39 }));
        assert_eq!(cost(&mut roads, 0, 4), Some((39, 1)));
        assert_eq!(cost(&mut roads, 4, 0), Some((40, 4)), "the other end asks as before");
        act(
            &mut roads,
            &Action::Cut(Direction { medium: MediumIndex(4), from: NodeIndex(0), to: NodeIndex(4) }),
        );
        assert_eq!(cost(&mut roads, 0, 4), Some((40, 4)), "who is heard by one side only has no link");
        crash(&mut roads, 2);
        assert_eq!((cost(&mut roads, 0, 4), cost(&mut roads, 0, 1)), (None, Some((10, 1))));
        act(&mut roads, &Action::Calm);
        assert_eq!(cost(&mut roads, 0, 4), Some((39, 1)));
        act(&mut roads, &Action::Partition(vec![0, 0, 0, 1, 1]));
        assert_eq!(cost(&mut roads, 0, 4), None);
    }

    #[test]
    fn two_ways_are_told_from_one_that_all_share() {
        let (_, mut roads) = ring(6, &[1; 6]);
        assert!(
            roads.has_two_ways(NodeIndex(0), NodeIndex(3)) && roads.has_two_ways(NodeIndex(0), NodeIndex(1))
        );
        crash(&mut roads, 5);
        assert!(!roads.has_two_ways(NodeIndex(0), NodeIndex(3)));
        // A first way straight through the middle has to be given up in part for a second: 0-1-4-5, beside 0-2-4 and 1-3-5.
        let edges = [(0, 1), (0, 2), (1, 4), (2, 4), (1, 3), (3, 5), (4, 5)];
        let mut layout =
            Shape::Line.layout(6, &Seed::new([0; 32])).speaking(Speech::NEXUS, &Seed::new([0; 32]));
        let cable = layout.media[0].clone();
        layout.media = edges
            .iter()
            .map(|(a, b)| MediumPlan { nodes: vec![NodeIndex(*a), NodeIndex(*b)], ..cable.clone() })
            .collect();
        let mut roads = running(&layout);
        assert!(roads.has_two_ways(NodeIndex(0), NodeIndex(5)));
    }

    #[test]
    fn a_link_outlives_neither_its_peer_nor_the_peers_interface() {
        let (layout, mut roads) = ring(3, &[1; 3]);
        let iface = interface(&layout, 0, 1);
        let before = roads.epoch(NodeIndex(0), iface, NodeIndex(1));
        crash(&mut roads, 1);
        let crashed = roads.epoch(NodeIndex(0), iface, NodeIndex(1));
        assert!(before.is_some() && before != crashed);
        tell(&mut roads, 1, &Input::Down { iface: interface(&layout, 1, 0) });
        assert_ne!(crashed, roads.epoch(NodeIndex(0), iface, NodeIndex(1)));
    }

    /// Cables round a circle, the n-th from node n - 1 to node n and the last back to 0, at both ends at its price.
    fn ring(nodes: u32, prices: &[u64]) -> (Layout, Roads) {
        let seed = Seed::new([0; 32]);
        let mut layout = Shape::Ring.layout(nodes, &seed).speaking(Speech::NEXUS, &seed);
        for (medium, price) in layout.media.iter_mut().zip(prices) {
            medium.prices = vec![*price; 2];
        }
        let roads = running(&layout);
        (layout, roads)
    }

    fn running(layout: &Layout) -> Roads {
        let mut roads = Roads::new(layout);
        for node in layout.node_indices() {
            let snapshot = Snapshot::empty();
            let booted = Act::Booted { snapshot: &snapshot, disk: Provenance::Kept };
            see(&mut roads, What::Node { node, incarnation: 0, act: booted });
            for (iface, medium) in layout.interfaces(node) {
                let plan = &layout.media[medium.place()];
                let port = plan.nodes.iter().position(|there| *there == node).unwrap();
                tell(&mut roads, node.0, &Input::Up { iface, profile: plan.profile_at(port) });
            }
        }
        roads
    }

    fn interface(layout: &Layout, node: u32, peer: u32) -> InterfaceId {
        let shared = |medium: MediumIndex| layout.media[medium.place()].nodes.contains(&NodeIndex(peer));
        layout.interfaces(NodeIndex(node)).find(|(_, medium)| shared(*medium)).unwrap().0
    }

    fn cost(roads: &mut Roads, from: u32, to: u32) -> Option<(u64, u32)> {
        let distances = roads.distances(NodeIndex(to));
        distances[NodeIndex(from).place()].map(|distance| (distance.cost, distance.hops))
    }

    fn tell(roads: &mut Roads, node: u32, input: &Input) {
        let act = Act::Given { now: Instant::BOOT, input };
        see(roads, What::Node { node: NodeIndex(node), incarnation: 0, act });
    }

    fn crash(roads: &mut Roads, node: u32) {
        see(roads, What::Node { node: NodeIndex(node), incarnation: 0, act: Act::Crashed });
    }

    fn act(roads: &mut Roads, action: &Action) {
        see(roads, What::Scheduled(action));
    }

    fn see(roads: &mut Roads, what: What<'_>) {
        roads.observe(&Observation { at: WorldTime::from_start(Duration::from_secs(1)), what });
    }
}
