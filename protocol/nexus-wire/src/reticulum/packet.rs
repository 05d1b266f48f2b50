//! A packet: one header, one payload. Source: spec/reticulum.md#packet.
//!
//! ```text
//! HEADER_1   flags(1) hops(1) destination(16) context(1) data
//! HEADER_2   flags(1) hops(1) transport id(16) destination(16) context(1) data
//! ```

use nexus_crypto::hash::sha256;
use nexus_crypto::{DestinationHash, IdentityHash};

use super::Context;
use super::flags::{ContextFlag, DestinationType, Flags, HeaderType, PacketType, Propagation};
use super::hashes::{LinkId, PacketHash, TruncatedPacketHash};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// Length of a header without transport id, in bytes.
pub const HEADER_1_LEN: usize = 19;
/// Length of a header with transport id, in bytes.
pub const HEADER_2_LEN: usize = HEADER_1_LEN + IdentityHash::LEN;

/// How many times a packet was received so far, by the count in its header.
///
/// Not to be trusted as a distance: originators may start at any value, and the byte is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hops(u8);

impl Hops {
    /// As the originator sends it.
    pub const ZERO: Self = Self(0);
    /// The largest count of which a receiver accepts a packet.
    pub const MAX: Self = Self(127);

    /// The count, unless it is one that receivers refuse.
    #[must_use]
    pub const fn new(hops: u8) -> Option<Self> {
        if hops <= Self::MAX.0 { Some(Self(hops)) } else { None }
    }

    /// The number of hops.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The count at the next receiver, unless it would refuse the packet.
    #[must_use]
    pub const fn counted(self) -> Option<Self> {
        Self::new(self.0.saturating_add(1))
    }
}

/// A packet: its header by value, its payload where it lies.
///
/// The header type follows from `transport`. Encrypted payloads are not opened here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The context flag; in an announce, that a ratchet is present.
    pub context_flag: ContextFlag,
    /// How it travels.
    pub propagation: Propagation,
    /// What `destination` is.
    pub destination_type: DestinationType,
    /// What the packet is.
    pub packet_type: PacketType,
    /// How many hops it came.
    pub hops: Hops,
    /// The relay that is to carry it on, or that carried this announce.
    pub transport: Option<IdentityHash>,
    /// Where it goes: a destination, a link id or the truncated hash of a proved packet.
    pub destination: DestinationHash,
    /// What it is about.
    pub context: Context,
    /// The payload.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet. Refused: a frame that still carries access codes, and one that came [`Hops::MAX`] hops and more.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("packet", bytes);
        let flags = Flags::from_byte(reader.u8("flags")?);
        if flags.has_ifac() {
            return Err(reader.error("flags", Fault::Value));
        }
        let hops = Hops::new(reader.u8("hops")?).ok_or(reader.error("hops", Fault::Value))?;
        let transport = match flags.header_type() {
            HeaderType::One => None,
            HeaderType::Two => Some(IdentityHash(reader.array("transport id")?)),
        };
        Ok(Self {
            context_flag: flags.context_flag(),
            propagation: flags.propagation(),
            destination_type: flags.destination_type(),
            packet_type: flags.packet_type(),
            hops,
            transport,
            destination: DestinationHash(reader.array("destination")?),
            context: Context(reader.u8("context")?),
            data: reader.rest(),
        })
    }

    /// The header of a packet as its originator sends it: no hops, no relay, no payload.
    #[must_use]
    pub const fn originating(
        packet_type: PacketType,
        destination_type: DestinationType,
        destination: DestinationHash,
        context: Context,
    ) -> Self {
        Self {
            context_flag: ContextFlag::Clear,
            propagation: Propagation::Broadcast,
            destination_type,
            packet_type,
            hops: Hops::ZERO,
            transport: None,
            destination,
            context,
            data: &[],
        }
    }

    /// Writes the packet to the front of `buffer` and returns it.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        let mut writer = Writer::new(buffer);
        self.put_header(&mut writer)?;
        writer.put(self.data)?;
        Ok(writer.finish())
    }

    /// Writes the header alone, for payloads that are written in parts.
    pub(super) fn put_header(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.flags().byte())?;
        writer.u8(self.hops.get())?;
        if let Some(transport) = &self.transport {
            writer.put(transport.as_bytes())?;
        }
        writer.put(self.destination.as_bytes())?;
        writer.u8(self.context.0)
    }

    /// The flags byte.
    #[must_use]
    pub const fn flags(&self) -> Flags {
        Flags::new(
            self.header_type(),
            self.context_flag,
            self.propagation,
            self.destination_type,
            self.packet_type,
        )
    }

    /// Whether a transport id is present.
    #[must_use]
    pub const fn header_type(&self) -> HeaderType {
        if self.transport.is_some() { HeaderType::Two } else { HeaderType::One }
    }

    /// Length on the wire, in bytes, access codes and framing not counted.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        let header = match self.header_type() {
            HeaderType::One => HEADER_1_LEN,
            HeaderType::Two => HEADER_2_LEN,
        };
        header.saturating_add(self.data.len())
    }

    /// What names this packet on all its hops: independent of hops, transport id and how it travels.
    #[must_use]
    pub fn hash(&self) -> PacketHash {
        let (flags, context) = ([self.flags().hashed()], [self.context.0]);
        PacketHash(sha256(&[&flags, self.destination.as_bytes(), &context, self.data]))
    }

    /// The first 16 bytes of [`Packet::hash`].
    #[must_use]
    pub fn truncated_hash(&self) -> TruncatedPacketHash {
        self.hash().truncated()
    }

    /// The link that the packet travels in, if its destination is one.
    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        (self.destination_type == DestinationType::Link).then_some(LinkId(self.destination.0))
    }

    /// Whether this is an announce that answers a path request. It enters the path table as any other, and is never
    /// rebroadcast further. Source: spec/reticulum.md#path-request.
    #[must_use]
    pub fn is_path_response(&self) -> bool {
        self.packet_type == PacketType::Announce && self.context == Context::PATH_RESPONSE
    }

    /// Whether the packet belongs on the medium it was sent on, and no further: payloads for PLAIN and GROUP
    /// destinations. Receivers drop one that came more than one hop. Source: spec/reticulum.md#packet.
    #[must_use]
    pub const fn is_link_local(&self) -> bool {
        matches!(self.destination_type, DestinationType::Plain | DestinationType::Group)
    }
}
