//! `SipHash`-2-4 of a destination: nobody without the key can aim at a bucket. Source: Aumasson and Bernstein, "`SipHash`: a fast
//! short-input PRF", 2012.

use nexus_crypto::DestinationHash;

/// The key, 16 bytes.
#[derive(Clone, Copy)]
pub(super) struct HashKey([u64; 2]);

impl core::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashKey(hidden)")
    }
}

impl HashKey {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self(halves(key))
    }

    /// The hash of 16 bytes.
    pub(super) fn hash(self, destination: &DestinationHash) -> u64 {
        let Self([k0, k1]) = self;
        let mut state = State([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ]);
        let [first, second] = halves(*destination.as_bytes());
        // The last word is the length in its highest byte.
        for word in [first, second, 16 << 56] {
            state.absorb(word);
        }
        state.finish()
    }
}

fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let whole = u128::from_le_bytes(bytes);
    let [low, high] = [whole & u128::from(u64::MAX), whole >> 64];
    [low, high].map(|half| u64::try_from(half).expect("64 bits are left"))
}

struct State([u64; 4]);

impl State {
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.rounds(2);
        self.0[0] ^= word;
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        self.rounds(4);
        self.0.into_iter().fold(0, |all, word| all ^ word)
    }

    fn rounds(&mut self, count: u32) {
        let Self([v0, v1, v2, v3]) = self;
        for _ in 0..count {
            *v0 = v0.wrapping_add(*v1);
            *v1 = v1.rotate_left(13) ^ *v0;
            *v0 = v0.rotate_left(32);
            *v2 = v2.wrapping_add(*v3);
            *v3 = v3.rotate_left(16) ^ *v2;
            *v0 = v0.wrapping_add(*v3);
            *v3 = v3.rotate_left(21) ^ *v0;
            *v2 = v2.wrapping_add(*v1);
            *v1 = v1.rotate_left(17) ^ *v2;
            *v2 = v2.rotate_left(32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_comes_out() {
        let counting: [u8; 16] = core::array::from_fn(|n| u8::try_from(n).unwrap());
        let hash = HashKey::new(counting).hash(&DestinationHash(counting));
        assert_eq!(hash, 0x3f2a_cc7f_57c2_9bdb, "the 17th of the authors' table for 64 bits");
    }
}
