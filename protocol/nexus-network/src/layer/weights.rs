//! Which neighbours have more of the interfaces than others: an input, kept for links that come up later.

use alloc::collections::{BTreeMap, VecDeque};

use nexus_crypto::NodeId;
use nexus_machine::{Cx, Machine as _};

use super::{Nerve, Organs};
use crate::links::LinkId;
use crate::media::{self, Weight};

/// Of how many neighbours something else is remembered than [`Weight::ONE`]; of more it is not.
const MOST: usize = 1_024;

/// The weights of neighbours.
#[derive(Debug, Default)]
pub(super) struct Weights(BTreeMap<NodeId, Weight>);

impl Weights {
    /// What they may hold on the heap, in bytes: entries in a tree whose nodes are half full, with its pointers.
    pub(super) const MEMORY_BOUND: usize = MOST * 4 * size_of::<(NodeId, Weight)>();

    fn set(&mut self, node: NodeId, weight: Weight) {
        if weight == Weight::ONE {
            self.0.remove(&node);
        } else if self.0.len() < MOST || self.0.contains_key(&node) {
            self.0.insert(node, weight);
        }
    }

    fn of(&self, node: NodeId) -> Weight {
        self.0.get(&node).copied().unwrap_or(Weight::ONE)
    }
}

impl Organs {
    /// A neighbour has so much of interfaces from here on.
    pub(super) fn weigh(&mut self, cx: Cx, node: NodeId, weight: Weight, nerves: &mut VecDeque<Nerve>) {
        self.weights.set(node, weight);
        let weight = self.weights.of(node);
        for link in self.links.with(node) {
            self.media.handle(cx, media::Input::Weigh(link, weight), nerves);
        }
    }

    /// A link came up with a neighbour of which something may have been said before.
    pub(super) fn weigh_link(&mut self, cx: Cx, link: LinkId, node: NodeId, nerves: &mut VecDeque<Nerve>) {
        self.media.handle(cx, media::Input::Weigh(link, self.weights.of(node)), nerves);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_neighbours_are_remembered_than_there_is_room_for() {
        let mut weights = Weights::default();
        let node = |n: usize| NodeId([&n.to_be_bytes()[..], &[0; 8]].concat().try_into().unwrap());
        let ten = Weight::new(10).unwrap();
        for n in 0..MOST + 5 {
            weights.set(node(n), ten);
        }
        assert_eq!((weights.0.len(), weights.of(node(MOST))), (MOST, Weight::ONE));
        weights.set(node(3), Weight::ONE);
        weights.set(node(MOST), ten);
        assert_eq!((weights.of(node(3)), weights.of(node(MOST))), (Weight::ONE, ten), "one makes room");
    }
}
