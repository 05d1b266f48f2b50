//! One node: the layers composed, and nothing of its own.
//!
//! A host needs five words:
//!
//! ```text
//! node.handle(now, Input)
//! node.handle_timeout(now)
//! node.next_timeout() -> Option<Instant>
//! node.poll_output() -> Option<Output>      // only pops; never thinks
//! node.network(), node.economy(), node.inbox() // short-lived views
//! ```
//!
//! The driving contract, named so that it can be cited:
//!
//! * **start**: the first input is [`Command::Start`], after the wall clock if there is one;
//! * **drain**: after every `handle` and `handle_timeout` the host takes outputs until there are none;
//! * **monotonic**: `now` never decreases;
//! * **in order**: the writes of a [`Output::Persist`] are applied all or none, ticket by ticket, and
//!   [`Input::Persisted`] says how far they are durable;
//! * **prompt**: `handle_timeout` is called at or soon after `next_timeout`; earlier does no harm;
//! * **fresh**: [`Event::EntropyWanted`] is answered by [`Input::Entropy`] from a true source of randomness.
//!
//! Spec: `spec/node.md`.
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

pub mod books;
pub mod contract;
mod crossing;
mod money;
pub mod node;
#[cfg(test)]
mod tests;

pub use books::Witnessing;
pub use contract::{Command, Event, Input, LedgerCommand, LedgerEvent, LxmfEvent, Output};
pub use crossing::CROSSINGS_FROM;
pub use nexus_economy as economy;
pub use nexus_endpoint as endpoint;
pub use nexus_secure::{Attempt, Authorship, Content, Message, Outgoing, Sender, Traced, Undelivered};
pub use node::{ENDPOINT, Node, Setup};
