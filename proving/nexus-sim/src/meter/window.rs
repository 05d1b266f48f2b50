//! How much there was in the last ten rounds and in the last hour, and when that was most.

use std::collections::VecDeque;

use nexus_machine::Duration;

use crate::clock::WorldTime;

/// The lengths of the windows: ten rounds of gossip, the same where a round takes five minutes, and an hour.
pub const WINDOWS: [Duration; 3] =
    [Duration::from_secs(600), Duration::from_secs(3_000), Duration::from_secs(3_600)];
/// Ten rounds of a minute, among them,
pub const TEN_ROUNDS: usize = 0;
/// ten of five minutes,
pub const TEN_SLOW_ROUNDS: usize = 1;
/// and an hour.
pub const HOUR: usize = 2;

/// What slides: an amount at each moment, summed over the windows that end at the last.
#[derive(Clone, Debug, Default)]
pub struct Sliding {
    /// In the order of time; of the last hour.
    amounts: VecDeque<(WorldTime, u64)>,
    /// Where in `amounts` each window begins.
    begins: [usize; WINDOWS.len()],
    sums: [u64; WINDOWS.len()],
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
    pub fn sums(&mut self, at: WorldTime) -> [u64; WINDOWS.len()] {
        self.advance(at);
        self.sums
    }

    fn advance(&mut self, now: WorldTime) {
        for ((begin, sum), window) in self.begins.iter_mut().zip(&mut self.sums).zip(WINDOWS) {
            while let Some((at, amount)) = self.amounts.get(*begin).copied()
                && now.since(at) >= window
            {
                *begin += 1;
                *sum -= amount;
            }
        }
        let past = self.begins[HOUR];
        self.amounts.drain(..past);
        self.begins = self.begins.map(|begin| begin - past);
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
        assert_eq!(sliding.sums(at(699)), [7, 7, 7]);
        assert_eq!(sliding.sums(at(700)), [0, 7, 7]);
        assert_eq!(sliding.sums(at(3_099)), [0, 7, 7]);
        assert_eq!(sliding.sums(at(3_100)), [0, 0, 7]);
        assert_eq!(sliding.sums(at(3_699)), [0, 0, 7]);
        assert_eq!(sliding.sums(at(3_700)), [0, 0, 0]);
    }

    #[test]
    fn sums_are_those_of_the_definition_at_every_moment() {
        let mut sliding = Sliding::default();
        let amounts: Vec<(u64, u64)> = (0..2_000).map(|n| (n * n % 13 + n * 7, n % 5)).collect();
        let mut sorted = amounts.clone();
        sorted.sort_unstable();
        for (index, (now, amount)) in sorted.iter().enumerate() {
            sliding.add(at(*now), *amount);
            let expected = [600, 3_000, 3_600].map(|window| {
                let within = |(then, _): &&(u64, u64)| now - then < window;
                sorted[..=index].iter().filter(within).map(|(_, amount)| amount).sum::<u64>()
            });
            assert_eq!(sliding.sums(at(*now)), expected, "at {now} s");
        }
    }
}
