//! What announces of delivery destinations and propagation nodes say. Source: spec/lxmf.md#announces.

use alloc::vec::Vec;

use crate::codec::DecodeError;
use crate::reticulum::msgpack::{Packer, Unpacker};

/// What the announce of a delivery destination says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryInfo<'a> {
    /// How whoever is there wants to be called, mostly UTF-8.
    pub name: Option<&'a [u8]>,
    /// The cost of a stamp that messages should carry, from 1 to 254.
    pub stamp_cost: Option<u8>,
    /// In which of the two forms it is written.
    pub kind: DeliveryInfoKind<'a>,
}

/// The forms in which a delivery destination tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryInfoKind<'a> {
    /// A list of msgpack: name, cost, and what later releases add, as it is written.
    List(&'a [u8]),
    /// The name alone, as early releases write it.
    NameOnly,
}

impl<'a> DeliveryInfo<'a> {
    const NAME: &'static str = "LXMF delivery announce";

    /// Reads one. What is no list is a name.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if !matches!(bytes.first(), Some(0x90..=0x9f | 0xdc)) {
            let name = (!bytes.is_empty()).then_some(bytes);
            return Ok(Self { name, stamp_cost: None, kind: DeliveryInfoKind::NameOnly });
        }
        let mut unpacker = Unpacker::new(Self::NAME, bytes);
        let count = unpacker.array("list")?;
        if count < 2 {
            return Err(unpacker.refused("list"));
        }
        let name = if unpacker.nil() { None } else { Some(unpacker.bin("name")?) };
        let stamp_cost = if unpacker.nil() {
            None
        } else {
            let cost = unpacker.uint("stamp cost")?;
            Some(u8::try_from(cost).map_err(|_| unpacker.refused("stamp cost"))?)
        };
        let more = unpacker.rest();
        for _ in 2..count {
            unpacker.value("more")?;
        }
        unpacker.finish("more")?;
        let info = Self { name, stamp_cost, kind: DeliveryInfoKind::List(more) };
        // What is written in another than the shortest form would be announced in another than it came.
        if info.encode() == bytes { Ok(info) } else { Err(Unpacker::new(Self::NAME, bytes).refused("list")) }
    }

    /// The app data of the announce.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let more = match self.kind {
            DeliveryInfoKind::NameOnly => return self.name.unwrap_or_default().to_vec(),
            DeliveryInfoKind::List(more) => more,
        };
        let packer = Packer::default().array(count(more).saturating_add(2));
        let packer = match self.name {
            Some(name) => packer.bin(name),
            None => packer.nil(),
        };
        let packer = match self.stamp_cost {
            Some(cost) => packer.uint(u64::from(cost)),
            None => packer.nil(),
        };
        packer.value(more).into_bytes()
    }
}

/// How many values lie in these bytes.
fn count(values: &[u8]) -> usize {
    let mut unpacker = Unpacker::new(DeliveryInfo::NAME, values);
    let mut count = 0_usize;
    while unpacker.value("more").is_ok() {
        count = count.saturating_add(1);
    }
    count
}

/// What the announce of a propagation node says, as far as its clients ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PropagationInfo {
    /// Whether it takes messages for others.
    pub takes: bool,
    /// The largest message that it takes, in thousands of bytes.
    pub message_limit_kb: u64,
    /// The most that it hands out at once, in thousands of bytes.
    pub sync_limit_kb: u64,
    /// The cost of a stamp that messages left there should carry, and by how much less it is content with.
    pub stamp_cost: u8,
    /// See [`Self::stamp_cost`].
    pub flexibility: u8,
}

impl PropagationInfo {
    /// Reads one. Whatever else is in it is for other propagation nodes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut unpacker = Unpacker::new("LXMF propagation announce", bytes);
        if unpacker.array("list")? < 7 {
            return Err(unpacker.refused("list"));
        }
        unpacker.value("legacy")?;
        unpacker.uint("time")?;
        let takes = match unpacker.value("takes")? {
            [0xc2] => false,
            [0xc3] => true,
            _ => return Err(unpacker.refused("takes")),
        };
        let (message_limit_kb, sync_limit_kb) =
            (unpacker.uint("message limit")?, unpacker.uint("sync limit")?);
        if unpacker.array("costs")? < 2 {
            return Err(unpacker.refused("costs"));
        }
        let mut cost = |field| u8::try_from(unpacker.uint(field)?).map_err(|_| unpacker.refused(field));
        let (stamp_cost, flexibility) = (cost("stamp cost")?, cost("flexibility")?);
        Ok(Self { takes, message_limit_kb, sync_limit_kb, stamp_cost, flexibility })
    }
}
