//! Which packets were taken before: a fixed memory, and no allocation for any of them.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::random::chacha20_block;
use nexus_wire::reticulum::TruncatedPacketHash;

/// How many share a bucket: enough that a bucket holds, as a rule, about as much as its share.
const WAYS: usize = 8;

/// A set of packet hashes. In a full bucket the oldest makes room.
///
/// Hashes are kept as 8 bytes of a keyed function of theirs: two packets are taken for one with a chance of 8 in 2⁶⁴, and
/// nobody without the key can look for two that are, or aim at a bucket.
#[derive(Debug)]
pub(super) struct Duplicates {
    /// Newest first in each. Zero is no packet.
    buckets: Vec<[u64; WAYS]>,
    key: [u8; 32],
}

impl Duplicates {
    /// Room for `capacity` hashes, rounded up to whole buckets.
    pub(super) fn new(capacity: usize, key: [u8; 32]) -> Self {
        Self { buckets: vec![[0; WAYS]; capacity.div_ceil(WAYS)], key }
    }

    pub(super) fn contains(&self, packet: &TruncatedPacketHash) -> bool {
        let (at, print) = self.find(packet);
        self.buckets.get(at).is_some_and(|bucket| bucket.contains(&print))
    }

    pub(super) fn insert(&mut self, packet: &TruncatedPacketHash) {
        let (at, print) = self.find(packet);
        let Some(bucket) = self.buckets.get_mut(at) else { return };
        let place = bucket.iter().position(|held| *held == print).unwrap_or(WAYS.saturating_sub(1));
        if let Some(moved) = bucket.get_mut(..=place) {
            moved.rotate_right(1);
        }
        if let Some(newest) = bucket.first_mut() {
            *newest = print;
        }
    }

    pub(super) const fn memory_bound(&self) -> usize {
        self.buckets.capacity().saturating_mul(size_of::<[u64; WAYS]>())
    }

    /// Its bucket, and what stands for it there.
    fn find(&self, packet: &TruncatedPacketHash) -> (usize, u64) {
        let [bucket, print] = keyed(&self.key, packet);
        (within(bucket, self.buckets.len()), print.max(1))
    }
}

/// Two numbers that follow from `packet` for whoever has the key: the cipher's block function, of which the packet's hash
/// is counter and nonce.
pub(super) fn keyed(key: &[u8; 32], packet: &TruncatedPacketHash) -> [u64; 2] {
    let [c0, c1, c2, c3, nonce @ ..] = packet.0;
    let block = chacha20_block(key, u32::from_le_bytes([c0, c1, c2, c3]), &nonce);
    let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, ..] = block;
    let numbers = [[a0, a1, a2, a3, a4, a5, a6, a7], [b0, b1, b2, b3, b4, b5, b6, b7]];
    numbers.map(u64::from_le_bytes)
}

/// `number` as one of `0..count`; 0 if there are none.
pub(super) fn within(number: u64, count: usize) -> usize {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    usize::try_from(number.checked_rem(count).unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_contained_until_its_bucket_is_full_of_newer_ones() {
        let mut set = Duplicates::new(WAYS, [7; 32]);
        let all: Vec<TruncatedPacketHash> = (0..=8).map(|n| TruncatedPacketHash([n; 16])).collect();
        for packet in &all[..8] {
            set.insert(packet);
        }
        assert!(all[..8].iter().all(|packet| set.contains(packet)) && !set.contains(&all[8]));
        set.insert(&all[0]);
        set.insert(&all[8]);
        assert!(set.contains(&all[0]), "seen again: not the oldest");
        assert!(!set.contains(&all[1]) && set.contains(&all[2]) && set.contains(&all[8]));
    }

    #[test]
    fn a_filter_at_its_capacity_still_knows_most_of_what_it_saw() {
        let mut set = Duplicates::new(4_096, [7; 32]);
        let packet = |n: u32| {
            let mut hash = [0; 16];
            hash[..4].copy_from_slice(&n.to_le_bytes());
            TruncatedPacketHash(hash)
        };
        (0..4_096).for_each(|n| set.insert(&packet(n)));
        let known = (0..4_096).filter(|n| set.contains(&packet(*n))).count();
        let strangers = (4_096..40_960).filter(|n| set.contains(&packet(*n))).count();
        // Buckets of eight at a load of eight on the average: about one seventh has been pushed out.
        assert!(known > 3_300, "{known}");
        assert_eq!(strangers, 0);
        let missing = (2_048..4_096).filter(|n| !set.contains(&packet(*n))).count();
        assert!(missing < 60, "of the newer half hardly any: {missing}");
    }

    #[test]
    fn without_room_nothing_is_remembered() {
        let mut set = Duplicates::new(0, [7; 32]);
        set.insert(&TruncatedPacketHash([1; 16]));
        assert!(!set.contains(&TruncatedPacketHash([1; 16])));
    }
}
