//! What the duplicate filter knew when the node was stopped in order: a packet that is still on its way round is not taken again.
//! Spec: spec/network.md#forwarding.

use alloc::vec::Vec;

use nexus_machine::{Seed, Snapshot, TableId, Write};

use super::duplicates::Duplicates;
use super::names::Naming;

/// The table of packets that were taken: under the empty key the key of their names, 16 bytes, ‖ the number of buckets u32, little-endian; under
/// piece u16 big-endian the prints of 128 buckets, 8 bytes each, little-endian.
pub const TAKEN: TableId = TableId(10);

/// So many buckets are one value, 8 KiB.
const PIECE: usize = 128;

/// The filter as it was left; an empty one with names of its own if there is none of this size.
pub(super) fn restored(capacity: usize, snapshot: &Snapshot, seed: &Seed) -> (Naming, Duplicates) {
    let mut duplicates = Duplicates::new(capacity);
    let head = snapshot.get(TAKEN, &[]).and_then(|head| head.split_first_chunk::<16>());
    let Some((key, _)) = head.filter(|(_, count)| *count == size(&duplicates)) else {
        // A key that nobody knows: what shares a bucket cannot be chosen.
        return (Naming::new(seed.fork("forwarding").bytes()), duplicates);
    };
    for (piece, bytes) in snapshot.scan(TAKEN) {
        if let Ok(piece) = piece.try_into() {
            duplicates.restore(PIECE, u16::from_be_bytes(piece).into(), bytes);
        }
    }
    (Naming::new(*key), duplicates)
}

/// What makes the filter durable.
pub(super) fn writes(naming: &Naming, duplicates: &Duplicates) -> Vec<Write> {
    let head = [naming.key().as_slice(), &size(duplicates)].concat();
    let pieces = (0..=u16::MAX).zip(duplicates.pieces(PIECE)).map(|(piece, bytes)| match bytes {
        Some(bytes) => Write::set(TAKEN, &piece.to_be_bytes(), bytes),
        None => Write::delete(TAKEN, &piece.to_be_bytes()),
    });
    core::iter::once(Write::set(TAKEN, &[], head)).chain(pieces).collect()
}

fn size(duplicates: &Duplicates) -> [u8; 4] {
    u32::try_from(duplicates.buckets()).unwrap_or(u32::MAX).to_le_bytes()
}
