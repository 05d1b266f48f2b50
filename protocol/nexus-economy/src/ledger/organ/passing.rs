//! A node that follows some accounts alone: what it makes room for, and what of others passes through it. Source: spec/economy.md#sparse-nodes.

use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::{Instant, Sink, Write};
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::ledger::Certificate;

use super::batch::Batch;
use super::taking::bytes_of;
use super::{ENTRIES, Effect, Ledger, question_of};
use crate::ledger::claim::{Claim, Proof, certificate_id};
use crate::ledger::entry::ChannelKey;
use crate::ledger::sparse::{FOLLOWED, Held, Passage, Passing};
use crate::money::Amount;

/// So many questions of a neighbour are passed on at a time.
const QUESTIONS: usize = 8;

impl Ledger {
    /// An account is followed from here on: what happened before is asked for.
    pub(super) fn follow(&mut self, node: NodeId, out: &mut impl Sink<Effect>) {
        let given = self.rules.accounts.iter().find(|(other, _)| *other == node);
        if !self.known.follow(node, given.map_or(Amount::ZERO, |(_, given)| *given)) {
            return;
        }
        let mut batch = Batch::default();
        // What was passed on of this account is to be taken in when it comes again.
        for Passing { store, id, .. } in self.passage.take().into_iter().flat_map(Passage::into_waiting) {
            batch.before.push(Effect::Retired { store, id });
        }
        self.passage = Some(Passage::default());
        batch.writes.push(Write::set(FOLLOWED, &node.0, Vec::from([Held::All.to_byte()])));
        for store in [StoreId::CERTIFICATES, StoreId::SETTLEMENTS] {
            batch.then.push(Effect::Want(store, question_of(node)));
        }
        self.write(batch, out);
    }

    /// A channel that is not known yet is to find room.
    pub(super) fn make_room(&mut self, key: &ChannelKey, batch: &mut Batch) {
        let given_up = self.known.make_room(key);
        for node in given_up.nodes {
            batch.writes.push(Write::set(FOLLOWED, &node.0, Vec::from([Held::TooMany.to_byte()])));
        }
        for key in given_up.channels {
            batch.writes.push(Write::delete(ENTRIES, &key.to_bytes()));
        }
    }

    /// Time passes, for what was passed on.
    pub(super) fn age_passage(&mut self, now: Instant) {
        if let Some(passage) = &mut self.passage {
            passage.age(now);
        }
    }

    /// Whether an item of others was passed on of late.
    pub(super) fn has_passed(&self, id: &ItemId) -> bool {
        self.passage.as_ref().is_some_and(|passage| passage.has_passed(id))
    }

    /// A claim that concerns others was verified: it is shown until so many others came.
    pub(super) fn pass_claim(&mut self, claim: &Claim, batch: &mut Batch) {
        match &claim.proof {
            Proof::Settled(record) => {
                let id = ItemId(record.body.settlement_hash());
                self.pass(StoreId::SETTLEMENTS, id, &bytes_of(record), batch);
            }
            Proof::Certified { order, signatures } => {
                let hash = order.hash(&self.rules.id);
                let lines: Vec<_> = signatures
                    .iter()
                    .map(|(witness, signature)| Certificate::line(*witness, signature))
                    .collect();
                // Whoever verified it had it from such lines.
                let Some(certificate) = Certificate::new(&self.rules.id, hash, &lines) else { return };
                self.pass(StoreId::CERTIFICATES, ItemId(hash.0), &bytes_of(order), batch);
                let id = certificate_id(&hash);
                self.pass(StoreId::CERTIFICATES, id, &bytes_of(&certificate), batch);
            }
        }
    }

    /// An item of others is shown until so many others came.
    pub(super) fn pass(&mut self, store: StoreId, id: ItemId, item: &[u8], batch: &mut Batch) {
        let Some(passage) = self.passage.as_mut().filter(|passage| !passage.has_passed(&id)) else { return };
        let size = u16::try_from(item.len()).unwrap_or(u16::MAX);
        let out = passage.pass(Passing { store, id, item: item.to_vec() });
        batch.then.extend(out.map(|out| Effect::Retired { store: out.store, id: out.id }));
        batch.then.push(Effect::Published { store, id, size });
    }

    /// What a neighbour asks for and is not kept here, others are asked for: it passes through when it comes.
    pub(super) fn pass_questions(&self, store: StoreId, ids: &[ItemId], out: &mut impl Sink<Effect>) {
        if !self.is_sparse() {
            return;
        }
        for id in ids.iter().take(QUESTIONS) {
            out.push(Effect::Want(store, *id));
        }
    }
}
