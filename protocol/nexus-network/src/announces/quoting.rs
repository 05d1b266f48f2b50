//! What this node asks for carrying, of whoever sends by it. A quote binds: it is what was told, and what was told before counts for a
//! while, since whoever pays may not have heard. Source: spec/network.md#fares.

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Instant};
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::path_cost::CostCode;

use super::Announces;
use super::known::Known;
use super::stepping::Fare;
use crate::forwarding::Hop;
use crate::links::LinkId;

/// A quote that was replaced counts for two rounds,
const ROUNDS: Duration = Duration::from_secs(120);
/// and on slow links, where payment is spoken of every five minutes, for two of those.
const SLOW_ROUNDS: Duration = Duration::from_secs(600);
/// What is slow, in bits per second.
const SLOW_BPS: u64 = 10_000;

/// The least that was asked before the latest quote, and when that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    asked: PriceCode,
    at: Instant,
}

impl Replaced {
    /// What stands as replaced when `cost` is told from now on.
    pub(super) fn after(known: &Known, cost: CostCode, now: Instant) -> Option<Self> {
        let held = known.replaced.filter(|held| now.since(held.at) < SLOW_ROUNDS);
        let before = known.told.map(|told| told.cost.cumulative_cost);
        let (Some(CostCode::Known(before)), true) = (before, before.is_some_and(|before| before < cost))
        else {
            return held;
        };
        // Of several the least counts, for as long as the latest.
        let least = held.map_or(before, |held| held.asked.min(before));
        Some(Self { asked: least, at: now })
    }
}

impl Announces {
    /// The least that the peer of `link` may pay for a packet to `destination`: what it was told, or what that replaced of late.
    pub(crate) fn least_asked(
        &self,
        now: Instant,
        link: LinkId,
        destination: &DestinationHash,
    ) -> Option<PriceCode> {
        let known = self.known.get(destination)?;
        let told = match known.told?.cost.cumulative_cost {
            CostCode::Known(code) => code,
            CostCode::Unknown => return None,
        };
        let bps = self.links.get(link).and_then(|other| other.hop.bandwidth.bps());
        let held_for = if bps.is_some_and(|bps| bps < SLOW_BPS) { SLOW_ROUNDS } else { ROUNDS };
        let replaced = known.replaced.filter(|held| now.since(held.at) < held_for);
        Some(replaced.map_or(told, |held| held.asked.min(told)))
    }

    /// What a packet costs that goes to `destination` by `to`, whatever is chosen for others.
    pub(crate) fn fare(&self, destination: &DestinationHash, to: Hop) -> Fare {
        self.routes
            .paths(destination)
            .find(|entry| Hop::from(entry.next_hop()) == to)
            .map_or(Fare::FREE, Fare::of)
    }

    /// The peer of `link` paid less for a packet to `destination` than is asked: it is told again.
    pub(crate) fn underpaid(&mut self, now: Instant, link: LinkId, destination: &DestinationHash) {
        self.owe_one(now, Some(link), destination);
    }
}
