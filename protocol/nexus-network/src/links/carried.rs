//! Links whose frames a Reticulum link carries: across stock nodes, between NEXUS nodes at both ends.
//!
//! That link is the medium: it shows who the peer is before it is up, it encrypts, and whoever keeps it replaces it. So there is no
//! handshake here, no seal and no rekey; what remains is the counter with its window, and everything that links are for.
//! Source: spec/network.md#carried-links.

use alloc::vec::Vec;

use nexus_crypto::NodePublic;
use nexus_machine::{Cx, Sink};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::carried::Carried;
use nexus_wire::nexus::frame::{BeaconTag, HEADER_LEN, KeyName, SealedHeader};

use super::keys::Keys;
use super::link::Made;
use super::pace::CARRIED_WINDOW;
use super::refusals::Refused;
use super::sessions::Owner;
use super::traffic::Opened;
use super::{Effect, LinkId, Links};
use crate::interface::{InterfaceId, Profile};

/// Whether links of an interface have keys of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carrier {
    /// They have: anybody may write on the medium.
    Anybody,
    /// The medium is a Reticulum link with one peer.
    ReticulumLink,
}

impl Links {
    /// A Reticulum link with `peer` is up, and carries frames as this interface: so there is a link.
    pub(super) fn carry(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        profile: Profile,
        peer: NodePublic,
        out: &mut impl Sink<Effect>,
    ) {
        self.down(cx, iface, out);
        if peer.node_id() == self.own.node_id() || !self.policy.allows(&peer.node_id()) {
            return;
        }
        if !self.add_interface(cx, iface, profile, Carrier::ReticulumLink) {
            return;
        }
        let Some(at) = self.sessions.take(cx.now, iface, Owner::Opening, &mut self.random) else {
            return self.refusals.count(Refused::crowded);
        };
        let keys = Keys::of_carrier(at, CARRIED_WINDOW, cx.now);
        let peer_max_frame = profile.frame_size;
        let made = Made { iface, endpoint: None, peer, keys, peer_max_frame, finish: None, unshown: None };
        let _refused_if_crowded: Option<LinkId> =
            self.establish(cx, made, (iface, None, BeaconTag::ANYBODY), out);
    }

    /// What a Reticulum link carried.
    pub(super) fn receive_carried(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        bytes: &[u8],
        out: &mut impl Sink<Effect>,
    ) -> Option<Opened> {
        let Ok(Carried { counter, messages }) = Carried::decode(bytes) else {
            self.refusals.count(Refused::malformed);
            return None;
        };
        let link = *self.by_endpoint.get(&(iface, None, BeaconTag::ANYBODY))?;
        let session = self.links.get(link.0)?.sessions().next()?;
        let header = SealedHeader { key: KeyName::Session(session), counter };
        let frame = [&header.to_bytes()[..], messages].concat();
        self.receive_sealed(cx, iface, (link, session), None, header, frame, out)
    }
}

/// What a Reticulum link is given of a frame of [`Links`]: the counter, and the messages behind it.
#[must_use]
pub fn carried(mut frame: Vec<u8>) -> Vec<u8> {
    const LEFT_OUT: usize = HEADER_LEN - Carried::HEADER_LEN;
    frame.drain(..LEFT_OUT.min(frame.len()));
    frame
}
