//! What neighbours say, and what it costs them.

use alloc::vec::Vec;

use nexus_machine::{Cx, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::gossip::{Done, Form, ItemId, Items, Request, Slice, StateHash, StoreId, Summary};
use nexus_wire::nexus::message::MessageKind;

use super::index::Stock;
use super::neighbour::Neighbour;
use super::refusals::Refused;
use super::{Effect, Gossip};
use crate::links::LinkId;

impl Gossip {
    /// A neighbour said something.
    pub(super) fn heard(
        &mut self,
        cx: Cx,
        link: LinkId,
        kind: MessageKind,
        body: &[u8],
        out: &mut impl Sink<Effect>,
    ) {
        if !self.neighbours.contains_key(&link) {
            return;
        }
        let read = match kind {
            MessageKind::SUMMARY => {
                Summary::decode(body).map(|summary| self.summary(cx, link, &summary, out))
            }
            MessageKind::REQUEST => {
                Request::decode(body).map(|request| self.request(cx, link, &request, out))
            }
            MessageKind::ITEMS => Items::decode(body).map(|items| self.items(cx, link, &items, out)),
            _ => Done::decode(body).map(|done| self.done(cx, link, done, out)),
        };
        if read.is_err() {
            self.refusals.count(Refused::malformed);
        }
        self.speak(cx, link, out);
    }

    /// What a neighbour holds: it is owed what it lacks, of that what it was not sent of late.
    fn summary(&mut self, cx: Cx, link: LinkId, summary: &Summary<'_>, out: &mut impl Sink<Effect>) {
        self.tally.heard.summaries = self.tally.heard.summaries.saturating_add(1);
        let (store, pace) = (summary.store, self.pace_of(link));
        if !self.state_heard(cx, link, store, summary.state_hash) {
            return;
        }
        let (Some(stock), Some(neighbour)) = (self.index.stock(store), self.neighbours.get_mut(&link)) else {
            return;
        };
        if !neighbour.may_be_compared(cx.now) {
            return self.refusals.count(Refused::hasty_summary);
        }
        let Neighbour { talks, owed, sent, .. } = neighbour;
        let talk = talks.entry(store).or_default();
        if summary.form == Form::Bloom && summary.slice == Slice::WHOLE {
            // It shows all that is lacking; a slice or a sketch perhaps some of it.
            owed.forget(store);
        }
        let most = self.limits.owed;
        let may_send = |id: &ItemId| match summary.state_hash {
            // It lets go of items again: each is told once, and once more much later, since a frame may have been lost.
            StateHash::NONE => sent.may_send_to_part(cx.now, pace, id),
            _ => sent.may_send(cx.now, pace, id),
        };
        let lacking = talk.comparison.hear(summary, &stock.own(), most);
        talk.rest = rest(summary, stock, &lacking, most).or(talk.rest);
        for id in lacking.into_iter().filter(|id| may_send(id)) {
            if let Some((age, _)) = stock.get(&id) {
                owed.add(stock.tier(), age, store, id);
            }
        }
        let is_told = talk.said.is_some_and(|(state, _)| state == stock.state());
        talk.closes |= !is_told;
        self.pass_summary(cx.now, link, summary, out);
        self.hasten(cx.now, link);
    }

    /// The state in which a neighbour's store is.
    fn done(&mut self, cx: Cx, link: LinkId, done: Done, out: &mut impl Sink<Effect>) {
        self.tally.heard.states = self.tally.heard.states.saturating_add(1);
        if self.state_heard(cx, link, done.store, done.state_hash) {
            self.pass_state(cx.now, link, done, out);
            self.hasten(cx.now, link);
        }
    }

    /// Notes the state that a neighbour said. Says whether it is another than here.
    fn state_heard(&mut self, cx: Cx, link: LinkId, store: StoreId, state: StateHash) -> bool {
        let (Some(stock), Some(neighbour)) = (self.index.stock(store), self.neighbours.get_mut(&link)) else {
            self.refusals.count(Refused::unknown_store);
            return false;
        };
        if state == StateHash::NONE {
            neighbour.note_part(cx.now, stock.extent());
        }
        let talk = neighbour.talks.entry(store).or_default();
        talk.heard(state);
        if !talk.agrees(stock) {
            return true;
        }
        talk.note_agreement(stock);
        neighbour.owed.forget(store);
        let is_told = talk.said.is_some_and(|(said, _)| said == state);
        if !is_told {
            self.hasten(cx.now, link);
        }
        false
    }

    /// Items by name. What was sent a moment ago is on its way; a name that is none may be a question.
    fn request(&mut self, cx: Cx, link: LinkId, request: &Request<'_>, out: &mut impl Sink<Effect>) {
        self.tally.heard.requests = self.tally.heard.requests.saturating_add(1);
        let (store, pace) = (request.store(), self.pace_of(link));
        let (Some(stock), Some(neighbour)) = (self.index.stock(store), self.neighbours.get_mut(&link)) else {
            return self.refusals.count(Refused::unknown_store);
        };
        let mut questions = Vec::new();
        for id in request.ids() {
            if !neighbour.may_request(cx.now) {
                self.refusals.count(Refused::hasty_request);
                break;
            }
            match stock.get(&id) {
                Some((age, _)) if neighbour.sent.may_repeat(cx.now, pace, &id) => {
                    neighbour.owed.add(stock.tier(), age, store, id);
                }
                Some(_) => {}
                None => questions.push(id),
            }
        }
        if !questions.is_empty() {
            out.push(Effect::Asked { store, by: link, ids: questions });
        }
    }

    /// The items that answer a neighbour's question are owed to it, like those that it asks for by name.
    pub(super) fn answered(
        &mut self,
        cx: Cx,
        store: StoreId,
        to: LinkId,
        ids: &[ItemId],
        out: &mut impl Sink<Effect>,
    ) {
        let pace = self.pace_of(to);
        let (Some(stock), Some(neighbour)) = (self.index.stock(store), self.neighbours.get_mut(&to)) else {
            return;
        };
        for id in ids {
            if let Some((age, _)) = stock.get(id)
                && neighbour.sent.may_repeat(cx.now, pace, id)
            {
                neighbour.owed.add(stock.tier(), age, store, *id);
            }
        }
        self.speak(cx, to, out);
    }

    /// Items are judged by their store, as many as a neighbour may have judged.
    fn items(&mut self, cx: Cx, link: LinkId, items: &Items<'_>, out: &mut impl Sink<Effect>) {
        let store = items.store;
        let (Some(_), Some(neighbour)) = (self.index.stock(store), self.neighbours.get_mut(&link)) else {
            return self.refusals.count(Refused::unknown_store);
        };
        let mut taken = Vec::new();
        for item in items.items() {
            if !neighbour.may_have_judged(cx.now) {
                self.refusals.count(Refused::hasty_item);
                break;
            }
            taken.push(item.to_vec());
        }
        let count = u64::try_from(taken.len()).unwrap_or(u64::MAX);
        self.tally.heard.items = self.tally.heard.items.saturating_add(count);
        if !taken.is_empty() {
            out.push(Effect::Apply { store, from: link, items: taken });
        }
    }

    /// A store judged a neighbour's items.
    pub(super) fn judged(
        &mut self,
        cx: Cx,
        store: StoreId,
        from: LinkId,
        held: &[ItemId],
        bad: usize,
        out: &mut impl Sink<Effect>,
    ) {
        for _ in 0..bad {
            self.refusals.count(Refused::bad_item);
        }
        let (Some(stock), Some(neighbour)) = (self.index.stock(store), self.neighbours.get_mut(&from)) else {
            return;
        };
        neighbour.was_bad(cx.now, bad);
        for id in held {
            neighbour.sent.note_held(cx.now, id);
            if let Some((age, _)) = stock.get(id) {
                neighbour.owed.remove(stock.tier(), age, store, *id);
            }
        }
        neighbour.talks.entry(store).or_default().note_agreement(stock);
        self.speak(cx, from, out);
    }
}

/// Below which age everything is owed: to a newcomer that lacks more than can be owed at once, and holds so little that hardly anything
/// is said in vain.
fn rest(summary: &Summary<'_>, stock: &Stock, lacking: &[ItemId], most: usize) -> Option<u64> {
    let holds_little = summary.count.saturating_mul(4) <= stock.own().count;
    let oldest = lacking.iter().filter_map(|id| stock.get(id)).map(|(age, _)| age).min();
    oldest.filter(|_| holds_little && lacking.len() >= most)
}
