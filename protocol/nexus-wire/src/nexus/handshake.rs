//! What a link's handshake carries inside Noise, and what binds it to its frames. Source: spec/wire.md#links.

use nexus_crypto::identity::EdwardsSign;

use super::announce::Capabilities;
use super::code::BandwidthCode;
use super::frame::SessionId;
use super::{Layout, frame};
use crate::codec::{DecodeError, EncodeError, Reader, Writer};

/// The flags of a handshake payload. Bits 1–3 are reserved: sent as 0, ignored and kept when received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadFlags(pub u8);

impl PayloadFlags {
    const SIGN: u8 = 0x01;

    /// The flags of an identity whose Ed25519 x-coordinate has this sign, of a node that speaks up to `version` (of
    /// which the low four bits count).
    #[must_use]
    pub const fn new(sign: EdwardsSign, version: u8) -> Self {
        let sign = match sign {
            EdwardsSign::Even => 0,
            EdwardsSign::Odd => Self::SIGN,
        };
        Self(sign | version << 4)
    }

    /// The sign of the Ed25519 key's x-coordinate (bit 0), which its X25519 image has lost.
    #[must_use]
    pub const fn sign(self) -> EdwardsSign {
        if self.0 & Self::SIGN == 0 { EdwardsSign::Even } else { EdwardsSign::Odd }
    }

    /// The highest version of the link protocol that the sender speaks (bits 4–7).
    #[must_use]
    pub const fn highest_version(self) -> u8 {
        self.0 >> 4
    }
}

/// What either side says of itself inside the handshake: the payload of message 3, and the front of message 2's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPayload {
    /// The key's sign and the versions spoken.
    pub flags: PayloadFlags,
    /// What the node can do.
    pub capabilities: Capabilities,
    /// The bandwidth that it has measured, or was told, for this interface.
    pub bandwidth: BandwidthCode,
    /// The largest frame that it accepts on this link, in bytes.
    pub max_frame: u16,
}

impl LinkPayload {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 6;
}

impl Layout<'_> for LinkPayload {
    const NAME: &'static str = "link-payload";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: PayloadFlags(reader.u8("flags")?),
            capabilities: Capabilities(reader.u16_le("capabilities")?),
            bandwidth: BandwidthCode(reader.u8("bandwidth")?),
            max_frame: reader.u16_le("max_frame")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.flags.0)?;
        out.u16_le(self.capabilities.0)?;
        out.u8(self.bandwidth.0)?;
        out.u16_le(self.max_frame)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// The payload of message 2: the responder's, and where it will receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyPayload {
    /// What the responder says of itself.
    pub link: LinkPayload,
    /// The session under which the responder receives.
    pub session: SessionId,
}

impl ReplyPayload {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = LinkPayload::LEN + 2;
}

impl Layout<'_> for ReplyPayload {
    const NAME: &'static str = "reply-payload";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { link: LinkPayload::read(reader)?, session: SessionId::read(reader, "session")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.link.write(out)?;
        out.u16_le(self.session.get())
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// The Noise prologue of a link: `"NEXUS link 1"` and the first 7 bytes of message 1, so that both sides agree on
/// version, session and target. The cookie is not part of it.
pub fn prologue(first_message: &[u8]) -> Result<[u8; 19], DecodeError> {
    let mut reader = Reader::new("first", first_message);
    let header = reader.array_ref::<{ frame::HEADER_LEN }>("header")?;
    Ok(joined(b"NEXUS link 1", header))
}

/// The Noise prologue of a rekey: `"NEXUS rekey 1"` and the first 32 bytes of the hash of the handshake that made the
/// current key.
#[must_use]
pub fn rekey_prologue(binding: &[u8; 32]) -> [u8; 45] {
    joined(b"NEXUS rekey 1", binding)
}

/// `front ‖ back`, whose lengths add up to `N`: checked at compile time.
fn joined<const A: usize, const B: usize, const N: usize>(front: &[u8; A], back: &[u8; B]) -> [u8; N] {
    const { assert!(A + B == N, "the parts fill the whole") };
    let mut whole = [0; N];
    for (to, from) in whole.iter_mut().zip(front.iter().chain(back)) {
        *to = *from;
    }
    whole
}
