//! The way back: which way each packet came, for the proof of it.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Duration, Instant};
use nexus_wire::reticulum::TruncatedPacketHash;

use super::names::Name;
use crate::links::LinkId;
use crate::routes::PathName;

/// A proof that comes later than this finds no way back.
const LIFE: Duration = Duration::from_secs(8 * 60);
/// How many share a bucket.
const WAYS: usize = 8;

/// Which way a packet came and went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Came {
    /// The link by which it came; none for this node's own.
    pub(super) from: Option<LinkId>,
    /// The link by which it went on; none if it was for this node.
    pub(super) went: Option<LinkId>,
    /// The path that it took, to which its proof is credited.
    pub(super) path: PathName,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    packet: TruncatedPacketHash,
    came: Came,
    at: Instant,
}

/// A table of fixed size, without allocation for any packet. In a full bucket the oldest makes room.
#[derive(Debug)]
pub(super) struct Reverse {
    buckets: Vec<[Option<Entry>; WAYS]>,
}

impl Reverse {
    /// Room for `capacity` packets, rounded up to whole buckets.
    pub(super) fn new(capacity: usize) -> Self {
        Self { buckets: vec![[None; WAYS]; capacity.div_ceil(WAYS)] }
    }

    pub(super) fn insert(&mut self, name: &Name, came: Came, now: Instant) {
        let packet = name.packet;
        let Some(bucket) = self.bucket(name) else { return };
        let is_it = |held: &Option<Entry>| held.as_ref().is_some_and(|entry| entry.packet == packet);
        let place = match bucket.iter().position(is_it) {
            Some(at) => bucket.get_mut(at),
            // What is empty is older than anything.
            None => bucket.iter_mut().min_by_key(|held| held.as_ref().map(|entry| entry.at)),
        };
        if let Some(place) = place {
            *place = Some(Entry { packet, came, at: now });
        }
    }

    /// Takes out which way a packet came, if it went by `went`: where its first proof has to come from.
    pub(super) fn take(&mut self, name: &Name, went: Option<LinkId>, now: Instant) -> Option<Came> {
        let fits = |entry: &mut Entry| {
            entry.packet == name.packet && entry.came.went == went && now.since(entry.at) <= LIFE
        };
        let bucket = self.bucket(name)?;
        bucket.iter_mut().find_map(|held| held.take_if(fits)).map(|entry| entry.came)
    }

    pub(super) const fn memory_bound(&self) -> usize {
        self.buckets.capacity().saturating_mul(size_of::<[Option<Entry>; WAYS]>())
    }

    fn bucket(&mut self, name: &Name) -> Option<&mut [Option<Entry>; WAYS]> {
        let at = name.bucket(self.buckets.len());
        self.buckets.get_mut(at)
    }
}

const _: () = assert!(size_of::<Option<Entry>>() <= 48, "what the limits say of an entry");

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Key;

    const LEFT: LinkId = LinkId(Key { slot: 0, generation: 0 });
    const RIGHT: LinkId = LinkId(Key { slot: 1, generation: 0 });
    const CAME: Came = Came { from: Some(LEFT), went: Some(RIGHT), path: PathName::NONE };

    #[test]
    fn a_way_is_found_once_and_only_from_where_the_packet_went() {
        let mut table = Reverse::new(16);
        let packet = Name::from(TruncatedPacketHash([1; 16]));
        table.insert(&packet, CAME, Instant::BOOT);
        assert_eq!(table.take(&packet, Some(LEFT), Instant::BOOT), None);
        assert_eq!(table.take(&packet, None, Instant::BOOT), None);
        assert_eq!(table.take(&packet, Some(RIGHT), Instant::BOOT), Some(CAME));
        assert_eq!(table.take(&packet, Some(RIGHT), Instant::BOOT), None, "the second proof");
    }

    #[test]
    fn a_way_lives_for_eight_minutes() {
        let mut table = Reverse::new(16);
        let packet = Name::from(TruncatedPacketHash([1; 16]));
        table.insert(&packet, CAME, Instant::BOOT);
        let late = Instant::BOOT.after(LIFE).after(Duration::from_micros(1));
        assert_eq!(table.take(&packet, Some(RIGHT), late), None);
        assert_eq!(table.take(&packet, Some(RIGHT), Instant::BOOT.after(LIFE)), Some(CAME));
    }

    #[test]
    fn a_full_bucket_forgets_the_oldest_way() {
        let mut table = Reverse::new(WAYS);
        for n in 0..9 {
            let at = Instant::BOOT.after(Duration::from_micros(n.into()));
            table.insert(&TruncatedPacketHash([n; 16]).into(), CAME, at);
        }
        let late = Instant::BOOT.after(Duration::from_secs(1));
        let mut found = |n| table.take(&TruncatedPacketHash([n; 16]).into(), Some(RIGHT), late).is_some();
        assert!(!found(0));
        assert!((1..9).all(found));
    }
}
