//! All entries, and what is read from them: balances, accounts, the hash of the whole.
//!
//! Invariants:
//!
//! * what is kept of a channel was certified, and nothing paid or closed is above what was deposited there: whoever holds the rest must wait;
//! * both parties' balances are read from the same entry, so in every view, however incomplete, all balances together are what genesis gave;
//! * no balance is shown below zero: there it is incomplete.
//!
//! Memory: 96 bytes for an entry with its key, and a number of four bytes in each of two orders, by either party.
//! Source: spec/economy.md#the-ledger.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_wire::nexus::gossip::StateHash;
use thiserror::Error;

use super::entry::{ChannelKey, Entry, Side, Sums};
use super::growing::{GCounter, Join};
use super::set_hash::SetHash;
use super::sorted::{Place, Row, Sorted};
use crate::money::Amount;

/// How many entries lie in one piece of memory: what is not used of the last is all that is to spare.
const PAGE: usize = 256;

/// What an account has, as far as is known here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Balance {
    /// That which genesis gave it and all that came, less all that went.
    Known(Amount),
    /// More went than is known to have come: something has not been heard yet.
    Incomplete,
    /// Its entries are not kept here.
    Unknown,
}

/// What came of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// Something is known that was not.
    Grew,
    /// It was all known.
    Known,
    /// It concerns accounts that are not followed here: of such nothing is kept.
    Others,
}

/// Why an entry is not taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NotRecorded {
    /// No deposit in the channel is certified.
    #[error("no deposit is certified in this channel")]
    Uncertified,
    /// More was paid, or closed with, than is certified to have been deposited.
    #[error("more was paid than is certified to have been deposited")]
    BeyondDeposit,
    /// There is room for no further channel.
    #[error("the books are full")]
    Full,
}

/// An account, as the sum of its channels: two counters whose parts are channels. Both parties read the same part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What others paid it, for each channel.
    pub earned: GCounter<ChannelKey>,
    /// What it paid others, for each channel.
    pub spent: GCounter<ChannelKey>,
}

/// The books.
#[derive(Clone, Debug)]
pub struct Books {
    genesis: BTreeMap<NodeId, u64>,
    pages: Vec<Vec<(ChannelKey, Entry)>>,
    by_a: Sorted,
    by_b: Sorted,
    hash: SetHash,
    paid_hash: SetHash,
    limit: Row,
}

impl Books {
    /// Books in which only genesis stands, with room for `limit` channels. The amounts together are at most a u64
    /// (a genesis file that says more is refused).
    #[must_use]
    pub fn new(genesis: impl IntoIterator<Item = (NodeId, Amount)>, limit: u32) -> Self {
        let genesis = genesis.into_iter().map(|(node, amount)| (node, amount.micros())).collect();
        let (by_a, by_b) = (Sorted::default(), Sorted::default());
        let (hash, paid_hash) = (SetHash::empty(), SetHash::empty());
        Self { genesis, pages: Vec::new(), by_a, by_b, hash, paid_hash, limit }
    }

    /// What would come of an entry, which is not taken in.
    pub fn judge(&self, key: &ChannelKey, news: &Entry) -> Result<Recorded, NotRecorded> {
        let old = self.entry(key).copied();
        let joined = joined(old, news)?;
        match old {
            Some(old) if old == joined => Ok(Recorded::Known),
            None if !self.has_room() => Err(NotRecorded::Full),
            Some(_) | None => Ok(Recorded::Grew),
        }
    }

    /// Takes in what is known of a channel elsewhere.
    pub fn record(&mut self, key: &ChannelKey, news: &Entry) -> Result<Recorded, NotRecorded> {
        let place = self.place_by_a(key);
        let row = self.by_a.get(place).filter(|row| self.key(*row) == Some(key));
        let old = row.and_then(|row| self.row(row)).map(|(_, entry)| *entry);
        let joined = joined(old, news)?;
        match (row, old) {
            (Some(_), Some(old)) if old == joined => return Ok(Recorded::Known),
            (Some(row), Some(old)) => {
                self.hash.subtract(&key.to_bytes(), &old.to_bytes());
                self.replace(row, joined);
            }
            (Some(_), None) | (None, _) => self.append(place, key, joined)?,
        }
        self.hash.add(&key.to_bytes(), &joined.to_bytes());
        self.hash_paid(key, old.unwrap_or_default().paid(), joined.paid());
        Ok(Recorded::Grew)
    }

    fn hash_paid(&mut self, key: &ChannelKey, old: Sums, paid: Sums) {
        if old == paid {
            return;
        }
        if old != Sums::ZERO {
            self.paid_hash.subtract(&key.to_bytes(), &old.to_bytes());
        }
        self.paid_hash.add(&key.to_bytes(), &paid.to_bytes());
    }

    /// What is known of a channel.
    #[must_use]
    pub fn entry(&self, key: &ChannelKey) -> Option<&Entry> {
        let row = self.by_a.get(self.place_by_a(key))?;
        self.row(row).filter(|(found, _)| found == key).map(|(_, entry)| entry)
    }

    /// All channels of an account.
    pub fn channels_of(&self, node: &NodeId) -> impl Iterator<Item = (&ChannelKey, &Entry)> {
        let node = *node;
        let first = self.by_a.place(|row| self.party(row, Side::A).cmp(&Some(node)));
        let second = self.by_b.place(|row| self.party(row, Side::B).cmp(&Some(node)));
        let as_a = self.by_a.from(first).take_while(move |row| self.party(*row, Side::A) == Some(node));
        let as_b = self.by_b.from(second).take_while(move |row| self.party(*row, Side::B) == Some(node));
        as_a.chain(as_b).filter_map(|row| self.row(row)).map(|(key, entry)| (key, entry))
    }

    /// An account as two counters.
    #[must_use]
    pub fn account(&self, node: &NodeId) -> Account {
        let mut account = Account::default();
        for (key, entry) in self.channels_of(node) {
            let Some(side) = key.side_of(node) else { continue };
            account.spent.raise(*key, entry.settled().of(side));
            account.earned.raise(*key, entry.settled().of(side.other()));
        }
        account
    }

    /// What an account has.
    #[must_use]
    pub fn balance(&self, node: &NodeId) -> Balance {
        let known = u64::try_from(self.net(node)).ok().map(Amount::from_micros);
        known.map_or(Balance::Incomplete, Balance::Known)
    }

    /// What genesis gave an account and all that is known to have come, less all that is known to have gone: below zero in a view that is
    /// incomplete. Over all accounts the sum is what genesis gave, in every view.
    #[must_use]
    pub fn net(&self, node: &NodeId) -> i128 {
        let start = i128::from(self.given(node).micros());
        self.channels_of(node).fold(start, |sum, (key, entry)| {
            let settled = entry.settled();
            key.side_of(node).map_or(sum, |side| {
                sum.saturating_add(i128::from(settled.of(side.other())))
                    .saturating_sub(i128::from(settled.of(side)))
            })
        })
    }

    /// What genesis gave an account.
    #[must_use]
    pub fn given(&self, node: &NodeId) -> Amount {
        Amount::from_micros(self.genesis.get(node).copied().unwrap_or(0))
    }

    /// All accounts that genesis or a channel names, each once, by id.
    #[must_use]
    pub fn accounts(&self) -> Vec<NodeId> {
        let parties = self.iter().flat_map(|(key, _)| [key.a(), key.b()]);
        let mut all: Vec<NodeId> = self.genesis.keys().copied().chain(parties).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// All channels, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&ChannelKey, &Entry)> {
        self.by_a.iter().filter_map(|row| self.row(row)).map(|(key, entry)| (key, entry))
    }

    /// How many channels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.iter().fold(0, |sum, page| sum.saturating_add(page.len()))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// What genesis gave an account is known from here on.
    pub(super) fn give(&mut self, node: NodeId, given: Amount) {
        self.genesis.insert(node, given.micros());
    }

    /// Forgets all channels but some. Which ones are gone.
    pub(super) fn retain(&mut self, keeps: impl Fn(&ChannelKey) -> bool) -> Vec<ChannelKey> {
        let given = self.genesis.iter().map(|(node, micros)| (*node, Amount::from_micros(*micros)));
        let mut kept = Self::new(given, self.limit);
        let mut gone = Vec::new();
        for (key, entry) in self.iter() {
            // What stood here stands there: it kept the rules, and there is as much room.
            if !keeps(key) || kept.record(key, entry).is_err() {
                gone.push(*key);
            }
        }
        *self = kept;
        gone
    }

    /// The hash of all entries: equal hashes, equal books.
    #[must_use]
    pub fn state_hash(&self) -> StateHash {
        self.hash.state()
    }

    /// The hash of what was paid alone: what two neighbours compare to see whether they lack settlements. It does not depend on which
    /// record shows it.
    #[must_use]
    pub fn paid_state(&self) -> StateHash {
        self.paid_hash.state()
    }

    fn append(&mut self, place: Place, key: &ChannelKey, entry: Entry) -> Result<(), NotRecorded> {
        let row = self.next_row().ok_or(NotRecorded::Full)?;
        let by_b = self.by_b.place(|other| self.key(other).map(by_b_first).cmp(&Some(by_b_first(key))));
        if self.pages.last().is_none_or(|page| page.len() >= PAGE) {
            if self.pages.len() == self.pages.capacity() {
                self.pages.reserve_exact((self.pages.len() / 8).max(1));
            }
            self.pages.push(Vec::with_capacity(PAGE));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push((*key, entry));
        }
        self.by_a.insert(place, row);
        self.by_b.insert(by_b, row);
        Ok(())
    }

    fn next_row(&self) -> Option<Row> {
        Row::try_from(self.len()).ok().filter(|row| *row < self.limit)
    }

    fn has_room(&self) -> bool {
        self.next_row().is_some()
    }

    fn replace(&mut self, row: Row, entry: Entry) {
        let Some((page, at)) = place_of(row) else { return };
        if let Some((_, old)) = self.pages.get_mut(page).and_then(|page| page.get_mut(at)) {
            *old = entry;
        }
    }

    fn row(&self, row: Row) -> Option<&(ChannelKey, Entry)> {
        let (page, at) = place_of(row)?;
        self.pages.get(page)?.get(at)
    }

    fn key(&self, row: Row) -> Option<&ChannelKey> {
        self.row(row).map(|(key, _)| key)
    }

    fn party(&self, row: Row, side: Side) -> Option<NodeId> {
        self.key(row).map(|key| key.party(side))
    }

    fn place_by_a(&self, key: &ChannelKey) -> Place {
        self.by_a.place(|row| self.key(row).cmp(&Some(key)))
    }
}

/// What is known once both are, if it may be kept.
fn joined(old: Option<Entry>, news: &Entry) -> Result<Entry, NotRecorded> {
    let mut joined = old.unwrap_or_default();
    joined.join(news);
    if !joined.is_certified() {
        return Err(NotRecorded::Uncertified);
    }
    let within = joined.paid().max(&joined.close().unwrap_or_default()).within(&joined.deposits());
    if within { Ok(joined) } else { Err(NotRecorded::BeyondDeposit) }
}

/// The order by the second party.
const fn by_b_first(key: &ChannelKey) -> (NodeId, NodeId, [u8; 16]) {
    (key.b(), key.a(), *key.id())
}

/// On which page a row stands, and where there.
fn place_of(row: Row) -> Option<(usize, usize)> {
    let row = usize::try_from(row).ok()?;
    Some((row / PAGE, row % PAGE))
}

impl Join for Books {
    /// What has no room is left out; books that join have the same genesis and the same limit.
    fn join(&mut self, other: &Self) {
        for (key, entry) in other.iter() {
            // Whatever stood in books keeps their rules, and goes on keeping them joined: only room can be wanting.
            let _ = self.record(key, entry);
        }
    }
}

impl PartialEq for Books {
    fn eq(&self, other: &Self) -> bool {
        self.genesis == other.genesis && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
