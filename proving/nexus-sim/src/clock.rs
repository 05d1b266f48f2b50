//! Time in a world, and the clocks of its nodes, which disagree with it and with each other.

use core::fmt;

use nexus_machine::{Duration, Instant, Stream};

/// A point in world time: microseconds since the world began. No node ever sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct WorldTime(u64);

impl WorldTime {
    /// The moment at which a world begins.
    pub const START: Self = Self(0);

    /// A moment after every run.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `span` after the start.
    #[must_use]
    pub const fn from_start(span: Duration) -> Self {
        Self(span.as_micros())
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This moment plus `span`, saturating.
    #[must_use]
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_micros()))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for WorldTime {
    /// Hours, minutes, seconds and microseconds: `03:25:45.678901`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}.{micros:06}")
    }
}

/// A node's monotonic clock during one incarnation: it starts at a reading of its own and runs at a rate of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Monotonic {
    booted: WorldTime,
    reading_at_boot: Instant,
    /// Ticks per million microseconds of world time.
    rate: u64,
}

const MILLION: u64 = 1_000_000;

impl Monotonic {
    /// A clock that shows `reading_at_boot` at `booted` and runs fast by `drift_ppm` parts per million (slow, if
    /// negative).
    #[must_use]
    pub fn new(booted: WorldTime, reading_at_boot: Instant, drift_ppm: i32) -> Self {
        // A clock that stands still or runs backwards is not a monotonic one: at least one tick in a million.
        Self { booted, reading_at_boot, rate: MILLION.saturating_add_signed(i64::from(drift_ppm)).max(1) }
    }

    /// What the clock shows at `time`.
    #[must_use]
    pub fn reading(&self, time: WorldTime) -> Instant {
        let elapsed = time.since(self.booted).as_micros();
        self.reading_at_boot.after(Duration::from_micros(scale(elapsed, self.rate, MILLION, Round::Down)))
    }

    /// The first moment at which the clock shows `reading` or more.
    #[must_use]
    pub fn when(&self, reading: Instant) -> WorldTime {
        let ticks = reading.since(self.reading_at_boot).as_micros();
        self.booted.after(Duration::from_micros(scale(ticks, MILLION, self.rate, Round::Up)))
    }
}

#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

/// `value × numerator / denominator`, saturating.
fn scale(value: u64, numerator: u64, denominator: u64, round: Round) -> u64 {
    let product = u128::from(value) * u128::from(numerator);
    let quotient = match round {
        Round::Down => product / u128::from(denominator),
        Round::Up => product.div_ceil(u128::from(denominator)),
    };
    u64::try_from(quotient).unwrap_or(u64::MAX)
}

/// A node's wall clock: off by a little, set wrong by a lot when a fault says so. It keeps running while the node is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wall {
    /// Seconds that the clock is ahead of the truth (behind, if negative).
    pub ahead_s: i64,
    /// The error that the host claims, in seconds.
    pub claimed_error_s: u32,
}

impl Wall {
    /// Unix time at the start of every world: 2026-01-01 00:00:00 UTC.
    pub const EPOCH_UNIX_S: u64 = 1_767_225_600;

    /// What the clock says at `time`, in Unix seconds; never before 1970.
    #[must_use]
    pub const fn unix_s(&self, time: WorldTime) -> u64 {
        (Self::EPOCH_UNIX_S + time.as_micros() / MILLION).saturating_add_signed(self.ahead_s)
    }
}

/// What a node's clocks are like for the whole run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockPlan {
    /// How much faster than the world the monotonic clock runs, in parts per million.
    pub drift_ppm: i32,
    /// The wall clock; `None` for a node that has none (a microcontroller without GPS).
    pub wall: Option<Wall>,
}

impl ClockPlan {
    /// A clock without fault.
    pub const EXACT: Self = Self { drift_ppm: 0, wall: Some(Wall { ahead_s: 0, claimed_error_s: 0 }) };

    /// Crystals are good to 50 ppm, hosts' clocks to 2 s, and one node in eight has no wall clock at all.
    #[must_use]
    pub fn draw(random: &mut Stream) -> Self {
        let symmetric = |random: &mut Stream, most: u32| {
            i64::try_from(random.below(2 * u64::from(most) + 1)).expect("a u32 twice fits") - i64::from(most)
        };
        let drift_ppm = i32::try_from(symmetric(random, 50)).expect("at most fifty");
        let wall = Wall { ahead_s: symmetric(random, 2), claimed_error_s: 3 };
        Self { drift_ppm, wall: (!random.chance(1, 8)).then_some(wall) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_reached_at_the_first_moment_that_shows_it() {
        for drift in [-200, -1, 0, 1, 200] {
            let booted = WorldTime::from_start(Duration::from_secs(7));
            let clock = Monotonic::new(booted, Instant::from_micros(123), drift);
            for micros in [123, 124, 999_999, 1_000_000, 86_400_000_001] {
                let reading = Instant::from_micros(micros);
                let when = clock.when(reading);
                assert!(clock.reading(when) >= reading, "{drift} ppm, {reading:?}");
                let just_before = WorldTime(when.0 - 1);
                assert!(when == booted || clock.reading(just_before) < reading, "{drift} ppm, {reading:?}");
            }
        }
    }

    #[test]
    fn a_fast_clock_gains_what_its_drift_says() {
        let clock = Monotonic::new(WorldTime::START, Instant::BOOT, 50);
        let day = WorldTime::from_start(Duration::from_secs(86_400));
        assert_eq!(clock.reading(day).as_micros(), 86_400_000_000 + 4_320_000);
    }

    #[test]
    fn no_reading_overflows() {
        let clock = Monotonic::new(WorldTime::START, Instant::from_micros(5), 100);
        assert_eq!(clock.reading(WorldTime(u64::MAX)), Instant::NEVER);
        assert_eq!(
            Monotonic::new(WorldTime::START, Instant::BOOT, -5).when(Instant::NEVER),
            WorldTime(u64::MAX)
        );
    }

    #[test]
    fn a_world_time_prints_as_hours_minutes_and_seconds() {
        assert_eq!(WorldTime(12_345_678_901).to_string(), "03:25:45.678901");
    }
}
