//! How many parts are asked for at once, and how long they are waited for. Source: spec/endpoint.md#windows.

use nexus_machine::{Duration, Instant};

/// Parts asked for at first, and at least.
const FIRST: usize = 4;
const LEAST: usize = 2;
/// Parts asked for at most: on links that are very slow, on most, and on fast ones.
const CRAWLING_MAX: usize = 4;
const USUAL_MAX: usize = 10;
/// See above.
pub(super) const FAST_MAX: usize = 75;
/// What is slow and what is fast, in bytes a second, and how many rounds have to agree.
const CRAWLING: u64 = 250;
const FAST: u64 = 6_250;
const CRAWLING_ROUNDS: u8 = 2;
const FAST_ROUNDS: u8 = 4;
/// What both ends of a link said while the first round trip was measured, in bytes: what is known of a link's speed at first.
const SAID_AT_FIRST: u64 = 200;
/// Nothing is waited for less long.
const LEAST_WAIT: Duration = Duration::from_millis(100);
/// Where nothing comes, each wait is longer than the one before by half the first one, so many times.
const LONGER: u64 = 8;
const MICROS: u64 = 1_000_000;

/// The receiver's view of a link.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    window: usize,
    fast: u8,
    crawling: u8,
    rtt: Duration,
    /// Bytes a second.
    rate: u64,
    part_len: u64,
}

impl Pace {
    pub(super) fn new(rtt: Duration, part_len: u32) -> Self {
        let rate = rate(SAID_AT_FIRST, rtt);
        Self { window: FIRST, fast: 0, crawling: 0, rtt, rate, part_len: u64::from(part_len) }
    }

    /// How many parts to ask for.
    pub(super) const fn window(&self) -> usize {
        self.window
    }

    /// The first part of a round came so long after it was asked for.
    pub(super) fn first_part(&mut self, after: Duration) {
        let smoothed = self.rtt.times(3).plus(after).as_micros() / 4;
        self.rtt = Duration::from_micros(smoothed);
    }

    /// All that was asked for in a round came.
    pub(super) fn round(&mut self, bytes: u64, took: Duration) {
        let measured = rate(bytes, took);
        self.rate = self.rate.saturating_add(measured) / 2;
        self.fast = if measured > FAST { self.fast.saturating_add(1) } else { 0 };
        self.crawling = if measured < CRAWLING { self.crawling.saturating_add(1) } else { 0 };
        let (most, more) = if self.fast >= FAST_ROUNDS {
            (FAST_MAX, self.window / 2)
        } else if self.crawling >= CRAWLING_ROUNDS {
            (CRAWLING_MAX, 1)
        } else {
            (USUAL_MAX, 1)
        };
        self.window = self.window.saturating_add(more).min(most);
    }

    /// Something that was asked for did not come.
    pub(super) fn lost(&mut self) {
        let fewer = (self.window / 4).max(1);
        self.window = self.window.saturating_sub(fewer).max(LEAST);
    }

    /// Until when the first part of a round is waited for, where the last `tries` rounds brought nothing.
    pub(super) fn until_first(&self, now: Instant, tries: u8) -> Instant {
        until(now, self.rtt.times(2).plus(self.part_time().times(2)), tries)
    }

    /// Until when the next part of a round is waited for.
    pub(super) fn until_next(&self, now: Instant) -> Instant {
        until(now, self.rtt.plus(self.part_time().times(3)), 0)
    }

    /// How long a part takes.
    fn part_time(&self) -> Duration {
        let micros = self.part_len.saturating_mul(MICROS).checked_div(self.rate);
        Duration::from_micros(micros.unwrap_or(MICROS))
    }
}

fn until(now: Instant, wait: Duration, tries: u8) -> Instant {
    let wait = wait.plus(LEAST_WAIT);
    let longer = u64::from(tries).min(LONGER).saturating_add(2);
    now.after(Duration::from_micros(wait.times(longer).as_micros() / 2))
}

/// Bytes a second, at least one.
fn rate(bytes: u64, took: Duration) -> u64 {
    bytes.saturating_mul(MICROS).checked_div(took.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rtt_ms: u64) -> Pace {
        Pace::new(Duration::from_millis(rtt_ms), 464)
    }

    /// The window after so many whole rounds, each of them as fast.
    fn window_at(bytes_a_second: u64, rounds: usize) -> usize {
        let mut pace = pace(100);
        (0..rounds).for_each(|_| pace.round(bytes_a_second, Duration::from_secs(1)));
        pace.window()
    }

    #[test]
    fn the_window_goes_with_the_speed_of_the_link() {
        assert_eq!(pace(100).window(), 4);
        assert_eq!(window_at(249, 100), 4);
        assert_eq!(window_at(3_000, 3), 7);
        assert_eq!(window_at(3_000, 100), 10);
        assert_eq!(window_at(6_251, 3), 7, "a link is not fast before the fourth round");
        assert_eq!(window_at(6_251, 100), 75);
    }

    #[test]
    fn the_window_shrinks_by_what_is_lost_and_not_below_two() {
        let mut pace = pace(100);
        (0..100).for_each(|_| pace.round(1 << 20, Duration::from_secs(1)));
        pace.lost();
        assert_eq!(pace.window(), 57);
        (0..100).for_each(|_| pace.lost());
        assert_eq!(pace.window(), 2);
    }

    #[test]
    fn slow_links_are_waited_for_longer_and_silent_ones_ever_longer() {
        let now = Instant::BOOT;
        assert!(pace(1).until_first(now, 0) >= now.after(LEAST_WAIT));
        // A part takes nine seconds where the handshake of 200 bytes took four.
        assert!(pace(4_000).until_next(now) > now.after(Duration::from_secs(27)));
        assert_eq!(
            pace(4_000).until_first(now, 2),
            now.after(pace(4_000).until_first(now, 0).since(now).times(2))
        );
        assert_eq!(pace(1).until_first(now, 8), pace(1).until_first(now, u8::MAX));
        assert!(
            Pace::new(Duration::MAX, u32::MAX).until_first(now, 255)
                > now.after(Duration::from_secs(1 << 40))
        );
    }
}
