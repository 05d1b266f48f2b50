//! What can be seen of gossip from outside.

use nexus_wire::nexus::gossip::{StateHash, StoreId};

use super::{Extent, Gossip, Refusals};
use crate::links::LinkId;
use crate::media::Tier;

/// A store as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// Which.
    pub store: StoreId,
    /// How much it matters.
    pub tier: Tier,
    /// How many items it holds.
    pub items: usize,
    /// Whether that is all it was given.
    pub extent: Extent,
    /// What neighbours are told of it.
    pub state: StateHash,
}

/// A neighbour as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourStatus {
    /// By which link.
    pub link: LinkId,
    /// How many rounds there were with it.
    pub rounds: u32,
    /// How many stores it said to be as they are here.
    pub agreeing: usize,
    /// How many items it is known to lack.
    pub owed: usize,
}

/// Messages and items, from the start of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// SUMMARY messages.
    pub summaries: u64,
    /// REQUEST messages.
    pub requests: u64,
    /// Items; those heard are those that were judged.
    pub items: u64,
    /// DONE messages.
    pub states: u64,
}

/// What was said and heard, from the start of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tally {
    /// To neighbours.
    pub said: Counts,
    /// By neighbours, without what was refused before it was looked at.
    pub heard: Counts,
    /// Items that were asked for by name, and that no neighbour had.
    pub unfound: u64,
    /// SUMMARY and DONE of neighbours that were passed on to others.
    pub passed: u64,
}

impl Gossip {
    /// The stores, by tier.
    pub fn stores(&self) -> impl Iterator<Item = StoreStatus> {
        self.index.by_tier().map(|(store, stock)| StoreStatus {
            store,
            tier: stock.tier(),
            items: stock.len(),
            extent: stock.extent(),
            state: stock.state(),
        })
    }

    /// The neighbours, by link.
    pub fn neighbours(&self) -> impl Iterator<Item = NeighbourStatus> {
        self.neighbours.iter().map(|(link, neighbour)| {
            let agrees = |(store, stock)| neighbour.talks.get(&store).is_some_and(|talk| talk.agrees(stock));
            NeighbourStatus {
                link: *link,
                rounds: neighbour.round,
                agreeing: self.index.by_tier().filter(|at| agrees(*at)).count(),
                owed: neighbour.owed.len(),
            }
        })
    }

    /// What was said and heard.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What was refused, by cause.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }
}
