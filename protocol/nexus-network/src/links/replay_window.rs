//! Which counters were received under a key: each is accepted once.

use alloc::boxed::Box;
use alloc::vec;

/// A sliding window over counters. Asked after the tag verified, so that nobody but the peer moves it.
///
/// A ring of words, one more than the window spans, so that a word that is being filled never wipes one that still counts
/// (the technique of RFC 6479).
#[derive(Debug)]
pub(crate) struct ReplayWindow {
    words: Box<[u64]>,
    /// The highest counter received; none yet.
    highest: Option<u32>,
}

/// Whether a counter may be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Not received before.
    Fresh,
    /// Received before.
    Replayed,
    /// Too far behind to be remembered.
    TooOld,
}

const WORD: u32 = 64;

impl ReplayWindow {
    /// A window of `size` counters, a multiple of 64.
    pub(crate) fn new(size: u16) -> Self {
        let words = usize::from(size / 64).saturating_add(1);
        Self { words: vec![0; words].into_boxed_slice(), highest: None }
    }

    /// The highest counter received.
    pub(crate) const fn highest(&self) -> Option<u32> {
        self.highest
    }

    /// What is to be made of `counter`.
    pub(crate) fn judge(&self, counter: u32) -> Freshness {
        let Some(highest) = self.highest else { return Freshness::Fresh };
        if counter > highest {
            return Freshness::Fresh;
        }
        if highest.saturating_sub(counter) >= self.size() {
            return Freshness::TooOld;
        }
        let (word, bit) = self.place(counter);
        match self.words.get(word) {
            Some(marks) if marks & bit == 0 => Freshness::Fresh,
            Some(_) | None => Freshness::Replayed,
        }
    }

    /// Remembers `counter`, which was judged fresh.
    pub(crate) fn mark(&mut self, counter: u32) {
        let highest = self.highest.unwrap_or(0);
        if self.highest.is_none() || counter > highest {
            self.advance(highest, counter);
            self.highest = Some(counter);
        }
        let (word, bit) = self.place(counter);
        if let Some(marks) = self.words.get_mut(word) {
            *marks |= bit;
        }
    }

    /// The 32 counters before the highest: bit i is `highest − 1 − i`.
    pub(crate) fn bitmap(&self) -> u32 {
        let Some(highest) = self.highest else { return 0 };
        (0..32).fold(0, |bitmap, bit| {
            let received = highest
                .checked_sub(bit)
                .and_then(|counter| counter.checked_sub(1))
                .is_some_and(|counter| self.judge(counter) == Freshness::Replayed);
            if received { bitmap | 1_u32.wrapping_shl(bit) } else { bitmap }
        })
    }

    /// Wipes the words that come into view between two highest counters.
    fn advance(&mut self, from: u32, to: u32) {
        let (from, to) = (from / WORD, to / WORD);
        let ring = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        let steps = to.saturating_sub(from).min(ring);
        for step in 0..steps {
            let place = self.ring_place(to.saturating_sub(step));
            if let Some(word) = self.words.get_mut(place) {
                *word = 0;
            }
        }
    }

    fn size(&self) -> u32 {
        u32::try_from(self.words.len().saturating_sub(1)).unwrap_or(0).saturating_mul(WORD)
    }

    fn place(&self, counter: u32) -> (usize, u64) {
        (self.ring_place(counter / WORD), 1_u64.wrapping_shl(counter % WORD))
    }

    fn ring_place(&self, word: u32) -> usize {
        usize::try_from(word).unwrap_or(0).checked_rem(self.words.len()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use nexus_machine::Seed;

    #[test]
    fn each_counter_is_accepted_once_and_old_ones_never() {
        let mut window = ReplayWindow::new(64);
        for counter in [5, 3, 70, 8] {
            assert_eq!(window.judge(counter), Freshness::Fresh, "{counter}");
            window.mark(counter);
            assert_eq!(window.judge(counter), Freshness::Replayed, "{counter}");
        }
        assert_eq!((window.judge(6), window.judge(7)), (Freshness::TooOld, Freshness::Fresh));
        window.mark(u32::MAX);
        assert_eq!((window.judge(70), window.judge(u32::MAX - 63)), (Freshness::TooOld, Freshness::Fresh));
    }

    #[test]
    fn it_agrees_with_a_set_over_any_order() {
        for (size, seed) in [(64, 1), (2_048, 2)] {
            let mut random = Seed::new([seed; 32]).fork("order");
            let (mut window, mut set, mut highest) = (ReplayWindow::new(size), BTreeSet::new(), None::<u32>);
            let mut base = 0_u32;
            for _ in 0..20_000 {
                base += u32::try_from(random.below(4)).unwrap();
                let back = u32::try_from(random.below(u64::from(size) * 3 / 2)).unwrap();
                let counter = base.saturating_sub(if random.chance(1, 2) { back } else { 0 });
                let expected = if highest.is_some_and(|highest| highest >= counter + u32::from(size)) {
                    Freshness::TooOld
                } else if set.contains(&counter) {
                    Freshness::Replayed
                } else {
                    Freshness::Fresh
                };
                assert_eq!(window.judge(counter), expected, "{counter} under {highest:?}");
                if expected == Freshness::Fresh {
                    window.mark(counter);
                    set.insert(counter);
                    highest = highest.max(Some(counter));
                }
            }
        }
    }

    #[test]
    fn the_bitmap_tells_the_32_before_the_highest() {
        let mut window = ReplayWindow::new(64);
        assert_eq!((window.highest(), window.bitmap()), (None, 0));
        for counter in [0, 1, 2, 4, 33] {
            window.mark(counter);
        }
        assert_eq!(window.highest(), Some(33));
        // 33 − 1 − i: 4 is bit 28, 2 bit 30, 1 bit 31; 0 is out of sight.
        assert_eq!(window.bitmap(), 1 << 28 | 1 << 30 | 1 << 31);
    }
}
