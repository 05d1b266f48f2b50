//! What an end-to-end packet to a NEXUS node says once it is opened. Sealing is `nexus-secure`'s part.
//! Source: spec/wire.md#end-to-end.

use nexus_crypto::NodeId;

use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// What is asked of the receiving node. Unknown services survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service(pub u16);

impl Service {
    /// An answer, to measure the way.
    pub const PING: Self = Self(1);
    /// A message for a person.
    pub const MESSAGE: Self = Self(2);
    /// An answer that says how the question came, and how it would send back: [`super::trace::TraceAnswer`].
    pub const TRACE: Self = Self(3);
    /// A tunnelled IP packet.
    pub const TUN: Self = Self(4);
    /// What owners and witnesses say to each other that have no link: the kind of a message, u8, and its body.
    pub const WITNESSES: Self = Self(5);
}

/// Who sends it, and the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedSender<'a> {
    /// The sender.
    pub sender: NodeId,
    /// Ed25519 over `"nexus/e2e/v1" padded to 16 ‖ enc ‖ destination ‖` the whole plaintext without the signature, in the
    /// order of the wire; not yet verified.
    pub signature: &'a [u8; 64],
}

/// The plaintext of an end-to-end packet:
/// `service u16, flags u8, [reply NodeId], [sender NodeId ‖ signature], request id u32, body`.
///
/// The flags say which of the optional parts are there (bit 0 reply, bit 1 sender). Others are refused: what they would
/// add to the layout cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What is asked.
    pub service: Service,
    /// Where an answer goes, if one is wanted.
    pub reply_to: Option<NodeId>,
    /// Who asks, if that is said.
    pub sender: Option<SignedSender<'a>>,
    /// Repeated in the answer.
    pub request_id: u32,
    /// What the service defines.
    pub body: &'a [u8],
}

impl Envelope<'_> {
    /// Its length without optional parts and body, in bytes.
    pub const MIN_LEN: usize = 2 + 1 + 4;
    /// What a signed sender adds, in bytes.
    pub const SENDER_LEN: usize = NodeId::LEN + 64;
    const REPLY: u8 = 0x01;
    const SENDER: u8 = 0x02;

    /// Its encoding, `plaintext`, without the signature: what comes before it, and what comes after. Without a sender, all of
    /// it and nothing. `None` if `plaintext` is shorter than the encoding.
    #[must_use]
    pub fn around_signature<'p>(&self, plaintext: &'p [u8]) -> Option<(&'p [u8], &'p [u8])> {
        if self.sender.is_none() {
            return Some((plaintext, &[]));
        }
        let reply = if self.reply_to.is_some() { NodeId::LEN } else { 0 };
        let (before, rest) = plaintext.split_at_checked(reply.saturating_add(2 + 1 + NodeId::LEN))?;
        Some((before, rest.split_at_checked(64)?.1))
    }
}

impl<'a> Layout<'a> for Envelope<'a> {
    const NAME: &'static str = "end-to-end";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let service = Service(reader.u16_le("service")?);
        let flags = reader.u8("flags")?;
        require(flags & !(Self::REPLY | Self::SENDER) == 0, reader, "flags", Fault::Value)?;
        let mut reply_to = None;
        if flags & Self::REPLY != 0 {
            reply_to = Some(NodeId(reader.array("reply")?));
        }
        let mut sender = None;
        if flags & Self::SENDER != 0 {
            let id = NodeId(reader.array("sender")?);
            sender = Some(SignedSender { sender: id, signature: reader.array_ref("signature")? });
        }
        let request_id = reader.u32_le("request_id")?;
        Ok(Self { service, reply_to, sender, request_id, body: take_rest(reader, "body")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        let reply = if self.reply_to.is_some() { Self::REPLY } else { 0 };
        let sender = if self.sender.is_some() { Self::SENDER } else { 0 };
        out.u16_le(self.service.0)?;
        out.u8(reply | sender)?;
        if let Some(reply_to) = self.reply_to {
            out.put(reply_to.as_bytes())?;
        }
        if let Some(SignedSender { sender, signature }) = self.sender {
            out.put(sender.as_bytes())?;
            out.put(signature)?;
        }
        out.u32_le(self.request_id)?;
        out.put(self.body)
    }

    fn encoded_len(&self) -> usize {
        let reply = if self.reply_to.is_some() { 16 } else { 0_usize };
        let sender = if self.sender.is_some() { 16 + 64 } else { 0 };
        self.body.len().saturating_add(Self::MIN_LEN).saturating_add(reply).saturating_add(sender)
    }
}
