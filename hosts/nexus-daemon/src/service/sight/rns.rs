//! The Reticulum world, in the words of the control protocol.

use std::collections::BTreeMap;

use nexus_network::Mode;
use nexus_network::announces::Waiting;

use super::paths::is_node;
use super::{HostView, InterfaceStatus, MediumStatus, peers, refusals};
use crate::api::{RnsInterface, RnsStatus, Traffic};
use crate::driver::Carrier;

/// Interfaces in `reticulum` mode, and what passes there. `relaying` is whether the node is configured to carry the packets of others.
pub(in crate::service) fn rns_status(view: &HostView<'_>, transport_id: String, relaying: bool) -> RnsStatus {
    let network = view.node().network();
    let announces = network.announces();
    let is_stock = |destination: &_, known: &_| !is_node(destination, known);
    let paths = announces.known().filter(|(destination, known)| {
        is_stock(*destination, *known) && announces.path(destination).is_some()
    });
    let tunnels = announces.tunnels();
    let in_clear = view.interfaces().filter(|interface| interface.profile.mode == Mode::Reticulum);
    let mut interfaces: Vec<_> = in_clear.map(|interface| interface_of(view, interface)).collect();
    interfaces
        .extend(view.media().filter(|medium| medium.kind == AUTO).map(|medium| local_network(view, medium)));
    interfaces.sort_by(|one, other| one.name.cmp(&other.name));
    RnsStatus {
        transport_id,
        relaying,
        interfaces,
        paths: number(paths.count()),
        paths_unwritten: number(announces.paths_unwritten()),
        circuits: number(network.forwarding().circuits()),
        tunnels: number(tunnels.up),
        tunnels_kept: number(tunnels.kept),
        refusals: of_the_stock_world(refusals(view)),
    }
}

/// The kind of the interfaces of the local network's stock nodes.
const AUTO: &str = "auto";

/// Where stock nodes of the local network meet.
fn local_network(view: &HostView<'_>, medium: MediumStatus) -> RnsInterface {
    RnsInterface {
        kind: medium.kind.to_owned(),
        role: String::new(),
        up: medium.fault.is_none(),
        peers: peers(view, &medium),
        bandwidth_bps: 0,
        sent: Traffic::default(),
        received: Traffic::default(),
        announces_queued: 0,
        announces_held: 0,
        fault: medium.fault,
        name: medium.name,
    }
}

fn interface_of(view: &HostView<'_>, interface: &InterfaceStatus) -> RnsInterface {
    let counters = &interface.counters;
    let waiting = view.node().network().announces().waiting_in_clear(interface.id);
    let Waiting { queued, held } = waiting.unwrap_or_default();
    RnsInterface {
        name: interface.name.clone(),
        kind: interface.kind.to_owned(),
        role: interface.profile.role.name().to_owned(),
        up: interface.carrier == Carrier::Up,
        peers: None,
        bandwidth_bps: interface.profile.bandwidth_bps,
        sent: Traffic { frames: counters.frames_out, bytes: counters.bytes_out },
        received: Traffic { frames: counters.frames_in, bytes: counters.bytes_in },
        announces_queued: number(queued),
        announces_held: number(held),
        fault: interface.fault.clone(),
    }
}

/// What concerns links, broadcasts and messages of NEXUS nodes is left out.
fn of_the_stock_world(mut refusals: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let kinds = ["announce_", "request_", "answer_", "access_", "packet_", "circuit_"];
    refusals.retain(|cause, _| kinds.iter().any(|kind| cause.starts_with(kind)));
    refusals
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
