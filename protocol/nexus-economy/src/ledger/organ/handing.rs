//! What is read from disk: items that neighbours fetch, keys that were written down.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, VerifyingKey};
use nexus_machine::{Cx, Sink};
use nexus_wire::nexus::gossip::{ItemId, StoreId};

use super::{BODIES, Effect, Ledger, Neighbour};
use crate::ledger::intake::Lack;
use crate::ledger::spot::Spot;

/// Why something is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// It is a node's key.
    Key(NodeId),
    /// It is the item at this place of what a neighbour fetches.
    Item(u64, usize),
    /// It is what stands at this place, and is shown for a while.
    Page(Spot),
}

/// What a neighbour fetches.
#[derive(Debug)]
struct Fetching {
    store: StoreId,
    to: Neighbour,
    awaited: usize,
    bodies: BTreeMap<usize, Vec<u8>>,
}

/// What is being read.
#[derive(Debug)]
pub(super) struct Reading {
    reads: BTreeMap<u64, Purpose>,
    fetches: BTreeMap<u64, Fetching>,
    last: u64,
    limit: usize,
}

impl Reading {
    pub(super) const fn new(limit: usize) -> Self {
        Self { reads: BTreeMap::new(), fetches: BTreeMap::new(), last: 0, limit }
    }

    /// The number of a read, unless too many are on their way.
    pub(super) fn begin(&mut self, purpose: Purpose) -> Option<u64> {
        if self.reads.len() >= self.limit {
            return None;
        }
        self.last = self.last.saturating_add(1);
        self.reads.insert(self.last, purpose);
        Some(self.last)
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // An item has 500 bytes at most; each read may be a fetch of its own.
        const PER_READ: usize = 4 * (size_of::<(u64, Purpose)>() + size_of::<(u64, Fetching)>()) + 1_024;
        self.limit.saturating_mul(PER_READ)
    }
}

impl Ledger {
    /// A neighbour is to be handed items: they are read.
    pub(super) fn fetch(
        &mut self,
        to: Neighbour,
        store: StoreId,
        ids: &[ItemId],
        out: &mut impl Sink<Effect>,
    ) {
        self.reading.last = self.reading.last.saturating_add(1);
        let (fetch, mut awaited) = (self.reading.last, 0_usize);
        let mut bodies = BTreeMap::new();
        for (place, id) in ids.iter().enumerate() {
            if let Some(item) = self.passage.as_ref().and_then(|passage| passage.item(store, id)) {
                bodies.insert(place, item.to_vec());
                continue;
            }
            let Some(spot) = self.shown.spot(store, *id) else { continue };
            let Some(number) = self.reading.begin(Purpose::Item(fetch, place)) else { break };
            awaited = awaited.saturating_add(1);
            out.push(Effect::Read { number, table: BODIES, key: spot.to_bytes() });
        }
        if awaited == 0 {
            return out.push(Effect::Bodies { store, to, bodies: bodies.into_values().collect() });
        }
        self.reading.fetches.insert(fetch, Fetching { store, to, awaited, bodies });
    }

    /// Something was read.
    pub(super) fn read(&mut self, cx: Cx, number: u64, value: Option<Vec<u8>>, out: &mut impl Sink<Effect>) {
        match self.reading.reads.remove(&number) {
            Some(Purpose::Key(node)) => self.key_read(cx, node, value.as_deref(), out),
            Some(Purpose::Page(spot)) => self.page_read(spot, value.as_deref(), out),
            Some(Purpose::Item(fetch, place)) => self.item_read(fetch, place, value, out),
            None => {}
        }
    }

    fn key_read(&mut self, cx: Cx, node: NodeId, value: Option<&[u8]>, out: &mut impl Sink<Effect>) {
        if let Some(key) = value.and_then(|value| value.try_into().ok()) {
            return self.key(cx, node, VerifyingKey(key), out);
        }
        // It may lie in the store of keys; if nobody is asked for it now, it is said once more.
        out.push(Effect::WantKey(node));
        self.ask_later(cx, Lack::Key(node));
    }

    fn item_read(&mut self, fetch: u64, place: usize, value: Option<Vec<u8>>, out: &mut impl Sink<Effect>) {
        let Some(fetching) = self.reading.fetches.get_mut(&fetch) else { return };
        fetching.awaited = fetching.awaited.saturating_sub(1);
        // What is on its way to the disk is shown already, and not there yet: it is asked for again.
        fetching.bodies.extend(value.map(|value| (place, value)));
        if fetching.awaited == 0
            && let Some(Fetching { store, to, bodies, .. }) = self.reading.fetches.remove(&fetch)
        {
            out.push(Effect::Bodies { store, to, bodies: bodies.into_values().collect() });
        }
    }
}
