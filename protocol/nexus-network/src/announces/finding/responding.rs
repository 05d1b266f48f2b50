//! Answers: a known announce, or this node's own, to whoever asked for it and to nobody else.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Relaying, Sink};
use nexus_wire::nexus::path_cost::CompactPathCost;
use nexus_wire::reticulum::Context;
use nexus_wire::reticulum::packet::HEADER_1_LEN;

use super::super::costs::Outlet;
use super::super::passing::tell;
use super::super::{Announces, Effect, Timer, count};
use super::{RequestKey, Stage};
use crate::links::LinkId;

/// What an answer takes beside the packet: header, kind, cost, tag.
const OVERHEAD: usize = 7 + 1 + 8 + 16;

impl Announces {
    /// There is airtime for answers that wait for it, perhaps.
    pub(in super::super) fn answer_all(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        let wanted: BTreeSet<DestinationHash> =
            self.finding.requests.keys().map(|(destination, _)| *destination).collect();
        for destination in wanted {
            self.answer_waiting(cx, &destination, out);
        }
    }

    /// Tells whoever waits for a way to `destination`, as far as there is one.
    pub(in super::super) fn answer_waiting(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        self.answer_askers(cx, destination, out);
        if !self.finding.is_wanted(*destination) {
            return;
        }
        self.end_search_if_found(cx, destination, out);
        let waiting: Vec<(RequestKey, Option<LinkId>)> = self
            .finding
            .of(*destination)
            .filter(|(_, request)| request.stage != Stage::Answered && request.until > cx.now)
            .map(|(key, request)| (*key, request.from))
            .collect();
        for (key, from) in waiting {
            if let Some(link) = from {
                let _kept_walking: Response = self.respond(cx, link, key, out);
            }
        }
    }

    /// Answers the peer of `link`, if this node is the destination or knows a way that does not lead back there.
    pub(super) fn respond(
        &mut self,
        cx: Cx,
        link: LinkId,
        key: RequestKey,
        out: &mut impl Sink<Effect>,
    ) -> Response {
        let (destination, _) = key;
        let Some(packet) = self.answer_for(cx, link, &destination) else { return Response::None };
        let len = packet.len().saturating_add(OVERHEAD);
        match self.say_from(link, cx.now, len) {
            None => return Response::None,
            Some(from) if from > cx.now => {
                // There is no airtime for it yet.
                let due = self.deadlines.get(Timer::Answers).map_or(from, |due| due.min(from));
                self.deadlines.set(Timer::Answers, due);
                return Response::Later;
            }
            Some(_) => {}
        }
        let cost = if destination == self.own.destination() {
            CompactPathCost::ORIGIN
        } else {
            // Having said it, this node is bound by it.
            let Some(told) = self.quote(cx.now, &destination) else { return Response::None };
            told.cost
        };
        self.spend_saying(link, cx.now, len);
        out.push(tell(link, destination, cost, &packet));
        self.owe_generation(cx.now, Outlet::Link(link), &destination);
        let Some(request) = self.finding.requests.get_mut(&key) else { return Response::Given };
        let counts = &mut self.finding.counts;
        count(if request.asked.is_empty() { &mut counts.answered } else { &mut counts.passed_back });
        if request.from == Some(link) {
            request.stage = Stage::Answered;
        }
        Response::Given
    }

    /// The announce that answers for `destination`, as links carry it.
    fn answer_for(&mut self, cx: Cx, link: LinkId, destination: &DestinationHash) -> Option<Vec<u8>> {
        if *destination == self.own.destination() {
            return Some(as_response(&self.own.current()?.bytes));
        }
        if cx.config.relaying == Relaying::Off {
            return None;
        }
        let offer = self.routes.offer(destination)?;
        // What is kept is the newest emission.
        if self.known.get(destination).is_none_or(|known| known.random_hash != offer.random_hash()) {
            return None;
        }
        let via = self.offered_over(destination)?;
        if self.links.leads_to_same(via, link) {
            return None;
        }
        self.cache.take_up(destination).map(as_response)
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// It was said.
    Given,
    /// It waits for airtime.
    Later,
    /// There is none.
    None,
}

/// An announce as links carry it, as an answer: the context is not signed.
fn as_response(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if let Some(context) = packet.get_mut(HEADER_1_LEN.saturating_sub(1)) {
        *context = Context::PATH_RESPONSE.0;
    }
    packet
}
