//! The longest time in which nothing arrived.

use std::time::{Duration, Instant};

/// The longest time without an arrival that ended after `since`: from the last arrival before it, or from `since` if there
/// was none, to `until`, which ends the last one.
#[must_use]
pub fn longest_gap(arrivals: &[Instant], since: Instant, until: Instant) -> Duration {
    let before = arrivals.iter().copied().filter(|arrival| *arrival <= since).max();
    let within = arrivals.iter().copied().filter(|arrival| *arrival > since && *arrival < until);
    let mut moments: Vec<Instant> = within.chain([before.unwrap_or(since), until]).collect();
    moments.sort();
    let between = moments.windows(2).map(|pair| pair[1].duration_since(pair[0]));
    between.max().unwrap_or_default()
}

/// What it takes to say that things flow: that they arrive for so long, without a longer gap than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steady {
    pub(crate) run: Duration,
    pub(crate) gap: Duration,
}

/// Whether the arrivals after `since` end in a steady run, up to `now`.
pub(crate) fn flows(arrivals: &[Instant], since: Instant, now: Instant, steady: Steady) -> bool {
    let mut begun = now;
    for arrival in arrivals.iter().rev().take_while(|arrival| **arrival > since) {
        if begun.duration_since(*arrival) > steady.gap {
            return false;
        }
        begun = *arrival;
        if now.duration_since(begun) >= steady.run {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: Instant, times_ms: &[u64]) -> Vec<Instant> {
        times_ms.iter().map(|ms| base + Duration::from_millis(*ms)).collect()
    }

    #[test]
    fn a_gap_begins_with_the_last_arrival_before_and_an_unfinished_one_counts() {
        let base = Instant::now();
        let ms = |ms| Duration::from_millis(ms);
        let arrivals = at(base, &[10, 500, 510, 520, 900, 910]);
        assert_eq!(longest_gap(&arrivals, base + ms(515), base + ms(920)), ms(380));
        assert_eq!(longest_gap(&arrivals, base + ms(515), base + ms(1_910)), ms(1_000));
        assert_eq!(longest_gap(&arrivals, base, base + ms(515)), ms(490));
        assert_eq!(longest_gap(&[], base, base + ms(700)), ms(700));
    }

    #[test]
    fn traffic_flows_again_only_after_an_unbroken_run() {
        let base = Instant::now();
        let ms = |ms| Duration::from_millis(ms);
        let run = Steady { run: ms(100), gap: ms(30) };
        let flowing = at(base, &[0, 20, 40, 60, 80, 100, 120]);
        assert!(flows(&flowing, base, base + ms(130), run));
        assert!(!flows(&flowing, base + ms(50), base + ms(130), run), "it began after what is asked for");
        assert!(!flows(&flowing, base, base + ms(160), run), "nothing came lately");
        assert!(!flows(&at(base, &[20, 40, 80, 100, 120]), base, base + ms(130), run), "it was broken");
        assert!(!flows(&[], base, base + ms(130), run));
    }
}
