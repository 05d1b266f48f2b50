//! What others' announces may take of an interface: a fiftieth of its time, the nearest first.
//!
//! Destinations wait, not packets: what leaves is the newest announce that is kept of them by then. Source: spec/reticulum.md#in-clear.

use alloc::collections::{BTreeMap, BTreeSet};

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Instant};

/// One part in so many of the time of an interface.
const PART: u64 = 50;
/// So many wait at most,
const WAITING: usize = 4_096;
/// and for so long.
const LIFE: Duration = Duration::from_secs(3 * 3_600);

/// Where something stands: how many hops its path has, and when it came.
type Place = (u8, Instant, DestinationHash);

/// What waits for an interface.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    order: BTreeSet<Place>,
    places: BTreeMap<DestinationHash, Place>,
    /// When what was said is made good.
    free_at: Instant,
}

/// What became of something that is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// It waits.
    Yes,
    /// It, or what has a longer path, is not said there.
    Displaced,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// This one's.
    Of(DestinationHash),
    /// This one waited too long: it is not said there.
    Expired,
    /// Nobody's.
    Nobody,
}

impl Outbox {
    pub(super) const MEMORY_BOUND: usize =
        WAITING * (2 * (size_of::<Place>() + size_of::<(DestinationHash, Place)>()) + 64);

    pub(super) fn push(&mut self, now: Instant, destination: DestinationHash, hops: u8) -> Waits {
        if self.places.contains_key(&destination) {
            return Waits::Yes;
        }
        let place = (hops, now, destination);
        let mut waits = Waits::Yes;
        if self.order.len() >= WAITING {
            waits = Waits::Displaced;
            match self.order.last().copied() {
                Some(last) if last > place => self.remove(last),
                Some(_) | None => return waits,
            }
        }
        self.order.insert(place);
        self.places.insert(destination, place);
        waits
    }

    /// Nothing is said before `at`.
    pub(super) fn rest_until(&mut self, at: Instant) {
        self.free_at = self.free_at.max(at);
    }

    /// What is said occupies the medium for so long.
    pub(super) fn spend(&mut self, now: Instant, time: Duration) {
        self.free_at = self.free_at.max(now).after(time.times(PART));
    }

    /// Takes whose turn it is.
    pub(super) fn pop(&mut self, now: Instant) -> Turn {
        let Some((_, since, destination)) = self.order.first().copied().filter(|_| self.free_at <= now)
        else {
            return Turn::Nobody;
        };
        self.forget(&destination);
        if now.since(since) > LIFE { Turn::Expired } else { Turn::Of(destination) }
    }

    pub(super) fn forget(&mut self, destination: &DestinationHash) {
        if let Some(place) = self.places.get(destination).copied() {
            self.remove(place);
        }
    }

    fn remove(&mut self, place: Place) {
        self.order.remove(&place);
        self.places.remove(&place.2);
    }

    /// When it is somebody's turn; never if nobody waits.
    pub(super) fn next_at(&self) -> Instant {
        if self.order.is_empty() { Instant::NEVER } else { self.free_at }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> DestinationHash {
        DestinationHash(n.to_be_bytes().repeat(4).try_into().unwrap())
    }

    #[test]
    fn others_take_a_fiftieth_of_the_time_and_the_nearest_come_first() {
        let mut outbox = Outbox::default();
        for n in 0..200 {
            outbox.push(Instant::BOOT, address(n), u8::try_from(200 - n).unwrap());
        }
        let (mut now, mut left) = (Instant::BOOT, alloc::vec::Vec::new());
        while now < Instant::BOOT.after(Duration::from_secs(1_000)) {
            now = outbox.next_at();
            if let Turn::Of(destination) = outbox.pop(now) {
                left.push(destination);
                outbox.spend(now, Duration::from_millis(500));
            }
        }
        assert_eq!(left.len(), 41, "20 s of 1,000, and one that was owed nothing");
        assert!(left.iter().rev().is_sorted(), "fewest hops first");
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_in_time() {
        let mut outbox = Outbox::default();
        for n in 0..10_000 {
            outbox.push(Instant::BOOT, address(n), 9);
        }
        assert_eq!(outbox.order.len(), WAITING);
        assert_eq!(outbox.push(Instant::BOOT, address(20_000), 10), Waits::Displaced, "it is the farthest");
        assert_eq!(outbox.push(Instant::BOOT, address(20_001), 1), Waits::Displaced, "another one is");
        assert_eq!(outbox.push(Instant::BOOT, address(20_001), 1), Waits::Yes, "it waits");
        assert_eq!(outbox.pop(Instant::BOOT), Turn::Of(address(20_001)));
        assert_eq!(outbox.pop(Instant::BOOT.after(LIFE).after(Duration::from_secs(1))), Turn::Expired);
        assert_eq!(outbox.places.len(), outbox.order.len());
    }
}
