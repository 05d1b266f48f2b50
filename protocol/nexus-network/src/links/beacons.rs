//! Beacons: how nodes on a medium with many peers learn of each other. A beacon says a random tag and nothing else.

use alloc::vec;

use nexus_crypto::NodeId;
use nexus_machine::{Bucket, Cx, Duration, Sink, Stream};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{Beacon, BeaconTag};

use super::airtime::{Airtime, Purpose};
use super::link::Link;
use super::pace::jittered;
use super::refusals::Refused;
use super::{Effect, Links, Timer};
use crate::interface::{Endpoint, InterfaceId, Profile, Reach};
use crate::media::{Flow, Frame, Load};

/// The first beacons of an interface come soon after another: whoever is there should hear one.
const EAGER: u32 = 3;
const EAGER_WAIT: Duration = Duration::from_secs(2);
/// Somebody who seems to have come is shown a beacon within this time.
const SHOWN_WITHIN: Duration = Duration::from_millis(200);
/// Then they come at this interval where a byte is cheap,
const WAIT: Duration = Duration::from_secs(30);
/// and at this one on a radio channel, if its airtime allows.
const RADIO_WAIT: Duration = Duration::from_secs(300);
/// On a radio channel the first beacons are spread over the time that so many would take.
const EAGER_SPREAD: u64 = 64;

/// A tag that nobody can guess. Zero means nobody in particular.
pub(super) fn fresh_tag(random: &mut Stream) -> BeaconTag {
    BeaconTag(random.next_u32().max(1))
}

/// How often a beacon is answered with a first message: whoever forges beacons does not make this node a weapon.
pub(super) fn invitations() -> Bucket {
    Bucket::new(Duration::from_millis(200), 20)
}

/// From one beacon to the next, once the first have been sent.
pub(super) fn interval(profile: &Profile, airtime: &Airtime) -> Duration {
    match profile.reach {
        Reach::PointToPoint | Reach::Addressed => WAIT,
        Reach::Shared => RADIO_WAIT.max(airtime.beacon_spacing()),
    }
}

/// From one of the first beacons to the next.
pub(super) fn eager_wait(profile: &Profile) -> Duration {
    match profile.reach {
        Reach::PointToPoint | Reach::Addressed => EAGER_WAIT,
        Reach::Shared => EAGER_WAIT.max(profile.airtime(Beacon::LEN).times(EAGER_SPREAD)),
    }
}

/// How often a beacon is brought forward.
pub(super) fn greetings() -> Bucket {
    Bucket::new(Duration::from_secs(5), 2)
}

impl Links {
    /// Sends a beacon, and sees to it that there is another.
    pub(super) fn send_beacon(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let full = self.is_full();
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        if interface.profile.reach == Reach::PointToPoint {
            return;
        }
        if !interface.airtime.take(cx.now, Purpose::Beacon, Beacon::LEN) {
            let ready_at = interface.airtime.ready_at(Purpose::Beacon, Beacon::LEN);
            return self
                .deadlines
                .set(Timer::Beacon(iface), ready_at.max(cx.now.after(Duration::from_micros(1))));
        }
        interface.beacons_sent = interface.beacons_sent.saturating_add(1);
        let regular = interval(&interface.profile, &interface.airtime);
        let eager = eager_wait(&interface.profile).min(regular);
        let wait = if interface.beacons_sent <= EAGER { eager } else { regular };
        // Whoever has no room for another link is not to be tried.
        let flags = if full { 0 } else { Beacon::ACCEPTS_LINKS };
        let mut bytes = vec![0; Beacon::LEN];
        let beacon = Beacon { tag: interface.tag, flags };
        beacon.encode(&mut bytes).expect("the buffer has the beacon's own length");
        let next = jittered(wait, &mut self.random);
        self.deadlines.set(Timer::Beacon(iface), cx.now.after(next).after(Duration::from_micros(1)));
        out.push(Effect::Send(Frame {
            iface,
            to: None,
            bytes,
            about: None,
            load: Load::Links,
            flow: Flow::OWN,
            under: None,
        }));
    }

    /// Somebody is here.
    pub(super) fn beacon_heard(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        from: Option<Endpoint>,
        bytes: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        let Ok(beacon) = Beacon::decode(bytes) else { return self.refusals.count(Refused::malformed) };
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        let accepts = beacon.flags & Beacon::ACCEPTS_LINKS != 0;
        if beacon.tag == BeaconTag::ANYBODY || interface.is_called(cx.now, beacon.tag) {
            return;
        }
        if interface.is_shared() {
            return self.heard_on_channel(cx, iface, beacon.tag, accepts);
        }
        if !accepts {
            return;
        }
        if interface.profile.reach == Reach::PointToPoint {
            // Whoever is at the other end of a cable is known to be there.
            return;
        }
        let first = interface.tag < beacon.tag;
        let place = self.place(iface, from, beacon.tag);
        if let Some(peer) = self.tags.get(&(iface, beacon.tag))
            && let Some(link) = self.by_peer.get(&(iface, *peer))
        {
            return out.push(Effect::Beaconed(*link));
        }
        if let Some(id) = self.by_endpoint.get(&place).copied() {
            return self.doubt(cx, id, out);
        }
        self.invited(cx, place, beacon.tag, first);
    }

    /// A beacon with a tag that is not known from the address of a neighbour: it may have started anew, and if so its end of
    /// the link is gone.
    fn doubt(&mut self, cx: Cx, id: super::LinkId, out: &mut impl Sink<Effect>) {
        let Some(link) = self.links.get(id.0) else { return };
        let iface = link.iface;
        // Who is asked already is not asked from the beginning again: a beacon is easily made up.
        if !link.is_asking() && link.heard_at.after(Duration::from_secs(5)) < cx.now {
            self.at_desk(cx, id, out, Link::probe);
            self.schedule(id);
        }
        // Whoever started anew can begin as soon as it hears this node. How often that is done for nothing is bounded.
        self.show(cx, iface);
    }

    /// Brings the next beacon forward, so that somebody who seems to have come can begin.
    pub(super) fn show(&mut self, cx: Cx, iface: InterfaceId) {
        let Some(interface) = self.interfaces.get_mut(&iface) else { return };
        let span = match interface.profile.reach {
            Reach::PointToPoint | Reach::Addressed => SHOWN_WITHIN,
            // Everybody on the channel who is to be met first does the same.
            Reach::Shared => SHOWN_WITHIN.max(eager_wait(&interface.profile)),
        };
        let soon = cx.now.after(Duration::from_micros(self.random.below(span.as_micros()).saturating_add(1)));
        let sooner = self.deadlines.get(Timer::Beacon(iface)).is_none_or(|set| soon < set);
        if sooner && interface.greetings.take(cx.now) {
            self.deadlines.set(Timer::Beacon(iface), soon);
        }
    }

    /// Whoever beacons under this tag was found to be `peer`.
    pub(super) fn remember_tag(&mut self, iface: InterfaceId, tag: BeaconTag, peer: NodeId) {
        if tag != BeaconTag::ANYBODY {
            // The tag used longest ago makes room: its owner is asked again who it is.
            let _displaced = self.tags.insert((iface, tag), peer);
        }
    }
}
