//! Time as the core knows it: microseconds since boot, handed in by the host.
//!
//! Both types saturate instead of wrapping: at 2⁶⁴ µs (584,000 years) a deadline is simply "never", and no
//! input can turn a deadline into the past by overflow.

use core::fmt;

/// A point on this node's monotonic clock: microseconds since boot.
///
/// It has no relation to the wall clock and does not survive a restart; what must survive is stored in
/// rounds or in Unix seconds. Source: spec/machine.md#time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

/// A span of time in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(u64);

impl Instant {
    /// The moment of boot.
    pub const BOOT: Self = Self(0);
    /// A moment that no clock reaches.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after boot.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since boot.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This moment plus `span`, at most [`Instant::NEVER`].
    #[must_use]
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This moment minus `span`, at least [`Instant::BOOT`].
    #[must_use]
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than anything waits.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `micros` microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds, saturating.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of `secs` seconds, saturating.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// The span in microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span in whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The span in whole seconds, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// `self + other`, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `self - other`, at least zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self × factor`, saturating.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

/// Seconds with six decimals: `12.000345 s`.
fn write_seconds(micros: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("boot + ")?;
        write_seconds(self.0, f)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn adding_to_the_end_of_time_stays_there() {
        assert_eq!(Instant::NEVER.after(Duration::from_secs(1)), Instant::NEVER);
        assert_eq!(Instant::BOOT.before(Duration::from_secs(1)), Instant::BOOT);
        assert_eq!(Duration::MAX.times(2), Duration::MAX);
        assert_eq!(Duration::from_millis(u64::MAX), Duration::MAX);
        assert_eq!(Duration::from_secs(u64::MAX), Duration::MAX);
        assert_eq!(Duration::from_secs(1).minus(Duration::from_secs(2)), Duration::ZERO);
    }

    #[test]
    fn a_moment_ahead_was_no_time_ago() {
        let later = Instant::from_micros(7);
        assert_eq!(Instant::BOOT.since(later), Duration::ZERO);
        assert_eq!(later.since(Instant::BOOT), Duration::from_micros(7));
    }

    #[test]
    fn moments_print_as_seconds() {
        assert_eq!(format!("{:?}", Instant::from_micros(12_000_345)), "boot + 12.000345 s");
        assert_eq!(format!("{:?}", Duration::from_millis(5)), "0.005000 s");
    }
}
