//! The endpoint side of Reticulum: what a program needs to be reached, and to reach others, over whatever relays there are.
//!
//! It behaves to the network as a program on a node's machine does: packets go to a relay and come from it, announces and path
//! requests like any others. It reads no clock and does no I/O.
//!
//! | module | what it offers |
//! |---|---|
//! | [`resource`] | [`resource::Resources`]: transfers of any size within a link |
//! | [`channel`] | [`channel::Channel`]: messages in order within a link, and streams of bytes in them |
//! | [`contract`] | [`Input`], [`Effect`], [`Command`], [`Event`] |
//! | [`endpoint`] | [`Endpoint`]: the organ |
//! | [`crossings`] | links between NEXUS nodes across stock ones: with whom, and for how long |
//! | [`links`] | both ends of links, and [the seam](links#the-seam-for-machines-within-a-link) for machines within them |
//! | [`lxmf`] | [`Lxmf`]: the organ of people's messages, which uses an endpoint |
//! | [`limits`] | [`Limits`]: how much it may hold |
//!
//! Spec: `spec/endpoint.md`.
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

pub mod channel;
pub mod contract;
pub mod crossings;
pub mod endpoint;
pub mod limits;
pub mod links;
pub mod lxmf;
mod own;
mod packets;
mod peers;
pub mod resource;
#[cfg(test)]
mod tests;

pub use contract::{
    Accepting, Announcing, Asked, Bytes, Command, Down, Effect, Event, Failure, Found, Handle, Input, Need,
    NotServed, Question, Service, Side, Supply, Up,
};
pub use crossings::{CROSSINGS, Crossings, Slot, Way};
pub use endpoint::Endpoint;
pub use limits::Limits;
pub use links::Measures;
pub use lxmf::Lxmf;
pub use packets::SINGLE_MAX;
