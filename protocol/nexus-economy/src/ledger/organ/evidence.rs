//! Proofs of misconduct: one is kept for each who is convicted, and shown to neighbours. Source: spec/economy.md#evidence.

use alloc::vec::Vec;

use nexus_crypto::{NodeId, VerifyingKey};
use nexus_machine::{Cx, Sink, Write};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::evidence::{Evidence, Party};
use nexus_wire::nexus::gossip::StoreId;
use nexus_wire::nexus::ledger::attested;

use super::batch::Batch;
use super::taking::bytes_of;
use super::{CONVICTED, Effect, Ledger, Neighbour, OWN};
use crate::ledger::spot::Spot;

/// What a look at a proof found.
enum Found {
    /// It convicts this node.
    Guilty(NodeId),
    /// This one is convicted already.
    Known(NodeId),
    /// It concerns nobody who has an account here: anybody can convict keys of their own making.
    Stranger,
    /// It convicts somebody who is not followed here, where not all are.
    GuiltyStranger(NodeId),
    /// A key lacks.
    LacksKey(NodeId),
    /// It proves nothing.
    Bad,
}

impl Ledger {
    pub(super) fn apply_evidence(
        &mut self,
        cx: Cx,
        from: Neighbour,
        items: &[Vec<u8>],
        out: &mut impl Sink<Effect>,
    ) {
        let (mut held, mut bad, mut batch) = (Vec::new(), 0_usize, Batch::default());
        for item in items {
            let found =
                Evidence::decode(item).map_or(Found::Bad, |evidence| self.look_at_evidence(&evidence));
            match found {
                Found::Guilty(node) => {
                    if self.convicted.len() < self.limits.convicted && self.may_write() {
                        self.take_evidence(node, item, &mut batch);
                        held.push(Evidence::id_against(&node));
                    }
                }
                Found::Known(node) => held.push(Evidence::id_against(&node)),
                Found::LacksKey(node) => batch.before.extend(self.seek_key(node)),
                Found::Stranger => {}
                Found::GuiltyStranger(node) => {
                    self.pass(StoreId::EVIDENCE, Evidence::id_against(&node), item, &mut batch);
                    held.push(Evidence::id_against(&node));
                }
                Found::Bad => bad = bad.saturating_add(1),
            }
        }
        if from != OWN {
            batch.then.push(Effect::Judged { store: StoreId::EVIDENCE, from, held, bad });
        }
        self.write(batch, out);
        self.plan_turn(cx);
    }

    /// This node found proof of misconduct.
    pub(super) fn convict(&mut self, cx: Cx, evidence: &Evidence, out: &mut impl Sink<Effect>) {
        self.apply_evidence(cx, OWN, &[bytes_of(evidence)], out);
    }

    /// This node saw the misconduct itself, and verified what proves it.
    pub(super) fn keep_evidence(&mut self, node: NodeId, evidence: &Evidence, batch: &mut Batch) {
        if !self.convicted.contains(&node) && self.convicted.len() < self.limits.convicted {
            self.take_evidence(node, &bytes_of(evidence), batch);
        }
    }

    fn take_evidence(&mut self, node: NodeId, item: &[u8], batch: &mut Batch) {
        self.convicted.insert(node);
        batch.writes.push(Write::set(CONVICTED, &node.0, Vec::new()));
        batch.put(&mut self.shown, Spot::Evidence(node), Evidence::id_against(&node), item);
        batch.then.push(Effect::Flagged(node));
    }

    fn look_at_evidence(&self, evidence: &Evidence) -> Found {
        let (accused, key) = match evidence {
            Evidence::States { accused, signed: [(body, _), _] } => {
                let node = match accused {
                    Party::A => body.party_a,
                    Party::B => body.party_b,
                };
                (node, self.intake.key_of(&node))
            }
            Evidence::Orders([(body, _), _]) => (body.owner, self.intake.key_of(&body.owner)),
            Evidence::Attested { witness, .. } => match self.rules.witness_node(*witness) {
                Some(node) => (node, self.rules.witness(*witness)),
                None => return Found::Bad,
            },
        };
        if self.convicted.contains(&accused) {
            return Found::Known(accused);
        }
        let is_somebody = self.is_somebody(&accused);
        if !is_somebody && !self.is_sparse() {
            return Found::Stranger;
        }
        if !is_somebody && self.has_passed(&Evidence::id_against(&accused)) {
            return Found::Known(accused);
        }
        let Some(key) = key else { return Found::LacksKey(accused) };
        match (self.proves(evidence, &key), is_somebody) {
            (true, true) => Found::Guilty(accused),
            (true, false) => Found::GuiltyStranger(accused),
            (false, _) => Found::Bad,
        }
    }

    fn is_somebody(&self, node: &NodeId) -> bool {
        let books = &self.known.books;
        books.given(node).micros() > 0
            || books.channels_of(node).next().is_some()
            || self.rules.witness_nodes().any(|witness| witness == *node)
    }

    fn proves(&self, evidence: &Evidence, key: &VerifyingKey) -> bool {
        let id = &self.rules.id;
        match evidence {
            Evidence::States { signed, .. } => signed
                .iter()
                .all(|(body, signature)| body.signed(|message| key.verify(message, signature)).is_ok()),
            Evidence::Orders(signed) => signed
                .iter()
                .all(|(body, signature)| body.signed(id, |message| key.verify(message, signature)).is_ok()),
            Evidence::Attested { signed, .. } => signed.iter().all(|(body, signature)| {
                attested(id, &body.hash(id), |message| key.verify(message, signature)).is_ok()
            }),
        }
    }
}
