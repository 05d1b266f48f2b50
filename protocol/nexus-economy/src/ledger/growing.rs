//! What only grows, and joins: the two types that the ledger is made of.
//!
//! A join is commutative, associative and idempotent, and never loses anything: replicas that heard the same agree, whatever the order
//! and however often. Source: Shapiro, Preguiça, Baquero and Zawirski, "A comprehensive study of convergent and commutative replicated
//! data types", 2011, specifications 6 and 11; spec/economy.md#growing-types.

use alloc::collections::{BTreeMap, BTreeSet};

/// A state that merges with another of its kind to the least that has what both have.
pub trait Join {
    /// Takes in what `other` has.
    fn join(&mut self, other: &Self);
}

/// A count made of parts, each of which only grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GCounter<K> {
    parts: BTreeMap<K, u64>,
}

impl<K> Default for GCounter<K> {
    fn default() -> Self {
        Self { parts: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> GCounter<K> {
    /// The part `key` is at least `count` from now on.
    pub fn raise(&mut self, key: K, count: u64) {
        if count > 0 {
            let part = self.parts.entry(key).or_insert(0);
            *part = (*part).max(count);
        }
    }

    /// The part `key`.
    #[must_use]
    pub fn part(&self, key: &K) -> u64 {
        self.parts.get(key).copied().unwrap_or(0)
    }

    /// All parts together. Wider than a part, so that no number of parts that memory holds overflows it.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.parts.values().fold(0, |sum, part| sum.saturating_add(u128::from(*part)))
    }

    /// The parts that are not zero, in the order of their keys.
    pub fn parts(&self) -> impl Iterator<Item = (&K, u64)> {
        self.parts.iter().map(|(key, part)| (key, *part))
    }
}

impl<K: Ord + Clone> Join for GCounter<K> {
    fn join(&mut self, other: &Self) {
        for (key, part) in &other.parts {
            self.raise(key.clone(), *part);
        }
    }
}

/// A set from which nothing is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GSet<T> {
    items: BTreeSet<T>,
}

impl<T> Default for GSet<T> {
    fn default() -> Self {
        Self { items: BTreeSet::new() }
    }
}

impl<T: Ord + Clone> GSet<T> {
    /// Puts `item` in; whether it was not there before.
    pub fn insert(&mut self, item: T) -> bool {
        self.items.insert(item)
    }

    /// Whether `item` is in it.
    #[must_use]
    pub fn contains(&self, item: &T) -> bool {
        self.items.contains(item)
    }

    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }
}

impl<T: Ord + Clone> Join for GSet<T> {
    fn join(&mut self, other: &Self) {
        self.items.extend(other.items.iter().cloned());
    }
}

#[cfg(test)]
pub(super) mod laws {
    //! The laws of a join, for any state.

    use core::fmt::Debug;

    use super::Join;

    fn joined<S: Join + Clone>(one: &S, other: &S) -> S {
        let mut both = one.clone();
        both.join(other);
        both
    }

    /// Commutative, associative, idempotent, and growing: what was joined once joins to nothing more.
    pub(in crate::ledger) fn hold<S: Join + Clone + PartialEq + Debug>(a: &S, b: &S, c: &S) {
        assert_eq!(joined(a, b), joined(b, a), "commutative");
        assert_eq!(joined(&joined(a, b), c), joined(a, &joined(b, c)), "associative");
        assert_eq!(joined(a, a), *a, "idempotent");
        assert_eq!(joined(&joined(a, b), b), joined(a, b), "what is in it adds nothing");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn counter(parts: Vec<(u8, u64)>) -> GCounter<u8> {
        let mut counter = GCounter::default();
        for (key, part) in parts {
            counter.raise(key, part);
        }
        counter
    }

    proptest! {
        #[test]
        fn counters_join_by_the_laws(a in vec((0_u8..6, 0_u64..9), 0..8), b in vec((0_u8..6, 0_u64..9), 0..8), c in vec((0_u8..6, any::<u64>()), 0..8)) {
            laws::hold(&counter(a), &counter(b), &counter(c));
        }

        #[test]
        fn sets_join_by_the_laws(a: Vec<u8>, b: Vec<u8>, c: Vec<u8>) {
            let set = |items: Vec<u8>| {
                let mut set = GSet::default();
                for item in items {
                    set.insert(item);
                }
                set
            };
            laws::hold(&set(a), &set(b), &set(c));
        }

        #[test]
        fn a_joined_counter_is_pointwise_the_larger_and_never_less_in_all(a in vec((0_u8..6, 0_u64..9), 0..8), b in vec((0_u8..6, 0_u64..9), 0..8)) {
            let (one, other) = (counter(a), counter(b));
            let mut both = one.clone();
            both.join(&other);
            prop_assert!((0..6).all(|key| both.part(&key) == one.part(&key).max(other.part(&key))));
            prop_assert!(both.total() >= one.total().max(other.total()));
            prop_assert_eq!(both.total(), both.parts().map(|(_, part)| u128::from(part)).sum::<u128>());
        }
    }

    #[test]
    fn counters_of_the_largest_parts_do_not_overflow() {
        assert_eq!(counter(vec![(0, u64::MAX), (1, u64::MAX)]).total(), 2 * u128::from(u64::MAX));
    }

    #[test]
    fn a_set_says_whether_an_item_is_new() {
        let mut set = GSet::default();
        assert!(set.is_empty() && set.insert(3) && !set.insert(3) && set.insert(1));
        assert!(set.contains(&3) && !set.contains(&2) && set.len() == 2);
        assert_eq!(set.iter().copied().collect::<Vec<_>>(), [1, 3]);
    }
}
