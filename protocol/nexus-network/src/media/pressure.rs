//! What neighbours asked for that are congested: less of everything but what is real time. Spec: spec/network.md#backpressure.

use nexus_machine::{Duration, Instant};
use nexus_wire::nexus::control::Severity;

use super::flow::Class;
use super::shares::{Bucket, proportion};

/// A neighbour's wish is in force for so long at least, and at most.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);
/// What is left to a neighbour at least, as a part of what the interface carries.
const LEAST: u64 = 64;

/// How congested a neighbour is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Moderate,
    Severe,
    Saturated,
}

impl Level {
    pub(super) fn of(severity: Severity) -> Option<Self> {
        match severity {
            Severity::MODERATE => Some(Self::Moderate),
            Severity::SEVERE => Some(Self::Severe),
            Severity::SATURATED => Some(Self::Saturated),
            _ => None,
        }
    }

    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::Moderate => Severity::MODERATE,
            Self::Severe => Severity::SEVERE,
            Self::Saturated => Severity::SATURATED,
        }
    }

    const fn milder(self) -> Self {
        match self {
            Self::Moderate | Self::Severe => Self::Moderate,
            Self::Saturated => Self::Severe,
        }
    }

    /// Of four parts.
    const fn left(self) -> u64 {
        match self {
            Self::Moderate => 3,
            Self::Severe => 2,
            Self::Saturated => 1,
        }
    }
}

/// A neighbour that is congested.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressure {
    level: Level,
    /// What it had when it first complained, in units of work per second.
    base: u64,
    bucket: Bucket,
    /// When the base was set last, and when the wish is over unless it is repeated.
    cut_at: Instant,
    until: Instant,
    hold: Duration,
    /// What the interface carries: at that there is nothing to hold back.
    whole: u64,
}

/// What a neighbour says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Complaint {
    pub(super) level: Level,
    pub(super) drain: Duration,
    /// What it got of late, in units of work per second.
    pub(super) rate: u64,
    /// What the interface carries, in the same.
    pub(super) whole: u64,
}

impl Pressure {
    pub(super) fn new(now: Instant, complaint: Complaint) -> Self {
        let Complaint { level, drain, rate, whole } = complaint;
        let whole = whole.max(rate);
        let hold = drain.max(SHORTEST).min(LONGEST);
        let base = rate.max(whole / LEAST).max(1);
        let bucket = Bucket::new(now, 0);
        let mut pressure = Self { level, base, bucket, cut_at: now, until: now.after(hold), hold, whole };
        pressure.limit(now);
        pressure
    }

    /// It says so again.
    pub(super) fn again(&mut self, now: Instant, complaint: Complaint) {
        let Complaint { level, drain, rate: _, whole } = complaint;
        self.decay(now);
        self.hold = drain.max(SHORTEST).min(LONGEST);
        self.whole = self.whole.max(whole);
        if level <= self.level && now.since(self.cut_at) >= self.hold {
            // What it gets is what was left to it, and it is too much.
            self.base = self.limit_rate().max(whole / LEAST).max(1);
            self.cut_at = now;
        }
        self.level = self.level.max(level);
        self.until = now.after(self.hold);
        self.limit(now);
    }

    /// Whether it is over.
    pub(super) fn decay(&mut self, now: Instant) -> Ended {
        while now >= self.until {
            self.until = self.until.after(self.hold);
            match self.level {
                Level::Moderate if self.limit_rate() >= self.whole => return Ended::Ended,
                Level::Moderate => self.base = self.base.saturating_add((self.base / 4).max(1)),
                Level::Severe | Level::Saturated => self.level = self.level.milder(),
            }
            self.limit(now);
        }
        Ended::Lasts
    }

    fn limit_rate(&self) -> u64 {
        proportion(self.base, self.level.left(), 4)
    }

    fn limit(&mut self, now: Instant) {
        let rate = self.limit_rate();
        self.bucket.set_rate(now, rate);
    }

    /// When a packet of a class may go there.
    pub(super) fn ready_at(&mut self, now: Instant, class: Class) -> Instant {
        match (class, self.level) {
            (Class::RealTime, _) => now,
            (Class::Standard | Class::Bulk, Level::Saturated) => self.until,
            // When the wish is over, something else holds.
            (Class::Interactive | Class::Standard | Class::Bulk, _) => {
                self.bucket.ready_at(now, 0).min(self.until)
            }
        }
    }

    pub(super) fn take(&mut self, class: Class, work: u64) {
        match class {
            Class::RealTime => {}
            Class::Interactive | Class::Standard | Class::Bulk => self.bucket.take(work),
        }
    }

    pub(super) const fn level(&self) -> Level {
        self.level
    }

    pub(super) const fn rate(&self) -> u64 {
        self.bucket.rate()
    }
}

/// Whether a wish is still in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Ended,
    Lasts,
}
