//! COST requests: only infeasible paths remain, and the destination is asked for another generation of its costs.
//! Source: spec/network.md#cost-requests.

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Inserted, Instant, Relaying, Sink};
use nexus_wire::nexus::cost::CostRequest;

use super::budget::Purpose;
use super::costs::{Outlet, message_of};
use super::neighbours::Neighbouring;
use super::own::Renewal;
use super::{Announces, Effect, Motive, Timer, count};
use crate::links::{LinkId, Trust};
use crate::routes::PathPolicy;

/// A destination is asked at most once in this time,
pub(super) const INTERVAL: Duration = Duration::from_secs(10);
/// or in this where the question goes out on a radio or a link as slow as one: relays in a row, each with such an interval of its own, let a
/// question through in hours.
pub(super) const SLOW_INTERVAL: Duration = Duration::from_secs(300);
/// What was asked in vain is asked again after twice the time, up to the longer of these; so often is it doubled.
pub(super) const DOUBLINGS: u8 = 5;
/// Where there is no way at all it is doubled only so often on fast links: what was in vain while frames were lost is not when they are not.
const DOUBLINGS_LOST: u8 = 3;

/// Where nothing but an answer opens a way the question is said again after the first of these, and once more after the second: one that is
/// lost is packets lost. Whoever passes it on says it again only if whoever it went to has not said anything of the destination, as it does
/// when it gets it. Links as slow as a radio have acknowledgements for that, and no room.
pub(super) const SOON: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// A question that was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// When it was said last.
    at: Instant,
    /// Not said again before,
    until: Instant,
    /// and how often it was said since it was said for the first time, or after a whole interval.
    soon: u8,
    /// Such intervals in vain.
    times: u8,
    /// When another's question is passed on again, whatever this node waits for itself.
    passes_at: Instant,
    /// To whom it was said, as long as that one says nothing of the destination,
    unheard: Option<LinkId>,
    /// and by whom it was asked before, if it was passed on.
    from: Option<LinkId>,
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    /// There is no way without it.
    Lost,
    /// There is a cheaper one.
    Dear,
}

impl Asked {
    /// From when on another's question of the same kind is passed on: what is said again may come sooner behind another than it left.
    fn passes_from(&self) -> Instant {
        let half = Duration::from_micros(self.passes_at.since(self.at).as_micros() / 2);
        self.passes_at.before(half.min(Duration::from_secs(1)))
    }

    /// Whether it is to be passed on once more, since it may have been lost.
    fn may_be_lost(&self) -> bool {
        self.unheard.is_some() && usize::from(self.soon) < SOON.len()
    }
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
            self.ask(cx, destination, None, None, out);
        } else if let Some(asked) = self.asked.get_mut(destination) {
            (asked.soon, asked.times) = (0, 0);
        }
    }

    /// It is time to ask again, if it still helps.
    pub(super) fn ask_again(&mut self, cx: Cx, destination: &DestinationHash, out: &mut impl Sink<Effect>) {
        if self.wants_generation(destination) {
            return self.ask(cx, destination, None, None, out);
        }
        let Some(asked) = self.asked.get(destination).copied() else { return };
        if asked.may_be_lost() && cx.now >= asked.until {
            return self.ask(cx, destination, asked.from, asked.unheard, out);
        }
        let remembered = asked.unheard.or(asked.from).map_or(INTERVAL, |link| self.asking_interval(link));
        let until = asked.at.after(remembered);
        if cx.now < until {
            self.deadlines.set(Timer::Ask(*destination), until);
        } else {
            self.asked.remove(destination);
        }
    }

    /// The peer of `link` says something of `destination`: if it was asked, it got the question.
    pub(super) fn question_arrived(&mut self, link: LinkId, destination: &DestinationHash) {
        if let Some(asked) = self.asked.get_mut(destination).filter(|asked| asked.unheard == Some(link)) {
            asked.unheard = None;
        }
    }

    /// Passes the question on along the path, the stale one if there is no other, but not back over `from`; by way of `over` if nobody who is
    /// there is on a path.
    fn ask(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        from: Option<LinkId>,
        over: Option<LinkId>,
        out: &mut impl Sink<Effect>,
    ) {
        let asked = self.asked.get(destination).copied();
        if let Some(asked) = asked {
            if from.is_none() && cx.now < asked.until {
                return self.deadlines.set(Timer::Ask(*destination), asked.until);
            }
            if from.is_some() && cx.now < asked.passes_from() {
                return;
            }
        }
        let Some(link) = self.towards(destination, from, over) else { return };
        let Some(iface) = self.links.get(link).map(|other| other.iface) else { return };
        if let Some(busy_until) = self.speech.budgets.busy_until(iface, Purpose::Cost, cx.now) {
            let times = asked.map_or(0, |asked| asked.times);
            let (until, passes_at, unheard) = (busy_until, busy_until, Some(link));
            let asked = Asked { at: cx.now, until, soon: 0, times, passes_at, unheard, from };
            return self.ask_at(*destination, asked, busy_until);
        }
        // Whoever asks in its stead may have no way at all.
        let is_urgent = from.is_some() || self.routes.offer(destination).is_none();
        let urgency = if is_urgent { Urgency::Lost } else { Urgency::Dear };
        let asked = Asked { from, ..self.asked_once_more(cx.now, urgency, link, asked) };
        // Who only passes on for others remembers it for an interval, and does not ask by itself.
        let is_own = from.is_none() || self.wants_generation(destination);
        let interval = self.asking_interval(link);
        let look_at = if is_own { asked.until } else { asked.until.min(cx.now.after(interval)) };
        self.ask_at(*destination, asked, look_at);
        let message = message_of(&CostRequest { destination: *destination });
        self.speech.spend_on_link(iface, cx.now, message.len());
        out.push(Effect::Say { to: Outlet::Link(link), message });
    }

    /// Remembers a question, and looks at `at` whether it is to be said again.
    fn ask_at(&mut self, destination: DestinationHash, asked: Asked, at: Instant) {
        match self.asked.insert(destination, asked) {
            Inserted::Fresh | Inserted::Replaced(_) => {}
            // It is asked again when its paths change, or with its next emission.
            Inserted::Evicted(other, _) => self.deadlines.cancel(Timer::Ask(other)),
            Inserted::Refused(_) => return count(&mut self.refusals.crowded),
        }
        self.deadlines.set(Timer::Ask(destination), at);
    }

    fn asked_once_more(&self, now: Instant, urgency: Urgency, link: LinkId, before: Option<Asked>) -> Asked {
        let (unheard, from) = (Some(link), None);
        let interval = self.asking_interval(link);
        let (soon, times) = match before {
            None => (0, 0),
            Some(before) if usize::from(before.soon) < SOON.len() => {
                (before.soon.saturating_add(1), before.times)
            }
            Some(before) => (0, before.times.saturating_add(1)),
        };
        let is_lost = interval < SLOW_INTERVAL && urgency == Urgency::Lost;
        if let Some(wait) = SOON.get(usize::from(soon)).filter(|_| is_lost) {
            let until = now.after(*wait);
            return Asked { at: now, until, soon, times, passes_at: until, unheard, from };
        }
        let doublings = if is_lost { DOUBLINGS_LOST } else { DOUBLINGS };
        let wait = interval.times(1_u64.wrapping_shl(times.min(doublings).into())).min(SLOW_INTERVAL);
        let soon = u8::try_from(SOON.len()).unwrap_or(u8::MAX);
        let until = now.after(wait);
        // Whoever only wants a cheaper way keeps nobody waiting who has none.
        let passes_at = match urgency {
            Urgency::Lost => until,
            Urgency::Dear => until.min(now.after(interval)),
        };
        Asked { at: now, until, soon, times, passes_at, unheard, from }
    }

    fn towards(
        &self,
        destination: &DestinationHash,
        from: Option<LinkId>,
        over: Option<LinkId>,
    ) -> Option<LinkId> {
        let is_back = |link: &LinkId| from == Some(*link);
        let is_trusted =
            |link: &LinkId| self.links.get(*link).is_some_and(|other| other.trust != Trust::Doubted);
        let path = self.best(destination, PathPolicy::Cheapest, from);
        let best = path.and_then(|best| best.next_hop().link());
        // Who swallows packets swallows questions.
        let proven = best.filter(|_| path.is_some_and(|path| !path.is_distrusted()));
        let stale = || {
            let infeasible = self.routes.cheapest_infeasible(destination)?;
            infeasible.next_hop().link().filter(|link| !is_back(link) && self.links.get(*link).is_some())
        };
        // Whoever may be gone is asked for want of anybody else.
        let there = proven.filter(is_trusted).or_else(|| stale().filter(is_trusted));
        there.or_else(|| over.filter(is_trusted)).or(best).or_else(stale)
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
        self.ask(cx, destination, Some(link), None, out);
    }

    /// The peer of `link` answers with an emission that is older than what is known here: it has a way, and the destination says nothing
    /// there that could be used here before it is asked.
    pub(super) fn ask_by_way_of(
        &mut self,
        cx: Cx,
        link: LinkId,
        destination: &DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        if self.asked.get(destination).is_none_or(|asked| cx.now >= asked.until) {
            self.ask(cx, destination, None, Some(link), out);
        }
    }

    /// Whoever is not known to have this node's announce is told it: what it costs says nothing to them.
    fn tell_own_if_missing(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let own = self.own.destination();
        let is_told_again = self.links.get(link).is_some_and(Neighbouring::is_told_again);
        let emitted_at = self.own.current().map(|own| own.emitted_at);
        if is_told_again && emitted_at.is_some_and(|emitted_at| !self.speech.has(&own, emitted_at, link)) {
            self.correct(cx, link, own, out);
        }
    }

    fn renew(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let own = self.own.destination();
        self.tell_own_if_missing(cx, link, out);
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
