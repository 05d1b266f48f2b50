//! Nodes as real processes that talk over real sockets.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]

#[allow(dead_code, reason = "shared with the tests of `nexus node`, which use more of it")]
#[path = "../node/place.rs"]
mod place;

#[allow(dead_code, reason = "shared with the tests of the virtual modems, which use more of it")]
#[path = "../../../../proving/nexus-air/tests/stock/node.rs"]
mod stock_node;

mod air;
mod books;
mod delivery;
mod discovery;
mod load;
mod nodes;
mod paths;
mod radio;
mod refused;
mod restarts;
mod stock;
mod tools;
