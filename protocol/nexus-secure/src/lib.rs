//! L2: what only the two ends know.
//!
//! | module | what it is |
//! |---|---|
//! | [`ratchets`] | the organ that makes, keeps and retires the keys that announces carry |
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
pub mod ratchets;

pub use contract::{Attempt, Authorship, Content, Message, Outgoing, Sender, Undelivered};
pub use ratchets::Ratchets;
