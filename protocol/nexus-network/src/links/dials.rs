//! With whom to keep a link: those at the other end of cables, those whom the operator named, and those who beacon.

use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::frame::BeaconTag;

use super::beacons::eager_wait;
use super::opening::Aim;
use super::pace::jittered;
use super::refusals::Refused;
use super::status::Down;
use super::{Effect, LinkId, Links, Timer};
use crate::interface::{Endpoint, InterfaceId, Reach};

/// Where somebody is: at an address; on a radio channel, behind a tag; nowhere in particular on a cable.
pub(super) type Place = (InterfaceId, Option<Endpoint>, BeaconTag);

/// Somebody with whom to have a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    kind: Kind,
    target: BeaconTag,
    expected: Option<NodeId>,
    /// Handshakes in vain since the last link.
    failures: u32,
    /// How often this node held back for who began at the other end, since the last link.
    courtesies: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// At the other end of a cable, as long as the interface is up.
    Cable,
    /// Named by the operator.
    Named,
    /// Heard: tried once.
    Heard,
}

/// The longest wait from one handshake in vain to the next.
const WAIT_MAX: u64 = 60;
/// From a handshake that could not begin to the next try.
const NO_ROOM_WAIT: Duration = Duration::from_secs(5);
/// Both ends of a cable may begin; whoever is later sees the other's message first.
const CABLE_SPREAD: Duration = Duration::from_millis(300);
/// The first beacon comes within this time, on a medium where it takes none.
const FIRST_SPREAD: Duration = Duration::from_millis(500);
/// When two hear each other's beacons, the one with the lower tag begins, and the other only if nothing comes of it.
const COURTESY: Duration = Duration::from_secs(1);
/// A node at the end of a cable holds back so often for whoever begins at the other, and not more often: else first messages that
/// lead nowhere would keep it from beginning.
const COURTESIES: u8 = 3;

impl Links {
    /// An interface came up.
    pub(super) fn begin_on(&mut self, cx: Cx, iface: InterfaceId) {
        let Some(interface) = self.interfaces.get(&iface) else { return };
        match interface.profile.reach {
            Reach::PointToPoint => {
                let place = (iface, None, BeaconTag::ANYBODY);
                self.add_dial(cx, place, Kind::Cable, BeaconTag::ANYBODY, None);
            }
            Reach::Addressed | Reach::Shared => {
                // On a slow channel the first beacons of many who start at once take their time.
                let span =
                    FIRST_SPREAD.max(Duration::from_micros(eager_wait(&interface.profile).as_micros() / 2));
                let soon = Duration::from_micros(self.random.below(span.as_micros()).saturating_add(1));
                self.deadlines.set(Timer::Beacon(iface), cx.now.after(soon));
            }
        }
        self.redial_on(cx, iface);
    }

    /// Where somebody is who is met so.
    pub(super) fn place(&self, iface: InterfaceId, to: Option<Endpoint>, tag: BeaconTag) -> Place {
        let shared = |interface: &super::Interface| interface.profile.reach == Reach::Shared;
        let tag = if self.interfaces.get(&iface).is_some_and(shared) { tag } else { BeaconTag::ANYBODY };
        (iface, to, tag)
    }

    /// The operator names somebody.
    pub(super) fn dial(&mut self, cx: Cx, place: Place, expected: Option<NodeId>) {
        self.add_dial(cx, place, Kind::Named, BeaconTag::ANYBODY, expected);
    }

    /// Whoever is there is not to be kept any more.
    pub(super) fn undial(&mut self, place: Place) {
        self.deadlines.cancel(Timer::Dial(place));
        self.dials.remove(&place);
    }

    /// Somebody was heard there. `first`: it is on this node to begin.
    pub(super) fn invited(&mut self, cx: Cx, place: Place, tag: BeaconTag, first: bool) {
        if self.dials.contains_key(&place) || self.is_opening(place) {
            return;
        }
        let Some(interface) = self.interfaces.get_mut(&place.0) else { return };
        if !interface.invitations.take(cx.now) {
            return self.refusals.count(Refused::flooded);
        }
        if !first {
            self.show(cx, place.0);
        }
        self.add_dial(cx, place, Kind::Heard, tag, None);
        if !first {
            let late = cx.now.after(COURTESY).after(jittered(COURTESY, &mut self.random));
            self.deadlines.set(Timer::Dial(place), late);
        }
    }

    fn add_dial(&mut self, cx: Cx, place: Place, kind: Kind, target: BeaconTag, expected: Option<NodeId>) {
        if self.dials.len() >= self.limits.dials && !self.dials.contains_key(&place) {
            return self.refusals.count(Refused::crowded);
        }
        self.dials.insert(place, Dial { kind, target, expected, failures: 0, courtesies: 0 });
        self.soon(cx.now, place);
    }

    fn soon(&mut self, now: Instant, place: Place) {
        let spread = Duration::from_micros(self.random.below(CABLE_SPREAD.as_micros()).saturating_add(1));
        self.deadlines.set(Timer::Dial(place), now.after(spread));
    }

    /// Begins a handshake with whom there is no link.
    pub(super) fn redial(&mut self, cx: Cx, place: Place, out: &mut impl Sink<Effect>) {
        let Some(dial) = self.dials.get(&place).copied() else { return };
        if self.is_satisfied(place, &dial)
            || self.is_opening(place)
            || !self.interfaces.contains_key(&place.0)
        {
            return;
        }
        let aim = Aim { to: place.1, target: dial.target, expected: dial.expected, since: Instant::NEVER };
        if self.interfaces.get(&place.0).is_some_and(super::Interface::is_shared) {
            // Nobody on a shared channel answers to an address.
            return;
        }
        if self.is_full() || self.begin(cx, place.0, aim, out).is_err() {
            self.deadlines.set(Timer::Dial(place), cx.now.after(NO_ROOM_WAIT));
        }
    }

    fn is_satisfied(&self, place: Place, dial: &Dial) -> bool {
        let tagged = self.tags.get(&(place.0, place.2)).copied();
        let named = [dial.expected, tagged].into_iter().flatten();
        let by_name = named.into_iter().any(|peer| self.by_peer.contains_key(&(place.0, peer)));
        let there = self.by_endpoint.get(&place).and_then(|id| self.links.get(id.0));
        by_name || there.is_some_and(|link| dial.expected.is_none_or(|peer| peer == link.peer.node_id()))
    }

    /// Nobody answered there.
    pub(super) fn opening_failed(&mut self, cx: Cx, place: Place) {
        let Some(dial) = self.dials.get_mut(&place) else { return self.missed(cx, place.0, place.2) };
        if dial.kind == Kind::Heard {
            return self.undial(place);
        }
        dial.failures = dial.failures.saturating_add(1);
        let wait = 1_u64.checked_shl(dial.failures).unwrap_or(WAIT_MAX).min(WAIT_MAX);
        let wait = jittered(Duration::from_secs(wait), &mut self.random);
        self.deadlines.set(Timer::Dial(place), cx.now.after(wait));
    }

    /// There is a link with whoever is there.
    pub(super) fn linked(&mut self, place: Place) {
        self.deadlines.cancel(Timer::Dial(place));
        if let Some(interface) = self.interfaces.get_mut(&place.0) {
            interface.strangers.forget(place.2);
        }
        match self.dials.get_mut(&place) {
            Some(dial) if dial.kind == Kind::Heard => self.undial(place),
            Some(dial) => (dial.failures, dial.courtesies) = (0, 0),
            None => {}
        }
    }

    /// Somebody at the other end of a cable begins: this node need not.
    pub(super) fn called(&mut self, cx: Cx, iface: InterfaceId) {
        let place = (iface, None, BeaconTag::ANYBODY);
        if self.is_opening(place) {
            return;
        }
        let Some(dial) = self.dials.get_mut(&place) else { return };
        if dial.kind == Kind::Cable && dial.courtesies < COURTESIES {
            dial.courtesies = dial.courtesies.saturating_add(1);
            self.deadlines.set(Timer::Dial(place), cx.now.after(COURTESY));
        }
    }

    /// A link is no more.
    pub(super) fn unlinked(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        lived_at: Option<Place>,
        why: Down,
        out: &mut impl Sink<Effect>,
    ) {
        match why {
            Down::Replaced | Down::Interface => return,
            Down::Silent | Down::Policy | Down::KeyExpired | Down::ClocksParted | Down::Exhausted => {}
        }
        let addressed =
            self.interfaces.get(&iface).is_some_and(|interface| interface.profile.reach == Reach::Addressed);
        if why == Down::Silent
            && addressed
            && let Some(place) = lived_at.filter(|place| !self.dials.contains_key(place))
        {
            // It may have started anew, and wait for somebody to speak first.
            let aim = Aim { to: place.1, target: BeaconTag::ANYBODY, expected: None, since: Instant::NEVER };
            let _without_room_its_beacon_will_do = self.begin(cx, iface, aim, out);
        }
        self.redial_on(cx, iface);
    }

    /// A link is to be made anew by a whole handshake.
    pub(super) fn renew(&mut self, cx: Cx, id: LinkId, out: &mut impl Sink<Effect>) {
        let Some(link) = self.links.get(id.0) else { return };
        let (iface, to, peer) = (link.iface, link.endpoint, link.peer.node_id());
        let shared =
            self.interfaces.get(&iface).is_some_and(|interface| interface.profile.reach == Reach::Shared);
        let tag = if shared { self.tag_of(iface, peer) } else { Some(BeaconTag::ANYBODY) };
        if let Some(target) = tag
            && !self.is_opening(self.place(iface, to, target))
        {
            // One that cannot begin is tried again by the link, which wants it until it has it.
            let _tried_again =
                self.begin(cx, iface, Aim { to, target, expected: Some(peer), since: Instant::NEVER }, out);
        }
    }

    /// Begins with all on an interface with whom there is no link.
    fn redial_on(&mut self, cx: Cx, iface: InterfaceId) {
        let without: Vec<Place> = self
            .dials
            .iter()
            .filter(|(place, dial)| place.0 == iface && !self.is_satisfied(**place, dial))
            .map(|(place, _)| *place)
            .filter(|place| self.deadlines.get(Timer::Dial(*place)).is_none() && !self.is_opening(*place))
            .collect();
        for place in without {
            self.soon(cx.now, place);
        }
    }

    /// Begins with all, on every interface.
    pub(super) fn redial_all(&mut self, cx: Cx) {
        let interfaces: Vec<InterfaceId> = self.interfaces.keys().copied().collect();
        for iface in interfaces {
            self.redial_on(cx, iface);
        }
    }

    /// An interface went down. Whom the operator named on it is remembered.
    pub(super) fn forget_dials(&mut self, iface: InterfaceId) {
        let of: Vec<(Place, Kind)> = self
            .dials
            .iter()
            .filter(|(place, _)| place.0 == iface)
            .map(|(place, dial)| (*place, dial.kind))
            .collect();
        for (place, kind) in of {
            self.deadlines.cancel(Timer::Dial(place));
            if kind != Kind::Named {
                self.dials.remove(&place);
            }
        }
    }
}
