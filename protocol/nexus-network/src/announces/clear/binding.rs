//! What this node said in clear binds it after a restart, too.
//!
//! Whether a way leads back through what was said shows in hops alone, so what was said has to be known: a stock segment says again what it has
//! from this node, for nothing as it seems. Source: spec/reticulum.md#remembered-sayings.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Inserted, Instant, MapOverflow, Sink, Snapshot, TableId, Write};

use super::super::{Announces, Effect};
use crate::routes::SaidInClear;

/// The table of what was said in clear: key 16 bytes, the destination; value as spec/reticulum.md#remembered-sayings says.
pub const SAID_IN_CLEAR: TableId = TableId(9);

/// How the value is written.
const VERSION: u8 = 1;

/// What was said of each destination, at most a stated number: what is on disk, and what is to be written there.
#[derive(Debug)]
pub(super) struct Sayings {
    said: BoundedMap<DestinationHash, SaidInClear>,
    /// Of whom what stands above, or that nothing does, is to be written.
    unwritten: BTreeSet<DestinationHash>,
}

impl Sayings {
    pub(super) fn resume(capacity: usize, snapshot: &Snapshot) -> Self {
        let said = BoundedMap::new(capacity, MapOverflow::EvictLeastRecent);
        let mut sayings = Self { said, unwritten: BTreeSet::new() };
        for (key, value) in snapshot.scan(SAID_IN_CLEAR) {
            let Some(destination) = key.try_into().ok().map(DestinationHash) else { continue };
            match decode(value) {
                Some(said) if sayings.said.len() < capacity => {
                    let _fits: Inserted<_, _> = sayings.said.insert(destination, said);
                }
                // It is deleted with the next batch.
                Some(_) | None if sayings.unwritten.len() < capacity => {
                    sayings.unwritten.insert(destination);
                }
                Some(_) | None => {}
            }
        }
        sayings
    }

    fn note(&mut self, destination: DestinationHash, said: SaidInClear) {
        if self.unwritten.len() >= self.said.capacity().saturating_mul(2) {
            // The disk is behind by more than may be remembered: this is forgotten with the process.
            return;
        }
        if let Inserted::Evicted(other, _) = self.said.insert(destination, said) {
            self.unwritten.insert(other);
        }
        self.unwritten.insert(destination);
    }

    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// The next thing to be written.
    fn write(&mut self) -> Option<Write> {
        let destination = self.unwritten.pop_first()?;
        let key = destination.as_bytes();
        Some(match self.said.get(&destination) {
            Some(said) => Write::set(SAID_IN_CLEAR, key, encode(*said)),
            None => Write::delete(SAID_IN_CLEAR, key),
        })
    }

    pub(super) fn memory_bound(&self) -> usize {
        // A bounded map is two ordered maps, and the set has twice as many; nodes may be half empty.
        const PER: usize = 4 * (size_of::<(DestinationHash, SaidInClear, u64)>() + 24)
            + 4 * (size_of::<DestinationHash>() + 8);
        self.said.capacity().saturating_mul(PER)
    }
}

fn encode(said: SaidInClear) -> Vec<u8> {
    [&[VERSION][..], &said.emitted_at.to_le_bytes(), &[said.hops]].concat()
}

fn decode(bytes: &[u8]) -> Option<SaidInClear> {
    let [VERSION, emitted_at @ .., hops] = bytes else { return None };
    Some(SaidInClear { emitted_at: u64::from_le_bytes(emitted_at.try_into().ok()?), hops: *hops })
}

impl Announces {
    /// Stock neighbours are told of an emission: that is to be known after a restart.
    pub(super) fn note_saying(&mut self, now: Instant, destination: DestinationHash, said: SaidInClear) {
        self.clear.sayings.note(destination, said);
        self.set_memory_timer(now);
    }

    /// A destination is known, perhaps again: what was said of it in clear before holds.
    pub(in super::super) fn bind_again(&mut self, destination: &DestinationHash) {
        if let Some(said) = self.clear.sayings.said.get(destination).copied()
            && let Some(known) = self.known.get_mut(destination)
        {
            let _bound_more: bool = known.bind_in_clear(said);
        }
    }

    pub(super) fn write_sayings(&mut self, most: usize, out: &mut impl Sink<Effect>) {
        for _ in 0..most {
            let Some(write) = self.clear.sayings.write() else { return };
            // Nothing waits for it.
            out.push(Effect::Write { number: self.own.last_write(), write });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_reads_as_it_was_written_and_nothing_else_is_taken_for_it() {
        let said = SaidInClear { emitted_at: 1_700_000_000, hops: 4 };
        let written = encode(said);
        assert_eq!((written.len(), decode(&written)), (10, Some(said)));
        assert_eq!(decode(written.get(..9).unwrap()), None);
        assert_eq!(decode(&[&written[..], &[0]].concat()), None);
        assert_eq!(decode(&[&[2][..], written.get(1..).unwrap()].concat()), None);
    }

    #[test]
    fn no_more_is_held_or_on_the_disk_than_destinations_may_be_known() {
        let said = SaidInClear { emitted_at: 5, hops: 1 };
        let mut disk = Snapshot::empty();
        let mut sayings = Sayings::resume(4, &disk);
        for n in 0..20 {
            sayings.note(DestinationHash([n; 16]), said);
            while let Some(write) = sayings.write() {
                disk.apply(write);
            }
        }
        let held = disk.scan(SAID_IN_CLEAR).map(|(key, _)| key[0]).collect::<Vec<_>>();
        assert_eq!(held, [16, 17, 18, 19]);
        // A smaller device takes what it has room for, and the rest off the disk.
        let mut fewer = Sayings::resume(3, &disk);
        while let Some(write) = fewer.write() {
            disk.apply(write);
        }
        assert_eq!((fewer.said.len(), disk.scan(SAID_IN_CLEAR).count()), (3, 3));
    }
}
