//! L3: what a relay is paid.
//!
//! | module | what it is |
//! |---|---|
//! | [`channels`] | accounts between neighbours: what is won is paid, whatever is lost and whoever lies |
//! | [`money`] | amounts, and what a packet costs |
//! | [`ledger`] | what everybody has, in books that nobody keeps |
//! | [`trust`] | who is carried for nothing, and what others pay |
//! | [`layer`] | channels and lottery wired together, as a node has them |
//! | [`lottery`] | how a relay is paid for what it carries, window by window |
//!
//! Spec: `spec/economy.md`.
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

#[cfg(test)]
extern crate std;

pub mod channels;
pub mod layer;
pub mod ledger;
pub mod lottery;
pub mod money;
pub mod trust;

pub use layer::Economy;
pub use money::{Amount, GRAINS_PER_MICRO, Grains};
