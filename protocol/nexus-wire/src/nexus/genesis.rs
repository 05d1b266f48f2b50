//! The genesis file: who has what at first, and who the witnesses are. Source: spec/economy.md#genesis-file.

use core::fmt;

use nexus_crypto::hash::blake3;
use nexus_crypto::{DomainTag, Message, NodeId, Signature, VerifyingKey};

use super::ledger::{GenesisId, WitnessIndex};
use super::{Layout, require, take_rest};
use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// A genesis file, as it lies in memory. What stands before the signatures is its body, and its id the hash of that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Genesis<'a> {
    terms: Terms<'a>,
    signatures: &'a [[u8; 65]],
}

/// What a genesis says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Terms<'a> {
    /// What people call the network: 1 to 32 bytes.
    pub name: &'a str,
    /// The least that a channel may be opened with, in µNXS.
    pub minimum_deposit: u64,
    /// How many channels witnesses open in a day, for everybody together.
    pub opens_per_day: u32,
    /// How many witnesses make a certificate.
    pub quorum: u8,
    /// The witnesses' keys, ascending: 1 to 10.
    pub witnesses: &'a [[u8; 32]],
    /// `node[16] ‖ amount u64` for each account that has something at first, by node. Together at most a u64.
    pub accounts: &'a [[u8; 24]],
}

/// Why terms are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refused(&'static str, Fault);

impl Terms<'_> {
    /// How many witnesses there are at most.
    pub const MAX_WITNESSES: usize = 10;

    /// How many of `witnesses` may sign two things and still do no harm: fewer than a third.
    #[must_use]
    pub const fn tolerated(witnesses: usize) -> usize {
        witnesses.saturating_sub(1) / 3
    }

    /// Whether two quorums of so many have an honest witness in common, and a certificate holds so many signatures.
    #[must_use]
    pub const fn is_quorum(quorum: usize, witnesses: usize) -> bool {
        quorum <= witnesses
            && quorum <= super::ledger::Certificate::MAX_SIGNATURES
            && quorum.saturating_mul(2) > witnesses.saturating_add(Self::tolerated(witnesses))
    }

    fn check(&self) -> Result<(), Refused> {
        let quorum = usize::from(self.quorum);
        let witnesses = self.witnesses.len();
        let amounts = self.accounts.iter().map(|line| split_account(line).1);
        let sum = amounts.clone().try_fold(0_u64, u64::checked_add);
        let checks = [
            (matches!(self.name.len(), 1..=32), "name", Fault::Length),
            (self.minimum_deposit > 0, "minimum_deposit", Fault::Value),
            (matches!(witnesses, 1..=Self::MAX_WITNESSES), "witnesses", Fault::Length),
            (self.witnesses.is_sorted_by(|one, other| one < other), "witnesses", Fault::Value),
            (Self::is_quorum(quorum, witnesses), "quorum", Fault::Value),
            (
                self.accounts.is_sorted_by(|one, other| split_account(one).0 < split_account(other).0),
                "accounts",
                Fault::Value,
            ),
            (
                amounts.clone().all(|amount| amount > 0) && sum.is_some_and(|sum| sum < u64::MAX),
                "amount",
                Fault::Value,
            ),
        ];
        checks
            .into_iter()
            .find(|(holds, ..)| !holds)
            .map_or(Ok(()), |(_, field, fault)| Err(Refused(field, fault)))
    }

    fn len(&self) -> usize {
        let lists = self.witnesses.as_flattened().len().saturating_add(self.accounts.as_flattened().len());
        lists.saturating_add(self.name.len()).saturating_add(3 + 1 + 8 + 4 + 1 + 1 + 4)
    }

    fn put(&self, mut put: impl FnMut(&[u8]) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let short = |len: usize| u8::try_from(len).map_err(|_| EncodeError::FieldTooLong);
        let accounts = u32::try_from(self.accounts.len()).map_err(|_| EncodeError::FieldTooLong)?;
        put(Genesis::MAGIC)?;
        put(&[short(self.name.len())?])?;
        put(self.name.as_bytes())?;
        put(&self.minimum_deposit.to_le_bytes())?;
        put(&self.opens_per_day.to_le_bytes())?;
        put(&[self.quorum, short(self.witnesses.len())?])?;
        put(self.witnesses.as_flattened())?;
        put(&accounts.to_le_bytes())?;
        put(self.accounts.as_flattened())
    }
}

impl<'a> Genesis<'a> {
    /// `"NG"`, version 1.
    const MAGIC: &'static [u8] = b"NG\x01";

    /// A genesis of these terms, signed so far; none if the terms break a rule, or signatures are out of order.
    #[must_use]
    pub fn new(terms: Terms<'a>, signatures: &'a [[u8; 65]]) -> Option<Self> {
        (terms.check().is_ok() && in_order(&terms, signatures)).then_some(Self { terms, signatures })
    }

    /// What it says.
    #[must_use]
    pub const fn terms(&self) -> &Terms<'a> {
        &self.terms
    }

    /// The BLAKE3 over tag ‖ everything but the signatures.
    #[must_use]
    pub fn id(&self) -> GenesisId {
        let mut parts = alloc::vec::Vec::new();
        self.terms
            .put(|part| {
                parts.extend_from_slice(part);
                Ok(())
            })
            .expect("terms that were checked have lengths that fit");
        GenesisId(blake3(&[DomainTag::GENESIS.as_bytes(), &parts]))
    }

    /// Calls `then` with what witnesses sign of a genesis: tag ‖ id.
    pub fn signed<R>(id: &GenesisId, then: impl FnOnce(&Message<'_>) -> R) -> R {
        then(&Message::new(DomainTag::GENESIS, &[&id.0]).expect("48 bytes are not 32"))
    }

    /// The key of a witness.
    #[must_use]
    pub fn witness(&self, index: WitnessIndex) -> Option<VerifyingKey> {
        self.terms.witnesses.get(usize::from(index.0)).copied().map(VerifyingKey)
    }

    /// Who has what at first.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = (NodeId, u64)> + use<'a> {
        self.terms.accounts.iter().map(split_account)
    }

    /// Which witnesses signed it, and how.
    #[must_use]
    pub fn signatures(&self) -> impl ExactSizeIterator<Item = (WitnessIndex, Signature)> + use<'a> {
        self.signatures.iter().map(|line| {
            let mut signature = [0; 64];
            signature.iter_mut().zip(line.iter().skip(1)).for_each(|(to, from)| *to = *from);
            (WitnessIndex(line.first().copied().unwrap_or_default()), Signature(signature))
        })
    }

    /// Whether a quorum of its witnesses signed it, each rightly: before that a file is a draft.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let id = self.id();
        let good = |(index, signature)| {
            self.witness(index)
                .is_some_and(|key| Self::signed(&id, |message| key.verify(message, &signature)).is_ok())
        };
        self.signatures.len() >= usize::from(self.terms.quorum) && self.signatures().all(good)
    }
}

fn in_order(terms: &Terms<'_>, signatures: &[[u8; 65]]) -> bool {
    let known =
        |line: &[u8; 65]| line.first().is_some_and(|index| usize::from(*index) < terms.witnesses.len());
    signatures.iter().all(known) && signatures.is_sorted_by(|one, other| one.first() < other.first())
}

fn split_account(line: &[u8; 24]) -> (NodeId, u64) {
    let (node, amount) = line.split_first_chunk().expect("24 bytes are more than 16");
    let amount = amount.first_chunk().copied().map(u64::from_le_bytes);
    (NodeId(*node), amount.expect("24 bytes are 16 and 8"))
}

impl fmt::Debug for Genesis<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Terms { name, witnesses, accounts, .. } = self.terms;
        write!(f, "Genesis({name:?}, {} witnesses, {} accounts)", witnesses.len(), accounts.len())
    }
}

impl<'a> Layout<'a> for Genesis<'a> {
    const NAME: &'static str = "genesis";

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let magic = reader.take("magic", 2)?;
        require(Self::MAGIC.starts_with(magic), reader, "magic", Fault::Value)?;
        require(reader.u8("version")? == 1, reader, "version", Fault::Version)?;
        let len = reader.u8("name")?;
        let name = core::str::from_utf8(reader.take("name", usize::from(len))?)
            .map_err(|_| reader.error("name", Fault::Value))?;
        let minimum_deposit = reader.u64_le("minimum_deposit")?;
        let opens_per_day = reader.u32_le("opens_per_day")?;
        let quorum = reader.u8("quorum")?;
        let count = usize::from(reader.u8("witnesses")?);
        let (witnesses, _) = reader.take("witnesses", count.saturating_mul(32))?.as_chunks();
        let count = usize::try_from(reader.u32_le("accounts")?)
            .map_err(|_| reader.error("accounts", Fault::Length))?;
        let (accounts, _) = reader.take("accounts", count.saturating_mul(24))?.as_chunks();
        let terms = Terms { name, minimum_deposit, opens_per_day, quorum, witnesses, accounts };
        terms.check().map_err(|Refused(field, fault)| reader.error(field, fault))?;
        let (signatures, rest) = take_rest(reader, "signatures")?.as_chunks();
        require(rest.is_empty(), reader, "signatures", Fault::Length)?;
        require(in_order(&terms, signatures), reader, "witness", Fault::Value)?;
        Ok(Self { terms, signatures })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.terms.put(|part| out.put(part))?;
        out.put(self.signatures.as_flattened())
    }

    fn encoded_len(&self) -> usize {
        self.terms.len().saturating_add(self.signatures.as_flattened().len())
    }
}
