//! Requests said again: on links where nothing is acknowledged a request may be lost, and so may what comes of it.
//!
//! Whoever gets a request again from whom it came from says again what came of it, if anything did. Source:
//! spec/network.md#path-requests.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Instant, Sink};

use super::super::asking::SOON;
use super::super::{Announces, Effect, Timer, count};
use super::asking::Walk;
use super::responding::Response;
use super::{Request, RequestKey, Stage};
use crate::links::LinkId;

impl Request {
    /// Whether whoever asked, and asks again, is told again what came of it: as often as they ask by themselves.
    pub(super) fn may_tell_again(&self) -> bool {
        self.stage != Stage::Walking && usize::from(self.told_again) < SOON.len()
    }
}

impl Announces {
    /// Somebody was asked: if nothing comes of it, they are asked again.
    pub(super) fn repeat_request_later(&mut self, now: Instant, key: &RequestKey) {
        let Some(request) = self.finding.requests.get_mut(key) else { return };
        request.again_at = SOON.get(usize::from(request.again)).map(|wait| now.after(*wait));
        self.set_walk_timer(key.0);
    }

    /// Another attempt begins: what was asked in the one before is not asked again.
    pub(super) fn repeat_no_longer(&mut self, destination: DestinationHash) {
        for (_, request) in self.finding.of_mut(destination).filter(|(_, request)| request.from.is_none()) {
            request.again_at = None;
        }
    }

    /// Says requests for `destination` again of which nothing came.
    pub(in super::super) fn repeat_requests(
        &mut self,
        now: Instant,
        destination: DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        let is_due = |request: &Request| request.again_at.is_some_and(|at| at <= now);
        let due = self.finding.of(destination).filter(|(_, request)| is_due(request));
        let due: Vec<RequestKey> = due.map(|(key, _)| *key).collect();
        for key in due {
            let Some(request) = self.finding.requests.get_mut(&key) else { continue };
            request.again_at = None;
            request.again = request.again.saturating_add(1);
            let walk = Walk { key, hops: request.hops, class: request.class };
            if request.stage == Stage::Answered {
                continue;
            }
            let silent = request.silent.iter().map(|silent| silent.link);
            // A slow link has acknowledgements, and no room.
            let is_meant = |link: &LinkId| self.links.get(*link).is_some_and(|other| !other.is_slow());
            let silent: Vec<LinkId> = silent.filter(is_meant).collect();
            if !silent.is_empty() {
                self.repeat_request_later(now, &key);
            }
            for link in silent {
                self.say_request(now, link, walk, out);
            }
        }
        self.set_walk_timer(destination);
    }

    /// The peer of `link` asks once more what it was told already: that may have been lost.
    pub(super) fn tell_outcome_again(
        &mut self,
        cx: Cx,
        link: LinkId,
        walk: Walk,
        out: &mut impl Sink<Effect>,
    ) {
        count(&mut self.finding.counts.repeated);
        if let Some(request) = self.finding.requests.get_mut(&walk.key) {
            request.told_again = request.told_again.saturating_add(1);
        }
        match self.respond(cx, link, walk.key, out) {
            Response::Given | Response::Later => {}
            Response::None => self.say_request(cx.now, link, walk, out),
        }
    }

    fn set_walk_timer(&mut self, destination: DestinationHash) {
        let next = self.finding.of(destination).filter_map(|(_, request)| request.again_at).min();
        if let Some(at) = next {
            self.deadlines.set(Timer::Walk(destination), at);
        }
    }
}
