//! The announces themselves, for those who come later.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;

use super::bringers::{Bringer, Brought};

/// The newest announce of each destination, as this node passes it on, within a number of bytes; beyond it whoever brought most bytes gives way,
/// with the one that was used longest ago, as in the table of [destinations](super::known): what is known here can be told.
#[derive(Debug)]
pub(super) struct Cache {
    packets: BTreeMap<DestinationHash, Kept>,
    brought: Brought,
    /// Uses are numbered.
    uses: u64,
    bytes: usize,
    max_packets: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    packet: Vec<u8>,
    brought_by: Bringer,
    used: u64,
}

impl Cache {
    pub(super) const fn new(max_packets: usize, max_bytes: usize) -> Self {
        Self { packets: BTreeMap::new(), brought: Brought::new(), uses: 0, bytes: 0, max_packets, max_bytes }
    }

    /// Keeps `packet`. An older one of the same destination is forgotten, whether there is room for this one or not.
    pub(super) fn keep(&mut self, destination: DestinationHash, brought_by: Bringer, packet: Vec<u8>) {
        self.forget(&destination);
        let len = packet.len();
        if len > self.max_bytes || self.max_packets == 0 {
            return;
        }
        while self.bytes.saturating_add(len) > self.max_bytes || self.packets.len() >= self.max_packets {
            let Some(gone) = self.brought.gives_way() else { break };
            self.forget(&gone);
        }
        let used = self.next_use();
        self.bytes = self.bytes.saturating_add(len);
        self.brought.add(brought_by, used, destination, len);
        self.packets.insert(destination, Kept { packet, brought_by, used });
    }

    pub(super) fn forget(&mut self, destination: &DestinationHash) {
        if let Some(Kept { packet, brought_by, used }) = self.packets.remove(destination) {
            self.bytes = self.bytes.saturating_sub(packet.len());
            self.brought.remove(brought_by, used, *destination, packet.len());
        }
    }

    /// The announce of `destination`, used.
    pub(super) fn take_up(&mut self, destination: &DestinationHash) -> Option<&[u8]> {
        let used = self.next_use();
        let kept = self.packets.get_mut(destination)?;
        self.brought.remove(kept.brought_by, kept.used, *destination, kept.packet.len());
        self.brought.add(kept.brought_by, used, *destination, kept.packet.len());
        kept.used = used;
        Some(&kept.packet)
    }

    /// What is kept of `destination` counts for this one.
    pub(super) fn is_brought_by(&mut self, destination: &DestinationHash, by: Bringer) {
        let Some(kept) = self.packets.get_mut(destination).filter(|kept| kept.brought_by != by) else {
            return;
        };
        self.brought.remove(kept.brought_by, kept.used, *destination, kept.packet.len());
        self.brought.add(by, kept.used, *destination, kept.packet.len());
        kept.brought_by = by;
    }

    /// The announce of `destination`.
    pub(super) fn get(&self, destination: &DestinationHash) -> Option<&[u8]> {
        self.packets.get(destination).map(|kept| kept.packet.as_slice())
    }

    pub(super) fn holds(&self, destination: &DestinationHash) -> bool {
        self.packets.contains_key(destination)
    }

    const fn next_use(&mut self) -> u64 {
        self.uses = self.uses.saturating_add(1);
        self.uses
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of ordered maps may be half empty.
        const PER_ENTRY: usize = 2 * (size_of::<(DestinationHash, Kept)>() + 32);
        self.max_packets
            .saturating_mul(PER_ENTRY)
            .saturating_add(Brought::memory_bound(self.max_packets))
            .saturating_add(self.max_bytes)
            .saturating_add(8_192)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    use crate::interface::InterfaceId;

    const ONE: Bringer = Bringer::Clear(InterfaceId(1));
    const OTHER: Bringer = Bringer::Clear(InterfaceId(2));

    #[test]
    fn the_cache_keeps_within_its_bytes_and_lets_the_least_used_go() {
        let mut cache = Cache::new(10, 100);
        for n in 0..3 {
            cache.keep(DestinationHash([n; 16]), ONE, vec![n; 30]);
        }
        assert!(cache.take_up(&DestinationHash([0; 16])).is_some(), "used: the second one goes first");
        cache.keep(DestinationHash([9; 16]), ONE, vec![9; 40]);
        assert_eq!((cache.bytes, cache.take_up(&DestinationHash([1; 16]))), (100, None));
        cache.keep(DestinationHash([0; 16]), ONE, vec![0; 101]);
        assert_eq!(
            (cache.bytes, cache.take_up(&DestinationHash([0; 16]))),
            (70, None),
            "nothing older is kept"
        );
    }

    #[test]
    fn the_cache_keeps_within_its_number_of_packets() {
        let mut cache = Cache::new(2, 100);
        for n in 0..5 {
            cache.keep(DestinationHash([n; 16]), ONE, vec![n; 10]);
        }
        assert_eq!((cache.packets.len(), cache.bytes), (2, 20));
    }

    #[test]
    fn whoever_brings_most_bytes_displaces_its_own() {
        let mut cache = Cache::new(100, 100);
        cache.keep(DestinationHash([0; 16]), ONE, vec![0; 20]);
        cache.keep(DestinationHash([1; 16]), OTHER, vec![1; 40]);
        cache.is_brought_by(&DestinationHash([1; 16]), ONE);
        cache.is_brought_by(&DestinationHash([1; 16]), OTHER);
        for n in 2..50 {
            cache.keep(DestinationHash([n; 16]), OTHER, vec![n; 20]);
        }
        assert!(cache.holds(&DestinationHash([0; 16])), "it was used longest ago, and another brought more");
        assert_eq!((cache.packets.len(), cache.bytes), (5, 100));
        assert_eq!((cache.brought.weight(ONE), cache.brought.weight(OTHER)), (20, 80));
    }
}
