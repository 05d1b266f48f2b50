//! What neighbours say about their channel. Source: spec/economy.md#channel-messages.
//!
//! CLAIM, which proposes a state, stands with the lottery's messages; COSIGN may carry the body of one.

use nexus_crypto::{Signature, VrfPublicKey};

use super::channel::{ChannelNonce, ChannelState, SettlementRecord, read_signature};
use super::message::{Body, MessageKind};
use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// Which channel of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelSlot(pub u8);

/// What each side brings to a channel: the same in OPEN and in ACCEPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// What the sender throws into the channel's id.
    pub nonce: ChannelNonce,
    /// What the sender lends the receiver here, in µNXS.
    pub line: u64,
    /// What the sender deposits here, in µNXS; it is spendable as far as it is certified.
    pub deposit: u64,
    /// The key by which the sender proves its wins.
    pub vrf_key: &'a [u8; VrfPublicKey::LEN],
}

impl<'a> Offer<'a> {
    const LEN: usize = 16 + 8 + 8 + 32;

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            nonce: ChannelNonce(reader.array("nonce")?),
            line: reader.u64_le("line")?,
            deposit: reader.u64_le("deposit")?,
            vrf_key: reader.array_ref("vrf_key")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&self.nonce.0)?;
        out.u64_le(self.line)?;
        out.u64_le(self.deposit)?;
        out.put(self.vrf_key)
    }
}

/// OPEN: a channel is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    /// What the channel is called on this link.
    pub slot: ChannelSlot,
    /// What the sender brings.
    pub offer: Offer<'a>,
}

impl<'a> Layout<'a> for Open<'a> {
    const NAME: &'static str = "channel-open";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { slot: read_slot(reader)?, offer: Offer::read(reader)? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot.0)?;
        self.offer.write(out)
    }

    fn encoded_len(&self) -> usize {
        Offer::LEN.saturating_add(1)
    }
}

/// ACCEPT: what the other brings, and its signature on the state with sequence 0 that follows from both offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept<'a> {
    /// Which channel.
    pub slot: ChannelSlot,
    /// What the sender brings.
    pub offer: Offer<'a>,
    /// The sender's signature on the first state.
    pub sig: Signature,
}

impl<'a> Layout<'a> for Accept<'a> {
    const NAME: &'static str = "channel-accept";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            slot: read_slot(reader)?,
            offer: Offer::read(reader)?,
            sig: read_signature(reader, "sig")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot.0)?;
        self.offer.write(out)?;
        out.put(&self.sig.0)
    }

    fn encoded_len(&self) -> usize {
        Offer::LEN.saturating_add(65)
    }
}

/// What a CLAIM says of the channel: which state it is based on, which it proposes, and the claimant's signature on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Proposal {
    /// The state that the proposal changes.
    pub base_sequence: u64,
    /// The state that it makes, in the proposer's lane.
    pub sequence: u64,
    /// The proposer's signature on that state.
    pub sig: Signature,
}

impl Layout<'_> for Proposal {
    const NAME: &'static str = "channel-proposal";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            base_sequence: reader.u64_le("base_sequence")?,
            sequence: reader.u64_le("sequence")?,
            sig: read_signature(reader, "sig")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u64_le(self.base_sequence)?;
        out.u64_le(self.sequence)?;
        out.put(&self.sig.0)
    }

    fn encoded_len(&self) -> usize {
        80
    }
}

/// COSIGN: the proposed state is signed; and the sender's own proposal on top of it, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosign<'a> {
    /// Which channel.
    pub slot: ChannelSlot,
    /// Which state is signed.
    pub sequence: u64,
    /// The sender's signature on it.
    pub sig: Signature,
    /// The body of a CLAIM in this slot, or nothing.
    pub carried: &'a [u8],
}

impl Cosign<'_> {
    /// Without what it carries, in bytes.
    const HEAD: usize = 1 + 8 + 64;
    /// How long the body of a CLAIM is: without a proof, and with one.
    pub const CLAIMS: [usize; 2] = [85, 165];
}

impl<'a> Layout<'a> for Cosign<'a> {
    const NAME: &'static str = "channel-cosign";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let slot = read_slot(reader)?;
        let sequence = reader.u64_le("sequence")?;
        let sig = read_signature(reader, "sig")?;
        let carried = take_rest(reader, "carried")?;
        let fits = carried.is_empty() || Self::CLAIMS.contains(&carried.len());
        require(fits, reader, "carried", Fault::Length)?;
        let of_this_slot = carried.first().is_none_or(|first| *first == slot.0);
        require(of_this_slot, reader, "carried", Fault::Value)?;
        Ok(Self { slot, sequence, sig, carried })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot.0)?;
        out.u64_le(self.sequence)?;
        out.put(&self.sig.0)?;
        out.put(self.carried)
    }

    fn encoded_len(&self) -> usize {
        Self::HEAD.saturating_add(self.carried.len())
    }
}

/// Why something about a channel is refused. Unknown codes survive, and mean no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefuseCode(pub u8);

impl RefuseCode {
    /// No channel has this slot.
    pub const UNKNOWN_CHANNEL: Self = Self(1);
    /// A channel stands between the two already, or the receiver wants none.
    pub const NOT_WANTED: Self = Self(2);
    /// The offer's lines and deposits are not acceptable, or do not fit, or its key of proofs is none.
    pub const TERMS: Self = Self(3);
    /// The signature does not verify for the state that was proposed.
    pub const SIGNATURE: Self = Self(4);
    /// The payer's balance does not cover it.
    pub const FUNDS: Self = Self(5);
    /// The sequence is of the wrong lane, too low, or too far.
    pub const SEQUENCE: Self = Self(6);
    /// The window was claimed before, or is beyond what was released.
    pub const WINDOW: Self = Self(7);
    /// The proof does not verify, or the window did not win.
    pub const PROOF: Self = Self(8);
    /// There is nothing to settle.
    pub const NOTHING: Self = Self(9);
    /// The channel is being closed.
    pub const CLOSING: Self = Self(10);
}

/// REFUSE: never, with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refuse {
    /// Which channel.
    pub slot: ChannelSlot,
    /// The sequence of the proposal, settlement or close that is refused; 0 for OPEN.
    pub sequence: u64,
    /// Why.
    pub code: RefuseCode,
}

impl Layout<'_> for Refuse {
    const NAME: &'static str = "channel-refuse";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            slot: read_slot(reader)?,
            sequence: reader.u64_le("sequence")?,
            code: RefuseCode(reader.u8("code")?),
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot.0)?;
        out.u64_le(self.sequence)?;
        out.u8(self.code.0)
    }

    fn encoded_len(&self) -> usize {
        10
    }
}

/// What SETTLE and CLOSE propose: figures that follow from a state, and the sender's signature on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Which channel.
    pub slot: ChannelSlot,
    /// Of which state they are reckoned.
    pub final_sequence: u64,
    /// The gross from a.
    pub paid_a: u64,
    /// The gross from b.
    pub paid_b: u64,
    /// The sender's signature.
    pub sig: Signature,
}

impl Figures {
    const LEN: usize = 1 + 8 + 8 + 8 + 64;

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            slot: read_slot(reader)?,
            final_sequence: reader.u64_le("final_sequence")?,
            paid_a: reader.u64_le("paid_a")?,
            paid_b: reader.u64_le("paid_b")?,
            sig: read_signature(reader, "sig")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot.0)?;
        out.u64_le(self.final_sequence)?;
        out.u64_le(self.paid_a)?;
        out.u64_le(self.paid_b)?;
        out.put(&self.sig.0)
    }
}

/// SETTLE: a settlement is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settle(pub Figures);

impl Layout<'_> for Settle {
    const NAME: &'static str = "channel-settle";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Figures::read(reader).map(Self)
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.0.write(out)
    }

    fn encoded_len(&self) -> usize {
        Figures::LEN
    }
}

/// What a CLOSE is, so that two who have closed do not answer each other for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseStage {
    /// The sender waits for the other's signature.
    Proposed,
    /// The sender has both: nothing is to be answered.
    Agreed,
}

/// CLOSE: the channel's end is proposed, or agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The last figures.
    pub figures: Figures,
    /// Whether the other's signature is wanted.
    pub stage: CloseStage,
}

impl Layout<'_> for Close {
    const NAME: &'static str = "channel-close";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let figures = Figures::read(reader)?;
        let stage = match reader.u8("stage")? {
            0 => CloseStage::Proposed,
            1 => CloseStage::Agreed,
            _ => return Err(reader.error("stage", Fault::Value)),
        };
        Ok(Self { figures, stage })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.figures.write(out)?;
        out.u8(match self.stage {
            CloseStage::Proposed => 0,
            CloseStage::Agreed => 1,
        })
    }

    fn encoded_len(&self) -> usize {
        Figures::LEN.saturating_add(1)
    }
}

/// SETTLED: the latest settlement that both have signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Which channel.
    pub slot: ChannelSlot,
    /// The record.
    pub record: SettlementRecord,
}

impl Layout<'_> for Settled {
    const NAME: &'static str = "channel-settled";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { slot: read_slot(reader)?, record: SettlementRecord::read(reader)? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot.0)?;
        self.record.write(out)
    }

    fn encoded_len(&self) -> usize {
        1_usize.saturating_add(SettlementRecord::LEN)
    }
}

/// What the sender of STATE says of itself. Unknown bits survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateFlags(pub u8);

impl StateFlags {
    /// Nothing to say.
    pub const PLAIN: Self = Self(0);
    /// The sender forgot: of what was proposed up to the numbers given, it stands by nothing that is not in a state signed
    /// by both.
    pub const RESUMED: Self = Self(1);
    /// The sender closes the channel alone.
    pub const DISPUTED: Self = Self(2);
    /// The sender wants a STATE in answer.
    pub const ANSWER: Self = Self(4);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// STATE: the latest state that both have signed, and the highest number that the sender has seen of either lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestState {
    /// What the channel is called on this link.
    pub slot: ChannelSlot,
    /// What the sender says of itself.
    pub flags: StateFlags,
    /// The highest number seen of the lower id's lane.
    pub highest_a: u64,
    /// The highest number seen of the higher id's lane.
    pub highest_b: u64,
    /// The state.
    pub state: ChannelState,
}

impl Layout<'_> for LatestState {
    const NAME: &'static str = "channel-latest";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            slot: read_slot(reader)?,
            flags: StateFlags(reader.u8("flags")?),
            highest_a: reader.u64_le("highest_a")?,
            highest_b: reader.u64_le("highest_b")?,
            state: ChannelState::read(reader)?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.slot.0)?;
        out.u8(self.flags.0)?;
        out.u64_le(self.highest_a)?;
        out.u64_le(self.highest_b)?;
        self.state.write(out)
    }

    fn encoded_len(&self) -> usize {
        18_usize.saturating_add(ChannelState::LEN)
    }
}

impl<'a> Body<'a> for Open<'a> {
    const KIND: MessageKind = MessageKind::OPEN;
}
impl<'a> Body<'a> for Accept<'a> {
    const KIND: MessageKind = MessageKind::ACCEPT;
}
impl<'a> Body<'a> for Cosign<'a> {
    const KIND: MessageKind = MessageKind::COSIGN;
}
impl Body<'_> for Refuse {
    const KIND: MessageKind = MessageKind::REFUSE;
}
impl Body<'_> for Settle {
    const KIND: MessageKind = MessageKind::SETTLE;
}
impl Body<'_> for Settled {
    const KIND: MessageKind = MessageKind::SETTLED;
}
impl Body<'_> for LatestState {
    const KIND: MessageKind = MessageKind::STATE;
}
impl Body<'_> for Close {
    const KIND: MessageKind = MessageKind::CLOSE;
}

fn read_slot(reader: &mut Reader<'_>) -> Result<ChannelSlot, DecodeError> {
    reader.u8("slot").map(ChannelSlot)
}
