//! States join by sequence, always: what a party missed, and what it forgot. Source: spec/economy.md#resuming.

use alloc::vec::Vec;

use super::account::{
    Account, Answer, FARTHEST, LAST_NUMBER, Latest, Own, Phase, Standing, Step, Wish, Word,
};
use super::keys::{Both, Keys, Signed};

/// What a party that forgot skips, at least: more numbers than it can have used since its backup was made.
pub const LEAST_SKIP: u64 = 1 << 32;
/// What it skips, at most. How much is drawn, so that two restorations of one backup do not meet.
pub const LARGEST_SKIP: u64 = 1 << 40;

/// How many numbers to leave out, should it turn out that some were forgotten: between [`LEAST_SKIP`] and [`LARGEST_SKIP`],
/// drawn anew for each step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Skip(pub u64);

impl<S: Clone + Eq> Account<S> {
    /// The account comes from a backup, or of a disk that fell back: what was signed since is unknown. Nothing is signed before
    /// the other has answered, and no number is used or countersigned that may have been.
    #[must_use]
    pub fn forgot(&self, skip: Skip) -> Step<S> {
        match self.phase {
            Phase::AwaitingWindow { .. } | Phase::Closed { .. } => return Step::nothing(),
            Phase::Open
            | Phase::AwaitingResume
            | Phase::AwaitingSettled { .. }
            | Phase::AwaitingClose { .. } => {}
        }
        let mut next = self.clone();
        let above = self.used.max(self.floor).max(self.agreed.body.sequence).saturating_add(skip.0);
        let above = above.min(LAST_NUMBER);
        next.used = above;
        next.floor = above;
        next.own = Own::AwaitingWin;
        next.phase = Phase::AwaitingResume;
        next.wish = Wish::Nothing;
        let letters = Vec::from([next.latest(Answer::Wanted)]);
        Step { next: Some(next), letters, words: Vec::from([Word::Forgot]) }
    }

    /// The link is up: both show what they have.
    #[must_use]
    pub fn link_up(&self) -> Step<S> {
        match self.phase {
            Phase::Closed { .. } => Step::nothing(),
            Phase::Open
            | Phase::AwaitingResume
            | Phase::AwaitingSettled { .. }
            | Phase::AwaitingClose { .. }
            | Phase::AwaitingWindow { .. } => Step::letter(self.latest(Answer::Wanted)),
        }
    }

    /// A state that both signed is shown: by the other, or (with nothing seen of numbers) by anybody at all.
    #[must_use]
    pub fn shown<K: Keys<Sig = S>>(&self, keys: &K, latest: &Latest<S>, skip: Skip, round: u64) -> Step<S> {
        let body = &latest.state.body;
        if !self.names(body.channel, body.party_a, body.party_b) {
            return Step::nothing();
        }
        let mut step = if body.sequence > self.agreed.body.sequence {
            self.shown_higher(keys, latest, skip, round)
        } else {
            Step::nothing()
        };
        let mut next = step.next.take().unwrap_or_else(|| self.clone());
        let answered = next.heed(keys, latest, skip, &mut step, round);
        let behind = body.sequence < self.agreed.body.sequence || next.agreed.body.sequence > body.sequence;
        if answered && (behind || latest.answer == Answer::Wanted) {
            step.letters.insert(0, next.latest(Answer::Unwanted));
            // Whoever forgot that both closed the channel is shown that too.
            step.letters.extend(next.agreed_close().filter(|_| latest.answer == Answer::Wanted));
        }
        if next != *self {
            step.next = Some(next);
        }
        step
    }

    /// The state is higher than the known one: this party signed it, so it holds.
    fn shown_higher<K: Keys<Sig = S>>(
        &self,
        keys: &K,
        latest: &Latest<S>,
        skip: Skip,
        round: u64,
    ) -> Step<S> {
        if matches!(self.phase, Phase::Closed { .. })
            || !latest.state.verifies(keys, |body| Signed::State(*body))
        {
            return Step::nothing();
        }
        let state = latest.state.clone();
        let mut words = Vec::from([Word::Agreed(state.clone())]);
        let mut next = self.clone();
        next.agreed = state.clone();
        next.updated = round;
        let proposed = match &self.own {
            Own::AwaitingCosign { win, body, .. } if *body == state.body => Some(win.clone()),
            Own::AwaitingCosign { .. } | Own::AwaitingTurn(_) | Own::AwaitingWin => None,
        };
        if let Some(win) = proposed {
            words.push(Word::Accepted(win));
            next.own = Own::AwaitingWin;
            let mut letters: Vec<_> = next.offer_again(keys).into_iter().collect();
            letters.extend(next.advance(keys));
            return Step { next: Some(next), letters, words };
        }
        if matches!(self.phase, Phase::AwaitingWindow { .. }) {
            next.own = Own::AwaitingWin;
            words.push(Word::Disputed(state));
            return Step { next: Some(next), letters: Vec::new(), words };
        }
        if self.phase == Phase::AwaitingResume {
            return Step { next: Some(next), letters: Vec::new(), words };
        }
        // This party signed what it does not know of: its disk fell back.
        let mut step = next.forgot(skip);
        words.append(&mut step.words);
        step.words = words;
        step
    }

    /// What the other says of itself and of numbers. Whether an answer may be given by the same rules as ever.
    fn heed<K: Keys<Sig = S>>(
        &mut self,
        keys: &K,
        latest: &Latest<S>,
        skip: Skip,
        step: &mut Step<S>,
        round: u64,
    ) -> bool {
        let (own, peer) = (self.side(), self.side().other());
        let near = self.agreed.body.sequence.max(self.used).saturating_add(FARTHEST).min(LAST_NUMBER);
        let (of_own, of_peer) = (*latest.highest.get(own), *latest.highest.get(peer));
        match latest.standing {
            Standing::Resumed if of_own < near && of_peer < near => {
                step.words.push(Word::OtherForgot);
                self.used = self.used.max(of_own);
                self.floor = self.floor.max(of_peer);
                if let Own::AwaitingCosign { win, body, .. } = &self.own
                    && body.sequence <= of_own
                {
                    self.own = Own::AwaitingTurn(win.clone());
                    step.letters.extend(self.advance(keys));
                }
            }
            Standing::Resumed => return false,
            Standing::Disputed => {
                let disputed = self.dispute(round);
                if let Some(next) = disputed.next {
                    *self = next;
                    step.words.extend(disputed.words);
                }
            }
            Standing::Sound => {}
        }
        if self.phase == Phase::AwaitingResume {
            if of_own >= self.used {
                // The other may have ruled out more than this party skipped: nothing up to there is ever countersigned.
                self.used = if of_own < near { of_own } else { self.used };
                self.phase = Phase::Open;
                step.letters.extend(self.advance(keys));
            }
        } else if of_own > self.used && of_own < near && latest.standing == Standing::Sound {
            // It has seen numbers of this party's that this party does not know of.
            self.used = of_own;
            let forgot = self.forgot(skip);
            if let Some(next) = forgot.next {
                *self = next;
                step.letters.extend(forgot.letters);
                step.words.extend(forgot.words);
            }
        }
        true
    }

    /// Anybody shows a state: a higher one holds, a lower one is answered with this party's for whoever asked.
    #[must_use]
    pub fn shown_by_anybody<K: Keys<Sig = S>>(
        &self,
        keys: &K,
        state: super::account::Agreed<nexus_wire::nexus::channel::ChannelBody, S>,
        skip: Skip,
        round: u64,
    ) -> Step<S> {
        if state.body.sequence < self.agreed.body.sequence {
            return Step::word(Word::Outdated(self.agreed.clone()));
        }
        let highest = Both::default();
        let latest = Latest { state, highest, standing: Standing::Sound, answer: Answer::Unwanted };
        self.shown(keys, &latest, skip, round)
    }
}
