//! HKDF-SHA256 (RFC 5869), as Reticulum bends it: the block counter is one byte that wraps, so that an output may be
//! longer than RFC 5869's 255 blocks. Up to there the two are equal. Source: spec/crypto.md#hkdf.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// Fills `output` from the key material `ikm`. An empty `salt` stands for 32 zero bytes (RFC 5869 §2.2).
///
/// Any length is allowed. Beyond 8,160 bytes block 256 has the counter 0, block 257 the counter 1, and so on; each block
/// still depends on the one before it.
pub fn hkdf_sha256(ikm: &[u8], salt: &[u8], info: &[u8], output: &mut [u8]) {
    let extracted = Zeroizing::new(<[u8; 32]>::from(keyed(salt).chain_update(ikm).finalize().into_bytes()));
    let expand = keyed(extracted.as_ref());
    let mut previous = [0; 32];
    let mut counter = 1_u8;
    for (number, block) in output.chunks_mut(32).enumerate() {
        let mut mac = expand.clone();
        if number > 0 {
            mac.update(&previous);
        }
        mac.update(info);
        mac.update(&[counter]);
        previous = mac.finalize().into_bytes().into();
        block.iter_mut().zip(&previous).for_each(|(to, from)| *to = *from);
        counter = counter.wrapping_add(1);
    }
    previous.zeroize();
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_testkit::format::unhex;

    /// RFC 5869, appendices A.1, A.2 and A.3: ikm, salt, info, output.
    const RFC_5869: [[&str; 4]; 3] = [
        [
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ],
        [
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132\
             333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
            "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192\
             939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
            "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2\
             e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275\
             600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ],
        [
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "",
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ],
    ];

    #[test]
    fn short_outputs_are_rfc_5869s() {
        for [ikm, salt, info, expected] in RFC_5869.map(|vector| vector.map(unhex)) {
            let mut output = alloc::vec![0; expected.len()];
            hkdf_sha256(&ikm, &salt, &info, &mut output);
            assert_eq!(output, expected);
        }
    }

    #[test]
    fn beyond_255_blocks_the_counter_wraps_and_blocks_do_not_repeat() {
        let mut output = alloc::vec![0; 32 * 600];
        hkdf_sha256(b"ikm", b"salt", b"", &mut output);
        let blocks: alloc::collections::BTreeSet<_> = output.chunks(32).collect();
        assert_eq!(blocks.len(), 600);
        let mac = |counter: u8, previous: &[u8]| {
            let extracted = keyed(b"salt").chain_update(b"ikm").finalize().into_bytes();
            let mac = keyed(&extracted).chain_update(previous).chain_update([counter]);
            <[u8; 32]>::from(mac.finalize().into_bytes())
        };
        assert_eq!(output[255 * 32..256 * 32], mac(0, &output[254 * 32..255 * 32]));
        assert_eq!(output[256 * 32..257 * 32], mac(1, &output[255 * 32..256 * 32]));
    }

    #[test]
    fn an_empty_salt_is_32_zero_bytes_and_an_empty_output_is_nothing() {
        let (mut empty, mut zeroes) = ([0; 64], [0; 64]);
        hkdf_sha256(b"ikm", b"", b"", &mut empty);
        hkdf_sha256(b"ikm", &[0; 32], b"", &mut zeroes);
        assert_eq!(empty, zeroes);
        hkdf_sha256(b"ikm", b"", b"", &mut []);
    }
}
