//! What every part of the core is made of: time that is an argument, effects that are values,
//! randomness that is forked from one seed, and collections that know their bounds.
//!
//! Nothing here knows a protocol. An *organ* (one protocol) is a struct that implements [`Machine`];
//! it is driven by whoever owns it, tells what it wants through a [`Sink`], and never reads a clock,
//! a socket, a disk or a global random source. The same logic therefore runs on a microcontroller, on a
//! server, and many thousand times inside a simulator with a virtual clock.
//!
//! | module | what it offers |
//! |---|---|
//! | [`time`] | [`Instant`], [`Duration`]: microseconds, saturating |
//! | [`context`] | [`Cx`]: what time it is and how this node is configured, by copy |
//! | [`machine`] | [`Machine`], [`Sink`]: the contract between an organ and its parent |
//! | [`deadlines`] | [`Deadlines`]: many named timers, one next deadline |
//! | [`random`] | [`Seed`], [`Stream`]: forked, refreshable, reproducible |
//! | [`bounded`] | [`BoundedQueue`], [`BoundedMap`]: a capacity and a stated overflow rule |
//! | [`bucket`] | [`Bucket`]: a rate and a burst |
//! | [`slab`] | [`Slab`]: slots with generations, so that a stale key is never another's |
//! | [`durable`] | [`Write`], [`Snapshot`]: what goes to the disk and what comes back |
//! | [`gate`] | [`Gate`], [`Ticket`]: effects that wait until a write is durable |
//!
//! The laws that every machine obeys are stated once, in `nexus-testkit`. Spec: `spec/machine.md`.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::iter_over_hash_type,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test that overflows is a failing test"
    )
)]

extern crate alloc;

pub mod bounded;
pub mod bucket;
pub mod context;
pub mod deadlines;
pub mod durable;
pub mod gate;
pub mod machine;
pub mod random;
pub mod slab;
pub mod time;

pub use bounded::{BoundedMap, BoundedQueue, Inserted, MapOverflow, Pushed, QueueOverflow};
pub use bucket::Bucket;
pub use context::{Config, Cx, Relaying, Traces, WallClock};
pub use deadlines::Deadlines;
pub use durable::{Snapshot, TableId, Write};
pub use gate::{Gate, Ticket};
pub use machine::{Machine, MemoryBound, Sink, earliest};
pub use random::{Seed, Stream};
pub use slab::{Key, Slab};
pub use time::{Duration, Instant};
