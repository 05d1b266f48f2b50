use alloc::vec::Vec;

use curve25519_dalek::constants::EIGHT_TORSION;
use nexus_testkit::format::{hex, unhex};
use proptest::prelude::*;
use serde_json::Value;
use vrf_rfc9381::ec::edwards25519::tai::EdVrfEdwards25519TaiSecretKey;
use vrf_rfc9381::{Ciphersuite, Proof as _, Prover as _, Verifier as _};

use super::*;

/// RFC 9381, appendix B.3, with what it gives of the way there.
const VECTORS: &str = include_str!("../../../../spec/vectors/rfc9381_b3.json");
/// The group's order, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

#[test]
fn the_vectors_of_the_rfc_come_out_with_all_that_lies_between() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    let vectors = vectors["vectors"].as_array().expect("a list");
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let field = |name: &str| unhex(vector[name].as_str().expect("a string"));
        let secret = VrfSecret::from_seed(&field("sk").try_into().expect("32 bytes"));
        let alpha = field("alpha");
        assert_eq!(secret.public().0[..], field("pk"));
        // Clamped, it is above the order: what is kept is its remainder.
        let x = Scalar::from_bytes_mod_order(field("x").try_into().expect("32 bytes"));
        assert_eq!(secret.scalar, x);
        let (point, encoded, counter) = encode_to_curve(&secret.public(), &alpha).expect("a point");
        assert_eq!((hex(&encoded), u64::from(counter)), (hex(&field("H")), vector["ctr"].as_u64().unwrap()));
        let nonce = secret.nonce(&encoded);
        assert_eq!(nonce.as_bytes()[..], field("k"));
        assert_eq!(EdwardsPoint::mul_base(&nonce).compress().0[..], field("U"));
        assert_eq!((point * *nonce).compress().0[..], field("V"));
        let (proof, output) = secret.prove(&alpha);
        assert_eq!((hex(&proof.0), hex(&output.0)), (hex(&field("pi")), hex(&field("beta"))));
        assert_eq!(secret.output(&alpha), output);
        assert_eq!(secret.public().verify(&alpha, &proof), Ok(output));
    }
}

proptest! {
    #[test]
    fn an_independent_implementation_agrees(seed: [u8; 32], alpha: Vec<u8>, flip in 0_usize..640) {
        let ours = VrfSecret::from_seed(&seed);
        let theirs = EdVrfEdwards25519TaiSecretKey::from_slice(&seed).expect("any 32 bytes are a key");
        let (proof, output) = ours.prove(&alpha);
        let their_proof = theirs.prove(&alpha).expect("any input can be proved");
        prop_assert_eq!(their_proof.encode_to_pi(), proof.0.to_vec());
        let hash = their_proof.proof_to_hash(Ciphersuite::ECVRF_EDWARDS25519_SHA512_TAI).expect("a point");
        prop_assert_eq!(hash[..].to_vec(), output.0.to_vec());

        let mut flipped = proof;
        flipped.0[flip / 8] ^= 1 << (flip % 8);
        let verdict = decode(&flipped).and_then(|proof| theirs.verifier().verify(&alpha, proof).ok());
        let own = ours.public().verify(&alpha, &flipped);
        prop_assert_eq!(own.ok().map(|output| output.0.to_vec()), verdict.map(|output| output[..].to_vec()));
        prop_assert!(own.is_err());
    }

    #[test]
    fn arbitrary_bytes_prove_nothing(key: [u8; 32], proof: [[u8; 16]; 5], alpha: [u8; 4]) {
        let proof = VrfProof(proof.as_flattened().try_into().unwrap());
        prop_assert!(VrfPublicKey(key).verify(&alpha, &proof).is_err());
        let honest = VrfSecret::from_seed(&key).public();
        prop_assert!(honest.verify(&alpha, &proof).is_err());
    }
}

#[test]
fn a_proof_is_of_its_key_and_its_input() {
    let (one, other) = (secret(1), secret(2));
    let (proof, output) = one.prove(b"alpha");
    assert_eq!(one.public().verify(b"alpha", &proof), Ok(output));
    assert_eq!(one.public().verify(b"alphb", &proof), Err(NotProven::Mismatch));
    assert_eq!(other.public().verify(b"alpha", &proof), Err(NotProven::Mismatch));
    assert_ne!(one.output(b"alphb"), output);
    assert_eq!(output.draw(), u64::from_le_bytes(output.0[..8].try_into().unwrap()));
}

#[test]
fn a_scalar_of_the_order_and_more_is_refused() {
    let (proof, _) = secret(1).prove(b"alpha");
    let mut second = proof;
    let order = unhex(ORDER);
    let mut carry = 0_u16;
    for (byte, more) in second.0[48..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(more);
        *byte = u8::try_from(carry & 0xff).unwrap();
        carry >>= 8;
    }
    assert_eq!(carry, 0, "a scalar and the order fit 256 bits");
    assert_eq!(secret(1).public().verify(b"alpha", &second), Err(NotProven::Scalar));
}

#[test]
fn points_with_a_second_encoding_are_refused_in_that_encoding() {
    // y = 1, y = 0 and y = −1 as y + p, and y = 1 with a sign that x = 0 does not have.
    let little = |first: u8, middle: u8, last: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    let (proof, _) = secret(1).prove(b"alpha");
    for encoding in [little(0xee, 0xff, 0x7f), little(0xed, 0xff, 0x7f), little(0x01, 0x00, 0x80)] {
        assert!(CompressedEdwardsY(encoding).decompress().is_some(), "the library takes it");
        assert_eq!(VrfPublicKey(encoding).check(), Err(NotAVrfKey::NotCanonical));
        let mut crafted = proof;
        crafted.0[..32].copy_from_slice(&encoding);
        assert_eq!(secret(1).public().verify(b"alpha", &crafted), Err(NotProven::Point));
    }
}

#[test]
fn keys_of_small_order_are_refused_before_anything_is_verified() {
    let (proof, _) = secret(1).prove(b"alpha");
    for point in EIGHT_TORSION {
        let key = VrfPublicKey(point.compress().0);
        assert_eq!(key.check(), Err(NotAVrfKey::SmallOrder));
        assert_eq!(key.verify(b"alpha", &proof), Err(NotProven::Key(NotAVrfKey::SmallOrder)));
    }
    // Under the neutral element everything could be proved: Γ neutral, s the nonce.
    let mut forged = VrfProof([0; 80]);
    forged.0[0] = 1;
    let neutral = VrfPublicKey(EIGHT_TORSION[0].compress().0);
    assert_eq!(neutral.verify(b"alpha", &forged), Err(NotProven::Key(NotAVrfKey::SmallOrder)));
}

/// A prover may add a component of small order to Γ, at the price of a few tries at the challenge. The output stays the one.
#[test]
fn a_component_of_small_order_makes_another_proof_and_no_other_output() {
    let secret = secret(1);
    let (point, encoded, _) = encode_to_curve(&secret.public(), b"alpha").expect("a point");
    let gamma = point * secret.scalar + EIGHT_TORSION[1];
    let crafted = (1_u64..200).find_map(|nonce| {
        let nonce = Scalar::from(nonce);
        let (u, v) = (EdwardsPoint::mul_base(&nonce), point * nonce);
        let head = gamma.compress().0;
        let c = challenge([&secret.public().0, &encoded, &head, &u.compress().0, &v.compress().0]);
        let s = nonce + scalar_of(&c) * secret.scalar;
        let proof = [&head[..], &c, s.as_bytes()].concat().try_into().expect("80 bytes");
        secret.public().verify(b"alpha", &VrfProof(proof)).ok().map(|output| (VrfProof(proof), output))
    });
    let (proof, output) = crafted.expect("one challenge in eight clears the component");
    assert_ne!(proof, secret.prove(b"alpha").0);
    assert_eq!(output, secret.output(b"alpha"));
}

#[test]
fn the_identitys_vrf_key_is_the_one_that_it_announces() {
    let node = crate::NodeIdentity::from_seed(crate::IdentitySeed::from_bytes([9; 32]));
    assert_eq!(node.vrf().public(), node.vrf_public());
    assert_eq!(node.vrf_public().check(), Ok(()));
    assert_eq!(alloc::format!("{:?}", node.vrf()), "VrfSecret(hidden)");
}

fn secret(number: u8) -> VrfSecret {
    VrfSecret::from_seed(&[number; 32])
}

/// What their decoder makes of a proof: it panics on none.
fn decode(proof: &VrfProof) -> Option<vrf_rfc9381::ec::edwards25519::EdVrfProof> {
    vrf_rfc9381::ec::edwards25519::EdVrfProof::decode_pi(&proof.0).ok()
}
