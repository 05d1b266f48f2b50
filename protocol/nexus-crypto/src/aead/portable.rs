//! `RustCrypto`'s implementation, which compiles everywhere.

use chacha20poly1305::{AeadInOut as _, ChaCha20Poly1305, KeyInit as _};

use super::NotAuthentic;

/// The tag of what `buffer` held, which is ciphertext afterwards. Fails only for a buffer beyond RFC 8439's limit.
pub(super) fn seal(
    key: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; 16], NotAuthentic> {
    ChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(&nonce.into(), associated, buffer.into())
        .map(Into::into)
        .map_err(|_| NotAuthentic)
}

/// Opens `buffer`; what it holds after a failure is unspecified.
pub(super) fn open(
    key: &[u8; 32],
    nonce: [u8; 12],
    associated: &[u8],
    buffer: &mut [u8],
    tag: [u8; 16],
) -> Result<(), NotAuthentic> {
    ChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(&nonce.into(), associated, buffer.into(), &tag.into())
        .map_err(|_| NotAuthentic)
}
