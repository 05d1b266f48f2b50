//! How fast an interface really is: how long its driver keeps frames while more are waiting.
//!
//! A nominal rate is what somebody wrote down. Behind it may be a tunnel, a congested channel or a modem that listens before it
//! talks; what is to spend a share of the bandwidth has to know. Only frames behind which others wait are counted: a driver that has
//! nothing to do shows nothing. Spec: spec/network.md#measured-bandwidth.

use nexus_machine::{Duration, Instant};

use crate::interface::Profile;

/// Half of what is known is forgotten in a minute of work: the mean age of a sample is 60 s / ln 2.
const MEMORY_US: u64 = 86_561_702;
/// Samples are added up for so long before they count.
const GATHER_US: u64 = 1_000_000;
/// An eighth more or less is told.
const TOLD_SHARE: u64 = 8;

/// What was measured of one interface since it came up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bandwidth {
    nominal_bps: u64,
    /// When the frame began that the driver has.
    began_at: Instant,
    known: Sums,
    fresh: Sums,
    /// What was told last, in bits per second.
    told_bps: u64,
}

/// What was carried, and in what time.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// In microseconds of airtime at the nominal rate; in bits where that is unknown.
    carried: u64,
    /// In microseconds.
    busy: u64,
}

impl Bandwidth {
    /// Of an interface that came up: as fast as its profile says.
    pub(super) fn of(profile: &Profile) -> Self {
        let nominal_bps = profile.bandwidth_bps;
        let known = match nominal_bps {
            0 => Sums::default(),
            _ => Sums { carried: MEMORY_US, busy: MEMORY_US },
        };
        Self { nominal_bps, began_at: Instant::BOOT, known, fresh: Sums::default(), told_bps: nominal_bps }
    }

    /// The driver takes a frame.
    pub(super) const fn begin(&mut self, now: Instant) {
        self.began_at = now;
    }

    /// The driver is done with it, and others wait: so many bytes that at the nominal rate take `airtime`. Returns the bandwidth in
    /// bits per second if it is another than was told.
    pub(super) fn carried(&mut self, now: Instant, bytes: usize, airtime: Duration) -> Option<u64> {
        let carried = match self.nominal_bps {
            0 => u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8),
            _ => airtime.as_micros(),
        };
        self.fresh.carried = self.fresh.carried.saturating_add(carried);
        self.fresh.busy = self.fresh.busy.saturating_add(now.since(self.began_at).as_micros());
        if self.fresh.busy < GATHER_US {
            return None;
        }
        self.known = self.known.faded(self.fresh.busy).plus(self.fresh);
        self.fresh = Sums::default();
        let bps = self.bps();
        let is_told = self.told_bps.abs_diff(bps) <= self.told_bps / TOLD_SHARE;
        if is_told {
            return None;
        }
        self.told_bps = bps;
        Some(bps)
    }

    /// In bits per second, never more than the nominal rate; 0 if nothing is known.
    pub(super) fn bps(&self) -> u64 {
        match self.nominal_bps {
            0 => self.known.share_of(1_000_000),
            nominal => self.known.share_of(nominal).min(nominal),
        }
    }
}

impl Sums {
    /// What is left of it after `busy` microseconds more.
    fn faded(self, busy: u64) -> Self {
        let left = u128::from(MEMORY_US.saturating_sub(busy));
        let fade = |sum: u64| {
            let faded = u128::from(sum).saturating_mul(left).checked_div(MEMORY_US.into());
            faded.and_then(|faded| u64::try_from(faded).ok()).unwrap_or(sum)
        };
        Self { carried: fade(self.carried), busy: fade(self.busy) }
    }

    const fn plus(self, other: Self) -> Self {
        let carried = self.carried.saturating_add(other.carried);
        Self { carried, busy: self.busy.saturating_add(other.busy) }
    }

    /// `whole × carried / busy`.
    fn share_of(self, whole: u64) -> u64 {
        let share = u128::from(whole).saturating_mul(self.carried.into()).checked_div(self.busy.into());
        share.map_or(0, |share| u64::try_from(share).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::profile;
    use crate::{Access, Profile};
    use alloc::vec;
    use alloc::vec::Vec;

    /// Frames of 1,000 bytes, each of which the driver keeps for so long.
    fn work(bandwidth: &mut Bandwidth, now: &mut Instant, each: Duration, frames: u64) -> Vec<u64> {
        let airtime = Duration::from_micros(8_000_000_000 / bandwidth.nominal_bps.max(1));
        let mut told = Vec::new();
        for _ in 0..frames {
            bandwidth.begin(*now);
            *now = now.after(each);
            told.extend(bandwidth.carried(*now, 1_000, airtime));
        }
        told
    }

    fn of(bandwidth_bps: u64) -> Bandwidth {
        Bandwidth::of(&Profile { bandwidth_bps, ..profile(Access::Direct) })
    }

    #[test]
    fn what_is_half_as_fast_as_it_says_is_believed_to_be_after_minutes_of_work() {
        let (mut bandwidth, mut now) = (of(8_000_000), Instant::BOOT);
        let each = Duration::from_millis(2);
        work(&mut bandwidth, &mut now, each, 30_000);
        assert!((5_900_000..6_100_000).contains(&bandwidth.bps()), "one half-life: {}", bandwidth.bps());
        let told = work(&mut bandwidth, &mut now, each, 300_000);
        assert!((3_950_000..4_050_000).contains(&bandwidth.bps()), "{}", bandwidth.bps());
        assert!(told.len() < 6 && told.is_sorted_by(|a, b| a > b), "told when it is another: {told:?}");
        work(&mut bandwidth, &mut now, Duration::from_micros(500), 2_000_000);
        assert!((7_900_000..=8_000_000).contains(&bandwidth.bps()), "and never more than that");
    }

    #[test]
    fn of_an_unknown_rate_nothing_is_said_before_there_was_a_second_of_work() {
        let (mut bandwidth, mut now) = (of(0), Instant::BOOT);
        assert!(work(&mut bandwidth, &mut now, Duration::from_millis(10), 99).is_empty());
        assert_eq!(
            (bandwidth.bps(), work(&mut bandwidth, &mut now, Duration::from_millis(10), 1)),
            (0, vec![800_000])
        );
        assert_eq!(bandwidth.bps(), 800_000);
    }

    #[test]
    fn a_driver_that_takes_no_time_and_one_that_takes_a_day_are_survived() {
        for nominal in [0, 1, u64::MAX] {
            let (mut bandwidth, mut now) = (of(nominal), Instant::BOOT);
            work(&mut bandwidth, &mut now, Duration::ZERO, 100);
            work(&mut bandwidth, &mut now, Duration::from_secs(86_400), 3);
            let slow = bandwidth.bps();
            assert!(slow <= nominal.max(1), "{nominal}: {slow}");
        }
    }
}
