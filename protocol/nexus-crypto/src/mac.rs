//! Codes under a key that two processes of one machine share, as programs written for Reticulum prove to their shared instance that they have it.
//!
//! Source: spec/reticulum.md#questions-of-programs.

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::secret::{constant_time_eq, hidden};

/// A secret of any length that two processes share.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SharedKey(Vec<u8>);
hidden!(SharedKey);

impl SharedKey {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes, for whoever writes them down.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// HMAC-SHA-256 (RFC 2104) of `message`.
    #[must_use]
    pub fn sha256(&self, message: &[u8]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.chain_update(message).finalize().into_bytes().into()
    }

    /// HMAC-MD5 (RFC 2104) of `message`, which nothing but programs on Python 3.11 and earlier asks for. Collisions of MD5 do not help to
    /// forge it.
    #[must_use]
    pub fn md5(&self, message: &[u8]) -> [u8; 16] {
        let mac = Hmac::<Md5>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.chain_update(message).finalize().into_bytes().into()
    }
}

impl PartialEq for SharedKey {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl Eq for SharedKey {}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_testkit::format::hex;

    /// RFC 2202 and RFC 4231, case 2.
    #[test]
    fn codes_are_those_of_the_published_vectors() {
        let key = SharedKey::from_bytes(b"Jefe".to_vec());
        let message = b"what do ya want for nothing?";
        assert_eq!(hex(&key.md5(message)), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(
            hex(&key.sha256(message)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
