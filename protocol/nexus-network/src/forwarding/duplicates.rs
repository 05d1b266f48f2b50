//! Which packets were taken before: a fixed memory, and no allocation for any of them.

use alloc::vec;
use alloc::vec::Vec;

use super::names::Name;

/// How many share a bucket: enough that a bucket holds, as a rule, about as much as its share.
const WAYS: usize = 8;

/// A set of packet hashes. In a full bucket the oldest makes room.
///
/// Of each only the print is kept: two packets are taken for one with a chance of 8 in 2⁶⁴.
#[derive(Debug)]
pub(super) struct Duplicates {
    /// Newest first in each. Zero is no packet.
    buckets: Vec<[u64; WAYS]>,
}

impl Duplicates {
    /// Room for `capacity` hashes, rounded up to whole buckets.
    pub(super) fn new(capacity: usize) -> Self {
        Self { buckets: vec![[0; WAYS]; capacity.div_ceil(WAYS)] }
    }

    pub(super) fn contains(&self, name: &Name) -> bool {
        let bucket = self.buckets.get(name.bucket(self.buckets.len()));
        bucket.is_some_and(|bucket| bucket.contains(&name.print))
    }

    pub(super) fn insert(&mut self, name: &Name) {
        let at = name.bucket(self.buckets.len());
        let Some(bucket) = self.buckets.get_mut(at) else { return };
        // Each makes way for the one before it, up to where the packet was, or to the end.
        let mut moved = name.print;
        for held in bucket {
            moved = core::mem::replace(held, moved);
            if moved == name.print {
                break;
            }
        }
    }

    /// How many buckets there are.
    pub(super) const fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// All of it in pieces of so many buckets, as bytes: prints, little-endian. None of a piece in which nothing is.
    pub(super) fn pieces(&self, of: usize) -> impl Iterator<Item = Option<Vec<u8>>> {
        self.buckets.chunks(of.max(1)).map(|piece| {
            let is_empty = piece.iter().flatten().all(|print| *print == 0);
            (!is_empty).then(|| piece.iter().flatten().flat_map(|print| print.to_le_bytes()).collect())
        })
    }

    /// Takes back a piece of so many buckets.
    pub(super) fn restore(&mut self, of: usize, piece: usize, bytes: &[u8]) {
        let Some(buckets) = self.buckets.chunks_mut(of.max(1)).nth(piece) else { return };
        for (held, print) in buckets.iter_mut().flatten().zip(bytes.as_chunks::<8>().0) {
            *held = u64::from_le_bytes(*print);
        }
    }

    pub(super) const fn memory_bound(&self) -> usize {
        self.buckets.capacity().saturating_mul(size_of::<[u64; WAYS]>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_wire::reticulum::TruncatedPacketHash;

    #[test]
    fn what_was_inserted_is_contained_until_its_bucket_is_full_of_newer_ones() {
        let mut set = Duplicates::new(WAYS);
        let all: Vec<Name> = (0..=8).map(|n| TruncatedPacketHash([n; 16]).into()).collect();
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
        let mut set = Duplicates::new(4_096);
        let packet = |n: u32| {
            let mut hash = [0; 16];
            hash[..4].copy_from_slice(&n.to_le_bytes());
            Name::from(TruncatedPacketHash(hash))
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
        let mut set = Duplicates::new(0);
        let name = TruncatedPacketHash([1; 16]).into();
        set.insert(&name);
        assert!(!set.contains(&name));
    }
}
