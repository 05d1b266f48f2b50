//! Paths: what neighbours say becomes candidates, the safe ones are used, and what this node says of the best binds it.
//!
//! Source: spec/network.md#routes.

use alloc::collections::BTreeMap;

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::cost::Standing;
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Draw, Generation, Hop};
use nexus_wire::reticulum::RandomHash;

use super::known::{Path, PathState, Told, Via};
use super::neighbours::Neighbours;
use super::{Announces, Effect, LINK_REFRESH, Medium, REFRESH, Timer};
use crate::interface::InterfaceId;
use crate::links::{LinkId, Trust};
use crate::routes::{
    Approach, Claim, Distance, Edition, NextHop, PathName, PathPolicy, Put, RoutingEntry, Stage, Stance,
    is_more_by_a_quarter,
};

/// A path that nobody said again for so many intervals is stale, and one interval later it is forgotten.
const INTERVALS: u64 = 3;
/// How often a part of the table is searched for paths that ended,
const SWEEP: Duration = Duration::from_secs(60);
/// how large a part of it,
const SWEEP_PART: usize = 16;
/// but not less than this.
const SWEEP_MIN: usize = 256;

/// The next step of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// To whom.
    pub next_hop: NextHop,
    /// Whether that is the destination.
    pub stage: Stage,
    /// On which path.
    pub path: PathName,
}

/// What a neighbour says of a verified emission.
#[derive(Clone, Copy)]
pub(super) struct Said {
    pub(super) destination: DestinationHash,
    pub(super) random_hash: RandomHash,
    pub(super) generation: Generation,
    pub(super) cost: CompactPathCost,
}

impl Announces {
    /// The way to `destination` on which packets without other wishes go, if there is one.
    #[must_use]
    pub fn path(&self, destination: &DestinationHash) -> Option<Path> {
        let best = self.best(destination, PathPolicy::default(), None)?;
        self.path_of(best, best.updated_s())
    }

    /// All ways to `destination` that are known, usable or not. Ages are counted at `now`.
    pub fn paths(&self, destination: &DestinationHash, now: Instant) -> impl Iterator<Item = Path> {
        let now_s = seconds(now);
        self.routes.paths(destination).filter_map(move |entry| self.path_of(entry, now_s))
    }

    /// Where a packet to `destination` goes next by `policy`, but not back over `except`: a use of that path.
    pub fn next_hop(
        &mut self,
        now: Instant,
        destination: &DestinationHash,
        policy: PathPolicy,
        except: Option<LinkId>,
    ) -> Option<Step> {
        let best = self.best(destination, policy, except)?;
        let (next_hop, stage) = (best.next_hop(), best.stage());
        if best.is_doubted() {
            // It goes where it may arrive, there being nothing better; whoever sent it here knows better perhaps.
            self.tell_if_withdrawn(now, except, destination);
        }
        let path = self.routes.name(destination, next_hop);
        if let Some(entry) = self.routes.named(path) {
            entry.use_at(seconds(now));
        }
        Some(Step { next_hop, stage, path })
    }

    /// A packet of which a proof is to be expected takes a path.
    pub fn expect_proof(&mut self, now: Instant, path: PathName) {
        self.credit(now, path, RoutingEntry::sent);
    }

    /// The proof of a packet that took a path came back over `link`.
    pub fn proved(&mut self, now: Instant, path: PathName, link: LinkId) {
        let is_its_own = self.routes.named(path).is_some_and(|entry| entry.next_hop().link() == Some(link));
        if is_its_own {
            self.credit(now, path, RoutingEntry::proved);
        }
    }

    fn credit(&mut self, now: Instant, path: PathName, credit: impl FnOnce(&mut RoutingEntry)) {
        let Some(entry) = self.routes.named(path) else { return };
        credit(entry);
        if entry.is_to_be_judged() {
            let destination = entry.destination();
            self.assess(now, &destination, Stance::Steady);
        }
    }

    pub(super) fn best(
        &self,
        destination: &DestinationHash,
        policy: PathPolicy,
        except: Option<LinkId>,
    ) -> Option<&RoutingEntry> {
        self.routes.best(destination, policy, except, |next_hop| {
            approach_of(&self.links, &self.interfaces, next_hop)
        })
    }

    fn path_of(&self, entry: &RoutingEntry, now_s: u32) -> Option<Path> {
        let hop = hop_of(&self.links, &self.interfaces, entry.next_hop())?;
        let via = match entry.next_hop() {
            NextHop::Link { iface, link } => Via::Link { link, iface },
            NextHop::Clear(iface) => {
                let heard = self.known.get(&entry.destination()).map(|known| known.neighbour.via);
                let transport = heard.and_then(|via| match via {
                    Via::Clear { transport, .. } => transport,
                    Via::Link { .. } => None,
                });
                Via::Clear { iface, transport }
            }
        };
        Some(Path {
            via,
            stage: entry.stage(),
            cost: entry.total(&hop),
            is_usable: entry.is_usable(),
            reliability: entry.reliability(),
            age_s: now_s.saturating_sub(entry.updated_s()),
        })
    }

    pub(super) fn state(&self, destination: &DestinationHash) -> PathState {
        match self.routes.offer(destination) {
            Some(_) => PathState::Alive,
            None => PathState::Lost,
        }
    }

    /// How the path that is offered to others is reached.
    pub(super) fn offered_over(&self, destination: &DestinationHash) -> Option<Via> {
        let entry = self.routes.offer(destination)?;
        self.path_of(entry, 0).map(|path| path.via)
    }

    /// What this node says of `destination`: the cost of the cheapest path of the newest edition. Having said it, it may use only what
    /// surpasses it.
    pub(super) fn quote(&mut self, now: Instant, destination: &DestinationHash) -> Option<Told> {
        let offer = *self.routes.offer(destination)?;
        let hop = hop_of(&self.links, &self.interfaces, offer.next_hop())?;
        let cost = offer.total(&hop);
        let edition = offer.edition();
        let known = self.known.get_mut(destination)?;
        let told = Told {
            random_hash: offer.random_hash(),
            generation: edition.generation,
            cost,
            over: offer.next_hop(),
            standing: Standing::Offered,
        };
        known.told = Some(told);
        let distance = known
            .distance
            .map_or_else(|| Distance::new(edition, &cost), |distance| distance.after_saying(edition, &cost));
        if known.distance != Some(distance) {
            known.distance = Some(distance);
            self.assess(now, destination, Stance::Steady);
        }
        Some(told)
    }

    /// The same, for what is to be said with the announce: none if the path is of an older emission than the announce that is known. Its
    /// cost would be taken for the newer one's, by which this node does not bind itself.
    pub(super) fn quote_announced(&mut self, now: Instant, destination: &DestinationHash) -> Option<Told> {
        let offered = self.routes.offer(destination)?.random_hash();
        let newest = self.known.get(destination)?.random_hash;
        if offered == newest { self.quote(now, destination) } else { None }
    }

    fn assess(&mut self, now: Instant, destination: &DestinationHash, stance: Stance) {
        let distance = self.known.get(destination).and_then(|known| known.distance);
        let (links, interfaces) = (&self.links, &self.interfaces);
        let approach_of = |next_hop| approach_of(links, interfaces, next_hop);
        self.routes.assess(destination, distance, seconds(now), stance, approach_of);
    }

    /// A neighbour says what its path costs, of the emission that is known.
    pub(super) fn candidate(&mut self, cx: Cx, said: &Said, next_hop: NextHop, out: &mut impl Sink<Effect>) {
        let Some(hop) = hop_of(&self.links, &self.interfaces, next_hop) else { return };
        let Said { destination, random_hash, generation, cost } = *said;
        let before = self.routes.get(&destination, next_hop).map(RoutingEntry::edition);
        let edition = Edition { emitted_at: random_hash.emitted_at(), generation };
        if before > Some(edition) {
            return;
        }
        let Some(known) = self.known.get(&destination) else { return };
        let peer = next_hop.link().and_then(|link| self.links.get(link)).map(|other| other.peer);
        let stage = if peer == Some(known.public.hash()) { Stage::Last } else { Stage::Relay };
        let total = self.rounded(cost, &hop, destination, random_hash, generation);
        let claim = Claim { destination, random_hash, generation, said: cost, next_hop, cost: total, stage };
        let life = match next_hop {
            NextHop::Link { .. } => LINK_REFRESH,
            NextHop::Clear(_) => REFRESH,
        };
        let life_s = seconds(Instant::BOOT.after(life.times(INTERVALS)));
        match self.routes.put(&claim, seconds(cx.now), life_s) {
            Put::Held => {}
            Put::Evicted(other) => self.reconsider(cx, &other, Stance::Open, out),
            Put::Refused => return,
        }
        if self.deadlines.get(Timer::Sweep).is_none() {
            self.deadlines.set(Timer::Sweep, cx.now.after(SWEEP));
        }
        let stance = if before == Some(edition) { Stance::Steady } else { Stance::Open };
        self.reconsider(cx, &destination, stance, out);
    }

    /// What is said, with the hop added and rounded: once for each candidate, not for each packet.
    pub(super) fn rounded(
        &self,
        said: CompactPathCost,
        hop: &Hop,
        destination: DestinationHash,
        random_hash: RandomHash,
        generation: Generation,
    ) -> CostCode {
        let draw =
            Draw { destination, random_hash: *random_hash.as_bytes(), generation, relay: self.own.node_id() };
        said.relayed(hop, &draw).cumulative_cost
    }

    /// A neighbour takes its path back, or is gone.
    pub(super) fn drop_candidate(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        next_hop: NextHop,
        out: &mut impl Sink<Effect>,
    ) {
        if self.routes.remove(destination, next_hop) {
            self.reconsider(cx, destination, Stance::Open, out);
        }
    }

    /// Chooses anew, and tells those who have to know.
    pub(super) fn reconsider(
        &mut self,
        cx: Cx,
        destination: &DestinationHash,
        stance: Stance,
        out: &mut impl Sink<Effect>,
    ) {
        self.assess(cx.now, destination, stance);
        let Some(told) = self.known.get(destination).and_then(|known| known.told) else { return };
        let offer = self.routes.offer(destination).copied();
        let total = |entry: RoutingEntry| {
            hop_of(&self.links, &self.interfaces, entry.next_hop())
                .map(|hop| entry.total(&hop).cumulative_cost)
        };
        match offer {
            None if told.standing == Standing::Offered => {
                if let Some(known) = self.known.get_mut(destination) {
                    known.told = Some(Told { standing: Standing::Withdrawn, ..told });
                }
                self.owe_everybody(cx.now, destination);
                self.repeat_soon(cx.now, *destination);
            }
            // Of another emission it is told with the announce.
            Some(offer) if offer.random_hash() == told.random_hash => {
                let is_newer = offer.generation() > told.generation;
                let is_back = told.standing == Standing::Withdrawn;
                if is_newer
                    || is_back
                    || total(offer).is_some_and(|cost| has_moved(told.cost.cumulative_cost, cost))
                {
                    self.owe_everybody(cx.now, destination);
                    if is_back {
                        self.repeat_soon(cx.now, *destination);
                    } else if is_newer {
                        self.repeat_later(cx.now, *destination, 0);
                    }
                } else if offer.next_hop() != told.over {
                    // Whoever was on the way was not told what it costs.
                    self.owe_one(cx.now, told.over.link(), destination);
                }
            }
            None | Some(_) => {}
        }
        self.ask_if_needed(cx, destination, out);
    }

    /// Whether only another generation opens a way, or a better one: none is feasible, or one that is not is cheaper by
    /// more than a quarter.
    pub(super) fn wants_generation(&self, destination: &DestinationHash) -> bool {
        let Some(infeasible) = self.routes.cheapest_infeasible(destination) else { return false };
        let total = |entry: &RoutingEntry| {
            hop_of(&self.links, &self.interfaces, entry.next_hop())
                .map(|hop| entry.total(&hop).cumulative_cost)
        };
        match self.routes.offer(destination) {
            None => true,
            Some(offer) if offer.edition() == infeasible.edition() => {
                let [Some(dear), Some(cheap)] = [offer, infeasible].map(total) else { return false };
                is_dearer_by_a_quarter(dear, cheap)
            }
            Some(_) => false,
        }
    }

    /// Forgets what nobody said for too long, in a part of the table.
    pub(super) fn sweep(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        let now_s = seconds(cx.now);
        let part = (self.routes.len() / SWEEP_PART).max(SWEEP_MIN);
        let is_over = |entry: &RoutingEntry| {
            let grace = match entry.next_hop() {
                NextHop::Link { .. } => LINK_REFRESH,
                NextHop::Clear(_) => REFRESH,
            };
            entry.is_stale(now_s.saturating_sub(seconds(Instant::BOOT.after(grace))))
        };
        for destination in self.routes.sweep(part, is_over) {
            self.reconsider(cx, &destination, Stance::Open, out);
        }
        if !self.routes.is_empty() {
            self.deadlines.set(Timer::Sweep, cx.now.after(SWEEP));
        }
    }
}

/// How a neighbour is reached, if it is linked.
fn approach_of(
    links: &Neighbours,
    interfaces: &BTreeMap<InterfaceId, Medium>,
    next_hop: NextHop,
) -> Option<Approach> {
    match next_hop {
        NextHop::Link { link, .. } => links.get(link).map(|other| Approach {
            hop: other.hop,
            trust: other.trust,
            reliability: other.reliability,
        }),
        NextHop::Clear(iface) => interfaces.get(&iface).map(|medium| Approach {
            hop: medium.hop,
            trust: Trust::Sure,
            reliability: None,
        }),
    }
}

/// What a hop to a neighbour costs, if that neighbour is there.
fn hop_of(links: &Neighbours, interfaces: &BTreeMap<InterfaceId, Medium>, next_hop: NextHop) -> Option<Hop> {
    approach_of(links, interfaces, next_hop).map(|approach| approach.hop)
}

/// Whole seconds since boot.
pub(super) fn seconds(now: Instant) -> u32 {
    u32::try_from(now.since(Instant::BOOT).as_secs()).unwrap_or(u32::MAX)
}

/// Whether two costs differ by more than a quarter.
fn has_moved(told: CostCode, cost: CostCode) -> bool {
    is_dearer_by_a_quarter(told, cost) || is_dearer_by_a_quarter(cost, told)
}

fn is_dearer_by_a_quarter(dear: CostCode, cheap: CostCode) -> bool {
    match (dear.price(), cheap.price()) {
        (Some(dear), Some(cheap)) => is_more_by_a_quarter(dear, cheap),
        (None, Some(_)) => true,
        (Some(_) | None, None) => false,
    }
}
