//! The Reticulum world for tests: an endpoint of our own, and the published package as a black box.
//!
//! | module | what it offers |
//! |---|---|
//! | [`endpoint`] | [`Endpoint`]: announces, SINGLE packets, links, requests and resources, without input or output |
//! | [`live`] | [`Live`]: an endpoint at a TCP connection of the loopback |
//! | [`stock`] | [`StockNode`]: the published package in a process of its own, told what to do in lines of JSON |
//! | [`lxmf`] | [`StockLxmf`]: a peer of the published LXMF package |
//! | [`program`] | [`Program`]: a script and what it says |
//! | [`published`] | [`Published`]: programs that people run, as they run them |
//! | [`msgpack`] | what endpoints say on links |
//!
//! Written from documentation and observation. Source: spec/reticulum.md.
#![forbid(unsafe_code)]

pub mod endpoint;
pub mod live;
pub mod lxmf;
pub mod msgpack;
pub mod program;
pub mod published;
pub mod stock;

pub use endpoint::{Endpoint, Event};
pub use live::Live;
pub use lxmf::StockLxmf;
pub use program::Program;
pub use published::Published;
pub use stock::StockNode;
