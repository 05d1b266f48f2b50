//! Tells a relay that what was reachable through a connection now lost is reachable through this one.
//! Source: spec/reticulum.md#tunnel.

use nexus_crypto::hash::sha256;
use nexus_crypto::{BadSignature, DestinationHash, IdentityPublic, ReticulumIdentity, Signature};

use super::{Context, DestinationType, Packet, PacketType, Payload, TunnelId};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// Synthesises a tunnel: sent by a relay on an interface as soon as it is connected.
///
/// ```text
/// public key(64) interface hash(32) random(16) signature(64)
/// signed: all before the signature
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelSynthesis {
    /// The relay whose interface it is.
    pub public: IdentityPublic,
    /// The interface, by a hash that is the relay's own to choose and stays the same.
    pub interface: [u8; 32],
    /// Makes every synthesis another packet.
    pub random: [u8; 16],
    /// By the relay.
    pub signature: Signature,
}

impl TunnelSynthesis {
    /// Reads the synthesis that `packet` is: data for the PLAIN destination of tunnels.
    pub fn from_packet(packet: &Packet<'_>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("tunnel synthesis", packet.data);
        if packet.packet_type != PacketType::Data {
            return Err(reader.error("packet type", Fault::Value));
        }
        if packet.destination_type != DestinationType::Plain
            || packet.destination != DestinationHash::TUNNEL_SYNTHESIZE
        {
            return Err(reader.error("destination", Fault::Value));
        }
        let public = IdentityPublic(reader.array("public key")?);
        let interface = reader.array("interface hash")?;
        let random = reader.array("random")?;
        let signature = Signature(reader.array("signature")?);
        reader.finish("signature")?;
        Ok(Self { public, interface, random, signature })
    }

    /// The synthesis of `relay` for its interface.
    #[must_use]
    pub fn sign(interface: [u8; 32], random: [u8; 16], relay: &ReticulumIdentity) -> Self {
        let public = *relay.public();
        let signature = relay.sign_untagged(&[public.as_bytes(), &interface, &random]);
        Self { public, interface, random, signature }
    }

    /// Whether the relay signed it.
    pub fn verify(&self) -> Result<(), BadSignature> {
        let signed: [&[u8]; 3] = [self.public.as_bytes(), &self.interface, &self.random];
        self.public.verifying().verify_untagged(&signed, &self.signature)
    }

    /// What names the tunnel, whenever and over whatever it comes back.
    #[must_use]
    pub fn tunnel_id(&self) -> TunnelId {
        TunnelId(sha256(&[self.public.as_bytes(), &self.interface]))
    }
}

impl Payload for TunnelSynthesis {
    fn originating_header(&self) -> Packet<'static> {
        Packet::originating(
            PacketType::Data,
            DestinationType::Plain,
            DestinationHash::TUNNEL_SYNTHESIZE,
            Context::NONE,
        )
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(self.public.as_bytes())?;
        out.put(&self.interface)?;
        out.put(&self.random)?;
        out.put(self.signature.as_bytes())
    }
}
