//! What a genesis fixes, taken out of its file. Source: spec/economy.md#genesis-file.

use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodePublic, VerifyingKey};
use nexus_wire::nexus::genesis::Genesis;
use nexus_wire::nexus::ledger::{GenesisId, WitnessIndex};
use thiserror::Error;

use crate::money::Amount;

/// What all who keep these books agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Which genesis.
    pub id: GenesisId,
    /// How many witnesses make a certificate.
    pub quorum: usize,
    /// The witnesses' keys, in their order.
    pub witnesses: Vec<VerifyingKey>,
    /// The least that a channel may be opened with.
    pub minimum_deposit: Amount,
    /// How many channels are opened in a day.
    pub opens_per_day: u32,
    /// Who has what at first.
    pub accounts: Vec<(NodeId, Amount)>,
}

/// Why a genesis file is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotFollowed {
    /// Too few of its witnesses signed it, or one of the signatures is wrong.
    #[error("a quorum of its witnesses has not signed this genesis")]
    NotSigned,
}

impl Rules {
    /// The rules of a genesis that its witnesses have signed.
    pub fn of(genesis: &Genesis<'_>) -> Result<Self, NotFollowed> {
        if !genesis.is_signed() {
            return Err(NotFollowed::NotSigned);
        }
        let terms = genesis.terms();
        Ok(Self {
            id: genesis.id(),
            quorum: usize::from(terms.quorum),
            witnesses: terms.witnesses.iter().copied().map(VerifyingKey).collect(),
            minimum_deposit: Amount::from_micros(terms.minimum_deposit),
            opens_per_day: terms.opens_per_day,
            accounts: genesis.accounts().map(|(node, micros)| (node, Amount::from_micros(micros))).collect(),
        })
    }

    /// A witness's key.
    #[must_use]
    pub fn witness(&self, index: WitnessIndex) -> Option<VerifyingKey> {
        self.witnesses.get(usize::from(index.0)).copied()
    }

    /// All witnesses' addresses.
    pub fn witness_nodes(&self) -> impl Iterator<Item = NodeId> {
        let public = |key: &VerifyingKey| NodePublic::of_verifying(*key).ok();
        self.witnesses.iter().filter_map(public).map(|public| public.node_id())
    }

    /// A witness's address, if its key is one of a node.
    #[must_use]
    pub fn witness_node(&self, index: WitnessIndex) -> Option<NodeId> {
        NodePublic::of_verifying(self.witness(index)?).ok().map(|public| public.node_id())
    }
}
