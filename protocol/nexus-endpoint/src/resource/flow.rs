//! How fast the parts leave that a receiver asked for at once. Source: spec/endpoint.md#sending.
//!
//! A receiver on a fast link asks for 75 parts, which may be half a megabyte, and what waits for a medium is bounded: parts leave in bursts,
//! as fast as the receiver was seen to get them.

use nexus_machine::{Duration, Instant};

/// How much leaves at once, in bytes.
const BURST: u64 = 1 << 16;
/// From one burst to the next.
const LEAST_GAP: Duration = Duration::from_millis(1);
const MOST_GAP: Duration = Duration::from_secs(1);

/// The flow of parts on a link.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    /// The shortest time in which a request followed on another: nothing but the way there and back.
    least: Duration,
    gap: Duration,
    /// When the last request came, and what it asked for, in bytes.
    round: Option<(Instant, u64)>,
    /// What left of this burst, in bytes.
    left: u64,
    next: Option<Instant>,
}

impl Flow {
    pub(super) const fn new(rtt: Duration) -> Self {
        Self { least: rtt, gap: LEAST_GAP, round: None, left: 0, next: None }
    }

    /// A receiver asks, when all that it asked for before has left.
    pub(super) fn asked(&mut self, now: Instant) {
        if let Some((began, bytes)) = self.round.take() {
            let took = now.since(began);
            self.least = self.least.min(took);
            // A quarter faster than what was seen, so that it is found out what can be.
            let burst = took.minus(self.least).as_micros().saturating_mul(BURST).saturating_mul(4);
            let micros = burst.checked_div(bytes.saturating_mul(5)).unwrap_or(0);
            self.gap = Duration::from_micros(micros).clamp(LEAST_GAP, MOST_GAP);
        }
        self.round = Some((now, 0));
    }

    /// Whether another part may leave.
    pub(super) fn lets(&mut self, now: Instant) -> bool {
        if self.next.is_some_and(|next| next > now) {
            return false;
        }
        if self.left >= BURST {
            self.left = 0;
            self.next = Some(now.after(self.gap));
            return false;
        }
        self.next = None;
        true
    }

    /// A part left.
    pub(super) fn leaves(&mut self, part: &[u8]) {
        let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.left = self.left.saturating_add(len);
        if let Some((_, bytes)) = &mut self.round {
            *bytes = bytes.saturating_add(len);
        }
    }

    /// All that was asked for has left.
    pub(super) const fn rests(&mut self) {
        self.left = 0;
        self.next = None;
    }

    /// What follows has nothing to do with what was asked for so far.
    pub(super) const fn ends(&mut self) {
        self.rests();
        self.round = None;
    }

    /// When the next burst may leave, if one waits.
    pub(super) const fn next(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(10);
    const PART: [u8; 8_192] = [0; 8_192];

    /// Sends so many parts as fast as may be; how long that takes.
    fn send(flow: &mut Flow, from: Instant, parts: usize) -> Duration {
        let mut now = from;
        flow.asked(now);
        for _ in 0..parts {
            while !flow.lets(now) {
                now = flow.next().expect("it waits for something");
            }
            flow.leaves(&PART);
        }
        flow.rests();
        now.since(from)
    }

    /// The flow to a receiver that gets so many bytes a second, after some rounds of so many parts.
    fn settled(rate: u64, parts: u64) -> Duration {
        let (mut flow, mut now, mut took) = (Flow::new(RTT), Instant::BOOT, Duration::ZERO);
        for _ in 0..30 {
            took = send(&mut flow, now, usize::try_from(parts).unwrap());
            let arrives = Duration::from_micros(parts * 8_192 * 1_000_000 / rate);
            now = now.after(took.max(arrives)).after(RTT);
        }
        took
    }

    #[test]
    fn what_fits_a_burst_leaves_at_once() {
        assert_eq!(send(&mut Flow::new(RTT), Instant::BOOT, 8), Duration::ZERO);
    }

    #[test]
    fn more_leaves_in_bursts_as_fast_as_the_receiver_gets_it() {
        assert_eq!(settled(1_000_000_000, 75), LEAST_GAP.times(9));
        let paced = settled(1_250_000, 75);
        let arrives = Duration::from_micros(75 * 8_192 * 1_000_000 / 1_250_000);
        assert!(paced < arrives && paced.times(4) > arrives.times(2), "{paced:?} of {arrives:?}");
    }

    #[test]
    fn a_receiver_that_takes_its_time_does_not_stop_the_flow() {
        let mut flow = Flow::new(RTT);
        send(&mut flow, Instant::BOOT, 75);
        let took = send(&mut flow, Instant::BOOT.after(Duration::from_secs(1_000)), 75);
        assert_eq!(took, MOST_GAP.times(9));
    }
}
