//! How two neighbours find what differs between their stores. Spec: spec/network.md#summaries.
//!
//! A summary says in few bytes what a store holds, in one of two forms: a [`bloom`] filter, whose length goes with what is held,
//! or a [`sketch`], whose length goes with what differs. Whoever hears one finds what the other lacks and sends it; nothing is
//! asked for. A [`Comparison`] is what a node remembers of one store towards one neighbour: how much differs as far as it knows,
//! and how far a sketch has come that is longer than a message. All of it is pure, and any bytes of a neighbour are harmless:
//! they cost at most [`sketch::SYMBOLS_MAX`] symbols of memory and passes over the ids.

pub mod bloom;
mod comparison;
mod marks;
mod peeling;
pub mod sketch;

use nexus_wire::nexus::gossip::{Form, ItemId, StateHash, Summary};

pub use comparison::{Comparison, Told};

/// What a node holds of a store: its ids, each once, in any order; how many they are; and the hash of them all.
#[derive(Clone, Copy, Debug)]
pub struct Own<I> {
    /// The ids. Gone through once or twice for each summary.
    pub ids: I,
    /// How many they are.
    pub count: u32,
    /// The hash of the store.
    pub state_hash: StateHash,
}

/// How much a round may say on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The longest filter of a message, in bytes.
    filter: usize,
    /// How many messages.
    messages: usize,
}

impl Room {
    /// On links of at least 10 kbit/s: what fits a message of a link, and as many of them as a stream of symbols may be long.
    pub const AMPLE: Self = Self { filter: 469, messages: 35 };
    /// Below 10 kbit/s.
    pub const NARROW: Self = Self { filter: 256, messages: 1 };
    /// Below 1 kbit/s.
    pub const NARROWEST: Self = Self { filter: 64, messages: 1 };

    /// The room on a link of so many bits a second.
    #[must_use]
    pub const fn at(bits_per_second: u64) -> Self {
        match bits_per_second {
            0..1_000 => Self::NARROWEST,
            1_000..10_000 => Self::NARROW,
            10_000.. => Self::AMPLE,
        }
    }

    /// The same, but at most so many messages, at least one.
    #[must_use]
    pub fn within(self, messages: usize) -> Self {
        Self { messages: self.messages.min(messages).max(1), ..self }
    }

    /// The same, but with filters of at most so many bytes; no room of which nothing can be said.
    #[must_use]
    pub fn clipped(self, filter: usize) -> Option<Self> {
        (filter >= Self::NARROWEST.filter).then(|| Self { filter: self.filter.min(filter), ..self })
    }

    /// The longest filter of a message, in bytes.
    #[must_use]
    pub const fn filter_max(self) -> usize {
        self.filter
    }

    /// The longest filter of a message about a store of so many items, in bytes: sketches are told where they are not half as long
    /// again as a Bloom filter.
    #[must_use]
    pub fn filter_for(self, items: u32) -> usize {
        let filter = usize::try_from(bloom::bytes_for(items)).unwrap_or(usize::MAX);
        let sketch = filter.saturating_mul(3).div_ceil(2).saturating_add(sketch::START_LEN);
        sketch.min(self.filter)
    }

    /// How many symbols of a sketch a message has room for.
    fn symbols(self) -> usize {
        self.filter.saturating_sub(sketch::START_LEN).checked_div(sketch::SYMBOL_LEN).unwrap_or_default()
    }
}

/// Whether `summary` is of somebody who holds nothing: an empty filter, or a whole one of zeros.
#[must_use]
pub fn is_newcomer(summary: &Summary<'_>) -> bool {
    match summary.form {
        Form::Bloom => summary.slice.count() == 1 && summary.filter.iter().all(|byte| *byte == 0),
        Form::Sketch => summary.count == 0,
    }
}

/// The first `most` of `found`, and how many there were.
fn at_most<'a>(found: impl Iterator<Item = &'a ItemId>, most: usize) -> (alloc::vec::Vec<ItemId>, u32) {
    let mut ids = alloc::vec::Vec::new();
    let mut count: u32 = 0;
    for id in found {
        count = count.saturating_add(1);
        if ids.len() < most {
            ids.push(*id);
        }
    }
    (ids, count)
}

#[cfg(test)]
mod tests;
