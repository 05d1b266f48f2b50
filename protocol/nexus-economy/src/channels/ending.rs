//! Settlements, the end by consent, and the end by one side alone. Source: spec/economy.md#settlement, spec/economy.md#closing.
//!
//! An offer to settle or to close can be taken at any later time, so whoever has made one proposes nothing until it is taken:
//! all that may happen meanwhile is that the other is paid more, and then the old offer is the worse one for it.

use alloc::vec::Vec;

use nexus_wire::nexus::channel::{ChannelBody, SettlementBody};
use nexus_wire::nexus::channel_messages::CloseStage;

use super::account::{Account, Agreed, Answer, Letter, Own, Phase, Step, Wish, Word};
use super::figures;
use super::keys::{Both, Keys, Signed};

/// How long a higher state is waited for after one side closed alone, in rounds of a minute.
pub const WINDOW: u64 = 2_880;
/// How long a channel may rest before either side closes it: four epochs of a week, in rounds.
pub const ABANDONED: u64 = 4 * 10_080;

impl<S: Clone + Eq> Account<S> {
    /// The owner wants a settlement.
    #[must_use]
    pub fn settle<K: Keys<Sig = S>>(&self, keys: &K) -> Step<S> {
        if self.phase != Phase::Open || self.settlement().is_none() {
            return Step::word(Word::NothingToSettle);
        }
        self.wishing(keys, Wish::Settle)
    }

    /// The owner wants the channel to end, with the other's consent, once what it won is paid.
    #[must_use]
    pub fn close<K: Keys<Sig = S>>(&self, keys: &K) -> Step<S> {
        match self.phase {
            Phase::Open | Phase::AwaitingSettled { .. } => self.wishing(keys, Wish::Close),
            Phase::AwaitingResume
            | Phase::AwaitingClose { .. }
            | Phase::AwaitingWindow { .. }
            | Phase::Closed { .. } => Step::nothing(),
        }
    }

    /// The owner closes alone, on the latest state that both signed.
    #[must_use]
    pub fn dispute(&self, round: u64) -> Step<S> {
        match self.phase {
            Phase::AwaitingWindow { .. } | Phase::Closed { .. } => return Step::nothing(),
            Phase::Open
            | Phase::AwaitingResume
            | Phase::AwaitingSettled { .. }
            | Phase::AwaitingClose { .. } => {}
        }
        let mut next = self.clone();
        next.phase = Phase::AwaitingWindow { since: round };
        next.wish = Wish::Nothing;
        let letters = Vec::from([next.latest(Answer::Wanted)]);
        let words = Vec::from([Word::Disputed(next.agreed.clone())]);
        Step { next: Some(next), letters, words }
    }

    /// A round has come: the window may be over, or the channel abandoned.
    #[must_use]
    pub fn round(&self, round: u64) -> Step<S> {
        match self.phase {
            Phase::AwaitingWindow { since } if round >= since.saturating_add(WINDOW) => {
                self.reckoned().map_or(Step::nothing(), |body| self.closed(body, None))
            }
            Phase::Open
            | Phase::AwaitingResume
            | Phase::AwaitingSettled { .. }
            | Phase::AwaitingClose { .. }
                if round >= self.updated.saturating_add(ABANDONED) =>
            {
                self.dispute(round)
            }
            Phase::Open
            | Phase::AwaitingResume
            | Phase::AwaitingSettled { .. }
            | Phase::AwaitingClose { .. }
            | Phase::AwaitingWindow { .. }
            | Phase::Closed { .. } => Step::nothing(),
        }
    }

    /// The other proposes a settlement.
    #[must_use]
    pub fn asked_to_settle<K: Keys<Sig = S>>(&self, keys: &K, body: &SettlementBody, sig: &S) -> Step<S> {
        if let Some(settled) = self.settled.as_ref().filter(|settled| settled.body == *body) {
            return Step::letter(Letter::Settled(settled.clone()));
        }
        match self.phase {
            Phase::Open | Phase::AwaitingSettled { .. } | Phase::AwaitingClose { .. } => {}
            Phase::AwaitingResume | Phase::AwaitingWindow { .. } | Phase::Closed { .. } => {
                return Step::letter(self.latest(Answer::Unwanted));
            }
        }
        if body.final_sequence != self.agreed.body.sequence {
            return Step::letter(self.latest(Answer::Wanted));
        }
        let what = Signed::Settlement(*body);
        if self.settlement() != Some(*body) {
            // The two reckon from different settlements: the later one is shown, if it is here.
            return self.settled.clone().map_or(Step::nothing(), |held| Step::letter(Letter::Settled(held)));
        }
        if !keys.verify(self.side().other(), &what, sig) {
            return Step::nothing();
        }
        let record = Agreed { body: *body, sigs: Both::of(self.side(), keys.sign(&what), sig.clone()) };
        let mut step = self.settled_with(keys, record.clone());
        step.letters.insert(0, Letter::Settled(record));
        step
    }

    /// The other shows a settlement that both signed.
    #[must_use]
    pub fn shown_settled<K: Keys<Sig = S>>(&self, keys: &K, record: Agreed<SettlementBody, S>) -> Step<S> {
        let ours = self.settled.as_ref().map(|held| held.body);
        if ours == Some(record.body) {
            return Step::nothing();
        }
        let (paid_a, paid_b) = ours.map_or((0, 0), |body| (body.paid_a, body.paid_b));
        if record.body.paid_a < paid_a || record.body.paid_b < paid_b {
            return self.settled.clone().map_or(Step::nothing(), |held| Step::letter(Letter::Settled(held)));
        }
        let names = self.names(record.body.channel, record.body.party_a, record.body.party_b);
        if !names || !record.verifies(keys, |body| Signed::Settlement(*body)) {
            return Step::nothing();
        }
        self.settled_with(keys, record)
    }

    fn settled_with<K: Keys<Sig = S>>(&self, keys: &K, record: Agreed<SettlementBody, S>) -> Step<S> {
        let mut next = self.clone();
        next.settled = Some(record.clone());
        if matches!(self.phase, Phase::AwaitingSettled { .. }) {
            next.phase = Phase::Open;
        }
        let mut letters: Vec<_> = next.offer_again(keys).into_iter().collect();
        letters.extend(next.advance(keys));
        Step { next: Some(next), letters, words: Vec::from([Word::Settled(record)]) }
    }

    /// The other proposes the end, or has agreed to it.
    #[must_use]
    pub fn asked_to_close<K: Keys<Sig = S>>(
        &self,
        keys: &K,
        body: &SettlementBody,
        sig: &S,
        stage: CloseStage,
    ) -> Step<S> {
        if let Phase::Closed { body: last, sigs: Some(_) } = &self.phase {
            let wanted = stage == CloseStage::Proposed && last == body;
            return self.agreed_close().filter(|_| wanted).map_or(Step::nothing(), Step::letter);
        }
        if body.final_sequence != self.agreed.body.sequence {
            return Step::letter(self.latest(Answer::Wanted));
        }
        match (&self.phase, &self.own) {
            // What both agreed to is the end, also for whoever forgot that.
            (Phase::AwaitingResume, _) if stage == CloseStage::Agreed => {}
            (Phase::Closed { .. } | Phase::AwaitingWindow { .. } | Phase::AwaitingResume, _) => {
                return Step::letter(self.latest(Answer::Unwanted));
            }
            // What was won is paid before the end.
            (_, Own::AwaitingTurn(_) | Own::AwaitingCosign { .. }) => return self.again(keys),
            (Phase::Open | Phase::AwaitingSettled { .. } | Phase::AwaitingClose { .. }, Own::AwaitingWin) => {
            }
        }
        let what = Signed::Close(*body);
        if self.reckoned() != Some(*body) {
            return self.settled.clone().map_or(Step::nothing(), |held| Step::letter(Letter::Settled(held)));
        }
        if !keys.verify(self.side().other(), &what, sig) {
            return Step::nothing();
        }
        let own_sig = keys.sign(&what);
        let sigs = Both::of(self.side(), own_sig.clone(), sig.clone());
        let mut step = self.closed(*body, Some(sigs));
        if stage == CloseStage::Proposed {
            step.letters.push(Letter::Close { body: *body, sig: own_sig, stage: CloseStage::Agreed });
        }
        step
    }

    /// What was agreed of the end, if both did.
    pub(super) fn agreed_close(&self) -> Option<Letter<S>> {
        let Phase::Closed { body, sigs: Some(sigs) } = &self.phase else { return None };
        Some(Letter::Close { body: *body, sig: sigs.get(self.side()).clone(), stage: CloseStage::Agreed })
    }

    fn closed(&self, body: SettlementBody, sigs: Option<Both<S>>) -> Step<S> {
        let mut next = self.clone();
        next.phase = Phase::Closed { body, sigs: sigs.clone() };
        next.wish = Wish::Nothing;
        next.own = Own::AwaitingWin;
        let state = next.agreed.clone();
        Step { next: Some(next), letters: Vec::new(), words: Vec::from([Word::Closed { state, body, sigs }]) }
    }

    fn wishing<K: Keys<Sig = S>>(&self, keys: &K, wish: Wish) -> Step<S> {
        let mut next = self.clone();
        next.wish = wish;
        let letters = if self.phase == Phase::Open { next.advance(keys) } else { Vec::new() };
        Step { next: Some(next), letters, words: Vec::new() }
    }

    pub(super) fn begin_settling<K: Keys<Sig = S>>(&mut self, keys: &K) -> Option<Letter<S>> {
        if self.phase != Phase::Open {
            return None;
        }
        self.wish = Wish::Nothing;
        let body = self.settlement()?;
        let sig = keys.sign(&Signed::Settlement(body));
        self.phase = Phase::AwaitingSettled { body, sig: sig.clone() };
        Some(Letter::Settle { body, sig })
    }

    pub(super) fn begin_closing<K: Keys<Sig = S>>(&mut self, keys: &K) -> Option<Letter<S>> {
        if self.phase != Phase::Open {
            return None;
        }
        let body = self.reckoned()?;
        self.wish = Wish::Nothing;
        let sig = keys.sign(&Signed::Close(body));
        self.phase = Phase::AwaitingClose { body, sig: sig.clone() };
        Some(Self::close_letter(body, sig))
    }

    /// What was offered, on the state and the settlement that hold, if they are others than it was offered on.
    pub(super) fn offer_again<K: Keys<Sig = S>>(&mut self, keys: &K) -> Option<Letter<S>> {
        match &self.phase {
            Phase::AwaitingSettled { .. } => {
                self.phase = Phase::Open;
                self.begin_settling(keys)
            }
            Phase::AwaitingClose { .. } => {
                self.phase = Phase::Open;
                self.begin_closing(keys)
            }
            Phase::Open | Phase::AwaitingResume | Phase::AwaitingWindow { .. } | Phase::Closed { .. } => None,
        }
    }

    pub(super) const fn close_letter(body: SettlementBody, sig: S) -> Letter<S> {
        Letter::Close { body, sig, stage: CloseStage::Proposed }
    }

    /// What a settlement would say, if one says more than the last: what was paid, as far as certified deposits cover it.
    #[must_use]
    pub fn settlement(&self) -> Option<SettlementBody> {
        figures::settlement(&self.agreed.body, &self.terms.brought, &self.certified, self.before())
    }

    /// Whether a settlement would add to what this party is paid.
    #[must_use]
    pub fn is_owed(&self) -> bool {
        let from_other =
            |body: &SettlementBody| *Both { a: body.paid_a, b: body.paid_b }.get(self.side().other());
        let settled = self.before().map_or(0, from_other);
        self.phase == Phase::Open && self.settlement().is_some_and(|body| from_other(&body) > settled)
    }

    fn reckoned(&self) -> Option<SettlementBody> {
        figures::reckoned(&self.agreed.body, &self.terms.brought, &self.certified, self.before())
    }

    fn before(&self) -> Option<&SettlementBody> {
        self.settled.as_ref().map(|settled| &settled.body)
    }

    /// Whether something names this channel and its parties.
    pub(super) fn names(
        &self,
        channel: nexus_wire::nexus::channel::ChannelId,
        party_a: nexus_crypto::NodeId,
        party_b: nexus_crypto::NodeId,
    ) -> bool {
        let ChannelBody { channel: own, party_a: own_a, party_b: own_b, .. } = self.agreed.body;
        (own, own_a, own_b) == (channel, party_a, party_b)
    }
}
