//! What a neighbour says about a channel, with the proof of it. Source: spec/economy.md#validation.

use alloc::vec::Vec;

use nexus_crypto::hash::blake3;
use nexus_crypto::{BadSignature, DomainTag, Message, NodeId, Signature, VerifyingKey, sign};
use nexus_machine::Stream;
use nexus_wire::nexus::channel::{SettlementBody, SettlementRecord};
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::ledger::{CloseOrder, OpenOrder, Order, OrderHash, WitnessIndex, attested};

use super::entry::{ChannelKey, Entry, Sums};
use super::rules::Rules;

/// What may be known of a channel once its proof is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which channel.
    pub key: ChannelKey,
    /// What is said of it.
    pub news: Entry,
    /// Why it is so.
    pub proof: Proof,
}

/// Why something is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Both parties signed it.
    Settled(SettlementRecord),
    /// A quorum of witnesses did.
    Certified {
        /// What they signed.
        order: Order,
        /// Which of them, and how.
        signatures: Vec<(WitnessIndex, Signature)>,
    },
}

impl Claim {
    /// What a settlement says.
    #[must_use]
    pub fn of_settlement(record: SettlementRecord) -> Option<Self> {
        let key = key_of(&record.body)?;
        let paid = Sums { a: record.body.paid_a, b: record.body.paid_b };
        Some(Self { key, news: Entry::paid_at_least(paid), proof: Proof::Settled(record) })
    }

    /// What an order says once these witnesses signed it.
    #[must_use]
    pub fn of_order(order: Order, signatures: Vec<(WitnessIndex, Signature)>) -> Option<Self> {
        let (key, news) = meaning(&order)?;
        Some(Self { key, news, proof: Proof::Certified { order, signatures } })
    }

    /// How many signatures have to be verified.
    #[must_use]
    pub const fn signatures(&self) -> usize {
        match &self.proof {
            Proof::Settled(_) => 2,
            Proof::Certified { signatures, .. } => signatures.len(),
        }
    }

    /// The names of the items that say it, with their stores.
    #[must_use]
    pub fn ids(&self, rules: &Rules) -> Vec<(StoreId, ItemId)> {
        match &self.proof {
            Proof::Settled(record) => {
                Vec::from([(StoreId::SETTLEMENTS, ItemId(record.body.settlement_hash()))])
            }
            Proof::Certified { order, .. } => {
                let hash = order.hash(&rules.id);
                Vec::from([
                    (StoreId::CERTIFICATES, ItemId(hash.0)),
                    (StoreId::CERTIFICATES, certificate_id(&hash)),
                ])
            }
        }
    }
}

/// The name of an order's certificate among the items of its store, whoever signed it.
#[must_use]
pub fn certificate_id(order: &OrderHash) -> ItemId {
    ItemId(blake3(&[DomainTag::CERTIFICATE.as_bytes(), &order.0]))
}

/// Which channel a body is about.
#[must_use]
pub fn key_of(body: &SettlementBody) -> Option<ChannelKey> {
    ChannelKey::new(body.party_a, body.party_b, body.channel.0)
}

/// Which channel an order is about, and what would be known of it.
#[must_use]
pub fn meaning(order: &Order) -> Option<(ChannelKey, Entry)> {
    match order {
        Order::Open(OpenOrder { body, .. }) => {
            let key = ChannelKey::between(body.owner, body.peer, body.channel.0)?;
            let side = key.side_of(&body.owner)?;
            Some((key, Entry::deposited(Sums::on(side, body.deposit))))
        }
        Order::Close(CloseOrder { body, .. }) => {
            let key = key_of(body)?;
            Some((key, Entry::closed_with(Sums { a: body.paid_a, b: body.paid_b })?))
        }
    }
}

/// A claim with the keys of those who must have signed it.
#[derive(Debug)]
pub(super) struct Checkable<'a> {
    pub(super) claim: &'a Claim,
    /// Of the two parties; nobody's for what witnesses certify.
    pub(super) parties: Option<[VerifyingKey; 2]>,
}

/// Verifies many claims at once: good exactly if each is good on its own. Does not say which one is bad.
pub(super) fn verify_all(
    claims: &[Checkable<'_>],
    rules: &Rules,
    random: &mut Stream,
) -> Result<(), BadSignature> {
    let mut signed: Vec<(VerifyingKey, DomainTag, Vec<u8>, Signature)> = Vec::new();
    for check in claims {
        match (&check.claim.proof, check.parties) {
            (Proof::Settled(record), Some([a, b])) => {
                let hash = record.body.settlement_hash().to_vec();
                signed.push((a, DomainTag::SETTLE, hash.clone(), record.sig_a));
                signed.push((b, DomainTag::SETTLE, hash, record.sig_b));
            }
            (Proof::Settled(_), None) => return Err(BadSignature),
            (Proof::Certified { order, signatures }, _) => {
                let content = [rules.id.0, order.hash(&rules.id).0].concat();
                for (witness, signature) in signatures {
                    let key = rules.witness(*witness).ok_or(BadSignature)?;
                    signed.push((key, DomainTag::CERTIFICATE, content.clone(), *signature));
                }
            }
        }
    }
    let parts: Vec<[&[u8]; 1]> = signed.iter().map(|(_, _, content, _)| [content.as_slice()]).collect();
    let batch = signed.iter().zip(&parts).map(|((key, tag, _, signature), parts)| {
        (*key, Message::new(*tag, parts).expect("hashes behind a tag are not 32 bytes"), *signature)
    });
    sign::verify_batch(batch, random)
}

/// Verifies one claim, each signature alone.
pub(super) fn verify(check: &Checkable<'_>, rules: &Rules) -> Result<(), BadSignature> {
    match (&check.claim.proof, check.parties) {
        (Proof::Settled(record), Some([a, b])) => record.body.signed(|message| {
            a.verify(message, &record.sig_a)?;
            b.verify(message, &record.sig_b)
        }),
        (Proof::Settled(_), None) => Err(BadSignature),
        (Proof::Certified { order, signatures }, _) => {
            attested(&rules.id, &order.hash(&rules.id), |message| {
                signatures.iter().try_for_each(|(witness, signature)| {
                    rules.witness(*witness).ok_or(BadSignature)?.verify(message, signature)
                })
            })
        }
    }
}

/// Who must have signed a claim, apart from witnesses.
pub(super) const fn parties(claim: &Claim) -> [NodeId; 2] {
    [claim.key.a(), claim.key.b()]
}
