//! Networks of Linux network namespaces: real processes on real sockets, cables that can be cut, and probes.
//!
//! A [`Lab`] has [`Place`]s, each with a network of its own, and [`Cable`]s between them. Nothing of it has a name outside of
//! the process that made it, and nothing of it outlives that process, whatever ends it: a namespace is there for as long as
//! somebody is in it, and who is in it reads from a pipe of this process. Only programs that run in a place see its network.
//!
//! What goes through is judged by a [`Flow`]: numbered datagrams or messages from one place to another, and when they arrived.
//!
//! Spec: `spec/namespaces.md`.

mod cable;
mod daemon;
mod death;
mod diamond;
mod flow;
mod gaps;
mod lab;
mod net;
mod segment;

pub use cable::{Cable, Carried, End};
pub use daemon::Daemon;
pub use death::{Death, Outage, outage};
pub use diamond::{Diamond, Middle, Spot};
pub use flow::{DATAGRAM_EVERY, Flow, MESSAGE_EVERY};
pub use gaps::longest_gap;
pub use lab::{Lab, LabError, Place};
pub use net::Net;
pub use segment::Segment;
