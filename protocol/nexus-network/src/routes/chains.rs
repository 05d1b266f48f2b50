//! What is reached by the same next hop: chains through the slab, so that a link's loss costs what went over it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::entry::NextHop;
use super::table::{NOWHERE, index};

/// A chain for each next hop, its newest place first.
#[derive(Debug, Default)]
pub(super) struct Chains {
    firsts: BTreeMap<NextHop, u32>,
    /// For each place of the slab.
    beside: Vec<Beside>,
}

/// What stands next to a place in its chain.
#[derive(Clone, Copy, Debug)]
struct Beside {
    newer: u32,
    older: u32,
}

const ALONE: Beside = Beside { newer: NOWHERE, older: NOWHERE };

/// Next hops in use at most: as many links as a slab names, and the interfaces in clear.
const NEXT_HOPS: usize = 65_536 + 256;

impl Chains {
    /// Makes room for places below `count`.
    pub(super) fn reserve(&mut self, count: usize) {
        self.beside.reserve_exact(count.saturating_sub(self.beside.len()));
    }

    /// `place`, which is in no chain, is reached by `next_hop`.
    pub(super) fn join(&mut self, next_hop: NextHop, place: u32) {
        if self.beside.len() <= index(place) {
            self.beside.resize(index(place).saturating_add(1), ALONE);
        }
        let older = self.firsts.insert(next_hop, place).unwrap_or(NOWHERE);
        if let Some(first) = self.beside.get_mut(index(older)) {
            first.newer = place;
        }
        if let Some(own) = self.beside.get_mut(index(place)) {
            *own = Beside { newer: NOWHERE, older };
        }
    }

    /// `place` is not reached by `next_hop` any more.
    pub(super) fn leave(&mut self, next_hop: NextHop, place: u32) {
        let Some(own) = self.beside.get_mut(index(place)) else { return };
        let Beside { newer, older } = core::mem::replace(own, ALONE);
        if let Some(other) = self.beside.get_mut(index(older)) {
            other.newer = newer;
        }
        match self.beside.get_mut(index(newer)) {
            Some(other) => other.older = older,
            None if older == NOWHERE => {
                self.firsts.remove(&next_hop);
            }
            None => {
                self.firsts.insert(next_hop, older);
            }
        }
    }

    /// The places that are reached by `next_hop`.
    pub(super) fn over(&self, next_hop: NextHop) -> impl Iterator<Item = u32> {
        let first = self.firsts.get(&next_hop).copied();
        core::iter::successors(first, |place| {
            self.beside.get(index(*place)).map(|beside| beside.older).filter(|older| *older != NOWHERE)
        })
    }

    /// The most heap that chains through `capacity` places hold, in bytes.
    pub(super) fn memory_bound(capacity: usize) -> usize {
        // Nodes of an ordered map may be half empty.
        const PER_NEXT_HOP: usize = 3 * (size_of::<(NextHop, u32)>() + 8);
        let next_hops = capacity.min(NEXT_HOPS).saturating_mul(PER_NEXT_HOP).saturating_add(512);
        capacity.saturating_mul(size_of::<Beside>()).saturating_add(next_hops)
    }
}
