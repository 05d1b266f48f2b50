//! `SipHash`-2-4 of 16 bytes: nobody without the key can aim at a bucket. Source: Aumasson and Bernstein, "`SipHash`: a fast
//! short-input PRF", 2012.

use siphasher::{sip::SipHasher24, sip128};
use zeroize::Zeroizing;

/// The key, 16 bytes.
#[derive(Clone)]
pub(crate) struct HashKey(Zeroizing<[u8; 16]>);

impl core::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashKey(hidden)")
    }
}

impl HashKey {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// The key's bytes, which are as secret as the key.
    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The hash, in 64 bits.
    pub(crate) fn hash(&self, bytes: &[u8; 16]) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(bytes)
    }

    /// The hash in 128 bits, as two numbers of which neither says anything of the other.
    pub(crate) fn two_hashes(&self, bytes: &[u8; 16]) -> [u64; 2] {
        let hash = sip128::SipHasher24::new_with_key(&self.0).hash(bytes);
        [hash.h1, hash.h2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_come_out() {
        let counting: [u8; 16] = core::array::from_fn(|n| u8::try_from(n).unwrap());
        let key = HashKey::new(counting);
        assert_eq!(key.hash(&counting), 0x3f2a_cc7f_57c2_9bdb, "the 17th of the authors' table for 64 bits");
        let whole = key.two_hashes(&counting).map(u64::to_be);
        let published = [0x6ee2_a4ca_67b0_54bb, 0xfd33_15bf_8523_0577].map(u64::to_le);
        assert_eq!(whole, published, "as OpenSSL's SIPHASH of size 16 says it");
    }
}
