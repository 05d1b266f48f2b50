//! The cryptography crates' view of our randomness. Nothing here reads the operating system.

use core::convert::Infallible;

use nexus_machine::Stream;
use rand_core::{TryCryptoRng, TryRng};

/// A [`Stream`], lent to a crate that asks for a generator.
pub(crate) struct StreamRng<'a>(pub(crate) &'a mut Stream);

impl TryRng for StreamRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for StreamRng<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::aead::AeadInOut as _;
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
    use nexus_machine::Seed;
    use nexus_machine::random::chacha20_block;
    use rand_core::Rng as _;

    #[test]
    fn a_lent_stream_is_the_stream() {
        let (mut direct, mut lent) = (Seed::new([7; 32]).fork("x"), Seed::new([7; 32]).fork("x"));
        let mut rng = StreamRng(&mut lent);
        let mut bytes = [0; 100];
        rng.fill_bytes(&mut bytes);
        assert_eq!(bytes, direct.bytes::<100>());
        assert_eq!((rng.next_u32(), rng.next_u64()), (direct.next_u32(), direct.next_u64()));
    }

    /// The AEAD encrypts with the key stream from block 1 on (RFC 8439 §2.8), so zeroes encrypt to that key stream.
    #[test]
    fn the_generators_block_function_is_the_librarys_chacha20() {
        let mut stream = Seed::new([8; 32]).fork("keys");
        for _ in 0..100 {
            let (key, nonce) = (stream.bytes::<32>(), stream.bytes::<12>());
            let mut library = [0; 4 * 64];
            ChaCha20Poly1305::new(&key.into())
                .encrypt_inout_detached(&nonce.into(), &[], library.as_mut_slice().into())
                .unwrap();
            for (counter, block) in (1..).zip(library.chunks_exact(64)) {
                assert_eq!(chacha20_block(&key, counter, &nonce), *block);
            }
        }
    }
}
