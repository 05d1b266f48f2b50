//! What is known: the books, and which orders stand behind them.
//!
//! A balance needs the largest deposit of each channel alone. A witness needs more: an owner's orders are numbered, and only who has seen
//! all that were certified before may sign the next one. So an order counts as known when its number is, not when its deposit is.
//! Source: spec/economy.md#certificates.

use alloc::collections::{BTreeMap, BTreeSet};

use nexus_crypto::NodeId;
use nexus_wire::nexus::ledger::{OpenOrder, Order};

use super::books::{Books, NotRecorded, Recorded};
use super::claim::{Claim, Proof, meaning};

/// Which certified orders were seen, by owner and number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// All of an owner's from 1 to this one.
    through: BTreeMap<NodeId, u32>,
    /// Those behind a gap.
    beyond: BTreeSet<(NodeId, u32)>,
}

impl Orders {
    /// A certified order was seen.
    pub fn note(&mut self, owner: NodeId, order: u32) {
        if order > self.through(&owner) {
            self.beyond.insert((owner, order));
        }
        while let Some(next) =
            self.through(&owner).checked_add(1).filter(|next| self.beyond.remove(&(owner, *next)))
        {
            self.through.insert(owner, next);
        }
    }

    /// Whether it was.
    #[must_use]
    pub fn knows(&self, owner: &NodeId, order: u32) -> bool {
        order <= self.through(owner) || self.beyond.contains(&(*owner, order))
    }

    /// The last of an owner's orders before which none is missing; 0 if the first is.
    #[must_use]
    pub fn through(&self, owner: &NodeId) -> u32 {
        self.through.get(owner).copied().unwrap_or(0)
    }

    /// All owners, with the last of their orders before which none is missing.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, u32)> {
        self.through.iter().map(|(owner, through)| (*owner, *through))
    }

    /// How many owners have orders here.
    #[must_use]
    pub fn owners(&self) -> usize {
        self.through.len()
    }
}

/// The books, and which orders stand behind them.
#[derive(Clone, Debug)]
pub struct Known {
    /// All entries.
    pub books: Books,
    /// All certified orders, by number.
    pub orders: Orders,
}

impl Known {
    /// Books in which only genesis stands.
    #[must_use]
    pub fn new(books: Books) -> Self {
        Self { books, orders: Orders::default() }
    }

    /// What would come of a claim, which is not taken in.
    pub fn judge(&self, claim: &Claim) -> Result<Recorded, NotRecorded> {
        let verdict = self.books.judge(&claim.key, &claim.news)?;
        Ok(match &claim.proof {
            Proof::Certified { order, .. } if !self.has_number(order) => Recorded::Grew,
            Proof::Certified { .. } | Proof::Settled(_) => verdict,
        })
    }

    /// Whether an order, once certified, says nothing that is not known.
    #[must_use]
    pub fn has(&self, order: &Order) -> bool {
        meaning(order).is_some_and(|(key, news)| {
            self.has_number(order) && self.books.judge(&key, &news) == Ok(Recorded::Known)
        })
    }

    /// Takes in a claim that was verified.
    pub fn record(&mut self, claim: &Claim) -> Result<Recorded, NotRecorded> {
        let judged = self.judge(claim)?;
        self.books.record(&claim.key, &claim.news)?;
        if let Proof::Certified { order: Order::Open(OpenOrder { body, .. }), .. } = &claim.proof {
            self.orders.note(body.owner, body.order);
        }
        Ok(judged)
    }

    fn has_number(&self, order: &Order) -> bool {
        match order {
            Order::Open(OpenOrder { body, .. }) => self.orders.knows(&body.owner, body.order),
            Order::Close(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn orders_are_known_in_whatever_order_they_came(numbers in proptest::collection::vec(1_u32..20, 0..40)) {
            let owner = NodeId([1; 16]);
            let mut orders = Orders::default();
            for number in &numbers {
                orders.note(owner, *number);
            }
            for number in 1..20 {
                prop_assert_eq!(orders.knows(&owner, number), numbers.contains(&number));
            }
            let gap = (1..=40).find(|number| !numbers.contains(number)).expect("fewer are drawn from");
            prop_assert_eq!(orders.through(&owner), gap - 1);
        }
    }
}
