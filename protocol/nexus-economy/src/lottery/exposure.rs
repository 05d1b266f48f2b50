//! How far a relay goes ahead of what it was paid.

use nexus_machine::{Duration, Instant};

use crate::money::Grains;

/// How many windows a relay carries beyond those that are settled.
pub const AHEAD: u64 = 3;
/// What a stranger's word is worth, in windows.
const STRANGERS_STAKE: u64 = 4;
/// Windows of the reference value that all strangers together get in an hour.
pub const POOL_WINDOWS: u64 = 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// What a payer who has paid so much here may put at stake with windows of this value: the most that a reward is worth.
#[must_use]
pub fn stake(paid: Grains, window: Grains) -> Grains {
    Grains::new((paid.get() / 2).max(window.get().saturating_mul(STRANGERS_STAKE)))
}

/// The largest window that a relay takes from a payer who has paid so much here: what it goes ahead is three of them.
#[must_use]
pub fn largest_window(paid: Grains, reference: Grains) -> Grains {
    Grains::new((paid.get() / 8).max(reference.get().saturating_mul(4)))
}

/// Whether a payer's word is worth more than what it has paid here is good for, with windows of this value: what it is carried for comes out of the
/// pool until it is paid.
#[must_use]
pub(super) fn is_stranger(paid: Grains, window: Grains) -> bool {
    paid.get() / 2 < window.get().saturating_mul(STRANGERS_STAKE)
}

/// What all strangers may be carried for that is not paid, together, in an hour.
#[derive(Debug)]
pub struct StrangerPool {
    per_hour: Grains,
    left: u64,
    at: Instant,
}

impl StrangerPool {
    /// A pool, full.
    #[must_use]
    pub const fn new(per_hour: Grains) -> Self {
        Self { per_hour, left: per_hour.get(), at: Instant::BOOT }
    }

    /// Takes up to `wanted`, and says how much.
    pub fn take(&mut self, now: Instant, wanted: Grains) -> Grains {
        let per_hour = u128::from(self.per_hour.get());
        let elapsed = u128::from(now.since(self.at).as_micros());
        let come = per_hour.saturating_mul(elapsed).checked_div(u128::from(HOUR.as_micros())).unwrap_or(0);
        if come > 0 {
            // Only the time that came to something is used up.
            let used = come.saturating_mul(u128::from(HOUR.as_micros())).div_ceil(per_hour.max(1));
            self.at = self.at.after(Duration::from_micros(u64::try_from(used).unwrap_or(u64::MAX))).min(now);
            let come = u64::try_from(come).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(come).min(self.per_hour.get());
        }
        let taken = self.left.min(wanted.get());
        self.left = self.left.saturating_sub(taken);
        Grains::new(taken)
    }

    /// Puts back what was taken, and not used or paid for.
    pub fn give_back(&mut self, back: Grains) {
        self.left = self.left.saturating_add(back.get()).min(self.per_hour.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_gives_no_more_than_its_hour() {
        let mut pool = StrangerPool::new(Grains::new(1_000));
        let hour = Instant::BOOT.after(HOUR);
        assert_eq!(pool.take(Instant::BOOT, Grains::new(700)), Grains::new(700));
        assert_eq!(pool.take(Instant::BOOT, Grains::new(700)), Grains::new(300));
        pool.give_back(Grains::new(100));
        assert_eq!(pool.take(Instant::BOOT, Grains::new(700)), Grains::new(100));
        assert_eq!(pool.take(hour, Grains::new(5_000)), Grains::new(1_000));
    }

    #[test]
    fn small_steps_of_time_lose_nothing() {
        let mut pool = StrangerPool::new(Grains::new(3_600));
        assert_eq!(pool.take(Instant::BOOT, Grains::new(3_600)), Grains::new(3_600));
        let taken: u64 = (1..=20_u64)
            .map(|tenth| {
                pool.take(Instant::BOOT.after(Duration::from_millis(100 * tenth)), Grains::new(9)).get()
            })
            .sum();
        assert_eq!(taken, 2);
    }

    #[test]
    fn a_word_is_worth_half_of_what_was_paid() {
        let window = Grains::new(100);
        assert_eq!(stake(Grains::ZERO, window), Grains::new(400));
        assert_eq!(stake(Grains::new(10_000), window), Grains::new(5_000));
        assert!(is_stranger(Grains::new(799), window) && !is_stranger(Grains::new(800), window));
        assert_eq!(largest_window(Grains::ZERO, window), Grains::new(400));
        assert_eq!(largest_window(Grains::new(80_000), window), Grains::new(10_000));
    }
}
