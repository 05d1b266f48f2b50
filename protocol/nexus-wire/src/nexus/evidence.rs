//! Proofs of misconduct: two different bodies that one key signed where it may sign one. Source: spec/economy.md#evidence.

use nexus_crypto::hash::blake3;
use nexus_crypto::{DomainTag, NodeId, Signature};

use super::channel::{ChannelBody, ChannelId};
use super::gossip::ItemId;
use super::ledger::{OpenBody, WitnessIndex, signature};
use super::message::{Body, MessageKind};
use super::{Layout, require};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// The body of EVIDENCE, and an item of its store. The two bodies differ, and the lesser in bytes stands first: there is one encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// A party signed two states of a channel under one number.
    States {
        /// Which party.
        accused: Party,
        /// The two.
        signed: [(ChannelBody, Signature); 2],
    },
    /// An owner signed two orders under one number.
    Orders([(OpenBody, Signature); 2]),
    /// A witness signed two orders of one owner under one number.
    Attested {
        /// Which witness.
        witness: WitnessIndex,
        /// The two, with the witness's signatures.
        signed: [(OpenBody, Signature); 2],
    },
}

/// One of a channel's parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// The lower id.
    A,
    /// The higher id.
    B,
}

impl Evidence {
    const STATES: u8 = 1;
    const ORDERS: u8 = 2;
    const ATTESTED: u8 = 3;

    /// Two states under one number, if they are.
    #[must_use]
    pub fn of_states(accused: Party, signed: [(ChannelBody, Signature); 2]) -> Option<Self> {
        let [one, other] = signed.map(|(body, _)| body);
        let same = one.channel == other.channel
            && (one.party_a, one.party_b) == (other.party_a, other.party_b)
            && one.sequence == other.sequence;
        let signed = in_order(signed, |body| (body.balance_a, body.balance_b))?;
        same.then_some(Self::States { accused, signed })
    }

    /// Two orders under one number, if they are.
    #[must_use]
    pub fn of_orders(signed: [(OpenBody, Signature); 2]) -> Option<Self> {
        one_number(signed).map(Self::Orders)
    }

    /// Two orders under one number, both signed by a witness, if they are.
    #[must_use]
    pub fn of_witness(witness: WitnessIndex, signed: [(OpenBody, Signature); 2]) -> Option<Self> {
        one_number(signed).map(|signed| Self::Attested { witness, signed })
    }

    /// The name of what convicts `accused` among the items of its store: one is enough, so one is kept for each.
    #[must_use]
    pub fn id_against(accused: &NodeId) -> ItemId {
        ItemId(blake3(&[DomainTag::EVIDENCE.as_bytes(), &accused.0]))
    }
}

/// The two if they differ in `key`, the lesser first.
fn in_order<T: Copy, K: Ord>(
    signed: [(T, Signature); 2],
    key: impl Fn(&T) -> K,
) -> Option<[(T, Signature); 2]> {
    let [one, other] = signed;
    match key(&one.0).cmp(&key(&other.0)) {
        core::cmp::Ordering::Less => Some([one, other]),
        core::cmp::Ordering::Greater => Some([other, one]),
        core::cmp::Ordering::Equal => None,
    }
}

fn one_number(signed: [(OpenBody, Signature); 2]) -> Option<[(OpenBody, Signature); 2]> {
    let [one, other] = signed.map(|(body, _)| body);
    let same = (one.owner, one.order) == (other.owner, other.order);
    in_order(signed, |body| (body.deposit, body.channel, body.peer)).filter(|_| same)
}

fn read_orders(reader: &mut Reader<'_>) -> Result<[(OpenBody, Signature); 2], DecodeError> {
    let owner = NodeId(reader.array("owner")?);
    let order = reader.u32_le("order")?;
    require(order > 0, reader, "order", Fault::Value)?;
    let mut signed = || {
        let deposit = reader.u64_le("deposit")?;
        require(deposit > 0, reader, "deposit", Fault::Value)?;
        let channel = ChannelId(reader.array("channel_id")?);
        let peer = NodeId(reader.array("peer")?);
        require(owner != peer, reader, "peer", Fault::Value)?;
        Ok((OpenBody { owner, order, deposit, channel, peer }, signature(reader, "sig")?))
    };
    let both = [signed()?, signed()?];
    canonical(both, one_number(both), reader)
}

fn read_states(reader: &mut Reader<'_>) -> Result<(Party, [(ChannelBody, Signature); 2]), DecodeError> {
    let channel = ChannelId(reader.array("channel_id")?);
    let party_a = NodeId(reader.array("party_a")?);
    let party_b = NodeId(reader.array("party_b")?);
    require(party_a < party_b, reader, "party_b", Fault::Value)?;
    let sequence = reader.u64_le("sequence")?;
    let accused = match reader.u8("accused")? {
        0 => Party::A,
        1 => Party::B,
        _ => return Err(reader.error("accused", Fault::Value)),
    };
    let mut signed = || {
        let balance_a = reader.u64_le("balance_a")?;
        let balance_b = reader.u64_le("balance_b")?;
        let body = ChannelBody { channel, party_a, party_b, balance_a, balance_b, sequence };
        Ok((body, signature(reader, "sig")?))
    };
    let both = [signed()?, signed()?];
    let ordered = in_order(both, |body| (body.balance_a, body.balance_b));
    canonical(both, ordered, reader).map(|signed| (accused, signed))
}

/// What was read, if it is as it would be written.
fn canonical<T: PartialEq>(read: T, ordered: Option<T>, reader: &Reader<'_>) -> Result<T, DecodeError> {
    let right = ordered.is_some_and(|ordered| ordered == read);
    require(right, reader, "bodies", Fault::Value).map(|()| read)
}

fn write_orders(out: &mut Writer<'_>, signed: &[(OpenBody, Signature); 2]) -> Result<(), EncodeError> {
    let [(first, _), _] = signed;
    out.put(&first.owner.0)?;
    out.u32_le(first.order)?;
    for (body, signature) in signed {
        out.u64_le(body.deposit)?;
        out.put(&body.channel.0)?;
        out.put(&body.peer.0)?;
        out.put(&signature.0)?;
    }
    Ok(())
}

impl Layout<'_> for Evidence {
    const NAME: &'static str = "evidence";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("kind")? {
            Self::STATES => read_states(reader).map(|(accused, signed)| Self::States { accused, signed }),
            Self::ORDERS => read_orders(reader).map(Self::Orders),
            Self::ATTESTED => {
                let witness = WitnessIndex(reader.u8("witness")?);
                read_orders(reader).map(|signed| Self::Attested { witness, signed })
            }
            _ => Err(reader.error("kind", Fault::Value)),
        }
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::States { accused, signed } => {
                let [(first, _), _] = signed;
                out.u8(Self::STATES)?;
                out.put(&first.channel.0)?;
                out.put(&first.party_a.0)?;
                out.put(&first.party_b.0)?;
                out.u64_le(first.sequence)?;
                out.u8(match accused {
                    Party::A => 0,
                    Party::B => 1,
                })?;
                for (body, signature) in signed {
                    out.u64_le(body.balance_a)?;
                    out.u64_le(body.balance_b)?;
                    out.put(&signature.0)?;
                }
                Ok(())
            }
            Self::Orders(signed) => {
                out.u8(Self::ORDERS)?;
                write_orders(out, signed)
            }
            Self::Attested { witness, signed } => {
                out.u8(Self::ATTESTED)?;
                out.u8(witness.0)?;
                write_orders(out, signed)
            }
        }
    }

    fn encoded_len(&self) -> usize {
        const ORDERS: usize = 16 + 4 + 2 * (8 + 16 + 16 + 64);
        match self {
            Self::States { .. } => 1 + 48 + 8 + 1 + 2 * (8 + 8 + 64),
            Self::Orders(_) => 1 + ORDERS,
            Self::Attested { .. } => 2 + ORDERS,
        }
    }
}

impl Body<'_> for Evidence {
    const KIND: MessageKind = MessageKind::EVIDENCE;
}
