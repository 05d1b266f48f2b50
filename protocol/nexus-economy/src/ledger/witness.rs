//! Who signs what may be spent: what a witness has signed, and what it may sign next.
//!
//! Invariants, from which it follows that with fewer than a third of all witnesses signing what they may not, nobody spends what it does
//! not have:
//!
//! * at one number of an owner one order is signed, and only when all before it are known to be certified: so whoever signs the next
//!   knows all that the owner has tied up;
//! * what an owner ties up is within what genesis gave it and what it certainly received, in this witness's own view;
//! * a channel is closed with one pair of figures, never below what is known to be paid there; from then on the receiver's income there
//!   counts no higher, though the close is not certified yet.
//!
//! Here is what decides, without keys and without a clock; the organ verifies, writes and signs. Source: spec/economy.md#witnesses.

mod desk;
#[cfg(test)]
mod model;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;

use nexus_crypto::NodeId;
use nexus_wire::nexus::channel::{ChannelBody, ChannelId, SettlementBody};
use nexus_wire::nexus::ledger::{OpenBody, OpenOrder, RefusalCode};
use thiserror::Error;

use super::claim::key_of;
use super::entry::{ChannelKey, Entry, Side, Sums};
use super::known::Known;
use super::rules::Rules;
use crate::channels::figures::{self, Brought};
use crate::channels::keys::Both;
use crate::money::Amount;

pub use desk::{Limits, Request, Seat, WITNESSED, Witness};

/// How many channels an owner may have open at a time.
pub const OPEN_CHANNELS: usize = 16;
/// How many rounds whoever closes alone waits for a higher state.
pub const WINDOW: u64 = crate::channels::ending::WINDOW;

/// Why a witness does not sign. The numbers are those of [`RefusalCode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Refusal {
    /// A signature is wrong.
    #[error("a signature is wrong")]
    Signature,
    /// A party's key is not known here yet.
    #[error("a party's key is not known yet")]
    UnknownKey,
    /// The number is used.
    #[error("this number is used")]
    Number,
    /// An order before it is not known to be certified.
    #[error("an earlier order is not known to be certified")]
    Gap,
    /// It is more than the owner has.
    #[error("it is more than the owner has, as far as is known")]
    Funds,
    /// It is less than a channel is opened with.
    #[error("it is less than a channel may be opened with")]
    Minimum,
    /// The owner has too many channels open.
    #[error("the owner has sixteen channels open")]
    Channels,
    /// The channel is closed, or being closed.
    #[error("the channel is closed, or being closed")]
    Closed,
    /// There are more orders than may be signed in a day; larger deposits came first.
    #[error("more channels are to be opened than may be in a day")]
    Budget,
    /// It is below what is known to be paid.
    #[error("it is below what is known to be paid")]
    BelowPaid,
    /// No deposit of the channel is known.
    #[error("no deposit in this channel is known")]
    NoChannel,
    /// Closing alone has to wait, or is not what the highest state says.
    #[error("the time for a higher state is not over, or the figures are not those of the highest state")]
    NotYet,
    /// There is no room for more.
    #[error("this witness has no room for more")]
    Busy,
}

impl Refusal {
    /// As WITNESS says it.
    #[must_use]
    pub const fn code(self) -> RefusalCode {
        RefusalCode(match self {
            Self::Signature => 1,
            Self::UnknownKey => 2,
            Self::Number => 3,
            Self::Gap => 4,
            Self::Funds => 5,
            Self::Minimum => 6,
            Self::Channels => 7,
            Self::Closed => 8,
            Self::Budget => 9,
            Self::BelowPaid => 10,
            Self::NoChannel => 11,
            Self::NotYet => 12,
            Self::Busy => 13,
        })
    }

    /// What WITNESS says, if it is known here.
    #[must_use]
    pub fn from_code(code: RefusalCode) -> Option<Self> {
        use Refusal as R;
        let all = [
            R::Signature,
            R::UnknownKey,
            R::Number,
            R::Gap,
            R::Funds,
            R::Minimum,
            R::Channels,
            R::Closed,
            R::Budget,
            R::BelowPaid,
            R::NoChannel,
            R::NotYet,
            R::Busy,
        ];
        all.into_iter().find(|refusal| refusal.code() == code)
    }

    /// Whether asking again later may help.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        match self {
            Self::UnknownKey
            | Self::Gap
            | Self::Funds
            | Self::Channels
            | Self::Budget
            | Self::NoChannel
            | Self::NotYet
            | Self::Busy => true,
            Self::Signature | Self::Number | Self::Minimum | Self::Closed | Self::BelowPaid => false,
        }
    }
}

/// What a witness may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Sign, once it is written down. This opens a channel that was not.
    Opens,
    /// Sign, once it is written down.
    Sign,
    /// Say again what was said.
    Again,
    /// Refuse: this order stands at the number already.
    Convicts(OpenOrder),
}

/// Who wants a channel closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Both parties.
    Both,
    /// One of them.
    One,
}

/// What is known of a channel that one party closes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// The round in which it was first seen.
    pub since: u64,
    /// What the first state gave each.
    pub first: Sums,
    /// What the highest state that was seen gives each.
    pub last: Sums,
    /// The number of that.
    pub sequence: u64,
}

/// What a witness has signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// The last order of each owner.
    opens: BTreeMap<NodeId, OpenOrder>,
    /// Closes that are not known to be certified.
    closes: BTreeMap<ChannelKey, SettlementBody>,
    /// Channels that one party closes alone.
    cases: BTreeMap<ChannelKey, Case>,
}

impl Book {
    /// Whether to sign an order whose owner's signature is right.
    pub fn may_open(&self, known: &Known, rules: &Rules, order: &OpenOrder) -> Result<Verdict, Refusal> {
        let OpenBody { owner, order: number, deposit, channel, peer } = order.body;
        let key = ChannelKey::between(owner, peer, channel.0).ok_or(Refusal::NoChannel)?;
        let side = key.side_of(&owner).ok_or(Refusal::NoChannel)?;
        match self.opens.get(&owner) {
            Some(signed) if signed.body == order.body => return Ok(Verdict::Again),
            Some(signed) if signed.body.order == number => return Ok(Verdict::Convicts(*signed)),
            Some(_) | None => {}
        }
        let next = known.orders.through(&owner).checked_add(1).ok_or(Refusal::Number)?;
        match number {
            number if number < next => return Err(Refusal::Number),
            number if number > next => return Err(Refusal::Gap),
            _ => {}
        }
        let entry = known.books.entry(&key).copied().unwrap_or_default();
        if entry.close().is_some() || self.closes.contains_key(&key) {
            return Err(Refusal::Closed);
        }
        let before = entry.deposits().of(side);
        let increase = deposit.checked_sub(before).filter(|more| *more > 0).ok_or(Refusal::Minimum)?;
        let opens = before == 0;
        if opens && Amount::from_micros(deposit) < rules.minimum_deposit {
            return Err(Refusal::Minimum);
        }
        if opens && open_channels(known, &owner) >= OPEN_CHANNELS {
            return Err(Refusal::Channels);
        }
        if i128::from(increase) > self.available(known, &owner) {
            return Err(Refusal::Funds);
        }
        Ok(if opens { Verdict::Opens } else { Verdict::Sign })
    }

    /// Whether to sign a close whose parties' signatures are right.
    pub fn may_close(
        &self,
        known: &Known,
        round: u64,
        body: &SettlementBody,
        consent: Consent,
    ) -> Result<Verdict, Refusal> {
        let key = key_of(body).ok_or(Refusal::NoChannel)?;
        match self.closes.get(&key) {
            Some(signed) if signed == body => return Ok(Verdict::Again),
            Some(_) => return Err(Refusal::Closed),
            None => {}
        }
        let entry = known.books.entry(&key).ok_or(Refusal::NoChannel)?;
        if entry.close().is_some() {
            return Err(Refusal::Closed);
        }
        let figures = Sums { a: body.paid_a, b: body.paid_b };
        if !entry.paid().within(&figures) {
            return Err(Refusal::BelowPaid);
        }
        if !figures.within(&entry.deposits()) {
            return Err(Refusal::Funds);
        }
        if consent == Consent::One && self.closing_alone(&key, entry, round) != Some(*body) {
            return Err(Refusal::NotYet);
        }
        // The view may lack what a party received: closing would show a balance that it cannot have.
        let short = |side: Side| {
            let more = figures.of(side).saturating_sub(entry.paid().of(side));
            known.books.net(&key.party(side)) < i128::from(more)
        };
        if short(Side::A) || short(Side::B) {
            return Err(Refusal::Funds);
        }
        Ok(Verdict::Sign)
    }

    /// An order was signed.
    pub fn opened(&mut self, order: OpenOrder) {
        self.opens.insert(order.body.owner, order);
    }

    /// A close was signed.
    pub fn closed(&mut self, body: SettlementBody) {
        if let Some(key) = key_of(&body) {
            self.closes.insert(key, body);
            self.cases.remove(&key);
        }
    }

    /// Somebody showed the first and a later state of a channel, both signed by both. Says what is known of it from here on, if that is
    /// more than was: the highest counts, and the time runs from the first.
    pub fn shown(
        &mut self,
        round: u64,
        first: &ChannelBody,
        last: &ChannelBody,
    ) -> Option<(ChannelKey, Case)> {
        let names = |body: &ChannelBody| ChannelKey::new(body.party_a, body.party_b, body.channel.0);
        let key = names(first).filter(|key| names(last) == Some(*key) && first.sequence == 0)?;
        let figures = |body: &ChannelBody| Sums { a: body.balance_a, b: body.balance_b };
        let case = Case { since: round, first: figures(first), last: figures(last), sequence: last.sequence };
        let held = self.cases.get(&key);
        let case = held.map_or(case, |held| Case { since: held.since, ..case });
        if held.is_some_and(|held| held.sequence >= case.sequence) {
            return None;
        }
        self.cases.insert(key, case);
        Some((key, case))
    }

    /// The number of the highest state of a channel that anybody showed, while one party closes it.
    #[must_use]
    pub fn highest_shown(&self, key: &ChannelKey) -> Option<u64> {
        self.cases.get(key).map(|case| case.sequence)
    }

    /// What a close by one party has to say, once its time has come.
    #[must_use]
    pub fn closing_alone(&self, key: &ChannelKey, entry: &Entry, round: u64) -> Option<SettlementBody> {
        let case = self.cases.get(key).filter(|case| round >= case.since.saturating_add(WINDOW))?;
        let amounts = |sums: Sums| Both { a: Amount::from_micros(sums.a), b: Amount::from_micros(sums.b) };
        // What was lent and what was deposited matters together alone.
        let brought = Brought { lines: Both::default(), deposits: amounts(case.first) };
        let names = |paid: Sums, final_sequence| SettlementBody {
            channel: ChannelId(*key.id()),
            party_a: key.a(),
            party_b: key.b(),
            paid_a: paid.a,
            paid_b: paid.b,
            final_sequence,
        };
        let state = ChannelBody {
            channel: ChannelId(*key.id()),
            party_a: key.a(),
            party_b: key.b(),
            balance_a: case.last.a,
            balance_b: case.last.b,
            sequence: case.sequence,
        };
        let before = names(entry.paid(), 0);
        figures::reckoned(&state, &brought, &amounts(entry.deposits()), Some(&before))
    }

    /// What was certified needs to be remembered no more.
    pub fn tidy(&mut self, known: &Known) -> impl Iterator<Item = ChannelKey> + use<> {
        let is_closed =
            |key: &ChannelKey| known.books.entry(key).is_some_and(|entry| entry.close().is_some());
        let gone: alloc::vec::Vec<ChannelKey> =
            self.closes.keys().chain(self.cases.keys()).filter(|key| is_closed(key)).copied().collect();
        for key in &gone {
            self.closes.remove(key);
            self.cases.remove(key);
        }
        gone.into_iter()
    }

    /// What an owner may still tie up: what genesis gave it and what it certainly received, less what it tied up.
    #[must_use]
    pub fn available(&self, known: &Known, owner: &NodeId) -> i128 {
        let given = i128::from(known.books.given(owner).micros());
        known.books.channels_of(owner).fold(given, |sum, (key, entry)| {
            let Some(side) = key.side_of(owner) else { return sum };
            let received = entry.settled().of(side.other());
            let received = match self.closes.get(key) {
                Some(close) => received.min(Sums { a: close.paid_a, b: close.paid_b }.of(side.other())),
                None => received,
            };
            sum.saturating_add(i128::from(received)).saturating_sub(i128::from(entry.tied(side)))
        })
    }

    /// The last order that was signed of each owner.
    pub fn opens(&self) -> impl Iterator<Item = &OpenOrder> {
        self.opens.values()
    }

    /// How many closes were signed that are not known to be certified.
    #[must_use]
    pub fn closes(&self) -> usize {
        self.closes.len()
    }

    /// The channels that one party closes alone.
    pub fn cases(&self) -> impl Iterator<Item = (&ChannelKey, &Case)> {
        self.cases.iter()
    }

    fn len(&self) -> usize {
        self.opens.len().max(self.closes.len()).max(self.cases.len())
    }
}

/// Whether witnesses that know what is known here would sign an order of an owner's, beside what else it `promised` as running totals.
///
/// An order that nobody signs stands before all later ones of its owner for ever, so none is made without this look.
///
/// # Errors
/// Why they would not.
pub fn orderable(
    known: &Known,
    rules: &Rules,
    owner: &NodeId,
    (channel, peer, deposit): (ChannelId, NodeId, Amount),
    promised: impl Iterator<Item = (ChannelId, NodeId, Amount)>,
) -> Result<(), Refusal> {
    let certified = |channel: ChannelId, peer| {
        let key = ChannelKey::between(*owner, peer, channel.0)?;
        let side = key.side_of(owner)?;
        Some((known.books.entry(&key).copied().unwrap_or_default(), side))
    };
    let (entry, side) = certified(channel, peer).ok_or(Refusal::NoChannel)?;
    if entry.close().is_some() {
        return Err(Refusal::Closed);
    }
    let before = entry.deposits().of(side);
    let increase = deposit.micros().checked_sub(before).filter(|more| *more > 0).ok_or(Refusal::Minimum)?;
    if before == 0 && deposit < rules.minimum_deposit {
        return Err(Refusal::Minimum);
    }
    let (mut tied, mut opened) = (i128::from(increase), 0_usize);
    for (other, peer, total) in promised.filter(|(other, ..)| *other != channel) {
        let before = certified(other, peer).map_or(0, |(entry, side)| entry.deposits().of(side));
        tied = tied.saturating_add(i128::from(total.micros().saturating_sub(before)));
        opened = opened.saturating_add(usize::from(before == 0));
    }
    if before == 0 && open_channels(known, owner).saturating_add(opened) >= OPEN_CHANNELS {
        return Err(Refusal::Channels);
    }
    if !known.follows(owner) || tied > Book::default().available(known, owner) {
        return Err(Refusal::Funds);
    }
    Ok(())
}

/// In how many open channels an owner has a deposit.
fn open_channels(known: &Known, owner: &NodeId) -> usize {
    let is_open = |(key, entry): &(&ChannelKey, &Entry)| {
        entry.close().is_none() && key.side_of(owner).is_some_and(|side| entry.deposits().of(side) > 0)
    };
    known.books.channels_of(owner).filter(is_open).count()
}
