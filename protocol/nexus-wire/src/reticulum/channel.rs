//! Messages of a channel, and the streams in them. Source: spec/reticulum.md#channel.

use alloc::vec::Vec;

use crate::codec::{DecodeError, Fault, Reader};

/// A message of a channel: kinds from F000 on are Reticulum's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelMessage<'a> {
    /// What it is.
    pub kind: u16,
    /// Its number, which wraps.
    pub sequence: u16,
    /// What it says.
    pub data: &'a [u8],
}

impl<'a> ChannelMessage<'a> {
    /// The kind of a piece of a stream.
    pub const STREAM: u16 = 0xff00;
    /// What comes before the data, in bytes.
    pub const HEADER_LEN: usize = 6;

    /// Reads the plaintext of one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("channel message", bytes);
        let (kind, sequence) = (reader.u16_be("kind")?, reader.u16_be("sequence")?);
        let len = usize::from(reader.u16_be("length")?);
        if len != reader.remaining() {
            return Err(reader.error("length", Fault::Length));
        }
        Ok(Self { kind, sequence, data: reader.rest() })
    }

    /// The plaintext; data beyond 65,535 bytes are left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let len = u16::try_from(self.data.len()).unwrap_or(u16::MAX);
        let data = self.data.get(..usize::from(len)).unwrap_or_default();
        let head = [self.kind, self.sequence, len].map(u16::to_be_bytes).concat();
        [&head, data].concat()
    }
}

/// A piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPiece<'a> {
    /// Which stream, below 2¹⁴.
    pub stream: u16,
    /// Whether it is the last.
    pub end: End,
    /// Whether it was compressed with bzip2.
    pub packing: Packing,
    /// The bytes.
    pub data: &'a [u8],
}

/// Whether a stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It does.
    GoesOn,
    /// Nothing comes after this.
    Last,
}

/// Whether bytes were compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As they are.
    Plain,
    /// With bzip2.
    Compressed,
}

impl<'a> StreamPiece<'a> {
    /// Streams are numbered below this.
    pub const STREAMS: u16 = 1 << 14;
    const LAST: u16 = 1 << 15;
    const COMPRESSED: u16 = 1 << 14;
    /// What comes before the bytes, in bytes.
    pub const HEADER_LEN: usize = 2;

    /// Reads the data of a channel message of the kind [`ChannelMessage::STREAM`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("stream piece", bytes);
        let head = reader.u16_be("head")?;
        let end = if head & Self::LAST == 0 { End::GoesOn } else { End::Last };
        let packing = if head & Self::COMPRESSED == 0 { Packing::Plain } else { Packing::Compressed };
        Ok(Self { stream: head & (Self::STREAMS - 1), end, packing, data: reader.rest() })
    }

    /// The data of the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let end = match self.end {
            End::GoesOn => 0,
            End::Last => Self::LAST,
        };
        let packing = match self.packing {
            Packing::Plain => 0,
            Packing::Compressed => Self::COMPRESSED,
        };
        let head = self.stream & (Self::STREAMS - 1) | end | packing;
        [&head.to_be_bytes()[..], self.data].concat()
    }
}
