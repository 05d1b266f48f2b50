//! How often a destination's announces are passed on in clear: six within an hour, as stock relays do.
//!
//! Source: spec/reticulum.md#in-clear.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Duration, Inserted, Instant, MapOverflow};

/// So many announces of a destination are passed on
const MOST: usize = 6;
/// within this.
const WITHIN: Duration = Duration::from_secs(3_600);

/// When announces were passed on, for each destination the last six.
#[derive(Debug)]
pub(super) struct Rates {
    passed: BoundedMap<DestinationHash, [Option<Instant>; MOST]>,
}

impl Rates {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { passed: BoundedMap::new(capacity, MapOverflow::EvictLeastRecent) }
    }

    /// Whether one more announce of `destination` may be passed on, which it then is.
    pub(super) fn allows(&mut self, destination: DestinationHash, now: Instant) -> bool {
        let Some(passed) = self.passed.get_mut(&destination) else {
            let mut first = [None; MOST];
            if let Some(place) = first.first_mut() {
                *place = Some(now);
            }
            // Whoever announced longest ago makes room, and may announce anew.
            let _displaced: Inserted<_, _> = self.passed.insert(destination, first);
            return true;
        };
        let free = passed.iter_mut().find(|at| at.is_none_or(|at| now.since(at) >= WITHIN));
        match free {
            Some(place) => {
                *place = Some(now);
                true
            }
            None => false,
        }
    }

    /// When announces were passed on, of each destination the last six; oldest first.
    pub(super) fn passed(&self) -> impl Iterator<Item = (DestinationHash, Vec<Instant>)> {
        self.passed.iter().map(|(destination, passed)| {
            let mut times: Vec<Instant> = passed.iter().flatten().copied().collect();
            times.sort_unstable();
            (*destination, times)
        })
    }

    pub(super) fn memory_bound(&self) -> usize {
        const PER: usize = 4 * (size_of::<(DestinationHash, [Option<Instant>; MOST], u64)>() + 32);
        self.passed.capacity().saturating_mul(PER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seventh_announce_within_an_hour_is_not_passed_on() {
        let mut rates = Rates::new(4);
        let at = |minutes: u64| Instant::BOOT.after(Duration::from_secs(minutes * 60));
        let passed = |rates: &mut Rates, minutes| rates.allows(DestinationHash([1; 16]), at(minutes));
        assert!((0..6).all(|n| passed(&mut rates, n * 5)));
        assert!(!passed(&mut rates, 30) && !passed(&mut rates, 59));
        assert!(rates.allows(DestinationHash([2; 16]), at(59)), "each destination has its own");
        assert!(passed(&mut rates, 60), "the first is an hour ago");
        assert!(!passed(&mut rates, 61) && passed(&mut rates, 65));
    }

    #[test]
    fn rates_are_held_of_so_many_destinations() {
        let mut rates = Rates::new(4);
        assert!((0..200).all(|n| rates.allows(DestinationHash([n; 16]), Instant::BOOT)));
        assert_eq!(rates.passed.len(), 4);
    }
}
