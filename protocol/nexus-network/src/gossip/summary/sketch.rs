//! A rateless sketch: an endless row of symbols, each the sum of some of the items' names. Whoever holds nearly the same takes
//! its own symbols away and finds the names that remain, from about as many symbols as names.
//!
//! Source: spec/network.md#sketches; Yang, Gilad and Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024, for the
//! distribution of items over symbols. Two things are other than there: a symbol has no counter, since whoever recovers a name
//! sees by its own store on which side it is; and the distribution is drawn exactly, in integers.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use nexus_wire::nexus::gossip::{ItemId, Slice};

use super::marks::in_slice;

/// A symbol on the wire: the sum of names, 6 bytes, and the sum of their checks, 2 bytes, both without carry.
pub const SYMBOL_LEN: usize = 8;
/// What stands before the symbols: the place of the first in the row.
pub const START_LEN: usize = 2;
/// How long a row may be. What differs in more items than this recovers is told in slices.
pub const SYMBOLS_MAX: u16 = 2_048;

const NAME_BITS: u32 = 48;
const NAME: u64 = (1 << NAME_BITS) - 1;

/// How many symbols recover so many differences about nine times in ten.
#[must_use]
pub fn symbols_for(differences: u32) -> u32 {
    let spread = differences.min(16);
    differences.saturating_add(differences.saturating_mul(2).div_ceil(5)).saturating_add(spread).max(2)
}

/// The symbols at `places` of the row of those of `ids` that lie in `slice`, as they stand in messages of so many symbols each:
/// `start u16 ‖ symbol[8]*`. Goes through the ids once.
pub fn filters<'a>(
    ids: impl Iterator<Item = &'a ItemId>,
    salt: u32,
    slice: Slice,
    places: Range<u16>,
    per_message: u16,
) -> impl Iterator<Item = Vec<u8>> {
    let mut sums = vec![0; places.len()];
    for (_, marks) in in_slice(ids, salt, slice) {
        add(marks.name(), &mut sums, places.start);
    }
    let starts = places.step_by(usize::from(per_message.max(1)));
    let mut sums = sums.into_iter();
    starts.map(move |start| {
        let symbols = sums.by_ref().take(usize::from(per_message.max(1)));
        start.to_le_bytes().into_iter().chain(symbols.flat_map(u64::to_le_bytes)).collect()
    })
}

/// The filter of a sketch without symbols.
pub(super) fn nothing() -> Vec<u8> {
    vec![0; START_LEN]
}

/// The place of the first symbol in a message's filter, and the symbols; what is left over of the last is nothing.
pub(super) fn read(filter: &[u8]) -> Option<(u16, impl ExactSizeIterator<Item = u64>)> {
    let (start, symbols) = filter.split_first_chunk()?;
    let (symbols, _) = symbols.as_chunks();
    Some((u16::from_le_bytes(*start), symbols.iter().map(|symbol| u64::from_le_bytes(*symbol))))
}

/// Adds the item called `name` to the symbols from `start` on.
fn add(name: u64, sums: &mut [u64], start: u16) {
    let item = Item::called(name);
    for place in item.places().map(|place| place.checked_sub(start)) {
        let Some(place) = place else { continue };
        let Some(sum) = sums.get_mut(usize::from(place)) else { return };
        *sum ^= item.symbol;
    }
}

/// An item as sketches know it: what it adds to each of its symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    symbol: u64,
}

impl Item {
    pub(super) fn called(name: u64) -> Self {
        let name = name & NAME;
        Self { symbol: name | (mixed(name) >> NAME_BITS) << NAME_BITS }
    }

    /// The item that is alone in the symbol at `place`, if one is: its check is right, and it belongs there.
    pub(super) fn alone_in(symbol: u64, place: u16) -> Option<Self> {
        let item = Self::called(symbol);
        let belongs = || item.places().find(|at| *at >= place) == Some(place);
        (symbol != 0 && item.symbol == symbol && belongs()).then_some(item)
    }

    pub(super) const fn name(self) -> u64 {
        self.symbol & NAME
    }

    pub(super) const fn symbol(self) -> u64 {
        self.symbol
    }

    /// Where in the row the item is, from the first place on, in order: at place i with a probability of 1 / (1 + i/2).
    pub(super) fn places(self) -> Places {
        Places { seed: self.symbol & NAME, next: Some(0) }
    }
}

/// The places of an item.
#[derive(Clone, Debug)]
pub(super) struct Places {
    seed: u64,
    next: Option<u16>,
}

impl Iterator for Places {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        let place = self.next?;
        self.seed = self.seed.wrapping_add(GOLDEN);
        let draw = (mixed(self.seed) >> 32).saturating_add(1);
        self.next = Some(after(place, draw)).filter(|next| *next < SYMBOLS_MAX);
        Some(place)
    }
}

/// The place after `place`, by a draw of 1 … 2³². Items are at each place i independently with probability 2 / (2 + i), so that
/// none lies from i + 1 to j with probability (i+1)(i+2) / ((j+1)(j+2)): the first j at which that is below draw / 2³².
fn after(place: u16, draw: u64) -> u16 {
    let place = u64::from(place);
    let here = place.saturating_add(1).saturating_mul(place.saturating_add(2));
    let passed = (here << 32).checked_div(draw).unwrap_or_default();
    // (j+1)(j+2) > passed, that is 2j + 3 > the root of 4·passed + 1.
    let root = passed.saturating_mul(4).saturating_add(1).isqrt();
    u16::try_from(root.saturating_sub(1) >> 1).unwrap_or(u16::MAX)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// `SplitMix64`'s mixing function. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014, with the
/// constants of Stafford's variant 13.
fn mixed(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}
