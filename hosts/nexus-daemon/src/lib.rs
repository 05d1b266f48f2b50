//! The host around a node: it moves bytes and time, and decides nothing.
//!
//! | module | what it is |
//! |---|---|
//! | [`host`] | the loop: collect input, tell the node, carry out what it asks, sleep until its next deadline |
//! | [`driver`] | what stands between the loop and a medium |
//! | [`drivers`] | UDP, TCP, pipes, memory |
//! | [`decorators`] | what wraps a driver: faults, a trace, a recording |
//! | [`store`] | what must survive, in an embedded database under one directory |
//!
//! Contract: the crate page of `nexus-node`. Spec: `spec/node.md`.

pub mod decorators;
pub mod driver;
pub mod drivers;
pub mod host;
#[cfg(test)]
mod rig;
pub mod store;

pub use decorators::Decorations;
pub use host::{Host, HostError, HostHandle, HostView};
pub use store::{Store, StoreError};
