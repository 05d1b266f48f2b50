//! A node as the shared instance of programs that were written for Reticulum.
//!
//! `cargo xtask test` installs the published package and names its interpreter in `NEXUS_STOCK_PYTHON`.
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

mod files;
mod instance;
mod programs;
mod questions;
mod requests;
