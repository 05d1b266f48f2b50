//! What is known of others: the newest verified emission of each destination, and by whom it came.

use alloc::collections::BTreeSet;
use core::cmp::Reverse;

use nexus_crypto::{DestinationHash, IdentityHash, IdentityPublic, RatchetPublic, hash};
use nexus_machine::{BoundedMap, Inserted, Instant, MapOverflow};
use nexus_wire::nexus::cost::Standing;
use nexus_wire::nexus::path_cost::{CompactPathCost, Generation};
use nexus_wire::reticulum::{Announce, Hops, RandomHash};

use super::bringers::{Bringer, Brought};
use super::clear::Shown;
use super::quoting::Replaced;
use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::routes::{Bounds, Distance, NextHop, SaidInClear, Stage};

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
    /// Who brought it.
    pub(super) brought_by: Bringer,
    /// Whether it was passed on to nobody, since whoever brought it brings too many.
    pub(super) is_withheld: bool,
    /// What names the emission.
    pub(super) random_hash: RandomHash,
    /// The hash of all that was signed, by which a copy is known without its signature.
    pub(super) print: Print,
    /// The best that this node ever said of the newest edition that it spoke of: what a path has to surpass.
    pub(super) distance: Option<Distance>,
    /// What this node said last.
    pub(super) told: Option<Told>,
    /// What it asked before that, and is still held to.
    pub(super) replaced: Option<Replaced>,
    pub(super) heard_as: HeardAs,
    /// What stock neighbours were told last.
    pub(super) shown: Option<Shown>,
    /// The fewest hops that they were ever told of the newest emission that they heard of from here, also before a restart.
    pub(super) said_in_clear: Option<SaidInClear>,
}

impl Known {
    /// All that this node said, which a path has to surpass.
    pub(super) const fn bounds(&self) -> Bounds {
        Bounds { over_links: self.distance, in_clear: self.said_in_clear }
    }

    /// Something is said in clear, or was before a restart. Returns whether it binds more than what was said before.
    pub(super) fn bind_in_clear(&mut self, said: SaidInClear) -> bool {
        let bound = self.said_in_clear.map_or(said, |before| before.after_saying(said));
        self.said_in_clear.replace(bound) != Some(bound)
    }
}

/// How an emission came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeardAs {
    /// As an announce, which is passed on.
    Announce,
    /// As the answer to a request only: should it come as an announce too, it is passed on then.
    Answer,
}

/// The first bytes of the BLAKE3 of an announce, header excluded.
pub(super) type Print = [u8; 16];

/// The print of an announce packet's payload.
pub(super) fn print_of(payload: &[u8]) -> Print {
    hash::truncate(&hash::blake3(&[payload]))
}

/// What this node told others of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) random_hash: RandomHash,
    pub(super) generation: Generation,
    pub(super) cost: CompactPathCost,
    /// The path that it was.
    pub(super) over: NextHop,
    pub(super) standing: Standing,
    /// When.
    pub(super) at: Instant,
}

/// Whether a path to a destination is known on which packets can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathState {
    /// One is.
    Alive,
    /// None is. The same emission from another neighbour, a newer generation of its costs or a later one restores it.
    Lost,
}

/// A way to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// How the next hop is reached.
    pub via: Via,
    /// Whether the next hop is the destination itself.
    pub stage: Stage,
    /// What it costs, the hop to the next hop included. Behind an interface in clear, its hops count stock relays too.
    pub cost: CompactPathCost,
    /// Whether packets may go that way: no loop can come of it.
    pub is_usable: bool,
    /// Whether probes of it were lost: it is used for want of another only, and nobody is told of it.
    pub is_distrusted: bool,
    /// How many of 255 packets were proved of late; none if nothing is known.
    pub reliability: Option<u8>,
    /// Seconds since the neighbour said it last.
    pub age_s: u32,
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
    /// Known once, and forgotten for want of room: not passed on again.
    Forgotten,
    /// The destination is pinned to another key.
    OtherKey,
}

/// Where a destination stands in the order of telling: the round in which it was heard of, then hops, then address.
/// Walked from the end: newest first, among those nearest first.
pub(super) type Place = (u64, Reverse<u8>, DestinationHash);

/// The destinations known, at most a stated number; at the bound whoever brought most of them gives way, with the one heard of longest ago: who
/// makes destinations up pushes out no others than its own.
#[derive(Debug)]
pub(super) struct KnownDestinations {
    entries: BoundedMap<DestinationHash, Known>,
    /// The same by who brought them, and when.
    brought: Brought,
    /// One place for each entry.
    order: BTreeSet<Place>,
    /// What is remembered of those that were forgotten for want of room.
    forgotten: BoundedMap<DestinationHash, Remnant>,
    /// How many were.
    evicted: u64,
}

/// What remains of a destination that was forgotten: by it the same emission is not taken for a newer one, and no loop comes of the
/// next path.
#[derive(Clone, Copy, Debug)]
struct Remnant {
    emitted_at: u64,
    distance: Option<Distance>,
    shown: Option<Shown>,
    said_in_clear: Option<SaidInClear>,
}

/// For each destination that is known, so many that were forgotten are remembered.
const REMNANTS: usize = 4;

impl KnownDestinations {
    pub(super) const fn new(capacity: usize) -> Self {
        let entries = BoundedMap::new(capacity, MapOverflow::RefuseNew);
        let forgotten = BoundedMap::new(capacity.saturating_mul(REMNANTS), MapOverflow::EvictLeastRecent);
        Self { entries, brought: Brought::new(), order: BTreeSet::new(), forgotten, evicted: 0 }
    }

    /// What to make of `announce`, while its destination's path is in `state`.
    pub(super) fn judge(&self, announce: &Announce<'_>, state: PathState) -> Judgement {
        let Some(known) = self.entries.get(&announce.destination) else {
            let emitted_at = announce.claim.random_hash.emitted_at();
            let remnant = self.forgotten.get(&announce.destination);
            let is_old = remnant.is_some_and(|remnant| remnant.emitted_at >= emitted_at);
            return if is_old { Judgement::Forgotten } else { Judgement::Newer };
        };
        if known.public != announce.claim.public {
            return Judgement::OtherKey;
        }
        let emitted_at = announce.claim.random_hash.emitted_at();
        match (emitted_at.cmp(&known.emitted_at), state) {
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
        print: Print,
        (neighbour, brought_by): (Neighbour, Bringer),
        heard_as: HeardAs,
        now: Instant,
    ) -> Option<DestinationHash> {
        let before = self.entries.get(&announce.destination);
        let remnant = self.forgotten.remove(&announce.destination);
        let remembered = remnant.and_then(|remnant| remnant.distance);
        let (distance, told) = before.map_or((remembered, None), |known| (known.distance, known.told));
        let replaced = before.and_then(|known| known.replaced);
        let forgotten = remnant.and_then(|remnant| remnant.shown);
        let shown = before.map_or(forgotten, |known| known.shown);
        let was_said = remnant.and_then(|remnant| remnant.said_in_clear);
        let said_in_clear = before.map_or(was_said, |known| known.said_in_clear);
        let emitted_at = announce.claim.random_hash.emitted_at();
        // What was passed on before it was forgotten is not passed on again.
        let was_announced = remnant.is_some_and(|remnant| remnant.emitted_at == emitted_at);
        let heard_as = if was_announced { HeardAs::Announce } else { heard_as };
        let known = Known {
            public: announce.claim.public,
            emitted_at,
            ratchet: announce.claim.ratchet,
            neighbour,
            heard_at: now,
            brought_by,
            is_withheld: false,
            random_hash: announce.claim.random_hash,
            print,
            distance,
            told,
            replaced,
            heard_as,
            shown,
            said_in_clear,
        };
        let place = place(announce.destination, &known);
        let displaced = if self.entries.contains(&announce.destination) { None } else { self.make_room() };
        match self.entries.insert(announce.destination, known) {
            Inserted::Fresh => {}
            Inserted::Replaced(old) => self.unlist(announce.destination, &old),
            Inserted::Evicted(..) | Inserted::Refused(_) => return Some(announce.destination),
        }
        self.order.insert(place);
        self.brought.add(brought_by, now.as_micros(), announce.destination, 1);
        displaced
    }

    /// Forgets one of whoever brought most, if there is no room for another.
    fn make_room(&mut self) -> Option<DestinationHash> {
        if self.entries.len() < self.entries.capacity() {
            return None;
        }
        let destination = self.brought.gives_way()?;
        let old = self.entries.remove(&destination)?;
        self.unlist(destination, &old);
        self.evicted = self.evicted.saturating_add(1);
        let Known { emitted_at, distance, shown, said_in_clear, .. } = old;
        let remnant = Remnant { emitted_at, distance, shown, said_in_clear };
        // The one forgotten longest ago goes for good.
        let _gone: Inserted<_, _> = self.forgotten.insert(destination, remnant);
        Some(destination)
    }

    /// Another says the same: it counts for whichever of the two brought less, so that who repeats everything first loses nobody else's. Returns who
    /// it counts for.
    pub(super) fn brought_too(&mut self, destination: DestinationHash, by: Bringer) -> Option<Bringer> {
        let known = self.entries.get_mut(&destination)?;
        let before = known.brought_by;
        if self.brought.weight(by).saturating_add(1) < self.brought.weight(before) {
            let heard_at = known.heard_at.as_micros();
            known.brought_by = by;
            self.brought.remove(before, heard_at, destination, 1);
            self.brought.add(by, heard_at, destination, 1);
        }
        Some(known.brought_by)
    }

    fn unlist(&mut self, destination: DestinationHash, old: &Known) {
        self.order.remove(&place(destination, old));
        self.brought.remove(old.brought_by, old.heard_at.as_micros(), destination, 1);
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

    pub(super) fn get_mut(&mut self, destination: &DestinationHash) -> Option<&mut Known> {
        self.entries.get_mut(destination)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&DestinationHash, &Known)> {
        self.entries.iter()
    }

    /// Those whose address is behind `after`, by address; all without.
    pub(super) fn behind(
        &self,
        after: Option<&DestinationHash>,
    ) -> impl Iterator<Item = (&DestinationHash, &Known)> + use<'_> {
        self.entries.behind(after)
    }

    pub(super) const fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.entries.capacity()
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of an ordered map may be half empty; the order of use is a second map, the order of telling a third.
        const PER_ENTRY: usize = 2
            * (size_of::<(DestinationHash, Known, u64)>()
                + size_of::<(u64, DestinationHash)>()
                + size_of::<Place>()
                + 48);
        const PER_REMNANT: usize = 4 * (size_of::<(DestinationHash, Remnant, u64)>() + 24);
        self.entries
            .capacity()
            .saturating_mul(PER_ENTRY)
            .saturating_add(self.forgotten.capacity().saturating_mul(PER_REMNANT))
            .saturating_add(Brought::memory_bound(self.entries.capacity()))
            .saturating_add(8_192)
    }
}

/// A round in microseconds: what was heard of within one is equally new.
const ROUND_US: u64 = 60_000_000;

const fn place(destination: DestinationHash, known: &Known) -> Place {
    (known.heard_at.as_micros() / ROUND_US, Reverse(known.neighbour.hops.get()), destination)
}
