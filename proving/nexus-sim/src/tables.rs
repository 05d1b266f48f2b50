//! What nodes hold of paths: for each destination, whom each node chose for what, and whom it could use.

use std::collections::BTreeMap;

use nexus_crypto::{DestinationHash, IdentityHash, NodePublic};
use nexus_network::announces::Choice;
use nexus_network::{InterfaceId, LinkStatus, PathPolicy, Weights};

use crate::observation::NodeIndex;
use crate::roads::Roads;

/// The policies of which nodes keep the choice.
pub const POLICIES: [PathPolicy; 4] = [
    PathPolicy::Cheapest,
    PathPolicy::Fastest,
    PathPolicy::MostReliable,
    PathPolicy::Balanced(Weights::DEFAULT),
];
/// The place of [`PathPolicy::Cheapest`] among them.
pub const CHEAPEST: usize = 0;
/// The place of the default policy among them.
pub const BALANCED: usize = 3;

/// A hop that a node could take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Step {
    /// To whom.
    pub to: NodeIndex,
    /// By which interface.
    pub iface: InterfaceId,
}

/// What a node holds of a destination.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// By policy, as in [`POLICIES`].
    pub chosen: [Option<Step>; 4],
    /// All that it may use.
    pub usable: Vec<Step>,
}

/// What all nodes hold.
#[derive(Clone, Debug)]
pub struct Tables {
    destinations: BTreeMap<DestinationHash, NodeIndex>,
    peers: BTreeMap<IdentityHash, NodeIndex>,
    /// What each node showed last.
    shown: Vec<Vec<Choice>>,
    /// By destination, then by node.
    held: Vec<Vec<Held>>,
    /// The links that nodes have, and of which time of the peer's interface they are.
    links: BTreeMap<(NodeIndex, Step), u32>,
}

impl Tables {
    /// Those of nodes that hold nothing yet.
    #[must_use]
    pub fn new(identities: &[NodePublic]) -> Self {
        let numbered = || (0..).map(NodeIndex).zip(identities);
        Self {
            destinations: numbered().map(|(node, public)| (public.node_id().into(), node)).collect(),
            peers: numbered().map(|(node, public)| (public.identity().hash(), node)).collect(),
            shown: vec![Vec::new(); identities.len()],
            held: vec![vec![Held::default(); identities.len()]; identities.len()],
            links: BTreeMap::new(),
        }
    }

    /// A node shows all that it holds. Returns the destinations of which it held something else before.
    pub fn take(&mut self, node: NodeIndex, all: &[Choice]) -> Vec<NodeIndex> {
        let shown = &mut self.shown[node.place()];
        if *shown == all {
            return Vec::new();
        }
        all.clone_into(shown);
        let mut fresh = vec![Held::default(); self.held.len()];
        for choice in all.iter().filter(|choice| choice.is_usable()) {
            let to = choice.next_hop.and_then(|peer| self.peers.get(&peer).copied());
            let (Some(to), Some(destination)) = (to, self.destinations.get(&choice.destination)) else {
                continue;
            };
            let step = Step { to, iface: choice.iface };
            let held = &mut fresh[destination.place()];
            held.usable.push(step);
            for (policy, chosen) in POLICIES.into_iter().zip(&mut held.chosen) {
                if choice.is_chosen_by(policy) {
                    *chosen = Some(step);
                }
            }
        }
        let mut changed = Vec::new();
        for (destination, (held, mut fresh)) in (0..).map(NodeIndex).zip(self.held.iter_mut().zip(fresh)) {
            fresh.usable.sort_unstable();
            if held[node.place()] != fresh {
                held[node.place()] = fresh;
                changed.push(destination);
            }
        }
        changed
    }

    /// A link of a node came up.
    pub fn link_up(&mut self, node: NodeIndex, status: &LinkStatus, roads: &Roads) {
        let Some(to) = self.peers.get(&status.peer.identity().hash()).copied() else { return };
        if let Some(epoch) = roads.epoch(node, status.iface, to) {
            self.links.insert((node, Step { to, iface: status.iface }), epoch);
        }
    }

    /// Whether what a node sends this way is opened at the other end: whoever started anew, or whose interface did, has no keys any more.
    #[must_use]
    pub fn is_live(&self, node: NodeIndex, step: Step, roads: &Roads) -> bool {
        let epoch = self.links.get(&(node, step)).copied();
        epoch.is_some() && epoch == roads.epoch(node, step.iface, step.to)
    }

    /// What a node holds of a destination.
    #[must_use]
    pub fn held(&self, node: NodeIndex, destination: NodeIndex) -> &Held {
        &self.held[destination.place()][node.place()]
    }

    /// A circle of hops that nodes may use towards a destination and that leads through `node`, if there is one: its nodes.
    #[must_use]
    pub fn circle_through(
        &self,
        node: NodeIndex,
        destination: NodeIndex,
        roads: &Roads,
    ) -> Option<Vec<NodeIndex>> {
        let mut before: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
        let mut open = vec![node];
        while let Some(at) = open.pop() {
            let usable = self.held(at, destination).usable.iter();
            for step in usable.filter(|step| at != destination && self.is_live(at, **step, roads)) {
                if step.to == node {
                    let mut circle = vec![at];
                    let mut here = at;
                    while let Some(earlier) = before.get(&here).copied().filter(|_| here != node) {
                        circle.push(earlier);
                        here = earlier;
                    }
                    circle.reverse();
                    return Some(circle);
                }
                if let std::collections::btree_map::Entry::Vacant(entry) = before.entry(step.to) {
                    entry.insert(at);
                    open.push(step.to);
                }
            }
        }
        None
    }
}
