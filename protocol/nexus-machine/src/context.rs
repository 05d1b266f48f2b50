//! What every handler is told: the time, and how this node is configured. By copy, so that no borrow of it
//! ever crosses a wiring arm.

use crate::time::{Duration, Instant};

/// The context of one call into a machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cx {
    /// The monotonic clock at this call. Never decreases from call to call.
    pub now: Instant,
    /// The wall clock, if anybody told this node what time it is.
    pub wall: Option<WallClock>,
    /// What the operator chose for the whole node.
    pub config: Config,
}

impl Cx {
    /// A context at `now`, without a wall clock, with the default configuration.
    #[must_use]
    pub fn at(now: Instant) -> Self {
        Self { now, ..Self::default() }
    }

    /// Unix time in whole seconds, if a wall clock is known.
    #[must_use]
    pub fn unix_s(&self) -> Option<u64> {
        self.wall.map(|wall| wall.unix_s_at(self.now))
    }
}

/// One reading of the wall clock, tied to the monotonic moment at which it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// Unix time in seconds at `read_at`.
    pub unix_s: u64,
    /// How far off the reading may be, in seconds.
    pub error_s: u32,
    /// When it was read.
    pub read_at: Instant,
}

impl WallClock {
    /// Unix seconds at `now`, carried forward by the monotonic clock.
    #[must_use]
    pub const fn unix_s_at(&self, now: Instant) -> u64 {
        self.unix_s.saturating_add(now.since(self.read_at).as_secs())
    }

    /// How far two readings of the wall clock disagree, once both are carried to the later one's moment.
    ///
    /// A host whose clock was set, or a virtual machine that was resumed, shows up here.
    #[must_use]
    pub const fn parted_from(&self, later: &Self) -> Duration {
        Duration::from_secs(self.unix_s_at(later.read_at).abs_diff(later.unix_s))
    }
}

/// Choices that hold for the whole node. Capacities are not here: whoever constructs an organ states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Config {
    /// Whether this node carries what is not its own.
    pub relaying: Relaying,
    /// Whether it answers who traces the way to it.
    pub traces: Traces,
}

/// Whether a node forwards for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Relaying {
    /// Announces and packets of others are passed on.
    #[default]
    On,
    /// A leaf: it speaks and listens for itself only.
    Off,
}

/// Whether a node says how a trace came to it, and how it would send back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Traces {
    /// Whoever asks is answered, at a limited rate.
    #[default]
    Answered,
    /// Nobody is.
    Unanswered,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_carried_forward_by_the_monotonic_one() {
        let wall = WallClock { unix_s: 1_700_000_000, error_s: 1, read_at: Instant::from_micros(500_000) };
        let cx = Cx { now: Instant::from_micros(3_600_500_000), wall: Some(wall), config: Config::default() };
        assert_eq!(cx.unix_s(), Some(1_700_003_600));
        assert_eq!(Cx::at(Instant::BOOT).unix_s(), None);
    }

    #[test]
    fn a_clock_that_was_set_shows_as_parted_either_way() {
        let first = WallClock { unix_s: 1_000, error_s: 0, read_at: Instant::BOOT };
        let at_ten = Instant::BOOT.after(Duration::from_secs(10));
        let agreeing = WallClock { unix_s: 1_010, error_s: 0, read_at: at_ten };
        let set_back = WallClock { unix_s: 900, error_s: 0, read_at: at_ten };
        assert_eq!(first.parted_from(&agreeing), Duration::ZERO);
        assert_eq!(first.parted_from(&set_back), Duration::from_secs(110));
    }
}
