//! A key from a passphrase: Argon2id, version 1.3 (RFC 9106), for identities at rest. The parameters travel in the key
//! file, so they are held to bounds before anything is allocated. Source: spec/crypto.md#passphrases.

use alloc::vec::Vec;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::aead::AeadKey;

/// How much work a guess at the passphrase is. Within the bounds by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    memory_kib: u32,
    passes: u8,
    lanes: u8,
}

impl Argon2Cost {
    /// What is written: 64 MiB, three passes, one lane (RFC 9106 §4's second choice, with one lane).
    pub const RECOMMENDED: Self = Self { memory_kib: 65_536, passes: 3, lanes: 1 };

    /// The cost that a key file states: 8 MiB to 1 GiB of memory, 1 to 10 passes over it, 1 to 4 lanes.
    pub const fn new(memory_kib: u32, passes: u8, lanes: u8) -> Result<Self, CostOutOfBounds> {
        if memory_kib < 8_192 || memory_kib > 1_048_576 {
            return Err(CostOutOfBounds::Memory);
        }
        if passes < 1 || passes > 10 {
            return Err(CostOutOfBounds::Passes);
        }
        if lanes < 1 || lanes > 4 {
            return Err(CostOutOfBounds::Lanes);
        }
        Ok(Self { memory_kib, passes, lanes })
    }

    /// Memory, in units of 1,024 bytes.
    #[must_use]
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn passes(&self) -> u8 {
        self.passes
    }

    /// Lanes, which are computed one after another here.
    #[must_use]
    pub const fn lanes(&self) -> u8 {
        self.lanes
    }
}

/// A cost that no key file of ours states: refused before memory is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CostOutOfBounds {
    /// Below 8 MiB or above 1 GiB.
    #[error("the passphrase's memory cost is not within 8 MiB and 1 GiB")]
    Memory,
    /// None, or more than ten.
    #[error("the passphrase's passes are not within 1 and 10")]
    Passes,
    /// None, or more than four.
    #[error("the passphrase's lanes are not within 1 and 4")]
    Lanes,
}

/// The key of `passphrase` under `salt`. Takes as long as the cost says, by design; its working memory is erased.
pub fn stretch(passphrase: &[u8], salt: &[u8; 16], cost: Argon2Cost) -> Result<AeadKey, NoKey> {
    let params = Params::new(cost.memory_kib, cost.passes.into(), cost.lanes.into(), Some(32))
        .map_err(|_| NoKey::Passphrase)?;
    let mut memory = Vec::new();
    memory.try_reserve_exact(params.block_count()).map_err(|_| NoKey::OutOfMemory)?;
    memory.resize(params.block_count(), Block::default());
    let mut key = Zeroizing::new([0; 32]);
    let done = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        passphrase,
        salt,
        key.as_mut(),
        &mut memory,
    );
    memory.iter_mut().for_each(Block::zeroize);
    done.map_err(|_| NoKey::Passphrase)?;
    Ok(AeadKey::from_bytes(*key))
}

/// Why a passphrase gave no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoKey {
    /// The memory that the cost asks for is not there.
    #[error("there is not enough memory for the passphrase's cost")]
    OutOfMemory,
    /// Longer than Argon2 takes, which is 4 GiB.
    #[error("the passphrase is too long")]
    Passphrase,
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_testkit::format::hex;

    /// Computed by the reference implementation in C (argon2-cffi's `hash_secret_raw`, type ID, version 19).
    #[test]
    fn keys_are_those_of_the_reference_implementation() {
        let salt = core::array::from_fn(|n| u8::try_from(n).unwrap());
        for (cost, key) in [
            ((8_192, 1, 1), "68aa6b3e6343f355586e5dd84710fb380cc542b0a47fa8a06ad81318fa48e3b3"),
            ((9_000, 3, 4), "a077a355c29e103f1da31dd49e3938cc7eef2c01bec3b5bcf7ec81d152ba650f"),
        ] {
            let cost = Argon2Cost::new(cost.0, cost.1, cost.2).unwrap();
            assert_eq!(hex(stretch(b"correct horse", &salt, cost).unwrap().expose()), key);
        }
    }

    #[test]
    fn costs_outside_the_bounds_are_refused_before_any_memory_is_asked_for() {
        let (refused, grown) = nexus_testkit::heap::peak_of(|| {
            [
                Argon2Cost::new(8_191, 1, 1),
                Argon2Cost::new(1_048_577, 1, 1),
                Argon2Cost::new(u32::MAX, 3, 1),
                Argon2Cost::new(8_192, 0, 1),
                Argon2Cost::new(8_192, 11, 1),
                Argon2Cost::new(8_192, 1, 0),
                Argon2Cost::new(8_192, 1, 5),
            ]
        });
        let (memory, passes, lanes) =
            (Err(CostOutOfBounds::Memory), Err(CostOutOfBounds::Passes), Err(CostOutOfBounds::Lanes));
        assert_eq!(refused, [memory, memory, memory, passes, passes, lanes, lanes]);
        assert_eq!(grown, 0);
        let largest = Argon2Cost::new(1_048_576, 10, 4).unwrap();
        assert_eq!((largest.memory_kib(), largest.passes(), largest.lanes()), (1_048_576, 10, 4));
        let written = Argon2Cost::RECOMMENDED;
        assert_eq!(Argon2Cost::new(written.memory_kib, written.passes, written.lanes), Ok(written));
    }

    #[test]
    fn the_memory_is_what_the_cost_says_and_is_given_back() {
        let cost = Argon2Cost::new(8_192, 1, 1).unwrap();
        let ((key, peak), growth) =
            nexus_testkit::heap::growth_of(|| nexus_testkit::heap::peak_of(|| stretch(b"x", &[0; 16], cost)));
        assert!(key.is_ok());
        assert!((8 << 20..9 << 20).contains(&peak), "{peak} bytes");
        assert_eq!(growth, 0);
    }
}
