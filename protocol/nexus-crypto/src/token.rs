//! Reticulum's symmetric token: AES-CBC, then HMAC-SHA256 over what it made. `IV[16] ‖ ciphertext ‖ HMAC[32]`.
//!
//! Source: spec/crypto.md#tokens.

use alloc::vec::Vec;

use aes::{Aes128, Aes256};
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, InOutBuf, KeyInit, KeyIvInit as _};
use cbc::{Decryptor, Encryptor};
use hmac::{Hmac, Mac as _};
use nexus_machine::Stream;
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::exchange::SharedSecret;
use crate::hkdf::hkdf_sha256;
use crate::secret::hidden;

const BLOCK: usize = 16;
const MAC: usize = 32;

/// What a token adds to its plaintext besides the padding, in bytes: the initialisation vector and the HMAC.
pub const TOKEN_OVERHEAD: usize = BLOCK + MAC;

/// The length of the token of a plaintext of `plaintext` bytes: padded up to the next multiple of 16, by 1 to 16 bytes.
#[must_use]
pub const fn token_length(plaintext: usize) -> usize {
    let padded = plaintext.saturating_sub(plaintext % BLOCK).saturating_add(BLOCK);
    padded.saturating_add(TOKEN_OVERHEAD)
}

/// A key for tokens, a half for the HMAC and a half for the cipher. Erased when dropped, never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct TokenKey(Halves);

#[derive(Zeroize)]
enum Halves {
    Aes256 { mac: [u8; 32], cipher: [u8; 32] },
    Aes128 { mac: [u8; 16], cipher: [u8; 16] },
}

impl TokenKey {
    /// The key of AES-256 tokens: `HMAC key[32] ‖ AES key[32]`.
    #[must_use]
    pub fn from_bytes(key: &[u8; 64]) -> Self {
        let (mac, cipher) = in_half(key);
        Self(Halves::Aes256 { mac, cipher })
    }

    /// The key of legacy AES-128 tokens: `HMAC key[16] ‖ AES key[16]`.
    #[must_use]
    pub fn legacy_from_bytes(key: &[u8; 32]) -> Self {
        let (mac, cipher) = in_half(key);
        Self(Halves::Aes128 { mac, cipher })
    }

    /// The key that both sides of an agreement derive: HKDF with the recipient's identity hash (for a single packet) or
    /// the link's id as its salt.
    #[must_use]
    pub fn derive(shared: &SharedSecret, salt: &[u8; 16]) -> Self {
        let mut key = Zeroizing::new([0; 64]);
        hkdf_sha256(shared.expose(), salt, &[], key.as_mut());
        Self::from_bytes(&key)
    }

    /// Encrypts under a random initialisation vector: [`token_length`] bytes.
    #[must_use]
    pub fn encrypt(&self, plaintext: &[u8], random: &mut Stream) -> Vec<u8> {
        let mut token = Vec::with_capacity(token_length(plaintext.len()));
        self.append(plaintext, random, &mut token);
        token
    }

    /// Appends the token of `plaintext` to `out`.
    pub(crate) fn append(&self, plaintext: &[u8], random: &mut Stream, out: &mut Vec<u8>) {
        let iv = random.bytes::<BLOCK>();
        let padding = BLOCK.saturating_sub(plaintext.len() % BLOCK);
        let mut padded = Vec::with_capacity(plaintext.len().saturating_add(padding));
        padded.extend_from_slice(plaintext);
        padded.resize(plaintext.len().saturating_add(padding), u8::try_from(padding).unwrap_or_default());
        self.encrypt_blocks(&iv, &mut padded);
        let mac = self.mac(&iv, &padded).finalize().into_bytes();
        out.extend_from_slice(&iv);
        out.extend_from_slice(&padded);
        out.extend_from_slice(&mac);
    }

    /// Verifies the HMAC in constant time, then decrypts.
    ///
    /// The padding is read as generously as Reticulum reads it: only the last byte counts, 0 to 16; a last byte of 0
    /// strips nothing, and the bytes before it may be anything.
    pub fn decrypt(&self, token: &[u8]) -> Result<Vec<u8>, TokenError> {
        let (iv, rest) = token.split_first_chunk::<BLOCK>().ok_or(TokenError::TooShort)?;
        let (ciphertext, mac) = rest.split_last_chunk::<MAC>().ok_or(TokenError::TooShort)?;
        self.mac(iv, ciphertext).verify(mac.into()).map_err(|_| TokenError::NotAuthentic)?;
        if !ciphertext.len().is_multiple_of(BLOCK) {
            return Err(TokenError::NotInBlocks);
        }
        let mut plaintext = ciphertext.to_vec();
        self.decrypt_blocks(iv, &mut plaintext);
        let padding = plaintext.last().copied().map_or(usize::MAX, usize::from);
        match plaintext.len().checked_sub(padding) {
            Some(length) if padding <= BLOCK => {
                plaintext.truncate(length);
                Ok(plaintext)
            }
            _ => {
                plaintext.zeroize();
                Err(TokenError::Padding)
            }
        }
    }

    fn mac(&self, iv: &[u8; BLOCK], ciphertext: &[u8]) -> Hmac<Sha256> {
        let key: &[u8] = match &self.0 {
            Halves::Aes256 { mac, .. } => mac,
            Halves::Aes128 { mac, .. } => mac,
        };
        <Hmac<Sha256> as KeyInit>::new_from_slice(key)
            .expect("HMAC takes a key of any length")
            .chain_update(iv)
            .chain_update(ciphertext)
    }

    fn encrypt_blocks(&self, iv: &[u8; BLOCK], padded: &mut [u8]) {
        let (blocks, _) = InOutBuf::from(padded).into_chunks();
        match &self.0 {
            Halves::Aes256 { cipher, .. } => {
                Encryptor::<Aes256>::new(cipher.into(), iv.into()).encrypt_blocks_inout(blocks);
            }
            Halves::Aes128 { cipher, .. } => {
                Encryptor::<Aes128>::new(cipher.into(), iv.into()).encrypt_blocks_inout(blocks);
            }
        }
    }

    fn decrypt_blocks(&self, iv: &[u8; BLOCK], ciphertext: &mut [u8]) {
        let (blocks, _) = InOutBuf::from(ciphertext).into_chunks();
        match &self.0 {
            Halves::Aes256 { cipher, .. } => {
                Decryptor::<Aes256>::new(cipher.into(), iv.into()).decrypt_blocks_inout(blocks);
            }
            Halves::Aes128 { cipher, .. } => {
                Decryptor::<Aes128>::new(cipher.into(), iv.into()).decrypt_blocks_inout(blocks);
            }
        }
    }
}

fn in_half<const HALF: usize, const BOTH: usize>(key: &[u8; BOTH]) -> ([u8; HALF], [u8; HALF]) {
    const { assert!(HALF + HALF == BOTH, "two halves make a whole") };
    let (mut mac, mut cipher) = ([0; HALF], [0; HALF]);
    let (first, second) = key.split_at(HALF);
    mac.copy_from_slice(first);
    cipher.copy_from_slice(second);
    (mac, cipher)
}

/// Why a token is not opened: always its sender's fault, or the wrong key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Fewer bytes than an initialisation vector and an HMAC.
    #[error("the token is shorter than its fixed parts")]
    TooShort,
    /// The HMAC is another: the wrong key, or changed bytes.
    #[error("the token is not authentic")]
    NotAuthentic,
    /// A holder of the key sent a ciphertext that is not a multiple of 16 bytes.
    #[error("the token's ciphertext is not a whole number of blocks")]
    NotInBlocks,
    /// A holder of the key padded by more than a block, or sent no block at all.
    #[error("the token's padding is longer than a block")]
    Padding,
}

hidden!(TokenKey);

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_is_as_long_as_stated_and_opens_under_its_key_only(
            plaintext in proptest::collection::vec(any::<u8>(), 0..500),
            key: [u8; 64],
            legacy: [u8; 32],
        ) {
            let mut random = Seed::new([1; 32]).fork("tokens");
            for key in [TokenKey::from_bytes(&key), TokenKey::legacy_from_bytes(&legacy)] {
                let token = key.encrypt(&plaintext, &mut random);
                prop_assert_eq!(token.len(), token_length(plaintext.len()));
                prop_assert_eq!(key.decrypt(&token), Ok(plaintext.clone()));
                let other = TokenKey::from_bytes(&[7; 64]);
                prop_assert_eq!(other.decrypt(&token), Err(TokenError::NotAuthentic));
                prop_assert_ne!(key.encrypt(&plaintext, &mut random), token, "each has its own IV");
            }
        }
    }

    /// NIST SP 800-38A, F.2.1 and F.2.5, the first block: the ciphers, and which half of a key is which.
    #[test]
    fn the_cipher_is_aes_cbc_under_the_second_half_of_the_key() {
        let plaintext = "6bc1bee22e409f96e93d7e117393172a";
        let iv = core::array::from_fn(|n| u8::try_from(n).unwrap());
        let mut key = [0xaa; 64];
        key[32..].copy_from_slice(&unhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"));
        let mut legacy = [0xaa; 32];
        legacy[16..].copy_from_slice(&unhex("2b7e151628aed2a6abf7158809cf4f3c"));
        for (key, ciphertext) in [
            (TokenKey::from_bytes(&key), "f58c4c04d6e5f1ba779eabfb5f7bfbd6"),
            (TokenKey::legacy_from_bytes(&legacy), "7649abac8119b246cee98e9b12e9197d"),
        ] {
            let mut block = unhex(plaintext);
            key.encrypt_blocks(&iv, &mut block);
            assert_eq!(block, unhex(ciphertext));
            key.decrypt_blocks(&iv, &mut block);
            assert_eq!(block, unhex(plaintext));
        }
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_refused() {
        let key = TokenKey::from_bytes(&[3; 64]);
        let token = key.encrypt(b"seventeen bytes !", &mut Seed::new([1; 32]).fork("tokens"));
        for bit in 0..token.len() * 8 {
            let mut flipped = token.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.decrypt(&flipped), Err(TokenError::NotAuthentic));
        }
        for length in 0..token.len() {
            let refused =
                if length < TOKEN_OVERHEAD { TokenError::TooShort } else { TokenError::NotAuthentic };
            assert_eq!(key.decrypt(&token[..length]), Err(refused));
        }
    }

    /// What a holder of the key may send, authentic but not as we would pad it.
    #[test]
    fn padding_is_read_by_its_last_byte_only() {
        let key = TokenKey::from_bytes(&[3; 64]);
        let decrypt_padded = |plaintext: &[u8]| {
            let (iv, mut blocks) = ([9; BLOCK], plaintext.to_vec());
            key.encrypt_blocks(&iv, &mut blocks);
            let mac = key.mac(&iv, &blocks).finalize().into_bytes();
            key.decrypt(&[&iv, blocks.as_slice(), &mac].concat())
        };
        let ending = |last: u8| {
            let mut block = *b"0123456789abcdef";
            block[15] = last;
            decrypt_padded(&block)
        };
        assert_eq!(ending(3).unwrap(), b"0123456789abc", "the bytes before the last are not looked at");
        assert_eq!(ending(0).unwrap(), b"0123456789abcde\0", "zero strips nothing");
        assert_eq!(ending(16).unwrap(), b"");
        assert_eq!(ending(17), Err(TokenError::Padding));
        assert_eq!(ending(255), Err(TokenError::Padding));
        assert_eq!(decrypt_padded(b""), Err(TokenError::Padding), "no block has no last byte");
        assert_eq!(decrypt_padded(b"not a block"), Err(TokenError::NotInBlocks));
    }

    fn unhex(text: &str) -> Vec<u8> {
        nexus_testkit::format::unhex(text)
    }
}
