//! Books of a node that has little memory: all entries of some accounts, and nothing of others but what passes through.
//!
//! Invariants:
//!
//! * at most 64 accounts are followed, 256 entries kept, 32 of one account: 24 KiB for the entries;
//! * a balance is shown only of an account all of whose entries are here: one that has more than there is room for is unknown, and so
//!   unfunded, from then on;
//! * what concerns others was verified like everything else; it waits to be passed on, once, and is forgotten.
//!
//! Source: spec/economy.md#sparse-nodes.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_wire::nexus::gossip::{ItemId, StoreId};

use super::books::{Balance, NotRecorded, Recorded};
use super::entry::{ChannelKey, Entry};
use super::growing::Join as _;
use crate::money::Amount;

/// Accounts that are followed, at most.
pub const ACCOUNTS: usize = 64;
/// Entries that are kept, at most.
pub const ENTRIES: usize = 256;
/// Entries of one account, at most.
pub const OF_ONE: usize = 32;
/// Items that wait to be passed on.
pub const PASSING: usize = 32;
/// Items of which it is remembered that they were passed on.
pub const PASSED: usize = 1_024;

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

/// What became of something that was verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It concerns an account that is followed.
    Kept(Recorded),
    /// It concerns others.
    Others,
}

/// The books.
#[derive(Debug)]
pub struct SparseBooks {
    /// Who is followed, with what genesis gave it; none once it has more entries than there is room for.
    accounts: BTreeMap<NodeId, Option<Amount>>,
    /// By key.
    entries: Vec<(ChannelKey, Entry)>,
    waiting: VecDeque<Passing>,
    passed: VecDeque<u64>,
}

impl SparseBooks {
    /// Books of these accounts, as many as there is room for, with what genesis gave each: this node's own first, then its channels'
    /// peers, then whom it trusts.
    #[must_use]
    pub fn new(interest: impl IntoIterator<Item = (NodeId, Amount)>) -> Self {
        let mut accounts = BTreeMap::new();
        for (node, amount) in interest {
            if accounts.len() < ACCOUNTS {
                accounts.entry(node).or_insert(Some(amount));
            }
        }
        Self {
            accounts,
            entries: Vec::with_capacity(ENTRIES),
            waiting: VecDeque::with_capacity(PASSING),
            passed: VecDeque::with_capacity(PASSED),
        }
    }

    /// Takes in what was verified of a channel.
    ///
    /// # Errors
    /// What books refuse, these refuse too. An entry for which there is no room is not kept, and makes its accounts unknown.
    pub fn record(&mut self, key: &ChannelKey, news: &Entry) -> Result<Taken, NotRecorded> {
        if !self.follows(key) {
            return Ok(Taken::Others);
        }
        let place = self.entries.binary_search_by(|(other, _)| other.cmp(key));
        let old = place.ok().and_then(|at| self.entries.get(at)).map(|(_, entry)| *entry);
        let mut joined = old.unwrap_or_default();
        joined.join(news);
        if !joined.is_certified() {
            return Err(NotRecorded::Uncertified);
        }
        if !joined.paid().max(&joined.close().unwrap_or_default()).within(&joined.deposits()) {
            return Err(NotRecorded::BeyondDeposit);
        }
        match place {
            Ok(_) if old == Some(joined) => return Ok(Taken::Kept(Recorded::Known)),
            Ok(at) => {
                if let Some((_, entry)) = self.entries.get_mut(at) {
                    *entry = joined;
                }
            }
            Err(at) => {
                self.make_unknown_what_has_no_room(key);
                if !self.follows(key) {
                    return Err(NotRecorded::Full);
                }
                let at = at.min(self.entries.len());
                // What gave way may have stood before it.
                let at = self.entries.binary_search_by(|(other, _)| other.cmp(key)).err().unwrap_or(at);
                self.entries.insert(at, (*key, joined));
            }
        }
        Ok(Taken::Kept(Recorded::Grew))
    }

    /// What an account has; unknown if it is not followed, or has more entries than there is room for.
    #[must_use]
    pub fn balance(&self, node: &NodeId) -> Balance {
        let Some(Some(given)) = self.accounts.get(node) else { return Balance::Unknown };
        let net = self.entries.iter().fold(i128::from(given.micros()), |sum, (key, entry)| {
            let settled = entry.settled();
            key.side_of(node).map_or(sum, |side| {
                sum.saturating_add(i128::from(settled.of(side.other())))
                    .saturating_sub(i128::from(settled.of(side)))
            })
        });
        u64::try_from(net).map_or(Balance::Incomplete, |micros| Balance::Known(Amount::from_micros(micros)))
    }

    /// What concerns others waits to be passed on, unless it was of late; the oldest that waits gives way. Whether it waits.
    pub fn pass(&mut self, item: Passing) -> bool {
        let mark = mark(&item.id);
        if self.passed.contains(&mark) {
            return false;
        }
        if self.passed.len() >= PASSED {
            self.passed.pop_front();
        }
        self.passed.push_back(mark);
        if self.waiting.len() >= PASSING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(item);
        true
    }

    /// The next item that is to be passed on.
    pub fn next_to_pass(&mut self) -> Option<Passing> {
        self.waiting.pop_front()
    }

    /// How many entries are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a party of a channel is followed.
    #[must_use]
    pub fn follows(&self, key: &ChannelKey) -> bool {
        [key.a(), key.b()].iter().any(|node| matches!(self.accounts.get(node), Some(Some(_))))
    }

    /// One entry more is to find room: an account that would have too many is followed no more; if all are full, the one with most.
    fn make_unknown_what_has_no_room(&mut self, key: &ChannelKey) {
        for node in [key.a(), key.b()] {
            if self.count(&node) >= OF_ONE {
                self.give_up(&node);
            }
        }
        while self.entries.len() >= ENTRIES {
            let followed = self.accounts.iter().filter(|(_, given)| given.is_some()).map(|(node, _)| *node);
            let Some(most) = followed.max_by_key(|node| self.count(node)) else { return };
            self.give_up(&most);
        }
    }

    fn count(&self, node: &NodeId) -> usize {
        self.entries.iter().filter(|(key, _)| key.side_of(node).is_some()).count()
    }

    fn give_up(&mut self, node: &NodeId) {
        if let Some(given) = self.accounts.get_mut(node) {
            *given = None;
        }
        let followed: BTreeSet<NodeId> =
            self.accounts.iter().filter(|(_, given)| given.is_some()).map(|(node, _)| *node).collect();
        self.entries.retain(|(key, _)| followed.contains(&key.a()) || followed.contains(&key.b()));
    }
}

fn mark(id: &ItemId) -> u64 {
    id.0.first_chunk().copied().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    use nexus_machine::{Seed, Stream};
    use nexus_testkit::heap::growth_of;

    use crate::ledger::books::Books;
    use crate::ledger::entry::Sums;

    fn node(number: u64) -> NodeId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        NodeId(id)
    }

    /// What three hundred settle with each other, each with some of them.
    fn news(random: &mut Stream) -> (ChannelKey, Entry) {
        let (one, step) = (random.below(300), 1 + random.below(5));
        let key = ChannelKey::between(node(one), node((one + step) % 300), [1; 16]).expect("two");
        let mut entry = Entry::deposited(Sums { a: 1_000, b: 1_000 });
        entry.join(&Entry::paid_at_least(Sums { a: random.below(1_000), b: random.below(1_000) }));
        (key, entry)
    }

    #[test]
    fn within_a_mesh_of_three_hundred_a_sparse_node_follows_its_own_accounts_as_full_books_do() {
        let given = |number| (node(number), Amount::from_micros(1_000_000));
        let mut full = Books::new((0..300).map(given), 10_000);
        let mut sparse = SparseBooks::new((0..20).map(given));
        let mut random = Seed::new([2; 32]).fork("mesh");
        let mut others = 0;
        for _ in 0..20_000 {
            let (key, entry) = news(&mut random);
            let recorded = full.record(&key, &entry).expect("valid");
            match sparse.record(&key, &entry).expect("valid and room") {
                Taken::Kept(kept) => assert_eq!(kept, recorded),
                Taken::Others => others += 1,
            }
        }
        assert!(others > 15_000 && sparse.len() < ENTRIES && full.len() > 1_000);
        for number in 0..20 {
            assert_eq!(sparse.balance(&node(number)), full.balance(&node(number)));
        }
        assert_eq!(sparse.balance(&node(200)), Balance::Unknown);
    }

    #[test]
    fn an_account_with_too_many_entries_is_unknown_and_others_stay() {
        let given = |number| (node(number), Amount::from_micros(100_000));
        let mut sparse = SparseBooks::new([given(1), given(2)]);
        let mut record = |one, other, id| {
            let key = ChannelKey::between(node(one), node(other), [id; 16]).expect("two");
            sparse.record(&key, &Entry::deposited(Sums { a: 10, b: 10 }))
        };
        for id in 0..32 {
            assert_eq!(record(1, 50, id), Ok(Taken::Kept(Recorded::Grew)));
        }
        assert_eq!(record(2, 50, 0), Ok(Taken::Kept(Recorded::Grew)));
        assert_eq!(record(1, 50, 32), Err(NotRecorded::Full));
        assert_eq!(record(1, 50, 33), Ok(Taken::Others), "it is nobody's that is followed");
        assert_eq!((sparse.balance(&node(1)), sparse.len()), (Balance::Unknown, 1));
        assert_eq!(sparse.balance(&node(2)), Balance::Known(Amount::from_micros(100_000)));
    }

    #[test]
    fn entries_take_24_kib_whoever_opens_channels() {
        assert_eq!(ENTRIES * size_of::<(ChannelKey, Entry)>(), 24 * 1_024);
        let given = |number| (node(number), Amount::from_micros(100_000));
        let (sparse, grown) = growth_of(|| {
            let mut sparse = SparseBooks::new((0..64).map(given));
            for id in 0..5_000_u64 {
                let mut channel = [0; 16];
                channel[..8].copy_from_slice(&id.to_le_bytes());
                let key = ChannelKey::between(node(id % 64), node(1_000 + id), channel).expect("two");
                // Once all have more than there is room for, nobody is followed.
                let _ = sparse.record(&key, &Entry::deposited(Sums { a: 10, b: 10 }));
            }
            sparse
        });
        assert!(sparse.len() <= ENTRIES);
        assert!(grown < 48 * 1_024, "{grown} bytes with all that stands beside the entries");
    }

    #[test]
    fn what_concerns_others_is_passed_on_once_and_the_oldest_gives_way() {
        let mut sparse = SparseBooks::new([]);
        let item = |number: u8| Passing {
            store: StoreId::SETTLEMENTS,
            id: ItemId([number; 32]),
            item: vec![number],
        };
        for number in 0..40 {
            assert!(sparse.pass(item(number)));
            assert!(!sparse.pass(item(number)));
        }
        let passed: Vec<u8> =
            core::iter::from_fn(|| sparse.next_to_pass()).map(|item| item.item[0]).collect();
        assert_eq!(passed, (8..40).collect::<Vec<_>>());
        assert!(!sparse.pass(item(39)), "it was of late");
    }
}
