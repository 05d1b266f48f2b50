//! What is known of others: the newest verified emission of each destination, and by whom it came.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;

use nexus_crypto::{DestinationHash, IdentityHash, IdentityPublic, RatchetPublic};
use nexus_machine::{BoundedMap, Inserted, Instant, MapOverflow};
use nexus_wire::nexus::path_cost::CompactPathCost;
use nexus_wire::reticulum::{Announce, Hops};

use crate::interface::InterfaceId;
use crate::links::LinkId;

/// How a neighbour is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// In clear.
    Clear {
        /// On which interface.
        iface: InterfaceId,
        /// The relay that carried it; none if its originator was heard itself.
        transport: Option<IdentityHash>,
    },
    /// Over a link.
    Link {
        /// Which.
        link: LinkId,
        /// Where it runs.
        iface: InterfaceId,
    },
}

impl Via {
    /// The interface.
    #[must_use]
    pub const fn iface(self) -> InterfaceId {
        match self {
            Self::Clear { iface, .. } | Self::Link { iface, .. } => iface,
        }
    }

    /// The link, if it is one.
    #[must_use]
    pub const fn link(self) -> Option<LinkId> {
        match self {
            Self::Clear { .. } => None,
            Self::Link { link, .. } => Some(link),
        }
    }
}

/// Through whom something was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// How that neighbour is reached.
    pub via: Via,
    /// How many times it was received, by the count in its header, this node's receiving included.
    pub hops: Hops,
}

/// Whether packets can go the way that an announce came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathState {
    /// They can.
    Alive,
    /// The link that it came by is no more. The same emission from another neighbour, or a later one, restores it.
    Lost,
}

/// The newest verified announce of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whose it is; the address is pinned to this key.
    pub public: IdentityPublic,
    /// When it was emitted, by its originator's clock, in Unix seconds.
    pub emitted_at: u64,
    /// The key to encrypt to, if it carried one.
    pub ratchet: Option<RatchetPublic>,
    /// Through whom it was heard first.
    pub neighbour: Neighbour,
    /// What the path costs, as that neighbour said it, with the hop to that neighbour added.
    pub cost: CompactPathCost,
    /// Whether packets can go that way.
    pub path: PathState,
    /// When it was heard.
    pub heard_at: Instant,
}

/// The way to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// How the next hop is reached.
    pub via: Via,
    /// How many hops it is; 1 if the next hop is the destination itself.
    pub hops: Hops,
    /// What it costs, the hop to the next hop included.
    pub cost: CompactPathCost,
}

/// What is needed to write to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Who it is.
    pub public: IdentityPublic,
    /// The key to encrypt to, if its newest emission carried one.
    pub ratchet: Option<RatchetPublic>,
}

/// What to make of an announce, before its signature is looked at: the cheap half comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Newer than anything known of its destination: worth verifying.
    Newer,
    /// As new as what is known, and the way to its destination is lost: worth verifying.
    Restores,
    /// Known.
    Repeated,
    /// Older than what is known.
    Surpassed,
    /// The destination is pinned to another key.
    OtherKey,
}

/// Where a destination stands in the order of telling: the round in which it was heard of, then hops, then address.
/// Walked from the end: newest first, among those nearest first.
pub(super) type Place = (u64, Reverse<u8>, DestinationHash);

/// The destinations known, at most a stated number; at the bound the one heard of longest ago goes.
#[derive(Debug)]
pub(super) struct KnownDestinations {
    entries: BoundedMap<DestinationHash, Known>,
    /// One place for each entry.
    order: BTreeSet<Place>,
    /// How many were forgotten for want of room.
    evicted: u64,
}

impl KnownDestinations {
    pub(super) const fn new(capacity: usize) -> Self {
        let entries = BoundedMap::new(capacity, MapOverflow::EvictLeastRecent);
        Self { entries, order: BTreeSet::new(), evicted: 0 }
    }

    pub(super) fn judge(&self, announce: &Announce<'_>) -> Judgement {
        let Some(known) = self.entries.get(&announce.destination) else { return Judgement::Newer };
        if known.public != announce.claim.public {
            return Judgement::OtherKey;
        }
        let emitted_at = announce.claim.random_hash.emitted_at();
        match (emitted_at.cmp(&known.emitted_at), known.path) {
            (core::cmp::Ordering::Greater, _) => Judgement::Newer,
            (core::cmp::Ordering::Equal, PathState::Lost) => Judgement::Restores,
            (core::cmp::Ordering::Equal, PathState::Alive) => Judgement::Repeated,
            (core::cmp::Ordering::Less, _) => Judgement::Surpassed,
        }
    }

    /// Takes over an announce whose signature verified. Returns what made room for it.
    pub(super) fn learn(
        &mut self,
        announce: &Announce<'_>,
        neighbour: Neighbour,
        cost: CompactPathCost,
        now: Instant,
    ) -> Option<DestinationHash> {
        let known = Known {
            public: announce.claim.public,
            emitted_at: announce.claim.random_hash.emitted_at(),
            ratchet: announce.claim.ratchet,
            neighbour,
            cost,
            path: PathState::Alive,
            heard_at: now,
        };
        let place = place(announce.destination, &known);
        let displaced = match self.entries.insert(announce.destination, known) {
            Inserted::Fresh => None,
            Inserted::Replaced(old) => {
                self.order.remove(&self::place(announce.destination, &old));
                None
            }
            Inserted::Evicted(destination, old) => {
                self.evicted = self.evicted.saturating_add(1);
                self.order.remove(&self::place(destination, &old));
                Some(destination)
            }
            Inserted::Refused(_) => return Some(announce.destination),
        };
        self.order.insert(place);
        displaced
    }

    /// A link is no more: paths over it go over `instead`, if there is another link with the same peer, or are lost.
    pub(super) fn lose(&mut self, link: LinkId, instead: Option<Via>) {
        let over = self.entries.iter().filter(|(_, known)| known.neighbour.via.link() == Some(link));
        let over: Vec<DestinationHash> = over.map(|(destination, _)| *destination).collect();
        for destination in over {
            let Some(known) = self.entries.get_mut(&destination) else { continue };
            match instead {
                Some(via) => known.neighbour.via = via,
                None => known.path = PathState::Lost,
            }
        }
    }

    /// The place after `last` in the order of telling; the first without one.
    pub(super) fn next_place(&self, last: Option<Place>) -> Option<Place> {
        match last {
            None => self.order.last().copied(),
            Some(last) => self.order.range(..last).next_back().copied(),
        }
    }

    /// Where `destination` stands in the order of telling, if it is known.
    pub(super) fn place_of(&self, destination: &DestinationHash) -> Option<Place> {
        self.entries.get(destination).map(|known| place(*destination, known))
    }

    pub(super) fn get(&self, destination: &DestinationHash) -> Option<&Known> {
        self.entries.get(destination)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&DestinationHash, &Known)> {
        self.entries.iter()
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of an ordered map may be half empty; the order of use is a second map, the order of telling a third.
        const PER_ENTRY: usize = 2
            * (size_of::<(DestinationHash, Known, u64)>()
                + size_of::<(u64, DestinationHash)>()
                + size_of::<Place>()
                + 48);
        self.entries.capacity().saturating_mul(PER_ENTRY).saturating_add(8_192)
    }
}

/// A round in microseconds: what was heard of within one is equally new.
const ROUND_US: u64 = 60_000_000;

const fn place(destination: DestinationHash, known: &Known) -> Place {
    (known.heard_at.as_micros() / ROUND_US, Reverse(known.neighbour.hops.get()), destination)
}
