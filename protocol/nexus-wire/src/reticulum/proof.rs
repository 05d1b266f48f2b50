//! Proofs that a packet arrived. Source: spec/reticulum.md#proof.
//!
//! A proof travels back to whoever holds the reverse path: its destination is the truncated hash of the proved packet,
//! or the link on which that packet came.

use nexus_crypto::{BadSignature, ReticulumIdentity, Signature, VerifyingKey};

use super::{Context, DestinationType, LinkId, Packet, PacketHash, PacketType, Payload, TruncatedPacketHash};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// A proof that a packet arrived: signed by its recipient over the packet's full hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What names the proved packet.
    pub proved: Proved,
    /// By the recipient, over the full hash of the packet.
    pub signature: Signature,
}

/// How a proof names its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// By the address of the proof alone: the default outside links.
    Implicit(TruncatedPacketHash),
    /// By its full hash, whose beginning is the address.
    Explicit(PacketHash),
    /// By its full hash, on a link.
    OnLink(LinkId, PacketHash),
}

impl Proof {
    /// Reads the proof that `packet` is. The payload's length tells the forms apart. Refused: a link's own proof, and
    /// an explicit proof sent to another address than its hash's.
    pub fn from_packet(packet: &Packet<'_>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("proof", packet.data);
        if packet.packet_type != PacketType::Proof {
            return Err(reader.error("packet type", Fault::Value));
        }
        if packet.context != Context::NONE {
            return Err(reader.error("context", Fault::Value));
        }
        let address = TruncatedPacketHash(packet.destination.0);
        let proved = match (packet.destination_type, packet.data.len()) {
            (DestinationType::Single, Signature::LEN) => Proved::Implicit(address),
            (DestinationType::Single, _) => {
                let hash = PacketHash(reader.array("packet hash")?);
                if hash.truncated() != address {
                    return Err(reader.error("packet hash", Fault::Value));
                }
                Proved::Explicit(hash)
            }
            (DestinationType::Link, _) => {
                Proved::OnLink(LinkId(packet.destination.0), PacketHash(reader.array("packet hash")?))
            }
            (DestinationType::Group | DestinationType::Plain, _) => {
                return Err(reader.error("destination type", Fault::Value));
            }
        };
        let signature = Signature(reader.array("signature")?);
        reader.finish("signature")?;
        Ok(Self { proved, signature })
    }

    /// The proof of a packet that arrived for a destination of `identity`, in the shorter, implicit form.
    #[must_use]
    pub fn implicit(packet: &PacketHash, identity: &ReticulumIdentity) -> Self {
        let signature = identity.sign_untagged(&[packet.as_bytes()]);
        Self { proved: Proved::Implicit(packet.truncated()), signature }
    }

    /// Whether the proof is for the packet with the full hash `sent`, by the holder of `recipient`.
    ///
    /// A link's responder signs with its identity, its initiator with the link request's Ed25519 key.
    pub fn verify(&self, sent: &PacketHash, recipient: &VerifyingKey) -> Result<(), BadSignature> {
        let is_for_it = match self.proved {
            Proved::Implicit(address) => address == sent.truncated(),
            Proved::Explicit(hash) | Proved::OnLink(_, hash) => hash == *sent,
        };
        if !is_for_it {
            return Err(BadSignature);
        }
        recipient.verify_untagged(&[sent.as_bytes()], &self.signature)
    }
}

impl Payload for Proof {
    fn originating_header(&self) -> Packet<'static> {
        let (destination_type, destination) = match self.proved {
            Proved::Implicit(address) => (DestinationType::Single, address.into()),
            Proved::Explicit(hash) => (DestinationType::Single, hash.truncated().into()),
            Proved::OnLink(link, _) => (DestinationType::Link, link.into()),
        };
        Packet::originating(PacketType::Proof, destination_type, destination, Context::NONE)
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match &self.proved {
            Proved::Implicit(_) => {}
            Proved::Explicit(hash) | Proved::OnLink(_, hash) => out.put(hash.as_bytes())?,
        }
        out.put(self.signature.as_bytes())
    }
}
