//! What the ledger's nodes sign and pass on: orders, what witnesses say of them, certificates. Source: spec/economy.md#certificates.
//!
//! A settlement, the other thing the ledger takes, stands in [`super::channel`]; what proves misconduct in [`super::evidence`], where it
//! all begins in [`super::genesis`].

use core::fmt;

use nexus_crypto::hash::blake3;
use nexus_crypto::{DomainTag, Message, NodeId, Signature, fixed_bytes};

use super::channel::{ChannelId, SettlementBody};
use super::message::{Body, MessageKind};
use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

fixed_bytes! {
    /// Which genesis: the BLAKE3 over all of its file but the signatures. Source: spec/economy.md#genesis-file.
    GenesisId, 32
}
fixed_bytes! {
    /// What names an order, whoever signed it: the BLAKE3 over what is signed. Source: spec/economy.md#orders.
    OrderHash, 32
}

/// What an owner signs to put money into a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenBody {
    /// Whose money.
    pub owner: NodeId,
    /// Which of the owner's orders, from 1, without a gap.
    pub order: u32,
    /// The owner's running total in this channel, in µNXS.
    pub deposit: u64,
    /// Which channel.
    pub channel: ChannelId,
    /// Its other party.
    pub peer: NodeId,
}

impl OpenBody {
    /// Its length on the wire, in bytes.
    pub const LEN: usize = 16 + 4 + 8 + 16 + 16;

    /// The name of this order among those of a genesis.
    #[must_use]
    pub fn hash(&self, genesis: &GenesisId) -> OrderHash {
        OrderHash(blake3(&[DomainTag::ORDER.as_bytes(), &genesis.0, &self.to_bytes()]))
    }

    /// Calls `then` with the message that the owner signs: tag ‖ genesis ‖ body.
    pub fn signed<R>(&self, genesis: &GenesisId, then: impl FnOnce(&Message<'_>) -> R) -> R {
        let bytes = self.to_bytes();
        then(&Message::new(DomainTag::ORDER, &[&genesis.0, &bytes]).expect("108 bytes are not 32"))
    }

    fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        self.encode(&mut bytes).expect("a body is as long as it says");
        bytes
    }
}

impl Layout<'_> for OpenBody {
    const NAME: &'static str = "open-body";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let owner = NodeId(reader.array("owner")?);
        let order = reader.u32_le("order")?;
        require(order > 0, reader, "order", Fault::Value)?;
        let deposit = reader.u64_le("deposit")?;
        require(deposit > 0, reader, "deposit", Fault::Value)?;
        let channel = ChannelId(reader.array("channel_id")?);
        let peer = NodeId(reader.array("peer")?);
        require(owner != peer, reader, "peer", Fault::Value)?;
        Ok(Self { owner, order, deposit, channel, peer })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&self.owner.0)?;
        out.u32_le(self.order)?;
        out.u64_le(self.deposit)?;
        out.put(&self.channel.0)?;
        out.put(&self.peer.0)
    }

    fn encoded_len(&self) -> usize {
        Self::LEN
    }
}

/// An order to open a channel, or to put more into it, as its owner signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenOrder {
    /// What is signed.
    pub body: OpenBody,
    /// The owner's signature.
    pub signature: Signature,
}

/// An order to close a channel, signed by one of its parties or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseOrder {
    /// What is signed: what either side has paid in all.
    pub body: SettlementBody,
    /// By whom.
    pub signatures: ClosedBy,
}

/// Whose signatures a close carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// The lower id's alone: the other one has time to show more.
    A(Signature),
    /// The higher id's alone.
    B(Signature),
    /// Both: nobody has to wait.
    Both(Signature, Signature),
}

/// The body of ORDER, and an item of the store of certificates: `kind u8`, then what is signed, then signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Money goes into a channel.
    Open(OpenOrder),
    /// A channel ends.
    Close(CloseOrder),
}

impl Order {
    /// The kind of an order to open.
    const OPEN: u8 = 1;
    /// The kind of an order to close.
    const CLOSE: u8 = 2;

    /// Its name among the orders of a genesis. Signatures have no part in it: one can be made in many ways.
    #[must_use]
    pub fn hash(&self, genesis: &GenesisId) -> OrderHash {
        match self {
            Self::Open(order) => order.body.hash(genesis),
            Self::Close(order) => close_hash(&order.body, genesis),
        }
    }
}

/// The name of the order that closes a channel with these figures.
#[must_use]
pub fn close_hash(body: &SettlementBody, genesis: &GenesisId) -> OrderHash {
    let mut bytes = [0; SettlementBody::LEN];
    body.encode(&mut bytes).expect("a body has 72 bytes");
    OrderHash(blake3(&[DomainTag::CLOSE.as_bytes(), &genesis.0, &bytes]))
}

impl Layout<'_> for Order {
    const NAME: &'static str = "order";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("kind")? {
            Self::OPEN => {
                let body = OpenBody::read(reader)?;
                Ok(Self::Open(OpenOrder { body, signature: signature(reader, "sig")? }))
            }
            Self::CLOSE => {
                let body = SettlementBody::read(reader)?;
                let signatures = match reader.u8("signers")? {
                    1 => ClosedBy::A(signature(reader, "sig_a")?),
                    2 => ClosedBy::B(signature(reader, "sig_b")?),
                    3 => ClosedBy::Both(signature(reader, "sig_a")?, signature(reader, "sig_b")?),
                    _ => return Err(reader.error("signers", Fault::Value)),
                };
                Ok(Self::Close(CloseOrder { body, signatures }))
            }
            _ => Err(reader.error("kind", Fault::Value)),
        }
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Open(order) => {
                out.u8(Self::OPEN)?;
                order.body.write(out)?;
                out.put(&order.signature.0)
            }
            Self::Close(order) => {
                out.u8(Self::CLOSE)?;
                order.body.write(out)?;
                let (signers, one, other) = match &order.signatures {
                    ClosedBy::A(a) => (1, a, None),
                    ClosedBy::B(b) => (2, b, None),
                    ClosedBy::Both(a, b) => (3, a, Some(b)),
                };
                out.u8(signers)?;
                out.put(&one.0)?;
                other.map_or(Ok(()), |other| out.put(&other.0))
            }
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Open(_) => 1 + OpenBody::LEN + 64,
            Self::Close(CloseOrder { signatures: ClosedBy::Both(..), .. }) => {
                1 + SettlementBody::LEN + 1 + 2 * 64
            }
            Self::Close(CloseOrder { signatures: ClosedBy::A(_) | ClosedBy::B(_), .. }) => {
                1 + SettlementBody::LEN + 1 + 64
            }
        }
    }
}

impl Body<'_> for Order {
    const KIND: MessageKind = MessageKind::ORDER;
}

/// Calls `then` with what a witness signs of an order: tag ‖ genesis ‖ the order's name.
pub fn attested<R>(genesis: &GenesisId, order: &OrderHash, then: impl FnOnce(&Message<'_>) -> R) -> R {
    then(&Message::new(DomainTag::CERTIFICATE, &[&genesis.0, &order.0]).expect("80 bytes are not 32"))
}

/// Which witness of a genesis: its place in the file, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WitnessIndex(pub u8);

/// Why a witness does not sign. Unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefusalCode(pub u8);

/// The body of WITNESS: what one witness says of an order. `order[32] ‖ witness u8 ‖ code u8 [‖ sig[64] iff the code is 0]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Statement {
    /// Of which order.
    pub order: OrderHash,
    /// Which witness.
    pub witness: WitnessIndex,
    /// Its signature, or why there is none.
    pub says: Result<Signature, RefusalCode>,
}

impl Layout<'_> for Statement {
    const NAME: &'static str = "witness";

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let order = OrderHash(reader.array("order")?);
        let witness = WitnessIndex(reader.u8("witness")?);
        let says = match reader.u8("code")? {
            0 => Ok(signature(reader, "sig")?),
            code => Err(RefusalCode(code)),
        };
        Ok(Self { order, witness, says })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.put(&self.order.0)?;
        out.u8(self.witness.0)?;
        match &self.says {
            Ok(signature) => {
                out.u8(0)?;
                out.put(&signature.0)
            }
            // A code of zero would read as a signature.
            Err(RefusalCode(code)) => out.u8((*code).max(1)),
        }
    }

    fn encoded_len(&self) -> usize {
        if self.says.is_ok() { 32 + 1 + 1 + 64 } else { 32 + 1 + 1 }
    }
}

impl Body<'_> for Statement {
    const KIND: MessageKind = MessageKind::WITNESS;
}

/// One witness's signature within a certificate.
const SIGNED_LEN: usize = 1 + 64;

/// The body of CERTIFICATE, and an item of the store of certificates: `3 u8 ‖ genesis[8] ‖ order[32] ‖ (witness u8 ‖ sig[64]) × n`, witnesses
/// ascending, 1 to 7 of them: seven take 496 bytes, and an item takes at most 500.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Certificate<'a> {
    genesis: [u8; 8],
    order: OrderHash,
    signatures: &'a [[u8; SIGNED_LEN]],
}

impl<'a> Certificate<'a> {
    /// Before the signatures, in bytes.
    const HEAD_LEN: usize = 1 + 8 + 32;
    /// What stands first, where an order has its kind.
    const KIND_BYTE: u8 = 3;
    /// How many signatures there are at most.
    pub const MAX_SIGNATURES: usize = 7;

    /// The certificate of an order, unless witnesses are none, too many, or out of order.
    #[must_use]
    pub fn new(genesis: &GenesisId, order: OrderHash, signatures: &'a [[u8; SIGNED_LEN]]) -> Option<Self> {
        let (short, _) = genesis.0.split_first_chunk()?;
        Self::checked(*short, order, signatures)
    }

    fn checked(genesis: [u8; 8], order: OrderHash, signatures: &'a [[u8; SIGNED_LEN]]) -> Option<Self> {
        let ascending = signatures.is_sorted_by(|one, other| one.first() < other.first());
        let some = !signatures.is_empty() && signatures.len() <= Self::MAX_SIGNATURES;
        (ascending && some).then_some(Self { genesis, order, signatures })
    }

    /// A signature as it stands in a certificate.
    #[must_use]
    pub fn line(witness: WitnessIndex, signature: &Signature) -> [u8; SIGNED_LEN] {
        let mut line = [witness.0; SIGNED_LEN];
        line.iter_mut().skip(1).zip(&signature.0).for_each(|(to, from)| *to = *from);
        line
    }

    /// Whether it names this genesis.
    #[must_use]
    pub fn is_of(&self, genesis: &GenesisId) -> bool {
        genesis.0.starts_with(&self.genesis)
    }

    /// Of which order.
    #[must_use]
    pub const fn order(&self) -> OrderHash {
        self.order
    }

    /// Which witnesses signed, and how.
    #[must_use]
    pub fn signatures(&self) -> impl ExactSizeIterator<Item = (WitnessIndex, Signature)> + use<'a> {
        self.signatures.iter().map(|line| {
            let mut signature = [0; 64];
            signature.iter_mut().zip(line.iter().skip(1)).for_each(|(to, from)| *to = *from);
            (WitnessIndex(line.first().copied().unwrap_or_default()), Signature(signature))
        })
    }
}

impl fmt::Debug for Certificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {} signatures)", self.order, self.signatures.len())
    }
}

impl<'a> Layout<'a> for Certificate<'a> {
    const NAME: &'static str = "certificate";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        require(reader.u8("kind")? == Self::KIND_BYTE, reader, "kind", Fault::Value)?;
        let genesis = reader.array("genesis")?;
        let order = OrderHash(reader.array("order")?);
        let (signatures, rest) = take_rest(reader, "signatures")?.as_chunks();
        require(rest.is_empty(), reader, "signatures", Fault::Length)?;
        Self::checked(genesis, order, signatures).ok_or(reader.error("witness", Fault::Value))
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(Self::KIND_BYTE)?;
        out.put(&self.genesis)?;
        out.put(&self.order.0)?;
        out.put(self.signatures.as_flattened())
    }

    fn encoded_len(&self) -> usize {
        self.signatures.as_flattened().len().saturating_add(Self::HEAD_LEN)
    }
}

impl<'a> Body<'a> for Certificate<'a> {
    const KIND: MessageKind = MessageKind::CERTIFICATE;
}

pub(super) fn signature(reader: &mut Reader<'_>, field: &'static str) -> Result<Signature, DecodeError> {
    reader.array(field).map(Signature)
}
