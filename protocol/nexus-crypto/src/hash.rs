//! SHA-256 where Reticulum requires it, BLAKE3 for everything of our own. (BLAKE2b lives inside Noise.)

use blake2::Blake2bMac;
use blake2::digest::consts::U16;
use hmac::{KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

/// SHA-256 over the concatenation of `parts` (FIPS 180-4).
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// SHA-256 of a long beginning, for the hashes of many ends of it.
#[derive(Clone, Debug, Default)]
pub struct Sha256Prefix(Sha256);

impl Sha256Prefix {
    /// Takes in what comes next of the beginning.
    pub fn absorb(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of the beginning with this end.
    #[must_use]
    pub fn with_end(&self, end: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(end).finalize().into()
    }
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
    let code = hasher.finalize().into();
    hasher.zeroize();
    code
}

/// BLAKE3's key derivation: 32 bytes from `material`, for the use that `context` names. A context is a constant of the
/// program, different for every use. The result is as secret as the material.
#[must_use]
pub fn derive_key(context: &'static str, material: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(material);
    let key = hasher.finalize().into();
    hasher.zeroize();
    key
}

/// BLAKE3 over the concatenation of `parts`, as long as `output`. Its first 32 bytes are [`blake3()`]'s.
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

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_testkit::format::hex;

    /// The vectors of BLAKE3's paper's repository: input 0, 1, 2, … 250, 0, 1, … of the given length; the key and the
    /// context are theirs.
    #[test]
    fn a_beginning_is_hashed_once_for_all_ends() {
        let mut prefix = Sha256Prefix::default();
        prefix.absorb(b"ab");
        prefix.absorb(b"c");
        for end in [&b""[..], b"d", &[7; 100]] {
            assert_eq!(prefix.with_end(end), sha256(&[b"abc", end]));
        }
    }

    #[test]
    fn blake3_gives_the_authors_vectors_in_all_its_modes() {
        const KEY: &[u8; 32] = b"whats the Elvish word for friend";
        const CONTEXT: &str = "BLAKE3 2019-12-27 16:29:52 test vectors context";
        let input: [u8; 1024] = core::array::from_fn(|n| u8::try_from(n % 251).unwrap());
        assert_eq!(hex(&blake3(&[])), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_eq!(
            hex(&blake3(&[&input])),
            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"
        );
        assert_eq!(
            hex(&blake3_keyed(KEY, &[&input])),
            "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4"
        );
        assert_eq!(
            hex(&derive_key(CONTEXT, &input)),
            "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a689684302706"
        );
        let mut long = [0; 64];
        blake3_xof(&[&input], &mut long);
        assert_eq!(hex(&long[..32]), hex(&blake3(&[&input])));
        assert_eq!(hex(&long[32..]), "1cf8107265ecdaf8505b95d8fcec83a98a6a96ea5109d2c179c47a387ffbb404");
    }

    #[test]
    fn sha_256_gives_the_vector_of_fips_180() {
        assert_eq!(
            hex(&sha256(&[b"abc"])),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hex(&sha256_truncated::<4>(&[b"abc"])), "ba7816bf");
    }

    #[test]
    fn where_a_message_is_cut_into_parts_does_not_change_its_hash() {
        assert_eq!(sha256(&[b"ab", b"", b"c"]), sha256(&[b"abc"]));
        assert_eq!(blake3(&[b"ab", b"c"]), blake3(&[b"abc"]));
        assert_eq!(blake3_keyed(&[1; 32], &[b"ab", b"c"]), blake3_keyed(&[1; 32], &[b"abc"]));
        assert_eq!(blake2b_128_keyed(&[1; 32], &[b"ab", b"c"]), blake2b_128_keyed(&[1; 32], &[b"abc"]));
    }

    /// Computed by Python's hashlib: `blake2b(b"abc", key=bytes(range(32)), digest_size=16)`.
    #[test]
    fn keyed_blake2b_is_the_one_of_rfc_7693() {
        let key = core::array::from_fn(|n| u8::try_from(n).unwrap());
        assert_eq!(hex(&blake2b_128_keyed(&key, &[b"abc"])), "1a64be47e4729d951c302ee543f97cf3");
    }
}
