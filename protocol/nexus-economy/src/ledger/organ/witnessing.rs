//! What a witness is asked: verified, judged, written down, signed. In this order.

use alloc::boxed::Box;

use nexus_crypto::{NodeId, VerifyingKey};
use nexus_machine::{Cx, Sink};
use nexus_wire::nexus::channel::ChannelState;
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::evidence::Evidence;
use nexus_wire::nexus::ledger::{CloseOrder, ClosedBy, OpenOrder, Order, OrderHash};

use super::batch::Batch;
use super::{Effect, Ledger, ROUND, Timer};
use crate::ledger::claim::key_of;
use crate::ledger::entry::ChannelKey;
use crate::ledger::witness::{Consent, Refusal, Request, Verdict, Witness};

/// So many requests are looked at in a turn.
const LOOKS: usize = 16;

impl Ledger {
    /// Somebody asks this node to sign. Who asks one that is no witness is not answered.
    pub(super) fn requested(&mut self, cx: Cx, by: NodeId, request: &Request, out: &mut impl Sink<Effect>) {
        let Some(witness) = &mut self.witness else { return };
        if !witness.ask(by, request.clone())
            && let Request::Sign(order) = request
        {
            let hash = order.hash(&self.rules.id);
            out.push(Effect::Stated(by, witness.refuse(hash, Refusal::Busy)));
        }
        self.plan_turn(cx);
    }

    /// Requests are looked at, and orders signed as far as the day's budget goes, the largest deposit first.
    pub(super) fn witness_turn(&mut self, out: &mut impl Sink<Effect>) {
        let mut batch = Batch::default();
        for _ in 0..LOOKS {
            let Some((by, request)) = self.witness.as_mut().and_then(Witness::next_asked) else { break };
            match request {
                Request::Sign(Order::Open(order)) => self.asked_to_open(by, &order, &mut batch),
                Request::Sign(Order::Close(order)) => self.asked_to_close(by, &order, &mut batch),
                Request::Know(course) => self.asked_to_know(by, &course, &mut batch),
            }
        }
        for _ in 0..LOOKS {
            let Some((by, order)) = self.witness.as_mut().and_then(Witness::next_in_line) else { break };
            self.open_or_refuse(by, &order, &mut batch);
        }
        self.write(batch, out);
    }

    fn asked_to_open(&mut self, by: NodeId, order: &OpenOrder, batch: &mut Batch) {
        let hash = order.body.hash(&self.rules.id);
        let Some(key) = self.key_or_seek(order.body.owner, batch) else {
            return self.refuse(by, hash, Refusal::UnknownKey, batch);
        };
        let right = order.body.signed(&self.rules.id, |message| key.verify(message, &order.signature));
        if right.is_err() {
            return self.refuse(by, hash, Refusal::Signature, batch);
        }
        let Some(witness) = &mut self.witness else { return };
        if let Some((by, hash)) = witness.line_up(by, hash, *order) {
            self.refuse(by, hash, Refusal::Budget, batch);
        }
    }

    fn open_or_refuse(&mut self, by: NodeId, order: &OpenOrder, batch: &mut Batch) {
        let hash = order.body.hash(&self.rules.id);
        let Some(witness) = &mut self.witness else { return };
        match witness.book.may_open(&self.known, &self.rules, order) {
            Ok(Verdict::Again) => batch.before.push(Effect::Stated(by, witness.sign(&self.rules, hash))),
            Ok(Verdict::Opens | Verdict::Sign) if !witness.has_room() => {
                self.refuse(by, hash, Refusal::Busy, batch);
            }
            Ok(verdict @ (Verdict::Opens | Verdict::Sign)) => {
                if verdict == Verdict::Opens {
                    witness.spend(&self.rules);
                }
                batch.writes.push(witness.opened(order));
                batch.then.push(Effect::Stated(by, witness.sign(&self.rules, hash)));
            }
            Ok(Verdict::Convicts(signed)) => {
                let both = [(signed.body, signed.signature), (order.body, order.signature)];
                if let Some(evidence) = Evidence::of_orders(both) {
                    self.keep_evidence(order.body.owner, &evidence, batch);
                }
                self.refuse(by, hash, Refusal::Number, batch);
            }
            Err(why) => self.refuse(by, hash, why, batch),
        }
    }

    fn asked_to_close(&mut self, by: NodeId, order: &CloseOrder, batch: &mut Batch) {
        let hash = Order::Close(*order).hash(&self.rules.id);
        let consent = match self.verify_close(order, batch) {
            Ok(consent) => consent,
            Err(why) => return self.refuse(by, hash, why, batch),
        };
        let Some(witness) = &mut self.witness else { return };
        let round = witness.round();
        match (witness.book.may_close(&self.known, round, &order.body, consent), key_of(&order.body)) {
            (Ok(Verdict::Again), _) => {
                batch.before.push(Effect::Stated(by, witness.sign(&self.rules, hash)));
            }
            (Ok(_), Some(key)) if witness.has_room() => {
                batch.writes.extend(witness.closed(&key, &order.body));
                batch.then.push(Effect::Stated(by, witness.sign(&self.rules, hash)));
            }
            (Ok(_), _) => self.refuse(by, hash, Refusal::Busy, batch),
            (Err(why), _) => self.refuse(by, hash, why, batch),
        }
    }

    fn verify_close(&mut self, order: &CloseOrder, batch: &mut Batch) -> Result<Consent, Refusal> {
        let (a, b) = (order.body.party_a, order.body.party_b);
        let (keys_a, keys_b) = (self.key_or_seek(a, batch), self.key_or_seek(b, batch));
        let (a, b) = keys_a.zip(keys_b).ok_or(Refusal::UnknownKey)?;
        let right = |key: &VerifyingKey, signature| {
            order
                .body
                .signed_as_close(|message| key.verify(message, signature))
                .map_err(|_| Refusal::Signature)
        };
        match &order.signatures {
            ClosedBy::A(signature) => right(&a, signature).map(|()| Consent::One),
            ClosedBy::B(signature) => right(&b, signature).map(|()| Consent::One),
            ClosedBy::Both(one, other) => {
                right(&a, one).and_then(|()| right(&b, other)).map(|()| Consent::Both)
            }
        }
    }

    /// What a channel came to: whoever shows it, if both parties signed it. The parties hear of it, since either may know a higher state;
    /// and again when somebody shows the same again, since what is told may be lost.
    fn asked_to_know(&mut self, by: NodeId, course: &Course, batch: &mut Batch) {
        let (first, last) = (course.first(), course.last());
        let Some(key) = ChannelKey::new(first.body.party_a, first.body.party_b, first.body.channel.0) else {
            return;
        };
        if self.known.books.entry(&key).is_none_or(|entry| entry.close().is_some()) {
            return;
        }
        let keys = (self.key_or_seek(key.a(), batch), self.key_or_seek(key.b(), batch));
        let (Some(a), Some(b)) = keys else { return };
        let signed = |state: &ChannelState| {
            let by = |key: &VerifyingKey, signature| {
                state.body.signed(|message| key.verify(message, signature)).is_ok()
            };
            by(&a, &state.sig_a) && by(&b, &state.sig_b)
        };
        if !signed(first) || !signed(last) {
            return;
        }
        let Some(witness) = self.witness.as_mut().filter(|witness| witness.has_room()) else { return };
        let round = witness.round();
        match witness.book.shown(round, &first.body, &last.body) {
            Some((key, case)) => batch.writes.push(Witness::noted(&key, &case)),
            None if witness.book.highest_shown(&key) == Some(last.body.sequence) => {}
            None => return,
        }
        let others = [key.a(), key.b()].into_iter().filter(|party| *party != by);
        batch.then.extend(others.map(|party| Effect::Shown(party, Box::new(*course))));
    }

    fn refuse(&mut self, by: NodeId, hash: OrderHash, why: Refusal, batch: &mut Batch) {
        if let Some(witness) = &self.witness {
            batch.before.push(Effect::Stated(by, witness.refuse(hash, why)));
        }
    }

    /// A node's key, or what finds it.
    fn key_or_seek(&mut self, node: NodeId, batch: &mut Batch) -> Option<VerifyingKey> {
        let key = self.intake.key_of(&node);
        if key.is_none() {
            batch.before.extend(self.seek_key(node));
        }
        key
    }

    /// A round is over.
    pub(super) fn round(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        self.deadlines.set(Timer::Round, cx.now.after(ROUND));
        let Some(witness) = &mut self.witness else { return };
        let mut batch = Batch::default();
        batch.writes.push(witness.next_round(&self.rules));
        for key in witness.book.tidy(&self.known) {
            batch.writes.extend(Witness::forgotten(&key));
        }
        self.write(batch, out);
        self.plan_turn(cx);
    }
}
