//! Random times: how long until something happens that may happen at any moment.

use nexus_machine::{Duration, Stream};

/// A span of the exponential distribution with this mean, to the microsecond: the wait for the next event of a Poisson process.
///
/// Drawn by comparing whole numbers only, so that it is the same on every machine: of uniform numbers as long as each is below the one before,
/// the length of the run is odd with probability e^(−first). Source: J. von Neumann, Various techniques used in connection with
/// random digits, 1951.
#[must_use]
pub fn exponential(random: &mut Stream, mean: Duration) -> Duration {
    let (mut whole, mut first) = (0_u64, random.next_u32());
    while !run_is_odd(random, first) {
        whole += 1;
        first = random.next_u32();
    }
    let in_means = u128::from(whole) << 32 | u128::from(first);
    let micros = (u128::from(mean.as_micros()) * in_means) >> 32;
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Whether an odd count of numbers, `first` among them, were each below the one before.
fn run_is_odd(random: &mut Stream, first: u32) -> bool {
    let (mut last, mut odd) = (first, true);
    loop {
        let next = random.next_u32();
        if next >= last {
            return odd;
        }
        (last, odd) = (next, !odd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;

    #[test]
    fn spans_have_the_mean_and_the_tail_of_the_exponential_distribution() {
        const DRAWS: u64 = 200_000;
        let mut random = Seed::new([1; 32]).fork("spans");
        let mean = Duration::from_secs(1);
        let spans: Vec<u64> = (0..DRAWS).map(|_| exponential(&mut random, mean).as_micros()).collect();
        let average = spans.iter().sum::<u64>() / DRAWS;
        assert!((990_000..1_010_000).contains(&average), "{average}");
        // e^-0.1, e^-1, e^-2, e^-4, in parts per hundred thousand.
        for (longer_than, share) in
            [(100_000, 90_484), (1_000_000, 36_788), (2_000_000, 13_534), (4_000_000, 1_832)]
        {
            let count = spans.iter().filter(|span| **span > longer_than).count();
            let measured = u64::try_from(count).unwrap() * 100_000 / DRAWS;
            assert!(measured.abs_diff(share) < 400, "{measured} of 100,000 are longer than {longer_than} µs");
        }
    }
}
