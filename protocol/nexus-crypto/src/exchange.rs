//! X25519 keys (RFC 7748): an identity's, a ratchet's and an ephemeral one's are different types, because mixing them
//! up is how forward secrecy is lost. An agreement that yields zero is refused everywhere (RFC 7748 §6.1).
//! Source: spec/crypto.md#exchange.

use nexus_machine::Stream;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::fixed_bytes;
use crate::hash::sha256_truncated;
use crate::ids::RatchetId;
use crate::secret::hidden;

fixed_bytes! {
    /// The X25519 half of an identity.
    ExchangePublic, 32
}
fixed_bytes! {
    /// The X25519 public key of a ratchet, announced beside an identity and replaced regularly.
    RatchetPublic, 32
}
fixed_bytes! {
    /// An X25519 public key made for one handshake or one message.
    EphemeralPublic, 32
}

impl RatchetPublic {
    /// The ratchet's short name.
    #[must_use]
    pub fn id(&self) -> RatchetId {
        RatchetId(sha256_truncated(&[&self.0]))
    }
}

/// To which of a recipient's keys a message is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientPublic<'a> {
    /// The newest ratchet known: forward secrecy once the recipient forgets it.
    Ratchet(&'a RatchetPublic),
    /// The identity itself: no forward secrecy.
    Identity(&'a ExchangePublic),
}

/// With which of its keys a recipient opens a message.
#[derive(Clone, Copy, Debug)]
pub enum RecipientSecret<'a> {
    /// A retained ratchet.
    Ratchet(&'a RatchetSecret),
    /// The identity itself.
    Identity(&'a ExchangeSecret),
}

mod sealed {
    pub trait PublicHalf {
        fn u_coordinate(&self) -> &[u8; 32];
    }
}
pub(crate) use sealed::PublicHalf;

impl PublicHalf for ExchangePublic {
    fn u_coordinate(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PublicHalf for RatchetPublic {
    fn u_coordinate(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PublicHalf for EphemeralPublic {
    fn u_coordinate(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PublicHalf for RecipientPublic<'_> {
    fn u_coordinate(&self) -> &[u8; 32] {
        match self {
            Self::Ratchet(ratchet) => &ratchet.0,
            Self::Identity(identity) => &identity.0,
        }
    }
}

/// The X25519 half of an identity's secret. Never leaves it; agrees with other people's ephemeral keys.
#[derive(ZeroizeOnDrop)]
pub struct ExchangeSecret(StaticSecret);

impl ExchangeSecret {
    /// The key whose clamped scalar these bytes are (RFC 7748 §5).
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> ExchangePublic {
        ExchangePublic(PublicKey::from(&self.0).to_bytes())
    }

    /// What this key and `theirs` have in common.
    pub fn agree(&self, theirs: &EphemeralPublic) -> Result<SharedSecret, NoAgreement> {
        agree(&self.0, theirs)
    }
}

/// A ratchet's secret. It outlives the process: [`RatchetSecret::expose`] gives the bytes to be stored.
#[derive(ZeroizeOnDrop)]
pub struct RatchetSecret(StaticSecret);

impl RatchetSecret {
    /// A fresh ratchet. The stream must have been refreshed with the host's entropy.
    #[must_use]
    pub fn generate(random: &mut Stream) -> Self {
        Self(fresh(random))
    }

    /// The ratchet that was stored as these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    /// The secret bytes, to be stored.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public key, to be announced.
    #[must_use]
    pub fn public(&self) -> RatchetPublic {
        RatchetPublic(PublicKey::from(&self.0).to_bytes())
    }

    /// What this key and `theirs` have in common.
    pub fn agree(&self, theirs: &EphemeralPublic) -> Result<SharedSecret, NoAgreement> {
        agree(&self.0, theirs)
    }
}

/// A secret for one agreement, which consumes it.
#[derive(ZeroizeOnDrop)]
pub struct EphemeralSecret(StaticSecret);

impl EphemeralSecret {
    /// A fresh key. The stream must have been refreshed with the host's entropy.
    #[must_use]
    pub fn generate(random: &mut Stream) -> Self {
        Self(fresh(random))
    }

    /// The public key, to be sent.
    #[must_use]
    pub fn public(&self) -> EphemeralPublic {
        EphemeralPublic(PublicKey::from(&self.0).to_bytes())
    }

    /// What this key and `theirs` have in common: an identity's key, a ratchet's or another ephemeral one.
    pub fn agree(self, theirs: &impl PublicHalf) -> Result<SharedSecret, NoAgreement> {
        agree(&self.0, theirs)
    }
}

fn fresh(random: &mut Stream) -> StaticSecret {
    let bytes = Zeroizing::new(random.bytes::<32>());
    StaticSecret::from(*bytes)
}

fn agree(ours: &StaticSecret, theirs: &impl PublicHalf) -> Result<SharedSecret, NoAgreement> {
    let shared = ours.diffie_hellman(&PublicKey::from(*theirs.u_coordinate()));
    if bool::from(shared.as_bytes().ct_eq(&[0; 32])) {
        return Err(NoAgreement);
    }
    Ok(SharedSecret(shared.to_bytes()))
}

/// What two keys have in common: input of a key derivation, never a key itself. Erased when dropped, never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SharedSecret([u8; 32]);

impl SharedSecret {
    /// The bytes, to be fed to a key derivation.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The other side's key is of small order: the agreement would be zero, whatever our key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the other side's X25519 key is of small order, so nothing secret can be agreed with it")]
pub struct NoAgreement;

hidden!(ExchangeSecret, RatchetSecret, EphemeralSecret, SharedSecret);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use nexus_machine::Seed;
    use nexus_testkit::format::unhex;

    /// RFC 7748 §6.1.
    #[test]
    fn bob_of_rfc_7748_agrees_with_alice() {
        let array = |text| <[u8; 32]>::try_from(unhex(text)).unwrap();
        let bob = RatchetSecret::from_bytes(&array(
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        ));
        let alice =
            EphemeralPublic(array("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
        let shared = array("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(bob.public().0, array("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
        assert_eq!(*bob.agree(&alice).unwrap().expose(), shared);
    }

    #[test]
    fn keys_of_small_order_agree_with_nobody() {
        let mut random = Seed::new([1; 32]).fork("exchange");
        let ratchet = RatchetSecret::generate(&mut random);
        for point in EIGHT_TORSION {
            for high_bit in [0, 0x80] {
                let mut theirs = EphemeralPublic(point.to_montgomery().0);
                theirs.0[31] |= high_bit;
                assert_eq!(ratchet.agree(&theirs).unwrap_err(), NoAgreement);
                let identity = ExchangeSecret::from_bytes(&random.bytes());
                assert_eq!(identity.agree(&theirs).unwrap_err(), NoAgreement);
                assert_eq!(EphemeralSecret::generate(&mut random).agree(&theirs).unwrap_err(), NoAgreement);
            }
        }
    }

    #[test]
    fn a_stored_ratchet_is_the_same_ratchet() {
        let ratchet = RatchetSecret::generate(&mut Seed::new([2; 32]).fork("exchange"));
        let again = RatchetSecret::from_bytes(ratchet.expose());
        assert_eq!((again.public(), again.public().id()), (ratchet.public(), ratchet.public().id()));
    }

    #[test]
    fn no_secret_prints_itself() {
        let mut random = Seed::new([3; 32]).fork("exchange");
        let (ratchet, ephemeral) =
            (RatchetSecret::generate(&mut random), EphemeralSecret::generate(&mut random));
        let printed = format!("{ratchet:?} {ephemeral:?} {:?}", ratchet.agree(&ephemeral.public()).unwrap());
        assert_eq!(printed, "RatchetSecret(hidden) EphemeralSecret(hidden) SharedSecret(hidden)");
    }
}
