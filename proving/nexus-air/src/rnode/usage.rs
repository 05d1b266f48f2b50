//! How much of the last 15 seconds and of the last hour a radio transmitted, and how busy its channel was.
//! Source: spec/air.md#airtime-limits.

use nexus_machine::{Duration, Instant};
use nexus_wire::reticulum::rnode::AirtimeLimit;

/// The short window: 15 seconds, to the second.
const SHORT: (usize, Duration) = (15, Duration::from_secs(1));
/// The long window: an hour, to the minute.
const LONG: (usize, Duration) = (60, Duration::from_secs(60));

/// A sum over a sliding window, kept in bins. The bin that slides out counts in full until it is out.
#[derive(Debug)]
pub struct Window {
    bin: Duration,
    /// The number of a bin since boot, and what is in it. One more than the window has.
    bins: Vec<(u64, Duration)>,
}

impl Window {
    fn new((bins, bin): (usize, Duration)) -> Self {
        Self { bin, bins: vec![(0, Duration::ZERO); bins.saturating_add(1)] }
    }

    /// Adds the span from `start` to `end`, to each bin its part.
    fn add(&mut self, start: Instant, end: Instant) {
        let mut at = start;
        while at < end {
            let number = self.number(at);
            let next = self.beginning(number.saturating_add(1)).min(end);
            let place = self.place(number);
            let bin = &mut self.bins[place];
            if bin.0 != number {
                *bin = (number, Duration::ZERO);
            }
            bin.1 = bin.1.plus(next.since(at));
            at = next;
        }
    }

    /// The share of the window, in hundredths of a percent.
    #[must_use]
    pub fn share(&self, now: Instant) -> AirtimeLimit {
        let length = self.bins.len();
        let oldest = self.number(now).saturating_sub(u64::try_from(length.saturating_sub(1)).unwrap_or(0));
        let used = self.bins.iter().filter(|(number, _)| *number >= oldest);
        let used = used.fold(Duration::ZERO, |sum, (_, span)| sum.plus(*span));
        let window = self.bin.times(u64::try_from(length.saturating_sub(1)).unwrap_or(u64::MAX));
        let hundredths = used.as_micros().saturating_mul(10_000).checked_div(window.as_micros()).unwrap_or(0);
        AirtimeLimit(u16::try_from(hundredths.min(10_000)).unwrap_or(u16::MAX))
    }

    /// When something may slide out of the window.
    fn next_slide(&self, now: Instant) -> Instant {
        self.beginning(self.number(now).saturating_add(1))
    }

    fn number(&self, at: Instant) -> u64 {
        at.as_micros().checked_div(self.bin.as_micros()).unwrap_or(0)
    }

    fn beginning(&self, number: u64) -> Instant {
        Instant::from_micros(self.bin.as_micros().saturating_mul(number))
    }

    fn place(&self, number: u64) -> usize {
        let length = u64::try_from(self.bins.len()).expect("a window has less than 2⁶⁴ bins");
        usize::try_from(number % length).expect("less than a length")
    }
}

/// A radio's own airtime and what it sensed of others, each over both windows.
#[derive(Debug)]
pub struct Usage {
    own: [Window; 2],
    channel: [Window; 2],
    /// Since when others are on the channel.
    busy_since: Option<Instant>,
}

/// A radio's shares of time, in hundredths of a percent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shares {
    /// Own airtime in the last 15 seconds, and in the last hour.
    pub airtime: [AirtimeLimit; 2],
    /// Own and others' airtime in the last 15 seconds, and in the last hour.
    pub load: [AirtimeLimit; 2],
}

impl Default for Usage {
    fn default() -> Self {
        let windows = || [Window::new(SHORT), Window::new(LONG)];
        Self { own: windows(), channel: windows(), busy_since: None }
    }
}

impl Usage {
    /// The radio's own signal was on the air.
    pub(super) fn note_sent(&mut self, start: Instant, end: Instant) {
        for window in self.own.iter_mut().chain(&mut self.channel) {
            window.add(start, end);
        }
    }

    /// Whether others are on the channel.
    pub(super) fn note_carrier(&mut self, now: Instant, busy: bool) {
        match (self.busy_since, busy) {
            (None, true) => self.busy_since = Some(now),
            (Some(since), false) => {
                self.busy_since = None;
                for window in &mut self.channel {
                    window.add(since, now);
                }
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// All four shares.
    #[must_use]
    pub fn shares(&self, now: Instant) -> Shares {
        Shares {
            airtime: self.own.each_ref().map(|window| window.share(now)),
            load: self.channel.each_ref().map(|window| window.share(now)),
        }
    }

    /// Until when the limits (0 for none) forbid to transmit; `None` if they allow it.
    #[must_use]
    pub(super) fn forbidden_until(&self, now: Instant, limits: [AirtimeLimit; 2]) -> Option<Instant> {
        let reached = |(window, limit): &(&Window, AirtimeLimit)| limit.0 > 0 && window.share(now) >= *limit;
        self.own.iter().zip(limits).filter(reached).map(|(window, _)| window.next_slide(now)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(millis: u64) -> Instant {
        Instant::BOOT.after(Duration::from_millis(millis))
    }

    #[test]
    fn airtime_counts_for_fifteen_seconds_and_for_an_hour() {
        let mut usage = Usage::default();
        usage.note_sent(at_ms(500), at_ms(2_000));
        let airtime = |usage: &Usage, millis| usage.shares(at_ms(millis)).airtime.map(|share| share.0);
        assert_eq!(airtime(&usage, 2_000), [1_000, 4], "1.5 s are 10 % of 15 s and 0.04 % of an hour");
        assert_eq!(airtime(&usage, 15_999), [1_000, 4]);
        assert_eq!(airtime(&usage, 16_000), [666, 4], "its first half second has slid out");
        assert_eq!(airtime(&usage, 17_000), [0, 4]);
        assert_eq!(airtime(&usage, 3_659_999), [0, 4]);
        assert_eq!(airtime(&usage, 3_660_000), [0, 0]);
    }

    #[test]
    fn others_load_the_channel_and_not_the_airtime() {
        let mut usage = Usage::default();
        usage.note_carrier(at_ms(0), true);
        usage.note_carrier(at_ms(1_000), true);
        usage.note_carrier(at_ms(3_000), false);
        usage.note_sent(at_ms(3_000), at_ms(4_500));
        let shares = usage.shares(at_ms(4_500));
        assert_eq!((shares.airtime[0].0, shares.load[0].0), (1_000, 3_000));
    }

    #[test]
    fn a_limit_forbids_from_when_it_is_reached_until_enough_has_slid_out() {
        let mut usage = Usage::default();
        let limits = [AirtimeLimit(1_000), AirtimeLimit(0)];
        usage.note_sent(at_ms(0), at_ms(1_499));
        assert_eq!(usage.forbidden_until(at_ms(1_500), limits), None);
        usage.note_sent(at_ms(1_500), at_ms(1_501));
        assert_eq!(usage.forbidden_until(at_ms(1_501), limits), Some(at_ms(2_000)));
        assert_eq!(usage.forbidden_until(at_ms(15_999), limits), Some(at_ms(16_000)));
        assert_eq!(usage.forbidden_until(at_ms(16_000), limits), None);
        assert_eq!(usage.forbidden_until(at_ms(1_501), [AirtimeLimit(0); 2]), None);
        assert_eq!(
            usage.forbidden_until(at_ms(1_501), [AirtimeLimit(0), AirtimeLimit(4)]),
            Some(at_ms(60_000))
        );
    }
}
