//! What a Reticulum link carries between two NEXUS nodes across stock nodes. Source: spec/wire.md#carried.

use super::{Layout, take_rest};
use crate::codec::{DecodeError, EncodeError, Reader, Writer};

/// A frame without a seal: `counter u32 ‖ messages`. The Reticulum link encrypts it and says who it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// How many frames this side said on the link before. Never repeats on one link.
    pub counter: u32,
    /// The messages, which may be none.
    pub messages: &'a [u8],
}

impl Carried<'_> {
    /// The length of the counter, in bytes.
    pub const HEADER_LEN: usize = 4;
    /// The most that messages may take where the link has Reticulum's base MTU: 431 bytes less the counter.
    pub const MESSAGES_MAX: usize = 431 - Self::HEADER_LEN;
}

impl<'a> Layout<'a> for Carried<'a> {
    const NAME: &'static str = "carried";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { counter: reader.u32_le("counter")?, messages: take_rest(reader, "messages")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&self.counter.to_le_bytes())?;
        out.put(self.messages)
    }

    fn encoded_len(&self) -> usize {
        self.messages.len().saturating_add(Self::HEADER_LEN)
    }
}
