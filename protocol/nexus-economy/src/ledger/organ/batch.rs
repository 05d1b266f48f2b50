//! What is written together, and what follows once it is durable.

use alloc::vec::Vec;

use nexus_crypto::NodeId;
use nexus_machine::Write;
use nexus_wire::nexus::gossip::ItemId;

use super::Effect;
use crate::ledger::entry::{ChannelKey, Entry, Side};
use crate::ledger::shown::{Change, Shown};
use crate::ledger::spot::Spot;
use crate::money::Amount;

/// A batch.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// What leaves at once.
    pub(super) before: Vec<Effect>,
    /// What is written.
    pub(super) writes: Vec<Write>,
    /// What leaves when that is durable.
    pub(super) then: Vec<Effect>,
}

impl Batch {
    /// An item stands at a spot from here on.
    pub(super) fn put(&mut self, shown: &mut Shown, spot: Spot, id: ItemId, item: &[u8]) {
        let size = u16::try_from(item.len()).unwrap_or(u16::MAX);
        self.writes.push(Write::set(super::BODIES, &spot.to_bytes(), item.to_vec()));
        let mut changes: Vec<Change> = Vec::new();
        shown.show(spot, id, size, &mut changes, &mut self.writes);
        self.then.extend(changes.into_iter().map(Effect::from));
    }
}

/// What an owner of a channel is told when more is certified there.
pub(super) fn deposited(own: NodeId, key: &ChannelKey, old: &Entry, entry: &Entry) -> Vec<Effect> {
    let mine = key.side_of(&own).is_some();
    let grew = |side: &Side| mine && entry.deposits().of(*side) > old.deposits().of(*side);
    let told = |side| {
        let deposit = Amount::from_micros(entry.deposits().of(side));
        Effect::Deposited { key: *key, side, deposit }
    };
    [Side::A, Side::B].into_iter().filter(grew).map(told).collect()
}
