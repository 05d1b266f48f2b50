//! How crossings meet the layers: to the network each is an interface of its own, to the endpoint a Reticulum link.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodePublic};
use nexus_endpoint::crossings::{CROSSINGS, Effect, Input, Reached, Slot, Way};
use nexus_endpoint::{Bytes, Event, Side};
use nexus_machine::{Cx, Machine as _};
use nexus_network::announces::Via;
use nexus_network::{Access, DutyCycle, InterfaceId, Mode, Profile, Reach, Role, Timing, Ways, carried};
use nexus_wire::nexus::carried::Carried;
use nexus_wire::nexus::frame::{HEADER_LEN, TAG_LEN};

use crate::node::{Body, ENDPOINT, Signal};

/// The interfaces of crossings, which no medium may have: they end where the endpoint's is.
pub const CROSSINGS_FROM: InterfaceId = InterfaceId(ENDPOINT.0 - CROSSINGS);

/// What a packet of a Reticulum link has beside its plaintext, padding included, less what frames of links have that are not carried.
const OVERHEAD: u16 = 19 + 64 - LEFT_OUT;
/// What of a frame of a link is not carried: its header but for the counter, and its tag.
const LEFT_OUT: u16 = 3 + 16;
const _: () = assert!(HEADER_LEN - Carried::HEADER_LEN + TAG_LEN == 3 + 16, "what is left out is that");

const fn iface_of(slot: Slot) -> InterfaceId {
    InterfaceId(CROSSINGS_FROM.0.saturating_add(slot.0))
}

/// The crossing that an interface is.
pub(crate) fn slot_of(iface: InterfaceId) -> Option<Slot> {
    let slot = iface.0.checked_sub(CROSSINGS_FROM.0)?;
    (slot < CROSSINGS).then_some(Slot(slot))
}

/// What a way is like as a medium.
fn profile(way: Way) -> Profile {
    let most = u32::try_from(Carried::MESSAGES_MAX + Carried::HEADER_LEN).unwrap_or(u32::MAX);
    let frame = u16::try_from(way.data_len.min(most)).unwrap_or(u16::MAX).saturating_add(LEFT_OUT);
    Profile {
        mode: Mode::Nexus,
        reach: Reach::PointToPoint,
        access: Access::Direct,
        bandwidth_bps: way.bandwidth_bps,
        frame_size: frame,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: OVERHEAD,
        // Nobody on the way is paid.
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

impl Body {
    /// Nodes across stock relays are crossed to from here on.
    pub(crate) fn cross(&mut self, cx: Cx, signals: &mut VecDeque<Signal>) {
        self.attach(cx, signals);
        self.crossing = true;
        self.network.handle(cx, nexus_network::Input::Attend(ENDPOINT), signals);
        let attend = nexus_endpoint::Command::Attend(self.own.into());
        self.endpoint.handle(cx, nexus_endpoint::Input::Command(attend), signals);
        // What is known from before a restart: nobody may say it again for an hour.
        let known: Vec<DestinationHash> =
            self.network.announces().known().map(|(destination, _)| *destination).collect();
        for destination in known {
            self.may_cross(cx, &destination, signals);
        }
    }

    /// An announce was verified: whose it is, or who carried it, may be crossed to.
    pub(crate) fn may_cross(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        signals: &mut VecDeque<Signal>,
    ) {
        if !self.crossing {
            return;
        }
        let Some(known) = self.network.routing(cx.now).known(destination) else { return };
        let Via::Clear { iface, transport } = known.neighbour.via else { return };
        if iface == ENDPOINT {
            return;
        }
        let (identity, hops) = (known.public, known.neighbour.hops.get());
        let is_node = DestinationHash::from(nexus_crypto::NodeId::of(identity.hash())) == *destination;
        if is_node {
            let through = transport.map(nexus_crypto::NodeId::of);
            self.crossings.handle(cx, Input::Heard { identity, hops, through }, signals);
        } else if let Some(relay) = transport {
            let by = nexus_crypto::NodeId::of(relay);
            self.crossings.handle(cx, Input::Carried { by }, signals);
        }
    }

    /// What the endpoint tells, if it is the crossings' concern.
    pub(crate) fn tell_crossings(&mut self, cx: Cx, event: &Event, signals: &mut VecDeque<Signal>) -> Told {
        let own = DestinationHash::from(self.own);
        let input = match event {
            Event::LinkUp { handle: Some(handle), up } if self.crossings.asked(*handle) => {
                Input::Opened { handle: *handle, link: up.link, way: Way::of(&up.measures) }
            }
            Event::LinkUp { handle: None, up } if up.destination == own && up.side == Side::Responder => {
                Input::Asked { link: up.link, way: Way::of(&up.measures) }
            }
            Event::Failed { handle, .. } if self.crossings.asked(*handle) => {
                Input::Failed { handle: *handle }
            }
            Event::Identified { link, identity } if self.crossings.has(link) => {
                Input::Named { link: *link, identity: *identity }
            }
            Event::LinkDown { link, .. } if self.crossings.has(link) => Input::Ended { link: *link },
            Event::Carried { link, plaintext } => {
                if let Some(slot) = self.crossings.slot(link) {
                    let (iface, bytes) = (iface_of(slot), plaintext.0.clone());
                    let frame = nexus_network::Input::Frame { iface, from: None, bytes };
                    self.network.handle(cx, frame, signals);
                }
                return Told::Crossings;
            }
            Event::Said { link, .. } if self.crossings.has(link) => return Told::Crossings,
            Event::LinkUp { .. }
            | Event::LinkDown { .. }
            | Event::Said { .. }
            | Event::Identified { .. }
            | Event::Failed { .. }
            | Event::Serving { .. }
            | Event::NotServing { .. }
            | Event::Found { .. }
            | Event::Received { .. }
            | Event::Delivered { .. }
            | Event::Requested(_)
            | Event::Transfer { .. }
            | Event::Needed { .. }
            | Event::Sealed { .. }
            | Event::Unsealed { .. }
            | Event::Channel { .. }
            | Event::Responded { .. } => return Told::Nobody,
        };
        self.crossings.handle(cx, input, signals);
        Told::Crossings
    }

    /// A frame of the network leaves over a crossing.
    pub(crate) fn say_across(&mut self, cx: Cx, slot: Slot, frame: Vec<u8>, signals: &mut VecDeque<Signal>) {
        let Some(link) = self.crossings.link(slot) else { return };
        let bytes = frame.len().saturating_add(usize::from(OVERHEAD));
        let plaintext = Bytes(carried(frame));
        let carry = nexus_endpoint::Command::Carry { link, plaintext };
        self.endpoint.handle(cx, nexus_endpoint::Input::Command(carry), signals);
        self.crossings.handle(cx, Input::Said { slot, bytes }, signals);
    }

    pub(crate) fn wire_crossings(&mut self, cx: Cx, effect: &Effect, signals: &mut VecDeque<Signal>) {
        use nexus_endpoint::Command as C;
        use nexus_network::Input as N;
        let command = match *effect {
            Effect::Consider { node } => {
                let reached = match self.network.announces().reach(cx.now, &node.into()) {
                    Ways::OverLinks => Reached::OverLinks,
                    Ways::AcrossStock => Reached::AcrossStock,
                    Ways::None => Reached::Unreached,
                };
                return self.crossings.handle(cx, Input::Considered { node, reached }, signals);
            }
            Effect::Find { destination } => {
                let motive = nexus_network::SearchMotive::Wish;
                return self.network.handle(cx, N::Find { destination, motive }, signals);
            }
            Effect::Up { slot, identity, way } => {
                let (iface, profile) = (iface_of(slot), profile(way));
                match NodePublic::check(identity) {
                    Ok(peer) => {
                        self.network.handle(cx, N::Carry { iface, profile, peer }, signals);
                        let is_linked = self.network.links().status().any(|link| link.iface == iface);
                        if !is_linked {
                            // The policy does not want this peer, or there is no room.
                            self.crossings.handle(cx, Input::GivenUp { slot }, signals);
                        }
                    }
                    Err(_) => self.crossings.handle(cx, Input::GivenUp { slot }, signals),
                }
                return;
            }
            Effect::Down { slot } => return self.network.handle(cx, N::Down(iface_of(slot)), signals),
            Effect::Ready { slot } => return self.network.handle(cx, N::TxReady(iface_of(slot)), signals),
            Effect::Open { handle, to } => C::Open { handle, to },
            Effect::Identify { link } => C::Identify { link },
            Effect::Close { link } => C::Close { link },
        };
        self.endpoint.handle(cx, nexus_endpoint::Input::Command(command), signals);
    }
}

/// Whose concern something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Crossings,
    Nobody,
}
