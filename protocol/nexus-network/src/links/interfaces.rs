//! Interfaces that come and go, and whom the policy does not want: what begins and ends with them.

use alloc::vec::Vec;

use nexus_machine::{Cx, Sink};

use crate::interface::{InterfaceId, Mode, Profile};

use super::airtime::Airtime;
use super::answering;
use super::beacons;
use super::{Effect, Interface, LinkId, Links, Timer};

use super::carried::Carrier;
use super::cookies::Cookies;
use super::pace::Pace;
use super::policy::Policy;
use super::sessions::Place;
use super::status::Down;
use super::strangers::Strangers;
use super::waiting::Waiting;

impl Links {
    pub(super) fn up(&mut self, cx: Cx, iface: InterfaceId, profile: Profile, out: &mut impl Sink<Effect>) {
        self.down(cx, iface, out);
        if profile.mode == Mode::Nexus && self.add_interface(cx, iface, profile, Carrier::Anybody) {
            self.begin_on(cx, iface);
        }
    }

    /// Has an interface, if there is room for it.
    pub(super) fn add_interface(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        profile: Profile,
        carrier: Carrier,
    ) -> bool {
        if self.interfaces.len() >= self.limits.interfaces {
            return false;
        }
        let tag = beacons::fresh_tag(&mut self.random);
        let airtime = Airtime::of(&profile);
        let pace = match carrier {
            Carrier::Anybody => Pace::of(&profile, &airtime),
            Carrier::ReticulumLink => Pace::of(&profile, &airtime).of_carrier(),
        };
        let interface = Interface {
            profile,
            carrier,
            pace,
            surge: 0,
            tag,
            former: None,
            strangers: Strangers::new(beacons::interval(&profile, &airtime), airtime.answer_spacing()),
            waiting: Waiting::new(pace.patience()),
            airtime,
            answers: answering::bucket(&profile),
            proved: answering::proved_bucket(),
            invitations: beacons::invitations(),
            greetings: beacons::greetings(),
            cookies: Cookies::new(cx.now, &mut self.random),
            beacons_sent: 0,
        };
        #[cfg(test)]
        let interface = Interface {
            pace: Pace {
                rekey_after: self.rekey_after.unwrap_or(interface.pace.rekey_after),
                ..interface.pace
            },
            ..interface
        };
        self.interfaces.insert(iface, interface);
        true
    }

    pub(super) fn down(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        if self.interfaces.remove(&iface).is_none() {
            return;
        }
        for timer in [Timer::Beacon(iface), Timer::Meeting(iface), Timer::Waiting(iface)] {
            self.deadlines.cancel(timer);
        }
        self.forget_dials(iface);
        let links: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.iface == iface).map(|(key, _)| LinkId(key)).collect();
        for link in links {
            self.end(cx, link, Down::Interface, out);
        }
        self.forget_handshakes(cx, |(on, _)| on == iface);
    }

    pub(super) fn forget_handshakes(&mut self, cx: Cx, which: impl Fn(Place) -> bool) {
        let opening: Vec<Place> = self.opening.keys().copied().filter(|place| which(*place)).collect();
        for place in opening {
            self.forget_opening(cx, place);
        }
        let answering: Vec<Place> = self.answering.keys().copied().filter(|place| which(*place)).collect();
        for place in answering {
            self.forget_answering(cx, place);
        }
    }

    pub(super) fn set_policy(&mut self, cx: Cx, policy: Policy, out: &mut impl Sink<Effect>) {
        self.policy = policy;
        let unwanted: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| !self.policy.allows(&link.peer.node_id()))
            .map(|(key, _)| LinkId(key))
            .collect();
        for link in unwanted {
            self.end(cx, link, Down::Policy, out);
        }
        self.forget_unwanted(cx);
    }
}
