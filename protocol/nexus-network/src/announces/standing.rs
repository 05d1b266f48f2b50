//! What becomes of paths when the link by which they begin is another than before: measured, doubted, trusted, or gone.
//!
//! Only what goes over it is looked at. Source: spec/network.md#silent-neighbours, spec/network.md#routes.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Sink};
use nexus_wire::nexus::path_cost::Hop;

use super::clear::Noted;
use super::routing::seconds;
use super::{Announces, Effect};
use crate::interface::InterfaceId;
use crate::links::{LinkId, Trust};
use crate::routes::{NextHop, RoutingEntry, Stance, is_more_by_a_quarter};

impl Announces {
    /// What a hop over a link costs is another than before.
    pub(super) fn measured(&mut self, cx: Cx, link: LinkId, hop: Hop, out: &mut impl Sink<Effect>) {
        let Some(other) = self.links.get_mut(link) else { return };
        let before = core::mem::replace(&mut other.hop, hop);
        let [old, new] = [before, hop].map(|hop| u64::from(hop.latency.0));
        let is_slower_or_faster = is_more_by_a_quarter(old, new) || is_more_by_a_quarter(new, old);
        if before.price == hop.price && !is_slower_or_faster {
            return;
        }
        let next_hop = NextHop::Link { iface: other.iface, link };
        for destination in self.routes.over(next_hop) {
            let Some(entry) = self.routes.get(&destination, next_hop).copied() else { continue };
            let cost = self.rounded(entry.said(), &hop, destination, entry.random_hash(), entry.generation());
            if let Some(entry) = self.routes.get_mut(&destination, next_hop) {
                entry.set_cost(cost);
            }
            self.reconsider(cx, &destination, Stance::Steady, out);
        }
    }

    /// The peer of a link is believed to be there more or less than before, or answers more or less often. What is doubted competes
    /// with what is not, and loses; whoever was told of a path for which nothing but doubted links remain is told that it is gone.
    pub(super) fn stands(
        &mut self,
        cx: Cx,
        link: LinkId,
        trust: Trust,
        reliability: Option<u8>,
        out: &mut impl Sink<Effect>,
    ) {
        let Some(other) = self.links.get_mut(link) else { return };
        let stance = if trust > other.trust { Stance::Open } else { Stance::Steady };
        (other.trust, other.reliability) = (trust, reliability);
        let next_hop = NextHop::Link { iface: other.iface, link };
        for destination in self.routes.over(next_hop) {
            self.reconsider(cx, &destination, stance, out);
        }
        if trust == Trust::Doubted {
            self.walk_past_doubted(cx, link, out);
        }
    }

    /// A link is no more: its candidates go over another link with the same peer, if there is one, or are dropped.
    pub(super) fn lose_link(&mut self, cx: Cx, link: LinkId, out: &mut impl Sink<Effect>) {
        let Some(iface) = self.links.get(link).map(|other| other.iface) else { return };
        let lost = NextHop::Link { iface, link };
        let instead = self.links.down(link);
        for destination in self.routes.over(lost) {
            // A link that is younger than what was said may be with a peer that started anew, and knows nothing of what it said.
            let said_s = self.routes.get(&destination, lost).map_or(0, RoutingEntry::updated_s);
            let older = instead
                .filter(|(link, _)| self.links.get(*link).is_some_and(|other| seconds(other.up_at) < said_s));
            let _there: bool = match older {
                Some((link, iface)) => self.routes.reroute(&destination, lost, NextHop::Link { iface, link }),
                None => self.routes.remove(&destination, lost),
            };
            self.reconsider(cx, &destination, Stance::Open, out);
        }
        self.walk_past_lost(cx, link, out);
    }

    /// No path to a destination is held. What is known of it stays: who says a path, of the same emission too, is believed.
    pub(super) fn forget_paths(&mut self, cx: Cx, destination: DestinationHash, out: &mut impl Sink<Effect>) {
        let held: Vec<NextHop> = self.routes.paths(&destination).map(RoutingEntry::next_hop).collect();
        for next_hop in held {
            self.drop_candidate(cx, &destination, next_hop, out);
        }
        self.note_for_disk(destination, Noted::Gone);
        self.set_memory_timer(cx.now);
    }

    /// An interface is no more: nothing is heard in clear there.
    pub(super) fn lose_interface(&mut self, cx: Cx, iface: InterfaceId, out: &mut impl Sink<Effect>) {
        for destination in self.routes.over(NextHop::Clear(iface)) {
            self.drop_candidate(cx, &destination, NextHop::Clear(iface), out);
        }
    }
}
