//! ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381, suite 0x03): a hash that only one key can compute and everybody can check.
//!
//! The holder of a key computes an output for any input, and a proof that it is the one. For a key and an input there is one
//! output; proofs there may be many, so nothing may be told apart by a proof's bytes. Decoding is canonical, keys of small
//! order are refused, and a proof's scalar is below the group's order. Neither proving nor verifying allocates; what depends
//! on the secret takes the same time for every secret. Source: spec/crypto.md#vrf.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "scalars and points are elements of groups: their sums and products exist"
)]

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use curve25519_dalek::traits::IsIdentity as _;
use sha2::{Digest as _, Sha512};
use thiserror::Error;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::fixed_bytes;
use crate::identity::VrfPublicKey;
use crate::secret::{constant_time_eq, hidden};

/// The suite's number, and what it is followed by in each hash (RFC 9381 §5.4 and §5.5).
const SUITE: u8 = 0x03;
const ENCODE_TO_CURVE: u8 = 0x01;
const CHALLENGE: u8 = 0x02;
const PROOF_TO_HASH: u8 = 0x03;
const END: u8 = 0x00;

fixed_bytes! {
    /// A proof: a point Γ of 32 bytes, a challenge of 16, a scalar of 32. Nothing is said about whether it verifies.
    VrfProof, 80
}
fixed_bytes! {
    /// What the function gives: uniform bytes that nobody without the key can foretell.
    VrfOutput, 64
}

impl VrfOutput {
    /// The first eight bytes as a number, little-endian: uniform over all u64.
    #[must_use]
    pub fn draw(&self) -> u64 {
        u64::from_le_bytes(*self.0.first_chunk().expect("64 bytes begin with eight"))
    }
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotProven {
    /// The key is no VRF key.
    #[error(transparent)]
    Key(#[from] NotAVrfKey),
    /// The proof's first half is not the canonical encoding of a point.
    #[error("the proof's point is not the canonical encoding of one")]
    Point,
    /// The proof's scalar is not below the group's order: a second encoding of one that is.
    #[error("the proof's scalar is not below the group's order")]
    Scalar,
    /// The proof is of another key or another input, or of nothing.
    #[error("the proof is of another key or another input")]
    Mismatch,
}

/// Why 32 bytes are no public key of the VRF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAVrfKey {
    /// They are not the canonical encoding of a point.
    #[error("the VRF key is not the canonical encoding of a point")]
    NotCanonical,
    /// The point's order divides eight: every input would have the same output.
    #[error("the VRF key is of small order")]
    SmallOrder,
}

/// The secret key of a VRF: 32 bytes, expanded as RFC 8032 §5.1.5 does. Erased when dropped, never printed.
#[derive(ZeroizeOnDrop)]
pub struct VrfSecret {
    scalar: Scalar,
    /// The second half of the expanded key, from which nonces come.
    prefix: [u8; 32],
    #[zeroize(skip)]
    public: VrfPublicKey,
}

impl VrfSecret {
    /// The key of a seed, which serves nothing else: Ed25519 derives its nonces alike.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let expanded: Zeroizing<[u8; 64]> = Zeroizing::new(Sha512::digest(seed).into());
        let (first, second) = expanded.split_first_chunk::<32>().expect("64 bytes begin with 32");
        let clamped = Zeroizing::new(clamp_integer(*first));
        let scalar = Scalar::from_bytes_mod_order(*clamped);
        let public = VrfPublicKey(EdwardsPoint::mul_base(&scalar).compress().0);
        Self { scalar, prefix: *second.first_chunk().expect("32 bytes are left"), public }
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> VrfPublicKey {
        self.public
    }

    /// The output for `alpha`, without a proof: a multiplication.
    #[must_use]
    pub fn output(&self, alpha: &[u8]) -> VrfOutput {
        let (point, _) = self.hash_to_point(alpha);
        proof_to_hash(&(point * self.scalar))
    }

    /// The output for `alpha`, and a proof that it is (RFC 9381 §5.1).
    #[must_use]
    pub fn prove(&self, alpha: &[u8]) -> (VrfProof, VrfOutput) {
        let (point, encoded) = self.hash_to_point(alpha);
        let gamma = point * self.scalar;
        let nonce = self.nonce(&encoded);
        let (u, v) = (EdwardsPoint::mul_base(&nonce), point * *nonce);
        let gamma_encoded = gamma.compress();
        let c = challenge([&self.public.0, &encoded, &gamma_encoded.0, &u.compress().0, &v.compress().0]);
        let s = *nonce + scalar_of(&c) * self.scalar;
        let mut proof = [0; 80];
        let (head, tail) = proof.split_at_mut(32);
        head.copy_from_slice(&gamma_encoded.0);
        let (challenge, scalar) = tail.split_at_mut(16);
        challenge.copy_from_slice(&c);
        scalar.copy_from_slice(s.as_bytes());
        (VrfProof(proof), proof_to_hash(&gamma))
    }

    fn hash_to_point(&self, alpha: &[u8]) -> (EdwardsPoint, [u8; 32]) {
        let found = encode_to_curve(&self.public, alpha);
        let (point, encoded, _) = found.expect("of 256 hashes, each a point with even odds, one is");
        (point, encoded)
    }

    /// RFC 9381 §5.4.2.2, which is RFC 8032's.
    fn nonce(&self, point: &[u8; 32]) -> Zeroizing<Scalar> {
        let hashed: Zeroizing<[u8; 64]> =
            Zeroizing::new(Sha512::new().chain_update(self.prefix).chain_update(point).finalize().into());
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&hashed))
    }
}

hidden!(VrfSecret);

impl VrfPublicKey {
    /// Whether these bytes are a key that draws can be checked with.
    ///
    /// # Errors
    /// [`NotAVrfKey`] says why not.
    pub fn check(&self) -> Result<(), NotAVrfKey> {
        self.point().map(drop)
    }

    /// The output for `alpha`, if `proof` proves it (RFC 9381 §5.3, with key validation).
    ///
    /// # Errors
    /// [`NotProven`] if the key, the proof's parts or the proof are not what they should be.
    pub fn verify(&self, alpha: &[u8], proof: &VrfProof) -> Result<VrfOutput, NotProven> {
        let key = self.point()?;
        let (head, tail) = proof.0.split_first_chunk::<32>().expect("80 bytes begin with 32");
        let (c, s) = tail.split_first_chunk::<16>().expect("48 bytes begin with 16");
        let gamma = canonical_point(head).ok_or(NotProven::Point)?;
        let s = s.first_chunk().copied().and_then(|s| Option::from(Scalar::from_canonical_bytes(s)));
        let s: Scalar = s.ok_or(NotProven::Scalar)?;
        let (point, encoded, _) = encode_to_curve(self, alpha).ok_or(NotProven::Mismatch)?;
        let negated = -scalar_of(c);
        let u = EdwardsPoint::vartime_double_scalar_mul_basepoint(&negated, &key, &s);
        let v = point * s + gamma * negated;
        let expected = challenge([&self.0, &encoded, head, &u.compress().0, &v.compress().0]);
        if constant_time_eq(&expected, c) { Ok(proof_to_hash(&gamma)) } else { Err(NotProven::Mismatch) }
    }

    fn point(&self) -> Result<EdwardsPoint, NotAVrfKey> {
        let point = canonical_point(&self.0).ok_or(NotAVrfKey::NotCanonical)?;
        if point.is_small_order() { Err(NotAVrfKey::SmallOrder) } else { Ok(point) }
    }
}

/// The point that is encoded so, if it encodes so again (RFC 8032 §5.1.3): one point, one encoding.
fn canonical_point(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*bytes).decompress()?;
    (point.compress().0 == *bytes).then_some(point)
}

/// Try and increment (RFC 9381 §5.4.1.1): the first hash that is a point, out of the small subgroup, and encoded; and which
/// hash it was. How long it takes depends on the key and the input, which are public.
fn encode_to_curve(salt: &VrfPublicKey, alpha: &[u8]) -> Option<(EdwardsPoint, [u8; 32], u8)> {
    let hasher =
        Sha512::new().chain_update([SUITE, ENCODE_TO_CURVE]).chain_update(salt.0).chain_update(alpha);
    (0..=u8::MAX).find_map(|counter| {
        let digest: [u8; 64] = hasher.clone().chain_update([counter, END]).finalize().into();
        let point = canonical_point(digest.first_chunk()?)?.mul_by_cofactor();
        (!point.is_identity()).then(|| (point, point.compress().0, counter))
    })
}

/// RFC 9381 §5.4.3: half of a hash over five points.
fn challenge(points: [&[u8; 32]; 5]) -> [u8; 16] {
    let hasher = Sha512::new().chain_update([SUITE, CHALLENGE]);
    let hasher = points.iter().fold(hasher, |hasher, point| hasher.chain_update(point.as_slice()));
    let digest: [u8; 64] = hasher.chain_update([END]).finalize().into();
    *digest.first_chunk().expect("64 bytes begin with 16")
}

/// A challenge as a scalar: 128 bits are below the group's order.
fn scalar_of(challenge: &[u8; 16]) -> Scalar {
    Scalar::from(u128::from_le_bytes(*challenge))
}

/// RFC 9381 §5.2.
fn proof_to_hash(gamma: &EdwardsPoint) -> VrfOutput {
    let cleared = gamma.mul_by_cofactor().compress();
    let hasher = Sha512::new().chain_update([SUITE, PROOF_TO_HASH]).chain_update(cleared.0);
    VrfOutput(hasher.chain_update([END]).finalize().into())
}

#[cfg(test)]
mod tests;
