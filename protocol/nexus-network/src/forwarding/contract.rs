//! What is decided of packets, and how much is held for it.

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::Duration;
use nexus_wire::nexus::path_cost::CostCode;
use nexus_wire::reticulum::{Hops, PathRequest};
use thiserror::Error;

use super::{Cause, Hop};
use crate::interface::InterfaceId;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is for this node. Its header is as the originator wrote it, but for the hops.
    Deliver,
    /// Send it on, as it lies.
    Forward(Leaving),
    /// It asks for a path.
    Ask {
        /// What it asks.
        request: PathRequest,
        /// How many steps it came, this one included.
        hops: Hops,
    },
    /// It ends here.
    Drop(Cause),
}

/// Where a packet leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// By which step.
    pub to: Hop,
    /// The transport id to be put in, where a relay in clear is asked to carry it on.
    pub transport: Option<IdentityHash>,
    /// What the next hop asks for it.
    pub quoted: CostCode,
}

/// A packet that came in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InClear {
    /// Where it begins, in the form in which links carry it: its transport id is left behind.
    pub at: usize,
    /// What becomes of it.
    pub decision: Decision,
}

/// No way to the destination is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no path to the destination is known")]
pub struct NoPath;

/// How much the organ may hold. All of it is held from the start.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Packet hashes remembered, 8 bytes each.
    pub duplicates: usize,
    /// Packets whose proofs find their way back, 32 bytes each.
    pub reverse: usize,
    /// Reticulum links that stand, and as many that were asked for; about 1,200 bytes each where there are so many.
    pub circuits: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { duplicates: 65_536, reverse: 16_384, circuits: 4_096 }
    }
}

/// A destination proved a link whose request this node passed on in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Which destination.
    pub destination: DestinationHash,
    /// Where the request left and the proof came.
    pub iface: InterfaceId,
    /// How long that took.
    pub took: Duration,
}
