//! Nodes as relays for the Reticulum world: the published package and a clean-room endpoint on both sides of them.
//!
//! `cargo xtask test` installs the package and names its interpreter in `NEXUS_STOCK_PYTHON`; `cargo xtask interop --long` runs the same
//! with other releases of it.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

#[allow(dead_code, reason = "shared with the tests of `nexus node`, which use more of it")]
#[path = "../node/place.rs"]
mod place;

#[allow(dead_code, reason = "shared with the tests among nodes, which use more of it")]
#[path = "../mesh/nodes.rs"]
mod nodes;

#[allow(dead_code, reason = "shared with the tests among nodes, which use more of it")]
#[path = "../mesh/air.rs"]
mod air;

mod choices;
mod crossings;
mod links;
mod packets;
mod refused;
mod restarts;
mod tools;
mod world;
