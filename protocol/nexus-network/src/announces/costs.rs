//! COST records: what paths cost, told and heard between announces. Source: spec/network.md#cost-records.

mod hearing;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Instant, Relaying, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::cost::{CostFlags, CostList, CostRecord, Segments, Standing};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::{Body, MessageWriter};
use nexus_wire::nexus::path_cost::{CompactPathCost, Generation};
use nexus_wire::reticulum::RandomHash;

use super::budget::Purpose;
use super::{Announces, Effect, SearchMotive, Timer, count};
use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::routes::RoutingEntry;

pub(super) use hearing::{PENDING, Pending};

/// Records in one message: with a broadcast's signature it fits the frame of every medium.
const TOGETHER: usize = 10;
/// What is owed waits for so long at most, so that what changes at the same time is told together.
const GATHER: Duration = Duration::from_millis(5);

/// Whom something is said to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outlet {
    /// The peer of a link.
    Link(LinkId),
    /// All who hear broadcasts on an interface.
    Hearers(InterfaceId),
}

/// What is to be told, by outlet: of which destinations.
#[derive(Debug)]
pub(super) struct Owed {
    by_outlet: BTreeMap<Outlet, BTreeMap<DestinationHash, Telling>>,
    /// What is to be said again later.
    reminders: BTreeMap<Outlet, BTreeMap<DestinationHash, Telling>>,
    /// Of how many destinations an outlet may be owed.
    capacity: usize,
    outlets: usize,
}

/// How often what is owed was said before: where nothing is repeated it is said again later, a few times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Telling(pub(super) u8);

impl Telling {
    pub(super) const FIRST: Self = Self(0);

    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Owed {
    pub(super) const fn new(capacity: usize, outlets: usize) -> Self {
        Self { by_outlet: BTreeMap::new(), reminders: BTreeMap::new(), capacity, outlets }
    }

    /// False if there is no room for it: the next announce tells.
    fn owe(&mut self, outlet: Outlet, destination: DestinationHash, telling: Telling) -> bool {
        let owed = self.by_outlet.entry(outlet).or_default();
        let room = owed.len() < self.capacity || owed.contains_key(&destination);
        if room {
            owed.entry(destination).and_modify(|owed| *owed = telling.min(*owed)).or_insert(telling);
        }
        room
    }

    /// Sees to it that what was said is said again. False if there is no room for it.
    pub(super) fn remind(&mut self, outlet: Outlet, destination: DestinationHash, telling: Telling) -> bool {
        let reminders = self.reminders.entry(outlet).or_default();
        let room = reminders.len() < self.capacity || reminders.contains_key(&destination);
        if room {
            reminders.insert(destination, telling);
        }
        room
    }

    pub(super) fn take_reminders(&mut self, outlet: Outlet) -> BTreeMap<DestinationHash, Telling> {
        self.reminders.remove(&outlet).unwrap_or_default()
    }

    fn take(&mut self, outlet: Outlet) -> Option<(DestinationHash, Telling)> {
        let owed = self.by_outlet.get_mut(&outlet)?;
        let first = owed.pop_first();
        if owed.is_empty() {
            self.by_outlet.remove(&outlet);
        }
        first
    }

    pub(super) fn forget(&mut self, outlet: Outlet) {
        self.by_outlet.remove(&outlet);
        self.reminders.remove(&outlet);
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of ordered sets may be half empty.
        const PER_DESTINATION: usize = 4 * (size_of::<DestinationHash>() + 9);
        const PER_OUTLET: usize = 1_024 + 8 * size_of::<(Outlet, Timer, Instant)>();
        let per_outlet = self.capacity.saturating_mul(PER_DESTINATION).saturating_add(PER_OUTLET);
        self.outlets.saturating_mul(per_outlet)
    }
}

impl Announces {
    /// Everybody but whoever is on the way is to be told what `destination` costs, or that there is no way any more.
    pub(super) fn owe_everybody(&mut self, now: Instant, destination: &DestinationHash) {
        let outlets: BTreeSet<Outlet> = self
            .links
            .iter()
            .map(|(link, other)| {
                if self.speech.is_on(other.iface) { Outlet::Hearers(other.iface) } else { Outlet::Link(link) }
            })
            .collect();
        for outlet in outlets {
            self.owe(now, outlet, destination);
        }
    }

    /// The peer of `link` is to be told, if that is up.
    pub(super) fn owe_one(&mut self, now: Instant, link: Option<LinkId>, destination: &DestinationHash) {
        if let Some(link) = link.filter(|link| self.links.get(*link).is_some()) {
            self.owe(now, Outlet::Link(link), destination);
        }
    }

    fn owe(&mut self, now: Instant, outlet: Outlet, destination: &DestinationHash) {
        self.owe_as(now, outlet, destination, Telling::FIRST);
    }

    /// The same for what was said so often before.
    pub(super) fn owe_as(
        &mut self,
        now: Instant,
        outlet: Outlet,
        destination: &DestinationHash,
        telling: Telling,
    ) {
        if !self.owed.owe(outlet, *destination, telling) {
            return count(&mut self.refusals.crowded);
        }
        self.repeat_unless_set(now, *destination);
        let timer = Timer::Costs(outlet);
        if self.deadlines.get(timer).is_none() {
            let wait = Duration::from_micros(self.random.below(GATHER.as_micros()).saturating_add(1));
            self.deadlines.set(timer, now.after(wait));
        }
    }

    /// An announce was said to whoever is behind `outlet`: of its first costs. If others were said since, those follow.
    pub(super) fn owe_generation(&mut self, now: Instant, outlet: Outlet, destination: &DestinationHash) {
        let generation = if *destination == self.own.destination() {
            self.own.generation()
        } else {
            let told = self.known.get(destination).and_then(|known| known.told);
            told.map_or(Generation::FIRST, |told| told.generation)
        };
        if generation > Generation::FIRST {
            self.owe(now, outlet, destination);
        }
    }

    /// Tells as much of what is owed as goes into one message, and sees to the rest.
    pub(super) fn tell_costs(&mut self, cx: Cx, outlet: Outlet, out: &mut impl Sink<Effect>) {
        let (iface, link) = match outlet {
            Outlet::Link(link) => match self.links.get(link) {
                Some(other) => (other.iface, Some(link)),
                None => return self.owed.forget(outlet),
            },
            Outlet::Hearers(iface) => (iface, None),
        };
        if let Some(busy_until) = self.speech.budgets.busy_until(iface, Purpose::Cost, cx.now) {
            return self.deadlines.set(Timer::Costs(outlet), busy_until);
        }
        let mut records = Vec::new();
        while records.len() < TOGETHER
            && let Some((destination, telling)) = self.owed.take(outlet)
        {
            let Some(record) = self.record_of(cx, &destination, link) else { continue };
            self.unhear(outlet, &record);
            records.push(record);
            self.remind_later(cx.now, outlet, &destination, telling);
        }
        let mut next_in = Duration::from_micros(1);
        if !records.is_empty() {
            let message = list_of(&records);
            next_in = link
                .and_then(|link| self.links.get(link))
                .map_or(next_in, |other| other.telling_interval(message.len()));
            self.say(cx, outlet, iface, &message, out);
        }
        if self.owed.by_outlet.contains_key(&outlet) {
            self.deadlines.set(Timer::Costs(outlet), cx.now.after(next_in));
        }
    }

    /// To all hearers by one broadcast, if there are several, and to the others over their links.
    fn say(
        &mut self,
        cx: Cx,
        outlet: Outlet,
        iface: InterfaceId,
        message: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let there = || self.links.iter().filter(|(_, other)| other.iface == iface);
        let (hearers, others): (Vec<_>, Vec<_>) = match outlet {
            Outlet::Link(link) => (Vec::new(), vec![link]),
            Outlet::Hearers(_) => {
                let (hearers, others) =
                    there().partition::<Vec<_>, _>(|(_, other)| other.hears_since.is_some());
                let links = |all: Vec<(LinkId, _)>| all.into_iter().map(|(link, _)| link).collect();
                (links(hearers), links(others))
            }
        };
        let mut told = others;
        if hearers.len() > 1 {
            self.speech.spend(iface, cx.now, message.len());
            out.push(Effect::Say { to: Outlet::Hearers(iface), message: message.to_vec() });
        } else {
            told.extend(hearers);
        }
        for link in told {
            self.speech.spend_on_link(iface, cx.now, message.len());
            out.push(Effect::Say { to: Outlet::Link(link), message: message.to_vec() });
        }
    }

    /// What is to be said of `destination`, to the peer of `link` or to all.
    fn record_of(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        link: Option<LinkId>,
    ) -> Option<CostRecord> {
        if *destination == self.own.destination() {
            let random_hash = self.own.current()?.random_hash;
            let flags = flags(Standing::Offered, self.own.generation());
            return Some(record(*destination, random_hash, CompactPathCost::ORIGIN, flags));
        }
        if cx.config.relaying == Relaying::Off {
            return None;
        }
        // What was never announced is not quoted: nobody knows the emission.
        let before = self.known.get(destination)?.told?;
        let over = self.offered_over(destination);
        if let (Some(over), Some(link)) = (over, link)
            && self.links.leads_to_same(over, link)
        {
            return None;
        }
        let offered_hash = self.routes.offer(destination).map(RoutingEntry::random_hash);
        let told = match offered_hash {
            None => before,
            Some(random_hash) if random_hash == before.random_hash => self.quote(cx.now, destination)?,
            // Of the newer emission they hear with its announce.
            Some(_) => return None,
        };
        let flags = flags(told.standing, told.generation);
        Some(record(*destination, told.random_hash, told.cost, flags))
    }

    /// What was said last of `destination`, if anything was.
    pub(super) fn words(&self, destination: &DestinationHash) -> Option<CostRecord> {
        if *destination == self.own.destination() {
            let random_hash = self.own.current()?.random_hash;
            let flags = flags(Standing::Offered, self.own.generation());
            return Some(record(*destination, random_hash, CompactPathCost::ORIGIN, flags));
        }
        let told = self.known.get(destination)?.told?;
        Some(record(*destination, told.random_hash, told.cost, flags(told.standing, told.generation)))
    }

    /// The peer of `link` is told of the way to `destination` from here, if there is one that does not lead through itself.
    pub(super) fn owe_if_alive(&mut self, cx: Cx, link: Option<LinkId>, destination: &DestinationHash) {
        if self.routes.offer(destination).is_some() {
            self.owe_one(cx.now, link, destination);
        }
    }

    /// A packet came for `destination` from the peer of `link`, and there is no way: it was told so in vain, or not at all. One that
    /// was forgotten here for want of room, or to which nothing leads any more, is looked for: whoever sends believes that this is the way.
    pub fn unreachable(
        &mut self,
        cx: Cx,
        link: LinkId,
        destination: DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        self.tell_if_withdrawn(cx.now, Some(link), &destination);
        // Where a way is known that may not be used, the destination is asked for another generation instead.
        let is_forgotten = self.routes.paths(&destination).next().is_none();
        if is_forgotten && self.takes_request(cx.now, link) {
            self.find(cx, destination, SearchMotive::Packet, out);
        }
    }

    pub(super) fn tell_if_withdrawn(
        &mut self,
        now: Instant,
        link: Option<LinkId>,
        destination: &DestinationHash,
    ) {
        let told = self.known.get(destination).and_then(|known| known.told);
        if told.is_some_and(|told| told.standing == Standing::Withdrawn) {
            self.owe_one(now, link, destination);
        }
    }
}

/// What stands beside an announce, as a record.
pub(super) const fn record_beside(
    destination: DestinationHash,
    random_hash: RandomHash,
    cost: CompactPathCost,
) -> CostRecord {
    record(destination, random_hash, cost, flags(Standing::Offered, Generation::FIRST))
}

pub(super) const fn flags(standing: Standing, generation: Generation) -> CostFlags {
    CostFlags { standing, segments: Segments::Nexus, generation }
}

pub(super) const fn record(
    destination: DestinationHash,
    random_hash: RandomHash,
    cost: CompactPathCost,
    flags: CostFlags,
) -> CostRecord {
    CostRecord { destination, random_hash: *random_hash.as_bytes(), cost, flags }
}

/// The records as one COST. Source: spec/wire.md#cost-record.
pub(super) fn list_of(records: &[CostRecord]) -> Vec<u8> {
    let mut bytes = vec![0; records.len().saturating_mul(CostRecord::LEN)];
    for (record, bytes) in records.iter().zip(bytes.chunks_exact_mut(CostRecord::LEN)) {
        record.encode(bytes).expect("the buffer has a record's length");
    }
    message_of(&CostList::decode(&bytes).expect("it was written as one"))
}

/// One message without a length, behind room for the frame's header.
pub(super) fn message_of<'b>(body: &impl Body<'b>) -> Vec<u8> {
    let len = HEADER_LEN.saturating_add(1).saturating_add(body.encoded_len());
    let mut message = vec![0; len];
    let room = message.get_mut(HEADER_LEN..).unwrap_or_default();
    MessageWriter::new(room).put_last(body).expect("the buffer has the message's own length");
    message
}
