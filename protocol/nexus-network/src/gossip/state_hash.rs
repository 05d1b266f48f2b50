//! The hash of a set, kept as its items come and go.
//!
//! `LtHash16`: each item is 1,024 numbers of 16 bits, drawn from its id by an extendable hash; a set is their sum. Adding and removing
//! cost the same whatever the set holds, the order does not matter, and to find two sets of one sum is to solve a short-vector
//! problem. Sources: Bellare and Micciancio, "A new paradigm for collision-free hashing", 1997; Lewi, Kim, Maykov and Weis,
//! "Securing update propagation with homomorphic hashing", 2019; spec/network.md#rounds.

use alloc::boxed::Box;

use nexus_crypto::DomainTag;
use nexus_crypto::hash::{blake3, blake3_xof, truncate};
use nexus_wire::nexus::gossip::{ItemId, StateHash};

/// Numbers in a sum.
const LANES: usize = 1_024;
/// What they take, in bytes.
const BYTES: usize = 2 * LANES;

/// A set of items, as the sum of what is drawn from their ids.
#[derive(Clone, Debug)]
pub(super) struct SetHash {
    lanes: Box<[u16; LANES]>,
}

impl SetHash {
    /// What one holds on the heap, in bytes.
    pub(super) const MEMORY_BOUND: usize = BYTES;

    /// Of the set without items.
    pub(super) fn empty() -> Self {
        Self { lanes: Box::new([0; LANES]) }
    }

    /// An item came, which was not in the set.
    pub(super) fn add(&mut self, id: &ItemId) {
        self.combine(id, u16::wrapping_add);
    }

    /// An item of the set went.
    pub(super) fn remove(&mut self, id: &ItemId) {
        self.combine(id, u16::wrapping_sub);
    }

    /// The hash that is said to neighbours.
    pub(super) fn state(&self) -> StateHash {
        let mut bytes = [0; BYTES];
        for (pair, lane) in bytes.chunks_exact_mut(2).zip(self.lanes.iter()) {
            pair.copy_from_slice(&lane.to_le_bytes());
        }
        StateHash(truncate(&blake3(&[DomainTag::STATE.as_bytes(), &bytes])))
    }

    fn combine(&mut self, id: &ItemId, with: impl Fn(u16, u16) -> u16) {
        let mut drawn = [0; BYTES];
        blake3_xof(&[DomainTag::STATE.as_bytes(), &id.0], &mut drawn);
        let (pairs, _) = drawn.as_chunks();
        for (lane, pair) in self.lanes.iter_mut().zip(pairs) {
            *lane = with(*lane, u16::from_le_bytes(*pair));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use nexus_testkit::format::hex;
    use proptest::prelude::*;

    fn of(ids: &[[u8; 32]]) -> StateHash {
        let mut hash = SetHash::empty();
        for id in ids {
            hash.add(&ItemId(*id));
        }
        hash.state()
    }

    proptest! {
            #[test]
            fn a_set_has_one_hash_in_whatever_order_its_items_came_and_others_went(
                ids in proptest::collection::btree_set(any::<[u8; 32]>(), 0..12),
                gone in proptest::collection::btree_set(any::<[u8; 32]>(), 1..4),
            ) {
                let ids: Vec<_> = ids.into_iter().collect();
                let backwards: Vec<_> = ids.iter().rev().copied().collect();
                prop_assert_eq!(of(&ids), of(&backwards));
                let mut hash = SetHash::empty();
                for id in &gone {
     hash.add(&ItemId(*id));
    }
                for id in &ids {
     hash.add(&ItemId(*id));
    }
                prop_assert_ne!(hash.state(), of(&ids), "with more items it is another");
                for id in &gone {
     hash.remove(&ItemId(*id));
    }
                prop_assert_eq!(hash.state(), of(&ids));
            }
        }

    /// Computed from the definition by Python's `blake3` package: the tag is `"nexus/state/v1"` padded to 16, the ids are 32 bytes of 01 and
    /// of 02.
    #[test]
    fn the_hashes_of_none_one_and_two_items_are_those_of_the_specification() {
        let hashes = [&[][..], &[[1; 32]], &[[1; 32], [2; 32]]].map(|ids| hex(&of(ids).0));
        assert_eq!(hashes, VECTORS);
        assert!(hashes.iter().all(|hash| *hash != hex(&StateHash::NONE.0)));
    }

    const VECTORS: [&str; 3] = [
        "b0ca6674edc741893e90f415b494cb96",
        "2785fb2cc16cbfddf1e26dc17c08bc18",
        "49117351f6c73c1af5ea8a1db7d38904",
    ];
}
