//! Interfaces and links that come and go.

use alloc::vec::Vec;

use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::path_cost::CompactPathCost;

use super::clear::Medium;
use super::costs::Outlet;
use super::neighbours::Neighbouring;
use super::passing::tell;
use super::speaking::HEARING_WAIT;
use super::{Announces, Effect, Motive, Timer, count};
use crate::interface::{InterfaceId, Mode, Profile, Role};
use crate::links::LinkId;

impl Announces {
    pub(super) fn up(&mut self, cx: Cx, iface: InterfaceId, profile: &Profile, out: &mut impl Sink<Effect>) {
        self.speech.up(iface, cx.now, profile);
        match profile.mode {
            Mode::Nexus => {
                self.interfaces.remove(&iface);
            }
            Mode::Reticulum => {
                self.routes.set_gravity(iface, profile.gravity);
                self.interfaces.insert(iface, Medium::new(profile, cx.now));
                match self.own.current().map(|emission| emission.bytes.clone()) {
                    // Whoever is there has not heard it: the same emission, not another.
                    Some(bytes) => self.announce_on(cx.now, iface, bytes, out),
                    None => self.emit(cx, Motive::Asked, out),
                }
                self.restore_paths(cx, iface, out);
            }
        }
    }

    pub(super) fn link_up(
        &mut self,
        cx: Cx,
        link: LinkId,
        mut neighbouring: Neighbouring,
        out: &mut impl Sink<Effect>,
    ) {
        let iface = neighbouring.iface;
        neighbouring.carrier = self.carrier(iface);
        let is_shared = self.speech.is_shared(iface);
        if !self.links.up(link, neighbouring) {
            return count(&mut self.refusals.links);
        }
        self.share_out(iface);
        match self.own.current() {
            // Once it hears broadcasts it is told with all others who came.
            Some(_) if is_shared => {}
            Some(emission) => {
                out.push(tell(link, self.own.destination(), CompactPathCost::ORIGIN, &emission.bytes));
                let (own, len) = (self.own.destination(), emission.bytes.len());
                self.spend_on(cx.now, link, len);
                self.repeat_later(cx.now, own, 0);
                self.owe_generation(cx.now, Outlet::Link(link), &own);
            }
            None => self.emit(cx, Motive::Asked, out),
        }
        // A refresh that was set when nobody was linked is too late for those who are.
        if let Some(at) = self.deadlines.get(Timer::Refresh) {
            let at = at.min(self.next_refresh(cx));
            self.deadlines.set(Timer::Refresh, at);
        }
        if is_shared {
            self.deadlines.set(Timer::Tell(link), cx.now.after(HEARING_WAIT));
        } else {
            // Before anybody hears of the peer and writes to it: it has to know them to believe them.
            self.deadlines.set(Timer::Tell(link), cx.now.after(Duration::from_micros(1)));
        }
    }

    /// What a shared channel carries of announces is divided among those who are there.
    pub(super) fn share_out(&mut self, iface: InterfaceId) {
        let others = self.links.iter().filter(|(_, other)| other.iface == iface).count();
        self.speech.budgets.share_out(iface, others.saturating_add(1));
    }

    pub(super) fn link_down(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let iface = self.links.get(link).map(|other| other.iface);
        self.lose_link(cx, link, out);
        if let Some(iface) = iface {
            self.share_out(iface);
        }
        self.deadlines.cancel(Timer::Tell(link));
        self.deadlines.cancel(Timer::Costs(Outlet::Link(link)));
        self.deadlines.cancel(Timer::Remind(Outlet::Link(link)));
        self.deadlines.cancel(Timer::Acknowledge(link));
        self.deadlines.cancel(Timer::Miss(link));
        self.acknowledging.forget(link);
        self.owed.forget(Outlet::Link(link));
    }

    /// Says this node's own announce on an interface in clear: whoever is behind an access point asks for it.
    pub(super) fn announce_on(
        &mut self,
        now: Instant,
        iface: InterfaceId,
        bytes: Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(medium) = self.interfaces.get(&iface) else { return };
        if medium.profile.role != Role::AccessPoint {
            self.say_in_clear(now, iface, self.own.destination(), bytes, out);
        }
    }

    /// An interface went down.
    pub(super) fn down(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        self.keep_paths_of_tunnels(cx.now, iface);
        self.interfaces.remove(&iface);
        self.clear.is_no_crossing(iface);
        self.routes.set_gravity(iface, 0);
        self.speech.down(iface);
        self.deadlines.cancel(Timer::Speak(iface));
        self.deadlines.cancel(Timer::SpeakInClear(iface));
        self.deadlines.cancel(Timer::Release(iface));
        self.lose_interface(cx, iface, out);
    }

    pub(super) fn carries(&mut self, iface: InterfaceId, bps: u64) {
        self.speech.budgets.carries(iface, bps);
        if let Some(medium) = self.interfaces.get_mut(&iface) {
            medium.carries(bps);
        }
    }
}
