//! The way back: which way each packet came, for the proof of it.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Duration, Instant};

use super::hop::Hop;
use super::names::Name;
use crate::routes::PathName;

/// A proof that comes later than this finds no way back.
const LIFE: Duration = Duration::from_secs(8 * 60);
/// How many share a bucket.
const WAYS: usize = 8;

/// Which way a packet came and went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Came {
    /// The step by which it came; none for this node's own.
    pub(super) from: Option<Hop>,
    /// The step by which it went on; none if it was for this node.
    pub(super) went: Option<Hop>,
    /// The path that it took, to which its proof is credited.
    pub(super) path: PathName,
}

/// What is kept of a packet beside its print.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    came: Came,
}

/// Some packets. Memory answers slowly: the prints, which are compared for each packet that passes, lie together.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Which packets. Zero is none.
    prints: [u64; WAYS],
    entries: [Entry; WAYS],
}

/// Where a packet has its place, or gets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    bucket: usize,
    way: usize,
}

/// A table of fixed size, without allocation for any packet. In a full bucket the oldest makes room.
///
/// Of each packet only the print is kept: two are taken for one with a chance of 8 in 2⁶⁴.
#[derive(Debug)]
pub(super) struct Reverse {
    buckets: Vec<Bucket>,
}

impl Reverse {
    /// Room for `capacity` packets, rounded up to whole buckets.
    pub(super) fn new(capacity: usize) -> Self {
        let nobody = Came { from: None, went: None, path: PathName::NONE };
        let entry = Entry { at: Instant::BOOT, came: nobody };
        let empty = Bucket { prints: [0; WAYS], entries: [entry; WAYS] };
        Self { buckets: vec![empty; capacity.div_ceil(WAYS)] }
    }

    /// The place of a packet: where it is, else where there is room, else where the oldest is.
    pub(super) fn seat(&self, name: &Name) -> Seat {
        let at = name.bucket(self.buckets.len());
        let Some(bucket) = self.buckets.get(at) else { return Seat { bucket: at, way: 0 } };
        let place_of = |print: u64| bucket.prints.iter().position(|held| *held == print);
        let ages = || (0..).zip(&bucket.entries).map(|(way, entry)| (entry.at, way));
        let oldest = || ages().min_by_key(|(at, _)| *at).map_or(0, |(_, way)| way);
        let way = place_of(name.print).or_else(|| place_of(0)).unwrap_or_else(oldest);
        Seat { bucket: at, way }
    }

    pub(super) fn insert(&mut self, name: &Name, came: Came, now: Instant) {
        self.put(self.seat(name), name, came, now);
    }

    /// Puts a packet where it belongs. Nothing may have changed since that was asked.
    pub(super) fn put(&mut self, seat: Seat, name: &Name, came: Came, now: Instant) {
        let Some(bucket) = self.buckets.get_mut(seat.bucket) else { return };
        let places = (bucket.prints.get_mut(seat.way), bucket.entries.get_mut(seat.way));
        if let (Some(print), Some(entry)) = places {
            (*print, *entry) = (name.print, Entry { at: now, came });
        }
    }

    /// Takes out which way a packet came, if it went by `went`: where its first proof has to come from.
    pub(super) fn take(&mut self, name: &Name, went: Option<Hop>, now: Instant) -> Option<Came> {
        let at = name.bucket(self.buckets.len());
        let bucket = self.buckets.get_mut(at)?;
        let fits = |(print, entry): &(&mut u64, &Entry)| {
            **print == name.print && entry.came.went == went && now.since(entry.at) <= LIFE
        };
        let (print, entry) = bucket.prints.iter_mut().zip(&bucket.entries).find(fits)?;
        *print = 0;
        Some(entry.came)
    }

    pub(super) const fn memory_bound(&self) -> usize {
        self.buckets.capacity().saturating_mul(size_of::<Bucket>())
    }
}

const _: () = assert!(size_of::<Bucket>() <= 32 * WAYS, "what the limits say of a packet");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::InterfaceId;
    use crate::links::LinkId;
    use nexus_machine::Key;
    use nexus_wire::reticulum::TruncatedPacketHash;

    const LEFT: Hop = Hop::Link(LinkId(Key { slot: 0, generation: 0 }));
    const RIGHT: Hop = Hop::Clear(InterfaceId(1));
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
