//! What lacks, and how it is found: a key on this disk first, then with neighbours; a certificate with neighbours.

use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::Sink;
use nexus_wire::nexus::gossip::{ItemId, StoreId};

use super::handing::Purpose;
use super::paging::paid;
use super::{Effect, KEYS, Ledger, Neighbour, question_about, question_of};
use crate::ledger::claim::certificate_id;
use crate::ledger::entry::{ChannelKey, Side};
use crate::ledger::intake::Lack;
use crate::ledger::spot::Spot;

/// So many items at most answer one question.
const ANSWER: usize = 64;
/// So many keys at most are looked for that no claim waits for.
pub(super) const SOUGHT: usize = 64;

impl Ledger {
    /// Keys lack: those that this node wrote down are read. What cannot be read at present is looked for when it is said again.
    pub(super) fn look_for_keys(&mut self, nodes: &[NodeId], out: &mut impl Sink<Effect>) {
        for node in nodes {
            if let Some(number) = self.reading.begin(Purpose::Key(*node)) {
                out.push(Effect::Read { number, table: KEYS, key: node.0.to_vec() });
            }
        }
    }

    /// A key is wanted though no claim waits for it.
    pub(super) fn seek_key(&mut self, node: NodeId) -> Option<Effect> {
        if self.sought.len() < SOUGHT {
            self.sought.insert(node);
        }
        let number = self.reading.begin(Purpose::Key(node))?;
        Some(Effect::Read { number, table: KEYS, key: node.0.to_vec() })
    }

    fn is_wanted(&self, lack: &Lack) -> bool {
        let sought = match lack {
            Lack::Key(node) => self.sought.contains(node),
            Lack::Deposit(_) | Lack::Certificate(_) | Lack::Order(_) => false,
        };
        sought || self.intake.lacks(lack)
    }

    /// Something is asked for that is still lacking.
    pub(super) fn ask(&self, lack: Lack, out: &mut impl Sink<Effect>) {
        if !self.is_wanted(&lack) {
            return;
        }
        out.push(match lack {
            Lack::Key(node) => Effect::WantKey(node),
            Lack::Deposit(key) => Effect::Want(StoreId::CERTIFICATES, question_about(key.a(), key.b())),
            Lack::Certificate(order) => Effect::Want(StoreId::CERTIFICATES, certificate_id(&order)),
            Lack::Order(order) => Effect::Want(StoreId::CERTIFICATES, ItemId(order.0)),
        });
    }

    /// A neighbour asked what is certified between two: all orders of both, and how channels between them were closed.
    pub(super) fn asked(
        &mut self,
        by: Neighbour,
        store: StoreId,
        ids: &[ItemId],
        out: &mut impl Sink<Effect>,
    ) {
        self.pass_questions(store, ids, out);
        if store == StoreId::SETTLEMENTS {
            return self.asked_of_accounts(by, ids, out);
        }
        if store != StoreId::CERTIFICATES {
            return;
        }
        let mut answer: Vec<ItemId> = Vec::new();
        for ItemId(id) in ids {
            let (halves, _) = id.as_chunks::<16>();
            let [a, b] = halves else { continue };
            answer.extend(self.about(NodeId(*a), NodeId(*b)).take(ANSWER));
            self.page_between(NodeId(*a), NodeId(*b), out);
        }
        answer.truncate(ANSWER);
        if !answer.is_empty() {
            out.push(Effect::Answered { store, to: by, ids: answer });
        }
    }

    /// A neighbour asked for all settlements of accounts.
    fn asked_of_accounts(&mut self, by: Neighbour, ids: &[ItemId], out: &mut impl Sink<Effect>) {
        let mut answer: Vec<ItemId> = Vec::new();
        for id in ids {
            let (halves, _) = id.0.as_chunks::<16>();
            let [node, _] = halves else { continue };
            if *id != question_of(NodeId(*node)) {
                continue;
            }
            let spots: Vec<Spot> = self.known.books.channels_of(&NodeId(*node)).flat_map(paid).collect();
            let names = spots.iter().filter_map(|spot| self.shown.between(*spot, *spot).next());
            answer.extend(names.take(ANSWER));
            self.page_spots(spots, out);
        }
        answer.sort_unstable();
        answer.dedup();
        answer.truncate(ANSWER);
        if !answer.is_empty() {
            out.push(Effect::Answered { store: StoreId::SETTLEMENTS, to: by, ids: answer });
        }
    }

    fn about(&self, a: NodeId, b: NodeId) -> impl Iterator<Item = ItemId> {
        let channels = |id| ChannelKey::new(a, b, id);
        let ends = channels([0; 16]).zip(channels([u8::MAX; 16]));
        let closes = ends.into_iter().flat_map(|(first, last)| {
            let orders = self.shown.between(Spot::Close(first, Side::A), Spot::Close(last, Side::B));
            let (first, last) =
                (Spot::CloseCertificate(first, Side::A), Spot::CloseCertificate(last, Side::B));
            orders.chain(self.shown.between(first, last))
        });
        let orders = [a, b].into_iter().flat_map(|owner| {
            let orders = self.shown.between(Spot::Order(owner, 0), Spot::Order(owner, u32::MAX));
            let (first, last) = (Spot::OrderCertificate(owner, 0), Spot::OrderCertificate(owner, u32::MAX));
            orders.chain(self.shown.between(first, last))
        });
        closes.chain(orders)
    }
}
