//! How much there was in the last ten minutes and in the last hour, and when that was most.

use std::collections::VecDeque;

use nexus_machine::Duration;

use crate::clock::WorldTime;

/// The lengths of the windows: ten rounds of gossip, and an hour.
pub const WINDOWS: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(3_600)];

/// What slides: an amount at each moment, summed over both windows that end at the last.
#[derive(Clone, Debug, Default)]
pub struct Sliding {
    /// In the order of time; of the last hour.
    amounts: VecDeque<(WorldTime, u64)>,
    /// Where in `amounts` the shorter window begins.
    shorter: usize,
    sums: [u64; 2],
}

impl Sliding {
    /// Adds an amount. Times do not go back.
    pub fn add(&mut self, at: WorldTime, amount: u64) {
        self.advance(at);
        match self.amounts.back_mut() {
            Some((last, sum)) if *last == at => *sum += amount,
            _ => self.amounts.push_back((at, amount)),
        }
        self.sums = self.sums.map(|sum| sum + amount);
    }

    /// What there was in the windows that end at `at`: later than their length before it.
    pub fn sums(&mut self, at: WorldTime) -> [u64; 2] {
        self.advance(at);
        self.sums
    }

    fn advance(&mut self, now: WorldTime) {
        let is_past = |at: WorldTime, window: Duration| now.since(at) >= window;
        while let Some((at, amount)) = self.amounts.get(self.shorter).copied()
            && is_past(at, WINDOWS[0])
        {
            self.shorter += 1;
            self.sums[0] -= amount;
        }
        while let Some((_, amount)) = self.amounts.pop_front_if(|(at, _)| is_past(*at, WINDOWS[1])) {
            self.shorter -= 1;
            self.sums[1] -= amount;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> WorldTime {
        WorldTime::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn an_amount_counts_until_it_is_as_old_as_the_window() {
        let mut sliding = Sliding::default();
        sliding.add(at(100), 7);
        assert_eq!(sliding.sums(at(699)), [7, 7]);
        assert_eq!(sliding.sums(at(700)), [0, 7]);
        assert_eq!(sliding.sums(at(3_699)), [0, 7]);
        assert_eq!(sliding.sums(at(3_700)), [0, 0]);
    }

    #[test]
    fn sums_are_those_of_the_definition_at_every_moment() {
        let mut sliding = Sliding::default();
        let amounts: Vec<(u64, u64)> = (0..2_000).map(|n| (n * n % 13 + n * 7, n % 5)).collect();
        let mut sorted = amounts.clone();
        sorted.sort_unstable();
        for (index, (now, amount)) in sorted.iter().enumerate() {
            sliding.add(at(*now), *amount);
            let expected = [600, 3_600].map(|window| {
                let within = |(then, _): &&(u64, u64)| now - then < window;
                sorted[..=index].iter().filter(within).map(|(_, amount)| amount).sum::<u64>()
            });
            assert_eq!(sliding.sums(at(*now)), expected, "at {now} s");
        }
    }
}
