//! The price of a friend: who is carried for nothing, and what others pay. How much is carried before they can, the network's tally knows.
//!
//! What a relay can know of a packet's sender is its previous hop. Whoever is trusted there pays nothing, and no message about
//! money is exchanged with it. A trusted destination alone frees nothing: strangers would ride free to one's friends.
//! Spec: `spec/economy.md#trust`.

use alloc::collections::{BTreeMap, BTreeSet};

use nexus_crypto::NodeId;
use thiserror::Error;

/// How many neighbours a configuration names, at most.
pub const NAMED: usize = 256;

/// Whom this node trusts, and what it asks of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustConfig {
    trusted: BTreeSet<NodeId>,
    price: u64,
    overrides: BTreeMap<NodeId, u64>,
}

/// A configuration names too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no more than {NAMED} neighbours can be named")]
pub struct TooMany;

/// What carrying costs a previous hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// Nothing, and nothing is said of money.
    Free,
    /// So many µNXS for 1,024 bytes.
    Price(u64),
}

impl TrustConfig {
    /// Nobody is trusted, and carrying costs everybody `price` µNXS for 1,024 bytes.
    #[must_use]
    pub const fn new(price: u64) -> Self {
        Self { trusted: BTreeSet::new(), price, overrides: BTreeMap::new() }
    }

    /// Trusts a neighbour.
    ///
    /// # Errors
    /// [`TooMany`] if the configuration names as many as it can.
    pub fn trust(&mut self, peer: NodeId) -> Result<(), TooMany> {
        if !self.trusted.contains(&peer) && self.trusted.len() >= NAMED {
            return Err(TooMany);
        }
        self.trusted.insert(peer);
        Ok(())
    }

    /// Trusts it no more. Whether it was trusted.
    pub fn distrust(&mut self, peer: &NodeId) -> bool {
        self.trusted.remove(peer)
    }

    /// Asks another price of one neighbour; none for the price that all others pay.
    ///
    /// # Errors
    /// [`TooMany`] if the configuration names as many as it can.
    pub fn set_price(&mut self, peer: NodeId, price: Option<u64>) -> Result<(), TooMany> {
        let Some(price) = price else {
            self.overrides.remove(&peer);
            return Ok(());
        };
        if !self.overrides.contains_key(&peer) && self.overrides.len() >= NAMED {
            return Err(TooMany);
        }
        self.overrides.insert(peer, price);
        Ok(())
    }

    /// Whom it trusts, by node id.
    pub fn trusted(&self) -> impl Iterator<Item = &NodeId> {
        self.trusted.iter()
    }

    /// Of whom it asks another price, and which.
    pub fn prices(&self) -> impl Iterator<Item = (&NodeId, u64)> {
        self.overrides.iter().map(|(peer, price)| (peer, *price))
    }

    /// What carrying costs this previous hop. Trust goes before any price.
    #[must_use]
    pub fn charge(&self, previous: &NodeId) -> Charge {
        let price = self.overrides.get(previous).copied().unwrap_or(self.price);
        if self.trusted.contains(previous) || price == 0 { Charge::Free } else { Charge::Price(price) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRIEND: NodeId = NodeId([1; 16]);
    const STRANGER: NodeId = NodeId([2; 16]);

    #[test]
    fn a_friend_is_carried_for_nothing_whatever_the_price() {
        let mut config = TrustConfig::new(5);
        config.trust(FRIEND).expect("there is room");
        config.set_price(FRIEND, Some(9)).expect("there is room");
        assert_eq!(config.charge(&FRIEND), Charge::Free);
        assert_eq!(config.charge(&STRANGER), Charge::Price(5));
        assert!(config.distrust(&FRIEND) && !config.distrust(&FRIEND));
        assert_eq!(config.charge(&FRIEND), Charge::Price(9));
        config.set_price(FRIEND, None).expect("one less");
        assert_eq!(config.charge(&FRIEND), Charge::Price(5));
        assert_eq!(TrustConfig::default().charge(&STRANGER), Charge::Free, "the default asks nothing");
    }

    #[test]
    fn a_price_of_nothing_for_one_is_no_trust_and_needs_no_channel() {
        let mut config = TrustConfig::new(5);
        config.set_price(STRANGER, Some(0)).expect("there is room");
        let named = (config.trusted().count(), config.prices().count());
        assert_eq!((config.charge(&STRANGER), named), (Charge::Free, (0, 1)));
    }

    #[test]
    fn no_more_are_named_than_there_is_room_for() {
        let mut config = TrustConfig::default();
        let id = |number: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_le_bytes());
            NodeId(id)
        };
        for number in 0..256 {
            config.trust(id(number)).expect("there is room");
            config.set_price(id(number), Some(1)).expect("there is room");
        }
        assert_eq!(config.trust(id(256)), Err(TooMany));
        assert_eq!(config.set_price(id(256), Some(1)), Err(TooMany));
        assert_eq!(config.trust(id(3)), Ok(()), "who is named is named");
    }
}
