//! What lacks something and waits for it, within a bound that is fair: whoever made most wait loses its oldest first.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{NodeId, Signature};
use nexus_wire::nexus::ledger::{Order, OrderHash, WitnessIndex};

use super::Neighbour;
use crate::ledger::claim::Claim;
use crate::ledger::entry::ChannelKey;

/// What lacks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lack {
    /// A party's key.
    Key(NodeId),
    /// A deposit in a channel.
    Deposit(ChannelKey),
    /// The certificate of an order.
    Certificate(OrderHash),
    /// The order of a certificate.
    Order(OrderHash),
}

/// What waits.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    /// Something that may be so.
    Claim(Claim),
    /// An order.
    Order(Order),
    /// Who signed an order.
    Certificate(Vec<(WitnessIndex, Signature)>),
}

/// What waits, by who said it, oldest first.
#[derive(Debug)]
pub(super) struct Hold {
    by: BTreeMap<Neighbour, VecDeque<(Lack, Waiting)>>,
    len: usize,
    limit: usize,
}

impl Hold {
    pub(super) const fn new(limit: usize) -> Self {
        Self { by: BTreeMap::new(), len: 0, limit }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether whatever comes makes something else give way.
    pub(super) const fn is_full(&self) -> bool {
        self.len >= self.limit
    }

    /// Lets something wait; how much had to give way.
    pub(super) fn put(&mut self, from: Neighbour, lack: Lack, waiting: Waiting) -> usize {
        self.by.entry(from).or_default().push_back((lack, waiting));
        self.len = self.len.saturating_add(1);
        let mut given_up = 0_usize;
        while self.len > self.limit {
            let most = self.by.iter().max_by_key(|(_, held)| held.len()).map(|(neighbour, _)| *neighbour);
            let Some(held) = most.and_then(|neighbour| self.by.get_mut(&neighbour)) else { break };
            held.pop_front();
            self.len = self.len.saturating_sub(1);
            given_up = given_up.saturating_add(1);
        }
        given_up
    }

    /// Forgets what a neighbour said.
    pub(super) fn forget(&mut self, neighbour: Neighbour) {
        let gone = self.by.remove(&neighbour).map_or(0, |held| held.len());
        self.len = self.len.saturating_sub(gone);
    }

    /// Whether something waits for just this.
    pub(super) fn lacks(&self, what: &Lack) -> bool {
        self.by.values().flatten().any(|(lack, _)| lack == what)
    }

    /// Whether something waits for this node's key.
    pub(super) fn wants_key(&self, node: &NodeId) -> bool {
        self.by.values().flatten().any(|(lack, waiting)| match (lack, waiting) {
            // It may lack the other party's key first.
            (Lack::Key(_), Waiting::Claim(claim)) => claim.key.side_of(node).is_some(),
            (Lack::Key(_) | Lack::Deposit(_) | Lack::Certificate(_) | Lack::Order(_), _) => false,
        })
    }

    /// Takes out all that lacked just this.
    pub(super) fn take_lacking(&mut self, what: &Lack) -> Vec<(Neighbour, Waiting)> {
        let mut taken = Vec::new();
        for (neighbour, held) in &mut self.by {
            let (found, kept): (VecDeque<_>, VecDeque<_>) =
                held.drain(..).partition(|(lack, _)| lack == what);
            *held = kept;
            taken.extend(found.into_iter().map(|(_, waiting)| (*neighbour, waiting)));
        }
        self.len = self.len.saturating_sub(taken.len());
        taken
    }

    /// Takes out all certificates of an order.
    pub(super) fn take_certificates(
        &mut self,
        order: &OrderHash,
    ) -> Vec<(Neighbour, Vec<(WitnessIndex, Signature)>)> {
        let certificate = |(from, waiting)| match waiting {
            Waiting::Certificate(signatures) => Some((from, signatures)),
            Waiting::Claim(_) | Waiting::Order(_) => None,
        };
        self.take_lacking(&Lack::Order(*order)).into_iter().filter_map(certificate).collect()
    }

    /// The order of a certificate. It stays: a certificate may turn out to be forged, and another one good.
    pub(super) fn order(&self, order: &OrderHash) -> Option<&Order> {
        self.by.values().flatten().find_map(|(lack, waiting)| match waiting {
            Waiting::Order(held) if *lack == Lack::Certificate(*order) => Some(held),
            Waiting::Order(_) | Waiting::Claim(_) | Waiting::Certificate(_) => None,
        })
    }
}
