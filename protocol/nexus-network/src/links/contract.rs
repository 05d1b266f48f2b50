//! What the organ is told, and what it wants.

use alloc::boxed::Box;
use alloc::vec::Vec;

use nexus_crypto::{NodeId, NodePublic};
use nexus_wire::nexus::frame::BeaconTag;
use nexus_wire::nexus::path_cost::Hop;

use crate::interface::{Endpoint, InterfaceId, Profile};
use crate::media::Frame;

use super::LinkId;
use super::policy::Policy;
use super::status::{Down, LinkStatus, Trust};

/// What the organ is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// An interface came up.
    Up(InterfaceId, Profile),
    /// A Reticulum link with this peer is up, and carries frames as an interface.
    Carry {
        /// As which.
        iface: InterfaceId,
        /// What it carries.
        profile: Profile,
        /// Who is at its other end, as the link showed.
        peer: NodePublic,
    },
    /// An interface went down: so do its links.
    Down(InterfaceId),
    /// A frame arrived. ([`Links::receive`](super::Links::receive) is the same with a result.)
    Frame {
        /// Where.
        iface: InterfaceId,
        /// From which address, on media that have addresses.
        from: Option<Endpoint>,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Keep a link with whoever answers there.
    Dial {
        /// On which interface.
        iface: InterfaceId,
        /// Where.
        to: Endpoint,
        /// Who must answer, if that is known.
        expected: Option<NodeId>,
    },
    /// Stop keeping it.
    Undial {
        /// On which interface.
        iface: InterfaceId,
        /// Where.
        to: Endpoint,
    },
    /// Call yourself so in beacons from here on; the former name is still answered to for 60 s.
    Retag(InterfaceId, BeaconTag),
    /// The peer of this link calls itself so in beacons.
    Named {
        /// Which.
        link: LinkId,
        /// Its tag.
        tag: BeaconTag,
    },
    /// The peer of this link was authentically heard by another way than over the link.
    Heard {
        /// Which.
        link: LinkId,
    },
    /// With whom to link from here on.
    Policy(Policy),
    /// Ask so much for carrying packets out over the links of an interface from here on.
    Price {
        /// Which.
        iface: InterfaceId,
        /// In µNXS for 1,024 bytes.
        price: u64,
    },
    /// An interface under load carries so many bits per second.
    Carries(InterfaceId, u64),
    /// An interface is crowded: so many 65,536ths more are asked there than its price.
    Surge(InterfaceId, u32),
    /// Fresh entropy.
    Entropy([u8; 32]),
    /// Wall and monotonic clocks parted: this machine may be running twice.
    ClocksParted,
}

/// What the organ wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this frame; under a link it comes back to [`Links::seal`](super::Links::seal) as it leaves.
    Send(Frame),
    /// A link came up. Boxed, as what is rare and large is: effects are moved for each frame.
    Up(Box<LinkStatus>),
    /// A link is no more.
    Down {
        /// As it last stood.
        last: Box<LinkStatus>,
        /// Why.
        why: Down,
    },
    /// What a link adds to a path is another than before: its latency was measured, or its price set.
    Measured {
        /// Which.
        link: LinkId,
        /// What it adds to a path.
        hop: Hop,
    },
    /// The peer of a link is believed to be there more or less than before, or answers more or less often.
    Stands {
        /// Which.
        link: LinkId,
        /// How far.
        trust: Trust,
        /// How many of 255 frames are answered; none if nothing is known.
        reliability: Option<u8>,
    },
    /// The beacon of a link's peer was heard.
    Beaconed(LinkId),
    /// Fresh entropy: keys are about to be made, or were made since the last.
    EntropyWanted,
}
