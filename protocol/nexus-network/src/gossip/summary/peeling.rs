//! Symbols that were heard, and how names are taken out of them. Bounded whatever they are: so many symbols give up at most so
//! many names.

use alloc::vec::Vec;

use super::sketch::{Item, SYMBOLS_MAX};

/// Symbols of one row, by their places, which need not be all of it: what a lost message held only makes it longer.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    places: Vec<u16>,
    sums: Vec<u64>,
}

/// What came out of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Peeled {
    /// The names, in order.
    pub(super) names: Vec<u64>,
    /// How much of the row it explains.
    pub(super) explained: Explained,
}

/// How much of a row's symbols the names that were found add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explained {
    /// All of it: these are all the differences.
    Whole,
    /// There are others.
    Part,
}

impl Row {
    /// Appends symbols that stand side by side, as far as they are further along the row than those before.
    pub(super) fn append(&mut self, start: u16, symbols: impl Iterator<Item = u64>) {
        let from = self.places.last().map_or(0, |last| last.saturating_add(1));
        for (place, symbol) in (start..SYMBOLS_MAX).zip(symbols).filter(|(place, _)| *place >= from) {
            self.places.push(place);
            self.sums.push(symbol);
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.places.len()
    }

    /// Adds the item, or takes it away, which is the same.
    pub(super) fn toggle(&mut self, item: Item) {
        for place in item.places() {
            if self.places.last().is_none_or(|last| *last < place) {
                return;
            }
            if let Some(sum) = self.at(place).and_then(|at| self.sums.get_mut(at)) {
                *sum ^= item.symbol();
            }
        }
    }

    /// Where the symbol of this place is. It is its own index as long as nothing was lost.
    fn at(&self, place: u16) -> Option<usize> {
        let index = usize::from(place);
        if self.places.get(index) == Some(&place) {
            Some(index)
        } else {
            self.places.binary_search(&place).ok()
        }
    }

    /// Takes out every name that is alone in a symbol, until none is.
    pub(super) fn peel(mut self) -> Peeled {
        let mut names = Vec::new();
        while self.take_out(&mut names) && names.len() < self.len() {}
        names.sort_unstable();
        let names = without_pairs(&names);
        let explained =
            if self.sums.iter().all(|sum| *sum == 0) { Explained::Whole } else { Explained::Part };
        Peeled { names, explained }
    }

    /// Goes through the row once. Whether any name came out.
    fn take_out(&mut self, names: &mut Vec<u64>) -> bool {
        let before = names.len();
        for index in 0..self.len() {
            let symbol = self.places.get(index).zip(self.sums.get(index));
            let Some(item) = symbol.and_then(|(place, sum)| Item::alone_in(*sum, *place)) else { continue };
            if names.len() >= self.len() {
                break;
            }
            names.push(item.name());
            self.toggle(item);
        }
        names.len() > before
    }
}

/// A name that came out twice was never there: sums that looked like it by chance.
fn without_pairs(sorted: &[u64]) -> Vec<u64> {
    sorted
        .chunk_by(|a, b| a == b)
        .filter(|same| same.len() % 2 == 1)
        .filter_map(|same| same.first().copied())
        .collect()
}
