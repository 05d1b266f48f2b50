//! Stock nodes of a local network, which find each other and nodes by IPv6 multicast: in network namespaces with a switch.
//!
//! `cargo xtask test` installs the published package and names its interpreter in `NEXUS_STOCK_PYTHON`. Namespaces take root, or a system that lets its
//! users have user namespaces.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

#[allow(dead_code, reason = "shared with the tests among nodes, which use more of it")]
#[path = "../mesh/air.rs"]
mod air;

mod chain;
mod defaults;
#[allow(dead_code, reason = "shared with the tests of LXMF, which use more of it")]
mod extent;
mod meeting;
mod network;
mod refused;
mod row;
