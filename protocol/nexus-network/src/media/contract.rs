//! What the organ is told, what it wants, and what it counts and holds.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Sink, Write};
use nexus_wire::nexus::control::{Ack, Congestion};
use nexus_wire::nexus::frame::TAG_LEN;
use nexus_wire::nexus::message::MessageWriter;

use super::{Flow, Weight};
use crate::broadcast::SIGNATURE_LEN;
use crate::interface::{Endpoint, InterfaceId, Profile};
use crate::links::LinkId;

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// The interface came up, with this profile, ready to transmit. What waited for an earlier profile is gone.
    Up(InterfaceId, Profile),
    /// The interface went down.
    Down(InterfaceId),
    /// Send this frame when its turn comes.
    Send(Frame),
    /// Whoever is behind a link has so much of each interface by which its packets go out, relative to others; until the link is down.
    Weigh(LinkId, Weight),
    /// A link is no more: it feeds nothing.
    LinkDown(LinkId),
    /// The neighbour behind a link says how congested it is.
    Complained(Complained),
    /// Frames about this destination that still wait are out of date: they must not leave.
    Recall(DestinationHash),
    /// The frame that [`Effect::Transmit`] handed over has so many bytes once it is sealed.
    Sealed(InterfaceId, usize),
    /// The driver can take one more frame.
    TxReady(InterfaceId),
    /// Somebody is transmitting.
    ChannelBusy(InterfaceId),
    /// Nobody is transmitting.
    ChannelClear(InterfaceId),
    /// Somebody's frame was heard to its end.
    Heard(InterfaceId),
    /// Writes are durable up to this number.
    Durable(u64),
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Hand this frame to the driver.
    Transmit(Frame),
    /// Ask the driver whether the channel is free.
    Sense(InterfaceId),
    /// The channel was busy seven times in a row: its frame was dropped.
    Jammed(InterfaceId),
    /// An announce, or what goes with announces, does not leave there.
    Lost(InterfaceId),
    /// An interface under load carries so many bits per second, which is another rate than its profile's or than was said before.
    Carries(InterfaceId, u64),
    /// Tell the neighbour that feeds a queue that it is more than half full.
    Congested {
        /// Over which link.
        link: LinkId,
        /// How full.
        congestion: Congestion,
    },
    /// The price of an interface is raised by so many 65,536ths of the base price, where it was raised by another part before.
    Surge(InterfaceId, u32),
    /// Make this write durable, then say [`Input::Durable`] with the number.
    Write {
        /// The number.
        number: u64,
        /// The write.
        write: Write,
    },
}

/// What the neighbour behind a link says of its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complained {
    /// On which interface the link is.
    pub iface: InterfaceId,
    /// Which link.
    pub link: LinkId,
    /// What it says.
    pub congestion: Congestion,
    /// What was sent to it of late, in bits per second.
    pub sent_bps: u64,
}

/// One frame on its way to a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it goes out.
    pub iface: InterfaceId,
    /// To whom; `None` is the only peer, or everybody.
    pub to: Option<Endpoint>,
    /// Its bytes; or, if it is sealed as it leaves, [`HEADER_LEN`](nexus_wire::nexus::frame::HEADER_LEN) bytes of headroom and a plaintext.
    pub bytes: Vec<u8>,
    /// Whose news it carries: it can be recalled by that name while it waits.
    pub about: Option<DestinationHash>,
    /// What it is on the medium for.
    pub load: Load,
    /// In which line it waits.
    pub flow: Flow,
    /// Under whose key it is sealed as it leaves; none if it leaves as it is.
    pub under: Option<Seal>,
}

/// What a frame is on the medium for: what is metered and bounded apart. Source: spec/network.md#budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Load {
    /// Packets, of this node or passed on.
    Traffic,
    /// What links need: handshakes, beacons, keys, pings, acknowledgements.
    Links,
    /// Announces, costs, withdrawals, and what asks for paths.
    Announces,
    /// Replicated state of a tier.
    Gossip(Tier),
}

/// How much a replicated store matters: a tier leaves to the next what it does not use of its share. Source: spec/network.md#budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tier {
    /// By which packets find their way.
    Routing,
    /// By which relays are paid.
    Payment,
    /// What nodes offer each other.
    Services,
    /// What people tell each other.
    Social,
}

/// Under whose key a frame is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// A link's.
    Link(LinkId),
    /// This node's broadcast key on the frame's interface: it is signed too.
    Broadcast,
    /// The access codes of the frame's interface, which make it so many bytes longer.
    AccessCodes(u8),
}

/// Why frames did not leave, per interface. Counted, never reset while the interface is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drops {
    /// Longer than the medium's longest frame, than an hour's duty cycle, or than a dwell time.
    pub too_long: u64,
    /// The queue was full: what whoever had most of it had waiting for longest, and could spare most, made room.
    pub displaced: u64,
    /// The same, of a neighbour that had half as much again waiting as its share of what waited.
    pub over_share: u64,
    /// The channel stayed busy.
    pub jammed: u64,
    /// The interface went down with frames waiting.
    pub went_down: u64,
    /// They were recalled, because they were out of date.
    pub recalled: u64,
}

/// How much may wait on one interface.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Interfaces, at most; further ones are not opened.
    pub interfaces: usize,
    /// Frames waiting on one interface.
    pub frames: usize,
    /// Bytes waiting on one interface.
    pub bytes: usize,
}

impl Default for Limits {
    /// For a host: 16 interfaces of 256 frames and 128 KiB each.
    fn default() -> Self {
        Self { interfaces: 16, frames: 256, bytes: 128 * 1024 }
    }
}

/// These frames do not leave.
pub(crate) fn lose(frames: impl IntoIterator<Item = Frame>, out: &mut impl Sink<Effect>) {
    for frame in frames {
        match frame.load {
            Load::Announces => out.push(Effect::Lost(frame.iface)),
            Load::Traffic | Load::Links | Load::Gossip(_) => {}
        }
    }
}

impl Frame {
    /// How long it is once it is sealed, in bytes.
    pub(super) fn len_on_medium(&self) -> usize {
        let sealing = match self.under {
            None => 0,
            Some(Seal::Link(_)) => TAG_LEN,
            Some(Seal::Broadcast) => TAG_LEN.saturating_add(SIGNATURE_LEN),
            Some(Seal::AccessCodes(len)) => len.into(),
        };
        self.bytes.len().saturating_add(sealing)
    }

    /// How long it may become: an acknowledgement rides in a frame of a link if there is room.
    pub(super) fn most_on_medium(&self) -> usize {
        let ride = match self.under {
            Some(Seal::Link(_)) => MessageWriter::len_of(&Ack { highest: 0, bitmap: 0 }),
            None | Some(Seal::Broadcast | Seal::AccessCodes(_)) => 0,
        };
        self.len_on_medium().saturating_add(ride)
    }
}
