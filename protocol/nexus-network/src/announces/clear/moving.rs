//! Tunnels: a relay whose connection was lost, and is back over another, has its paths back at once.
//!
//! Source: spec/reticulum.md#tunnel.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, hash};
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::path_cost::{CompactPathCost, Generation};
use nexus_wire::reticulum::{MTU, Packet, Payload as _, TunnelId, TunnelSynthesis};

use super::super::routing::Said;
use super::super::{Announces, Effect, count};
use super::ClearHop;
use super::remembering::{Noted, fingerprint};
use crate::forwarding::{Hop, HopName, Kind};
use crate::interface::InterfaceId;
use crate::media::{Flow, Frame, Load};
use crate::routes::NextHop;

/// Tunnels that are known,
const TUNNELS: usize = 64;
/// the paths that are kept for each while it is down,
const PATHS: usize = 256;
/// and for how long.
const LIFE: Duration = Duration::from_secs(8 * 3_600);

/// The tunnels that relays made.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    by_id: BTreeMap<TunnelId, Tunnel>,
}

#[derive(Debug)]
struct Tunnel {
    /// Where it is up.
    iface: Option<InterfaceId>,
    until: Instant,
    paths: Vec<Kept>,
}

/// A path as it was when its tunnel was lost.
#[derive(Clone, Copy, Debug)]
struct Kept {
    destination: DestinationHash,
    hop: ClearHop,
    said: CompactPathCost,
}

impl Tunnels {
    pub(super) const MEMORY_BOUND: usize =
        TUNNELS * (2 * size_of::<(TunnelId, Tunnel)>() + 2 * PATHS * size_of::<Kept>() + 64);

    /// Which tunnel is up on an interface.
    pub(super) fn at(&self, iface: InterfaceId) -> Option<TunnelId> {
        self.by_id.iter().find(|(_, tunnel)| tunnel.iface == Some(iface)).map(|(id, _)| *id)
    }

    /// The tunnel, which is made if it is not known. At the bound the one that ends first makes room.
    fn open(&mut self, id: TunnelId, now: Instant) -> &mut Tunnel {
        self.by_id.retain(|_, tunnel| tunnel.until > now || tunnel.iface.is_some());
        if self.by_id.len() >= TUNNELS && !self.by_id.contains_key(&id) {
            let first =
                self.by_id.iter().min_by_key(|(id, tunnel)| (tunnel.iface.is_some(), tunnel.until, **id));
            if let Some(first) = first.map(|(id, _)| *id) {
                self.by_id.remove(&first);
            }
        }
        self.by_id.entry(id).or_insert(Tunnel { iface: None, until: now, paths: Vec::new() })
    }
}

/// How many tunnels there are, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TunnelCount {
    /// Those that are up.
    pub up: usize,
    /// Those that are down, whose paths are kept.
    pub kept: usize,
}

impl Announces {
    /// The tunnels that relays made.
    #[must_use]
    pub fn tunnels(&self) -> TunnelCount {
        let all = &self.clear.tunnels.by_id;
        let up = all.values().filter(|tunnel| tunnel.iface.is_some()).count();
        TunnelCount { up, kept: all.len().saturating_sub(up) }
    }

    /// Who is behind a hop, by a name that outlasts it; none if it is gone.
    pub(crate) fn name_of(&self, hop: Hop) -> Option<HopName> {
        let bytes = match hop {
            Hop::Link(link) => *self.links.get(link)?.peer.as_bytes(),
            Hop::Clear(iface) => self.name_in_clear(iface)?,
        };
        Some(HopName { kind: hop.kind(), bytes })
    }

    /// Where whoever has this name is; none if it is not there.
    pub(crate) fn hop_named(&self, name: &HopName) -> Option<Hop> {
        match name.kind {
            Kind::Link => {
                let mut all = self.links.iter();
                all.find(|(_, other)| *other.peer.as_bytes() == name.bytes).map(|(link, _)| Hop::Link(link))
            }
            Kind::Clear => {
                let mut all = self.interfaces.keys();
                all.find(|iface| self.name_in_clear(**iface) == Some(name.bytes)).copied().map(Hop::Clear)
            }
        }
    }

    fn name_in_clear(&self, iface: InterfaceId) -> Option<[u8; HopName::LEN]> {
        let medium = self.interfaces.get(&iface)?;
        if let Some(TunnelId(id)) = self.clear.tunnels.at(iface) {
            return id.first_chunk().copied();
        }
        Some(hash::truncate(&hash::blake3(&[&fingerprint(&medium.profile), &[iface.0]])))
    }

    /// A relay says that what it had elsewhere is here.
    pub(in super::super) fn tunnel_heard(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        packet: &Packet<'_>,
        out: &mut impl Sink<Effect>,
    ) {
        if packet.hops.get() > 0 {
            return count(&mut self.refusals.far);
        }
        let Ok(synthesis) = TunnelSynthesis::from_packet(packet) else {
            return count(&mut self.refusals.malformed);
        };
        let Some(medium) = self.interfaces.get_mut(&iface) else { return };
        if !medium.requests.take(cx.now) {
            return count(&mut self.refusals.hasty);
        }
        if synthesis.verify().is_err() {
            return count(&mut self.refusals.forged);
        }
        self.tunnel_up(cx, iface, synthesis.tunnel_id(), out);
    }

    /// The host knows whoever is at an interface: what began where they were before begins here.
    pub(in super::super) fn recognised(
        &mut self,
        cx: Cx,
        iface: InterfaceId,
        peer: [u8; 32],
        out: &mut impl Sink<Effect>,
    ) {
        if self.interfaces.contains_key(&iface) {
            self.tunnel_up(cx, iface, TunnelId(peer), out);
        }
    }

    fn tunnel_up(&mut self, cx: Cx, iface: InterfaceId, id: TunnelId, out: &mut impl Sink<Effect>) {
        let before = self.clear.tunnels.open(id, cx.now).iface;
        if let Some(before) = before.filter(|before| *before != iface) {
            // Its old connection has not ended yet: nothing comes that way any more.
            self.keep_paths_of_tunnels(cx.now, before);
            self.lose_interface(cx, before, out);
        }
        let tunnel = self.clear.tunnels.open(id, cx.now);
        tunnel.iface = Some(iface);
        tunnel.until = cx.now.after(LIFE);
        for kept in core::mem::take(&mut tunnel.paths) {
            self.restore_path(cx, &kept.destination, iface, kept.hop, kept.said, out);
        }
        self.restore_paths_of_tunnel(cx, id, iface, out);
    }

    /// This node called whoever is on an interface: it says that it is there again, so that a stock server gives the paths back that began
    /// at its earlier connection. `interface` names the interface, and is the same at each.
    pub(in super::super) fn say_tunnel(
        &mut self,
        iface: InterfaceId,
        interface: [u8; 32],
        out: &mut impl Sink<Effect>,
    ) {
        if !self.interfaces.contains_key(&iface) {
            return;
        }
        let synthesis = self.own.synthesis(interface, self.random.bytes());
        let mut buffer = vec![0; MTU];
        let bytes =
            synthesis.encode(&mut buffer).expect("a synthesis is shorter than a packet may be").to_vec();
        out.push(Effect::Send(Frame {
            iface,
            to: None,
            bytes,
            about: None,
            load: Load::Announces,
            flow: Flow::OWN,
            under: None,
        }));
    }

    /// An interface goes down: if a tunnel is there, its paths are kept.
    pub(in super::super) fn keep_paths_of_tunnels(&mut self, now: Instant, iface: InterfaceId) {
        let tunnels = self.clear.tunnels.by_id.values_mut();
        let Some(tunnel) = tunnels.into_iter().find(|tunnel| tunnel.iface == Some(iface)) else { return };
        tunnel.iface = None;
        tunnel.until = now.after(LIFE);
        let next_hop = NextHop::Clear(iface);
        let kept = self.routes.over(next_hop).into_iter().filter_map(|destination| {
            let said = self.routes.get(&destination, next_hop)?.said();
            let hop = *self.clear.hops.get(&(destination, iface))?;
            Some(Kept { destination, hop, said })
        });
        tunnel.paths = kept.take(PATHS).collect();
    }

    /// A path in clear is back as it was, unless something newer is known of its destination.
    pub(super) fn restore_path(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        iface: InterfaceId,
        hop: ClearHop,
        cost: CompactPathCost,
        out: &mut impl Sink<Effect>,
    ) {
        let random_hash = hop.random_hash;
        if self.known.get(destination).is_none_or(|known| known.random_hash != random_hash) {
            return;
        }
        self.clear.set_hop(*destination, iface, hop);
        self.note_for_disk(*destination, Noted::Learnt);
        let said = Said { destination: *destination, random_hash, generation: Generation::FIRST, cost };
        self.candidate(cx, &said, NextHop::Clear(iface), out);
    }
}
