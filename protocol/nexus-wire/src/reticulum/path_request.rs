//! Asks whoever hears it for a path. Source: spec/reticulum.md#path-request.

use nexus_crypto::{DestinationHash, IdentityHash};

use super::{Context, DestinationType, Packet, PacketType, Payload};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// Asks for a path to a destination.
///
/// Answered by an announce with [`Context::PATH_RESPONSE`]: by the destination itself, or by a relay that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathRequest {
    /// To where.
    pub wanted: DestinationHash,
    /// Who asks, if it is a relay.
    pub requester: Option<IdentityHash>,
    /// Together with `wanted`, tells one asking from another, however often it is heard.
    pub tag: Tag,
}

/// One to sixteen bytes, drawn at random by who asks and kept by who passes the question on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Tag {
    /// The longest tag, in bytes: as long as stock nodes make all of theirs.
    pub const MAX: usize = 16;
    /// The first of all tags, in their order.
    pub const LEAST: Self = Self { bytes: [0; Self::MAX], len: 1 };

    /// A tag of these bytes, if they are one to sixteen.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut tag = Self { bytes: [0; Self::MAX], len: u8::try_from(bytes.len()).ok()? };
        tag.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        (!bytes.is_empty()).then_some(tag)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl PathRequest {
    /// What is longer than this names a requester: a destination and the longest tag.
    const WITHOUT_REQUESTER_MAX: usize = DestinationHash::LEN + Tag::MAX;

    /// Reads the path request that `packet` is: data for the PLAIN destination of path requests. One without a tag is
    /// refused, as stock nodes ignore it.
    pub fn from_packet(packet: &Packet<'_>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("path request", packet.data);
        if packet.packet_type != PacketType::Data {
            return Err(reader.error("packet type", Fault::Value));
        }
        if packet.destination_type != DestinationType::Plain
            || packet.destination != DestinationHash::PATH_REQUEST
        {
            return Err(reader.error("destination", Fault::Value));
        }
        let wanted = DestinationHash(reader.array("wanted")?);
        let requester = if packet.data.len() > Self::WITHOUT_REQUESTER_MAX {
            Some(IdentityHash(reader.array("requester")?))
        } else {
            None
        };
        let fault = reader.error("tag", Fault::Length);
        let tag = Tag::new(reader.rest()).ok_or(fault)?;
        Ok(Self { wanted, requester, tag })
    }
}

impl Payload for PathRequest {
    fn originating_header(&self) -> Packet<'static> {
        Packet::originating(
            PacketType::Data,
            DestinationType::Plain,
            DestinationHash::PATH_REQUEST,
            Context::NONE,
        )
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.wanted.as_bytes())?;
        if let Some(requester) = &self.requester {
            out.put(requester.as_bytes())?;
        }
        out.put(self.tag.as_bytes())
    }
}
