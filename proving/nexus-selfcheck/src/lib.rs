//! Digests that must come out the same on every target.
//!
//! `no_std`, so that a microcontroller's processor can compute them (`proving/riscv-check` does, under QEMU). What is
//! chained into them comes from seeded streams; what is not bytes but a property (what was sealed opens, what was
//! changed is refused) is asserted, so that a target cannot agree on being wrong.
//!
//! | module | what it covers |
//! |---|---|
//! | [`symmetric`] | hashes, randomness, HKDF, and the AEAD, of which targets have different implementations |
//! | [`asymmetric`] | identities, agreements, signatures, announces: 32-bit and 64-bit arithmetic of the curve |
//! | [`path_cost`] | the cost of paths, which relays compute independently |
#![no_std]
#![forbid(unsafe_code)]

pub mod asymmetric;
pub mod path_cost;
pub mod symmetric;

/// One digest: its name, and how it is computed.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// A name without white space, by which results are compared.
    pub name: &'static str,
    /// Computes the digest. Panics if a property does not hold.
    pub digest: fn() -> [u8; 32],
}

/// All of them.
pub const CHECKS: [Check; 8] = [
    Check { name: "hash", digest: symmetric::hash_digest },
    Check { name: "stream", digest: symmetric::stream_digest },
    Check { name: "hkdf", digest: symmetric::hkdf_digest },
    Check { name: "aead", digest: symmetric::aead_digest },
    Check { name: "identity", digest: asymmetric::identity_digest },
    Check { name: "signature", digest: asymmetric::signature_digest },
    Check { name: "announce", digest: asymmetric::announce_digest },
    Check { name: "path-cost", digest: || path_cost::path_cost_digest(path_cost::UPDATES) },
];

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_holds_here_and_none_stands_for_another() {
        let names: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert!(names.len() == CHECKS.len() && !names.iter().any(|name| name.contains(' ')), "{names:?}");
        let digests: BTreeSet<_> = CHECKS.iter().map(|check| (check.digest)()).collect();
        assert_eq!(digests.len(), CHECKS.len());
    }
}
