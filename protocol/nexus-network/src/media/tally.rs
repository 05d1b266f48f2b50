//! How much airtime was spent of late, so that no stretch of time ever has more of it than a rule allows.

use alloc::collections::VecDeque;

use nexus_machine::{Duration, Instant};

/// Airtime by the bin of time in which its frame had left. A bin counts in full until nothing of it, nor of the bin
/// behind it, lies within the rule's time: a driver may say a little early that a frame has left.
#[derive(Debug)]
pub(super) struct Tally {
    bin: Duration,
    /// How many bins it reaches back, the current one included.
    reach: u64,
    /// The number of a bin and what was spent in it, oldest first.
    bins: VecDeque<(u64, Duration)>,
}

impl Tally {
    /// What one may hold on the heap, in bytes.
    pub(super) const MEMORY_BOUND: usize = 128 * size_of::<(u64, Duration)>();

    /// Of a time that is a multiple of `bin`.
    pub(super) fn over(time: Duration, bin: Duration) -> Self {
        let reach = bins(time, bin).saturating_add(2);
        Self { bin, reach, bins: VecDeque::new() }
    }

    /// Adds airtime that is spent at this moment.
    pub(super) fn add(&mut self, now: Instant, airtime: Duration) {
        let number = self.number(now);
        self.forget(number);
        match self.bins.back_mut() {
            Some((last, spent)) if *last == number => *spent = spent.plus(airtime),
            Some(_) | None => self.bins.push_back((number, airtime)),
        }
    }

    /// What counts at present.
    pub(super) fn sum(&mut self, now: Instant) -> Duration {
        self.forget(self.number(now));
        self.bins.iter().fold(Duration::ZERO, |sum, (_, spent)| sum.plus(*spent))
    }

    /// When `wanted` more fits below `most` in the last `time`, at most the tally's own: none if it does at `now`.
    pub(super) fn fits_at(
        &mut self,
        now: Instant,
        wanted: Duration,
        most: Duration,
        time: Duration,
    ) -> Option<Instant> {
        let number = self.number(now);
        self.forget(number);
        let reach = bins(time, self.bin).saturating_add(2).min(self.reach);
        let counts = |(of, _): &&(u64, Duration)| number.saturating_sub(*of) < reach;
        let mut spent = self.bins.iter().filter(counts).fold(wanted, |sum, (_, spent)| sum.plus(*spent));
        if spent <= most {
            return None;
        }
        let mut fits_at = self.beginning(number.saturating_add(1));
        for (of, gone) in self.bins.iter().filter(counts) {
            if spent <= most {
                break;
            }
            spent = spent.minus(*gone);
            fits_at = self.beginning(of.saturating_add(reach));
        }
        Some(fits_at)
    }

    fn forget(&mut self, now: u64) {
        while let Some((oldest, _)) = self.bins.front()
            && now.saturating_sub(*oldest) >= self.reach
        {
            self.bins.pop_front();
        }
    }

    fn number(&self, at: Instant) -> u64 {
        at.as_micros().checked_div(self.bin.as_micros()).unwrap_or(0)
    }

    fn beginning(&self, number: u64) -> Instant {
        Instant::BOOT.after(self.bin.times(number))
    }
}

fn bins(time: Duration, bin: Duration) -> u64 {
    time.as_micros().div_ceil(bin.as_micros().max(1))
}
