//! What two neighbours say about paying a relay: terms, dues, tokens and claims. Source: spec/economy.md#lottery.
//!
//! None of it names a frame, a packet or a link's key: what is lost, doubled, late or under another key changes nothing.

use super::Layout;
use super::message::{Body, MessageKind};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// A link of a chain of payment tokens: each is the hash of the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub [u8; 16]);

/// What a payer offers: how value is cut into windows, and what a window that wins is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The channel out of which wins are paid.
    pub channel_id: [u8; 16],
    /// The number of the terms; it only grows.
    pub number: u32,
    /// Where the chain of tokens ends.
    pub anchor: Token,
    /// The value of a window, in grains.
    pub window: u64,
    /// What a window that wins is worth, in µNXS.
    pub reward: u64,
    /// How many windows there are.
    pub length: u16,
}

impl Offer {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 54;
}

impl Layout<'_> for Offer {
    const NAME: &'static str = "offer";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel_id: reader.array("channel_id")?,
            number: reader.u32_le("number")?,
            anchor: Token(reader.array("anchor")?),
            window: reader.u64_le("window")?,
            reward: reader.u64_le("reward")?,
            length: reader.u16_le("length")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&self.channel_id)?;
        out.u32_le(self.number)?;
        out.put(&self.anchor.0)?;
        out.u64_le(self.window)?;
        out.u64_le(self.reward)?;
        out.u16_le(self.length)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// The body of TERMS, payer to relay: an offer, signed together with the relay's VRF key, and what was released under the
/// offer before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms<'a> {
    /// The offer.
    pub offer: Offer,
    /// The payer's signature.
    pub signature: &'a [u8; 64],
    /// How many windows were released under the terms before; none are from here on.
    pub before: u16,
    /// The token of the last of them: the earlier chain's end if none was.
    pub before_token: Token,
}

impl Terms<'_> {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = Offer::LEN + 64 + 2 + 16;
}

impl<'a> Layout<'a> for Terms<'a> {
    const NAME: &'static str = "terms";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            offer: Offer::read(reader)?,
            signature: reader.array_ref("signature")?,
            before: reader.u16_le("before")?,
            before_token: Token(reader.array("before_token")?),
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.offer.write(out)?;
        out.put(self.signature)?;
        out.u16_le(self.before)?;
        out.put(&self.before_token.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl<'a> Body<'a> for Terms<'a> {
    const KIND: MessageKind = MessageKind::TERMS;
}

/// A window's number under some terms, and its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// How many windows are released: this one and all before it.
    pub window: u16,
    /// Its token.
    pub token: Token,
}

impl Released {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 18;
}

impl Layout<'_> for Released {
    const NAME: &'static str = "released";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { window: reader.u16_le("window")?, token: Token(reader.array("token")?) })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u16_le(self.window)?;
        out.put(&self.token.0)
    }
    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// The body of DUE, relay to payer: what was relayed amounts to so many windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The channel, as the two call it on this link.
    pub slot: u8,
    /// The low byte of the number of the terms that the relay holds.
    pub terms: u8,
    /// So many whole windows are due.
    pub window: u16,
    /// The highest token that the relay holds: in the first after a link came up, and in the answer to TERMS.
    pub held: Option<Released>,
}

impl Due {
    /// Its length on the wire without a token, in bytes.
    pub const LEN: usize = 4;
    /// With one.
    pub const LEN_HELD: usize = Self::LEN + Released::LEN;
}

impl Layout<'_> for Due {
    const NAME: &'static str = "due";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (slot, terms) = (reader.u8("slot")?, reader.u8("terms")?);
        let window = reader.u16_le("window")?;
        let held = if reader.remaining() == 0 { None } else { Some(Released::read(reader)?) };
        Ok(Self { slot, terms, window, held })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot)?;
        out.u8(self.terms)?;
        out.u16_le(self.window)?;
        self.held.as_ref().map_or(Ok(()), |held| held.write(out))
    }

    fn encoded_len(&self) -> usize {
        if self.held.is_some() { Self::LEN_HELD } else { Self::LEN }
    }
}

impl Body<'_> for Due {
    const KIND: MessageKind = MessageKind::DUE;
}

/// The body of TOKEN, payer to relay: so many windows are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRelease {
    /// The channel, as the two call it on this link.
    pub slot: u8,
    /// The low byte of the number of the terms whose chain the token is of.
    pub terms: u8,
    /// What is released.
    pub released: Released,
}

impl TokenRelease {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 2 + Released::LEN;
}

impl Layout<'_> for TokenRelease {
    const NAME: &'static str = "token";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (slot, terms) = (reader.u8("slot")?, reader.u8("terms")?);
        Ok(Self { slot, terms, released: Released::read(reader)? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot)?;
        out.u8(self.terms)?;
        self.released.write(out)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

impl Body<'_> for TokenRelease {
    const KIND: MessageKind = MessageKind::TOKEN;
}

/// The body of CLAIM, relay to payer: windows that won, and the state of the channel in which they are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The channel, as the two call it on this link.
    pub slot: u8,
    /// The first window claimed.
    pub from: u16,
    /// The last, not before it.
    pub to: u16,
    /// The sequence of the state that this one follows.
    pub base_sequence: u64,
    /// The sequence of the state proposed.
    pub sequence: u64,
    /// The relay's signature under that state.
    pub signature: &'a [u8; 64],
    /// That the window won: of one window, and only where windows can lose.
    pub proof: Option<&'a [u8; 80]>,
}

impl Claim<'_> {
    /// Its length on the wire where every window wins, in bytes.
    pub const LEN: usize = 1 + 2 + 2 + 8 + 8 + 64;
    /// With a proof.
    pub const LEN_PROVED: usize = Self::LEN + 80;
}

impl<'a> Layout<'a> for Claim<'a> {
    const NAME: &'static str = "claim";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let slot = reader.u8("slot")?;
        let (from, to) = (reader.u16_le("from")?, reader.u16_le("to")?);
        super::require(from <= to, reader, "to", Fault::Value)?;
        let (base_sequence, sequence) = (reader.u64_le("base_sequence")?, reader.u64_le("sequence")?);
        let signature = reader.array_ref("signature")?;
        let proof = if reader.remaining() == 0 { None } else { Some(reader.array_ref("proof")?) };
        super::require(proof.is_none() || from == to, reader, "to", Fault::Value)?;
        Ok(Self { slot, from, to, base_sequence, sequence, signature, proof })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot)?;
        out.u16_le(self.from)?;
        out.u16_le(self.to)?;
        out.u64_le(self.base_sequence)?;
        out.u64_le(self.sequence)?;
        out.put(self.signature)?;
        self.proof.map_or(Ok(()), |proof| out.put(proof))
    }

    fn encoded_len(&self) -> usize {
        if self.proof.is_some() { Self::LEN_PROVED } else { Self::LEN }
    }
}

impl<'a> Body<'a> for Claim<'a> {
    const KIND: MessageKind = MessageKind::CLAIM;
}
