//! SHA-256 where Reticulum requires it, BLAKE3 for everything of our own. (BLAKE2b lives inside Noise.)

use sha2::{Digest as _, Sha256};

/// SHA-256 over the concatenation of `parts` (FIPS 180-4).
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The first `N` bytes of the SHA-256 over the concatenation of `parts`: Reticulum's truncated hashes
/// (16 bytes for addresses and packet hashes, 10 for names and ratchet ids).
///
/// `N` is at most 32, checked at compile time.
#[must_use]
pub fn sha256_truncated<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    truncate(&sha256(parts))
}

/// BLAKE3 over the concatenation of `parts`.
#[must_use]
pub fn blake3(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The first `N` bytes of a 32-byte hash. `N` is at most 32, checked at compile time.
#[must_use]
pub fn truncate<const N: usize>(full: &[u8; 32]) -> [u8; N] {
    const { assert!(N <= 32, "a truncated hash is no longer than the hash") };
    let mut short = [0; N];
    for (to, from) in short.iter_mut().zip(full) {
        *to = *from;
    }
    short
}
