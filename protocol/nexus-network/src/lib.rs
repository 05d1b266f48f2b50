//! L0 and L1: interfaces, the channel's access, announces.
//!
//! | module | what it is |
//! |---|---|
//! | [`interface`] | what the core knows of a medium: [`InterfaceId`], [`Profile`], [`Endpoint`] |
//! | [`media`] | the organ that owns the way out: bounded queues, readiness, listen before talk |
//! | [`links`] | the organ that owns the neighbours: handshakes, sealed frames, what keeps links alive |
//! | [`broadcast`] | the organ that speaks to all neighbours on a shared medium at once |
//! | [`lora`] | how long a LoRa radio occupies its channel |
//! | [`access`] | access codes of interfaces in clear |
//! | [`region`] | which channels may be used where, and for how much of the time |
//! | [`rnode`] | the host's side of an RNode: detection, setting up, flow control, statistics |
//! | [`announces`] | the organ that makes this node known, hears of others, passes their announces on |
//! | [`routes`] | which ways lead to a destination, which are safe, which is best |
//! | [`forwarding`] | the organ that says where a packet goes: here, over a link, or nowhere |
//! | [`gossip`] | the organ that brings neighbours' stores together, within a share of the medium |
//! | [`keys`] | the store of identity keys |
//! | [`tap`] | a look into what links and broadcasts carry, for whoever looks for faults |
//! | [`layer`] | [`Network`]: the organs and the wires between them |
//!
//! Spec: `spec/network.md`.
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

pub mod access;
pub mod announces;
pub mod broadcast;
mod counted;
pub mod forwarding;
pub mod gossip;
mod hashing;
pub mod interface;
pub mod keys;
pub mod layer;
pub mod links;
pub mod lora;
pub mod media;
mod overheard;
mod refusals;
pub mod region;
pub mod rnode;
pub mod routes;
pub mod tally;

pub mod tap;

pub use access::AccessCodes;
pub use announces::Ways;
pub use announces::{
    AppData, AppDataTooLong, Candidate, Doubts, PathRequests, Recipient, Routing, SearchMotive, Sighting,
};
pub use counted::Shared;
pub use forwarding::{Decision, Forwarding, Hop, Leaving};
pub use gossip::Gossip;
pub use interface::{
    Access, DutyCycle, Dwell, Endpoint, InterfaceId, Mode, Profile, Reach, Role, SubBand, SubBandId, Timing,
};
pub use keys::Keys;
pub use layer::{Account, Effect, Input, Limits, Network, Originated, Writer};
pub use links::{Down, LinkId, LinkStatus, Policy, Trust, carried};
pub use media::{Class, Feeder, Flow, Frame, Load, Seal, Then, Tier, Weight};
pub use overheard::{Carrier, Overheard};
pub use region::{Channel, Region};
pub use routes::{PathPolicy, Weights};
pub use tally::{Reckoning, Tally};
pub use tap::{Opened, Tapping};
