//! The table: a slab of entries, found by the hash of their destination.
//!
//! Each bucket is a chain through the slab in which the paths of one destination lie next to each other: a look-up is a hash and,
//! on the average, fewer than two steps. The slab and its buckets grow with what they hold, up to the capacity that the host gave.
//! What is reached by one next hop is a second chain, so that the loss of a link costs what went over it, and no more.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::Stream;

use super::chains::Chains;
use super::entry::{Claim, NextHop, RoutingEntry};
use crate::hashing::HashKey;
use crate::interface::InterfaceId;

/// Paths of one destination, at most.
pub const PATHS: usize = 4;
/// No entry.
pub(super) const NOWHERE: u32 = u32::MAX;
/// The fewest buckets.
const BUCKETS_MIN: usize = 16;
/// How many entries are compared when one has to make room: all of a small table.
const WINDOW: usize = 256;

/// Paths, at most a stated number.
#[derive(Debug)]
pub struct Table {
    entries: Vec<RoutingEntry>,
    /// The first entry of each bucket. Their number is a power of two.
    heads: Vec<u32>,
    /// What is reached by the same next hop.
    chains: Chains,
    /// The first entry that was freed.
    free: u32,
    len: usize,
    capacity: usize,
    key: HashKey,
    /// How strongly interfaces in clear draw paths, by their numbers; those that draw as all others do are not in it.
    gravities: BTreeMap<InterfaceId, u8>,
    /// Where the next search for room begins, and where the next sweep does.
    hands: [usize; 2],
}

/// Where a path is held: names it until it is forgotten, and then perhaps another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathName(pub(super) u32);

impl PathName {
    /// No path.
    pub const NONE: Self = Self(NOWHERE);
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is held.
    Held,
    /// It is held, and one of another destination made room.
    Evicted(DestinationHash),
    /// All paths that its destination may have are better.
    Refused,
}

/// The places of a destination's paths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    places: [u32; PATHS],
    len: usize,
}

impl Group {
    pub(super) fn places(&self) -> &[u32] {
        self.places.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, place: u32) {
        if let Some(free) = self.places.get_mut(self.len) {
            *free = place;
            self.len = self.len.saturating_add(1);
        }
    }
}

impl Table {
    /// An empty table of at most `capacity` paths.
    #[must_use]
    pub fn new(capacity: usize, random: &mut Stream) -> Self {
        let key = HashKey::new(random.bytes());
        let capacity = capacity.min(index(NOWHERE).saturating_sub(1));
        Self {
            entries: Vec::new(),
            heads: Vec::new(),
            chains: Chains::default(),
            free: NOWHERE,
            len: 0,
            capacity,
            key,
            gravities: BTreeMap::new(),
            hands: [0; 2],
        }
    }

    /// The interface draws paths in clear so strongly from here on. What was chosen before is chosen anew with the next word of it.
    pub(crate) fn set_gravity(&mut self, iface: InterfaceId, gravity: u8) {
        match gravity {
            0 => _ = self.gravities.remove(&iface),
            _drawing => _ = self.gravities.insert(iface, gravity),
        }
    }

    /// How strongly a path is drawn: in clear by its interface, over a link by its costs alone.
    fn gravity(&self, entry: &RoutingEntry) -> Option<u8> {
        match entry.next_hop() {
            NextHop::Clear(iface) => Some(self.gravities.get(&iface).copied().unwrap_or(0)),
            NextHop::Link { .. } => None,
        }
    }

    /// Whether `one` takes the place of `other`: it is of the same emission, in clear as that is, not longer, and drawn more strongly.
    /// Source: spec/reticulum.md#gravity.
    pub(crate) fn outweighs(&self, one: &RoutingEntry, other: &RoutingEntry) -> bool {
        let gravities = self.gravity(one).zip(self.gravity(other));
        gravities.is_some_and(|(one, other)| one > other)
            && one.random_hash() == other.random_hash()
            && one.metric().1 <= other.metric().1
    }

    /// How many paths are held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The paths to a destination, usable or not.
    pub fn paths(&self, destination: &DestinationHash) -> impl Iterator<Item = &RoutingEntry> {
        let group = self.group(destination);
        (0..group.len).filter_map(move |n| self.at(*group.places.get(n)?))
    }

    pub(super) fn at(&self, place: u32) -> Option<&RoutingEntry> {
        self.entries.get(index(place))
    }

    pub(super) fn at_mut(&mut self, place: u32) -> Option<&mut RoutingEntry> {
        self.entries.get_mut(index(place))
    }

    /// All paths, in an order that is the same in every run.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &RoutingEntry> {
        self.entries.iter().filter(|entry| !entry.is_free())
    }

    /// Holds what a neighbour says, for `life_s` seconds. Where a destination has as many paths as it may, the worst goes: what
    /// is of an older edition, then what costs most.
    pub fn put(&mut self, claim: &Claim, now_s: u32, life_s: u32) -> Put {
        let entry = RoutingEntry::new(claim, now_s, life_s);
        let group = self.group(&claim.destination);
        let same = |place: &&u32| self.at(**place).is_some_and(|held| held.next_hop() == claim.next_hop);
        if let Some(place) = group.places().iter().find(same).copied() {
            if let Some(held) = self.at_mut(place) {
                *held = held.renewed(entry);
            }
            return Put::Held;
        }
        if group.len == PATHS {
            return self.put_in_place_of_the_worst(&group, entry);
        }
        if self.capacity == 0 {
            return Put::Refused;
        }
        let evicted = if self.len >= self.capacity { self.evict(now_s) } else { None };
        // What made room may have been of the same destination.
        let first = self.group(&claim.destination).places().first().copied();
        self.link(entry, first);
        match evicted.filter(|evicted| *evicted != claim.destination) {
            Some(destination) => Put::Evicted(destination),
            None => Put::Held,
        }
    }

    fn put_in_place_of_the_worst(&mut self, group: &Group, entry: RoutingEntry) -> Put {
        let value = |entry: &RoutingEntry| {
            let edition = entry.edition();
            (core::cmp::Reverse(edition), entry.metric(), entry.next_hop())
        };
        let places = group.places().iter().copied();
        let Some(worst) = places.max_by_key(|place| self.at(*place).map(value)) else { return Put::Refused };
        let Some(held) = self.at_mut(worst) else { return Put::Refused };
        if value(&entry) >= value(held) {
            return Put::Refused;
        }
        let (before, next) = (held.next_hop(), held.next);
        *held = entry;
        held.next = next;
        self.chains.leave(before, worst);
        self.chains.join(entry.next_hop(), worst);
        Put::Held
    }

    /// Forgets the path over `next_hop`, if there is one.
    pub(crate) fn remove(&mut self, destination: &DestinationHash, next_hop: NextHop) -> bool {
        let group = self.group(destination);
        let is_it = |place: &&u32| self.at(**place).is_some_and(|held| held.next_hop() == next_hop);
        let found = group.places().iter().find(is_it).copied();
        if let Some(place) = found {
            self.unlink(place);
        }
        found.is_some()
    }

    /// The name of the path over `next_hop`.
    pub(crate) fn name(&self, destination: &DestinationHash, next_hop: NextHop) -> PathName {
        let group = self.group(destination);
        let is_it = |place: &&u32| self.at(**place).is_some_and(|held| held.next_hop() == next_hop);
        group.places().iter().find(is_it).map_or(PathName::NONE, |place| PathName(*place))
    }

    /// The path of that name.
    pub(crate) fn named(&mut self, name: PathName) -> Option<&mut RoutingEntry> {
        self.at_mut(name.0).filter(|entry| !entry.is_free())
    }

    /// Forgets all paths to a destination.
    pub(crate) fn forget(&mut self, destination: &DestinationHash) {
        while let Some(place) = self.group(destination).places().first().copied() {
            self.unlink(place);
        }
    }

    /// The path over `next_hop`.
    #[must_use]
    pub(crate) fn get(&self, destination: &DestinationHash, next_hop: NextHop) -> Option<&RoutingEntry> {
        self.paths(destination).find(|entry| entry.next_hop() == next_hop)
    }

    pub(crate) fn get_mut(
        &mut self,
        destination: &DestinationHash,
        next_hop: NextHop,
    ) -> Option<&mut RoutingEntry> {
        let group = self.group(destination);
        let is_it = |place: &&u32| self.at(**place).is_some_and(|held| held.next_hop() == next_hop);
        let place = group.places().iter().find(is_it).copied()?;
        self.at_mut(place)
    }

    /// The path of `destination` over `from` goes over `to` from here on; whether there was one. A path over `to` stays as it is.
    pub(crate) fn reroute(&mut self, destination: &DestinationHash, from: NextHop, to: NextHop) -> bool {
        if self.get(destination, to).is_some() {
            return self.remove(destination, from);
        }
        let PathName(place) = self.name(destination, from);
        let Some(entry) = self.at_mut(place) else { return false };
        entry.set_next_hop(to);
        self.chains.leave(from, place);
        self.chains.join(to, place);
        true
    }

    /// Whatever is reached by a next hop, in an order that is the same in every run.
    #[must_use]
    pub fn over(&self, next_hop: NextHop) -> Vec<DestinationHash> {
        self.chains.over(next_hop).filter_map(|place| self.at(place)).map(RoutingEntry::destination).collect()
    }

    /// Looks at the next `count` places for paths that ended: forgets them, and returns whose they were.
    pub(crate) fn sweep(
        &mut self,
        count: usize,
        is_over: impl Fn(&RoutingEntry) -> bool,
    ) -> Vec<DestinationHash> {
        let mut ended = Vec::new();
        for _ in 0..count.min(self.entries.len()) {
            let [_, hand] = &mut self.hands;
            *hand = if *hand >= self.entries.len() { 0 } else { *hand };
            let at = *hand;
            *hand = hand.saturating_add(1);
            let Some(entry) = self.entries.get(at).filter(|entry| !entry.is_free() && is_over(entry)) else {
                continue;
            };
            ended.push(entry.destination());
            self.unlink(u32::try_from(at).unwrap_or(NOWHERE));
        }
        ended
    }

    pub(super) fn group(&self, destination: &DestinationHash) -> Group {
        let mut group = Group { places: [NOWHERE; PATHS], len: 0 };
        self.walk(destination).for_each(|(place, _)| group.push(place));
        group
    }

    /// The paths to a destination with their places, one step at a time: who finds what is wanted goes no further.
    pub(super) fn walk(&self, destination: &DestinationHash) -> impl Iterator<Item = (u32, &RoutingEntry)> {
        let head = self.heads.get(self.bucket(destination)).copied().unwrap_or(NOWHERE);
        let at = |place| self.at(place).map(|entry| (place, entry));
        let chain = core::iter::successors(at(head), move |(_, entry)| at(entry.next));
        chain
            .skip_while(|(_, entry)| entry.destination() != *destination)
            .take_while(|(_, entry)| entry.destination() == *destination)
    }

    fn bucket(&self, destination: &DestinationHash) -> usize {
        let mask = u64::try_from(self.heads.len()).unwrap_or(0).saturating_sub(1);
        usize::try_from(self.key.hash(destination.as_bytes()) & mask).unwrap_or(0)
    }

    /// Puts a fresh entry behind `first`, which has the same destination, or at the head of its bucket.
    fn link(&mut self, mut entry: RoutingEntry, first: Option<u32>) {
        if self.len >= self.heads.len() {
            self.grow();
        }
        let bucket = self.bucket(&entry.destination());
        let fresh = u32::try_from(self.entries.len()).unwrap_or(NOWHERE);
        let place = if self.free == NOWHERE { fresh } else { self.free };
        let before = match first {
            Some(first) => self.at_mut(first).map(|first| &mut first.next),
            None => self.heads.get_mut(bucket),
        };
        let Some(before) = before else { return };
        entry.next = core::mem::replace(before, place);
        match self.entries.get_mut(index(place)) {
            Some(freed) => {
                self.free = freed.next;
                *freed = entry;
            }
            None => self.entries.push(entry),
        }
        self.chains.join(entry.next_hop(), place);
        self.len = self.len.saturating_add(1);
    }

    fn unlink(&mut self, place: u32) {
        let Some(entry) = self.at(place).copied() else { return };
        let bucket = self.bucket(&entry.destination());
        let mut at = match self.heads.get_mut(bucket) {
            Some(head) if *head == place => {
                *head = entry.next;
                NOWHERE
            }
            Some(head) => *head,
            None => NOWHERE,
        };
        while let Some(before) = self.at_mut(at) {
            at = before.next;
            if at == place {
                before.next = entry.next;
                break;
            }
        }
        self.chains.leave(entry.next_hop(), place);
        let free = self.free;
        if let Some(entry) = self.at_mut(place) {
            entry.free(free);
            self.free = place;
            self.len = self.len.saturating_sub(1);
        }
    }

    /// Twice the room, but never more than the capacity. Whatever shares a bucket is dealt out again.
    fn grow(&mut self) {
        let room = self.heads.len().saturating_mul(2).max(BUCKETS_MIN);
        let wanted = room.min(self.capacity);
        self.entries.reserve_exact(wanted.saturating_sub(self.entries.len()));
        self.chains.reserve(wanted);
        let mut old = core::mem::replace(&mut self.heads, vec![NOWHERE; room]);
        for head in &mut old {
            self.deal(core::mem::replace(head, NOWHERE));
        }
    }

    /// Moves a chain to the buckets in which its entries belong. Neighbours of the same destination stay neighbours.
    fn deal(&mut self, mut place: u32) {
        while let Some(entry) = self.at(place).copied() {
            let bucket = self.bucket(&entry.destination());
            let after = self.heads.get_mut(bucket).map(|head| core::mem::replace(head, place));
            if let Some(moved) = self.at_mut(place) {
                moved.next = after.unwrap_or(NOWHERE);
            }
            place = entry.next;
        }
    }

    /// Makes room: of the entries in the window what is stale and was used longest ago, else what is least reliable, else what
    /// was used longest ago.
    fn evict(&mut self, now_s: u32) -> Option<DestinationHash> {
        let worth = |entry: &RoutingEntry| {
            let (used, reliability) = (entry.used(), entry.reliability().unwrap_or(128));
            if entry.is_stale(now_s) {
                (0, u32::from(used > 0), used)
            } else {
                (1, u32::from(reliability), used)
            }
        };
        let [hand, _] = &mut self.hands;
        let begin = *hand;
        *hand = if self.entries.len() > WINDOW { begin.saturating_add(WINDOW) } else { 0 };
        if *hand >= self.entries.len() {
            *hand = 0;
        }
        let window =
            self.entries.iter().enumerate().skip(begin).chain(self.entries.iter().enumerate().take(begin));
        let held = window.take(WINDOW).filter(|(_, entry)| !entry.is_free());
        let (place, entry) = held.min_by_key(|(place, entry)| (worth(entry), *place))?;
        let destination = entry.destination();
        self.unlink(u32::try_from(place).ok()?);
        Some(destination)
    }

    /// The most heap that it holds, in bytes.
    #[must_use]
    pub fn memory_bound(&self) -> usize {
        // Nodes of ordered maps may be half empty.
        const GRAVITIES: usize = 256 * 2 * size_of::<(InterfaceId, u8)>() + 4_096;
        let buckets = self.capacity.next_power_of_two().max(BUCKETS_MIN);
        let entries = self.capacity.saturating_mul(size_of::<RoutingEntry>());
        entries
            .saturating_add(GRAVITIES)
            .saturating_add(buckets.saturating_mul(size_of::<u32>()))
            .saturating_add(Chains::memory_bound(self.capacity))
    }
}

pub(super) fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(super) mod tests;
