//! How path costs travel: beside an announce, and between announces. Source: spec/wire.md#cost-record.

use nexus_crypto::DestinationHash;
use nexus_crypto::hash::blake3;

use super::message::{Body, MessageKind};
use super::path_cost::{CompactPathCost, Generation};
use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// The path-cost block that travels beside an announce: `4E 01 ‖ CompactPathCost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostBlock(pub CompactPathCost);

impl CostBlock {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 2 + CompactPathCost::LEN;
    /// What it begins with: 'N' and the version.
    const MAGIC: [u8; 2] = [0x4e, 0x01];
}

impl Layout<'_> for CostBlock {
    const NAME: &'static str = "cost-block";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [letter, version] = reader.array("magic")?;
        require(letter == 0x4e, reader, "magic", Fault::Value)?;
        require([letter, version] == Self::MAGIC, reader, "version", Fault::Version)?;
        CompactPathCost::read(reader).map(Self)
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&Self::MAGIC)?;
        self.0.write(out)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// The flags of a COST record. All eight bits mean something, so every byte is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CostFlags {
    /// Whether the path stands (bit 7).
    pub standing: Standing,
    /// What lies between (bit 6).
    pub segments: Segments,
    /// Which cost of this emission it is (bits 0–5).
    pub generation: Generation,
}

/// Whether the sender still offers a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It does, at this cost.
    Offered,
    /// It took its offer back; the cost is the last one offered.
    Withdrawn,
}

/// What a path runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Segments {
    /// NEXUS hops only.
    Nexus,
    /// Somewhere a stretch of stock Reticulum, which states no cost.
    ViaStock,
}

impl CostFlags {
    const WITHDRAW: u8 = 0x80;
    const VIA_STOCK: u8 = 0x40;

    /// The flags written as `byte`.
    #[must_use]
    pub fn from_wire(byte: u8) -> Self {
        let set = |bit| byte & bit != 0;
        Self {
            standing: if set(Self::WITHDRAW) { Standing::Withdrawn } else { Standing::Offered },
            segments: if set(Self::VIA_STOCK) { Segments::ViaStock } else { Segments::Nexus },
            generation: Generation::new(byte & Generation::LAST.get()).expect("six bits are at most 63"),
        }
    }

    /// How they are written.
    #[must_use]
    pub const fn to_wire(self) -> u8 {
        let standing = match self.standing {
            Standing::Offered => 0,
            Standing::Withdrawn => Self::WITHDRAW,
        };
        let segments = match self.segments {
            Segments::Nexus => 0,
            Segments::ViaStock => Self::VIA_STOCK,
        };
        standing | segments | self.generation.get()
    }
}

/// One COST record: the cost of the path to one destination, for one emission of its announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostRecord {
    /// Where the path leads.
    pub destination: DestinationHash,
    /// The random hash of the emission that it belongs to.
    pub random_hash: [u8; 10],
    /// What the path costs from the sender on, the sender's own hop included.
    pub cost: CompactPathCost,
    /// Withdrawal, stock segments, generation.
    pub flags: CostFlags,
}

impl CostRecord {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 16 + 10 + CompactPathCost::LEN + 1;
}

const _: () = assert!(CostRecord::LEN == 33, "spec/wire.md#cost-record");

impl Layout<'_> for CostRecord {
    const NAME: &'static str = "cost-record";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            destination: DestinationHash(reader.array("destination")?),
            random_hash: reader.array("random_hash")?,
            cost: CompactPathCost::read(reader)?,
            flags: CostFlags::from_wire(reader.u8("flags")?),
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.destination.as_bytes())?;
        out.put(&self.random_hash)?;
        self.cost.write(out)?;
        out.u8(self.flags.to_wire())
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// The body of COST: one or more records, back to back, each checked when the list is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CostList<'a> {
    records: &'a [[u8; CostRecord::LEN]],
}

impl<'a> CostList<'a> {
    /// The records, in the order of the wire.
    #[must_use]
    pub fn records(&self) -> impl ExactSizeIterator<Item = CostRecord> + use<'a> {
        self.records.iter().map(|record| CostRecord::decode(record).expect("checked when the list was read"))
    }
}

impl core::fmt::Debug for CostList<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.records()).finish()
    }
}

impl<'a> Layout<'a> for CostList<'a> {
    const NAME: &'static str = "cost-list";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (records, beyond) = take_rest(reader, "records")?.as_chunks();
        require(!records.is_empty() && beyond.is_empty(), reader, "records", Fault::Length)?;
        for record in records {
            CostRecord::decode(record)?;
        }
        Ok(Self { records })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.records().try_for_each(|record| record.write(out))
    }

    fn encoded_len(&self) -> usize {
        self.records.as_flattened().len()
    }
}

impl<'a> Body<'a> for CostList<'a> {
    const KIND: MessageKind = MessageKind::COST;
}

/// A single record is a list of one.
impl Body<'_> for CostRecord {
    const KIND: MessageKind = MessageKind::COST;
}

/// The body of `COST_REQUEST`: asks, hop by hop along the stale path, for another generation of the cost to
/// `destination`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostRequest {
    /// Whose cost is asked for.
    pub destination: DestinationHash,
}

impl CostRequest {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 16;
}

impl Layout<'_> for CostRequest {
    const NAME: &'static str = "cost-request";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { destination: DestinationHash(reader.array("destination")?) })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.destination.as_bytes())
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl Body<'_> for CostRequest {
    const KIND: MessageKind = MessageKind::COST_REQUEST;
}

/// What was heard of the cost to one destination, in four bytes that tell it from what was said before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CostPrint(pub u32);

impl CostPrint {
    /// Of a record: the first four bytes, little-endian, of `BLAKE3("nexus cost heard v1" ‖ record)`. What an announce said is a
    /// record of the first generation, offered over NEXUS hops. Source: spec/wire.md#cost-record.
    #[must_use]
    pub fn of(record: &CostRecord) -> Self {
        let mut bytes = [0; CostRecord::LEN];
        record.encode(&mut bytes).expect("a record has its own length");
        let [a, b, c, d, ..] = blake3(&[b"nexus cost heard v1".as_slice(), &bytes]);
        Self(u32::from_le_bytes([a, b, c, d]))
    }
}

/// One line of `COST_ACK`: this is what was heard of the cost to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostHeard {
    /// Where the path leads.
    pub destination: DestinationHash,
    /// What was heard of it last.
    pub print: CostPrint,
}

impl CostHeard {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 16 + 4;
}

impl Layout<'_> for CostHeard {
    const NAME: &'static str = "cost-heard";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let destination = DestinationHash(reader.array("destination")?);
        Ok(Self { destination, print: CostPrint(reader.u32_le("print")?) })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.destination.as_bytes())?;
        out.u32_le(self.print.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// The body of `COST_ACK`: what was heard of costs, beside announces and in COST records, one line or more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CostAcks<'a> {
    lines: &'a [[u8; CostHeard::LEN]],
}

impl<'a> CostAcks<'a> {
    /// The lines, in the order of the wire.
    #[must_use]
    pub fn lines(&self) -> impl ExactSizeIterator<Item = CostHeard> + use<'a> {
        self.lines.iter().map(|line| CostHeard::decode(line).expect("twenty bytes are a line"))
    }
}

impl core::fmt::Debug for CostAcks<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

impl<'a> Layout<'a> for CostAcks<'a> {
    const NAME: &'static str = "cost-acks";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (lines, beyond) = take_rest(reader, "lines")?.as_chunks();
        require(!lines.is_empty() && beyond.is_empty(), reader, "lines", Fault::Length)?;
        Ok(Self { lines })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.lines.as_flattened())
    }

    fn encoded_len(&self) -> usize {
        self.lines.as_flattened().len()
    }
}

impl<'a> Body<'a> for CostAcks<'a> {
    const KIND: MessageKind = MessageKind::COST_ACK;
}

/// A single line is a list of one.
impl Body<'_> for CostHeard {
    const KIND: MessageKind = MessageKind::COST_ACK;
}
