//! One store towards one neighbour: in which form, how long and in how many slices it is told.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use nexus_wire::nexus::frame::SEALED_OVERHEAD;
use nexus_wire::nexus::gossip::{Form, ItemId, Slice, StateHash, StoreId, Summary};

use super::marks::in_slice;
use super::peeling::{Explained, Peeled, Row};
use super::sketch::{self, Item, SYMBOLS_MAX};
use super::{Own, Room, at_most, bloom, is_newcomer};

/// How many differences are reckoned with where nothing is known.
const AT_FIRST: u32 = 2;

/// What a node remembers of a store towards a neighbour while they differ: at most [`SYMBOLS_MAX`] symbols that it heard.
#[derive(Debug)]
pub struct Comparison {
    /// How many items differ, as far as is known.
    expected: u32,
    /// The row of symbols that was told last.
    told: Option<Telling>,
    /// The neighbour's row that was heard last.
    heard: Option<Hearing>,
    /// The turn over the slices that goes on.
    turn: Option<Turn>,
}

/// A turn over all slices, under one salt.
#[derive(Clone, Copy, Debug)]
struct Turn {
    salt: u32,
    slices: u8,
    next: u8,
}

/// A row of symbols on its way to the neighbour.
#[derive(Clone, Copy, Debug)]
struct Telling {
    salt: u32,
    state_hash: StateHash,
    slice: Slice,
    next: u16,
    /// Whether the neighbour said that it needs more.
    wanted: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// More of the same row.
    More,
    /// Nothing, as far as is known.
    Nothing,
}

/// A row of symbols from the neighbour.
#[derive(Debug)]
struct Hearing {
    salt: u32,
    state_hash: StateHash,
    slice: Slice,
    row: Row,
    end: End,
}

/// Whether a row said all that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Not yet: the neighbour is to go on.
    Ahead,
    /// In this round of the neighbour. What it still says in that round is superfluous.
    In(u32),
}

/// What is to be said in one SUMMARY, beside what [`Own`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Makes hashes of ids be others than those of another round or link.
    pub salt: u32,
    /// In which form.
    pub form: Form,
    /// Of which part of the item space.
    pub slice: Slice,
    /// The filter, or the sketch.
    pub filter: Vec<u8>,
}

impl Told {
    /// The message's body.
    pub const fn summary<I>(&self, store: StoreId, round: u32, own: &Own<I>) -> Summary<'_> {
        let Self { salt, form, slice, .. } = *self;
        let (state_hash, count) = (own.state_hash, own.count);
        Summary { store, round, state_hash, count, salt, form, slice, filter: self.filter.as_slice() }
    }

    const fn bloom(salt: u32, slice: Slice, filter: Vec<u8>) -> Self {
        Self { salt, form: Form::Bloom, slice, filter }
    }

    const fn sketch(salt: u32, slice: Slice, filter: Vec<u8>) -> Self {
        Self { salt, form: Form::Sketch, slice, filter }
    }
}

impl Default for Comparison {
    fn default() -> Self {
        Self::new()
    }
}

impl Comparison {
    /// Nothing is known of the neighbour.
    #[must_use]
    pub const fn new() -> Self {
        Self { expected: AT_FIRST, told: None, heard: None, turn: None }
    }

    /// The neighbour holds the same: what was between the two is forgotten.
    pub fn agreed(&mut self) {
        *self = Self::new();
    }

    /// Whether the neighbour is to be told to go on with a row.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.heard.as_ref().is_some_and(|heard| heard.end == End::Ahead)
    }

    /// So many items that the neighbour lacked were sent to it.
    pub fn sent(&mut self, items: u32) {
        self.expected = self.expected.saturating_sub(items);
    }

    /// What to say to a neighbour that holds something else: one or several messages, in this order, none longer than `room`
    /// allows. `salt` is random, and is used if nothing goes on that began under another.
    pub fn tell<'a, I>(&mut self, own: &Own<I>, salt: u32, room: Room) -> Vec<Told>
    where
        I: Iterator<Item = &'a ItemId> + Clone,
    {
        let symbols = sketch::symbols_for(self.expected);
        if filters_cost(own.count, room) <= symbols_cost(symbols, room) {
            self.told = None;
            return self.filters(own, salt, room);
        }
        if self.waits(own.state_hash) {
            return vec![Told::sketch(salt, Slice::WHOLE, sketch::nothing())];
        }
        let (telling, places) = self.goes_on(own.state_hash, symbols, room).unwrap_or_else(|| {
            let telling = self.begin(own.state_hash, salt, symbols, room);
            (telling, 0..telling.next)
        });
        self.told = Some(telling);
        let per_message = u16::try_from(room.symbols()).unwrap_or(u16::MAX).max(1);
        let filters = sketch::filters(own.ids.clone(), telling.salt, telling.slice, places, per_message);
        filters.map(|filter| Told::sketch(telling.salt, telling.slice, filter)).collect()
    }

    /// Bloom filters of as many slices as a round has room for.
    fn filters<'a, I>(&mut self, own: &Own<I>, salt: u32, room: Room) -> Vec<Told>
    where
        I: Iterator<Item = &'a ItemId> + Clone,
    {
        let slices = bloom::slices_for(own.count, room.filter);
        let each = bytes(bloom::bytes_for(own.count).div_ceil(u32::from(slices))).min(room.filter);
        (0..usize::from(slices).min(room.messages))
            .map(|_| {
                let (slice, salt) = self.next_slice(salt, slices);
                Told::bloom(salt, slice, bloom::filter(own.ids.clone(), salt, slice, each))
            })
            .collect()
    }

    /// The slice whose turn it is, of so many, and the salt of the turn: `salt` if one begins.
    fn next_slice(&mut self, salt: u32, slices: u8) -> (Slice, u32) {
        let turn = self.turn.filter(|turn| turn.slices == slices && turn.next < slices);
        let turn = turn.unwrap_or(Turn { salt, slices, next: 0 });
        self.turn = Some(Turn { next: turn.next.saturating_add(1), ..turn });
        (Slice::new(turn.next, slices).unwrap_or(Slice::WHOLE), turn.salt)
    }

    /// Whether the neighbour's row is to be heard to its end first. If both wait for more, the one of the higher state hash does.
    fn waits(&self, own: StateHash) -> bool {
        self.heard.as_ref().filter(|heard| heard.end == End::Ahead).is_some_and(|heard| {
            heard.row.len() < usize::from(SYMBOLS_MAX) && (self.told.is_none() || own.0 > heard.state_hash.0)
        })
    }

    /// How the row that was told goes on: if the neighbour waits for that, the store is as it was, and there is more.
    fn goes_on(&self, state_hash: StateHash, symbols: u32, room: Room) -> Option<(Telling, Range<u16>)> {
        let told = self.told.filter(|told| told.wanted == Wanted::More && told.state_hash == state_hash)?;
        if told.next >= SYMBOLS_MAX {
            return None;
        }
        let each = symbols.div_ceil(u32::from(told.slice.count()));
        let half_more = told.next.saturating_add(told.next.div_ceil(2));
        let until = u16::try_from(each).unwrap_or(u16::MAX).max(half_more);
        let end = until.min(told.next.saturating_add(capacity(room))).min(SYMBOLS_MAX);
        Some((Telling { next: end, wanted: Wanted::Nothing, ..told }, told.next..end))
    }

    /// A row from its beginning: of everything if that is likely to be enough in one round, else of the slice whose turn it is.
    fn begin(&mut self, state_hash: StateHash, salt: u32, symbols: u32, room: Room) -> Telling {
        let capacity = capacity(room);
        let slices = symbols.div_ceil(u32::from(capacity)).clamp(1, u32::from(Slice::MAX_COUNT));
        let slices = u8::try_from(slices).unwrap_or(Slice::MAX_COUNT);
        let (slice, salt) = self.next_slice(salt, slices);
        let each = symbols.div_ceil(u32::from(slices));
        let next = u16::try_from(each).unwrap_or(u16::MAX).min(capacity);
        Telling { salt, state_hash, slice, next, wanted: Wanted::Nothing }
    }

    /// What of `own` the neighbour lacks, as far as its summary says: the first `most` of it.
    pub fn hear<'a, I>(&mut self, summary: &Summary<'_>, own: &Own<I>, most: usize) -> Vec<ItemId>
    where
        I: Iterator<Item = &'a ItemId> + Clone,
    {
        self.expected = self.expected.max(own.count.abs_diff(summary.count));
        if is_newcomer(summary) {
            self.heard = None;
            return at_most(own.ids.clone(), most).0;
        }
        match summary.form {
            Form::Bloom => self.hear_filter(summary, own, most),
            Form::Sketch => self.hear_sketch(summary, own, most),
        }
    }

    fn hear_filter<'a, I>(&mut self, summary: &Summary<'_>, own: &Own<I>, most: usize) -> Vec<ItemId>
    where
        I: Iterator<Item = &'a ItemId> + Clone,
    {
        self.heard = None;
        let (salt, slice) = (summary.salt, summary.slice);
        let (ids, lacking) = at_most(bloom::missing(summary.filter, own.ids.clone(), salt, slice), most);
        let lacking = lacking.saturating_mul(u32::from(slice.count()));
        let lacked = summary.count.saturating_sub(own.count.saturating_sub(lacking));
        let differences = lacking.saturating_add(lacked);
        self.expect(slice, differences);
        ids
    }

    fn hear_sketch<'a, I>(&mut self, summary: &Summary<'_>, own: &Own<I>, most: usize) -> Vec<ItemId>
    where
        I: Iterator<Item = &'a ItemId> + Clone,
    {
        let Some((start, symbols)) = sketch::read(summary.filter) else { return Vec::new() };
        if symbols.len() == 0 {
            self.more_is_wanted();
            return Vec::new();
        }
        let mut heard = self.row_of(summary);
        if heard.end == End::In(summary.round) {
            self.heard = Some(heard);
            return Vec::new();
        }
        heard.row.append(start, symbols);
        let own_in_slice = || in_slice(own.ids.clone(), summary.salt, summary.slice);
        let mut rest = heard.row.clone();
        own_in_slice().for_each(|(_, marks)| rest.toggle(Item::called(marks.name())));
        let Peeled { names, explained } = rest.peel();
        let count = |items: usize| {
            u32::try_from(items).unwrap_or(u32::MAX).saturating_mul(u32::from(summary.slice.count()))
        };
        heard.end = match explained {
            Explained::Whole => {
                self.expect(summary.slice, count(names.len()));
                End::In(summary.round)
            }
            Explained::Part => {
                self.expected = self.expected.max(count(heard.row.len()));
                End::Ahead
            }
        };
        let full = heard.row.len() >= usize::from(SYMBOLS_MAX);
        self.heard = Some(heard);
        if names.is_empty() || explained == Explained::Part && !full {
            return Vec::new();
        }
        let lacking = own_in_slice().filter(|(_, marks)| names.binary_search(&marks.name()).is_ok());
        at_most(lacking.map(|(id, _)| id), most).0
    }

    /// The row that `summary` goes on with, or the one that it begins.
    fn row_of(&mut self, summary: &Summary<'_>) -> Hearing {
        let (salt, state_hash, slice) = (summary.salt, summary.state_hash, summary.slice);
        let same = |heard: &Hearing| (heard.salt, heard.state_hash, heard.slice) == (salt, state_hash, slice);
        let begun = self.heard.take().filter(same);
        begun.unwrap_or_else(|| Hearing { salt, state_hash, slice, row: Row::default(), end: End::Ahead })
    }

    /// How much differs, as far as `slice` shows: a slice among others shows it roughly.
    fn expect(&mut self, slice: Slice, differences: u32) {
        let differences =
            if slice == Slice::WHOLE { differences } else { self.expected.midpoint(differences) };
        self.expected = differences.max(1);
    }

    /// The neighbour heard a row and waits for more of it.
    fn more_is_wanted(&mut self) {
        let Some(told) = &mut self.told else {
            // Both wait for what the other does not tell, since messages were lost.
            self.heard = None;
            return;
        };
        told.wanted = Wanted::More;
        let symbols = u32::from(told.next).saturating_mul(u32::from(told.slice.count()));
        self.expected = self.expected.max(symbols);
    }
}

/// What stands around the filter of a message: the seal, the message's head, the header.
const AROUND: usize = SEALED_OVERHEAD.saturating_add(3).saturating_add(Summary::HEADER_LEN);

/// About what it costs in bytes to tell each other a store of so many items in Bloom filters: the second of the two filters,
/// that of the one who then lacks nothing, is needed as often as not.
fn filters_cost(items: u32, room: Room) -> usize {
    let filters = bytes(bloom::bytes_for(items));
    let messages = filters.div_ceil(room.filter.max(1)).max(1);
    filters.saturating_add(messages.saturating_mul(AROUND)).saturating_mul(3) / 2
}

/// About what so many symbols cost: where a round holds no more than a message, each is answered by one that says go on.
fn symbols_cost(symbols: u32, room: Room) -> usize {
    let messages = bytes(symbols).div_ceil(room.symbols().max(1));
    let asked = if room.messages > 1 { 1 } else { messages };
    let around = messages.saturating_add(asked).saturating_mul(AROUND);
    bytes(symbols).saturating_mul(sketch::SYMBOL_LEN).saturating_add(around)
}

/// How many symbols a round has room for.
fn capacity(room: Room) -> u16 {
    u16::try_from(room.symbols().saturating_mul(room.messages)).unwrap_or(u16::MAX).clamp(1, SYMBOLS_MAX)
}

fn bytes(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
impl Comparison {
    pub(super) fn heard_symbols(&self) -> usize {
        self.heard.as_ref().map_or(0, |heard| heard.row.len())
    }
}
