//! One channel that stands, as one of its parties keeps it: what must survive a crash, and nothing else.
//!
//! Every step is a function from an account and what happened to the account that follows, letters and words for siblings. Who
//! drives it writes the account first, and lets letters and words out when that is durable; until then it takes no other
//! step. So a crash loses what nobody has heard of. Spec: spec/economy.md#channels.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_wire::nexus::channel::{ChannelBody, ChannelId, SettlementBody};
use nexus_wire::nexus::channel_messages::{ChannelSlot, CloseStage, RefuseCode};

use super::figures::Brought;
use super::keys::{Both, Keys, Side, Signed};
use crate::money::Amount;

/// How far a number may lie above the state that it follows: more than a party that forgot skips.
pub const FARTHEST: u64 = 1 << 41;
/// Numbers from here on are never used, so that there is always one above.
pub const LAST_NUMBER: u64 = 1 << 63;

/// What both have signed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Agreed<B, S> {
    /// What.
    pub body: B,
    /// Their signatures.
    pub sigs: Both<S>,
}

impl<B, S> Agreed<B, S> {
    /// Whether both signatures verify for what `signed` makes of the body.
    pub fn verifies<K: Keys<Sig = S>>(&self, keys: &K, signed: impl Fn(&B) -> Signed) -> bool {
        let what = signed(&self.body);
        keys.verify(Side::A, &what, &self.sigs.a) && keys.verify(Side::B, &what, &self.sigs.b)
    }
}

/// Something won: why the other pays.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Win {
    /// How much.
    pub reward: Amount,
    /// What the lottery shows for it.
    pub ticket: Ticket,
}

/// What CLAIM says of the lottery. The channel carries it and does not look inside.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ticket {
    /// The first window.
    pub from: u16,
    /// The last window.
    pub w: u16,
    /// The proof, if the terms ask for one.
    pub proof: Option<Box<[u8; 80]>>,
}

/// What a CLAIM proposes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Claim<S> {
    /// Why.
    pub ticket: Ticket,
    /// The state that it changes.
    pub base_sequence: u64,
    /// The number of the state that it makes.
    pub sequence: u64,
    /// The proposer's signature.
    pub sig: S,
}

/// A party's own next payment, by what it awaits.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Own<S> {
    /// A win.
    AwaitingWin,
    /// Its turn to propose.
    AwaitingTurn(Win),
    /// The other's signature.
    AwaitingCosign {
        /// What was won.
        win: Win,
        /// What is proposed on top of the agreed state.
        body: ChannelBody,
        /// This party's signature.
        sig: S,
    },
}

/// What the account waits for, besides wins.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Phase<S> {
    /// Nothing: it is used.
    Open,
    /// The other's STATE, since this party forgot what it may have signed.
    AwaitingResume,
    /// The other's signature on a settlement. Nothing is proposed meanwhile: what is offered can be taken at any time.
    AwaitingSettled {
        /// What was offered.
        body: SettlementBody,
        /// This party's signature.
        sig: S,
    },
    /// The other's signature on the end.
    AwaitingClose {
        /// What was offered.
        body: SettlementBody,
        /// This party's signature.
        sig: S,
    },
    /// The end of the window in which a higher state may appear.
    AwaitingWindow {
        /// The round in which the unilateral close was first seen.
        since: u64,
    },
    /// Nothing ever again.
    Closed {
        /// The last figures.
        body: SettlementBody,
        /// Both signatures, if both agreed to it.
        sigs: Option<Both<S>>,
    },
}

/// What its owner wants as soon as nothing proposed is outstanding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wish {
    /// Nothing.
    Nothing,
    /// To settle.
    Settle,
    /// To close with the other's consent.
    Close,
}

/// What never changes in a channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Terms {
    /// Which channel.
    pub channel: ChannelId,
    /// Which party this is.
    pub side: Side,
    /// What the channel is called on the link.
    pub slot: ChannelSlot,
    /// What both brought.
    pub brought: Brought,
}

/// The account.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Account<S> {
    /// What never changes.
    pub terms: Terms,
    /// The deposits that are certified.
    pub certified: Both<Amount>,
    /// The latest state that both signed, as far as this party knows.
    pub agreed: Agreed<ChannelBody, S>,
    /// The highest number that this party used in its lane.
    pub used: u64,
    /// Up to here nothing of the other's lane is countersigned.
    pub floor: u64,
    /// This party's next payment.
    pub own: Own<S>,
    /// What the account waits for.
    pub phase: Phase<S>,
    /// What is to come.
    pub wish: Wish,
    /// The latest settlement that both signed.
    pub settled: Option<Agreed<SettlementBody, S>>,
    /// The round of the last update.
    pub updated: u64,
}

/// What goes to the other party.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Letter<S> {
    /// CLAIM.
    Claim(Claim<S>),
    /// COSIGN.
    Cosign {
        /// Which state.
        sequence: u64,
        /// The signature on it.
        sig: S,
        /// The sender's own proposal.
        carried: Option<Claim<S>>,
    },
    /// REFUSE.
    Refuse {
        /// Which proposal.
        sequence: u64,
        /// Why.
        code: RefuseCode,
    },
    /// SETTLE.
    Settle {
        /// What is proposed.
        body: SettlementBody,
        /// The sender's signature.
        sig: S,
    },
    /// SETTLED.
    Settled(Agreed<SettlementBody, S>),
    /// STATE.
    Latest(Latest<S>),
    /// CLOSE.
    Close {
        /// What is proposed or agreed.
        body: SettlementBody,
        /// The sender's signature.
        sig: S,
        /// Whether the other's is wanted.
        stage: CloseStage,
    },
}

/// What STATE says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Latest<S> {
    /// The latest state of the sender.
    pub state: Agreed<ChannelBody, S>,
    /// The highest numbers that the sender has seen.
    pub highest: Both<u64>,
    /// How the sender stands.
    pub standing: Standing,
    /// Whether a STATE is wanted in answer.
    pub answer: Answer,
}

/// How the sender of STATE stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Standing {
    /// As ever.
    Sound,
    /// It forgot what it may have signed.
    Resumed,
    /// It closes the channel alone.
    Disputed,
}

/// Whether a STATE is wanted in answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Answer {
    /// It is.
    Wanted,
    /// It is not.
    Unwanted,
}

/// What siblings hear.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Word<S> {
    /// This party's win is paid.
    Accepted(Win),
    /// The other will never pay it.
    Refused(Win, RefuseCode),
    /// This party paid the other's claim.
    Paid(Win),
    /// Another state was signed by both: for the audit log.
    Agreed(Agreed<ChannelBody, S>),
    /// Another settlement was signed by both: for the ledger.
    Settled(Agreed<SettlementBody, S>),
    /// There is nothing to settle.
    NothingToSettle,
    /// More of a deposit is certified: more can be spent.
    Certified,
    /// The channel is being closed by one side, on this state: for the ledger.
    Disputed(Agreed<ChannelBody, S>),
    /// Somebody shows an older state than this one: for the ledger.
    Outdated(Agreed<ChannelBody, S>),
    /// The channel is closed: for the ledger.
    Closed {
        /// The state.
        state: Agreed<ChannelBody, S>,
        /// The last figures.
        body: SettlementBody,
        /// Both signatures on them, unless one side closed alone.
        sigs: Option<Both<S>>,
    },
    /// This party had forgotten states: what it was told to claim is void.
    Forgot,
    /// The other had forgotten states: it may not know what it owes.
    OtherForgot,
}

/// What follows from something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step<S> {
    /// The account that follows, if it is another.
    pub next: Option<Account<S>>,
    /// What to send once that is durable.
    pub letters: Vec<Letter<S>>,
    /// What to tell once that is durable.
    pub words: Vec<Word<S>>,
}

impl<S> Step<S> {
    /// Nothing follows.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { next: None, letters: Vec::new(), words: Vec::new() }
    }

    /// Only a letter follows.
    #[must_use]
    pub fn letter(letter: Letter<S>) -> Self {
        Self { next: None, letters: Vec::from([letter]), words: Vec::new() }
    }

    /// Only a word follows.
    #[must_use]
    pub fn word(word: Word<S>) -> Self {
        Self { next: None, letters: Vec::new(), words: Vec::from([word]) }
    }

    /// Another account follows.
    #[must_use]
    pub fn to(next: Account<S>) -> Self {
        Self { next: Some(next), letters: Vec::new(), words: Vec::new() }
    }
}

impl<S: Clone + Eq> Account<S> {
    /// The account as both begin it.
    #[must_use]
    pub fn opened(terms: Terms, state: Agreed<ChannelBody, S>, round: u64) -> Self {
        Self {
            terms,
            certified: Both::default(),
            agreed: state,
            used: 0,
            floor: 0,
            own: Own::AwaitingWin,
            phase: Phase::Open,
            wish: Wish::Nothing,
            settled: None,
            updated: round,
        }
    }

    /// Which party this is.
    pub(super) const fn side(&self) -> Side {
        self.terms.side
    }

    /// What `side` may spend: its balance, without what of its deposit is not certified.
    #[must_use]
    pub fn spendable(&self, side: Side) -> Amount {
        let balance = Amount::from_micros(match side {
            Side::A => self.agreed.body.balance_a,
            Side::B => self.agreed.body.balance_b,
        });
        let certified = *self.certified.get(side);
        let uncertified =
            self.terms.brought.deposits.get(side).checked_sub(certified).unwrap_or(Amount::ZERO);
        balance.checked_sub(uncertified).unwrap_or(Amount::ZERO)
    }

    /// This party's proposal as a letter carries it, if one is outstanding.
    pub(super) fn proposal(&self) -> Option<Claim<S>> {
        match &self.own {
            Own::AwaitingWin | Own::AwaitingTurn(_) => None,
            Own::AwaitingCosign { win, body, sig } => Some(Claim {
                ticket: win.ticket.clone(),
                base_sequence: self.agreed.body.sequence,
                sequence: body.sequence,
                sig: sig.clone(),
            }),
        }
    }

    /// The STATE of this account.
    pub(super) fn latest(&self, answer: Answer) -> Letter<S> {
        let standing = match self.phase {
            Phase::Open
            | Phase::AwaitingSettled { .. }
            | Phase::AwaitingClose { .. }
            | Phase::Closed { sigs: Some(_), .. } => Standing::Sound,
            Phase::AwaitingResume => Standing::Resumed,
            Phase::AwaitingWindow { .. } | Phase::Closed { sigs: None, .. } => Standing::Disputed,
        };
        let of = |side: Side, known: u64| {
            let agreed = self.agreed.body.sequence;
            if side.has_lane_of(agreed) { known.max(agreed) } else { known }
        };
        let side = self.side();
        let highest = Both::of(side, of(side, self.used), of(side.other(), self.floor));
        Letter::Latest(Latest { state: self.agreed.clone(), highest, standing, answer })
    }

    /// A proposal of a win that awaits its turn, if there is one and it may be made. A settlement or a close that is wished for
    /// goes first.
    pub(super) fn propose<K: Keys<Sig = S>>(&mut self, keys: &K) {
        let Own::AwaitingTurn(win) = &self.own else { return };
        if self.phase != Phase::Open {
            return;
        }
        let above = self.used.max(self.agreed.body.sequence);
        let Some(sequence) = self.side().next_above(above).filter(|number| *number < LAST_NUMBER) else {
            return;
        };
        let Some(body) = super::figures::paid(&self.agreed.body, self.side(), win.reward, sequence) else {
            return;
        };
        let sig = keys.sign(&Signed::State(body));
        self.used = sequence;
        self.own = Own::AwaitingCosign { win: win.clone(), body, sig };
    }
}
