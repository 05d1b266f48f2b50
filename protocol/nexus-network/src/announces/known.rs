//! What is known of others: the newest verified emission of each destination, and by whom it came.

use nexus_crypto::{DestinationHash, IdentityHash, IdentityPublic, RatchetPublic};
use nexus_machine::{BoundedMap, Inserted, Instant, MapOverflow};
use nexus_wire::reticulum::{Announce, Hops};

use crate::interface::InterfaceId;

/// Through whom something was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// On which interface.
    pub iface: InterfaceId,
    /// The relay that carried it; none if its originator was heard itself.
    pub transport: Option<IdentityHash>,
    /// How many times it was received, by the count in its header, this node's receiving included.
    pub hops: Hops,
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
    /// When it was heard.
    pub heard_at: Instant,
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
    /// Known, or older.
    Stale,
    /// The destination is pinned to another key.
    OtherKey,
}

/// The destinations known, at most a stated number; at the bound the one heard of longest ago goes.
#[derive(Debug)]
pub(super) struct KnownDestinations {
    entries: BoundedMap<DestinationHash, Known>,
    /// How many were forgotten for want of room.
    evicted: u64,
}

impl KnownDestinations {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { entries: BoundedMap::new(capacity, MapOverflow::EvictLeastRecent), evicted: 0 }
    }

    pub(super) fn judge(&self, announce: &Announce<'_>) -> Judgement {
        match self.entries.get(&announce.destination) {
            None => Judgement::Newer,
            Some(known) if known.public != announce.claim.public => Judgement::OtherKey,
            Some(known) if announce.claim.random_hash.emitted_at() > known.emitted_at => Judgement::Newer,
            Some(_) => Judgement::Stale,
        }
    }

    /// Takes over an announce whose signature verified.
    pub(super) fn learn(&mut self, announce: &Announce<'_>, neighbour: Neighbour, now: Instant) {
        let known = Known {
            public: announce.claim.public,
            emitted_at: announce.claim.random_hash.emitted_at(),
            ratchet: announce.claim.ratchet,
            neighbour,
            heard_at: now,
        };
        if let Inserted::Evicted(..) = self.entries.insert(announce.destination, known) {
            self.evicted = self.evicted.saturating_add(1);
        }
    }

    pub(super) fn get(&self, destination: &DestinationHash) -> Option<&Known> {
        self.entries.get(destination)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&DestinationHash, &Known)> {
        self.entries.iter()
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of an ordered map may be half empty; the order of use is a second map.
        const PER_ENTRY: usize =
            2 * (size_of::<(DestinationHash, Known, u64)>() + size_of::<(u64, DestinationHash)>() + 32);
        self.entries.capacity().saturating_mul(PER_ENTRY).saturating_add(4096)
    }
}
