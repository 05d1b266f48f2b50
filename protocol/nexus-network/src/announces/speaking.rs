//! Speaking on a medium where one frame is heard by many: what is said there of a destination is said once.
//!
//! What is to be said waits for its moment and for the airtime that announces may take. When its turn comes, those who are
//! known to have it are left out; if several others hear broadcasts they are told by one, the rest each over its link.
//! Source: spec/network.md#announces.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Inserted, Instant, Relaying, Sink};
use nexus_wire::nexus::path_cost::CompactPathCost;

use super::budget::Purpose;
use super::costs::{Outlet, Telling};
use super::known::{Known, Via};
use super::passing::{message_of, tell};
use super::speech::{Saying, Spoken, TELL_OVERHEAD, Waiting};
use super::{Announces, Effect, Timer, count};
use crate::interface::{InterfaceId, Reach};
use crate::links::LinkId;
use crate::overheard::Carrier;

/// Where a node has so many neighbours,
const DENSE: usize = 8;
/// and so many of them passed an announce on beside the one it came from, it is not passed on once more.
const ENOUGH: usize = 3;
/// A neighbour that came up is told of nothing before it hears broadcasts, but no longer than this.
pub(super) const HEARING_WAIT: Duration = Duration::from_secs(30);
/// Whoever comes to a channel waits for others who come: as long as so many of the longest frames take after the last of them,
const QUIET_FRAMES: u64 = 12;
/// and as long as so many take after the first.
const GATHERED_FRAMES: u64 = 100;
/// One broadcast serves few, or a frame over a link serves as well and is shorter.
const WORTH_A_BROADCAST: usize = 2;
/// On a radio channel a frame may collide and nobody says so: what was said is said again after so many times its airtime,
const AGAIN_FRAMES: u64 = 64;
/// but not sooner than this, if nobody was heard to pass it on.
const AGAIN: Duration = Duration::from_secs(5);
/// By which interface what is known of a destination came.
fn came_by(known: Option<&Known>) -> Option<InterfaceId> {
    known.map(|known| known.neighbour.via.iface())
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
            } else if !self.is_awaited(link, other) {
                others.push(link);
            }
        }
        // One's own is said in any case, and so is what few could say in this node's place.
        let copies = if news.via.is_some() && neighbours >= DENSE { said } else { 0 };
        Audience { hearers, others, said, copies }
    }

    /// Whether a neighbour came to a channel of late and hears broadcasts soon: then it is told all that was known before.
    fn is_awaited(&self, link: LinkId, other: &super::Neighbouring) -> bool {
        let waits = other.told.is_none() && self.deadlines.get(Timer::Tell(link)).is_some();
        waits && self.speech.is_shared(other.iface)
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
        let (iface, is_waiting) =
            (other.iface, other.told.is_none() && self.deadlines.get(Timer::Tell(link)).is_some());
        if hearing == super::Hearing::Broadcasts && is_waiting {
            self.gather(cx.now, iface);
        }
    }

    /// Who comes to a channel while others come is told together with them: once nobody came for a while, and not later than some time after
    /// the first of them.
    fn gather(&mut self, now: Instant, iface: InterfaceId) {
        let Some(channel) = self.speech.channels.get(&iface) else { return };
        if channel.profile.reach != Reach::Shared {
            return;
        }
        let longest = usize::from(channel.profile.frame_size);
        let quiet = channel.spread(longest, 1).max(channel.profile.airtime(longest).times(QUIET_FRAMES));
        let most = channel.profile.airtime(longest).times(GATHERED_FRAMES);
        let waiting = self.links.iter().filter(|(_, other)| other.iface == iface && other.told.is_none());
        let since = waiting.filter_map(|(link, other)| Some((link, other.hears_since?)));
        for (link, since) in since {
            if self.deadlines.get(Timer::Tell(link)).is_some() {
                self.deadlines.set(Timer::Tell(link), now.after(quiet).min(since.after(most)).max(now));
            }
        }
    }
}
