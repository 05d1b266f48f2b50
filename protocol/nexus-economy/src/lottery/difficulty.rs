//! Which terms a payer offers: windows that cost few messages, and wins about once in ten minutes.

use alloc::collections::VecDeque;

use nexus_machine::{Duration, Instant};

use super::exposure::{is_stranger, largest_window, stake};
use super::{PathView, WindowKind};
use crate::money::{Amount, GRAINS_PER_MICRO, Grains};

/// A window holds at least so many typical packets.
const LEAST_PACKETS: u64 = 64;
/// Wins come once in so many minutes, and half as often where a channel's update takes long.
const MINUTES_PER_WIN: u64 = 10;
/// Below this bandwidth updates are dear, in bits per second.
const SLOW_BPS: u64 = 10_000;
/// How far back a rate looks.
const TRAILING: Duration = Duration::from_secs(300);
/// The least time that shows a rate.
const LEAST_SPAN: Duration = Duration::from_secs(10);
/// How many moments of it are kept.
pub(super) const SAMPLES: usize = 16;
const MINUTE: Duration = Duration::from_secs(60);

/// Per-packet windows win with odds between these.
const SURE: u64 = 5;
const RARE: u64 = 10_000;

/// What was sent of late.
#[derive(Debug, Default)]
pub(super) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Takes in what was sent in all until `now`, in grains.
    pub(super) fn sample(&mut self, now: Instant, total: u64) {
        let spaced = Duration::from_micros(TRAILING.as_micros() / 12);
        if self.samples.back().is_some_and(|(last, _)| now.since(*last) < spaced) {
            return;
        }
        // One from before that is kept: after a pause there would be nothing to reckon a rate from, and terms would change for that alone.
        while self.samples.get(1).is_some_and(|(second, _)| now.since(*second) > TRAILING)
            || self.samples.len() >= SAMPLES
        {
            self.samples.pop_front();
        }
        self.samples.push_back((now, total));
    }

    /// Grains per minute, once there was time to see.
    pub(super) fn per_minute(&self, now: Instant, total: u64) -> Option<u64> {
        let (first, at_first) = self.samples.front()?;
        let span = now.since(*first);
        if span < LEAST_SPAN {
            return None;
        }
        let sent = u128::from(total.saturating_sub(*at_first));
        Some(proportion(sent, MINUTE, span))
    }
}

/// `amount × span / of`, at most what a u64 holds.
fn proportion(amount: u128, span: Duration, of: Duration) -> u64 {
    let product = amount.saturating_mul(u128::from(span.as_micros()));
    let whole = product.checked_div(u128::from(of.as_micros())).unwrap_or(u128::MAX);
    u64::try_from(whole).unwrap_or(u64::MAX)
}

/// What a payer goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) kind: WindowKind,
    pub(super) path: PathView,
    /// What a typical packet costs.
    pub(super) typical: Grains,
    /// What it paid this relay so far.
    pub(super) paid: Grains,
    /// The most that it can pay.
    pub(super) payable: Amount,
    /// What it sends, in grains a minute.
    pub(super) per_minute: Option<u64>,
}

/// A window's value and a win's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) window: Grains,
    pub(super) reward: Amount,
}

impl Wish {
    /// The terms to offer; none where nothing is charged or nothing can be paid.
    pub(super) fn cut(&self) -> Option<Cut> {
        if self.typical == Grains::ZERO {
            return None;
        }
        match self.kind {
            WindowKind::ByValue => self.by_value(),
            WindowKind::PerPacket => self.per_packet(),
        }
    }

    fn by_value(&self) -> Option<Cut> {
        let least = self.typical.get().checked_mul(LEAST_PACKETS)?;
        let largest = largest_window(self.paid, Grains::new(least)).get();
        let window = self.in_four_round_trips().max(least).min(largest);
        // Whole µNXS, so that a window may win for certain.
        let window = window.div_ceil(GRAINS_PER_MICRO).checked_mul(GRAINS_PER_MICRO)?;
        let most = stake(self.paid, Grains::new(window)).get().min(self.payable.grains()?.get());
        let strangers = stake(Grains::ZERO, Grains::new(window)).get();
        let worth = if is_stranger(self.paid, Grains::new(window)) {
            // Strangers share a pool of what they owe: where draws have to come first, one in ten of those behind two relays loses all that it
            // gets of it, and waits for the hour's refill. What is paid goes back.
            window
        } else {
            self.per_minute.map_or(strangers, |rate| rate.saturating_mul(self.minutes_per_win()))
        };
        let worth = worth.max(window).min(most);
        let reward = worth / GRAINS_PER_MICRO;
        (worth >= window).then_some(Cut { window: Grains::new(window), reward: Amount::from_micros(reward) })
    }

    fn per_packet(&self) -> Option<Cut> {
        let window = self.typical.get();
        let packets = self.per_minute.map_or(RARE, |rate| rate.checked_div(window).unwrap_or(RARE));
        let against = packets.saturating_mul(MINUTES_PER_WIN).clamp(SURE, RARE);
        let reward = window.checked_mul(against)?.div_ceil(GRAINS_PER_MICRO);
        (reward <= self.payable.micros())
            .then_some(Cut { window: Grains::new(window), reward: Amount::from_micros(reward) })
    }

    /// What is sent in four round trips.
    fn in_four_round_trips(&self) -> u64 {
        let rate = u128::from(self.per_minute.unwrap_or(0));
        proportion(rate, self.path.round_trip.times(4), MINUTE)
    }

    const fn minutes_per_win(&self) -> u64 {
        if self.path.bandwidth_bps < SLOW_BPS { MINUTES_PER_WIN.saturating_mul(2) } else { MINUTES_PER_WIN }
    }
}

impl Cut {
    /// Whether odds or windows are off by more than twice.
    pub(super) fn is_far_from(&self, other: &Self) -> bool {
        let odds = |one: &Self, two: &Self| {
            let one_for_two = u128::from(one.window.get()).saturating_mul(u128::from(two.reward.micros()));
            let two_for_one = u128::from(two.window.get()).saturating_mul(u128::from(one.reward.micros()));
            one_for_two > two_for_one.saturating_mul(2)
        };
        let larger = |one: &Self, two: &Self| one.window.get() > two.window.get().saturating_mul(2);
        odds(self, other) || odds(other, self) || larger(self, other) || larger(other, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish() -> Wish {
        Wish {
            kind: WindowKind::ByValue,
            path: PathView { round_trip: Duration::from_millis(20), bandwidth_bps: 1_000_000 },
            typical: Grains::new(1_000),
            paid: Grains::ZERO,
            payable: Amount::from_micros(u64::MAX / 2_048),
            per_minute: None,
        }
    }

    #[test]
    fn strangers_pay_for_every_window_and_a_quarter_wins_afterwards_until_a_rate_shows() {
        let cut = wish().cut().expect("terms");
        assert_eq!((cut.window, cut.reward), (Grains::new(64_512), Amount::from_micros(63)));
        let fast = Wish { per_minute: Some(600_000_000), ..wish() }.cut().expect("terms");
        assert_eq!(fast.reward.grains(), Some(fast.window), "whatever it sends");
        let paid =
            |windows: u64| Wish { paid: Grains::new(windows * 64_512), ..wish() }.cut().expect("terms");
        assert_eq!((paid(7).window, paid(7).reward), (Grains::new(64_512), Amount::from_micros(63)));
        assert_eq!((paid(8).window, paid(8).reward), (Grains::new(64_512), Amount::from_micros(63 * 4)));
    }

    #[test]
    fn wins_come_once_in_ten_minutes_and_in_twenty_where_updates_are_dear() {
        let known = Wish { paid: Grains::new(1 << 40), per_minute: Some(1_024_000), ..wish() };
        assert_eq!(known.cut().expect("terms").reward, Amount::from_micros(10_000));
        let slow = PathView { bandwidth_bps: 1_000, ..known.path };
        assert_eq!(Wish { path: slow, ..known }.cut().expect("terms").reward, Amount::from_micros(20_000));
        let idle = Wish { per_minute: Some(10), ..known };
        assert_eq!(idle.cut().expect("terms").reward, Amount::from_micros(63), "every window wins");
    }

    #[test]
    fn a_window_holds_what_four_round_trips_bring_as_far_as_trust_goes() {
        let fast = Wish { per_minute: Some(600_000_000), ..wish() };
        assert_eq!(
            fast.cut().expect("terms").window,
            Grains::new(256_000),
            "a stranger's: four times the least"
        );
        let known = Wish { paid: Grains::new(1 << 40), ..fast };
        assert_eq!(known.cut().expect("terms").window, Grains::new(800_768));
    }

    #[test]
    fn nothing_is_offered_that_cannot_be_paid() {
        assert_eq!(Wish { payable: Amount::from_micros(62), ..wish() }.cut(), None);
        assert_eq!(Wish { typical: Grains::ZERO, ..wish() }.cut(), None);
        let last = Wish { payable: Amount::from_micros(63), ..wish() }.cut().expect("terms");
        assert_eq!(last.reward, Amount::from_micros(63));
    }

    #[test]
    fn per_packet_odds_stay_between_a_fifth_and_a_ten_thousandth() {
        let odds = |per_minute| {
            let wish =
                Wish { kind: WindowKind::PerPacket, typical: Grains::new(1_024), per_minute, ..wish() };
            wish.cut().expect("terms").reward.micros()
        };
        assert_eq!(odds(Some(1)), SURE);
        assert_eq!(odds(Some(1_024 * 10)), 100);
        assert_eq!(odds(Some(u64::MAX)), RARE);
    }

    #[test]
    fn a_rate_shows_after_a_while_and_forgets() {
        let mut rate = Rate::default();
        let at = |seconds| Instant::BOOT.after(Duration::from_secs(seconds));
        rate.sample(at(0), 0);
        assert_eq!(rate.per_minute(at(5), 500), None);
        assert_eq!(rate.per_minute(at(60), 6_000), Some(6_000));
        for minute in 1..=20 {
            rate.sample(at(60 * minute), 6_000);
        }
        assert_eq!(rate.per_minute(at(1_200), 6_000), Some(0));
        rate.sample(at(2_400), 12_000);
        assert_eq!(rate.per_minute(at(2_400), 12_000), Some(300), "a pause is part of the rate");
    }
}
