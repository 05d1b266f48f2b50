//! HPKE, single shot, in base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. What one
//! NEXUS node sends to another end to end; `info` and the associated data are the caller's.
//!
//! Source: spec/crypto.md#hpke.

use ::hpke::aead::{AeadTag, ChaCha20Poly1305};
use ::hpke::kdf::HkdfSha256;
use ::hpke::kem::X25519HkdfSha256;
use ::hpke::{
    Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _, single_shot_open_inout_detached,
    single_shot_seal_inout_detached_with_rng,
};
use core::convert::Infallible;
use nexus_machine::Stream;
use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use thiserror::Error;
use zeroize::ZeroizeOnDrop;

use crate::aead::Tag;
use crate::exchange::{EphemeralPublic, NoAgreement, PublicHalf as _, RecipientPublic, RecipientSecret};
use crate::random::StreamRng;
use crate::secret::hidden;

type KemPublic = <X25519HkdfSha256 as ::hpke::Kem>::PublicKey;
type KemPrivate = <X25519HkdfSha256 as ::hpke::Kem>::PrivateKey;
type KemEncapsulated = <X25519HkdfSha256 as ::hpke::Kem>::EncappedKey;

/// How many bytes a sealed message has beyond its plaintext: the encapsulated key and the tag.
pub const OVERHEAD: usize = EphemeralPublic::LEN.saturating_add(Tag::LEN);

/// Turns the plaintext in `buffer` into ciphertext for the holder of `to`. The key that is returned, `enc`, and the tag
/// travel with it.
pub fn seal_in_place(
    to: RecipientPublic<'_>,
    info: &[u8],
    associated: &[u8],
    buffer: &mut [u8],
    random: &mut Stream,
) -> Result<(EphemeralPublic, Tag), NoAgreement> {
    seal_with(&mut StreamRng(random), to, info, associated, buffer)
}

/// The ephemeral key of one message, before there is a message: a sender who signs inside signs the public half with the
/// rest, so it must be known first. Sealing uses it up; the secret is erased then, and when it is dropped.
#[derive(ZeroizeOnDrop)]
pub struct OneTimeKey {
    material: [u8; 32],
    #[zeroize(skip)]
    enc: EphemeralPublic,
}

impl OneTimeKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(random: &mut Stream) -> Self {
        Self::from_material(random.bytes())
    }

    fn from_material(material: [u8; 32]) -> Self {
        let (_, public) = X25519HkdfSha256::derive_keypair(&material);
        Self { material, enc: EphemeralPublic(public.to_bytes().into()) }
    }

    /// The public half, `enc`.
    #[must_use]
    pub const fn public(&self) -> &EphemeralPublic {
        &self.enc
    }

    /// Turns the plaintext in `buffer` into ciphertext for the holder of `to`. The public half and the tag travel with it.
    pub fn seal_in_place(
        self,
        to: RecipientPublic<'_>,
        info: &[u8],
        associated: &[u8],
        buffer: &mut [u8],
    ) -> Result<Tag, NoAgreement> {
        let (_, tag) = seal_with(&mut Material(&self.material), to, info, associated, buffer)?;
        Ok(tag)
    }
}

hidden!(OneTimeKey);

/// A key's material as the random source of the sealing, which draws that and nothing else.
struct Material<'a>(&'a [u8; 32]);

impl TryRng for Material<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("sealing draws key material only")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("sealing draws key material only")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Material<'_> {}

fn seal_with(
    rng: &mut impl CryptoRng,
    to: RecipientPublic<'_>,
    info: &[u8],
    associated: &[u8],
    buffer: &mut [u8],
) -> Result<(EphemeralPublic, Tag), NoAgreement> {
    let to = KemPublic::from_bytes(to.u_coordinate()).map_err(|_| NoAgreement)?;
    let (enc, tag) =
        single_shot_seal_inout_detached_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &to,
            info,
            buffer.into(),
            associated,
            rng,
        )
        // The other error is a buffer beyond 256 GiB (RFC 8439 §2.8), which no address space of ours holds.
        .map_err(|_| NoAgreement)?;
    Ok((EphemeralPublic(enc.to_bytes().into()), Tag(tag.to_bytes().into())))
}

/// Turns the ciphertext in `buffer` into plaintext, if it was sealed to `with` under `enc` with the same `info` and
/// associated data. If not, the buffer is filled with zeroes.
///
/// Says nothing about who sealed it, and opens the same message as often as it comes: senders sign inside, receivers
/// remember `enc`.
pub fn open_in_place(
    with: RecipientSecret<'_>,
    enc: &EphemeralPublic,
    info: &[u8],
    associated: &[u8],
    buffer: &mut [u8],
    tag: &Tag,
) -> Result<(), NotSealedToUs> {
    let secret = match with {
        RecipientSecret::Ratchet(ratchet) => ratchet.expose(),
        RecipientSecret::Identity(identity) => identity.expose(),
    };
    let opened = KemPrivate::from_bytes(secret).and_then(|secret| {
        single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &secret,
            &KemEncapsulated::from_bytes(&enc.0)?,
            info,
            (&mut *buffer).into(),
            associated,
            &AeadTag::from_bytes(&tag.0)?,
        )
    });
    opened.map_err(|_| {
        buffer.fill(0);
        NotSealedToUs
    })
}

/// The message was sealed to another key, with other `info` or associated data, or was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the message was not sealed to this key in this form")]
pub struct NotSealedToUs;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use nexus_machine::Seed;
    use nexus_testkit::format::unhex;
    use proptest::prelude::*;

    use crate::exchange::{ExchangePublic, ExchangeSecret, RatchetSecret};

    #[test]
    fn the_vector_of_rfc_9180_a_2_1_seals_and_opens() {
        let material = array("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
        let secret = array("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let public = array("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        let enc = EphemeralPublic(array("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"));
        let info = unhex("4f6465206f6e2061204772656369616e2055726e");
        let associated = unhex("436f756e742d30");
        let plaintext = unhex("4265617574792069732074727574682c20747275746820626561757479");
        let expected = unhex(
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
        );
        let mut buffer = plaintext.clone();
        let to = ExchangePublic(public);
        let key = OneTimeKey::from_material(material);
        assert_eq!(*key.public(), enc);
        let tag = key.seal_in_place(RecipientPublic::Identity(&to), &info, &associated, &mut buffer).unwrap();
        assert_eq!([buffer.as_slice(), tag.as_bytes()].concat(), expected);
        let secret = ExchangeSecret::from_bytes(&secret);
        assert_eq!(secret.public(), to);
        let with = RecipientSecret::Identity(&secret);
        assert_eq!(open_in_place(with, &enc, &info, &associated, &mut buffer, &tag), Ok(()));
        assert_eq!(buffer, plaintext);
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_with_the_same_key_info_and_associated_data_only(
            plaintext in proptest::collection::vec(any::<u8>(), 1..500),
            bit: usize,
        ) {
            let mut random = Seed::new([1; 32]).fork("hpke");
            let (ratchet, other) = (RatchetSecret::generate(&mut random), RatchetSecret::generate(&mut random));
            let public = ratchet.public();
            let mut sealed = plaintext.clone();
            let (enc, tag) =
                seal_in_place(RecipientPublic::Ratchet(&public), b"info", b"aad", &mut sealed, &mut random).unwrap();
            let open = |with: &RatchetSecret, enc: &EphemeralPublic, info: &[u8], aad: &[u8], sealed: &[u8], tag: &Tag| {
                let mut buffer = sealed.to_vec();
                let opened = open_in_place(RecipientSecret::Ratchet(with), enc, info, aad, &mut buffer, tag);
                assert!(opened.is_ok() || buffer.iter().all(|byte| *byte == 0), "what was refused is erased");
                opened.is_ok().then_some(buffer)
            };
            prop_assert_eq!(open(&ratchet, &enc, b"info", b"aad", &sealed, &tag), Some(plaintext));
            prop_assert_eq!(open(&other, &enc, b"info", b"aad", &sealed, &tag), None);
            prop_assert_eq!(open(&ratchet, &enc, b"Info", b"aad", &sealed, &tag), None);
            prop_assert_eq!(open(&ratchet, &enc, b"info", b"Aad", &sealed, &tag), None);
            // The top bit of enc is no part of the key, but it is bound all the same: enc is hashed as it came.
            let flip = |bytes: &[u8]| flipped(bytes, bit % (bytes.len() * 8));
            let other_enc = EphemeralPublic(flip(&enc.0).try_into().unwrap());
            prop_assert_eq!(open(&ratchet, &other_enc, b"info", b"aad", &sealed, &tag), None);
            prop_assert_eq!(open(&ratchet, &enc, b"info", b"aad", &flip(&sealed), &tag), None);
            let other_tag = Tag(flip(&tag.0).try_into().unwrap());
            prop_assert_eq!(open(&ratchet, &enc, b"info", b"aad", &sealed, &other_tag), None);
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused_on_both_sides() {
        let mut random = Seed::new([2; 32]).fork("hpke");
        let zero = ExchangePublic([0; 32]);
        let sealed = seal_in_place(RecipientPublic::Identity(&zero), b"", b"", &mut [0; 8], &mut random);
        assert_eq!(sealed, Err(NoAgreement));
        let ratchet = RatchetSecret::generate(&mut random);
        let enc = EphemeralPublic([0; 32]);
        let opened =
            open_in_place(RecipientSecret::Ratchet(&ratchet), &enc, b"", b"", &mut [0; 8], &Tag([0; 16]));
        assert_eq!(opened, Err(NotSealedToUs));
    }

    fn array(text: &str) -> [u8; 32] {
        unhex(text).try_into().unwrap()
    }

    fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    }
}
