//! A Bloom filter: what is not in it is not held; what is in it is held but for one in a hundred. 7 bits an item, 1.2 bytes for
//! each. Source: spec/network.md#bloom-filters; Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970.

use alloc::vec;
use alloc::vec::Vec;

use nexus_wire::nexus::gossip::{ItemId, Slice};

use super::marks::{Marks, in_slice};

/// How many bytes make one false positive in a hundred, for so many items: 9.6 bits each.
#[must_use]
pub const fn bytes_for(items: u32) -> u32 {
    items.saturating_add(items.div_ceil(5))
}

/// Which slices a store of so many items is told in, if a filter has at most `room` bytes: as few as keep its false positives,
/// as far as there are so many.
#[must_use]
pub fn slices_for(items: u32, room: usize) -> u8 {
    let room = u32::try_from(room).unwrap_or(u32::MAX).max(1);
    let slices = bytes_for(items).div_ceil(room).max(1);
    u8::try_from(slices).unwrap_or(u8::MAX).min(Slice::MAX_COUNT)
}

/// The filter of those of `ids` that lie in `slice`, in so many bytes.
#[must_use]
pub fn filter<'a>(ids: impl Iterator<Item = &'a ItemId>, salt: u32, slice: Slice, bytes: usize) -> Vec<u8> {
    let mut filter = vec![0; bytes];
    let bits = bits(&filter);
    for (_, marks) in in_slice(ids, salt, slice) {
        for (byte, mask) in marks.probes(bits).map(place) {
            if let Some(byte) = filter.get_mut(byte) {
                *byte |= mask;
            }
        }
    }
    filter
}

/// Those of `ids` that lie in `slice` and are not in `filter`.
pub fn missing<'a>(
    filter: &[u8],
    ids: impl Iterator<Item = &'a ItemId>,
    salt: u32,
    slice: Slice,
) -> impl Iterator<Item = &'a ItemId> {
    in_slice(ids, salt, slice).filter(|(_, marks)| !holds(filter, marks)).map(|(id, _)| id)
}

fn holds(filter: &[u8], marks: &Marks) -> bool {
    let bits = bits(filter);
    bits > 0
        && marks
            .probes(bits)
            .map(place)
            .all(|(byte, mask)| filter.get(byte).is_some_and(|held| held & mask != 0))
}

fn bits(filter: &[u8]) -> u64 {
    u64::try_from(filter.len()).unwrap_or(u64::MAX).saturating_mul(8)
}

/// The byte, and the bit in it.
fn place(bit: u64) -> (usize, u8) {
    (usize::try_from(bit >> 3).unwrap_or(usize::MAX), 1 << (bit & 7))
}
