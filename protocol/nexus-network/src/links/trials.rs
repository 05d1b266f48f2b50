//! How long a peer that did not hold is not trusted: longer each time, and forgotten after a while.

use nexus_machine::{Duration, Instant};

/// How often a peer was doubted of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strikes {
    count: u8,
    at: Instant,
}

/// The longest trial is so many times the first, in doublings,
const DOUBLINGS: u8 = 8;
/// but no longer than this, unless the first is.
const LONGEST: Duration = Duration::from_secs(256);
/// In this time without a strike one is forgotten.
const FORGIVEN: Duration = Duration::from_secs(600);

impl Strikes {
    pub(super) const NONE: Self = Self { count: 0, at: Instant::BOOT };

    pub(super) fn count(self, now: Instant) -> u8 {
        let forgiven = now.since(self.at).as_micros().checked_div(FORGIVEN.as_micros()).unwrap_or(0);
        self.count.saturating_sub(u8::try_from(forgiven).unwrap_or(u8::MAX))
    }

    /// One more.
    pub(super) fn strike(&mut self, now: Instant) {
        let count = self.count(now).saturating_add(1).min(DOUBLINGS.saturating_add(1));
        *self = Self { count, at: now };
    }

    /// How long it is not trusted, if it was doubted; `first` the first time.
    pub(super) fn hold(self, first: Duration, now: Instant) -> Option<Duration> {
        let doubled = self.count(now).checked_sub(1)?;
        Some(first.times(1_u64.wrapping_shl(doubled.into())).min(LONGEST.max(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_double_to_a_bound_and_are_forgiven_one_by_one() {
        let mut strikes = Strikes::NONE;
        let second = Duration::from_secs(1);
        let at = |seconds| Instant::BOOT.after(Duration::from_secs(seconds));
        assert_eq!(strikes.hold(second, at(0)), None);
        let holds: [u64; 11] = core::array::from_fn(|_| {
            strikes.strike(at(100));
            strikes.hold(second, at(100)).unwrap().as_secs()
        });
        assert_eq!(holds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256]);
        assert_eq!(strikes.hold(second, at(699)), Some(Duration::from_secs(256)));
        assert_eq!(strikes.hold(second, at(700)), Some(Duration::from_secs(128)));
        assert_eq!(strikes.hold(second, at(100 + 9 * 600)), None);
        let slow = Duration::from_secs(400);
        assert_eq!(strikes.hold(slow, at(100)), Some(slow), "where a frame takes that long");
    }
}
