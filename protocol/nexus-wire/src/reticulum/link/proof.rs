//! The proof that answers a link request.

use nexus_crypto::exchange::EphemeralPublic;
use nexus_crypto::{ReticulumIdentity, Signature, VerifyingKey};
use thiserror::Error;

use super::Signalling;
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};
use crate::reticulum::{Context, DestinationType, LinkId, Packet, PacketType, Payload};

/// Answers a link request: the responder's key for this link, signed by the identity of the destination asked.
///
/// ```text
/// signature(64) X25519 key(32) [signalling(3)]
/// signed: link id ‖ X25519 key ‖ the identity's Ed25519 key ‖ signalling
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkProof {
    /// The link.
    pub link: LinkId,
    /// By the destination's identity.
    pub signature: Signature,
    /// The responder's X25519 key.
    pub exchange: EphemeralPublic,
    /// What was agreed; absent from answers to requests without.
    pub signalling: Option<Signalling>,
}

/// A link proof that the destination's identity did not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the link proof's signature does not verify")]
pub struct BadLinkProof;

impl LinkProof {
    /// Reads the link proof that `packet` is: 96 or 99 bytes on a link.
    pub fn from_packet(packet: &Packet<'_>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("link proof", packet.data);
        if packet.packet_type != PacketType::Proof {
            return Err(reader.error("packet type", Fault::Value));
        }
        if packet.context != Context::LINK_REQUEST_PROOF {
            return Err(reader.error("context", Fault::Value));
        }
        let link = packet.link().ok_or(reader.error("destination type", Fault::Value))?;
        let signature = Signature(reader.array("signature")?);
        let exchange = EphemeralPublic(reader.array("X25519 key")?);
        let signalling = Signalling::optional(&mut reader)?;
        reader.finish("signalling")?;
        Ok(Self { link, signature, exchange, signalling })
    }

    /// The proof by which `identity` accepts the link with the key `exchange`.
    #[must_use]
    pub fn sign(
        link: LinkId,
        exchange: EphemeralPublic,
        signalling: Option<Signalling>,
        identity: &ReticulumIdentity,
    ) -> Self {
        let verifying = identity.public().verifying();
        let signature =
            with_signed(&link, &exchange, &verifying, signalling, |parts| identity.sign_untagged(parts));
        Self { link, signature, exchange, signalling }
    }

    /// Whether the holder of `responder`, the Ed25519 key that the destination announced, accepts the link.
    pub fn verify(&self, responder: &VerifyingKey) -> Result<(), BadLinkProof> {
        with_signed(&self.link, &self.exchange, responder, self.signalling, |parts| {
            responder.verify_untagged(parts, &self.signature).map_err(|_| BadLinkProof)
        })
    }
}

impl Payload for LinkProof {
    fn originating_header(&self) -> Packet<'static> {
        Packet::originating(
            PacketType::Proof,
            DestinationType::Link,
            self.link.into(),
            Context::LINK_REQUEST_PROOF,
        )
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.signature.as_bytes())?;
        out.put(self.exchange.as_bytes())?;
        if let Some(signalling) = self.signalling {
            out.put(&signalling.to_bytes())?;
        }
        Ok(())
    }
}

fn with_signed<T>(
    link: &LinkId,
    exchange: &EphemeralPublic,
    responder: &VerifyingKey,
    signalling: Option<Signalling>,
    then: impl FnOnce(&[&[u8]]) -> T,
) -> T {
    let signalling = signalling.map(Signalling::to_bytes);
    let signalling: &[u8] = signalling.as_ref().map_or(&[], |bytes| bytes);
    then(&[link.as_bytes(), exchange.as_bytes(), responder.as_bytes(), signalling])
}
