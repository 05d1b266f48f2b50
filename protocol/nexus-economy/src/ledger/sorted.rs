//! An order over rows that are kept elsewhere: four bytes and little more for each.
//!
//! A list of short sorted lists. An insertion moves at most one of them, and lists grow by an eighth, so that a million rows have little
//! room to spare. Rows are compared where they lie; the order holds only their numbers.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// The number of a row.
pub(super) type Row = u32;

/// How many rows a list holds before it becomes two.
const LONGEST: usize = 512;

/// The order. Nothing is ever taken out of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorted {
    lists: Vec<Vec<Row>>,
}

/// Where a row would stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    list: usize,
    at: usize,
}

impl Sorted {
    /// The place of the first row that is not below what is looked for. `compare` says how a row stands to that.
    pub(super) fn place(&self, compare: impl Fn(Row) -> Ordering) -> Place {
        let below = |row: &Row| compare(*row) == Ordering::Less;
        let list = self.lists.partition_point(|list| list.last().is_some_and(below));
        let at = self.lists.get(list).map_or(0, |rows| rows.partition_point(below));
        Place { list, at }
    }

    /// The row at a place, if there is one.
    pub(super) fn get(&self, place: Place) -> Option<Row> {
        self.lists.get(place.list)?.get(place.at).copied()
    }

    /// Puts a row at the place that was found for it.
    pub(super) fn insert(&mut self, place: Place, row: Row) {
        if place.list >= self.lists.len() && !self.lists.is_empty() {
            // Behind the last row: at the end of the last list.
            let list = self.lists.len().saturating_sub(1);
            let at = self.lists.get(list).map_or(0, Vec::len);
            return self.insert(Place { list, at }, row);
        }
        if self.lists.is_empty() {
            self.lists.push(Vec::new());
        }
        let Some(rows) = self.lists.get_mut(place.list) else { return };
        if rows.len() == rows.capacity() {
            rows.reserve_exact((rows.len() / 8).max(4));
        }
        rows.insert(place.at.min(rows.len()), row);
        if rows.len() >= LONGEST {
            let upper = rows.split_off(LONGEST / 2);
            rows.shrink_to_fit();
            if self.lists.len() == self.lists.capacity() {
                self.lists.reserve_exact((self.lists.len() / 8).max(4));
            }
            self.lists.insert(place.list.saturating_add(1), upper);
        }
    }

    /// The rows from a place on.
    pub(super) fn from(&self, place: Place) -> impl Iterator<Item = Row> {
        let first = self.lists.get(place.list).and_then(|rows| rows.get(place.at..)).unwrap_or_default();
        let rest = self.lists.get(place.list.saturating_add(1)..).unwrap_or_default();
        first.iter().chain(rest.iter().flatten()).copied()
    }

    /// All rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = Row> {
        self.lists.iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        /// Rows are numbers in the order of insertion; what they stand for is `values`.
        #[test]
        fn rows_stand_in_the_order_of_what_they_are(values in proptest::collection::btree_set(any::<u16>(), 0..2_000), shuffle: u64) {
            let mut values: Vec<u16> = values.into_iter().collect();
            let mut state = shuffle;
            for at in (1..values.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                values.swap(at, usize::try_from(state >> 33).expect("31 bits") % (at + 1));
            }
            let value = |row: Row| values[usize::try_from(row).expect("small")];
            let mut sorted = Sorted::default();
            for row in 0..u32::try_from(values.len()).expect("small") {
                let place = sorted.place(|other| value(other).cmp(&value(row)));
                sorted.insert(place, row);
            }
            let all: BTreeSet<u16> = values.iter().copied().collect();
            prop_assert!(sorted.iter().map(value).eq(all.iter().copied()));
            for looked in [0, 7, 30_000, u16::MAX] {
                let place = sorted.place(|row| value(row).cmp(&looked));
                prop_assert!(sorted.from(place).map(value).eq(all.range(looked..).copied()));
                prop_assert_eq!(sorted.get(place).map(value), all.range(looked..).next().copied());
            }
        }
    }
}
