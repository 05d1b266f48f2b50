//! Cryptography crates are named in nexus-crypto and nowhere else.

use crate::metadata::Metadata;
use crate::tidy::Finding;

const DOOR: &str = "nexus-crypto";

/// Crates that compute with secrets, or make them.
const CRYPTOGRAPHY: [&str; 32] = [
    "aead",
    "aes",
    "aes-gcm",
    "argon2",
    "blake2",
    "blake3",
    "cbc",
    "chacha20",
    "chacha20poly1305",
    "cipher",
    "crypto_box",
    "crypto_secretbox",
    "ctr",
    "curve25519-dalek",
    "digest",
    "ed25519",
    "ed25519-dalek",
    "ed25519-zebra",
    "hkdf",
    "hmac",
    "hpke",
    "openssl",
    "poly1305",
    "rand_core",
    "ring",
    "salsa20",
    "sha2",
    "snow",
    "subtle",
    "vrf",
    "vrf-rfc9381",
    "x25519-dalek",
];

/// Findings on every other crate that names one, for whatever purpose.
pub(crate) fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.name != DOOR) {
        for dependency in &package.dependencies {
            if CRYPTOGRAPHY.contains(&dependency.name.as_str()) {
                let path = metadata.relative(&package.manifest_path);
                let message = format!("{} is named in {DOOR} only: use the type it offers.", dependency.name);
                findings.push(Finding::new(&path, 0, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixture::{places, workspace};

    #[test]
    fn a_second_door_to_cryptography_is_found_also_in_tests() {
        let metadata = workspace(&[
            ("protocol/nexus-crypto", &[("blake3", None)]),
            ("protocol/nexus-wire", &[("blake3", None)]),
            ("hosts/nexus-cli", &[("sha2", Some("dev")), ("serde", None)]),
        ]);
        let expected = [("protocol/nexus-wire/Cargo.toml", 0), ("hosts/nexus-cli/Cargo.toml", 0)];
        assert_eq!(places(&check(&metadata)), expected);
    }
}
