//! What all secrets have in common: none prints itself, and none is compared byte by byte until the first difference.

use subtle::ConstantTimeEq as _;

/// Whether two byte strings are equal, in a time that depends on their lengths only. For tags, cookies and whatever
/// else a guesser could otherwise find out one byte at a time.
#[must_use]
pub fn constant_time_eq(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// A `Debug` that says that there is a secret, and nothing of it.
macro_rules! hidden {
    ($($secret:ident),* $(,)?) => {$(
        impl core::fmt::Debug for $secret {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($secret), "(hidden)"))
            }
        }
    )*};
}
pub(crate) use hidden;

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::{Zeroize as _, ZeroizeOnDrop};

    use crate::{
        AeadKey, EphemeralSecret, ExchangeSecret, IdentitySeed, NodeIdentity, RatchetSecret,
        ReticulumIdentity, SharedKey, SharedSecret, SigningKey, TokenKey, VrfSecret,
    };

    /// What can be shown without reading freed memory: each type promises it, by a derive that demands it of its fields.
    #[test]
    fn every_secret_erases_itself_when_dropped() {
        const fn erases_itself<T: ZeroizeOnDrop>() {}
        erases_itself::<AeadKey>();
        erases_itself::<EphemeralSecret>();
        erases_itself::<ExchangeSecret>();
        erases_itself::<IdentitySeed>();
        erases_itself::<NodeIdentity>();
        erases_itself::<RatchetSecret>();
        erases_itself::<ReticulumIdentity>();
        erases_itself::<SharedKey>();
        erases_itself::<SharedSecret>();
        erases_itself::<SigningKey>();
        erases_itself::<TokenKey>();
        erases_itself::<VrfSecret>();
    }

    #[test]
    fn an_erased_secret_is_zeroes() {
        let (mut seed, mut key) = (IdentitySeed::from_bytes([7; 32]), AeadKey::from_bytes([7; 32]));
        seed.zeroize();
        key.zeroize();
        assert_eq!((seed.expose(), key.expose()), (&[0; 32], &[0; 32]));
    }

    #[test]
    fn byte_strings_are_equal_only_if_all_their_bytes_are() {
        assert!(constant_time_eq(b"", b"") && constant_time_eq(b"abc", b"abc"));
        assert!(!constant_time_eq(b"abc", b"abd") && !constant_time_eq(b"abc", b"ab"));
    }
}
