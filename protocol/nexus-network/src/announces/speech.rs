//! What waits to be said where one frame is heard by many, in which order, and who is known to have it.
//!
//! Source: spec/network.md#announces.

use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Duration, Inserted, Instant, MapOverflow, Stream};

use super::bringers::Bringer;
use super::budget::{Budgets, INTERFACES, Purpose};
use crate::interface::{InterfaceId, Mode, Profile, Reach};
use crate::links::LinkId;
use crate::overheard::Carrier;

/// Interfaces on which something may wait to be said, at most.
pub(super) const CHANNELS: usize = INTERFACES;
/// What passes on waits at random for up to this,
const SPREAD: Duration = Duration::from_millis(500);
/// or this where frames take next to no time,
const FAST_SPREAD: Duration = Duration::from_millis(20);
/// or so many times what a frame takes, for each neighbour that may have the same to say.
const SPREAD_FRAMES: u64 = 2;
/// Whoever has more than this waiting to be passed on, and more than anybody else, waits behind all others.
const FLOOD: usize = 32;
/// Of how many neighbours it is remembered that they have an announce.
const SIGNS: usize = 64;

/// An interface on which links run.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) profile: Profile,
    pub(super) waiting: BTreeMap<DestinationHash, Waiting>,
    /// In which order this node says what others said there before.
    pub(super) turn: u64,
}

/// The first bytes of a hash, as a number.
fn leading(hash: &DestinationHash) -> u64 {
    let (first, _) = hash.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*first)
}

/// Something to be said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) at: Instant,
    pub(super) hops: u8,
    pub(super) saying: Saying,
    pub(super) purpose: Purpose,
    /// Who brought it; none of this node's own.
    pub(super) brought_by: Option<Bringer>,
}

/// How often something was said on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Saying {
    First,
    Again,
}

/// Who is known to have the newest emission of a destination: they said it themselves.
#[derive(Debug)]
pub(super) struct Signs {
    pub(super) emitted_at: u64,
    pub(super) by: BTreeSet<LinkId>,
}

/// A broadcast that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken {
    pub(super) emitted_at: u64,
    pub(super) at: Instant,
}

/// What is said on channels, and what is known of who has it.
#[derive(Debug)]
pub(super) struct Speech {
    /// Drawn by chance: in which order this node says what others said on a channel before. So they have different things to say next, and each
    /// hears of the others what it has not come to itself.
    pub(super) turn: u64,
    pub(super) channels: BTreeMap<InterfaceId, Channel>,
    pub(super) budgets: Budgets,
    pub(super) spoken: BoundedMap<(InterfaceId, DestinationHash), Spoken>,
    pub(super) signs: BoundedMap<DestinationHash, Signs>,
    /// What may wait on one channel.
    pub(super) capacity: usize,
}

impl Speech {
    pub(super) fn new(waiting: usize, known: usize, mut random: Stream) -> Self {
        Self {
            turn: random.next_u64(),
            channels: BTreeMap::new(),
            budgets: Budgets::new(random),
            spoken: BoundedMap::new(known, MapOverflow::EvictLeastRecent),
            signs: BoundedMap::new(waiting, MapOverflow::EvictLeastRecent),
            capacity: waiting,
        }
    }

    pub(super) fn up(&mut self, iface: InterfaceId, now: Instant, profile: &Profile) {
        self.channels.remove(&iface);
        self.budgets.up(iface, now, profile);
        if profile.mode == Mode::Nexus && self.channels.len() < CHANNELS {
            let channel = Channel { profile: *profile, waiting: BTreeMap::new(), turn: self.turn };
            self.channels.insert(iface, channel);
        }
    }

    pub(super) fn down(&mut self, iface: InterfaceId) {
        self.channels.remove(&iface);
        self.budgets.down(iface);
    }

    /// Takes the time of a message from the share of routing.
    pub(super) fn spend(&mut self, iface: InterfaceId, now: Instant, bytes: usize) {
        self.budgets.spend(iface, now, bytes.saturating_add(BROADCAST_OVERHEAD), Carrier::Broadcast);
    }

    /// The same for a message over a link.
    pub(super) fn spend_on_link(&mut self, iface: InterfaceId, now: Instant, bytes: usize) {
        self.budgets.spend(iface, now, bytes.saturating_add(TAG), Carrier::OwnLink);
    }

    /// Whether an announce of `len` bytes may be told to a link on `iface`: if so its time is spent.
    pub(super) fn tells(&mut self, iface: InterfaceId, now: Instant, len: usize) -> Leave {
        if self.budgets.busy_until(iface, Purpose::Announce, now).is_some() {
            return Leave::Later;
        }
        self.budgets.spend(iface, now, len.saturating_add(TELL_OVERHEAD), Carrier::OwnLink);
        Leave::Given
    }

    /// Whether what is said to a link on `iface` is said on a channel: one frame may be heard by many.
    pub(super) fn is_on(&self, iface: InterfaceId) -> bool {
        self.channels.get(&iface).is_some_and(Channel::is_heard_by_many)
    }

    /// How long the longest frame occupies an interface on which links run.
    pub(super) fn frame_airtime(&self, iface: InterfaceId) -> Option<Duration> {
        self.channels.get(&iface).map(|channel| channel.profile.airtime(channel.profile.frame_size.into()))
    }

    /// Whether neighbours on `iface` hear broadcasts as soon as they hold the key.
    pub(super) fn is_shared(&self, iface: InterfaceId) -> bool {
        self.channels.get(&iface).is_some_and(|channel| channel.profile.reach == Reach::Shared)
    }

    /// The neighbour behind `link` has this emission.
    pub(super) fn sign(&mut self, destination: DestinationHash, emitted_at: u64, link: LinkId) {
        match self.signs.get_mut(&destination).filter(|signs| signs.emitted_at == emitted_at) {
            Some(signs) if signs.by.len() < SIGNS => _ = signs.by.insert(link),
            Some(_) => {}
            None => {
                let signs = Signs { emitted_at, by: BTreeSet::from([link]) };
                // The one used longest ago makes room: its neighbours are told once more than they need be.
                let _displaced: Inserted<_, _> = self.signs.insert(destination, signs);
            }
        }
    }

    /// Whether the neighbour behind `link` is known to have this emission.
    pub(super) fn has(&self, destination: &DestinationHash, emitted_at: u64, link: LinkId) -> bool {
        let signs = self.signs.get(destination).filter(|signs| signs.emitted_at == emitted_at);
        signs.is_some_and(|signs| signs.by.contains(&link))
    }

    /// Whether this emission was broadcast on `iface` since `since`.
    pub(super) fn was_spoken(
        &self,
        iface: InterfaceId,
        destination: DestinationHash,
        emitted_at: u64,
        since: Instant,
    ) -> bool {
        let spoken = self.spoken.get(&(iface, destination));
        spoken.is_some_and(|spoken| spoken.emitted_at == emitted_at && spoken.at >= since)
    }

    /// Of what waits to be said of `destination`, nothing is said.
    pub(super) fn forget(&mut self, destination: &DestinationHash) {
        for channel in self.channels.values_mut() {
            channel.waiting.remove(destination);
        }
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of ordered maps may be half empty; a bounded map is two of them.
        const PER_WAITING: usize = 2 * size_of::<(DestinationHash, Waiting)>() + 32;
        const PER_CHANNEL: usize = 4 * size_of::<Channel>();
        const PER_SPOKEN: usize = 8 * size_of::<(InterfaceId, DestinationHash, Spoken, u64)>();
        const PER_SIGNS: usize = 8 * size_of::<(DestinationHash, Signs, u64)>() + SIGNS * 32 + 256;
        self.capacity
            .saturating_mul(CHANNELS.saturating_mul(PER_WAITING))
            .saturating_add(self.spoken.capacity().saturating_mul(PER_SPOKEN))
            .saturating_add(self.signs.capacity().saturating_mul(PER_SIGNS))
            .saturating_add(CHANNELS.saturating_mul(PER_CHANNEL))
            .saturating_add(8_192)
    }
}

impl Channel {
    pub(super) const fn is_heard_by_many(&self) -> bool {
        match self.profile.reach {
            Reach::PointToPoint => false,
            Reach::Shared | Reach::Addressed => true,
        }
    }

    /// How long what is passed on waits at most, among so many neighbours.
    pub(super) fn spread(&self, bytes: usize, neighbours: usize) -> Duration {
        let others = u64::try_from(neighbours).unwrap_or(u64::MAX).saturating_add(1);
        let airtime = self.profile.airtime(bytes);
        let least = if airtime < FAST_SPREAD { FAST_SPREAD } else { SPREAD };
        least.max(airtime.times(SPREAD_FRAMES).times(others))
    }

    /// What is to be said next of what is due and may be said: what was not said yet, of that this node's own, then what was brought by whoever
    /// brings no more than others, of that what nobody there has before what was heard there, of that the nearest, of those the newest.
    pub(super) fn due(&self, now: Instant, free_at: impl Fn(Purpose) -> Instant) -> Option<DestinationHash> {
        let flood = self.flood();
        let due = self.waiting.iter().filter(|(_, waiting)| waiting.at.max(free_at(waiting.purpose)) <= now);
        due.min_by_key(|(about, waiting)| {
            let is_flood = flood.is_some() && waiting.brought_by == flood;
            let rank = (waiting.purpose != Purpose::Own, waiting.saying, is_flood);
            let is_echo = waiting.purpose == Purpose::Echo;
            let in_turn = if is_echo { self.turn ^ leading(about) } else { 0 };
            (rank, is_echo, waiting.hops, in_turn, Reverse(waiting.at))
        })
        .map(|(about, _)| *about)
    }

    /// When something of what waits may be said.
    pub(super) fn next_at(&self, free_at: impl Fn(Purpose) -> Instant) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.at.max(free_at(waiting.purpose))).min()
    }

    /// Whoever brought most of what waits, if that is more than [`FLOOD`].
    pub(super) fn flood(&self) -> Option<Bringer> {
        if self.waiting.len() <= FLOOD {
            return None;
        }
        let mut counts: BTreeMap<Bringer, usize> = BTreeMap::new();
        for brought_by in self.waiting.values().filter_map(|waiting| waiting.brought_by) {
            let count = counts.entry(brought_by).or_default();
            *count = count.saturating_add(1);
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.filter(|(_, count)| *count > FLOOD).map(|(brought_by, _)| brought_by)
    }

    /// Whether something more may wait. Where there is no room what was brought by whoever brought most makes some, the farthest of it, unless it is
    /// that one's too.
    pub(super) fn makes_room(
        &mut self,
        capacity: usize,
        destination: &DestinationHash,
        brought_by: Option<Bringer>,
    ) -> bool {
        if self.waiting.len() < capacity || self.waiting.contains_key(destination) {
            return true;
        }
        let Some(flood) = self.flood().filter(|flood| brought_by != Some(*flood)) else { return false };
        let of_flood = self.waiting.iter().filter(|(_, waiting)| waiting.brought_by == Some(flood));
        let farthest = of_flood.max_by_key(|(_, waiting)| (waiting.saying, waiting.hops, waiting.at));
        let Some(farthest) = farthest.map(|(about, _)| *about) else { return false };
        self.waiting.remove(&farthest).is_some()
    }
}

/// Whether something may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may.
    Given,
    /// Announces have spent their share.
    Later,
}

/// What a broadcast needs beside headroom, message and packet: a length, a signature, a tag.
pub(super) const BROADCAST_OVERHEAD: usize = 2 + 65 + 16;
/// What a sealed message needs beside header and kind.
pub(super) const TAG: usize = 16;
/// What a sealed ANNOUNCE needs beside the packet: header, kind, cost, tag.
pub(super) const TELL_OVERHEAD: usize = 7 + 1 + 8 + 16;
