//! A node's clocks.

use nexus_machine::{Config, Cx, Duration, Instant, WallClock};

/// Both of a node's clocks, as far as it was told.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The latest monotonic moment seen: a host that breaks the contract cannot turn time back.
    monotonic: Instant,
    wall: Option<WallClock>,
}

/// Wall and monotonic clocks may part by this much between two readings, beyond what the readings say of their error.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

impl Clock {
    pub(super) fn context(&mut self, now: Instant, config: Config) -> Cx {
        self.monotonic = self.monotonic.max(now);
        Cx { now: self.monotonic, wall: self.wall, config }
    }

    /// Takes a reading; by how much the clocks parted since the last one, if that is more than they may.
    pub(super) fn read(&mut self, reading: WallClock) -> Option<Duration> {
        let last = self.wall.replace(reading)?;
        let errors = Duration::from_secs(u64::from(last.error_s.saturating_add(reading.error_s)));
        Some(last.parted_from(&reading)).filter(|by| *by > CLOCK_TOLERANCE.plus(errors))
    }
}
