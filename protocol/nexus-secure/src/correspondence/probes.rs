//! Probes of others, and the answers to one's own: pings and traces. A part of [`super::Correspondence`].
//! Spec: spec/secure.md#traces.

use nexus_crypto::NodeId;
use nexus_crypto::exchange::RecipientPublic;
use nexus_machine::{Cx, Instant, Sink, Traces};
use nexus_network::{Class, Recipient};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::end_to_end::{Envelope, Service};
use nexus_wire::nexus::path_cost::{CompactPathCost, HopCount};
use nexus_wire::nexus::trace::TraceAnswer;

use super::errands::{Errand, Probe};
use super::memory::enc_id;
use super::{Correspondence, Effect, count, node_of};
use crate::envelope::{self, Letter, SealedPacket};

/// A probe that is to be answered.
pub(super) struct Asked {
    pub(super) to: NodeId,
    pub(super) request_id: u32,
    pub(super) class: Class,
    pub(super) probe: Probe,
    /// What the way to whom is answered costs, if there is one.
    pub(super) way: Option<CompactPathCost>,
}

impl Correspondence {
    /// A probe, or the answer to one.
    pub(super) fn ping(
        &mut self,
        now: Instant,
        packet: &SealedPacket,
        envelope: &Envelope<'_>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some((nonce, padding)) = envelope.body.split_first_chunk() else {
            return count(&mut self.refusals.malformed);
        };
        match envelope.reply_to {
            Some(to) => {
                let probe = Probe::Ping { nonce: *nonce };
                self.begin_answer(now, packet, to, envelope.request_id, probe, out);
            }
            None if !padding.is_empty() => count(&mut self.refusals.malformed),
            None => {
                if self.outbox.answered(now, envelope.request_id, *nonce, out).is_none() {
                    let tried = self.trials.answered(envelope.request_id, *nonce);
                    self.tried(tried, out);
                }
            }
        }
    }

    /// A trace, or the answer to one.
    pub(super) fn trace(
        &mut self,
        cx: Cx,
        packet: &SealedPacket,
        envelope: &Envelope<'_>,
        out: &mut impl Sink<Effect>,
    ) {
        let hops = HopCount(packet.hops.get());
        let Some(to) = envelope.reply_to else {
            let answer = TraceAnswer::decode(envelope.body);
            let Ok(answer) = answer else { return count(&mut self.refusals.malformed) };
            if self.outbox.traced(cx.now, envelope.request_id, &answer, hops, out).is_none() {
                count(&mut self.refusals.unproved);
            }
            return;
        };
        let Ok(nonce) = <[u8; 8]>::try_from(envelope.body) else {
            return count(&mut self.refusals.malformed);
        };
        match cx.config.traces {
            Traces::Unanswered => count(&mut self.refusals.unknown),
            Traces::Answered => {
                let probe = Probe::Trace { nonce, hops };
                self.begin_answer(cx.now, packet, to, envelope.request_id, probe, out);
            }
        }
    }

    /// Proves that a probe arrived, and looks up whom to answer.
    fn begin_answer(
        &mut self,
        now: Instant,
        packet: &SealedPacket,
        to: NodeId,
        request_id: u32,
        probe: Probe,
        out: &mut impl Sink<Effect>,
    ) {
        let allowance = if packet.from == Some(to) { &mut self.neighbour_answers } else { &mut self.answers };
        if !allowance.take(now) {
            return count(&mut self.refusals.busy);
        }
        self.memory.remember_for_a_while(enc_id(&packet.enc));
        self.prove(&packet.hash, packet.class, out);
        let token = self.errands.begin(Errand::Answer { to, request_id, class: packet.class, probe });
        out.push(Effect::Lookup { node: to, token });
    }

    /// A proof or an answer: of a probe, or of nothing that is on its way.
    pub(super) fn tried(&mut self, number: Option<u64>, out: &mut impl Sink<Effect>) {
        match number {
            Some(number) => out.push(Effect::Tried { number }),
            None => count(&mut self.refusals.unproved),
        }
    }

    /// Answers a probe, now that it is known how.
    pub(super) fn answer(
        &mut self,
        cx: Cx,
        asked: &Asked,
        token: u64,
        recipient: &Recipient,
        out: &mut impl Sink<Effect>,
    ) {
        let Asked { to, request_id, class, probe, way } = asked;
        let mut buffer = [0; TraceAnswer::MAX_LEN];
        let (service, body) = match *probe {
            Probe::Ping { ref nonce } => (Service::PING, nonce.as_slice()),
            Probe::Trace { nonce, hops } => {
                let clock_ms = cx.unix_s().map_or(0, |unix_s| unix_s.saturating_mul(1_000));
                let answer = TraceAnswer { nonce, clock_ms, hops, back: *way };
                let body = answer.encode(&mut buffer).expect("the buffer is as long as the longest answer");
                (Service::TRACE, &*body)
            }
        };
        let Some(public) = node_of(recipient, to) else { return };
        let letter = Letter { service, reply_to: None, request_id: *request_id, body };
        let identity = public.exchange();
        let key =
            recipient.ratchet.as_ref().map_or(RecipientPublic::Identity(&identity), RecipientPublic::Ratchet);
        if let Ok(packet) = envelope::seal(&letter, to, key, None, &mut self.random) {
            out.push(Effect::Originate { handle: token, packet, policy: None, class: *class });
        }
    }
}
