//! Answers in clear: a known announce behind this node's transport id, as a path response, where it was asked for and nowhere else.
//!
//! Source: spec/reticulum.md#path-requests-in-clear.

use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::reticulum::packet::{HEADER_1_LEN, HEADER_2_LEN};
use nexus_wire::reticulum::{Context, Flags, HeaderType, PathRequest};

use super::super::known::Via;
use super::super::{Announces, Effect, Timer, count};
use super::requesting::ANSWERS;
use crate::interface::{InterfaceId, Role};

/// Whoever is nearer to the destination answers first: this long,
const GRACE: Duration = Duration::from_millis(400);
/// and so much longer where this node is the one that moves.
const ROAMING_GRACE: Duration = Duration::from_millis(1_500);

/// An answer that waits for its moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    at: Instant,
    requester: Option<IdentityHash>,
}

impl Announces {
    /// Somebody asks for this node itself.
    pub(super) fn answer_for_own(&mut self, now: Instant, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        let destination = self.own.destination();
        let Some(mut bytes) = self.own.current().map(|own| own.bytes.clone()) else { return };
        set_response(&mut bytes, HEADER_1_LEN);
        count(&mut self.finding.counts.answered);
        self.say_in_clear(now, iface, destination, bytes, out);
    }

    /// A way is known to who is asked for.
    pub(super) fn answer_later(&mut self, now: Instant, iface: InterfaceId, request: &PathRequest) {
        let Some(medium) = self.interfaces.get(&iface) else { return };
        let is_roaming = medium.profile.role == Role::Roaming;
        let wait = if is_roaming { GRACE.plus(ROAMING_GRACE) } else { GRACE };
        let answers = &mut self.clear.requests.answers;
        if answers.len() >= ANSWERS {
            return count(&mut self.finding.counts.refused);
        }
        let (at, requester) = (now.after(wait), request.requester);
        answers.entry((request.wanted, iface)).or_insert(Answer { at, requester });
        self.set_answers_timer();
    }

    /// Says the answers whose moment has come.
    pub(in super::super) fn answer_in_clear(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        let due: Vec<((DestinationHash, InterfaceId), Answer)> = self
            .clear
            .requests
            .answers
            .iter()
            .filter(|(_, answer)| answer.at <= cx.now)
            .map(|(key, answer)| (*key, *answer))
            .collect();
        for (key, answer) in due {
            self.clear.requests.answers.remove(&key);
            let (destination, iface) = key;
            if self.answer_on(cx, iface, &destination, answer.requester, out) {
                count(&mut self.finding.counts.answered);
            }
        }
        self.set_answers_timer();
    }

    /// There is a way to `destination`, perhaps: whoever waits for it in clear is told.
    pub(in super::super) fn answer_askers(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        if self.routes.offer(destination).is_none() || !self.cache.holds(destination) {
            return;
        }
        for iface in self.clear.requests.end_seeking(destination) {
            if self.answer_on(cx, iface, destination, None, out) {
                count(&mut self.finding.counts.passed_back);
            }
        }
    }

    pub(super) fn answer_on(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        destination: &DestinationHash,
        requester: Option<IdentityHash>,
        out: &mut impl Sink<Effect>,
    ) -> bool {
        let Some(via) = self.offered_over(destination) else { return false };
        let next = match via {
            Via::Clear { transport, .. } => transport,
            Via::Link { link, .. } => self.links.get(link).map(|other| other.peer),
        };
        let role = self.interfaces.get(&iface).map(|medium| medium.profile.role);
        let is_back = matches!(via, Via::Clear { iface: from, .. } if from == iface);
        if requester.is_some() && next == requester || role == Some(Role::Roaming) && is_back {
            return false;
        }
        let Some(mut bytes) = self.rebroadcast_of(cx.now, destination) else { return false };
        let header = match bytes.first().map(|flags| Flags::from_byte(*flags).header_type()) {
            Some(HeaderType::One) | None => HEADER_1_LEN,
            Some(HeaderType::Two) => HEADER_2_LEN,
        };
        set_response(&mut bytes, header);
        self.say_in_clear(cx.now, iface, *destination, bytes, out);
        true
    }

    fn set_answers_timer(&mut self) {
        match self.clear.requests.answers.values().map(|answer| answer.at).min() {
            Some(at) => self.deadlines.set(Timer::AnswersInClear, at),
            None => self.deadlines.cancel(Timer::AnswersInClear),
        }
    }
}

/// Makes an announce behind a header of that length an answer: the context is not signed.
fn set_response(packet: &mut [u8], header: usize) {
    if let Some(context) = packet.get_mut(header.saturating_sub(1)) {
        *context = Context::PATH_RESPONSE.0;
    }
}
