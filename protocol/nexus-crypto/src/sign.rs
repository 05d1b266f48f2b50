//! Ed25519, through three doors that are kept apart by name.
//!
//! * [`SigningKey::sign`] and [`VerifyingKey::verify`]: NEXUS's own messages, each beginning with a [`DomainTag`].
//!   Verified by ZIP 215, because replicas decide upon them: it is the one rule under which a signature checked alone
//!   and the same signature checked in a batch agree for every crafted key and point.
//! * [`verify_batch`]: many of the same, under the same rule.
//! * [`SigningKey::sign_untagged`] and [`VerifyingKey::verify_untagged`]: the formats that Reticulum gives us
//!   (announces, packet proofs, link proofs, interface access codes). Verified without the cofactor and with a canonical
//!   `R` (RFC 8032 §5.1.7, byte comparison), which is what OpenSSL does and therefore what stock nodes accept: a
//!   relay with another rule would drop what its neighbours pass on, or pass on what they count as a violation.
//!
//! Source: spec/crypto.md#signing.

use alloc::vec::Vec;

use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign_byupdate};
use ed25519_zebra::batch::Verifier;
use nexus_machine::{Seed, Stream};
use sha2::{Digest as _, Sha512};
use thiserror::Error;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::fixed_bytes;
use crate::random::StreamRng;
use crate::secret::hidden;

/// Sixteen bytes at the start of a signed or hashed message that say what kind it is: `"nexus/<kind>/v1"`, padded
/// with zeroes. A signature made for one kind never verifies as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainTag([u8; 16]);

impl DomainTag {
    /// A channel state.
    pub const CHANNEL: Self = Self::of_kind("channel");
    /// The terms of a lottery.
    pub const TERMS: Self = Self::of_kind("terms");
    /// The hash chain of payment tokens.
    pub const TOKEN: Self = Self::of_kind("token");
    /// A lottery's draw.
    pub const ALPHA: Self = Self::of_kind("alpha");
    /// The derivation of a channel's id.
    pub const CHANNEL_ID: Self = Self::of_kind("chan-id");
    /// A settlement record.
    pub const SETTLE: Self = Self::of_kind("settle");
    /// A gossiped key.
    pub const KEY: Self = Self::of_kind("key");
    /// An order to open a channel.
    pub const ORDER: Self = Self::of_kind("order");
    /// A witness's word on an order.
    pub const CERTIFICATE: Self = Self::of_kind("cert");
    /// The closing of a channel.
    pub const CLOSE: Self = Self::of_kind("close");
    /// A gossiped state.
    pub const STATE: Self = Self::of_kind("state");
    /// Evidence of a double signature. Its kind is abbreviated: `nexus/evidence/v1` has seventeen bytes.
    pub const EVIDENCE: Self = Self::of_kind("evid");
    /// The first balances and the witnesses of a ledger.
    pub const GENESIS: Self = Self::of_kind("genesis");
    /// A broadcast frame on a shared medium.
    pub const BROADCAST: Self = Self::of_kind("bcast");
    /// The sender of an end-to-end message.
    pub const END_TO_END: Self = Self::of_kind("e2e");

    /// The tag of `kind`, which has at most seven bytes. Evaluated at compile time.
    const fn of_kind(kind: &str) -> Self {
        let mut tag = [0; 16];
        let (head, rest) = tag.split_at_mut(6);
        head.copy_from_slice(b"nexus/");
        let (name, rest) = rest.split_at_mut(kind.len());
        name.copy_from_slice(kind.as_bytes());
        let (version, _padding) = rest.split_at_mut(3);
        version.copy_from_slice(b"/v1");
        Self(tag)
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A message of a stated kind: the tag, then `parts` one after another, without separators.
///
/// The parts' lengths are fixed by the message's format, so that no two messages of a kind share their bytes.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    tag: DomainTag,
    parts: &'a [&'a [u8]],
}

impl<'a> Message<'a> {
    /// A message, unless it would have exactly 32 bytes: Ed25519 and the VRF of RFC 9381 derive their nonces alike,
    /// and a signature over 32 bytes that another chose could give a key away. Source: spec/crypto.md#signing.
    pub fn new(tag: DomainTag, parts: &'a [&'a [u8]]) -> Result<Self, ThirtyTwoBytes> {
        let length = parts.iter().fold(tag.0.len(), |sum, part| sum.saturating_add(part.len()));
        if length == 32 { Err(ThirtyTwoBytes) } else { Ok(Self { tag, parts }) }
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.tag.0.to_vec();
        self.parts.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes
    }
}

/// A signed message has a length that none may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a signed message is never exactly 32 bytes long, its tag included")]
pub struct ThirtyTwoBytes;

fixed_bytes! {
    /// An Ed25519 signature (RFC 8032): `R ‖ s`. Nothing is said about whether it verifies.
    Signature, 64
}
fixed_bytes! {
    /// An Ed25519 public key. Nothing is said about whether it is a point.
    VerifyingKey, 32
}

/// A signature that does not verify, whoever is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

impl VerifyingKey {
    /// Verifies a message of NEXUS's own, by ZIP 215.
    pub fn verify(&self, message: &Message<'_>, signature: &Signature) -> Result<(), BadSignature> {
        ed25519_zebra::VerificationKey::try_from(self.0)
            .and_then(|key| key.verify(&signature.0.into(), &message.to_bytes()))
            .map_err(|_| BadSignature)
    }

    /// Verifies Reticulum's own: the concatenation of `parts`, as a stock node would.
    pub fn verify_untagged(&self, parts: &[&[u8]], signature: &Signature) -> Result<(), BadSignature> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&self.0).map_err(|_| BadSignature)?;
        let mut verifier = key.verify_stream(&signature.0.into()).map_err(|_| BadSignature)?;
        for part in parts {
            verifier.update(part);
        }
        verifier.finalize_and_verify().map_err(|_| BadSignature)
    }
}

/// Verifies many messages of NEXUS's own at once, by ZIP 215: good exactly if each is good on its own (up to a chance
/// of 2⁻¹²⁸). Does not say which one is bad; an empty batch is good.
///
/// Takes 32 bytes from `random`, always: the verifier's own appetite depends on the order in which it meets bad points.
pub fn verify_batch<'a>(
    signed: impl IntoIterator<Item = (VerifyingKey, Message<'a>, Signature)>,
    random: &mut Stream,
) -> Result<(), BadSignature> {
    let mut own = Seed::new(random.bytes()).fork("ed25519 batch");
    let mut verifier = Verifier::new();
    for (key, message, signature) in signed {
        verifier.queue((key.0.into(), signature.0.into(), &message.to_bytes()));
    }
    verifier.verify(StreamRng(&mut own)).map_err(|_| BadSignature)
}

/// An Ed25519 secret key, expanded once. Erased when dropped, never printed.
#[derive(ZeroizeOnDrop)]
pub struct SigningKey {
    expanded: ExpandedSecretKey,
    #[zeroize(skip)]
    public: ed25519_dalek::VerifyingKey,
}

impl SigningKey {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let expanded = ExpandedSecretKey::from(seed);
        let public = ed25519_dalek::VerifyingKey::from(&expanded);
        Self { expanded, public }
    }

    /// A fresh key, for one handshake. The stream must have been refreshed with the host's entropy.
    #[must_use]
    pub fn generate(random: &mut Stream) -> Self {
        Self::from_seed(&Zeroizing::new(random.bytes()))
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> VerifyingKey {
        VerifyingKey(self.public.to_bytes())
    }

    /// Signs a message of NEXUS's own.
    #[must_use]
    pub fn sign(&self, message: &Message<'_>) -> Signature {
        self.sign_all(|hasher| {
            hasher.update(message.tag.0);
            message.parts.iter().for_each(|part| hasher.update(part));
        })
    }

    /// Signs what Reticulum prescribes, untagged: the concatenation of `parts`.
    ///
    /// For Reticulum's formats only. Each begins with a hash that nobody chooses (a destination, a link, a packet), so
    /// none begins with a [`DomainTag`], and the VRF has a key of its own, so a bare 32-byte hash gives nothing away.
    #[must_use]
    pub fn sign_untagged(&self, parts: &[&[u8]]) -> Signature {
        self.sign_all(|hasher| parts.iter().for_each(|part| hasher.update(part)))
    }

    fn sign_all(&self, feed: impl Fn(&mut Sha512)) -> Signature {
        let signature = raw_sign_byupdate::<Sha512, _>(
            &self.expanded,
            |hasher| {
                feed(hasher);
                Ok(())
            },
            &self.public,
        );
        Signature(signature.expect("only the feeding closure can fail, and it does not").to_bytes())
    }

    /// The scalar of which the X25519 half of the same identity is made (RFC 8032 §5.1.5, step 2, before clamping).
    pub(crate) fn scalar_bytes(seed: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(ed25519_dalek::SigningKey::from_bytes(seed).to_scalar_bytes())
    }
}

hidden!(SigningKey);

#[cfg(test)]
mod tests;
