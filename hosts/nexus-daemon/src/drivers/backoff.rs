//! How long to wait before the next attempt.

use nexus_machine::{Seed, Stream};
use tokio::time::Duration;

use crate::host::{HostError, entropy};

/// Waits that double, with jitter: those who lost the same peer do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    settings: Settings,
    next: Duration,
    jitter: Stream,
}

/// The shape of the waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first wait.
    pub first: Duration,
    /// No wait is longer.
    pub most: Duration,
    /// What lasted so long was a success: the next wait is the first again.
    pub lasted: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_mins(1), lasted: Duration::from_secs(30) }
    }
}

impl Backoff {
    pub(super) fn new(settings: Settings) -> Result<Self, HostError> {
        Ok(Self::from_seed(settings, &Seed::new(entropy()?)))
    }

    fn from_seed(settings: Settings, seed: &Seed) -> Self {
        Self { settings, next: settings.first, jitter: seed.fork("backoff") }
    }

    /// How long to wait after an attempt that held for `held`: between half the wait and all of it.
    pub(super) fn after(&mut self, held: Duration) -> Duration {
        if held >= self.settings.lasted {
            self.next = self.settings.first;
        }
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.settings.most);
        let half = wait / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_micros(self.jitter.below(spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_with_jitter() {
        let mut backoff = Backoff::from_seed(Settings::default(), &Seed::new([7; 32]));
        let waits: Vec<_> = (0..9).map(|_| backoff.after(Duration::ZERO)).collect();
        for (wait, full) in waits.iter().zip([1, 2, 4, 8, 16, 32, 60, 60, 60]) {
            let full = Duration::from_secs(full);
            assert!(*wait >= full / 2 && *wait <= full, "{wait:?} of {full:?}");
        }
        assert_ne!(waits[7], waits[8], "both are a minute with jitter");
    }

    #[test]
    fn what_lasted_begins_anew() {
        let mut backoff = Backoff::from_seed(Settings::default(), &Seed::new([7; 32]));
        for _ in 0..5 {
            backoff.after(Duration::from_secs(29));
        }
        assert!(backoff.after(Duration::from_secs(29)) >= Duration::from_secs(16));
        assert!(backoff.after(Duration::from_secs(30)) <= Duration::from_secs(1));
    }
}
