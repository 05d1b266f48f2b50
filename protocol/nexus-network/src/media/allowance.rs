//! How much of the last hour a node transmitted, so that no hour ever exceeds its medium's duty cycle.

use alloc::collections::VecDeque;

use nexus_machine::{Duration, Instant};

/// Airtime is accounted by the minute in which its frame was handed to the driver,
const MINUTE: Duration = Duration::from_secs(60);
/// and counts for an hour, the minute itself, and one more: a driver may hold a frame while it listens.
const COUNTED_MINUTES: u64 = 62;
/// What a duty cycle is a share of. Source: spec/network.md#duty-cycle.
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// The airtime that was spent of late, by minute, oldest first.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    minutes: VecDeque<(u64, Duration)>,
}

impl Allowance {
    /// What one may hold on the heap, in bytes.
    pub(super) const MEMORY_BOUND: usize = 128 * size_of::<(u64, Duration)>();

    /// When `airtime` more fits below `most`: none if it does at `now`. It never will if it is more than `most` by itself.
    pub(super) fn fits_at(&mut self, now: Instant, airtime: Duration, most: Duration) -> Option<Instant> {
        self.forget(minute(now));
        let mut spent = self.minutes.iter().fold(airtime, |sum, (_, spent)| sum.plus(*spent));
        let mut oldest = self.minutes.iter();
        let mut fits_at = None;
        while spent > most {
            let (minute, gone) = oldest.next()?;
            spent = spent.minus(*gone);
            fits_at = Some(Instant::BOOT.after(MINUTE.times(minute.saturating_add(COUNTED_MINUTES))));
        }
        fits_at
    }

    pub(super) fn spend(&mut self, now: Instant, airtime: Duration) {
        let now = minute(now);
        self.forget(now);
        match self.minutes.back_mut() {
            Some((last, spent)) if *last == now => *spent = spent.plus(airtime),
            Some(_) | None => self.minutes.push_back((now, airtime)),
        }
    }

    fn forget(&mut self, now: u64) {
        while let Some((oldest, _)) = self.minutes.front()
            && now.saturating_sub(*oldest) >= COUNTED_MINUTES
        {
            self.minutes.pop_front();
        }
    }
}

fn minute(at: Instant) -> u64 {
    at.as_micros().checked_div(MINUTE.as_micros()).unwrap_or(0)
}
