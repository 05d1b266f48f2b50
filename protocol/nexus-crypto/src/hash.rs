//! SHA-256 where Reticulum requires it, BLAKE3 for everything of our own. (BLAKE2b lives inside Noise.)

use blake2::Blake2bMac;
use blake2::digest::consts::U16;
use hmac::{KeyInit as _, Mac as _};
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

/// BLAKE3 under a key over the concatenation of `parts`: a message authentication code.
#[must_use]
pub fn blake3_keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// BLAKE3's key derivation: 32 bytes from `material`, for the use that `context` names. A context is a constant of the
/// program, different for every use. The result is as secret as the material.
#[must_use]
pub fn derive_key(context: &'static str, material: &[u8]) -> [u8; 32] {
    blake3::derive_key(context, material)
}

/// BLAKE3 over the concatenation of `parts`, as long as `output`. Its first 32 bytes are [`blake3`]'s.
pub fn blake3_xof(parts: &[&[u8]], output: &mut [u8]) {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize_xof().fill(output);
}

/// BLAKE2b under a key, 16 bytes long (RFC 7693), over the concatenation of `parts`: the cookie against floods of link
/// handshakes. Source: spec/crypto.md#hashes.
#[must_use]
pub fn blake2b_128_keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = blake2b_128(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn blake2b_128(key: &[u8; 32]) -> Blake2bMac<U16> {
    Blake2bMac::new_from_slice(key).expect("BLAKE2b takes keys of up to 64 bytes")
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
