//! What is held, by store: which items, of which size, since when. Not the items themselves: those are their stores'.

use alloc::collections::BTreeMap;

use nexus_wire::nexus::gossip::{ItemId, StateHash, StoreId};

use super::Extent;
use super::state_hash::SetHash;
use super::summary::Own;
use crate::media::Tier;

/// All stores.
#[derive(Debug)]
pub(super) struct Index {
    stocks: BTreeMap<StoreId, Stock>,
    /// Items, in all stores together, at most.
    capacity: usize,
    len: usize,
}

/// One store.
#[derive(Debug)]
pub(super) struct Stock {
    tier: Tier,
    extent: Extent,
    items: BTreeMap<ItemId, Item>,
    by_age: BTreeMap<u64, ItemId>,
    /// How many items ever came: the age of the next one. A greater one is newer.
    clock: u64,
    hash: SetHash,
    state: StateHash,
    /// What the store itself says of its state.
    given: Option<StateHash>,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    age: u64,
    size: u16,
}

/// An item was not indexed: there is no such store, or no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotIndexed;

/// What an item takes in its two maps, whose nodes may be half empty.
const PER_ITEM: usize = 4 * (size_of::<(ItemId, Item)>() + size_of::<(u64, ItemId)>());

impl Index {
    pub(super) fn new(stores: &[(StoreId, Tier)], capacity: usize) -> Self {
        let stocks = stores.iter().map(|(store, tier)| (*store, Stock::new(*tier))).collect();
        Self { stocks, capacity, len: 0 }
    }

    /// One store more, which is empty.
    pub(super) fn serve(&mut self, store: StoreId, tier: Tier) {
        self.stocks.entry(store).or_insert_with(|| Stock::new(tier));
    }

    /// A store says itself in what state it is. Says whether that is another than before.
    pub(super) fn set_state(&mut self, store: StoreId, state: StateHash) -> bool {
        let Some(stock) = self.stocks.get_mut(&store) else { return false };
        let before = stock.state();
        stock.given = Some(state);
        stock.state() != before
    }

    pub(super) fn stock(&self, store: StoreId) -> Option<&Stock> {
        self.stocks.get(&store)
    }

    /// The stores, by tier.
    pub(super) fn by_tier(&self) -> impl Iterator<Item = (StoreId, &Stock)> {
        [Tier::Routing, Tier::Payment, Tier::Services, Tier::Social].into_iter().flat_map(move |tier| {
            self.stocks
                .iter()
                .filter(move |(_, stock)| stock.tier == tier)
                .map(|(store, stock)| (*store, stock))
        })
    }

    /// How many stores there are.
    pub(super) fn stores(&self) -> usize {
        self.stocks.len()
    }

    /// An item came. Says whether that changed anything.
    pub(super) fn add(&mut self, store: StoreId, id: ItemId, size: u16) -> Result<bool, NotIndexed> {
        let stock = self.stocks.get_mut(&store).ok_or(NotIndexed)?;
        if stock.items.contains_key(&id) {
            return Ok(false);
        }
        if self.len >= self.capacity {
            stock.set_extent(Extent::Part);
            return Err(NotIndexed);
        }
        self.len = self.len.saturating_add(1);
        stock.add(id, size);
        Ok(true)
    }

    /// An item went. Says whether that changed anything.
    pub(super) fn remove(&mut self, store: StoreId, id: &ItemId) -> bool {
        let is_gone = self.stocks.get_mut(&store).is_some_and(|stock| stock.remove(id));
        if is_gone {
            self.len = self.len.saturating_sub(1);
        }
        is_gone
    }

    /// A store holds all that it was ever given, or not.
    pub(super) fn set_extent(&mut self, store: StoreId, extent: Extent) {
        if let Some(stock) = self.stocks.get_mut(&store) {
            stock.set_extent(extent);
        }
    }

    pub(super) fn memory_bound(&self) -> usize {
        let stocks = self.stocks.len().saturating_mul(SetHash::MEMORY_BOUND.saturating_add(1_024));
        stocks.saturating_add(self.capacity.saturating_mul(PER_ITEM))
    }
}

impl Stock {
    fn new(tier: Tier) -> Self {
        let hash = SetHash::empty();
        let state = hash.state();
        let (items, by_age) = (BTreeMap::new(), BTreeMap::new());
        Self { tier, extent: Extent::Whole, items, by_age, clock: 0, hash, state, given: None }
    }

    pub(super) const fn tier(&self) -> Tier {
        self.tier
    }

    pub(super) const fn extent(&self) -> Extent {
        self.extent
    }

    /// What is said of the whole store.
    pub(super) const fn state(&self) -> StateHash {
        match self.extent {
            Extent::Whole => match self.given {
                Some(given) => given,
                None => self.state,
            },
            Extent::Part | Extent::Passing => StateHash::NONE,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) const fn clock(&self) -> u64 {
        self.clock
    }

    /// All that is held, newest first.
    pub(super) fn own(&self) -> Own<impl Iterator<Item = &ItemId> + Clone> {
        let count = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        Own { ids: self.by_age.values().rev(), count, state_hash: self.state() }
    }

    /// The age and the size of an item that is held.
    pub(super) fn get(&self, id: &ItemId) -> Option<(u64, u16)> {
        self.items.get(id).map(|item| (item.age, item.size))
    }

    /// What came since the clock stood at `clock`, newest first.
    pub(super) fn since(&self, clock: u64) -> impl Iterator<Item = (u64, &ItemId)> {
        self.by_age.range(clock..).rev().map(|(age, id)| (*age, id))
    }

    /// What came before the clock stood at `clock`, newest first.
    pub(super) fn before(&self, clock: u64) -> impl Iterator<Item = (u64, &ItemId)> {
        self.by_age.range(..clock).rev().map(|(age, id)| (*age, id))
    }

    fn add(&mut self, id: ItemId, size: u16) {
        let age = self.clock;
        self.clock = self.clock.saturating_add(1);
        self.items.insert(id, Item { age, size });
        self.by_age.insert(age, id);
        self.hash.add(&id);
        self.state = self.hash.state();
    }

    fn remove(&mut self, id: &ItemId) -> bool {
        let Some(item) = self.items.remove(id) else { return false };
        self.by_age.remove(&item.age);
        self.hash.remove(id);
        self.state = self.hash.state();
        true
    }

    const fn set_extent(&mut self, extent: Extent) {
        self.extent = extent;
    }
}
