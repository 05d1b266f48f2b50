//! The host around a node: it moves bytes and time, and decides nothing.
//!
//! | module | what it is |
//! |---|---|
//! | [`api`] | the values of the control protocol |
//! | [`host`] | the loop: collect input, tell the node, carry out what it asks, sleep until its next deadline |
//! | [`udp`] | an interface over UDP, one frame a datagram |
//! | [`store`] | what must survive, in an embedded database under one directory |
//!
//! Contract: the crate page of `nexus-node`. Spec: `spec/node.md`.

pub mod api;
pub mod client;
pub mod host;
pub mod key_store;
pub mod keyboard;

pub mod lock;
pub mod notify;
pub mod passphrase;
pub mod state_dir;
pub mod store;
pub mod udp;

pub use host::{Host, HostError};
pub use store::{Store, StoreError};
