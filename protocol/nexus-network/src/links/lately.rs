//! What left over a link of late.

use nexus_machine::{Duration, Instant};

/// So long is added up at a time.
const SPAN: Duration = Duration::from_secs(1);

/// The bytes of the span that is not over, and of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lately {
    began_at: Instant,
    bytes: u64,
    before: u64,
}

impl Lately {
    pub(super) fn add(&mut self, now: Instant, bytes: usize) {
        let age = now.since(self.began_at);
        if age >= SPAN {
            // What came before a span of silence is nothing of late.
            self.before = if age < SPAN.times(2) { self.bytes } else { 0 };
            (self.began_at, self.bytes) = (now, 0);
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// In bits per second.
    pub(super) fn bps(&self, now: Instant) -> u64 {
        let age = now.since(self.began_at);
        let (bytes, span) = match (age < SPAN, age < SPAN.times(2)) {
            (true, _) => (self.bytes.saturating_add(self.before), age.plus(SPAN)),
            (false, true) => (self.bytes, age),
            (false, false) => (0, SPAN),
        };
        let whole = self.before > 0 || age >= SPAN;
        let span = if whole { span } else { SPAN };
        let bits = bytes.saturating_mul(8_000_000);
        bits.checked_div(span.as_micros()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_seen_and_a_past_one_forgotten() {
        let mut lately = Lately::default();
        let mut now = Instant::BOOT;
        for _ in 0..350 {
            lately.add(now, 1_250);
            now = now.after(Duration::from_millis(10));
        }
        let bps = lately.bps(now);
        assert!((900_000..1_100_000).contains(&bps), "{bps}");
        let later = now.after(Duration::from_secs(3));
        assert_eq!(lately.bps(later), 0);
        lately.add(later, 125);
        assert_eq!(lately.bps(later), 1_000, "what came before a silence is not of late");
    }
}
