//! Nodes as real processes that talk over real sockets.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

#[allow(dead_code, reason = "shared with the tests of `nexus node`, which use more of it")]
#[path = "../node/place.rs"]
mod place;

mod delivery;
mod discovery;
mod nodes;
mod refused;
mod restarts;
mod tools;
