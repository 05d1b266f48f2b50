//! What the layer is told, and what it says.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodeId, NodePublic, RatchetPublic};
use nexus_machine::{Duration, Write};
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::message::MessageKind;
use nexus_wire::reticulum::Ifac;

use super::paying::Account;
use crate::announces::{Recipient, SearchMotive, Sighting};
use crate::counted::Shared;
use crate::forwarding::Hop;
use crate::gossip;
use crate::interface::{Endpoint, InterfaceId, Profile};
use crate::links::{Down, LinkStatus, Policy};
use crate::media::{Class, Frame, Weight};
use crate::routes::PathPolicy;

/// What the layer is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// An interface came up.
    Up(InterfaceId, Profile),
    /// A Reticulum link across stock nodes is up, and carries frames of this node as an interface of its own: there is a link with the
    /// node at its other end until the interface goes down. Frames are in the form of [`carried`](crate::carried).
    Carry {
        /// As which interface.
        iface: InterfaceId,
        /// What it carries.
        profile: Profile,
        /// Who is at its other end.
        peer: NodePublic,
    },
    /// An interface went down.
    Down(InterfaceId),
    /// A frame arrived.
    Frame {
        /// Where.
        iface: InterfaceId,
        /// From which address, on media that have addresses.
        from: Option<Endpoint>,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// The driver can take one more frame.
    TxReady(InterfaceId),
    /// Somebody is transmitting.
    ChannelBusy(InterfaceId),
    /// Nobody is transmitting.
    ChannelClear(InterfaceId),
    /// Announce, now.
    Announce,
    /// A ratchet is durable.
    Ratchet(RatchetPublic),
    /// A writer's writes are durable up to this number.
    Durable {
        /// Whose.
        by: Writer,
        /// Up to which, included.
        through: u64,
    },
    /// Keep a link with whoever answers at `to`: begin handshakes until there is one, and again when it is lost.
    Dial {
        /// On which interface.
        iface: InterfaceId,
        /// Where.
        to: Endpoint,
        /// Who must answer, if that is known.
        expected: Option<NodeId>,
    },
    /// Stop keeping it; a link that is up stays up.
    Undial {
        /// On which interface.
        iface: InterfaceId,
        /// Where.
        to: Endpoint,
    },
    /// With whom to link from here on; links with others go down.
    Policy(Policy),
    /// Ask so much for carrying packets out over the links of an interface from here on.
    Price {
        /// Which.
        iface: InterfaceId,
        /// In µNXS for 1,024 bytes.
        price: u64,
    },
    /// A neighbour's share of what interfaces carry is so many times that of one of which nothing was said, from here on.
    Weigh {
        /// Whose.
        node: NodeId,
        /// How many times.
        weight: Weight,
    },
    /// Link requests to this node's own destination are for whoever is on this interface in clear.
    Attend(InterfaceId),
    /// Frames on an interface in clear have these access codes from here on, until it goes down. To be said before it comes up.
    AccessCodes {
        /// Which.
        iface: InterfaceId,
        /// Its network's.
        codes: Shared<Ifac>,
    },
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
    /// No path to a destination is held from here on, until somebody says one.
    Forget(DestinationHash),
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// Wall and monotonic clocks parted: this machine may be running twice.
    ClocksParted,
    /// Send a packet of this node's own, as its originator writes it: without transport id, no hops. Answered by
    /// [`Effect::Originated`].
    Originate {
        /// Repeated in the answer.
        handle: u64,
        /// The packet.
        packet: Vec<u8>,
        /// By what its path is chosen.
        policy: PathPolicy,
        /// How urgent it is, here and at each relay.
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
    /// Send this probe by the path that it is of. Answers [`Effect::Probe`].
    Probe {
        /// The effect's.
        number: u64,
        /// The packet, as its originator writes it.
        packet: Vec<u8>,
    },
    /// A probe was proved by whom it went to.
    Probed {
        /// Which.
        number: u64,
    },
    /// Send a proof of this node's own back along the way that the proved packet came; without one it is dropped.
    Prove {
        /// The packet.
        packet: Vec<u8>,
        /// How urgent it is.
        class: Class,
    },
    /// What the economy says of neighbours, and to them.
    Account(Account),
    /// What a store above this layer says to gossip.
    Store(gossip::Input),
    /// A node's key is needed: answered by [`Effect::Key`], once it is known.
    FindKey(NodeId),
    /// Ask neighbours for an item that is needed by name.
    Want {
        /// Of which store.
        store: StoreId,
        /// Which.
        id: ItemId,
    },
}

/// What leaves the layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Hand this frame to the driver.
    Transmit(Frame),
    /// Ask the driver whether the channel is free.
    Sense(InterfaceId),
    /// A frame waited for the channel in vain.
    Jammed(InterfaceId),
    /// Make this write durable, then say [`Input::Durable`] with the number.
    Write {
        /// Whose it is.
        by: Writer,
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
    /// Seal a probe, and say [`Input::Probe`]; should the node prove that it came, [`Input::Probed`].
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
    /// A link came up.
    LinkUp(Box<LinkStatus>),
    /// A link is no more.
    LinkDown {
        /// As it last stood.
        last: Box<LinkStatus>,
        /// Why.
        why: Down,
    },
    /// A packet arrived for this node: as its originator wrote it, but for the hops.
    Arrived {
        /// The packet.
        packet: Vec<u8>,
        /// How urgent it was on its way here: what answers it is as urgent.
        class: Class,
        /// Over whose link it came; none if it came in clear.
        from: Option<NodeId>,
    },
    /// What gossip wants of a store above this layer.
    Store(gossip::Effect),
    /// A node's key became known, or was asked for.
    Key(Box<NodePublic>),
    /// A neighbour speaks of money.
    OfMoney {
        /// Who.
        from: NodeId,
        /// A message of which kind.
        kind: MessageKind,
        /// Its body.
        body: Vec<u8>,
    },
    /// What a neighbour sent came to its mark.
    Counted {
        /// Who.
        node: NodeId,
        /// To what, in grains since the process began.
        total: u64,
    },
    /// A neighbour sends what it cannot pay for, and has little left of what is carried for nothing.
    ChannelWanted(NodeId),
    /// Fresh entropy: keys were made since the last, or are about to be.
    EntropyWanted,
    /// What became of [`Input::Originate`].
    Originated {
        /// The input's.
        handle: u64,
        /// Whether it left, and towards whom; not that it arrived.
        outcome: Originated,
    },
}

/// Which organ of this layer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The announces.
    Announces,
    /// The way out: what was transmitted where that is limited.
    Media,
    /// The packets that pass: circuits that stand.
    Forwarding,
}

/// What became of a packet of this node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Originated {
    /// It waits for its medium, on its way by this step.
    Left(Hop),
    /// Nothing is known of a way to its destination.
    NoPath,
    /// It is longer than a packet may be, or is no packet.
    Malformed,
}
