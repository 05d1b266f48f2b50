//! The host around a node: it moves bytes and time, and decides nothing.
//!
//! | module | what it is |
//! |---|---|
//! | [`service`] | a daemon: configuration, host and control socket in one process |
//! | [`backup`] | a node in one file |
//! | [`config`], [`state_dir`], [`key_store`], [`passphrase`], [`lock`] | what a daemon is started with |
//! | [`keyboard`] | questions whose answers are not shown |
//! | [`api`], [`control`], [`client`] | the control protocol: its values and its two ends |
//! | [`logs`], [`privacy`] | what is logged, and what a log may name |
//! | [`host`] | the loop: collect input, tell the node, carry out what it asks, sleep until its next deadline |
//! | [`driver`] | what stands between the loop and a medium |
//! | [`drivers`] | UDP, TCP, RNode, serial ports, pipes, memory |
//! | [`decorators`] | what wraps a driver: faults, a trace, a recording |
//! | [`compression`] | bzip2, for the resources and streams of Reticulum links |
//! | [`metrics`] | what the node counts, for a Prometheus server on this machine |
//! | `rpc` | what programs written for Reticulum ask their shared instance |
//! | [`recordings`] | reading recordings, and searching them for what must not be there |
//! | [`store`] | what must survive, in an embedded database under one directory |
//!
//! Contract: the crate page of `nexus-node`. Spec: `spec/node.md`.

pub mod api;
pub mod backup;
pub mod client;
pub mod compression;
pub mod config;
pub mod control;
pub mod decorators;
pub mod driver;
pub mod drivers;
pub mod host;
pub mod key_store;
pub mod keyboard;
pub mod lock;
pub mod logs;
pub mod metrics;
pub mod notify;
pub mod passphrase;
pub mod people;
pub mod privacy;
pub mod recordings;
#[cfg(test)]
mod rig;
mod rpc;
pub mod service;
pub mod state_dir;
pub mod store;
mod tape;

pub use decorators::Decorations;
pub use host::{Host, HostError, HostHandle, HostView};
pub use store::{Store, StoreError};
