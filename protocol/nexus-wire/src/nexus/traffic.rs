//! Bodies that carry Reticulum packets over a link: PACKET, ANNOUNCE, FRAGMENT. Source: spec/wire.md#traffic.
//!
//! On a link the transport id is left out of a packet with two addresses: the header bit stays, and the receiver puts
//! its own identity hash (PACKET) or the sender's (ANNOUNCE) back in.

use super::code::PriceCode;
use super::cost::CostBlock;
use super::message::{Body, MessageKind};
use super::path_cost::CompactPathCost;
use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// How urgent a packet is. Set by the sender, carried hop by hop. Orders most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// P0: worthless after half a second.
    RealTime,
    /// P1: somebody waits for it.
    Interactive,
    /// P2: everything else.
    Standard,
    /// P3: whenever there is room.
    Bulk,
}

impl Class {
    /// The class written as the top two bits of `bits`.
    const fn from_top_bits(bits: u16) -> Self {
        match bits >> 14 {
            0 => Self::RealTime,
            1 => Self::Interactive,
            2 => Self::Standard,
            // Two bits: what is left is 3.
            _ => Self::Bulk,
        }
    }

    const fn top_bits(self) -> u16 {
        match self {
            Self::RealTime => 0,
            Self::Interactive => 1 << 14,
            Self::Standard => 2 << 14,
            Self::Bulk => 3 << 14,
        }
    }
}

/// The body of PACKET: `u16 (class in bits 15–14, zero in 13–11, price code in 10–0) ‖ packet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// How urgent it is.
    pub class: Class,
    /// What the sender pays the receiver for it, per 1,024 bytes.
    pub price: PriceCode,
    /// The Reticulum packet without its transport id, not yet looked at.
    pub packet: &'a [u8],
}

impl Packet<'_> {
    /// How many bytes stand before the packet.
    pub const HEADER_LEN: usize = 2;
    const ZERO: u16 = 0x3800;
    const PRICE: u16 = 0x07ff;
}

impl<'a> Layout<'a> for Packet<'a> {
    const NAME: &'static str = "packet-message";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bits = reader.u16_le("class and price")?;
        require(bits & Self::ZERO == 0, reader, "zero bits", Fault::Value)?;
        Ok(Self {
            class: Class::from_top_bits(bits),
            price: PriceCode::new(bits & Self::PRICE).ok_or(reader.error("price code", Fault::Value))?,
            packet: take_rest(reader, "packet")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u16_le(self.class.top_bits() | self.price.get())?;
        out.put(self.packet)
    }

    fn encoded_len(&self) -> usize {
        self.packet.len().saturating_add(Self::HEADER_LEN)
    }
}

impl<'a> Body<'a> for Packet<'a> {
    const KIND: MessageKind = MessageKind::PACKET;
}

/// The body of ANNOUNCE: what the path costs from the sender on, and the announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce<'a> {
    /// The cost of the path, the sender's own hop included. Its generation is the first.
    pub cost: CompactPathCost,
    /// The announce packet without its transport id, not yet looked at.
    pub packet: &'a [u8],
}

impl<'a> Layout<'a> for Announce<'a> {
    const NAME: &'static str = "announce-message";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let CostBlock(cost) = CostBlock::read(reader)?;
        Ok(Self { cost, packet: take_rest(reader, "packet")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        CostBlock(self.cost).write(out)?;
        out.put(self.packet)
    }

    fn encoded_len(&self) -> usize {
        self.packet.len().saturating_add(CostBlock::LEN)
    }
}

impl<'a> Body<'a> for Announce<'a> {
    const KIND: MessageKind = MessageKind::ANNOUNCE;
}

/// The body of FRAGMENT: `index (bits 0–3), count (bits 4–7) ‖ piece`, a piece of a message without a length
/// (`kind | 80 ‖ body`).
///
/// One per frame. The frames of a set have consecutive counters under one key, so (key, counter − index) names the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    place: FragmentPlace,
    piece: &'a [u8],
}

/// Which piece of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FragmentPlace {
    index: u8,
    count: u8,
}

impl FragmentPlace {
    /// The most pieces that a message is cut into.
    pub const MAX_COUNT: u8 = 15;

    /// The place `index`, from 0, among `count`, if there is one.
    #[must_use]
    pub const fn new(index: u8, count: u8) -> Option<Self> {
        if index < count && count <= Self::MAX_COUNT { Some(Self { index, count }) } else { None }
    }

    /// Which piece, from 0.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.index
    }

    /// How many pieces, at least 1 and at most 15.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.count
    }

    /// Whether it is the last piece, which may be shorter than the others.
    #[must_use]
    pub const fn is_last(self) -> bool {
        self.index.saturating_add(1) == self.count
    }

    /// The counter of the set's first frame, which names the set under one key; none if `counter` cannot belong to a
    /// frame with this index.
    #[must_use]
    pub fn base(self, counter: u32) -> Option<u32> {
        counter.checked_sub(u32::from(self.index))
    }
}

impl<'a> Fragment<'a> {
    /// How many bytes stand before the piece.
    pub const HEADER_LEN: usize = 1;

    /// The fragment that puts `piece` in `place`, unless the piece is empty.
    #[must_use]
    pub const fn new(place: FragmentPlace, piece: &'a [u8]) -> Option<Self> {
        if piece.is_empty() { None } else { Some(Self { place, piece }) }
    }

    /// Which piece of how many.
    #[must_use]
    pub const fn place(&self) -> FragmentPlace {
        self.place
    }

    /// The bytes, at least one.
    #[must_use]
    pub const fn piece(&self) -> &'a [u8] {
        self.piece
    }
}

impl<'a> Layout<'a> for Fragment<'a> {
    const NAME: &'static str = "fragment";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let place = reader.u8("index and count")?;
        let place = FragmentPlace::new(place & 15, place >> 4);
        let place = place.ok_or(reader.error("index and count", Fault::Value))?;
        Self::new(place, take_rest(reader, "piece")?).ok_or(reader.error("piece", Fault::Length))
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.place.index | self.place.count << 4)?;
        out.put(self.piece)
    }

    fn encoded_len(&self) -> usize {
        self.piece.len().saturating_add(Self::HEADER_LEN)
    }
}

impl<'a> Body<'a> for Fragment<'a> {
    const KIND: MessageKind = MessageKind::FRAGMENT;
}
