//! What crossings are told, and what they want.

use nexus_crypto::identity::IdentityPublic;
use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::Duration;
use nexus_wire::reticulum::LinkId;

use crate::contract::Handle;
use crate::links::Measures;

/// The place of a crossing among those of a node: less than [`CROSSINGS`](super::CROSSINGS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u8);

/// What the way of a link carries, as far as its making shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Bits a second: what request and proof were, in the time that they took. The way carries that at least.
    pub bandwidth_bps: u64,
    /// How much plaintext a packet carries, in bytes.
    pub data_len: u32,
}

impl Way {
    /// A link request with its signalling, and its proof, with their headers.
    const CROSSED_BITS: u64 = 8 * (19 + 67 + 19 + 99);
    /// What is believed of a way, whatever was measured, in bits per second.
    const LEAST: u64 = 300;
    const MOST: u64 = 1_000_000;

    /// The way of a link of these measures.
    #[must_use]
    pub fn of(measures: &Measures) -> Self {
        let bits = Self::CROSSED_BITS.saturating_mul(1_000_000);
        let bandwidth_bps = bits.checked_div(measures.rtt.as_micros()).unwrap_or(Self::MOST);
        Self { bandwidth_bps: bandwidth_bps.clamp(Self::LEAST, Self::MOST), data_len: measures.data_len }
    }

    /// How long so many bytes take.
    pub(super) fn time_of(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8_000_000);
        Duration::from_micros(bits.checked_div(self.bandwidth_bps).unwrap_or(0))
    }
}

/// How a node is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// By links of NEXUS nodes.
    OverLinks,
    /// Across stock relays alone.
    AcrossStock,
    /// Not at all.
    Unreached,
}

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The announce of a node came across stock relays.
    Heard {
        /// Whose.
        identity: IdentityPublic,
        /// How many hops away it is.
        hops: u8,
        /// Who carried it, if it was a relay: the address that it has if it is a node.
        through: Option<NodeId>,
    },
    /// A stock relay, as it seems, carried an announce: the address that it has if it is a node.
    Carried {
        /// Whose.
        by: NodeId,
    },
    /// The answer to [`Effect::Consider`].
    Considered {
        /// Which node.
        node: NodeId,
        /// How it is reached.
        reached: Reached,
    },
    /// A link that was asked for is up.
    Opened {
        /// The effect's.
        handle: Handle,
        /// Which.
        link: LinkId,
        /// What it carries.
        way: Way,
    },
    /// It did not come about.
    Failed {
        /// The effect's.
        handle: Handle,
    },
    /// Somebody asked this node for a link, which is up.
    Asked {
        /// Which.
        link: LinkId,
        /// What it carries.
        way: Way,
    },
    /// The initiator of a link said who it is.
    Named {
        /// Which.
        link: LinkId,
        /// Who.
        identity: IdentityPublic,
    },
    /// A link is no more.
    Ended {
        /// Which.
        link: LinkId,
    },
    /// What a crossing carried is no more: its other end is silent, or not wanted.
    GivenUp {
        /// Which.
        slot: Slot,
    },
    /// A frame of so many bytes left over a crossing: it takes its time before [`Effect::Ready`].
    Said {
        /// Which.
        slot: Slot,
        /// Its length, with all that goes with it.
        bytes: usize,
    },
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// How is this node reached? Answered by [`Input::Considered`].
    Consider {
        /// Which.
        node: NodeId,
    },
    /// Ask for a way to what may be a node.
    Find {
        /// Its address.
        destination: DestinationHash,
    },
    /// Ask a node for a link, and answer with [`Input::Opened`] or [`Input::Failed`].
    Open {
        /// What the answer repeats.
        handle: Handle,
        /// Whom.
        to: DestinationHash,
    },
    /// Tell the other end of a link who this node is.
    Identify {
        /// Which.
        link: LinkId,
    },
    /// End a link.
    Close {
        /// Which.
        link: LinkId,
    },
    /// A crossing is up.
    Up {
        /// Which.
        slot: Slot,
        /// Who is at its other end.
        identity: IdentityPublic,
        /// What it carries.
        way: Way,
    },
    /// A crossing is no more.
    Down {
        /// Which.
        slot: Slot,
    },
    /// A crossing takes another frame.
    Ready {
        /// Which.
        slot: Slot,
    },
}
