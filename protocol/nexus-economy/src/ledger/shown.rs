//! What is shown to neighbours: the names of items, by what they show, oldest out first. Beside what lasts there is a page of what is
//! older, for a while.
//!
//! The bodies lie on disk. An item that shows two things at once stands at two spots, and is shown until it shows neither.
//! Source: spec/economy.md#what-is-shown.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use nexus_machine::{Snapshot, TableId, Write};
use nexus_wire::nexus::gossip::{ItemId, StoreId};

use super::spot::Spot;

/// The table of what is shown: key a [`Spot`]; value `id 32 ‖ size u16 ‖ age u64`, little-endian.
pub const SHOWN: TableId = TableId(38);

/// What comes of a change, for gossip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// An item of so many bytes is shown that was not.
    Published(StoreId, ItemId, u16),
    /// One is shown no more.
    Retired(StoreId, ItemId),
}

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    by_id: BTreeMap<(StoreId, ItemId), Item>,
    by_spot: BTreeMap<Spot, ItemId>,
    by_age: BTreeMap<u64, (StoreId, ItemId)>,
    clock: u64,
    limit: usize,
    /// What is shown for a while alone.
    page: BTreeSet<Spot>,
}

#[derive(Debug)]
struct Item {
    spots: Vec<Spot>,
    size: u16,
    /// None if it is shown for a while alone.
    age: Option<u64>,
}

impl Shown {
    /// What was shown when the disk was written, at most `limit` items.
    pub(super) fn new(snapshot: &Snapshot, limit: usize) -> Self {
        let mut shown = Self { limit, ..Self::default() };
        let mut rows: Vec<(u64, Spot, ItemId, u16)> = snapshot
            .scan(SHOWN)
            .filter_map(|(spot, value)| {
                let (id, size, age) = parse(value)?;
                Some((age, Spot::from_bytes(spot)?, id, size))
            })
            .collect();
        rows.sort_unstable();
        let last = rows.last().map_or(0, |(age, ..)| age.saturating_add(1));
        for (_, spot, id, size) in rows {
            let (mut changes, mut writes) = (Vec::new(), Vec::new());
            shown.show(spot, id, size, &mut changes, &mut writes);
        }
        // Younger than all that lies on disk.
        shown.clock = shown.clock.max(last);
        shown
    }

    /// All that is shown, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Change> {
        self.by_age.values().filter_map(|(store, id)| {
            Some(Change::Published(*store, *id, self.by_id.get(&(*store, *id))?.size))
        })
    }

    /// The names of all that is shown.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = (StoreId, ItemId)> {
        self.by_id.keys().copied()
    }

    /// A spot at which an item stands.
    pub(super) fn spot(&self, store: StoreId, id: ItemId) -> Option<Spot> {
        self.by_id.get(&(store, id))?.spots.first().copied()
    }

    /// The items at spots from one to another.
    pub(super) fn between(&self, from: Spot, to: Spot) -> impl Iterator<Item = ItemId> {
        self.by_spot.range(from..=to).map(|(_, id)| *id)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// At how many spots something stands that is not of the page.
    pub(super) fn lasting(&self) -> usize {
        self.by_spot.len().saturating_sub(self.page.len())
    }

    /// Whether something that is shown stands at a spot.
    pub(super) fn stands(&self, spot: &Spot) -> bool {
        self.by_spot.contains_key(spot)
    }

    /// How many spots a page has at most.
    pub(super) const fn page_room(&self) -> usize {
        self.limit / 2
    }

    /// How many it has.
    pub(super) fn paged(&self) -> usize {
        self.page.len()
    }

    /// An item is shown until the page is put away, if nothing stands at its spot.
    pub(super) fn show_in_page(&mut self, spot: Spot, id: ItemId, size: u16) -> Option<Change> {
        if self.stands(&spot) || self.page.len() >= self.page_room() {
            return None;
        }
        let store = spot.store();
        self.by_spot.insert(spot, id);
        self.page.insert(spot);
        let item = self.by_id.entry((store, id)).or_insert(Item { spots: Vec::new(), size, age: None });
        item.spots.push(spot);
        (item.spots.len() == 1).then_some(Change::Published(store, id, size))
    }

    /// What is shown for a while alone is shown no more.
    pub(super) fn put_page_away(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for spot in core::mem::take(&mut self.page) {
            if let Some(id) = self.by_spot.remove(&spot) {
                self.leave(spot, id, &mut changes);
            }
        }
        changes
    }

    /// An item stands at a spot from here on, and what stood there does not.
    pub(super) fn show(
        &mut self,
        spot: Spot,
        id: ItemId,
        size: u16,
        changes: &mut Vec<Change>,
        writes: &mut Vec<Write>,
    ) {
        let store = spot.store();
        match self.by_spot.insert(spot, id) {
            Some(old) if old == id => return,
            Some(old) => {
                self.page.remove(&spot);
                self.leave(spot, old, changes);
            }
            None => {}
        }
        let clock = self.clock;
        let item = self.by_id.entry((store, id)).or_insert_with(|| {
            changes.push(Change::Published(store, id, size));
            Item { spots: Vec::new(), size, age: None }
        });
        let age = *item.age.get_or_insert_with(|| {
            self.clock = self.clock.saturating_add(1);
            self.by_age.insert(clock, (store, id));
            clock
        });
        item.spots.push(spot);
        writes.push(Write::set(SHOWN, &spot.to_bytes(), value(id, size, age)));
        while self.by_age.len() > self.limit {
            self.let_go(changes, writes);
        }
    }

    fn leave(&mut self, spot: Spot, old: ItemId, changes: &mut Vec<Change>) {
        let store = spot.store();
        let Some(item) = self.by_id.get_mut(&(store, old)) else { return };
        item.spots.retain(|other| *other != spot);
        if item.spots.is_empty() {
            if let Some(age) = item.age {
                self.by_age.remove(&age);
            }
            self.by_id.remove(&(store, old));
            changes.push(Change::Retired(store, old));
        }
    }

    fn let_go(&mut self, changes: &mut Vec<Change>, writes: &mut Vec<Write>) {
        let Some((_, (store, id))) = self.by_age.pop_first() else { return };
        let Some(item) = self.by_id.remove(&(store, id)) else { return };
        for spot in item.spots {
            self.by_spot.remove(&spot);
            self.page.remove(&spot);
            writes.push(Write::delete(SHOWN, &spot.to_bytes()));
        }
        changes.push(Change::Retired(store, id));
    }

    /// What one item takes at most, in bytes.
    pub(super) const PER_ITEM: usize = 4
        * (size_of::<((StoreId, ItemId), Item)>()
            + 2 * size_of::<(Spot, ItemId)>()
            + size_of::<(u64, (StoreId, ItemId))>())
        + 4 * size_of::<Spot>();
}

fn value(id: ItemId, size: u16, age: u64) -> Vec<u8> {
    [&id.0[..], &size.to_le_bytes(), &age.to_le_bytes()].concat()
}

fn parse(value: &[u8]) -> Option<(ItemId, u16, u64)> {
    let (id, rest) = value.split_first_chunk()?;
    let (size, age) = rest.split_first_chunk()?;
    Some((ItemId(*id), u16::from_le_bytes(*size), u64::from_le_bytes(age.try_into().ok()?)))
}
