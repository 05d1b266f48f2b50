//! What stands before each frame, and before each opened plaintext, in a recording. Source: spec/capture.md#recorded-frame.
//!
//! The container around them is [`crate::pcapng`].

use nexus_crypto::NodeId;

use super::frame::SealedHeader;
use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// Which way something went, as whoever recorded it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// It came from the medium.
    Received,
    /// It was handed to the medium.
    Sent,
}

impl Direction {
    const fn to_wire(self) -> u8 {
        match self {
            Self::Received => 0,
            Self::Sent => 1,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("direction")? {
            0 => Ok(Self::Received),
            1 => Ok(Self::Sent),
            // Two values of 256: the others are no direction.
            _ => Err(reader.error("direction", Fault::Value)),
        }
    }
}

/// The version of both layouts.
const VERSION: u8 = 1;

fn read_version(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    require(reader.u8("version")? == VERSION, reader, "version", Fault::Version)
}

/// A frame as a medium carried it: `version u8, interface u8, direction u8, n u8, endpoint n, frame`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedFrame<'a> {
    /// The interface's number at the node that recorded.
    pub interface: u8,
    /// Which way it went.
    pub direction: Direction,
    /// The address of the peer on this medium, at most [`RecordedFrame::MAX_ENDPOINT`] bytes; empty where there is none.
    pub endpoint: &'a [u8],
    /// The frame.
    pub frame: &'a [u8],
}

impl RecordedFrame<'_> {
    /// How many bytes stand before the endpoint.
    pub const HEADER_LEN: usize = 4;
    /// The longest address on any medium, in bytes.
    pub const MAX_ENDPOINT: usize = 18;
}

impl<'a> Layout<'a> for RecordedFrame<'a> {
    const NAME: &'static str = "recorded-frame";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        read_version(reader)?;
        let (interface, direction) = (reader.u8("interface")?, Direction::read(reader)?);
        let length = usize::from(reader.u8("endpoint length")?);
        require(length <= Self::MAX_ENDPOINT, reader, "endpoint length", Fault::Length)?;
        let endpoint = reader.take("endpoint", length)?;
        Ok(Self { interface, direction, endpoint, frame: take_rest(reader, "frame")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.endpoint.len() > Self::MAX_ENDPOINT {
            return Err(EncodeError::FieldTooLong);
        }
        out.put(&[VERSION, self.interface, self.direction.to_wire()])?;
        out.u8(u8::try_from(self.endpoint.len()).map_err(|_| EncodeError::FieldTooLong)?)?;
        out.put(self.endpoint)?;
        out.put(self.frame)
    }

    fn encoded_len(&self) -> usize {
        Self::HEADER_LEN.saturating_add(self.endpoint.len()).saturating_add(self.frame.len())
    }
}

/// What a sealed or broadcast frame said, opened:
/// `version u8, interface u8, direction u8, peer 16, the frame's first 7 bytes, plaintext`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedMessages<'a> {
    /// The interface's number at the node that recorded.
    pub interface: u8,
    /// Which way it went.
    pub direction: Direction,
    /// Whom the link is with, or who broadcast; none if this node did. Sixteen zero bytes on the wire.
    pub peer: Option<NodeId>,
    /// Under which key, and which frame under it.
    pub header: SealedHeader,
    /// Its messages.
    pub plaintext: &'a [u8],
}

impl RecordedMessages<'_> {
    /// How many bytes stand before the plaintext.
    pub const HEADER_LEN: usize = 3 + 16 + 7;
}

impl<'a> Layout<'a> for RecordedMessages<'a> {
    const NAME: &'static str = "recorded-messages";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        read_version(reader)?;
        let (interface, direction) = (reader.u8("interface")?, Direction::read(reader)?);
        let peer = reader.array::<16>("peer")?;
        Ok(Self {
            interface,
            direction,
            peer: (peer != NOBODY).then_some(NodeId(peer)),
            header: SealedHeader::read(reader)?,
            plaintext: take_rest(reader, "plaintext")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&[VERSION, self.interface, self.direction.to_wire()])?;
        out.put(&self.peer.map_or(NOBODY, |NodeId(peer)| peer))?;
        out.put(&self.header.to_bytes())?;
        out.put(self.plaintext)
    }

    fn encoded_len(&self) -> usize {
        Self::HEADER_LEN.saturating_add(self.plaintext.len())
    }
}

/// How "this node" is written where a peer would stand.
const NOBODY: [u8; 16] = [0; 16];
