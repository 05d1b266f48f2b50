//! `ring`. Its keys do not erase themselves, so none is kept: each call makes one on the stack from ours, which costs a
//! copy of 32 bytes.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

use super::NotAuthentic;

/// The tag of what `buffer` held, which is ciphertext afterwards. Fails only for a buffer beyond RFC 8439's limit.
pub(super) fn seal(
    key: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; 16], NotAuthentic> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = unkept(key)
        .seal_in_place_separate_tag(nonce, Aad::from(associated), buffer)
        .map_err(|_| NotAuthentic)?;
    tag.as_ref().try_into().map_err(|_| NotAuthentic)
}

/// Opens `buffer`; what it holds after a failure is unspecified.
pub(super) fn open(
    key: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    buffer: &mut [u8],
    tag: [u8; 16],
) -> Result<(), NotAuthentic> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    unkept(key)
        .open_in_place_separate_tag(nonce, Aad::from(associated), Tag::from(tag), buffer, 0..)
        .map(drop)
        .map_err(|_| NotAuthentic)
}

fn unkept(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("ChaCha20's key has 32 bytes"))
}
