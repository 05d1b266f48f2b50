//! The request for a link.

use nexus_crypto::VerifyingKey;
use nexus_crypto::exchange::EphemeralPublic;
use nexus_crypto::hash::sha256_truncated;

use super::Signalling;
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};
use crate::reticulum::{Context, DestinationType, LinkId, Packet, PacketType, Payload};
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
}

impl Payload for LinkRequest {
    fn originating_header(&self) -> Packet<'static> {
        Packet::originating(PacketType::LinkRequest, DestinationType::Single, self.destination, self.context)
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.exchange.as_bytes())?;
        out.put(self.verifying.as_bytes())?;
        if let Some(signalling) = self.signalling {
            out.put(&signalling.to_bytes())?;
        }
        Ok(())
    }
}
