//! What the organ is told, and what it asks for.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash, NodeId, RatchetPublic};
use nexus_machine::{Duration, Write};
use nexus_wire::nexus::cost::{CostHeard, CostRecord};
use nexus_wire::nexus::path_cost::{CompactPathCost, Hop};
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::{Hops, PathRequest};

use super::SearchMotive;
use super::costs::Outlet;
use super::known::Recipient;
use crate::interface::{InterfaceId, Profile};
use crate::links::{LinkId, Trust};
use crate::media::Frame;
use crate::overheard::Overheard;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// An interface came up.
    Up(InterfaceId, Profile),
    /// An interface went down.
    Down(InterfaceId),
    /// A frame arrived on an interface.
    Heard {
        /// Where.
        iface: InterfaceId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// A link came up.
    LinkUp {
        /// Which.
        link: LinkId,
        /// Where it runs.
        iface: InterfaceId,
        /// Who the peer is.
        peer: IdentityHash,
        /// What a hop over it costs: this node's price, and what is measured.
        hop: Hop,
    },
    /// A link was measured again.
    LinkMeasured {
        /// Which.
        link: LinkId,
        /// What a hop over it costs.
        hop: Hop,
    },
    /// A destination proved a link whose request left in clear.
    Answered {
        /// Which destination.
        destination: DestinationHash,
        /// Where the request left and the proof came.
        iface: InterfaceId,
        /// How long that took.
        took: Duration,
    },
    /// An interface under load carries so many bits per second.
    Carries(InterfaceId, u64),
    /// Announces or gossip were on a shared channel: broadcasts of others, or frames of this node's links either way.
    Overheard(Overheard),
    /// Frames of announces, and of what goes with them, wait there that take so long at the nominal rate. Said whenever it changed.
    Waits(InterfaceId, Duration),
    /// How far a link can be relied on.
    LinkStands {
        /// Which.
        link: LinkId,
        /// How far its peer is believed to be there.
        trust: Trust,
        /// How many of 255 frames are answered; none if nothing is known.
        reliability: Option<u8>,
    },
    /// How the peer of a link can be told, from here on.
    Hearing {
        /// Which.
        link: LinkId,
        /// How.
        hearing: Hearing,
    },
    /// A link is no more.
    LinkDown(LinkId),
    /// An ANNOUNCE arrived on a link, or in a broadcast that its peer signed.
    HeardOnLink {
        /// Which.
        link: LinkId,
        /// The cost that the peer said.
        cost: CompactPathCost,
        /// The packet as links carry it: its transport id left out.
        packet: Vec<u8>,
    },
    /// A COST arrived on a link, or in a broadcast that its peer signed.
    Costs {
        /// Which.
        link: LinkId,
        /// What it says.
        records: Vec<CostRecord>,
    },
    /// A `COST_ACK` arrived on a link.
    CostsHeard {
        /// Which.
        link: LinkId,
        /// What its peer heard.
        lines: Vec<CostHeard>,
    },
    /// A `COST_REQUEST` arrived on a link.
    CostRequested {
        /// Which.
        link: LinkId,
        /// Whose cost is asked for.
        destination: DestinationHash,
    },
    /// A path request arrived on a link.
    PathRequested {
        /// Which.
        link: LinkId,
        /// What it asks.
        request: PathRequest,
        /// How many steps it came, this one included.
        hops: Hops,
        /// How urgent it is.
        class: Class,
    },
    /// Look for a way to a destination. Answered by [`Effect::PathFound`] or [`Effect::PathNotFound`]; for a packet's sake alone
    /// perhaps not, if it was looked for of late.
    Find {
        /// Whose.
        destination: DestinationHash,
        /// Why.
        motive: SearchMotive,
    },
    /// A probe was proved by whom it went to. Answers [`Effect::Probe`].
    Probed {
        /// The effect's.
        number: u64,
    },
    /// A ratchet is durable: announce with it from here on.
    Ratchet(RatchetPublic),
    /// Announce with a fresh emission, now.
    Announce,
    /// What would be written within the next seconds is to be written: the process is about to end.
    Save,
    /// This node called whoever is on an interface in clear: say so. The interface is named the same each time.
    SayTunnel {
        /// Which.
        iface: InterfaceId,
        /// Its name.
        interface: [u8; 32],
    },
    /// The host knows whoever is at an interface in clear, and names them so.
    Recognised(InterfaceId, [u8; 32]),
    /// What carries an interface is a Reticulum link across stock nodes: what its peer says of costs counts for ways in clear too.
    Crosses(InterfaceId),
    /// No path to a destination is held from here on, until somebody says one.
    Forget(DestinationHash),
    /// The write with this number, and all before it, are durable.
    Durable(u64),
}

/// How a neighbour on a shared medium can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// With the others there, by broadcast.
    Broadcasts,
    /// Over its link.
    LinkOnly,
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this frame.
    Send(Frame),
    /// Say this on a link.
    Tell {
        /// Which.
        link: LinkId,
        /// The destination that it is about.
        about: DestinationHash,
        /// One ANNOUNCE, behind room for the frame's header.
        plaintext: Vec<u8>,
    },
    /// Say this to all who hear broadcasts on an interface.
    Broadcast {
        /// Which.
        iface: InterfaceId,
        /// The destination that it is about.
        about: DestinationHash,
        /// One ANNOUNCE without a length, behind room for the frame's header.
        message: Vec<u8>,
    },
    /// Say this: one COST, `COST_ACK` or `COST_REQUEST` without a length, behind room for the frame's header.
    Say {
        /// To whom.
        to: Outlet,
        /// The message.
        message: Vec<u8>,
    },
    /// Frames about this destination that still wait to be sent are out of date.
    Recall(DestinationHash),
    /// Make this write durable, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The write.
        write: Write,
    },
    /// An announce of another was verified.
    Reached(Sighting),
    /// This node's own announce left.
    Announced {
        /// Its emission time.
        emitted_at: u64,
    },
    /// Probe a node by the path that [`Announces::trial`](super::Announces::trial) names, and say [`Input::Probed`] if it proves that.
    Probe {
        /// Names the probe.
        number: u64,
        /// Whom.
        node: NodeId,
        /// What is known of it.
        recipient: Box<Recipient>,
    },
    /// There is a way to a destination that was looked for.
    PathFound {
        /// Whose.
        destination: DestinationHash,
        /// How long the way is.
        hops: u8,
        /// How long the search took.
        after: Duration,
    },
    /// A destination was looked for in vain.
    PathNotFound {
        /// Whose.
        destination: DestinationHash,
    },
}

/// A verified announce of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whose.
    pub destination: DestinationHash,
    /// Its emission time.
    pub emitted_at: u64,
    /// How many times it was received.
    pub hops: u8,
    /// Where it was heard.
    pub iface: InterfaceId,
}
