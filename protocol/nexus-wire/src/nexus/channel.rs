//! Channels at rest: what two neighbours sign about their account. Source: spec/economy.md#channels.
//!
//! How they talk about it stands in [`super::channel_messages`].

use nexus_crypto::hash::blake3;
use nexus_crypto::{DomainTag, Message, NodeId, Signature, fixed_bytes};

use super::{Layout, require};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

fixed_bytes! {
    /// Which channel: `BLAKE3(tag ‖ party a ‖ party b ‖ a's nonce ‖ b's nonce)[..16]`. Source: spec/economy.md#channel-state.
    ChannelId, 16
}
fixed_bytes! {
    /// What a party throws in when a channel is opened, so that no two channels have one id.
    ChannelNonce, 16
}

impl ChannelId {
    /// The channel between `party_a`, the lower id, and `party_b`, opened with their nonces.
    #[must_use]
    pub fn of(party_a: NodeId, party_b: NodeId, nonce_a: ChannelNonce, nonce_b: ChannelNonce) -> Self {
        let hash =
            blake3(&[DomainTag::CHANNEL_ID.as_bytes(), &party_a.0, &party_b.0, &nonce_a.0, &nonce_b.0]);
        let (id, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
        Self(*id)
    }
}

/// What is signed of a channel's state: who has how much after how many numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelBody {
    /// Which channel.
    pub channel: ChannelId,
    /// The lower id.
    pub party_a: NodeId,
    /// The higher id.
    pub party_b: NodeId,
    /// What a may spend here, in µNXS.
    pub balance_a: u64,
    /// What b may spend here, in µNXS.
    pub balance_b: u64,
    /// Which state: the higher one holds.
    pub sequence: u64,
}

impl ChannelBody {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 72;

    /// Calls `then` with the message that either party signs: tag ‖ body.
    pub fn signed<R>(&self, then: impl FnOnce(&Message<'_>) -> R) -> R {
        let bytes = encoded(self);
        then(&Message::new(DomainTag::CHANNEL, &[&bytes]).expect("88 bytes are not 32"))
    }
}

impl Layout<'_> for ChannelBody {
    const NAME: &'static str = "channel-body";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (channel, party_a, party_b) = read_names(reader)?;
        Ok(Self {
            channel,
            party_a,
            party_b,
            balance_a: reader.u64_le("balance_a")?,
            balance_b: reader.u64_le("balance_b")?,
            sequence: reader.u64_le("sequence")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        write_names(out, self.channel, self.party_a, self.party_b)?;
        [self.balance_a, self.balance_b, self.sequence].iter().try_for_each(|figure| out.u64_le(*figure))
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// A state that both have signed, 200 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelState {
    /// What they signed.
    pub body: ChannelBody,
    /// The lower id's signature.
    pub sig_a: Signature,
    /// The higher id's.
    pub sig_b: Signature,
}

impl ChannelState {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = ChannelBody::LEN + 64 + 64;
}

const _: () = assert!(ChannelState::LEN == 200, "spec/economy.md#channel-state");

impl Layout<'_> for ChannelState {
    const NAME: &'static str = "channel-state";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let body = ChannelBody::read(reader)?;
        Ok(Self { body, sig_a: read_signature(reader, "sig_a")?, sig_b: read_signature(reader, "sig_b")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.body.write(out)?;
        out.put(&self.sig_a.0)?;
        out.put(&self.sig_b.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// What is signed of a settlement, and of a close: what each side has ever paid the other out of certified deposits here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SettlementBody {
    /// Which channel.
    pub channel: ChannelId,
    /// The lower id.
    pub party_a: NodeId,
    /// The higher id.
    pub party_b: NodeId,
    /// The gross ever settled from a, in µNXS. Never falls.
    pub paid_a: u64,
    /// The gross ever settled from b, in µNXS. Never falls.
    pub paid_b: u64,
    /// Of which state it was reckoned.
    pub final_sequence: u64,
}

impl SettlementBody {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 72;

    /// `BLAKE3(tag ‖ body)`: what names the record.
    #[must_use]
    pub fn settlement_hash(&self) -> [u8; 32] {
        blake3(&[DomainTag::SETTLE.as_bytes(), &encoded(self)])
    }

    /// Calls `then` with the message that either party signs to settle: tag ‖ settlement hash.
    pub fn signed<R>(&self, then: impl FnOnce(&Message<'_>) -> R) -> R {
        let hash = self.settlement_hash();
        then(&Message::new(DomainTag::SETTLE, &[&hash]).expect("48 bytes are not 32"))
    }

    /// Calls `then` with the message that either party signs to close: tag ‖ body.
    pub fn signed_as_close<R>(&self, then: impl FnOnce(&Message<'_>) -> R) -> R {
        let bytes = encoded(self);
        then(&Message::new(DomainTag::CLOSE, &[&bytes]).expect("88 bytes are not 32"))
    }
}

impl Layout<'_> for SettlementBody {
    const NAME: &'static str = "settlement-body";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (channel, party_a, party_b) = read_names(reader)?;
        Ok(Self {
            channel,
            party_a,
            party_b,
            paid_a: reader.u64_le("paid_a")?,
            paid_b: reader.u64_le("paid_b")?,
            final_sequence: reader.u64_le("final_sequence")?,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        write_names(out, self.channel, self.party_a, self.party_b)?;
        [self.paid_a, self.paid_b, self.final_sequence].iter().try_for_each(|figure| out.u64_le(*figure))
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// A settlement that both have signed, 200 bytes: what the ledger takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SettlementRecord {
    /// What they signed.
    pub body: SettlementBody,
    /// The lower id's signature.
    pub sig_a: Signature,
    /// The higher id's.
    pub sig_b: Signature,
}

impl SettlementRecord {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = SettlementBody::LEN + 64 + 64;
}

const _: () = assert!(SettlementRecord::LEN == 200, "spec/economy.md#settlement");

impl Layout<'_> for SettlementRecord {
    const NAME: &'static str = "settlement-record";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let body = SettlementBody::read(reader)?;
        Ok(Self { body, sig_a: read_signature(reader, "sig_a")?, sig_b: read_signature(reader, "sig_b")? })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.body.write(out)?;
        out.put(&self.sig_a.0)?;
        out.put(&self.sig_b.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

pub(super) fn read_signature(reader: &mut Reader<'_>, field: &'static str) -> Result<Signature, DecodeError> {
    reader.array(field).map(Signature)
}

pub(super) fn read_names(reader: &mut Reader<'_>) -> Result<(ChannelId, NodeId, NodeId), DecodeError> {
    let channel = ChannelId(reader.array("channel_id")?);
    let party_a = NodeId(reader.array("party_a")?);
    let party_b = NodeId(reader.array("party_b")?);
    require(party_a < party_b, reader, "party_b", Fault::Value)?;
    Ok((channel, party_a, party_b))
}

pub(super) fn write_names(
    out: &mut Writer<'_>,
    channel: ChannelId,
    party_a: NodeId,
    party_b: NodeId,
) -> Result<(), EncodeError> {
    out.put(&channel.0)?;
    out.put(&party_a.0)?;
    out.put(&party_b.0)
}

/// The 72 bytes of a body.
fn encoded<'a>(body: &impl Layout<'a>) -> [u8; 72] {
    let mut bytes = [0; 72];
    body.encode(&mut bytes).expect("a body has 72 bytes");
    bytes
}
