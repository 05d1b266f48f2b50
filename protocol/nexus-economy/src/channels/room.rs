//! Room for later deposits: how what is put into a channel that stands can be spent there, though the sum of a channel's balances never changes.
//!
//! A deposit is spendable as far as it is certified. So a party that keeps books declares, when a channel is opened, more than it deposits
//! at first: by [`ROOM`]. That moves no money and costs nobody anything, since nothing of it counts before witnesses certify it; each
//! top-up that they certify later makes as much more of the first balance spendable. Neither a state nor a message is needed for it, and
//! whatever is reckoned from the first state (settlements, the course shown to witnesses) stays as it is. Source: spec/economy.md#top-ups.

use super::account::{Account, Phase, Step, Word};
use super::keys::{Both, Keys};
use crate::money::Amount;

/// How much may be deposited later, beyond what a party deposits at first: 10¹⁶ µNXS. Two of it and two lines of half of all there can be
/// fit a u64.
pub const ROOM: Amount = Amount::from_micros(10_000_000_000_000_000);

/// What a party deposits at first that declared this.
#[must_use]
pub fn at_first(declared: Amount) -> Amount {
    declared.checked_sub(ROOM).unwrap_or(declared)
}

impl<S: Clone + Eq> Account<S> {
    /// So much of either deposit is certified: more of the balances is spendable, and what was offered of a settlement is offered as it is
    /// reckoned from that, or the other, who reckons so, would never take it. Nothing follows from what is known, nor once the channel is closed.
    #[must_use]
    pub fn certify<K: Keys<Sig = S>>(&self, keys: &K, deposits: &Both<Amount>) -> Step<S> {
        if !self.learns_from(deposits) {
            return Step::nothing();
        }
        let mut next = Self { certified: self.with(deposits), ..self.clone() };
        let letters = next.offer_again(keys).into_iter().collect();
        Step { next: Some(next), letters, words: [Word::Certified].into() }
    }

    /// Whether anything follows from so much of either deposit being certified.
    #[must_use]
    pub fn learns_from(&self, deposits: &Both<Amount>) -> bool {
        self.with(deposits) != self.certified && !matches!(self.phase, Phase::Closed { .. })
    }

    fn with(&self, deposits: &Both<Amount>) -> Both<Amount> {
        Both { a: self.certified.a.max(deposits.a), b: self.certified.b.max(deposits.b) }
    }
}
