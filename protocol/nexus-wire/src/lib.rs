//! Every byte format of the lower layers, and nothing that remembers: views over bytes, and value types.
//!
//! Two families. Reticulum's formats (big-endian) are not ours to choose; NEXUS's own are little-endian with fixed
//! fields. Every decoder takes any bytes: exact lengths, no trailing garbage, an error that names the field.
//! Spec: `spec/wire.md` and `spec/reticulum.md`; vectors in `spec/vectors/`.
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

pub mod codec;
pub mod nexus;
pub mod pcapng;
pub mod reticulum;

pub use codec::{DecodeError, EncodeError, Fault, Reader, Writer};
