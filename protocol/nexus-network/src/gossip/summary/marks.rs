//! What a salt makes of an id: where it lies in the item space, and its bits in filters and sketches.

use nexus_crypto::hash::blake3;
use nexus_wire::nexus::gossip::{ItemId, Slice};

/// So that these hashes are no others of the project.
const DOMAIN: &[u8; 16] = b"nexus/summary/v1";

/// How many bits of a Bloom filter an item sets, at most.
pub(super) const PROBES: usize = 7;

/// 32 bytes of BLAKE3's output over `domain ‖ salt ‖ id`: nobody who does not know the salt beforehand can choose them.
pub(super) struct Marks([u32; 1 + PROBES]);

impl Marks {
    pub(super) fn of(salt: u32, id: &ItemId) -> Self {
        let hash = blake3(&[DOMAIN, &salt.to_le_bytes(), &id.0]);
        let (words, _) = hash.as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
        Self(core::array::from_fn(|_| words.next().unwrap_or_default()))
    }

    /// Whether the id lies in `slice`. By the leading bits of the first word: each slice is as wide as any other.
    pub(super) fn lies_in(&self, slice: Slice) -> bool {
        let [place, ..] = self.0;
        scaled(place, u64::from(slice.count())) == u64::from(slice.index())
    }

    /// Which bits the id sets of so many.
    pub(super) fn probes(&self, bits: u64) -> impl Iterator<Item = u64> {
        let [_, probes @ ..] = self.0;
        probes.into_iter().map(move |probe| scaled(probe, bits))
    }

    /// The id's name in sketches: 48 bits.
    pub(super) fn name(&self) -> u64 {
        let [_, low, high, ..] = self.0;
        u64::from(low) | (u64::from(high) & 0xffff) << 32
    }
}

/// `word` of 2³², of `whole`: below it.
fn scaled(word: u32, whole: u64) -> u64 {
    u64::from(word).saturating_mul(whole) >> 32
}

/// The ids of `ids` in `slice`, with their marks.
pub(super) fn in_slice<'a>(
    ids: impl Iterator<Item = &'a ItemId>,
    salt: u32,
    slice: Slice,
) -> impl Iterator<Item = (&'a ItemId, Marks)> {
    ids.map(move |id| (id, Marks::of(salt, id))).filter(move |(_, marks)| marks.lies_in(slice))
}
