//! LXMF across nodes.
//!
//! `cargo xtask test` installs the published packages and names their interpreter in `NEXUS_STOCK_PYTHON`.
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

#[allow(dead_code, reason = "shared with the tests of local networks, which use more of it")]
#[path = "../local_network/extent.rs"]
mod extent;

#[allow(dead_code, reason = "shared with the tests of local networks, which use more of it")]
#[path = "../local_network/network.rs"]
mod network;

#[allow(dead_code, reason = "shared with the tests of local networks, which use more of it")]
#[path = "../local_network/row.rs"]
mod row;

mod differential;
mod kept;
mod people;
mod relays;
