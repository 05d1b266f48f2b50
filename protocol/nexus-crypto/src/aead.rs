//! ChaCha20-Poly1305 (RFC 8439), detached and in place: the tag travels where the format wants it, and no byte is copied.
//!
//! `ring` does the work on x86-64 and aarch64 (several times faster there), the portable `RustCrypto` implementation
//! everywhere else. The bytes are the same; tests hold the two against each other. Source: spec/crypto.md#aead.

#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod portable;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod with_ring;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use portable as backend;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use with_ring as backend;

use nexus_machine::Stream;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::fixed_bytes;
use crate::secret::hidden;

fixed_bytes! {
    /// What proves that a ciphertext and its associated data are authentic.
    Tag, 16
}

/// The number that is never used twice under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; 12]);

impl Nonce {
    /// Its length on the wire, in bytes, where a format carries it.
    pub const LEN: usize = 12;

    /// The nonce of a frame's counter: four zero bytes, then the counter, little-endian (Noise §12.3). The counter must
    /// be taken before sealing and never come again under the same key.
    #[must_use]
    pub fn counter(counter: u64) -> Self {
        let mut nonce = [0; 12];
        let (_, number) = nonce.split_at_mut(4);
        number.copy_from_slice(&counter.to_le_bytes());
        Self(nonce)
    }

    /// A random nonce, for a key that seals a handful of messages in its life (a key file's).
    #[must_use]
    pub fn random(random: &mut Stream) -> Self {
        Self(random.bytes())
    }

    /// The nonce that a format carried.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The twelve bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

/// A key that seals and opens. Erased when dropped, never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct AeadKey([u8; 32]);

impl AeadKey {
    /// The key with these bytes, from a key derivation or a handshake.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A fresh key. The stream must have been refreshed with the host's entropy.
    #[must_use]
    pub fn generate(random: &mut Stream) -> Self {
        Self(random.bytes())
    }

    /// The secret bytes, for a key that is told to others (a broadcast key).
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Turns the plaintext in `buffer` into ciphertext and authenticates it together with `associated`.
    ///
    /// # Panics
    /// If the buffer is longer than the 256 GiB that one nonce can encrypt (RFC 8439 §2.8).
    #[must_use = "without the tag the ciphertext cannot be opened"]
    pub fn seal_in_place(&self, nonce: Nonce, associated: &[u8], buffer: &mut [u8]) -> Tag {
        let tag = backend::seal(&self.0, nonce.0, associated, buffer);
        Tag(tag.expect("a buffer is shorter than 256 GiB"))
    }

    /// Turns the ciphertext in `buffer` into plaintext, if it and `associated` are what was sealed. If not, the buffer is
    /// filled with zeroes, on every target: nothing of it can be taken for a message.
    pub fn open_in_place(
        &self,
        nonce: Nonce,
        associated: &[u8],
        buffer: &mut [u8],
        tag: &Tag,
    ) -> Result<(), NotAuthentic> {
        backend::open(&self.0, nonce.0, associated, buffer, tag.0).inspect_err(|_| buffer.fill(0))
    }
}

/// Bytes that were not sealed under this key, nonce and associated data, or that were changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the sealed bytes are not authentic")]
pub struct NotAuthentic;

hidden!(AeadKey);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use nexus_testkit::format::unhex;
    use proptest::prelude::*;

    const SUNSCREEN: &[u8] =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
        future, sunscreen would be it.";

    /// RFC 8439 §2.8.2.
    fn rfc_8439() -> (AeadKey, Nonce, Vec<u8>, Vec<u8>, Tag) {
        let key = core::array::from_fn(|n| 0x80 + u8::try_from(n).unwrap());
        let nonce = unhex("070000004041424344454647").try_into().unwrap();
        let ciphertext = unhex(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a\
             9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9d\
             e576d26586cec64b6116",
        );
        let tag = unhex("1ae10b594f09e26a7e902ecbd0600691").try_into().unwrap();
        (
            AeadKey::from_bytes(key),
            Nonce::from_bytes(nonce),
            unhex("50515253c0c1c2c3c4c5c6c7"),
            ciphertext,
            Tag(tag),
        )
    }

    #[test]
    fn the_vector_of_rfc_8439_2_8_2_seals_and_opens() {
        let (key, nonce, associated, ciphertext, tag) = rfc_8439();
        let mut buffer = SUNSCREEN.to_vec();
        assert_eq!(key.seal_in_place(nonce, &associated, &mut buffer), tag);
        assert_eq!(buffer, ciphertext);
        assert_eq!(key.open_in_place(nonce, &associated, &mut buffer, &tag), Ok(()));
        assert_eq!(buffer, SUNSCREEN);
        let sealed = portable::seal(key.expose(), *nonce.as_bytes(), &associated, &mut buffer);
        assert_eq!((sealed, buffer), (Ok(tag.0), ciphertext));
    }

    #[test]
    fn any_flipped_bit_is_found_and_leaves_nothing_readable() {
        let (key, nonce, associated, ciphertext, tag) = rfc_8439();
        let refused = |associated: &[u8], ciphertext: &[u8], tag: &Tag| {
            let mut buffer = ciphertext.to_vec();
            assert_eq!(key.open_in_place(nonce, associated, &mut buffer, tag), Err(NotAuthentic));
            assert!(buffer.iter().all(|byte| *byte == 0), "what was refused is erased");
        };
        for bit in 0..ciphertext.len() * 8 {
            refused(&associated, &flipped(&ciphertext, bit), &tag);
        }
        for bit in 0..associated.len() * 8 {
            refused(&flipped(&associated, bit), &ciphertext, &tag);
        }
        for bit in 0..128 {
            let other = Tag(flipped(&tag.0, bit).try_into().unwrap());
            refused(&associated, &ciphertext, &other);
        }
        refused(&associated, &ciphertext[1..], &tag);
        refused(&[], &ciphertext, &tag);
    }

    proptest! {
        #[test]
        fn both_backends_make_and_open_the_same_bytes(
            key: [u8; 32],
            nonce: [u8; 12],
            associated in proptest::collection::vec(any::<u8>(), 0..40),
            plaintext in proptest::collection::vec(any::<u8>(), 0..1600),
        ) {
            let (mut ours, mut portables) = (plaintext.clone(), plaintext.clone());
            let tag = backend::seal(&key, nonce, &associated, &mut ours).unwrap();
            prop_assert_eq!(portable::seal(&key, nonce, &associated, &mut portables), Ok(tag));
            prop_assert_eq!(&ours, &portables);
            prop_assert_eq!(portable::open(&key, nonce, &associated, &mut ours, tag), Ok(()));
            prop_assert_eq!(backend::open(&key, nonce, &associated, &mut portables, tag), Ok(()));
            prop_assert_eq!((&ours, &portables), (&plaintext, &plaintext));
        }

        #[test]
        fn both_backends_refuse_the_same_bytes(key: [u8; 32], nonce: [u8; 12], bytes: [u8; 100], tag: [u8; 16]) {
            prop_assert_eq!(backend::open(&key, nonce, &[], &mut bytes.clone(), tag), Err(NotAuthentic));
            prop_assert_eq!(portable::open(&key, nonce, &[], &mut bytes.clone(), tag), Err(NotAuthentic));
        }
    }

    #[test]
    fn a_counter_becomes_four_zero_bytes_and_itself_little_endian() {
        let nonce = Nonce::counter(0x0102_0304_0506_0708);
        assert_eq!(nonce.as_bytes(), &[0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn an_empty_message_is_still_authenticated() {
        let key = AeadKey::from_bytes([1; 32]);
        let tag = key.seal_in_place(Nonce::counter(0), b"head", &mut []);
        assert_eq!(key.open_in_place(Nonce::counter(0), b"head", &mut [], &tag), Ok(()));
        assert_eq!(key.open_in_place(Nonce::counter(0), b"Head", &mut [], &tag), Err(NotAuthentic));
        assert_eq!(key.open_in_place(Nonce::counter(1), b"head", &mut [], &tag), Err(NotAuthentic));
    }

    fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    }
}
