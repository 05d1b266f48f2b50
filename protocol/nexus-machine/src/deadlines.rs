//! Many named timers, one next deadline.

use alloc::collections::{BTreeMap, BinaryHeap};
use core::cmp::Reverse;

use crate::time::Instant;

/// A heap of deadlines, each with an owner. An owner has at most one deadline; setting it again moves it.
///
/// Moved and cancelled entries stay in the heap until they surface or until they outnumber the live ones, when the
/// heap is rebuilt: the heap holds at most twice the live entries plus sixteen, whatever is set and cancelled.
/// Ties fire in the order of their owners, so that two runs agree.
#[derive(Debug)]
pub struct Deadlines<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
    live: BTreeMap<K, Instant>,
}

/// How many dead entries a heap may hold besides its live ones before it is rebuilt.
const SLACK: usize = 16;

impl<K> Default for Deadlines<K>
where
    K: Ord + Copy,
{
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), live: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Deadlines<K> {
    /// Sets the deadline of `owner`, in place of any it had. [`Instant::NEVER`] cancels it.
    pub fn set(&mut self, owner: K, at: Instant) {
        if at == Instant::NEVER {
            return self.cancel(owner);
        }
        if self.live.insert(owner, at) != Some(at) {
            self.heap.push(Reverse((at, owner)));
        }
        self.tidy();
    }

    /// Forgets the deadline of `owner`.
    pub fn cancel(&mut self, owner: K) {
        self.live.remove(&owner);
        self.tidy();
    }

    /// The deadline of `owner`.
    #[must_use]
    pub fn get(&self, owner: K) -> Option<Instant> {
        self.live.get(&owner).copied()
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out one owner whose deadline is not after `now`, earliest first.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, owner)) = self.heap.pop()?;
        self.live.remove(&owner);
        self.tidy();
        Some(owner)
    }

    /// How many deadlines are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether no deadline is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Keeps the invariant that the top of the heap is live and the dead are few.
    fn tidy(&mut self) {
        while self.heap.peek().is_some_and(|Reverse((at, owner))| self.live.get(owner) != Some(at)) {
            self.heap.pop();
        }
        if self.heap.len() > self.live.len().saturating_mul(2).saturating_add(SLACK) {
            self.heap = self.live.iter().map(|(owner, at)| Reverse((*at, *owner))).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn owners_fire_in_order_of_time_then_name() {
        let mut deadlines = Deadlines::default();
        deadlines.set('b', at(5));
        deadlines.set('a', at(5));
        deadlines.set('c', at(1));
        deadlines.set('d', at(9));
        let mut due = Vec::new();
        while let Some(owner) = deadlines.pop_due(at(5)) {
            due.push(owner);
        }
        assert_eq!(due, ['c', 'a', 'b']);
        assert_eq!(deadlines.next(), Some(at(9)));
    }

    #[test]
    fn moving_a_deadline_either_way_fires_once() {
        let mut deadlines = Deadlines::default();
        deadlines.set('a', at(5));
        deadlines.set('a', at(2));
        deadlines.set('b', at(3));
        deadlines.set('b', at(8));
        deadlines.set('a', at(5));
        assert_eq!(deadlines.next(), Some(at(5)));
        assert_eq!(deadlines.pop_due(at(100)), Some('a'));
        assert_eq!(deadlines.pop_due(at(100)), Some('b'));
        assert_eq!(deadlines.pop_due(at(100)), None);
        assert!(deadlines.is_empty());
    }

    #[test]
    fn never_is_no_deadline() {
        let mut deadlines = Deadlines::default();
        deadlines.set('a', at(1));
        deadlines.set('a', Instant::NEVER);
        assert_eq!((deadlines.next(), deadlines.get('a')), (None, None));
    }

    #[test]
    fn setting_and_cancelling_for_ever_keeps_the_heap_small() {
        let mut deadlines = Deadlines::default();
        deadlines.set(0, at(1));
        for n in 1..10_000u32 {
            deadlines.set(1 + n % 4, at(10_000_000 - u64::from(n)));
            if n % 7 == 0 {
                deadlines.cancel(1 + n % 4);
            }
            assert!(deadlines.heap.len() <= 2 * deadlines.live.len() + SLACK);
        }
        assert_eq!(deadlines.next(), Some(at(1)));
    }
}
