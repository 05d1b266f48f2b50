use alloc::string::String;
use alloc::vec::Vec;

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use nexus_testkit::format::{hex, unhex};
use proptest::prelude::*;

use super::*;

/// What every crafted signature is over, behind the tag of terms.
const CONTENT: &[u8] = b"crafted";

proptest! {
    #[test]
    fn a_signature_verifies_over_its_own_tag_and_parts_only(
        seed: [u8; 32],
        content in proptest::collection::vec(any::<u8>(), 33..100),
        cut in 0_usize..17,
        bit in 0_usize..512,
    ) {
        let key = SigningKey::from_seed(&seed);
        let (whole, cut_up) = ([content.as_slice()], [&content[..cut], &content[cut..]]);
        let signature = key.sign(&Message::new(DomainTag::TERMS, &whole).unwrap());
        let verify = |tag, parts: &[&[u8]], signature: &Signature| {
            key.public().verify(&Message::new(tag, parts).unwrap(), signature).is_ok()
        };
        prop_assert!(verify(DomainTag::TERMS, &whole, &signature));
        prop_assert!(verify(DomainTag::TERMS, &cut_up, &signature), "parts are concatenated");
        prop_assert!(!verify(DomainTag::TOKEN, &whole, &signature));
        prop_assert!(!verify(DomainTag::TERMS, &cut_up[1..], &signature) || cut == 0);
        let mut flipped = signature;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify(DomainTag::TERMS, &whole, &flipped));
    }

    #[test]
    fn signatures_are_rfc_8032s(seed: [u8; 32], content in proptest::collection::vec(any::<u8>(), 0..100)) {
        use ed25519_dalek::Signer as _;
        let stock = ed25519_dalek::SigningKey::from_bytes(&seed);
        let key = SigningKey::from_seed(&seed);
        prop_assert_eq!(key.public().0, stock.verifying_key().to_bytes());
        let signature = key.sign_untagged(&[&content]);
        prop_assert_eq!(signature.0, stock.sign(&content).to_bytes());
        prop_assert_eq!(key.public().verify_untagged(&[&content], &signature), Ok(()));
    }

    /// Honest, broken and crafted signatures mixed: a batch is good exactly if each of its signatures is.
    #[test]
    fn a_batch_is_good_exactly_if_each_of_its_signatures_is(
        picks in proptest::collection::vec((0_usize..1000, any::<bool>()), 0..12),
        entropy: [u8; 32],
    ) {
        let crafted = crafted();
        let parts = [CONTENT];
        let message = Message::new(DomainTag::TERMS, &parts).unwrap();
        let batch: Vec<_> = picks
            .iter()
            .map(|(pick, broken)| {
                let (key, mut signature) = crafted[pick % crafted.len()];
                // A broken s in a tenth of the picks: most batches have one, and many have none.
                signature.0[32] ^= u8::from(*broken && pick % 5 == 0);
                (key, message, signature)
            })
            .collect();
        let each = batch.iter().all(|(key, message, signature)| key.verify(message, signature).is_ok());
        let mut random = Seed::new(entropy).fork("batch");
        prop_assert_eq!(verify_batch(batch, &mut random).is_ok(), each);
    }
}

#[test]
fn single_and_batch_give_the_same_verdict_on_every_crafted_signature() {
    let parts = [CONTENT];
    let message = Message::new(DomainTag::TERMS, &parts).unwrap();
    let mut random = Seed::new([1; 32]).fork("batch");
    let honest = SigningKey::from_seed(&[1; 32]);
    let good = (honest.public(), message, honest.sign(&message));
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for (key, signature) in crafted() {
        let alone = key.verify(&message, &signature);
        assert_eq!(verify_batch([good, (key, message, signature), good], &mut random), alone);
        match alone {
            Ok(()) => accepted.push((key, message, signature)),
            Err(BadSignature) => refused += 1,
        }
    }
    assert_eq!((accepted.len(), refused), (14 * 14 + 8 * 8, 3), "ZIP 215 takes all but the three with s ≥ L");
    assert_eq!(verify_batch(accepted, &mut random), Ok(()));
}

#[test]
fn untagged_signatures_are_judged_as_openssl_judges_them() {
    let bytes = [DomainTag::TERMS.as_bytes().as_slice(), CONTENT].concat();
    let crafted = crafted();
    let verdicts = openssl_verdicts();
    assert_eq!(verdicts.len(), crafted.len(), "the verdicts are of other signatures");
    let mut accepted = 0;
    for ((key, signature), (openssl_key, openssl_signature, verdict)) in crafted.into_iter().zip(verdicts) {
        assert_eq!((hex(&key.0), hex(&signature.0)), (openssl_key, openssl_signature));
        let ours = key.verify_untagged(&[&bytes], &signature).is_ok();
        assert_eq!(ours, verdict, "key {key}, signature {signature}");
        accepted += u32::from(ours);
    }
    assert!(accepted > 20, "the cofactorless rule takes some of them, so the comparison says something");
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn untagged_signatures_are_judged_as_boringssls_line_judges_them() {
    let bytes = [DomainTag::TERMS.as_bytes().as_slice(), CONTENT].concat();
    for (key, signature) in crafted() {
        let theirs = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key.0)
            .verify(&bytes, &signature.0)
            .is_ok();
        assert_eq!(
            key.verify_untagged(&[&bytes], &signature).is_ok(),
            theirs,
            "key {key}, signature {signature}"
        );
    }
}

#[test]
fn a_batch_takes_as_much_randomness_whatever_is_in_it() {
    let parts = [CONTENT];
    let message = Message::new(DomainTag::TERMS, &parts).unwrap();
    let no_point = VerifyingKey(core::array::from_fn(|n| if n == 0 { 2 } else { 0 }));
    let after = |count: usize| {
        let mut random = Seed::new([4; 32]).fork("batch");
        let verdict = verify_batch((0..count).map(|_| (no_point, message, Signature([0; 64]))), &mut random);
        (verdict.is_ok(), random.next_u64())
    };
    assert_eq!((after(0).0, after(1).0, after(9).0), (true, false, false));
    assert!(after(0).1 == after(1).1 && after(1).1 == after(9).1);
}

#[test]
fn no_message_is_exactly_32_bytes_long() {
    for length in 0..64 {
        let content = alloc::vec![0; length];
        for parts in [[content.as_slice(), &[]], [&content[..length / 2], &content[length / 2..]]] {
            assert_eq!(Message::new(DomainTag::KEY, &parts).is_err(), length == 16);
        }
    }
}

#[test]
fn all_tags_are_different_and_padded_with_zeroes() {
    let tags = [
        (DomainTag::CHANNEL, "nexus/channel/v1"),
        (DomainTag::TERMS, "nexus/terms/v1"),
        (DomainTag::TOKEN, "nexus/token/v1"),
        (DomainTag::ALPHA, "nexus/alpha/v1"),
        (DomainTag::CHANNEL_ID, "nexus/chan-id/v1"),
        (DomainTag::SETTLE, "nexus/settle/v1"),
        (DomainTag::KEY, "nexus/key/v1"),
        (DomainTag::ORDER, "nexus/order/v1"),
        (DomainTag::CERTIFICATE, "nexus/cert/v1"),
        (DomainTag::CLOSE, "nexus/close/v1"),
        (DomainTag::STATE, "nexus/state/v1"),
        (DomainTag::EVIDENCE, "nexus/evid/v1"),
        (DomainTag::BROADCAST, "nexus/bcast/v1"),
        (DomainTag::END_TO_END, "nexus/e2e/v1"),
    ];
    for (tag, text) in tags {
        let mut padded = text.as_bytes().to_vec();
        padded.resize(16, 0);
        assert_eq!(tag.as_bytes().as_slice(), padded);
    }
    let different: alloc::collections::BTreeSet<_> = tags.iter().map(|(tag, _)| *tag.as_bytes()).collect();
    assert_eq!(different.len(), tags.len());
}

/// Keys and signatures over the tag of terms and [`CONTENT`] that tell verification rules apart: every encoding of a
/// point of small order as key and as R, with s = 0; then an honest key and R, each with every component of small
/// order added; then honest ones with s + L.
fn crafted() -> Vec<(VerifyingKey, Signature)> {
    let small = small_order_encodings();
    let mut all = Vec::new();
    for key in &small {
        for r in &small {
            all.push((VerifyingKey(*key), signature(r, &Scalar::ZERO.to_bytes())));
        }
    }
    let (a, r) = (Scalar::from(0x00c0_ffee_u64), Scalar::from(0x0bad_cafe_u64));
    let of =
        |scalar: &Scalar, torsion: &EdwardsPoint| (ED25519_BASEPOINT_POINT * scalar + torsion).compress().0;
    for key_torsion in &EIGHT_TORSION {
        for r_torsion in &EIGHT_TORSION {
            let (key, r_bytes) = (of(&a, key_torsion), of(&r, r_torsion));
            let s = r + challenge(&r_bytes, &key) * a;
            all.push((VerifyingKey(key), signature(&r_bytes, &s.to_bytes())));
        }
    }
    for seed in [[1; 32], [2; 32], [3; 32]] {
        let key = SigningKey::from_seed(&seed);
        let parts = [CONTENT];
        let mut honest = key.sign(&Message::new(DomainTag::TERMS, &parts).unwrap());
        add_group_order(&mut honest);
        all.push((key.public(), honest));
    }
    all
}

/// The eight points of small order and the second encodings that six of them have.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let second = |first: u8, middle: u8, last: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        assert!(CompressedEdwardsY(bytes).decompress().unwrap().is_small_order());
        bytes
    };
    let canonical = EIGHT_TORSION.iter().map(|point| point.compress().0);
    let others = [
        second(0x01, 0x00, 0x80),
        second(0xec, 0xff, 0xff),
        second(0xed, 0xff, 0x7f),
        second(0xed, 0xff, 0xff),
        second(0xee, 0xff, 0x7f),
        second(0xee, 0xff, 0xff),
    ];
    canonical.chain(others).collect()
}

fn challenge(r: &[u8; 32], key: &[u8; 32]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key);
    Scalar::from_hash(hash.chain_update(DomainTag::TERMS.as_bytes()).chain_update(CONTENT))
}

fn signature(r: &[u8; 32], s: &[u8; 32]) -> Signature {
    Signature([*r, *s].concat().try_into().unwrap())
}

/// s + L, for L = 2²⁵² + 27742317777372353535851937790883648493.
fn add_group_order(signature: &mut Signature) {
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0_u16;
    for (byte, add) in signature.0[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = u8::try_from(carry & 0xff).unwrap();
        carry >>= 8;
    }
    assert_eq!(carry, 0);
}

fn openssl_verdicts() -> Vec<(String, String, bool)> {
    let text = include_str!("../../../../spec/vectors/ed25519_openssl.json");
    let file: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(file["message"], hex(&[DomainTag::TERMS.as_bytes().as_slice(), CONTENT].concat()));
    let text = |value: &serde_json::Value| String::from(value.as_str().unwrap());
    let cases = file["verdicts"].as_array().unwrap();
    cases.iter().map(|case| (text(&case[0]), text(&case[1]), case[2].as_bool().unwrap())).collect()
}
