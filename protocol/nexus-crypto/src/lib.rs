//! Keys that cannot be confused, and the only door to the cryptography crates.
//!
//! No other crate of this workspace names a cryptography crate (`cargo xtask tidy` checks it). Each kind of key,
//! hash and address is a type of its own; none can stand where another is meant. Spec: `spec/crypto.md`.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::iter_over_hash_type,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test that overflows is a failing test"
    )
)]

extern crate alloc;

pub mod aead;
pub mod exchange;
pub mod hash;
pub mod hkdf;
pub mod hpke;
pub mod identity;
pub mod ids;
pub mod mac;
pub mod noise;
pub mod passphrase;
mod random;
pub mod secret;
pub mod sign;
pub mod single;
pub mod token;
pub mod vrf;

pub use aead::{AeadKey, Nonce, NotAuthentic, Tag};
pub use exchange::{
    EphemeralPublic, EphemeralSecret, ExchangePublic, ExchangeSecret, NoAgreement, RatchetPublic,
    RatchetSecret, RecipientPublic, RecipientSecret, SharedSecret,
};
pub use identity::{
    EdwardsSign, IdentityPublic, IdentitySeed, NodeIdentity, NodePublic, NotANode, ReticulumIdentity,
    VrfPublicKey,
};
pub use ids::{DestinationHash, IdentityHash, NameHash, NodeId, RatchetId};
pub use mac::SharedKey;
pub use sign::{BadSignature, DomainTag, Message, Signature, SigningKey, VerifyingKey};
pub use token::TokenKey;
pub use vrf::{NotAVrfKey, NotProven, VrfOutput, VrfProof, VrfSecret};
