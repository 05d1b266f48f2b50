//! L2: what only the two ends know.
//!
//! | module | what it is |
//! |---|---|
//! | [`contract`] | what applications say and hear |
//! | [`layer`] | the layer: its organs and the wires between them |
//! | [`correspondence`] | the organ that sends until a receipt came, and takes in and acknowledges what arrives |
//! | [`ratchets`] | the organ that makes, keeps, opens with and retires the keys that announces carry |
//! | [`envelope`] | one packet from node to node: sealing, opening, signing |
//! | [`at_rest`] | the identity on disk: key files, plain or under a passphrase |
//!
//! Spec: `spec/secure.md`.
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

pub mod at_rest;
pub mod contract;
pub mod correspondence;
pub mod envelope;
pub mod layer;
pub mod ratchets;

pub use contract::{
    Attempt, Authorship, Content, Foreign, Message, Note, Outgoing, Reply, Sender, Traced, Undelivered,
};
pub use correspondence::{Correspondence, Limits};
pub use layer::{Effect, Input, Secure, Writer};
pub use ratchets::Ratchets;
