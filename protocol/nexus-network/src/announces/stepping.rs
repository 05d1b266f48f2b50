//! Where packets go next, and what their proofs say of the path that they took.
//!
//! Source: spec/network.md#routes.

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::Instant;
use nexus_wire::nexus::path_cost::{CostCode, HopCount};
use nexus_wire::reticulum::Hops;

use super::Announces;
use super::doubting::is_suspect;
use super::known::{Path, Via};
use super::routing::{approach_of, seconds};
use crate::forwarding::Hop as PacketHop;
use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::routes::{Habit, NextHop, PathName, PathPolicy, RoutingEntry, Stage, Stance};

/// The next step of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// To whom.
    pub next_hop: NextHop,
    /// Whether that is the destination.
    pub stage: Stage,
    /// On which path.
    pub path: PathName,
    /// The transport id of the next hop, where it is a relay in clear.
    pub transport: Option<IdentityHash>,
    /// How many hops the destination is said to be away, this one included.
    pub hops: u8,
    /// What carrying costs on it.
    pub fare: Fare,
}

/// What carrying a packet towards a destination costs, for 1,024 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fare {
    /// What the next hop asks: what this node pays it.
    pub quoted: CostCode,
    /// The same with this node's own part: what it asks of whoever sends by it.
    pub asked: CostCode,
}

impl Fare {
    /// Nobody asks anything.
    pub const FREE: Self = Self { quoted: CostCode::FREE, asked: CostCode::FREE };

    pub(super) fn of(entry: &RoutingEntry) -> Self {
        Self { quoted: entry.said().cumulative_cost, asked: entry.asked() }
    }
}

/// Of what kind the ways to a destination are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// One begins with a link.
    OverLinks,
    /// All begin in clear.
    AcrossStock,
    /// There is none.
    None,
}

impl Announces {
    /// Where a packet to `destination` goes next by `policy`, but not back over `except`: a use of that path.
    pub fn next_hop(
        &mut self,
        now: Instant,
        destination: &DestinationHash,
        policy: PathPolicy,
        except: Option<LinkId>,
    ) -> Option<Step> {
        let (links, interfaces) = (&self.links, &self.interfaces);
        let approach_of = |next_hop| approach_of(links, interfaces, next_hop);
        let (path, best) = self.routes.best_named(destination, policy, except, approach_of)?;
        let (next_hop, stage, hops) = (best.next_hop(), best.stage(), best.said().hops.next().0);
        let fare = Fare::of(best);
        if best.is_doubted() {
            // It goes where it may arrive, there being nothing better; whoever sent it here knows better perhaps.
            self.tell_if_withdrawn(now, except, destination);
        }
        if let Some(entry) = self.routes.named(path) {
            entry.use_at(seconds(now));
        }
        let transport = self.transport(destination, next_hop, stage);
        Some(Step { next_hop, stage, path, transport, hops, fare })
    }

    /// The same for a packet that came in clear: it goes by the path that stock neighbours were told, as long as that is usable. Circuits
    /// count the hops of every packet.
    pub fn next_hop_in_clear(
        &mut self,
        now: Instant,
        destination: &DestinationHash,
        policy: PathPolicy,
    ) -> Option<Step> {
        let Some(shown) = self.shown_path(destination) else {
            return self.next_hop(now, destination, policy, None);
        };
        let path = self.routes.name(destination, shown.over);
        let entry = self.routes.named(path)?;
        entry.use_at(seconds(now));
        let (stage, hops, fare) = (entry.stage(), entry.said().hops.next().0, Fare::of(entry));
        let transport = self.transport(destination, shown.over, stage);
        Some(Step { next_hop: shown.over, stage, path, transport, hops, fare })
    }

    /// The nearest way across stock relays alone, if there is one.
    pub fn next_hop_across_stock(&mut self, now: Instant, destination: &DestinationHash) -> Option<Step> {
        let (_, iface) = self.nearest_in_clear(now, destination)?;
        let over = NextHop::Clear(iface);
        let path = self.routes.name(destination, over);
        let entry = self.routes.named(path)?;
        entry.use_at(seconds(now));
        let (stage, hops, fare) = (entry.stage(), entry.said().hops.next().0, Fare::of(entry));
        let transport = self.transport(destination, over, stage);
        Some(Step { next_hop: over, stage, path, transport, hops, fare })
    }

    fn nearest_in_clear(
        &self,
        now: Instant,
        destination: &DestinationHash,
    ) -> Option<(HopCount, InterfaceId)> {
        let in_clear = |path: Path| match path.via {
            Via::Clear { iface, .. } if path.is_usable && !self.is_program(iface) => {
                Some((path.cost.hops, iface))
            }
            Via::Clear { .. } | Via::Link { .. } => None,
        };
        self.paths(destination, now).filter_map(in_clear).min()
    }

    /// Of what kind the ways to a destination are.
    #[must_use]
    pub fn reach(&self, now: Instant, destination: &DestinationHash) -> Ways {
        let is_linked = |path: Path| path.is_usable && path.via.link().is_some();
        if self.paths(destination, now).any(is_linked) {
            Ways::OverLinks
        } else if self.nearest_in_clear(now, destination).is_some() {
            Ways::AcrossStock
        } else {
            Ways::None
        }
    }

    /// The relay in clear that is to carry a packet on, if one is.
    pub(super) fn transport(
        &self,
        destination: &DestinationHash,
        next_hop: NextHop,
        stage: Stage,
    ) -> Option<IdentityHash> {
        match (next_hop, stage) {
            (NextHop::Link { .. }, _) | (NextHop::Clear(_), Stage::Last) => None,
            (NextHop::Clear(iface), Stage::Relay) => self.clear.hop(destination, iface)?.transport,
        }
    }

    /// How many hops away a destination is shown to be where its announce is passed on in clear: what stock nodes hold its links to.
    #[must_use]
    pub fn shown_in_clear(&self, destination: &DestinationHash) -> Option<Hops> {
        let known = self.known.get(destination)?;
        let shown = known.shown.filter(|shown| shown.random_hash == known.random_hash);
        Some(shown.map_or(known.neighbour.hops, |shown| shown.hops))
    }

    /// A packet of which a proof is to be expected takes a path.
    pub fn expect_proof(&mut self, now: Instant, path: PathName) {
        self.credit(now, path, RoutingEntry::sent);
    }

    /// The proof of a packet that took a path came back by `hop`.
    pub fn proved(&mut self, now: Instant, path: PathName, hop: PacketHop) {
        let is_its_own =
            self.routes.named(path).is_some_and(|entry| PacketHop::from(entry.next_hop()) == hop);
        if is_its_own {
            self.credit(now, path, RoutingEntry::proved);
        }
    }

    fn credit(&mut self, now: Instant, path: PathName, credit: impl FnOnce(&mut RoutingEntry)) {
        let Some(entry) = self.routes.named(path) else { return };
        credit(entry);
        let (destination, link) = (entry.destination(), entry.next_hop().link());
        let is_suspect = is_suspect(entry);
        if entry.is_to_be_judged() {
            let _kept: Habit = self.assess(now, &destination, Stance::Steady);
        }
        if is_suspect && let Some(link) = link {
            self.suspect(now, destination, link);
        }
    }
}
