//! The request for a link.

use nexus_crypto::VerifyingKey;
use nexus_crypto::exchange::EphemeralPublic;
use nexus_crypto::hash::sha256_truncated;

use super::Signalling;
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};
use crate::reticulum::{
    Context, ContextFlag, DestinationType, Hops, LinkId, Packet, PacketType, Propagation,
};
use nexus_crypto::DestinationHash;

/// Asks a destination for a link: the initiator's keys for this link alone, and what it can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// Whom is asked.
    pub destination: DestinationHash,
    /// The context byte, which the link id covers.
    pub context: Context,
    /// The initiator's X25519 key.
    pub exchange: EphemeralPublic,
    /// The initiator's Ed25519 key, with which it signs proofs on the link.
    pub verifying: VerifyingKey,
    /// Absent from requests that fell back to the base MTU.
    pub signalling: Option<Signalling>,
}

impl LinkRequest {
    /// Reads the link request that `packet` is: 64 or 67 bytes for a SINGLE destination.
    pub fn from_packet(packet: &Packet<'_>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("link request", packet.data);
        if packet.packet_type != PacketType::LinkRequest {
            return Err(reader.error("packet type", Fault::Value));
        }
        if packet.destination_type != DestinationType::Single {
            return Err(reader.error("destination type", Fault::Value));
        }
        let exchange = EphemeralPublic(reader.array("X25519 key")?);
        let verifying = VerifyingKey(reader.array("Ed25519 key")?);
        let signalling = Signalling::optional(&mut reader)?;
        reader.finish("signalling")?;
        Ok(Self { destination: packet.destination, context: packet.context, exchange, verifying, signalling })
    }

    /// The id of the link that comes of this request: its packet hash without the signalling, which relays change.
    #[must_use]
    pub fn link_id(&self) -> LinkId {
        let (flags, context) = ([self.originating_header().flags().hashed()], [self.context.0]);
        LinkId(sha256_truncated(&[
            &flags,
            self.destination.as_bytes(),
            &context,
            self.exchange.as_bytes(),
            self.verifying.as_bytes(),
        ]))
    }

    /// The header of the packet in which the request is sent.
    #[must_use]
    pub const fn originating_header(&self) -> Packet<'static> {
        Packet {
            context_flag: ContextFlag::Clear,
            propagation: Propagation::Broadcast,
            destination_type: DestinationType::Single,
            packet_type: PacketType::LinkRequest,
            hops: Hops::ZERO,
            transport: None,
            destination: self.destination,
            context: self.context,
            data: &[],
        }
    }

    /// Writes the request as a packet.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        self.encode_behind(&self.originating_header(), buffer)
    }

    /// Writes the request behind the header of `packet`, one that [`LinkRequest::from_packet`] would read it from.
    pub fn encode_behind<'b>(
        &self,
        packet: &Packet<'_>,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], EncodeError> {
        let mut writer = Writer::new(buffer);
        packet.put_header(&mut writer)?;
        writer.put(self.exchange.as_bytes())?;
        writer.put(self.verifying.as_bytes())?;
        if let Some(signalling) = self.signalling {
            writer.put(&signalling.to_bytes())?;
        }
        Ok(writer.finish())
    }
}
