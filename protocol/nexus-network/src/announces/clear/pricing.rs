//! What a way in clear costs, as far as a crossing tells.
//!
//! In clear nobody says a price, so what is dear behind a stock segment seems free before it. A crossing leads to a node behind it, which says
//! what its ways cost: that counts for the way in clear too, if that may lead through this node. Source: spec/reticulum.md#prices.

use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash, NodeId};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, HopCount};
use nexus_wire::reticulum::RandomHash;

use super::super::Announces;
use super::super::known::Via;
use super::super::neighbours::Carrier;
use super::super::routing::{Said, hop_of};
use crate::interface::InterfaceId;
use crate::routes::{NextHop, RoutingEntry};

impl Announces {
    /// An interface is a crossing.
    pub(in super::super) fn crosses(&mut self, iface: InterfaceId) {
        self.clear.crossings.insert(iface);
        for (_, other) in self.links.iter_mut().filter(|(_, other)| other.iface == iface) {
            other.carrier = Carrier::Crossing;
        }
    }

    /// What carries a link on an interface.
    pub(in super::super) fn carrier(&self, iface: InterfaceId) -> Carrier {
        if self.clear.crossings.contains(&iface) { Carrier::Crossing } else { Carrier::Medium }
    }

    /// Whether stock nodes carry the newest emission of a destination, or are about to: then whoever is behind them may know it.
    pub(in super::super) fn is_in_clear(&self, destination: &DestinationHash) -> bool {
        let Some(known) = self.known.get(destination) else { return false };
        let is_heard = match known.neighbour.via {
            Via::Clear { iface, .. } => !self.is_program(iface),
            Via::Link { .. } => false,
        };
        is_heard
            || known.shown.is_some_and(|shown| shown.random_hash == known.random_hash)
            || self
                .clear
                .rebroadcasts
                .get(destination)
                .is_some_and(|waiting| waiting.is_of(known.random_hash))
    }

    /// What a neighbour said, with the price that crossings know of if it was said in clear.
    pub(in super::super) fn with_price_behind(&self, said: &Said, next_hop: NextHop) -> CompactPathCost {
        match next_hop {
            NextHop::Link { .. } => said.cost,
            NextHop::Clear(_) => {
                let price = self.price_behind(&said.destination, said.random_hash, said.cost.hops);
                CompactPathCost { cumulative_cost: price.unwrap_or(said.cost.cumulative_cost), ..said.cost }
            }
        }
    }

    /// What a crossing says counts for the ways in clear that are known.
    pub(in super::super) fn price_in_clear(&mut self, destination: &DestinationHash, by: NextHop) {
        if !self.clear.crossings.contains(&by.iface()) {
            return;
        }
        let in_clear = |entry: &&RoutingEntry| entry.next_hop().link().is_none();
        let ways: Vec<RoutingEntry> = self.routes.paths(destination).filter(in_clear).copied().collect();
        for way in ways {
            let next_hop = way.next_hop();
            let (random_hash, generation) = (way.random_hash(), way.generation());
            let said = Said { destination: *destination, random_hash, generation, cost: way.said() };
            let Some(hop) = hop_of(&self.links, &self.interfaces, next_hop) else { continue };
            let priced = self.with_price_behind(&said, next_hop);
            let cost = self.rounded(priced, &hop, *destination, random_hash, generation);
            if let Some(entry) = self.routes.get_mut(destination, next_hop) {
                entry.set_cost(cost);
            }
        }
    }

    /// The least that crossings say of an emission, of those whose nodes may be on a way in clear of which so many hops were said.
    fn price_behind(
        &self,
        destination: &DestinationHash,
        random_hash: RandomHash,
        said: HopCount,
    ) -> Option<CostCode> {
        let words = self.routes.paths(destination).filter_map(|entry| {
            let NextHop::Link { iface, link } = entry.next_hop() else { return None };
            let is_of_it = self.clear.crossings.contains(&iface) && entry.random_hash() == random_hash;
            let peer = self.links.get(link).filter(|_| is_of_it)?.peer;
            let through = self.hops_in_clear(peer).saturating_add(entry.said().hops.0);
            (said.next().0 >= through).then_some(entry.said().cumulative_cost)
        });
        words.min()
    }

    /// How many hops a node is away in clear at least; none if that is not known.
    fn hops_in_clear(&self, node: IdentityHash) -> u8 {
        let destination = DestinationHash::from(NodeId::of(node));
        let in_clear = |entry: &RoutingEntry| entry.next_hop().link().is_none();
        let hops = self.routes.paths(&destination).filter(|entry| in_clear(entry));
        hops.map(|entry| entry.said().hops.next().0).min().unwrap_or(0)
    }
}
