//! A node's own endpoint and the published package in a process of its own, over a node between them.
//!
//! `cargo xtask test` installs the package and names its interpreter in `NEXUS_STOCK_PYTHON`.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

mod larger;
mod talking;
mod world;
