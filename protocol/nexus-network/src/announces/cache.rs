//! The announces themselves, for those who come later.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Inserted, MapOverflow};

/// The newest announce of each destination, as this node passes it on, within a number of bytes; beyond it the one that
/// was used longest ago goes.
#[derive(Debug)]
pub(super) struct Cache {
    packets: BoundedMap<DestinationHash, Vec<u8>>,
    bytes: usize,
    max_bytes: usize,
}

impl Cache {
    pub(super) const fn new(max_packets: usize, max_bytes: usize) -> Self {
        let packets = BoundedMap::new(max_packets, MapOverflow::EvictLeastRecent);
        Self { packets, bytes: 0, max_bytes }
    }

    /// Keeps `packet`. An older one of the same destination is forgotten, whether there is room for this one or not.
    pub(super) fn keep(&mut self, destination: DestinationHash, packet: Vec<u8>) {
        self.forget(&destination);
        let len = packet.len();
        if len > self.max_bytes {
            return;
        }
        while self.bytes.saturating_add(len) > self.max_bytes {
            let Some((_, gone)) = self.packets.pop_least_recent() else { break };
            self.bytes = self.bytes.saturating_sub(gone.len());
        }
        match self.packets.insert(destination, packet) {
            Inserted::Fresh => self.bytes = self.bytes.saturating_add(len),
            Inserted::Evicted(_, gone) | Inserted::Replaced(gone) => {
                self.bytes = self.bytes.saturating_add(len).saturating_sub(gone.len());
            }
            Inserted::Refused(_) => {}
        }
    }

    pub(super) fn forget(&mut self, destination: &DestinationHash) {
        if let Some(gone) = self.packets.remove(destination) {
            self.bytes = self.bytes.saturating_sub(gone.len());
        }
    }

    /// The announce of `destination`, used.
    pub(super) fn take_up(&mut self, destination: &DestinationHash) -> Option<&[u8]> {
        self.packets.touch(destination);
        self.packets.get(destination).map(Vec::as_slice)
    }

    /// The announce of `destination`.
    pub(super) fn get(&self, destination: &DestinationHash) -> Option<&[u8]> {
        self.packets.get(destination).map(Vec::as_slice)
    }

    pub(super) fn holds(&self, destination: &DestinationHash) -> bool {
        self.packets.contains(destination)
    }

    pub(super) const fn memory_bound(&self) -> usize {
        const PER_ENTRY: usize =
            2 * (size_of::<(DestinationHash, Vec<u8>, u64)>() + size_of::<(u64, DestinationHash)>() + 32);
        self.packets.capacity().saturating_mul(PER_ENTRY).saturating_add(self.max_bytes).saturating_add(8_192)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn the_cache_keeps_within_its_bytes_and_lets_the_least_used_go() {
        let mut cache = Cache::new(10, 100);
        for n in 0..3 {
            cache.keep(DestinationHash([n; 16]), vec![n; 30]);
        }
        assert!(cache.take_up(&DestinationHash([0; 16])).is_some(), "used: the second one goes first");
        cache.keep(DestinationHash([9; 16]), vec![9; 40]);
        assert_eq!((cache.bytes, cache.take_up(&DestinationHash([1; 16]))), (100, None));
        cache.keep(DestinationHash([0; 16]), vec![0; 101]);
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
            cache.keep(DestinationHash([n; 16]), vec![n; 10]);
        }
        assert_eq!((cache.packets.len(), cache.bytes), (2, 20));
    }
}
