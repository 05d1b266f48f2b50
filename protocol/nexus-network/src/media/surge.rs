//! What a crowded interface costs more: the square of how full its queue is. Spec: spec/network.md#price.

use nexus_machine::{Duration, Instant};

/// How often a queue is looked at that changes,
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// and one that stands still in the end.
const LAZY: Duration = Duration::from_secs(64);
/// A raised price stays for so long: ten rounds of gossip. After a relapse it stays for twice as long, six times as long at most.
const HOLD: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(3_600);
/// One, in parts of 65,536.
const ONE: u32 = 1 << 16;
/// From here on a price is raised.
const HALF: u32 = ONE / 2;
/// By so much at least, of the whole price.
const STEP_PARTS: u32 = 32;

/// The price of one interface, as far as it depends on its queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surge {
    /// How full the queue is, averaged over seconds, in 65,536ths.
    fullness: u32,
    /// How full it was when it was looked at last, and how long that was to be enough.
    seen: u32,
    pause: Duration,
    /// By how much the price is raised, in 65,536ths of it.
    extra: u32,
    /// The most that was called for since the last review.
    called_for: u32,
    review_at: Instant,
    hold: Duration,
    /// When a raised price was last taken back.
    fell_at: Option<Instant>,
}

impl Default for Surge {
    fn default() -> Self {
        let (review_at, hold) = (Instant::BOOT, HOLD);
        Self { fullness: 0, seen: 0, pause: LOOK, extra: 0, called_for: 0, review_at, hold, fell_at: None }
    }
}

impl Surge {
    pub(super) const fn extra(&self) -> u32 {
        self.extra
    }

    /// When to look again; never, if there is nothing to be seen.
    pub(super) fn look_at(&self, now: Instant) -> Option<Instant> {
        match (self.fullness, self.seen, self.extra) {
            (0, 0, 0) => None,
            (0, 0, _) => Some(self.review_at.max(now.after(LOOK))),
            _ => Some(now.after(self.pause)),
        }
    }

    /// Looks at a queue that is so full, in 65,536ths. Returns by how much the price is raised, if that is another than before.
    pub(super) fn look(&mut self, now: Instant, fullness: u32) -> Option<u32> {
        let full = fullness.min(ONE);
        // A queue whose driver says nothing for an hour is not looked at every second.
        self.pause = if full == self.seen { self.pause.times(2).min(LAZY) } else { LOOK };
        self.seen = full;
        // A quarter of what is seen counts; the last crumbs go.
        let gap = u32::abs_diff(full, self.fullness).div_ceil(4);
        self.fullness = if full > self.fullness {
            self.fullness.saturating_add(gap)
        } else {
            self.fullness.saturating_sub(gap)
        };
        let target = if self.fullness < HALF { 0 } else { square(self.fullness) };
        self.called_for = self.called_for.max(target);
        let before = self.extra;
        if target > self.extra.saturating_add(ONE.saturating_add(self.extra) / STEP_PARTS) {
            self.raise(now, target);
        } else if self.extra > 0 && now >= self.review_at {
            self.review(now);
        }
        (self.extra != before).then_some(self.extra)
    }

    fn raise(&mut self, now: Instant, target: u32) {
        if self.extra == 0 {
            let relapse = self.fell_at.is_some_and(|fell_at| now.since(fell_at) < self.hold);
            self.hold = if relapse { self.hold.times(2).min(LONGEST) } else { HOLD };
        }
        self.extra = target;
        self.called_for = target;
        self.review_at = now.after(self.hold);
    }

    /// The price is what was called for since the last review.
    fn review(&mut self, now: Instant) {
        self.extra = self.extra.min(self.called_for);
        self.called_for = 0;
        self.review_at = now.after(self.hold);
        if self.extra == 0 {
            self.fell_at = Some(now);
        }
    }
}

/// Of a share in 65,536ths.
fn square(share: u32) -> u32 {
    let square = u64::from(share).saturating_mul(share.into()) >> 16;
    u32::try_from(square).unwrap_or(ONE)
}

/// A price with its surge.
pub(crate) fn surged(base: u64, extra: u32) -> u64 {
    let more = u128::from(base).saturating_mul(extra.into()) >> 16;
    base.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// What was said, second by second.
    fn looks(
        surge: &mut Surge,
        seconds: core::ops::Range<u64>,
        full: impl Fn(u64) -> u32,
    ) -> Vec<(u64, u32)> {
        seconds.filter_map(|second| Some((second, surge.look(at(second), full(second))?))).collect()
    }

    #[test]
    fn a_full_queue_doubles_the_price_and_below_half_nothing_is_asked() {
        let mut surge = Surge::default();
        assert!(looks(&mut surge, 0..60, |_| HALF - 1).is_empty());
        let said = looks(&mut surge, 60..120, |_| ONE);
        assert!(said.is_sorted() && said.len() < 24, "{said:?}");
        assert!((61_000..=ONE).contains(&surge.extra()), "{}", surge.extra());
        assert!((193..=200).contains(&surged(100, surge.extra())));
        assert_eq!(surged(u64::MAX, ONE), u64::MAX);
        assert_eq!(surged(0, ONE), 0, "what is free stays free");
    }

    #[test]
    fn three_quarters_full_costs_nine_sixteenths_more() {
        let mut surge = Surge::default();
        looks(&mut surge, 0..60, |_| ONE / 4 * 3);
        let exact = ONE / 16 * 9;
        assert!(surge.extra().abs_diff(exact) < ONE / 10, "{} of {exact}", surge.extra());
    }

    #[test]
    fn a_queue_that_swings_about_its_half_moves_the_price_once_in_ten_rounds() {
        let mut surge = Surge::default();
        let swings = |second: u64| if (second / 20).is_multiple_of(2) { ONE } else { 0 };
        let said = looks(&mut surge, 0..600, swings);
        assert!(said.is_sorted_by_key(|(_, extra)| *extra), "it only rises: {said:?}");
        assert!(surge.extra() > HALF);
    }

    #[test]
    fn it_falls_ten_rounds_after_the_crowd_and_later_after_a_relapse() {
        let mut surge = Surge::default();
        let crowd = |from: u64| move |second: u64| if second < from + 20 { ONE } else { 0 };
        looks(&mut surge, 0..20, crowd(0));
        let said = looks(&mut surge, 20..2_000, crowd(0));
        let [(fell, 0)] = said[..] else { panic!("{said:?}") };
        assert!((600..1_260).contains(&fell), "{fell}");
        assert_eq!(surge.look_at(at(fell)), None);
        looks(&mut surge, fell + 5..fell + 25, crowd(fell + 5));
        let said = looks(&mut surge, fell + 25..fell + 6_000, crowd(fell + 5));
        let [(again, 0)] = said[..] else { panic!("{said:?}") };
        assert!(again - fell >= 1_200, "{fell} {again}");
    }
}
