//! Speaking on a medium where one frame is heard by many: what is said there of a destination is said once.
//!
//! What is to be said waits for its moment and for the airtime that announces may take. When its turn comes, those who are
//! known to have it are left out; if several others hear broadcasts they are told by one, the rest each over its link.
//! Source: spec/network.md#announces.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Cx, Duration, Inserted, Instant, MapOverflow, Relaying, Sink, Stream};
use nexus_wire::nexus::path_cost::CompactPathCost;

use super::bringers::Bringer;
use super::budget::{Budgets, INTERFACES, Purpose};
use super::costs::{Outlet, Telling};
use super::known::{Known, Via};
use super::passing::{message_of, tell};
use super::{Announces, Effect, Timer, count};
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
/// Where a node has so many neighbours,
const DENSE: usize = 8;
/// and so many of them passed an announce on beside the one it came from, it is not passed on once more.
const ENOUGH: usize = 3;
/// A neighbour that came up is told of nothing before it hears broadcasts, but no longer than this.
pub(super) const HEARING_WAIT: Duration = Duration::from_secs(30);
/// One broadcast serves few, or a frame over a link serves as well and is shorter.
const WORTH_A_BROADCAST: usize = 2;
/// On a radio channel a frame may collide and nobody says so: what was said is said again after so many times its airtime,
const AGAIN_FRAMES: u64 = 64;
/// but not sooner than this, if nobody was heard to pass it on.
const AGAIN: Duration = Duration::from_secs(5);
/// Whoever has more than this waiting to be passed on, and more than anybody else, waits behind all others.
const FLOOD: usize = 32;
/// Of how many neighbours it is remembered that they have an announce.
const SIGNS: usize = 64;

/// An interface on which links run.
#[derive(Debug)]
pub(super) struct Channel {
    profile: Profile,
    waiting: BTreeMap<DestinationHash, Waiting>,
}

/// Something to be said.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    at: Instant,
    hops: u8,
    saying: Saying,
    purpose: Purpose,
    /// Who brought it; none of this node's own.
    brought_by: Option<Bringer>,
}

/// How often something was said on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Saying {
    First,
    Again,
}

/// Who is known to have the newest emission of a destination: they said it themselves.
#[derive(Debug)]
pub(super) struct Signs {
    emitted_at: u64,
    by: BTreeSet<LinkId>,
}

/// A broadcast that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken {
    emitted_at: u64,
    at: Instant,
}

/// What is said on channels, and what is known of who has it.
#[derive(Debug)]
pub(super) struct Speech {
    channels: BTreeMap<InterfaceId, Channel>,
    pub(super) budgets: Budgets,
    spoken: BoundedMap<(InterfaceId, DestinationHash), Spoken>,
    signs: BoundedMap<DestinationHash, Signs>,
    /// What may wait on one channel.
    capacity: usize,
}

impl Speech {
    pub(super) fn new(waiting: usize, known: usize, random: Stream) -> Self {
        Self {
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
            let channel = Channel { profile: *profile, waiting: BTreeMap::new() };
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
    fn was_spoken(
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
    const fn is_heard_by_many(&self) -> bool {
        match self.profile.reach {
            Reach::PointToPoint => false,
            Reach::Shared | Reach::Addressed => true,
        }
    }

    /// How long what is passed on waits at most, among so many neighbours.
    fn spread(&self, bytes: usize, neighbours: usize) -> Duration {
        let others = u64::try_from(neighbours).unwrap_or(u64::MAX).saturating_add(1);
        let airtime = self.profile.airtime(bytes);
        let least = if airtime < FAST_SPREAD { FAST_SPREAD } else { SPREAD };
        least.max(airtime.times(SPREAD_FRAMES).times(others))
    }

    /// What is to be said next of what is due and may be said: what was not said yet, of that this node's own, then what was brought by whoever
    /// brings no more than others, of that what nobody there has before what was heard there, of that the nearest, of those the newest.
    fn due(&self, now: Instant, free_at: impl Fn(Purpose) -> Instant) -> Option<DestinationHash> {
        let flood = self.flood();
        let due = self.waiting.iter().filter(|(_, waiting)| waiting.at.max(free_at(waiting.purpose)) <= now);
        due.min_by_key(|(_, waiting)| {
            let is_flood = flood.is_some() && waiting.brought_by == flood;
            let rank = (waiting.purpose != Purpose::Own, waiting.saying, is_flood);
            (rank, waiting.purpose == Purpose::Echo, waiting.hops, Reverse(waiting.at))
        })
        .map(|(about, _)| *about)
    }

    /// When something of what waits may be said.
    fn next_at(&self, free_at: impl Fn(Purpose) -> Instant) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.at.max(free_at(waiting.purpose))).min()
    }

    /// Whoever brought most of what waits, if that is more than [`FLOOD`].
    fn flood(&self) -> Option<Bringer> {
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
    fn makes_room(
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

/// By which interface what is known of a destination came.
fn came_by(known: Option<&Known>) -> Option<InterfaceId> {
    known.map(|known| known.neighbour.via.iface())
}

/// Whether something may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may.
    Given,
    /// Announces have spent their share.
    Later,
}

/// What became of an introduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Introduced {
    /// There was nothing to say, or the neighbour had it.
    NoNeed,
    /// An announce of so many bytes was said.
    Told(usize),
}

/// Those on a channel who lack an announce.
struct Audience {
    /// Who hears broadcasts.
    hearers: Vec<LinkId>,
    /// Who does not.
    others: Vec<LinkId>,
    /// How many neighbours passed it on, beside the one it came from.
    said: usize,
    /// The same, where that is a reason not to pass it on.
    copies: usize,
}

/// What is to be said of a destination.
struct News {
    emitted_at: u64,
    cost: CompactPathCost,
    /// The way to it; none of this node's own.
    via: Option<Via>,
    packet: Vec<u8>,
}

impl Announces {
    /// This node's own emission is to be said on every channel, at once.
    pub(super) fn speak_own(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        let own = self.own.destination();
        let heard_by_many = self.speech.channels.iter().filter(|(_, channel)| channel.is_heard_by_many());
        let interfaces: Vec<InterfaceId> = heard_by_many.map(|(iface, _)| *iface).collect();
        for iface in interfaces {
            if let Some(channel) = self.speech.channels.get_mut(&iface) {
                // There is always room for one's own.
                channel.waiting.insert(
                    own,
                    Waiting {
                        at: cx.now,
                        hops: 0,
                        saying: Saying::First,
                        purpose: Purpose::Own,
                        brought_by: None,
                    },
                );
            }
            self.speak(cx, iface, out);
        }
    }

    /// What was heard of `destination` is to be passed on on every channel, after a random wait.
    pub(super) fn speak_later(&mut self, now: Instant, destination: DestinationHash, hops: u8, len: usize) {
        let known = self.known.get(&destination);
        let (brought_by, came_by) = (known.map(|known| known.brought_by), came_by(known));
        let (capacity, budgets) = (self.speech.capacity, &self.speech.budgets);
        for (iface, channel) in self.speech.channels.iter_mut().filter(|(_, it)| it.is_heard_by_many()) {
            let neighbours = self.links.iter().filter(|(_, other)| other.iface == *iface).count();
            if neighbours == 0 {
                continue;
            }
            if !channel.makes_room(capacity, &destination, brought_by) {
                count(&mut self.refusals.crowded);
                continue;
            }
            let spread = channel.spread(len, neighbours);
            let wait = Duration::from_micros(self.random.below(spread.as_micros()).saturating_add(1));
            let at = now.after(wait);
            let purpose = Purpose::of_what_came(came_by, *iface);
            let waiting = Waiting { at, hops, saying: Saying::First, purpose, brought_by };
            channel.waiting.insert(destination, waiting);
            let timer = Timer::Speak(*iface);
            let at = at.max(budgets.free_at(*iface, purpose, now));
            if self.deadlines.get(timer).is_none_or(|set| at < set) {
                self.deadlines.set(timer, at);
            }
        }
    }

    /// What was heard of `destination` cannot be said on `iface`, where announces have spent their share: it is said when they may.
    pub(super) fn speak_when_free(&mut self, now: Instant, iface: InterfaceId, destination: DestinationHash) {
        let known = self.known.get(&destination);
        let hops = known.map_or(0, |known| known.neighbour.hops.get());
        let brought_by = known.map(|known| known.brought_by);
        let purpose = Purpose::of_what_came(came_by(known), iface);
        let capacity = self.speech.capacity;
        let Some(channel) = self.speech.channels.get_mut(&iface) else { return };
        if !channel.makes_room(capacity, &destination, brought_by) {
            return count(&mut self.refusals.crowded);
        }
        let waiting = Waiting { at: now, hops, saying: Saying::First, purpose, brought_by };
        channel.waiting.insert(destination, waiting);
        let at = self.speech.budgets.free_at(iface, purpose, now).max(now.after(Duration::from_micros(1)));
        let timer = Timer::Speak(iface);
        if self.deadlines.get(timer).is_none_or(|set| at < set) {
            self.deadlines.set(timer, at);
        }
    }

    /// Says what is due on a channel, as far as there is airtime for it.
    pub(super) fn speak(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        while let Some(channel) = self.speech.channels.get_mut(&iface) {
            let budgets = &self.speech.budgets;
            let free_at = |purpose| budgets.free_at(iface, purpose, cx.now);
            let Some(destination) = channel.due(cx.now, free_at) else {
                if let Some(at) = channel.next_at(free_at) {
                    self.deadlines.set(Timer::Speak(iface), at);
                }
                return;
            };
            let saying = channel.waiting.remove(&destination).map_or(Saying::First, |waiting| waiting.saying);
            self.speak_of(cx, iface, destination, saying, out);
            if self.speak_on_in_turn(cx.now, iface) {
                return;
            }
        }
    }

    /// Where all hear all, whoever said something lets others say something before it goes on. Whether that is so.
    fn speak_on_in_turn(&mut self, now: Instant, iface: InterfaceId) -> bool {
        let neighbours = self.links.iter().filter(|(_, other)| other.iface == iface).count();
        let Some(channel) = self.speech.channels.get(&iface) else { return true };
        if channel.profile.reach != Reach::Shared {
            return false;
        }
        let budgets = &self.speech.budgets;
        if let Some(at) = channel.next_at(|purpose| budgets.free_at(iface, purpose, now)) {
            let spread = channel.spread(usize::from(channel.profile.frame_size) / 2, neighbours);
            let wait = Duration::from_micros(self.random.below(spread.as_micros()).saturating_add(1));
            self.deadlines.set(Timer::Speak(iface), at.max(now.after(wait)));
        }
        true
    }

    /// Says what there is to say of `destination`, to those who lack it.
    fn speak_of(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        destination: DestinationHash,
        saying: Saying,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(news) = self.news_of(cx, destination) else { return };
        let Audience { hearers, others, said, copies } = self.audience(iface, destination, &news);
        if saying == Saying::First && said > 0 {
            // Who has it may have it by a dearer way, or by one alone.
            self.remind_later(cx.now, Outlet::Hearers(iface), &destination, Telling::FIRST);
        }
        match saying {
            Saying::First if hearers.is_empty() && others.is_empty() => {}
            Saying::First => self.say_again_later(cx.now, iface, destination, news.packet.len()),
            // Somebody passed it on: whoever missed it heard it then.
            Saying::Again if said > 0 => return,
            Saying::Again => {}
        }
        let mut told = others;
        if copies < ENOUGH {
            if hearers.len() >= WORTH_A_BROADCAST {
                self.broadcast(cx.now, iface, destination, &news, out);
            } else {
                told.extend(hearers);
            }
        }
        for link in told {
            self.tell_on_channel(cx.now, iface, link, destination, &news, out);
        }
        self.repeat_later(cx.now, destination, 0);
    }

    /// Sees to it that what was said of `destination` on a radio channel is said again, once. Elsewhere what is fast repeats over
    /// links, and the rest loses little.
    fn say_again_later(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        destination: DestinationHash,
        len: usize,
    ) {
        let known = self.known.get(&destination);
        let hops = known.map_or(0, |known| known.neighbour.hops.get());
        let brought_by = known.map(|known| known.brought_by);
        // Also this node's own waits for room then: most who are there heard it, and cost records tell the others that it exists.
        let purpose = Purpose::of_what_came(came_by(known), iface);
        let capacity = self.speech.capacity;
        let Some(channel) = self.speech.channels.get_mut(&iface) else { return };
        let room = channel.waiting.len() < capacity && !channel.waiting.contains_key(&destination);
        if channel.profile.reach != Reach::Shared || !room {
            return;
        }
        let wait = AGAIN.max(channel.profile.airtime(len).times(AGAIN_FRAMES));
        let at = now.after(wait);
        channel.waiting.insert(destination, Waiting { at, hops, saying: Saying::Again, purpose, brought_by });
        let at = at.max(self.speech.budgets.free_at(iface, purpose, now));
        let timer = Timer::Speak(iface);
        if self.deadlines.get(timer).is_none_or(|set| at < set) {
            self.deadlines.set(timer, at);
        }
    }

    /// Whether there are so many neighbours on a channel that one of them more or less hardly counts.
    pub(super) fn is_dense(&self, iface: InterfaceId) -> bool {
        self.links.iter().filter(|(_, other)| other.iface == iface).count() >= DENSE
    }

    /// Who lacks `news` on a channel, and how often it was said there.
    fn audience(&self, iface: InterfaceId, destination: DestinationHash, news: &News) -> Audience {
        let (mut hearers, mut others, mut said, mut neighbours) = (Vec::new(), Vec::new(), 0_usize, 0_usize);
        for (link, other) in self.links.iter().filter(|(_, other)| other.iface == iface) {
            neighbours = neighbours.saturating_add(1);
            if news.via.is_some_and(|via| self.links.leads_to_same(via, link)) {
                // It came from there.
            } else if self.speech.has(&destination, news.emitted_at, link) {
                said = said.saturating_add(1);
            } else if other.hears_since.is_some() {
                hearers.push(link);
            } else {
                others.push(link);
            }
        }
        // One's own is said in any case, and so is what few could say in this node's place.
        let copies = if news.via.is_some() && neighbours >= DENSE { said } else { 0 };
        Audience { hearers, others, said, copies }
    }

    /// What there is to say of `destination`, if anything is to be said.
    fn news_of(&mut self, cx: Cx, destination: DestinationHash) -> Option<News> {
        if destination == self.own.destination() {
            let own = self.own.current()?;
            let (emitted_at, packet) = (own.emitted_at, own.bytes.clone());
            return Some(News { emitted_at, cost: CompactPathCost::ORIGIN, via: None, packet });
        }
        let emitted_at = self.known.get(&destination)?.emitted_at;
        let via = Some(self.offered_over(&destination)?);
        let packet =
            self.cache.take_up(&destination).filter(|_| cx.config.relaying == Relaying::On)?.to_vec();
        let cost = self.quote_announced(cx.now, &destination)?.cost;
        Some(News { emitted_at, cost, via, packet })
    }

    fn broadcast(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        about: DestinationHash,
        news: &News,
        out: &mut impl Sink<Effect>,
    ) {
        let message = message_of(news.cost, &news.packet);
        self.speech.spend(iface, now, message.len());
        let spoken = Spoken { emitted_at: news.emitted_at, at: now };
        // What was said longest ago makes room: it may be said once more than it need be.
        let _displaced: Inserted<_, _> = self.speech.spoken.insert((iface, about), spoken);
        out.push(Effect::Broadcast { iface, about, message });
        self.owe_generation(now, Outlet::Hearers(iface), &about);
        self.remind_later(now, Outlet::Hearers(iface), &about, Telling::FIRST);
    }

    fn tell_on_channel(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        link: LinkId,
        about: DestinationHash,
        news: &News,
        out: &mut impl Sink<Effect>,
    ) {
        let len = news.packet.len().saturating_add(TELL_OVERHEAD);
        self.speech.budgets.spend(iface, now, len, Carrier::OwnLink);
        if news.via.is_none()
            && let Some(other) = self.links.get_mut(link)
        {
            other.own_told = news.emitted_at;
        }
        out.push(tell(link, about, news.cost, &news.packet));
        self.owe_generation(now, Outlet::Link(link), &about);
        self.remind_later(now, Outlet::Link(link), &about, Telling::FIRST);
    }

    /// The neighbour behind `link`, which came up of late, is told of `destination`, if it lacks it: by a broadcast if others
    /// came up with it and wait for the same.
    pub(super) fn introduce(
        &mut self,
        cx: Cx,
        link: LinkId,
        destination: DestinationHash,
        out: &mut impl Sink<Effect>,
    ) -> Introduced {
        let Some(other) = self.links.get(link) else { return Introduced::NoNeed };
        let (iface, since, own_told) = (other.iface, other.hears_since, other.own_told);
        let Some(news) = self.news_of(cx, destination) else { return Introduced::NoNeed };
        let spoken = |since| self.speech.was_spoken(iface, destination, news.emitted_at, since);
        let has_own = news.via.is_none() && own_told == news.emitted_at;
        if has_own || since.is_some_and(spoken) {
            return Introduced::NoNeed;
        }
        if self.speech.has(&destination, news.emitted_at, link) {
            // It has it from others: what it does not have is the way over this link, to this node itself above all.
            if news.via.is_none() {
                self.owe_one(cx.now, Some(link), &destination);
            } else {
                self.remind_later(cx.now, Outlet::Link(link), &destination, Telling::FIRST);
            }
            return Introduced::NoNeed;
        }
        let place = self.known.place_of(&destination);
        let waits = |(id, other): &(LinkId, &super::Neighbouring)| {
            let is_told = match place {
                Some(place) => other.told.is_some_and(|told| told <= place),
                None => other.own_told == news.emitted_at || other.told.is_some(),
            };
            other.iface == iface
                && other.hears_since.is_some()
                && !is_told
                && self.deadlines.get(Timer::Tell(*id)).is_some()
                && !news.via.is_some_and(|via| self.links.leads_to_same(via, *id))
        };
        let others = self.links.iter().filter(|other| other.0 != link).filter(waits).count();
        if since.is_some() && others.saturating_add(1) >= WORTH_A_BROADCAST {
            self.broadcast(cx.now, iface, destination, &news, out);
        } else {
            self.tell_on_channel(cx.now, iface, link, destination, &news, out);
        }
        self.say_again_later(cx.now, iface, destination, news.packet.len());
        Introduced::Told(news.packet.len())
    }

    /// A neighbour hears broadcasts from here on, or does not any more.
    pub(super) fn hearing(&mut self, cx: Cx, link: LinkId, hearing: super::Hearing) {
        let Some(other) = self.links.get_mut(link) else { return };
        other.hears_since = match hearing {
            super::Hearing::Broadcasts => Some(cx.now),
            super::Hearing::LinkOnly => None,
        };
        let is_waiting = other.told.is_none() && self.deadlines.get(Timer::Tell(link)).is_some();
        if hearing == super::Hearing::Broadcasts && is_waiting {
            // Those who came at the same time are told together.
            let Some(channel) = self.speech.channels.get(&other.iface) else { return };
            if channel.profile.reach == Reach::Shared {
                let together = channel.spread(usize::from(channel.profile.frame_size), 1);
                self.deadlines.set(Timer::Tell(link), cx.now.after(together));
            }
        }
    }
}

/// What a broadcast needs beside headroom, message and packet: a length, a signature, a tag.
const BROADCAST_OVERHEAD: usize = 2 + 65 + 16;
/// What a sealed message needs beside header and kind.
const TAG: usize = 16;
/// What a sealed ANNOUNCE needs beside the packet: header, kind, cost, tag.
pub(super) const TELL_OVERHEAD: usize = 7 + 1 + 8 + 16;
