//! Wins become states: lanes, turns, proposals and co-signing. Source: spec/economy.md#updates.
//!
//! Why nobody ever has to choose between two states with one base: the lower id, while its own proposal is outstanding, ignores
//! the other's; the higher drops its own when it countersigns the lower's, and from then on the lower has another base. A
//! refusal is durable before it is sent, so what was refused is never signed after all.

use alloc::vec::Vec;

use nexus_wire::nexus::channel_messages::RefuseCode;

use super::account::{
    Account, Agreed, Answer, Claim, FARTHEST, LAST_NUMBER, Letter, Own, Phase, Step, Win, Wish, Word,
};
use super::figures::paid;
use super::keys::{Both, Keys, Side, Signed};
use crate::money::Amount;

impl<S: Clone + Eq> Account<S> {
    /// This party won: it proposes at once. `None` if it has another win to be paid before.
    #[must_use]
    pub fn win<K: Keys<Sig = S>>(&self, keys: &K, win: Win) -> Option<Step<S>> {
        if self.own != Own::AwaitingWin {
            return None;
        }
        let mut next = match self.with_win(win.clone()) {
            Ok(next) => next,
            Err(code) => return Some(Step::word(Word::Refused(win, code))),
        };
        let letters = next.advance(keys);
        Some(Step { next: Some(next), letters, words: Vec::new() })
    }

    /// The account with a win that awaits its turn; or why there cannot be one.
    ///
    /// # Errors
    /// [`RefuseCode::CLOSING`] if nothing is updated any more, [`RefuseCode::FUNDS`] if the other has not so much.
    pub fn with_win(&self, win: Win) -> Result<Self, RefuseCode> {
        match self.phase {
            Phase::AwaitingClose { .. } | Phase::AwaitingWindow { .. } | Phase::Closed { .. } => {
                return Err(RefuseCode::CLOSING);
            }
            Phase::Open | Phase::AwaitingResume | Phase::AwaitingSettled { .. } => {}
        }
        if win.reward == Amount::ZERO || win.reward > self.spendable(self.side().other()) {
            return Err(RefuseCode::FUNDS);
        }
        Ok(Self { own: Own::AwaitingTurn(win), ..self.clone() })
    }

    /// Begins whatever is due and was not begun: a wish, else the proposal that awaits its turn.
    pub(super) fn advance<K: Keys<Sig = S>>(&mut self, keys: &K) -> Vec<Letter<S>> {
        let began = match (self.wish, &self.own) {
            (Wish::Settle, Own::AwaitingWin | Own::AwaitingTurn(_)) => self.begin_settling(keys),
            (Wish::Close, Own::AwaitingWin) => self.begin_closing(keys),
            (Wish::Nothing | Wish::Settle | Wish::Close, _) => None,
        };
        if let Some(letter) = began {
            return Vec::from([letter]);
        }
        let before = self.used;
        self.propose(keys);
        let proposed = if self.used == before { None } else { self.proposal() };
        proposed.map(Letter::Claim).into_iter().collect()
    }

    /// What is to be done with the other's claim, whatever it is worth. `None` if the lottery is to say that, and then
    /// [`Account::countersign`] or [`Account::refuse`].
    #[must_use]
    pub fn look(&self, claim: &Claim<S>) -> Option<Step<S>> {
        let agreed = &self.agreed;
        let peer = self.side().other();
        let refuse = |code| Some(Step::letter(Letter::Refuse { sequence: claim.sequence, code }));
        if claim.sequence == agreed.body.sequence && claim.sig == *agreed.sigs.get(peer) {
            return Some(Step::letter(self.cosign_of_agreed()));
        }
        if claim.sequence <= agreed.body.sequence {
            return Some(Step::letter(self.latest(Answer::Unwanted)));
        }
        let farthest = agreed.body.sequence.max(self.floor).saturating_add(FARTHEST).min(LAST_NUMBER);
        if !peer.has_lane_of(claim.sequence) || claim.sequence <= self.floor || claim.sequence >= farthest {
            return refuse(RefuseCode::SEQUENCE);
        }
        if claim.base_sequence != agreed.body.sequence {
            let ahead = claim.base_sequence > agreed.body.sequence;
            let answer = if ahead { Answer::Wanted } else { Answer::Unwanted };
            return Some(Step::letter(self.latest(answer)));
        }
        match (&self.phase, &self.own, self.side()) {
            (Phase::Closed { .. } | Phase::AwaitingWindow { .. } | Phase::AwaitingResume, _, _) => {
                Some(Step::letter(self.latest(Answer::Unwanted)))
            }
            (_, Own::AwaitingCosign { .. }, Side::A) => Some(Step::nothing()),
            (Phase::Open | Phase::AwaitingSettled { .. } | Phase::AwaitingClose { .. }, _, _) => None,
        }
    }

    /// The acknowledgement of the latest state, if the other proposed it, with this party's own proposal on top.
    pub(super) fn cosign_of_agreed(&self) -> Letter<S> {
        Letter::Cosign {
            sequence: self.agreed.body.sequence,
            sig: self.agreed.sigs.get(self.side()).clone(),
            carried: self.proposal(),
        }
    }

    /// The lottery says what the other's claim is worth: it is paid, unless it is not covered or not signed by the other.
    #[must_use]
    pub fn countersign<K: Keys<Sig = S>>(&self, keys: &K, claim: &Claim<S>, win: Win, round: u64) -> Step<S> {
        if let Some(step) = self.look(claim) {
            return step;
        }
        let (own, peer) = (self.side(), self.side().other());
        let covered = win.reward <= self.spendable(own);
        let body = paid(&self.agreed.body, peer, win.reward, claim.sequence).filter(|_| covered);
        let Some(body) = body else { return self.refuse(claim, RefuseCode::FUNDS) };
        let what = Signed::State(body);
        if !keys.verify(peer, &what, &claim.sig) {
            return self.refuse(claim, RefuseCode::SIGNATURE);
        }
        let mut next = self.clone();
        next.agreed = Agreed { body, sigs: Both::of(own, keys.sign(&what), claim.sig.clone()) };
        next.updated = round;
        if let Own::AwaitingCosign { win, .. } = &self.own {
            next.own = Own::AwaitingTurn(win.clone());
        }
        // What was offered is offered again on the state that follows: it is more for the other, so that nothing is gained by
        // taking the old offer.
        let offered = next.offer_again(keys);
        let carried_or_wish = next.advance(keys);
        let others = carried_or_wish.into_iter().filter(|letter| !matches!(letter, Letter::Claim(_)));
        let letters = [next.cosign_of_agreed()].into_iter().chain(offered).chain(others).collect();
        let words = Vec::from([Word::Agreed(next.agreed.clone()), Word::Paid(win)]);
        Step { next: Some(next), letters, words }
    }

    /// The other's claim is refused, and so is every number up to its own: for ever, since its sender may count on that.
    #[must_use]
    pub fn refuse(&self, claim: &Claim<S>, code: RefuseCode) -> Step<S> {
        if let Some(step) = self.look(claim) {
            return step;
        }
        let mut next = self.clone();
        next.floor = next.floor.max(claim.sequence);
        let letters = Vec::from([Letter::Refuse { sequence: claim.sequence, code }]);
        Step { next: Some(next), letters, words: Vec::new() }
    }

    /// The other signed the state with `sequence`. Whoever handles the letter then handles what it carries, before it proposes
    /// again; only if it carries nothing does this party go on at once.
    #[must_use]
    pub fn cosigned<K: Keys<Sig = S>>(
        &self,
        keys: &K,
        sequence: u64,
        sig: &S,
        carried: Option<&Claim<S>>,
        round: u64,
    ) -> Step<S> {
        let Own::AwaitingCosign { win, body, sig: own_sig } = &self.own else { return Step::nothing() };
        let (own, peer) = (self.side(), self.side().other());
        if body.sequence != sequence || !keys.verify(peer, &Signed::State(*body), sig) {
            return Step::nothing();
        }
        let mut next = self.clone();
        next.agreed = Agreed { body: *body, sigs: Both::of(own, own_sig.clone(), sig.clone()) };
        next.updated = round;
        next.own = Own::AwaitingWin;
        let letters = if carried.is_some() { Vec::new() } else { next.advance(keys) };
        let words = Vec::from([Word::Agreed(next.agreed.clone()), Word::Accepted(win.clone())]);
        Step { next: Some(next), letters, words }
    }

    /// The other will never sign the state with `sequence`. A number that was refused for its own sake is replaced when the
    /// proposal is next repeated; everything else is told to the lottery.
    #[must_use]
    pub fn refused<K: Keys<Sig = S>>(&self, keys: &K, sequence: u64, code: RefuseCode) -> Step<S> {
        let Own::AwaitingCosign { win, body, .. } = &self.own else { return Step::nothing() };
        if body.sequence != sequence {
            return Step::nothing();
        }
        let mut next = self.clone();
        if code == RefuseCode::SEQUENCE {
            next.own = Own::AwaitingTurn(win.clone());
            return Step::to(next);
        }
        next.own = Own::AwaitingWin;
        let letters = next.advance(keys);
        Step { next: Some(next), letters, words: Vec::from([Word::Refused(win.clone(), code)]) }
    }

    /// What is repeated until it is answered, and what awaited its turn.
    #[must_use]
    pub fn again<K: Keys<Sig = S>>(&self, keys: &K) -> Step<S> {
        let settling = match &self.phase {
            Phase::Open | Phase::AwaitingWindow { .. } | Phase::Closed { .. } => None,
            Phase::AwaitingResume => Some(self.latest(Answer::Wanted)),
            Phase::AwaitingSettled { body, sig } => Some(Letter::Settle { body: *body, sig: sig.clone() }),
            Phase::AwaitingClose { body, sig } => Some(Self::close_letter(*body, sig.clone())),
        };
        let proposal = self.proposal().map(|claim| {
            let by_peer = self.side().other().has_lane_of(self.agreed.body.sequence);
            let is_first = self.agreed.body.sequence == 0;
            if by_peer && !is_first { self.cosign_of_agreed() } else { Letter::Claim(claim) }
        });
        let mut letters: Vec<_> = settling.into_iter().chain(proposal).collect();
        if !letters.is_empty() {
            return Step { next: None, letters, words: Vec::new() };
        }
        let mut next = self.clone();
        letters = next.advance(keys);
        let changed = next != *self;
        Step { next: changed.then_some(next), letters, words: Vec::new() }
    }
}
