//! How right a radio's clock is. Source: spec/air.md#clocks.

use nexus_machine::{Duration, Seed};

use crate::channel::RadioId;

/// A crystal: the spans that it measures are longer than they should be by so many parts in a million, or shorter.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Clock {
    /// Parts in a million by which it is slow; negative if it is fast.
    pub slow_ppm: i32,
}

/// How far a crystal may be off, in parts in a million either way. Chosen: what ordinary crystals keep over their temperatures.
pub const TOLERANCE_PPM: u16 = 20;

impl Clock {
    /// One that is right.
    pub const EXACT: Self = Self { slow_ppm: 0 };

    /// That of a radio whose crystal is within [`TOLERANCE_PPM`], any error as likely as another. The same for the same seed and
    /// radio.
    #[must_use]
    pub fn of(seed: &Seed, radio: RadioId) -> Self {
        let drawn =
            seed.fork_index("clock", radio.0.into()).fork("drift").below(u64::from(TOLERANCE_PPM) * 2 + 1);
        let drawn = i32::try_from(drawn).expect("twice the tolerance at most");
        Self { slow_ppm: drawn - i32::from(TOLERANCE_PPM) }
    }

    /// How long it really takes until this clock has measured `span`, rounded to the nearest microsecond.
    #[must_use]
    pub fn stretch(self, span: Duration) -> Duration {
        if self == Self::EXACT {
            return span;
        }
        let stretched =
            (i128::from(span.as_micros()) * (1_000_000 + i128::from(self.slow_ppm)) + 500_000) / 1_000_000;
        Duration::from_micros(u64::try_from(stretched.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_clock_takes_longer_and_a_fast_one_less() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(Clock { slow_ppm: 20 }.stretch(hour).as_micros(), 3_600_072_000);
        assert_eq!(Clock { slow_ppm: -20 }.stretch(hour).as_micros(), 3_599_928_000);
        assert_eq!(Clock { slow_ppm: 20 }.stretch(Duration::from_micros(25_000)).as_micros(), 25_001);
        assert_eq!(Clock { slow_ppm: 20 }.stretch(Duration::MAX), Duration::MAX);
        assert_eq!(Clock::EXACT.stretch(hour), hour);
    }

    #[test]
    fn crystals_are_within_their_tolerance_and_differ() {
        let seed = Seed::new([2; 32]);
        let drawn: Vec<i32> = (0..500).map(|n| Clock::of(&seed, RadioId(n)).slow_ppm).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&-20), Some(&20)));
        assert_eq!(Clock::of(&seed, RadioId(3)), Clock::of(&seed, RadioId(3)));
    }
}
