//! The hash of all entries, kept as they change.
//!
//! `LtHash16`: each entry is 1,024 numbers of 16 bits, drawn by BLAKE3 from its key and what is known of it; the whole is their sum. To
//! change an entry is to subtract what it was and to add what it is. (Sums modulo 2²⁵⁶ and exclusive or can be forged within seconds.)
//! Sources: Lewi, Kim, Maykov and Weis, "Securing update propagation with homomorphic hashing", 2019; spec/economy.md#state-hash.

use alloc::boxed::Box;

use nexus_crypto::DomainTag;
use nexus_crypto::hash::{blake3, blake3_xof, truncate};
use nexus_wire::nexus::gossip::StateHash;

/// Numbers in a sum.
const LANES: usize = 1_024;
/// What they take, in bytes.
const BYTES: usize = 2 * LANES;

/// The sum of what is drawn from entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SetHash {
    lanes: Box<[u16; LANES]>,
}

impl SetHash {
    /// Of no entries.
    pub(super) fn empty() -> Self {
        Self { lanes: Box::new([0; LANES]) }
    }

    /// Something came that was not there: what is known under a key.
    pub(super) fn add(&mut self, key: &[u8], known: &[u8]) {
        self.combine(key, known, u16::wrapping_add);
    }

    /// It went, or is about to be something else.
    pub(super) fn subtract(&mut self, key: &[u8], known: &[u8]) {
        self.combine(key, known, u16::wrapping_sub);
    }

    fn combine(&mut self, key: &[u8], known: &[u8], with: impl Fn(u16, u16) -> u16) {
        let mut drawn = [0; BYTES];
        blake3_xof(&[DomainTag::STATE.as_bytes(), key, known], &mut drawn);
        let (numbers, _) = drawn.as_chunks::<2>();
        for (lane, number) in self.lanes.iter_mut().zip(numbers) {
            *lane = with(*lane, u16::from_le_bytes(*number));
        }
    }

    /// What is compared: the first 16 bytes of the BLAKE3 over the sum.
    pub(super) fn state(&self) -> StateHash {
        let mut bytes = [0; BYTES];
        let (pairs, _) = bytes.as_chunks_mut::<2>();
        for (pair, lane) in pairs.iter_mut().zip(self.lanes.iter()) {
            *pair = lane.to_le_bytes();
        }
        StateHash(truncate(&blake3(&[&bytes])))
    }
}
