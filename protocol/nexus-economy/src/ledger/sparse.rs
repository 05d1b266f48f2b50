//! Whom a node follows that has little memory, and what passes through it.
//!
//! Invariants:
//!
//! * at most 64 accounts are followed, 256 entries kept, 32 of one account: 24 KiB for the entries;
//! * a balance is shown only of an account all of whose entries are kept: one that has more than there is room for is unknown, and so
//!   unfunded, from then on;
//! * what concerns others was verified like everything else; it waits to be passed on, once, and is forgotten; what comes again much
//!   later was lost behind this node, and passes again.
//!
//! Source: spec/economy.md#sparse-nodes.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::{Duration, Instant, TableId};
use nexus_wire::nexus::gossip::{ItemId, StoreId};

use super::books::Books;
use super::entry::ChannelKey;

/// Accounts that are followed, at most.
pub const ACCOUNTS: usize = 64;
/// Entries that are kept, at most.
pub const ENTRIES: u32 = 256;
/// Entries of one account, at most.
pub const OF_ONE: usize = 32;
/// Items that wait to be passed on.
pub const PASSING: usize = 32;
/// Items of which it is remembered that they were passed on.
pub const PASSED: usize = 1_024;
/// For so long at least, and no more than twice as long.
const OF_LATE: Duration = Duration::from_secs(30);

/// The table of accounts that are followed: key node 16; value: one byte, see [`Held::to_byte`].
pub const FOLLOWED: TableId = TableId(45);

/// How much of an account is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// All its entries that were heard of.
    All,
    /// It has more than there is room for, and none is kept for its sake.
    TooMany,
}

impl Held {
    /// As the disk has it.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::All => 0,
            Self::TooMany => 1,
        }
    }

    /// From the disk. What is none of ours is taken for the worse.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::All,
            _ => Self::TooMany,
        }
    }
}

/// Whose entries are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    accounts: BTreeMap<NodeId, Held>,
}

impl Interest {
    /// One account more, unless it is followed already or there are as many as there may be. Whether it is followed from here on and was not.
    pub fn follow(&mut self, node: NodeId, held: Held) -> bool {
        if self.accounts.contains_key(&node) || self.accounts.len() >= ACCOUNTS {
            return false;
        }
        self.accounts.insert(node, held);
        true
    }

    /// Whether all that was heard of an account is kept.
    #[must_use]
    pub fn knows(&self, node: &NodeId) -> bool {
        self.accounts.get(node) == Some(&Held::All)
    }

    /// Whether entries of a channel are kept: for the sake of a party.
    #[must_use]
    pub fn follows(&self, key: &ChannelKey) -> bool {
        [key.a(), key.b()].iter().any(|node| self.knows(node))
    }

    /// All accounts that are followed, or were until they had too many entries.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeId, Held)> {
        self.accounts.iter().map(|(node, held)| (node, *held))
    }

    /// One entry more is to find room in books: an account that would have too many is followed no more; if all are full, the one with most.
    /// Who is followed no more.
    pub(super) fn make_room(&mut self, books: &Books, key: &ChannelKey) -> Vec<NodeId> {
        let count = |node: &NodeId| books.channels_of(node).count();
        let full = |node: &NodeId| self.knows(node) && count(node) >= OF_ONE;
        let mut gone: Vec<NodeId> = [key.a(), key.b()].into_iter().filter(full).collect();
        if gone.is_empty() && books.len() >= usize::try_from(ENTRIES).unwrap_or(usize::MAX) {
            let known = self.accounts.keys().filter(|node| self.knows(node)).copied();
            gone.extend(known.max_by_key(count));
        }
        for node in &gone {
            self.accounts.insert(*node, Held::TooMany);
        }
        gone
    }
}

/// An item that is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// Of which store.
    pub store: StoreId,
    /// Its name.
    pub id: ItemId,
    /// The item.
    pub item: Vec<u8>,
}

/// What is passed on: shown until so many others came, and then known by a few bytes of its name.
#[derive(Debug)]
pub struct Passage {
    waiting: VecDeque<Passing>,
    passed: VecDeque<u64>,
    /// How many of these came before the last span of [`OF_LATE`] began, and how many before it ended.
    before: [usize; 2],
    began: Instant,
}

impl Default for Passage {
    fn default() -> Self {
        Self {
            waiting: VecDeque::with_capacity(PASSING),
            passed: VecDeque::with_capacity(PASSED),
            before: [0; 2],
            began: Instant::BOOT,
        }
    }
}

impl Passage {
    /// Whether an item waits, or was passed on of late. What comes again later was lost on its way.
    #[must_use]
    pub fn has_passed(&self, id: &ItemId) -> bool {
        let mark = mark(id);
        let [before, _] = self.before;
        self.waiting.iter().any(|passing| passing.id == *id)
            || self.passed.iter().skip(before).any(|passed| *passed == mark)
    }

    /// Time passes.
    pub fn age(&mut self, now: Instant) {
        if now.since(self.began) >= OF_LATE {
            let [_, before] = self.before;
            (self.before, self.began) = ([before, self.passed.len()], now);
        }
    }

    /// An item waits from here on. Which one gave way.
    pub fn pass(&mut self, item: Passing) -> Option<Passing> {
        if self.passed.len() >= PASSED {
            self.passed.pop_front();
            self.before = self.before.map(|before| before.saturating_sub(1));
        }
        self.passed.push_back(mark(&item.id));
        let out = if self.waiting.len() >= PASSING { self.waiting.pop_front() } else { None };
        self.waiting.push_back(item);
        out
    }

    /// An item that waits.
    #[must_use]
    pub fn item(&self, store: StoreId, id: &ItemId) -> Option<&[u8]> {
        let found = self.waiting.iter().find(|passing| passing.store == store && passing.id == *id);
        found.map(|passing| passing.item.as_slice())
    }

    /// All items that wait.
    pub fn into_waiting(self) -> impl Iterator<Item = Passing> {
        self.waiting.into_iter()
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What it takes at most, in bytes: an item has 500 at most.
    pub const MEMORY_BOUND: usize = PASSING * (size_of::<Passing>() + 512) + PASSED * 8;
}

fn mark(id: &ItemId) -> u64 {
    id.0.first_chunk().copied().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests;
