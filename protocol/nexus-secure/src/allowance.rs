//! How often something costly is done: a bucket of tokens that fills with time. A part of an organ.

use nexus_machine::{Duration, Instant};

/// At most `burst` at once, and one for each `period` in the long run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    period: Duration,
    /// What the bucket holds when it is full.
    full: Duration,
    saved: Duration,
    since: Instant,
}

impl Allowance {
    /// A full bucket.
    pub(crate) const fn new(period: Duration, burst: u64) -> Self {
        let full = period.times(burst);
        Self { period, full, saved: full, since: Instant::BOOT }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Taken> {
        self.saved = self.saved.plus(now.since(self.since)).min(self.full);
        self.since = self.since.max(now);
        if self.saved < self.period {
            return None;
        }
        self.saved = self.saved.minus(self.period);
        Some(Taken)
    }
}

/// A token that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_at_once_and_the_rest_comes_with_time() {
        let mut allowance = Allowance::new(Duration::from_millis(50), 3);
        let mut at = |millis: u64| allowance.take(Instant::from_micros(millis * 1_000));
        assert_eq!([at(0), at(0), at(0), at(0)], [Some(Taken), Some(Taken), Some(Taken), None]);
        assert_eq!([at(49), at(50), at(50)], [None, Some(Taken), None]);
        assert_eq!(
            [at(10_000), at(10_000), at(10_000), at(10_000)],
            [Some(Taken), Some(Taken), Some(Taken), None]
        );
    }
}
