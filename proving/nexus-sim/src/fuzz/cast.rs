//! Who takes part in a script, where they are, and the media that others are variations of.

use std::sync::OnceLock;

use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity};
use nexus_network::lora::{FRAME_MAX, Modulation};
use nexus_network::{Access, DutyCycle, Endpoint, InterfaceId, Mode, Profile, Reach, Role, Timing};

/// How many are driven.
pub(super) const NODES: usize = 3;

pub(super) fn identity(node: usize) -> IdentitySeed {
    IdentitySeed::from_bytes([number(node) + 1; 32])
}

pub(super) fn node_id(node: usize) -> NodeId {
    // Deriving one takes longer than most steps.
    static IDS: OnceLock<[NodeId; NODES]> = OnceLock::new();
    IDS.get_or_init(|| std::array::from_fn(|node| NodeIdentity::from_seed(identity(node)).node_id()))[node]
}

/// Which node, as scripts and addresses have it.
pub(super) fn number(node: usize) -> u8 {
    u8::try_from(node).expect("a few nodes")
}

pub(super) fn interface(nth: usize) -> InterfaceId {
    InterfaceId(u8::try_from(nth).expect("a few interfaces"))
}

/// Where a node is; numbers beyond the nodes' are nobody's.
pub(super) fn address(number: u8) -> Endpoint {
    Endpoint::new(&[number; 6]).expect("six bytes fit")
}

/// A fast cable.
pub(super) const CABLE: Profile = Profile {
    mode: Mode::Nexus,
    reach: Reach::PointToPoint,
    access: Access::Direct,
    bandwidth_bps: 10_000_000,
    frame_size: 1_064,
    timing: Timing::Rate,
    duty: DutyCycle::UNLIMITED,
    sub_band: None,
    overhead: 0,
    price: 0,
    role: Role::Full,
    gravity: 0,
};

/// A radio channel whose modems listen, and how its frames are sent.
pub(super) fn radio() -> (Profile, Modulation) {
    let modulation = Modulation::new(125_000, 8, 5).expect("a radio's settings");
    let profile = Profile {
        reach: Reach::Shared,
        bandwidth_bps: modulation.bitrate_bps(),
        frame_size: FRAME_MAX,
        timing: Timing::LoRa(modulation),
        ..CABLE
    };
    (profile, modulation)
}
