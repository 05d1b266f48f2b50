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
}
