//! The walk of a request: taken from a neighbour, passed on to the best of the others, given back where none is left.

use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{Cx, Duration, Instant, Relaying, Sink};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::traffic::{self, Class};
use nexus_wire::reticulum::path_request::{PathRequest, Tag};
use nexus_wire::reticulum::{Hops, MTU, Packet, Payload as _};

use super::super::budget::Purpose;
use super::super::costs::{Outlet, message_of};
use super::super::{Announces, Effect, count};
use super::responding::Response;
use super::{ASKED_MAX, REQUEST_LIFE, Request, RequestKey, SLOW_REQUEST_LIFE, Silent, Stage};
use crate::links::{LinkId, Trust};
use crate::routes::{LargestProspect, PathPolicy, Prospect, ring_distance, score_of_prospect};

/// On a slow link no request is passed on that came so many steps: each takes airtime of everybody there.
const SLOW_STEPS: u8 = 16;
/// A request with the longest tag, as a link carries it: header, kind, class and price, packet, tag.
const REQUEST_LEN: usize = 7 + 1 + 2 + 19 + DestinationHash::LEN + Tag::MAX + 16;

/// A request on its walk.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    pub(super) key: RequestKey,
    /// How many steps it came.
    pub(super) hops: Hops,
    pub(super) class: Class,
}

impl Announces {
    /// A neighbour asks for a path, or gives back what it was asked.
    pub(in super::super) fn path_requested(
        &mut self,
        cx: Cx,
        link: LinkId,
        request: &PathRequest,
        hops: Hops,
        class: Class,
        out: &mut impl Sink<Effect>,
    ) {
        if self.links.get(link).is_none() {
            return count(&mut self.refusals.closed);
        }
        let walk = Walk { key: (request.wanted, request.tag), hops, class };
        if self.finding.requests.contains_key(&walk.key) {
            self.request_came_again(cx, link, walk, out);
        } else if self.takes_request(cx.now, link) {
            self.take_request(cx, link, walk, out);
        } else {
            count(&mut self.finding.counts.refused);
        }
    }

    /// Whether one more request of the neighbour behind `link` is taken, which is then spent.
    pub(in super::super) fn takes_request(&mut self, now: Instant, link: LinkId) -> bool {
        let own_share = self.links.get_mut(link).is_some_and(|other| other.may_request(now));
        own_share && self.finding.taken.take(now)
    }

    fn take_request(&mut self, cx: Cx, link: LinkId, walk: Walk, out: &mut impl Sink<Effect>) {
        self.finding.tidy(cx.now);
        let until = cx.now.after(self.request_life(link));
        let Walk { hops, class, .. } = walk;
        self.finding.remember(walk.key, Request::new(Some(link), hops, class, until));
        match self.respond(cx, link, walk.key, out) {
            Response::Given | Response::Later => {}
            Response::None => {
                if cx.config.relaying == Relaying::On {
                    let (wanted, tag) = walk.key;
                    self.ask_in_clear(cx.now, wanted, tag, out);
                }
                self.walk_on(cx, walk, out);
            }
        }
    }

    fn request_came_again(&mut self, cx: Cx, link: LinkId, walk: Walk, out: &mut impl Sink<Effect>) {
        let Some(request) = self.finding.requests.get_mut(&walk.key) else { return };
        request.hops = request.hops.max(walk.hops);
        if request.leaves(link) {
            // Nobody is left behind that neighbour.
            return self.walk_on(cx, walk, out);
        }
        if request.from == Some(link) && request.may_tell_again() {
            return self.tell_outcome_again(cx, link, walk, out);
        }
        if request.from == Some(link) || request.asked.contains(&link) || request.asked.len() >= ASKED_MAX {
            return count(&mut self.finding.counts.repeated);
        }
        // It came here by two ways. That neighbour need not be asked, and is told what there is to tell.
        request.asked.push(link);
        match self.respond(cx, link, walk.key, out) {
            Response::Given => {}
            Response::Later | Response::None => self.say_request(cx.now, link, walk, out),
        }
    }

    /// The peer of `link` answered with a way that may not be used here, since a loop might come of it: others are asked.
    pub(in super::super) fn walk_past(
        &mut self,
        cx: Cx,
        link: LinkId,
        destination: DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        let unanswered = self.walks(|key, request| key.0 == destination && request.leaves(link));
        self.walk_all_on(cx, unanswered, out);
    }

    /// The peer of `link` may be gone: others are asked, and what comes from it counts all the same.
    pub(in super::super) fn walk_past_doubted(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let waiting = self.walks(|_, request| request.passes(link));
        self.walk_all_on(cx, waiting, out);
    }

    /// The link is no more: others are asked.
    pub(in super::super) fn walk_past_lost(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let waiting = self.walks(|_, request| request.leaves(link));
        self.walk_all_on(cx, waiting, out);
    }

    /// Requests that wait no more for somebody for whom they did.
    fn walks(&mut self, mut waited: impl FnMut(&RequestKey, &mut Request) -> bool) -> Vec<Walk> {
        let requests = self.finding.requests.iter_mut();
        let waiting = requests.filter_map(|(key, request)| {
            waited(key, request).then_some(Walk { key: *key, hops: request.hops, class: request.class })
        });
        waiting.collect()
    }

    fn walk_all_on(&mut self, cx: Cx, walks: Vec<Walk>, out: &mut impl Sink<Effect>) {
        for walk in walks {
            self.walk_on(cx, walk, out);
        }
    }

    /// Asks the next neighbour, or gives the request back. Whoever is doubted is asked for want of anybody else, and not waited for.
    fn walk_on(&mut self, cx: Cx, walk: Walk, out: &mut impl Sink<Effect>) {
        let is_own = self.finding.requests.get(&walk.key).is_some_and(|request| request.from.is_none());
        let may_pass_on = is_own || cx.config.relaying == Relaying::On;
        while may_pass_on && let Some(link) = self.ask_next(cx.now, walk, out) {
            let counts = &mut self.finding.counts;
            count(if is_own { &mut counts.asked } else { &mut counts.passed_on });
            if !self.is_doubted(link) {
                return;
            }
        }
        count(&mut self.finding.counts.dead_ends);
        let from = self.finding.requests.get(&walk.key).and_then(|request| request.from);
        if let Some(from) = from {
            self.set_stage(&walk.key, Stage::GivenBack);
            self.say_request(cx.now, from, walk, out);
        }
    }

    /// Asks the best neighbour that was not asked yet; which one, none if nobody is left or may be asked.
    pub(super) fn ask_next(
        &mut self,
        now: Instant,
        walk: Walk,
        out: &mut impl Sink<Effect>,
    ) -> Option<LinkId> {
        let link = self.whom_to_ask(now, walk)?;
        let (life, is_awaited) = (self.request_life(link), !self.is_doubted(link));
        let request = self.finding.requests.get_mut(&walk.key)?;
        request.asked.push(link);
        request.silent.push(Silent { link, is_awaited });
        request.until = request.until.max(now.after(life));
        request.again = 0;
        self.repeat_request_later(now, &walk.key);
        self.say_request(now, link, walk, out);
        Some(link)
    }

    fn is_doubted(&self, link: LinkId) -> bool {
        self.links.get(link).is_some_and(|other| other.trust == Trust::Doubted)
    }

    fn whom_to_ask(&self, now: Instant, walk: Walk) -> Option<LinkId> {
        let request =
            self.finding.requests.get(&walk.key).filter(|request| request.asked.len() < ASKED_MAX)?;
        let before = request.asked.iter().copied().chain(request.from);
        let peers: Vec<IdentityHash> =
            before.filter_map(|link| self.links.get(link)).map(|other| other.peer).collect();
        let (wanted, _) = walk.key;
        let wanted = u128::from_be_bytes(*wanted.as_bytes());
        let rest = || {
            let others = self.links.iter().filter(|(_, other)| !peers.contains(&other.peer));
            let may = others.filter(|(link, other)| {
                let is_near_enough = walk.hops.get() <= SLOW_STEPS || !other.is_dear();
                is_near_enough && self.may_say(*link, now, REQUEST_LEN)
            });
            may.map(|(link, other)| {
                let ring = ring_distance(other.place, wanted);
                let prospect = Prospect { ring, cost: other.hop.price, latency_ms: other.hop.latency.0 };
                (link, other.trust == Trust::Doubted, prospect)
            })
        };
        let policy = PathPolicy::of_class(walk.class);
        let largest =
            rest().fold(LargestProspect::default(), |largest, (_, _, prospect)| largest.with(&prospect));
        // Who may be gone gives nothing back. Whoever is looked for itself is asked first of the others, whatever that costs.
        let value = |(link, is_doubted, prospect): &(LinkId, bool, Prospect)| {
            let score = score_of_prospect(policy, prospect, &largest);
            (*is_doubted, prospect.ring > 0, score, prospect.ring, *link)
        };
        rest().min_by_key(value).map(|(link, ..)| link)
    }

    /// Says a request to the peer of `link`, within what may be said there of paths.
    pub(super) fn say_request(
        &mut self,
        now: Instant,
        link: LinkId,
        walk: Walk,
        out: &mut impl Sink<Effect>,
    ) {
        if !self.may_say(link, now, REQUEST_LEN) {
            return count(&mut self.finding.counts.refused);
        }
        let (wanted, tag) = walk.key;
        let request = PathRequest { wanted, requester: None, tag };
        let header = Packet { hops: walk.hops, ..request.originating_header() };
        let mut buffer = vec![0; MTU];
        let packet =
            request.encode_behind(&header, &mut buffer).expect("a request is shorter than a packet may be");
        let body = traffic::Packet { class: walk.class, price: PriceCode::FREE, packet };
        let message = message_of(&body);
        self.spend_saying(link, now, REQUEST_LEN);
        out.push(Effect::Say { to: Outlet::Link(link), message });
    }

    /// Whether so many bytes about a path may be said to the peer of `link`.
    pub(super) fn may_say(&self, link: LinkId, now: Instant, len: usize) -> bool {
        self.say_from(link, now, len).is_some_and(|from| from <= now)
    }

    /// From when on they may be said; none if the link is not up.
    pub(super) fn say_from(&self, link: LinkId, now: Instant, len: usize) -> Option<Instant> {
        let other = self.links.get(link)?;
        let free_at = self.speech.budgets.free_at(other.iface, Purpose::Cost, now).max(now);
        if self.speech.is_on(other.iface) {
            return Some(free_at);
        }
        Some(free_at.max(other.requests_from(len)))
    }

    pub(super) fn spend_saying(&mut self, link: LinkId, now: Instant, len: usize) {
        let Some(iface) = self.links.get(link).map(|other| other.iface) else { return };
        self.speech.spend(iface, now, len);
        if !self.speech.is_on(iface)
            && let Some(other) = self.links.get_mut(link)
        {
            other.spend_on_request(now, len);
        }
    }

    pub(super) fn set_stage(&mut self, key: &RequestKey, stage: Stage) {
        if let Some(request) = self.finding.requests.get_mut(key) {
            request.stage = stage;
        }
    }

    pub(super) fn request_life(&self, link: LinkId) -> Duration {
        let is_slow = self.links.get(link).is_some_and(super::super::neighbours::Neighbouring::is_slow);
        if is_slow { SLOW_REQUEST_LIFE } else { REQUEST_LIFE }
    }
}
