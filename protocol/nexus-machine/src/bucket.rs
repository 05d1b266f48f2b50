//! How often something may be done: a steady rate, and a burst that is saved up.

use crate::time::{Duration, Instant};

/// A token bucket, as the generic cell rate algorithm keeps it (ITU-T I.371): one moment instead of a count.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// From one token to the next.
    every: Duration,
    /// How far ahead of the steady rate one may be.
    tolerance: Duration,
    /// When the next token would come if all were taken at the steady rate.
    due: Instant,
}

impl Bucket {
    /// A full bucket of `burst` tokens, at least one, with one more `every` so often.
    #[must_use]
    pub fn new(every: Duration, burst: u32) -> Self {
        let tolerance = every.times(u64::from(burst.saturating_sub(1)));
        Self { every, tolerance, due: Instant::BOOT }
    }

    /// Takes a token, if there is one.
    #[must_use = "without a token nothing may be done"]
    pub fn take(&mut self, now: Instant) -> bool {
        let held = self.due <= now.after(self.tolerance);
        if held {
            self.due = self.due.max(now).after(self.every);
        }
        held
    }

    /// Takes `tokens` at once, or none of them.
    #[must_use = "without the tokens nothing may be done"]
    pub fn take_many(&mut self, now: Instant, tokens: u64) -> bool {
        let held = self.holds_at(tokens) <= now;
        if held {
            self.due = self.due.max(now).after(self.every.times(tokens));
        }
        held
    }

    /// When there will be `tokens`, if none is taken before: possibly in the past, and never if a burst has fewer.
    #[must_use]
    pub fn holds_at(&self, tokens: u64) -> Instant {
        let Some(others) = tokens.checked_sub(1) else { return Instant::BOOT };
        let ahead = self.every.times(others);
        if ahead > self.tolerance { Instant::NEVER } else { self.due.after(ahead).before(self.tolerance) }
    }

    /// Puts back `tokens` that were taken and not used. What goes beyond the burst is lost.
    pub const fn give_back(&mut self, tokens: u64) {
        self.due = self.due.before(self.every.times(tokens));
    }

    /// How long `tokens` take to come.
    #[must_use]
    pub const fn span_of(&self, tokens: u64) -> Duration {
        self.every.times(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_steady_rate() {
        let mut bucket = Bucket::new(Duration::from_secs(1), 3);
        let at = |millis| Instant::BOOT.after(Duration::from_millis(millis));
        let taken = |bucket: &mut Bucket, millis| (0..10).filter(|_| bucket.take(at(millis))).count();
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 999), 0);
        assert_eq!(taken(&mut bucket, 1_000), 1);
        assert_eq!(taken(&mut bucket, 3_000), 2);
        assert_eq!(taken(&mut bucket, 1_000_000), 3, "no more than the burst is saved");
    }

    #[test]
    fn many_are_taken_at_once_or_not_at_all_and_can_be_given_back() {
        let mut bucket = Bucket::new(Duration::from_millis(10), 100);
        let at = |millis| Instant::BOOT.after(Duration::from_millis(millis));
        assert!(!bucket.take_many(at(0), 101), "more than a burst is never there");
        assert!(bucket.take_many(at(0), 60) && !bucket.take_many(at(0), 41));
        assert_eq!(bucket.holds_at(41), at(10));
        assert!(bucket.take_many(at(10), 41));
        bucket.give_back(20);
        assert!(bucket.take_many(at(10), 20) && !bucket.take(at(10)));
        bucket.give_back(1_000);
        assert!(bucket.take_many(at(10), 100) && !bucket.take(at(10)), "no more than the burst is held");
        assert_eq!(bucket.span_of(7), Duration::from_millis(70));
    }
}
