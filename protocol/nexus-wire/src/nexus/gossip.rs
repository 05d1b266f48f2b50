//! Bodies by which two neighbours bring their stores together: SUMMARY, REQUEST, ITEMS, DONE.
//! Source: spec/wire.md#gossip.

use core::fmt;

use super::message::{Body, MessageKind};
use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// Which replicated store. Unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u8);

impl StoreId {
    /// Identity keys.
    pub const KEYS: Self = Self(1);
    /// Settlements of channels.
    pub const SETTLEMENTS: Self = Self(2);
    /// Certificates of witnesses.
    pub const CERTIFICATES: Self = Self(3);
    /// Proofs of misconduct.
    pub const EVIDENCE: Self = Self(4);
}

/// The hash of all that a store holds. Equal hashes, equal stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateHash(pub [u8; 16]);

impl StateHash {
    /// What a node sends that does not hold the whole store.
    pub const NONE: Self = Self([0; 16]);
}

/// The name of an item: a BLAKE3 hash that its store defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub [u8; 32]);

/// The body of SUMMARY: what a store holds, as a filter over one slice of the item space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary<'a> {
    /// Which store.
    pub store: StoreId,
    /// The sender's gossip round on this link.
    pub round: u32,
    /// The hash of the whole store.
    pub state_hash: StateHash,
    /// How many items the whole store holds.
    pub count: u32,
    /// The filter's salt, so that what one round hides another shows.
    pub salt: u32,
    /// What the filter is.
    pub form: Form,
    /// Which slice of the item space the filter covers.
    pub slice: Slice,
    /// The Bloom filter, or the symbols of a sketch behind the place of the first. A Bloom filter all zero, or empty: a
    /// newcomer, who knows nothing.
    pub filter: &'a [u8],
}

/// What says which items there are. Bit 7 of the number of slices. Source: spec/network.md#summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A Bloom filter.
    Bloom,
    /// `start u16 ‖ symbol[8]*`: symbols of a rateless sketch.
    Sketch,
}

impl Form {
    const SKETCH: u8 = 0x80;

    const fn split(wire: u8) -> (Self, u8) {
        let form = if wire & Self::SKETCH == 0 { Self::Bloom } else { Self::Sketch };
        (form, wire & !Self::SKETCH)
    }

    const fn with(self, slices: u8) -> u8 {
        match self {
            Self::Bloom => slices,
            Self::Sketch => slices | Self::SKETCH,
        }
    }
}

/// Which slice, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    index: u8,
    count: u8,
}

impl Slice {
    /// The whole item space.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
    /// How many slices there may be.
    pub const MAX_COUNT: u8 = 127;

    /// The slice `index`, from 0, of `count`, if there is one.
    #[must_use]
    pub const fn new(index: u8, count: u8) -> Option<Self> {
        if index < count && count <= Self::MAX_COUNT { Some(Self { index, count }) } else { None }
    }

    /// Which slice, from 0.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.index
    }

    /// How many slices, at least 1.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.count
    }
}

impl Summary<'_> {
    /// How many bytes stand before the filter.
    pub const HEADER_LEN: usize = 1 + 4 + 16 + 4 + 4 + 1 + 1;
}

impl<'a> Layout<'a> for Summary<'a> {
    const NAME: &'static str = "summary";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let store = StoreId(reader.u8("store")?);
        let round = reader.u32_le("round")?;
        let state_hash = StateHash(reader.array("state_hash")?);
        let count = reader.u32_le("count")?;
        let salt = reader.u32_le("salt")?;
        let index = reader.u8("slice")?;
        let (form, slices) = Form::split(reader.u8("slices")?);
        let slice = Slice::new(index, slices).ok_or(reader.error("slice", Fault::Value))?;
        Ok(Self { store, round, state_hash, count, salt, form, slice, filter: take_rest(reader, "filter")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.store.0)?;
        out.u32_le(self.round)?;
        out.put(&self.state_hash.0)?;
        out.u32_le(self.count)?;
        out.u32_le(self.salt)?;
        out.u8(self.slice.index)?;
        out.u8(self.form.with(self.slice.count))?;
        out.put(self.filter)
    }

    fn encoded_len(&self) -> usize {
        self.filter.len().saturating_add(Self::HEADER_LEN)
    }
}

impl<'a> Body<'a> for Summary<'a> {
    const KIND: MessageKind = MessageKind::SUMMARY;
}

/// The body of REQUEST: `store u8, n u8, id 32 × n`, for 1 to 255 items.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    store: StoreId,
    ids: &'a [[u8; 32]],
}

impl<'a> Request<'a> {
    /// A request for the items called `ids`, if there are 1 to 255.
    #[must_use]
    pub const fn new(store: StoreId, ids: &'a [[u8; 32]]) -> Option<Self> {
        if ids.is_empty() || ids.len() > 255 { None } else { Some(Self { store, ids }) }
    }

    /// Which store.
    #[must_use]
    pub const fn store(&self) -> StoreId {
        self.store
    }

    /// What is wanted, in the order of the wire.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = ItemId> + use<'a> {
        self.ids.iter().copied().map(ItemId)
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?}, {} ids)", self.store, self.ids.len())
    }
}

impl<'a> Layout<'a> for Request<'a> {
    const NAME: &'static str = "request";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let store = StoreId(reader.u8("store")?);
        let count = usize::from(reader.u8("n")?);
        let (ids, _) = reader.take("ids", count.saturating_mul(32))?.as_chunks();
        Self::new(store, ids).ok_or(reader.error("n", Fault::Value))
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.store.0)?;
        out.u8(u8::try_from(self.ids.len()).map_err(|_| EncodeError::FieldTooLong)?)?;
        out.put(self.ids.as_flattened())
    }

    fn encoded_len(&self) -> usize {
        self.ids.as_flattened().len().saturating_add(2)
    }
}

impl<'a> Body<'a> for Request<'a> {
    const KIND: MessageKind = MessageKind::REQUEST;
}

/// The body of ITEMS as received: `store u8, (len u16, item)*`, at least one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Items<'a> {
    /// Which store.
    pub store: StoreId,
    /// Lengths and items, each of which was checked when the body was read.
    items: &'a [u8],
}

impl<'a> Items<'a> {
    /// The items, in the order of the wire, each as its store lays it out.
    pub fn items(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut reader = Reader::new(Self::NAME, self.items);
        core::iter::from_fn(move || read_item(&mut reader).ok())
    }
}

fn read_item<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let len = usize::from(reader.u16_le("len")?);
    reader.take("item", len)
}

impl<'a> Layout<'a> for Items<'a> {
    const NAME: &'static str = "items";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let store = StoreId(reader.u8("store")?);
        let items = take_rest(reader, "items")?;
        require(!items.is_empty(), reader, "items", Fault::Length)?;
        let mut unread = Reader::new(Self::NAME, items);
        while unread.remaining() > 0 {
            read_item(&mut unread)?;
        }
        Ok(Self { store, items })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.store.0)?;
        out.put(self.items)
    }

    fn encoded_len(&self) -> usize {
        self.items.len().saturating_add(1)
    }
}

impl<'a> Body<'a> for Items<'a> {
    const KIND: MessageKind = MessageKind::ITEMS;
}

/// Collects items into the body of ITEMS, in a caller's buffer. An item that does not fit leaves those before it.
#[derive(Debug)]
pub struct ItemsBuilder<'a> {
    store: StoreId,
    buffer: &'a mut [u8],
    written: usize,
}

impl<'a> ItemsBuilder<'a> {
    /// No items of `store` yet. The store itself takes no room in `buffer`.
    #[must_use]
    pub const fn new(store: StoreId, buffer: &'a mut [u8]) -> Self {
        Self { store, buffer, written: 0 }
    }

    /// Appends `item`, of at most 65,535 bytes.
    pub fn push(&mut self, item: &[u8]) -> Result<(), EncodeError> {
        let len = u16::try_from(item.len()).map_err(|_| EncodeError::FieldTooLong)?;
        let mut out = Writer::new(self.buffer.get_mut(self.written..).unwrap_or_default());
        out.u16_le(len)?;
        out.put(item)?;
        self.written = self.written.saturating_add(out.written());
        Ok(())
    }

    /// The body, unless it would be empty.
    #[must_use]
    pub fn finish(self) -> Option<Items<'a>> {
        let items: &[u8] = self.buffer.get(..self.written).unwrap_or_default();
        (!items.is_empty()).then_some(Items { store: self.store, items })
    }
}

/// The body of DONE: nothing more is wanted. Alone, it says that both stores agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Which store.
    pub store: StoreId,
    /// The hash of the whole store.
    pub state_hash: StateHash,
}

impl Done {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 1 + 16;
}

impl Layout<'_> for Done {
    const NAME: &'static str = "done";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { store: StoreId(reader.u8("store")?), state_hash: StateHash(reader.array("state_hash")?) })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.store.0)?;
        out.put(&self.state_hash.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl Body<'_> for Done {
    const KIND: MessageKind = MessageKind::DONE;
}
