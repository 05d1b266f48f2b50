//! COST requests: only infeasible paths remain, and the destination is asked for another generation of its costs.
//! Source: spec/network.md#cost-requests.

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Inserted, Instant, Relaying, Sink};
use nexus_wire::nexus::cost::CostRequest;

use super::costs::{Outlet, message_of};
use super::neighbours::Neighbouring;
use super::own::Renewal;
use super::{Announces, Effect, Motive, Timer, count};
use crate::links::{LinkId, Trust};
use crate::routes::PathPolicy;

/// A destination is asked at most once in this time,
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// or in this where the question goes out on a radio or a link as slow as one.
pub(super) const SLOW_INTERVAL: Duration = Duration::from_secs(300);
/// Such a link, in bits per second.
pub(super) const SLOW_BPS: u64 = 100_000;
/// What was asked in vain is asked again after twice the time, up to the longer of these; so often is it doubled.
pub(super) const DOUBLINGS: u8 = 5;

/// A question that was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// Not asked again before.
    until: Instant,
    /// How often in vain.
    times: u8,
}

impl Announces {
    /// Asks the destination, if only that helps.
    pub(super) fn ask_if_needed(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        if self.wants_generation(destination) {
            self.ask(cx, destination, None, out);
        } else if let Some(asked) = self.asked.get_mut(destination) {
            asked.times = 0;
        }
    }

    /// It is time to ask again, if it still helps.
    pub(super) fn ask_again(&mut self, cx: Cx, destination: &DestinationHash, out: &mut impl Sink<Effect>) {
        if self.wants_generation(destination) {
            self.ask(cx, destination, None, out);
        } else {
            self.asked.remove(destination);
        }
    }

    /// Passes the question on along the path, the stale one if there is no other, but not back over `from`.
    fn ask(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        from: Option<LinkId>,
        out: &mut impl Sink<Effect>,
    ) {
        let asked = self.asked.get(destination).copied();
        if let Some(asked) = asked.filter(|asked| cx.now < asked.until) {
            if from.is_none() {
                self.deadlines.set(Timer::Ask(*destination), asked.until);
            }
            return;
        }
        let Some(link) = self.towards(destination, from) else { return };
        let times = asked.map_or(0, |asked| asked.times.saturating_add(1));
        let wait = self.asking_interval(link).times(1_u64.wrapping_shl(times.min(DOUBLINGS).into()));
        let until = cx.now.after(wait.min(SLOW_INTERVAL));
        match self.asked.insert(*destination, Asked { until, times }) {
            Inserted::Fresh | Inserted::Replaced(_) => {}
            // It is asked again when its paths change, or with its next emission.
            Inserted::Evicted(other, _) => self.deadlines.cancel(Timer::Ask(other)),
            Inserted::Refused(_) => return count(&mut self.refusals.crowded),
        }
        self.deadlines.set(Timer::Ask(*destination), until);
        let message = message_of(&CostRequest { destination: *destination });
        out.push(Effect::Say { to: Outlet::Link(link), message });
    }

    fn towards(&self, destination: &DestinationHash, from: Option<LinkId>) -> Option<LinkId> {
        let is_back = |link: &LinkId| from == Some(*link);
        let is_trusted =
            |link: &LinkId| self.links.get(*link).is_some_and(|other| other.trust != Trust::Doubted);
        let best = self.best(destination, PathPolicy::Cheapest, from).and_then(|best| best.next_hop().link());
        let stale = || {
            let infeasible = self.routes.cheapest_infeasible(destination)?;
            infeasible.next_hop().link().filter(|link| !is_back(link) && self.links.get(*link).is_some())
        };
        // Whoever may be gone is asked for want of anybody else.
        best.filter(is_trusted).or_else(|| stale().filter(is_trusted)).or(best).or_else(stale)
    }

    pub(super) fn asking_interval(&self, link: LinkId) -> Duration {
        let is_slow = self.links.get(link).is_some_and(Neighbouring::is_slow);
        if is_slow { SLOW_INTERVAL } else { INTERVAL }
    }

    /// A neighbour asks for another generation.
    pub(super) fn asked_by(
        &mut self,
        cx: Cx,
        link: LinkId,
        destination: &DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        if self.links.get(link).is_none() {
            return count(&mut self.refusals.closed);
        }
        if *destination == self.own.destination() {
            return self.renew(cx, link, out);
        }
        if cx.config.relaying == Relaying::Off {
            return;
        }
        // What is known here may be enough.
        self.owe_one(cx.now, Some(link), destination);
        self.ask(cx, destination, Some(link), out);
    }

    fn renew(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let own = self.own.destination();
        match self.own.renew(cx.now, self.asking_interval(link)) {
            Renewal::TooSoon => self.owe_one(cx.now, Some(link), &own),
            Renewal::Generation => {
                self.owe_everybody(cx.now, &own);
                self.repeat_later(cx.now, own, 0);
            }
            Renewal::Emission => self.emit(cx, Motive::Asked, out),
        }
    }
}
