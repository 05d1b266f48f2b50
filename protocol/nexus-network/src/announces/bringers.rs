//! Who brought what is kept of destinations, and whose gives way where there is no room.
//!
//! Whoever brought most gives way, with what is oldest of it. So who makes destinations up pushes out its own, and as long as nobody brings more
//! than others it is the oldest of all. Source: spec/network.md#announces.

use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{BoundedMap, Bucket, Duration, Inserted, Instant, MapOverflow};

use crate::interface::InterfaceId;

/// Who brought an emission first, as far as that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bringer {
    /// A neighbour: whoever links anew is the same.
    Peer(IdentityHash),
    /// Whoever speaks in clear there.
    Clear(InterfaceId),
}

/// What is kept, by who brought it.
#[derive(Debug, Default)]
pub(super) struct Brought {
    by: BTreeMap<Bringer, Account>,
}

#[derive(Debug, Default)]
struct Account {
    /// Oldest first; what "old" is, is the owner's to say.
    order: BTreeSet<(u64, DestinationHash)>,
    weight: usize,
}

impl Brought {
    pub(super) const fn new() -> Self {
        Self { by: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, by: Bringer, age: u64, destination: DestinationHash, weight: usize) {
        let account = self.by.entry(by).or_default();
        if account.order.insert((age, destination)) {
            account.weight = account.weight.saturating_add(weight);
        }
    }

    pub(super) fn remove(&mut self, by: Bringer, age: u64, destination: DestinationHash, weight: usize) {
        let Some(account) = self.by.get_mut(&by) else { return };
        if account.order.remove(&(age, destination)) {
            account.weight = account.weight.saturating_sub(weight);
        }
        if account.order.is_empty() {
            self.by.remove(&by);
        }
    }

    /// What all that this one brought weighs.
    pub(super) fn weight(&self, by: Bringer) -> usize {
        self.by.get(&by).map_or(0, |account| account.weight)
    }

    /// The oldest of whoever brought most; where several brought as much, the oldest of all theirs.
    pub(super) fn gives_way(&self) -> Option<DestinationHash> {
        let oldest = self.by.values().filter_map(|account| Some((account.weight, *account.order.first()?)));
        oldest.max_by_key(|(weight, oldest)| (*weight, Reverse(*oldest))).map(|(_, (_, oldest))| oldest)
    }

    /// The memory that so many take at most: nodes of ordered maps may be half empty.
    pub(super) const fn memory_bound(count: usize) -> usize {
        const PER_ENTRY: usize =
            2 * size_of::<(u64, DestinationHash)>() + 2 * size_of::<(Bringer, Account)>() + 64;
        count.saturating_mul(PER_ENTRY)
    }
}

/// For each neighbour how many destinations of which nothing was said here before it may bring: a quarter of the table at once, and as many again
/// within the time after which all destinations are announced anew. So what whoever makes destinations up brings to nodes beyond this one, in
/// tables like this one, leaves room for what is announced again and again.
#[derive(Debug)]
pub(super) struct Newcomers {
    by_peer: BoundedMap<IdentityHash, Bucket>,
    burst: u32,
}

/// All destinations are announced again within this.
const ANEW: Duration = Duration::from_secs(1_800);
/// In tables however small so many are passed on at once: that is a mesh that comes together.
const FEWEST: usize = 128;

impl Newcomers {
    /// Of a table of so many destinations, and so many neighbours.
    pub(super) fn new(known: usize, links: usize) -> Self {
        let burst = u32::try_from((known / 4).max(FEWEST)).unwrap_or(u32::MAX);
        // A neighbour that was forgotten for want of room begins anew.
        Self { by_peer: BoundedMap::new(links.saturating_mul(2), MapOverflow::EvictLeastRecent), burst }
    }

    /// Whether one more that this neighbour brought is passed on, which is then counted.
    pub(super) fn takes(&mut self, peer: IdentityHash, now: Instant) -> bool {
        if !self.by_peer.touch(&peer) {
            let every = ANEW.as_micros().checked_div(self.burst.into()).unwrap_or(u64::MAX);
            let full = Bucket::new(Duration::from_micros(every), self.burst);
            let _displaced: Inserted<_, _> = self.by_peer.insert(peer, full);
        }
        self.by_peer.get_mut(&peer).is_some_and(|bucket| bucket.take(now))
    }

    pub(super) const fn memory_bound(&self) -> usize {
        const PER_PEER: usize = 4 * size_of::<(IdentityHash, Bucket, u64)>() + 64;
        self.by_peer.capacity().saturating_mul(PER_PEER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Bringer = Bringer::Clear(InterfaceId(1));
    const OTHER: Bringer = Bringer::Clear(InterfaceId(2));

    const fn destination(n: u8) -> DestinationHash {
        DestinationHash([n; 16])
    }

    #[test]
    fn the_oldest_of_whoever_brought_most_gives_way_and_of_equals_the_oldest() {
        let mut brought = Brought::new();
        assert_eq!(brought.gives_way(), None);
        brought.add(ONE, 5, destination(5), 10);
        brought.add(ONE, 4, destination(4), 10);
        brought.add(OTHER, 1, destination(1), 10);
        assert_eq!(brought.gives_way(), Some(destination(4)), "one brought more");
        brought.add(OTHER, 7, destination(7), 10);
        assert_eq!(brought.gives_way(), Some(destination(1)), "both brought as much");
        brought.remove(OTHER, 1, destination(1), 10);
        brought.remove(OTHER, 7, destination(7), 10);
        assert_eq!((brought.weight(OTHER), brought.by.len()), (0, 1));
        brought.remove(ONE, 9, destination(9), 10);
        assert_eq!(brought.weight(ONE), 20, "what is not there is not taken out");
    }

    #[test]
    fn a_neighbour_brings_a_quarter_of_a_table_at_once_and_as_much_again_in_half_an_hour_however_often_it_comes()
     {
        let mut newcomers = Newcomers::new(800, 2);
        let count = |newcomers: &mut Newcomers, peer: u8, now| {
            (0..1_000).filter(|_| newcomers.takes(IdentityHash([peer; 16]), now)).count()
        };
        assert_eq!(count(&mut newcomers, 1, Instant::BOOT), 200);
        assert_eq!(count(&mut newcomers, 2, Instant::BOOT), 200, "of another nothing was counted");
        assert_eq!(count(&mut newcomers, 1, Instant::BOOT.after(Duration::from_secs(900))), 100);
        for peer in 3..100 {
            assert!(newcomers.takes(IdentityHash([peer; 16]), Instant::BOOT));
        }
        assert_eq!(newcomers.by_peer.len(), 4);
        assert_eq!(
            count(&mut Newcomers::new(6, 2), 1, Instant::BOOT),
            128,
            "a small mesh comes together at once"
        );
    }
}
