//! Collections that know their bounds: unknown peers feed nothing without one.
//!
//! Each states a capacity and what happens at it. Nothing that was pushed out disappears silently: it is returned, so that
//! the owner can count it, answer it or pass it on.

use alloc::collections::{BTreeMap, VecDeque};
use core::ops::Bound;

/// A first-in first-out queue with a bound on its items and on their total weight (usually bytes).
#[derive(Debug)]
pub struct BoundedQueue<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    max_items: usize,
    max_weight: usize,
    overflow: QueueOverflow,
}

/// What a full queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOverflow {
    /// The newcomer is turned away.
    RefuseNew,
    /// The longest-waiting items make room.
    DropOldest,
}

/// What became of a push.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what was turned away or pushed out is to be counted"]
pub enum Pushed<T> {
    /// It waits, and nothing was lost.
    Queued,
    /// It waits, and these, oldest first, made room.
    Displaced(VecDeque<T>),
    /// It was turned away: the queue is full, or it is heavier than the whole queue may be.
    Refused(T),
}

impl<T> BoundedQueue<T> {
    /// A queue of at most `max_items` items that together weigh at most `max_weight`.
    #[must_use]
    pub const fn new(max_items: usize, max_weight: usize, overflow: QueueOverflow) -> Self {
        Self { items: VecDeque::new(), weight: 0, max_items, max_weight, overflow }
    }

    /// Whether an item of this weight fits in, whatever has to make room for it.
    #[must_use]
    pub const fn admits(&self, weight: usize) -> bool {
        self.max_items > 0 && weight <= self.max_weight
    }

    /// Appends `item`, which weighs `weight`.
    pub fn push(&mut self, item: T, weight: usize) -> Pushed<T> {
        if !self.admits(weight) {
            return Pushed::Refused(item);
        }
        let mut displaced = VecDeque::new();
        while self.items.len() >= self.max_items || self.weight.saturating_add(weight) > self.max_weight {
            match self.overflow {
                QueueOverflow::RefuseNew => return Pushed::Refused(item),
                QueueOverflow::DropOldest => displaced.extend(self.pop()),
            }
        }
        self.items.push_back((item, weight));
        self.weight = self.weight.saturating_add(weight);
        if displaced.is_empty() { Pushed::Queued } else { Pushed::Displaced(displaced) }
    }

    /// Takes the longest-waiting item.
    pub fn pop(&mut self) -> Option<T> {
        let (item, weight) = self.items.pop_front()?;
        self.weight = self.weight.saturating_sub(weight);
        Some(item)
    }

    /// The longest-waiting item.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        self.items.front().map(|(item, _)| item)
    }

    /// The longest-waiting item, if it satisfies `test`, taken.
    pub fn pop_if(&mut self, test: impl FnOnce(&T) -> bool) -> Option<T> {
        if test(self.front()?) { self.pop() } else { None }
    }

    /// Takes the longest-waiting item that satisfies `test`; the order of the rest is kept.
    pub fn pop_first(&mut self, test: impl FnMut(&T) -> bool) -> Option<T> {
        let place = self.iter().position(test)?;
        let (item, weight) = self.items.remove(place)?;
        self.weight = self.weight.saturating_sub(weight);
        Some(item)
    }

    /// Takes out all that satisfy `test`, oldest first; the order of the rest is kept.
    pub fn take_out(&mut self, test: impl Fn(&T) -> bool) -> VecDeque<T> {
        let (out, kept) = self.items.drain(..).partition::<VecDeque<_>, _>(|(item, _)| test(item));
        self.items = kept;
        self.weight = self.items.iter().fold(0, |sum, (_, weight)| sum.saturating_add(*weight));
        out.into_iter().map(|(item, _)| item).collect()
    }

    /// All that wait, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|(item, _)| item)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What all that wait weigh together.
    #[must_use]
    pub const fn weight(&self) -> usize {
        self.weight
    }
}

/// An ordered map of at most `capacity` entries.
///
/// Iteration follows the keys' order, the same on every run and target. A use is an insertion or a [`BoundedMap::touch`].
#[derive(Debug)]
pub struct BoundedMap<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    /// Use number → key, oldest use first. Use numbers are unique.
    by_use: BTreeMap<u64, K>,
    uses: u64,
    capacity: usize,
    overflow: MapOverflow,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    used: u64,
}

/// What a full map does with a key that it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOverflow {
    /// The newcomer is turned away.
    RefuseNew,
    /// The entry whose last use is longest ago makes room.
    EvictLeastRecent,
}

/// What became of an insertion.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what was turned away or pushed out is to be counted"]
pub enum Inserted<K, V> {
    /// It is held, and nothing was lost.
    Fresh,
    /// The key was held before, with this value.
    Replaced(V),
    /// It is held, and this entry made room.
    Evicted(K, V),
    /// It was turned away.
    Refused(V),
}

impl<K: Ord + Clone, V> BoundedMap<K, V> {
    /// An empty map of at most `capacity` entries.
    #[must_use]
    pub const fn new(capacity: usize, overflow: MapOverflow) -> Self {
        Self { entries: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0, capacity, overflow }
    }

    /// Holds `value` under `key`. A key that is held already is always replaced.
    pub fn insert(&mut self, key: K, value: V) -> Inserted<K, V> {
        if let Some(entry) = self.entries.get_mut(&key) {
            let old = core::mem::replace(&mut entry.value, value);
            self.touch(&key);
            return Inserted::Replaced(old);
        }
        let mut evicted = None;
        if self.entries.len() >= self.capacity {
            evicted = match self.overflow {
                MapOverflow::RefuseNew => None,
                MapOverflow::EvictLeastRecent => self.pop_least_recent(),
            };
            if evicted.is_none() {
                return Inserted::Refused(value);
            }
        }
        let used = self.next_use();
        self.by_use.insert(used, key.clone());
        self.entries.insert(key, Entry { value, used });
        evicted.map_or(Inserted::Fresh, |(key, value)| Inserted::Evicted(key, value))
    }

    /// The value under `key`. Not a use.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value under `key`. Not a use.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Counts a use of `key`, so that it is evicted last. False if it is not held.
    pub fn touch(&mut self, key: &K) -> bool {
        let used = self.next_use();
        let Some(entry) = self.entries.get_mut(key) else { return false };
        if let Some(key) = self.by_use.remove(&entry.used) {
            self.by_use.insert(used, key);
        }
        entry.used = used;
        true
    }

    /// Takes out the value under `key`.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.by_use.remove(&entry.used);
        Some(entry.value)
    }

    /// Takes out the entry whose last use is longest ago.
    pub fn pop_least_recent(&mut self) -> Option<(K, V)> {
        let (_, key) = self.by_use.pop_first()?;
        let entry = self.entries.remove(&key)?;
        Some((key, entry.value))
    }

    /// The entry whose last use is longest ago.
    #[must_use]
    pub fn least_recent(&self) -> Option<(&K, &V)> {
        let (_, key) = self.by_use.first_key_value()?;
        Some((key, self.get(key)?))
    }

    /// Whether `key` is held.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.value))
    }

    /// The entries behind `after`, in the order of their keys; all without.
    pub fn behind(&self, after: Option<&K>) -> impl Iterator<Item = (&K, &V)> + use<'_, K, V> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.entries.range::<K, _>((begin, Bound::Unbounded));
        entries.map(|(key, entry)| (key, &entry.value))
    }

    /// How many entries are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no entry is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many entries may be held.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    fn next_use(&mut self) -> u64 {
        self.uses = self.uses.saturating_add(1);
        self.uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn a_full_queue_refuses_or_displaces_as_it_was_told() {
        let mut refusing = BoundedQueue::new(2, 100, QueueOverflow::RefuseNew);
        assert_eq!((refusing.push('a', 1), refusing.push('b', 1)), (Pushed::Queued, Pushed::Queued));
        assert_eq!(refusing.push('c', 1), Pushed::Refused('c'));
        let mut dropping = BoundedQueue::new(2, 100, QueueOverflow::DropOldest);
        assert_eq!((dropping.push('a', 1), dropping.push('b', 1)), (Pushed::Queued, Pushed::Queued));
        assert_eq!(dropping.push('c', 1), Pushed::Displaced(['a'].into()));
        assert_eq!(dropping.iter().collect::<Vec<_>>(), [&'b', &'c']);
    }

    #[test]
    fn a_map_is_walked_from_behind_a_key_that_need_not_be_there() {
        let mut map = BoundedMap::new(10, MapOverflow::RefuseNew);
        for key in [1, 3, 5] {
            assert_eq!(map.insert(key, ()), Inserted::Fresh);
        }
        let behind =
            |after: Option<i32>| map.behind(after.as_ref()).map(|(key, ())| *key).collect::<Vec<_>>();
        assert_eq!(
            [None, Some(1), Some(2), Some(5)].map(behind),
            [vec![1, 3, 5], vec![3, 5], vec![3, 5], vec![]]
        );
    }

    #[test]
    fn a_queues_weight_is_bounded_too() {
        let mut queue = BoundedQueue::new(100, 10, QueueOverflow::DropOldest);
        assert_eq!((queue.push('a', 4), queue.push('b', 4)), (Pushed::Queued, Pushed::Queued));
        assert_eq!(queue.push('c', 9), Pushed::Displaced(['a', 'b'].into()));
        assert_eq!(
            queue.push('d', 11),
            Pushed::Refused('d'),
            "heavier than the whole queue: nothing makes room"
        );
        assert_eq!((queue.weight(), queue.len()), (9, 1));
        assert_eq!(queue.pop_if(|item| *item == 'x'), None);
        assert_eq!(queue.pop_if(|item| *item == 'c'), Some('c'));
        assert_eq!((queue.weight(), queue.is_empty()), (0, true));
    }

    #[test]
    fn the_first_that_fits_is_taken_from_between_the_others_and_weighs_no_more() {
        let mut queue = BoundedQueue::new(4, 100, QueueOverflow::RefuseNew);
        for item in [1, 2, 3, 4] {
            assert_eq!(queue.push(item, 10), Pushed::Queued);
        }
        assert_eq!(queue.pop_first(|item| item % 2 == 0), Some(2));
        assert_eq!(queue.pop_first(|item| *item > 9), None);
        assert_eq!((queue.weight(), queue.iter().copied().collect()), (30, Vec::from([1, 3, 4])));
    }

    #[test]
    fn what_is_taken_out_of_a_queue_weighs_no_more() {
        let mut queue = BoundedQueue::new(10, 100, QueueOverflow::RefuseNew);
        for (item, weight) in [('a', 1), ('b', 2), ('a', 4)] {
            assert_eq!(queue.push(item, weight), Pushed::Queued);
        }
        assert_eq!(queue.take_out(|item| *item == 'a'), ['a', 'a']);
        assert_eq!((queue.pop(), queue.weight(), queue.pop()), (Some('b'), 0, None));
        assert_eq!(queue.take_out(|_| true), [] as [char; 0]);
    }

    #[test]
    fn a_full_map_evicts_what_was_not_used_longest() {
        let mut map = BoundedMap::new(2, MapOverflow::EvictLeastRecent);
        assert_eq!((map.insert('a', 1), map.insert('b', 2)), (Inserted::Fresh, Inserted::Fresh));
        assert!(map.touch(&'a'));
        assert_eq!(map.least_recent(), Some((&'b', &2)));
        assert_eq!(map.insert('c', 3), Inserted::Evicted('b', 2));
        assert_eq!(map.insert('a', 9), Inserted::Replaced(1));
        assert_eq!(map.pop_least_recent(), Some(('c', 3)));
        assert_eq!(map.iter().collect::<Vec<_>>(), [(&'a', &9)]);
    }

    #[test]
    fn a_refusing_map_keeps_what_it_has() {
        let mut map = BoundedMap::new(1, MapOverflow::RefuseNew);
        assert_eq!(map.insert('a', 1), Inserted::Fresh);
        assert_eq!(map.insert('b', 2), Inserted::Refused(2));
        assert_eq!(map.insert('a', 3), Inserted::Replaced(1));
        assert_eq!(map.remove(&'a'), Some(3));
        assert_eq!(map.insert('b', 2), Inserted::Fresh);
        assert!(!map.touch(&'z') && map.contains(&'b') && map.len() == 1 && map.capacity() == 1);
    }

    #[test]
    fn a_map_without_room_refuses_everything() {
        let mut map = BoundedMap::new(0, MapOverflow::EvictLeastRecent);
        assert_eq!(map.insert('a', 1), Inserted::Refused(1));
        assert!(map.is_empty() && map.by_use.is_empty());
    }
}
