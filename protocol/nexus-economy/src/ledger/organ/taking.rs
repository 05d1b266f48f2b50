//! What neighbours send, from the look at it to the write.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, Signature, VerifyingKey};
use nexus_machine::{Cx, Sink, Write};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::channel::SettlementRecord;
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::ledger::{Certificate, Order, WitnessIndex};

use super::batch::{Batch, deposited};
use super::{ENTRIES, Effect, KEYS, Ledger, Neighbour, ORDERS, OWN, PATIENCE, TURN, Timer};
use crate::ledger::books::Recorded;
use crate::ledger::claim::{Claim, Proof, certificate_id};
use crate::ledger::entry::{Entry, Side, Sums};
use crate::ledger::intake::{Badness, Lack, Looked, Turn};
use crate::ledger::spot::Spot;

/// What is said of one neighbour's items.
#[derive(Debug, Default)]
struct Verdicts {
    held: BTreeMap<StoreId, Vec<ItemId>>,
    bad: BTreeMap<StoreId, usize>,
}

impl Verdicts {
    fn bad(&mut self, store: StoreId) {
        let bad = self.bad.entry(store).or_default();
        *bad = bad.saturating_add(1);
    }

    fn held(&mut self, store: StoreId, id: ItemId) {
        self.held.entry(store).or_default().push(id);
    }

    /// Nothing is said of what this node said itself.
    fn effects(mut self, from: Neighbour) -> Vec<Effect> {
        let mut stores: Vec<StoreId> = self.held.keys().chain(self.bad.keys()).copied().collect();
        stores.sort_unstable();
        stores.dedup();
        stores.retain(|_| from != OWN);
        let judged = |store| {
            let held = self.held.remove(&store).unwrap_or_default();
            Effect::Judged { store, from, held, bad: self.bad.remove(&store).unwrap_or(0) }
        };
        stores.into_iter().map(judged).collect()
    }
}

impl Ledger {
    /// A neighbour sent items.
    pub(super) fn apply(
        &mut self,
        cx: Cx,
        from: Neighbour,
        store: StoreId,
        items: &[Vec<u8>],
        out: &mut impl Sink<Effect>,
    ) {
        if store == StoreId::EVIDENCE {
            return self.apply_evidence(cx, from, items, out);
        }
        self.age_passage(cx.now);
        let mut verdicts = Verdicts::default();
        for item in items {
            if let Some(id) = self.shown_as(store, item) {
                self.intake.count_known();
                verdicts.held(store, id);
                continue;
            }
            match self.intake.look(from, store, item, &self.known, &self.rules) {
                Looked::Known(id) => verdicts.held(store, id),
                Looked::Bad(Badness::Malformed) => verdicts.bad(store),
                Looked::Bad(Badness::Foreign) => {
                    verdicts.bad(store);
                    if self.foreign.insert(from) {
                        out.push(Effect::Foreign(from));
                    }
                }
                Looked::LacksKeys(nodes) => self.look_for_keys(&nodes, out),
                Looked::Lacks(lack) => self.ask_later(cx, lack),
                Looked::Queued | Looked::Crowded => {}
            }
        }
        for effect in verdicts.effects(from) {
            out.push(effect);
        }
        self.plan_turn(cx);
    }

    /// The name under which just this item is shown, or was passed on, if it is: it is not looked at again.
    fn shown_as(&self, store: StoreId, item: &[u8]) -> Option<ItemId> {
        let id = if store == StoreId::SETTLEMENTS {
            ItemId(SettlementRecord::decode(item).ok()?.body.settlement_hash())
        } else if let Ok(certificate) = Certificate::decode(item) {
            if !certificate.is_of(&self.rules.id) {
                return None;
            }
            certificate_id(&certificate.order())
        } else {
            ItemId(Order::decode(item).ok()?.hash(&self.rules.id).0)
        };
        (self.shown.spot(store, id).is_some() || self.has_passed(&id)).then_some(id)
    }

    /// This node's channels settled.
    pub(super) fn settled(&mut self, cx: Cx, record: &SettlementRecord, out: &mut impl Sink<Effect>) {
        self.apply(cx, OWN, StoreId::SETTLEMENTS, &[bytes_of(record)], out);
    }

    /// An order of this node's was certified.
    pub(super) fn certified(
        &mut self,
        cx: Cx,
        order: &Order,
        certificate: Vec<u8>,
        out: &mut impl Sink<Effect>,
    ) {
        self.apply(cx, OWN, StoreId::CERTIFICATES, &[bytes_of(order), certificate], out);
    }

    /// A key was learnt: whatever waited for it takes its turn, or is found to lack another one.
    pub(super) fn key(&mut self, cx: Cx, node: NodeId, key: VerifyingKey, out: &mut impl Sink<Effect>) {
        if self.sought.remove(&node) {
            self.intake.remember(node, key);
        }
        let lacking = self.intake.key(node, key, &self.known, &self.rules);
        self.look_for_keys(&lacking, out);
        self.plan_turn(cx);
    }

    /// Something that lacks is asked for, if it still does in a while.
    pub(super) fn ask_later(&mut self, cx: Cx, lack: Lack) {
        let timer = Timer::Ask(lack);
        // What waits is bounded, and so is what it lacks: but for a while some of it is gone that is still to be asked for.
        let most = self.limits.intake.held.saturating_mul(2);
        if self.deadlines.get(timer).is_none() && self.deadlines.len() < most {
            self.deadlines.set(timer, cx.now.after(PATIENCE));
        }
    }

    /// One neighbour's turn.
    pub(super) fn turn(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        if !self.may_write() {
            return;
        }
        self.witness_turn(out);
        if let Some(turn) = self.intake.take_turn(&self.known, &self.rules, &mut self.random) {
            self.take_in(turn, out);
        }
        if self.has_work() && self.may_write() {
            self.deadlines.set(Timer::Turn, cx.now.after(TURN));
        }
    }

    fn take_in(&mut self, turn: Turn, out: &mut impl Sink<Effect>) {
        let Turn { from, believed, known, forged } = turn;
        let (mut batch, mut at_once, mut later) =
            (Batch::default(), Verdicts::default(), Verdicts::default());
        for (store, id) in known {
            at_once.held(store, id);
        }
        for store in forged {
            at_once.bad(store);
        }
        for claim in believed {
            self.record(&claim, &mut batch);
            for (store, id) in claim.ids(&self.rules) {
                later.held(store, id);
            }
            let lacking = self.intake.certified(&claim, &self.known, &self.rules);
            self.look_for_keys(&lacking, out);
        }
        batch.before.extend(at_once.effects(from));
        batch.then.extend(later.effects(from));
        self.write(batch, out);
    }

    /// Takes a claim into the books, with all that has to be written.
    fn record(&mut self, claim: &Claim, batch: &mut Batch) {
        self.make_room(&claim.key, batch);
        let old = self.known.books.entry(&claim.key).copied().unwrap_or_default();
        match self.known.record(claim) {
            Ok(Recorded::Grew) => {}
            Ok(Recorded::Others) => return self.pass_claim(claim, batch),
            Ok(Recorded::Known) | Err(_) => return,
        }
        let Some(entry) = self.known.books.entry(&claim.key).copied() else { return };
        if entry != old {
            batch.writes.push(Write::set(ENTRIES, &claim.key.to_bytes(), entry.to_store().to_vec()));
        }
        match &claim.proof {
            Proof::Settled(record) => self.put_record(claim, record, (&old, &entry), batch),
            Proof::Certified { order, signatures } => {
                self.put_order(claim, order, signatures, &entry, batch);
                batch.then.extend(deposited(self.own, &claim.key, &old, &entry));
            }
        }
    }

    fn put_record(
        &mut self,
        claim: &Claim,
        record: &SettlementRecord,
        (old, entry): (&Entry, &Entry),
        batch: &mut Batch,
    ) {
        let (id, item) = (ItemId(record.body.settlement_hash()), bytes_of(record));
        for side in attained(&claim.news.paid(), &entry.paid()) {
            batch.put(&mut self.shown, Spot::Paid(claim.key, side), id, &item);
        }
        if old.paid() == Sums::ZERO
            && let Some(keys) = self.intake.keys_of(&claim.key)
        {
            for (node, key) in [claim.key.a(), claim.key.b()].iter().zip(keys) {
                batch.writes.push(Write::set(KEYS, &node.0, key.0.to_vec()));
            }
        }
    }

    fn put_order(
        &mut self,
        claim: &Claim,
        order: &Order,
        signatures: &[(WitnessIndex, Signature)],
        entry: &Entry,
        batch: &mut Batch,
    ) {
        let hash = order.hash(&self.rules.id);
        let lines: Vec<_> =
            signatures.iter().map(|(witness, signature)| Certificate::line(*witness, signature)).collect();
        // Whoever verified it had it from such lines.
        let Some(certificate) = Certificate::new(&self.rules.id, hash, &lines) else { return };
        let (item, certificate) = (bytes_of(order), bytes_of(&certificate));
        let ids = (ItemId(hash.0), certificate_id(&hash));
        let spots: Vec<(Spot, Spot)> = match order {
            Order::Open(open) => {
                let (owner, number) = (open.body.owner, open.body.order);
                if self.known.follows(&owner) {
                    let key = [&owner.0[..], &number.to_be_bytes()].concat();
                    batch.writes.push(Write::set(ORDERS, &key, Vec::new()));
                }
                Vec::from([(Spot::Order(owner, number), Spot::OrderCertificate(owner, number))])
            }
            Order::Close(_) => {
                let (news, close) = (claim.news.close(), entry.close());
                let (news, close) = (news.unwrap_or_default(), close.unwrap_or_default());
                let of = |side| (Spot::Close(claim.key, side), Spot::CloseCertificate(claim.key, side));
                let sides = [Side::A, Side::B].into_iter();
                sides.filter(|side| news.of(*side) == close.of(*side)).map(of).collect()
            }
        };
        for (at, certificate_at) in spots {
            batch.put(&mut self.shown, at, ids.0, &item);
            batch.put(&mut self.shown, certificate_at, ids.1, &certificate);
        }
    }
}

/// The sides of which this record shows all that is known, if that is anything.
fn attained(record: &Sums, known: &Sums) -> impl Iterator<Item = Side> + use<> {
    let (record, known) = (*record, *known);
    [Side::A, Side::B]
        .into_iter()
        .filter(move |side| known.of(*side) > 0 && record.of(*side) == known.of(*side))
}

/// The bytes of an item.
pub(super) fn bytes_of<'a>(value: &impl Layout<'a>) -> Vec<u8> {
    let mut bytes = vec![0; value.encoded_len()];
    value.encode(&mut bytes).expect("a value is as long as it says");
    bytes
}
