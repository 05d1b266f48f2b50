//! What is known: the books, and which orders stand behind them.
//!
//! A balance needs the largest deposit of each channel alone. A witness needs more: an owner's orders are numbered, and only who has seen
//! all that were certified before may sign the next one. So an order counts as known when its number is, not when its deposit is.
//! Source: spec/economy.md#certificates.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_wire::nexus::ledger::{OpenOrder, Order};

use super::books::{Balance, Books, NotRecorded, Recorded};
use super::claim::{Claim, Proof, meaning};
use super::entry::ChannelKey;
use super::sparse::{Held, Interest};
use crate::money::Amount;

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
    /// Whose entries are kept; none if all are.
    interest: Option<Interest>,
}

/// What had to go for an entry to find room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Who is followed no more.
    pub nodes: Vec<NodeId>,
    /// Whose entries are gone.
    pub channels: Vec<ChannelKey>,
}

impl Known {
    /// Books in which only genesis stands.
    #[must_use]
    pub fn new(books: Books) -> Self {
        Self { books, orders: Orders::default(), interest: None }
    }

    /// Books of some accounts alone, in which only genesis stands.
    #[must_use]
    pub fn sparse(books: Books, interest: Interest) -> Self {
        Self { books, orders: Orders::default(), interest: Some(interest) }
    }

    /// Whose entries are kept; none if all are.
    #[must_use]
    pub const fn interest(&self) -> Option<&Interest> {
        self.interest.as_ref()
    }

    /// Whether what is known of a channel is kept.
    #[must_use]
    pub fn keeps(&self, key: &ChannelKey) -> bool {
        self.interest.as_ref().is_none_or(|interest| interest.follows(key))
    }

    /// Whether all that was heard of an account is kept.
    #[must_use]
    pub fn follows(&self, node: &NodeId) -> bool {
        self.interest.as_ref().is_none_or(|interest| interest.knows(node))
    }

    /// What an account has, as far as is known; unknown if it is not followed.
    #[must_use]
    pub fn balance(&self, node: &NodeId) -> Balance {
        if self.follows(node) { self.books.balance(node) } else { Balance::Unknown }
    }

    /// One account more is followed. Whether it was not.
    pub fn follow(&mut self, node: NodeId, given: Amount) -> bool {
        let is_new = self.interest.as_mut().is_some_and(|interest| interest.follow(node, Held::All));
        if is_new {
            self.books.give(node, given);
        }
        is_new
    }

    /// A channel that is not known is to find room, where not all are kept: whoever has too many is followed no more.
    pub fn make_room(&mut self, key: &ChannelKey) -> GivenUp {
        let Some(interest) = self.interest.as_mut().filter(|interest| interest.follows(key)) else {
            return GivenUp::default();
        };
        let mut given_up = GivenUp::default();
        while self.books.entry(key).is_none() && interest.follows(key) {
            let nodes = interest.make_room(&self.books, key);
            if nodes.is_empty() {
                break;
            }
            given_up.nodes.extend(nodes);
            given_up.channels.extend(self.books.retain(|key| interest.follows(key)));
        }
        given_up
    }

    /// What would come of a claim, which is not taken in.
    pub fn judge(&self, claim: &Claim) -> Result<Recorded, NotRecorded> {
        if !self.keeps(&claim.key) {
            return Ok(Recorded::Others);
        }
        let verdict = match self.books.judge(&claim.key, &claim.news) {
            // Room is made.
            Err(NotRecorded::Full) if self.interest.is_some() => Recorded::Grew,
            judged => judged?,
        };
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
        if judged == Recorded::Others {
            return Ok(judged);
        }
        self.books.record(&claim.key, &claim.news)?;
        if let Proof::Certified { order: Order::Open(OpenOrder { body, .. }), .. } = &claim.proof
            && self.follows(&body.owner)
        {
            self.orders.note(body.owner, body.order);
        }
        Ok(judged)
    }

    fn has_number(&self, order: &Order) -> bool {
        match order {
            // Numbers count where the owner's own orders are to be made, or signed.
            Order::Open(OpenOrder { body, .. }) => {
                !self.follows(&body.owner) || self.orders.knows(&body.owner, body.order)
            }
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
