//! X25519 keys (RFC 7748): an identity's, a ratchet's and an ephemeral one's are different types, because mixing them
//! up is how forward secrecy is lost. An agreement that yields zero is refused everywhere (RFC 7748 §6.1).
//! Source: spec/crypto.md#exchange.

use nexus_machine::Stream;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::hash::sha256_truncated;
use crate::ids::{RatchetId, fixed_bytes};
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
