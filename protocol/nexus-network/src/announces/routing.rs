//! Paths: what neighbours say becomes candidates, the safe ones are used, and what this node says of the best binds it.
//!
//! Source: spec/network.md#routes.

use alloc::collections::{BTreeMap, BTreeSet};

use nexus_crypto::DestinationHash;
use nexus_machine::{Cx, Duration, Instant, Sink};
use nexus_wire::nexus::cost::Standing;
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Draw, Generation, Hop};
use nexus_wire::reticulum::RandomHash;

use super::clear::{ClearHop, Noted};
use super::known::{HeardAs, Known, Path, PathState, Told, Via};
use super::neighbours::Neighbours;
use super::quoting::Replaced;
use super::{Announces, Effect, LINK_REFRESH, Medium, REFRESH, Timer};
use crate::interface::InterfaceId;
use crate::links::{LinkId, Trust};
use crate::routes::{
    Approach, Claim, Distance, Edition, Habit, NextHop, PathPolicy, Put, RoutingEntry, Stage, Stance,
};

/// A path that nobody said again for so many intervals is stale, and one interval later it is forgotten.
const INTERVALS: u64 = 3;
/// What costs more or less by this part is told at once,
const QUARTER: u64 = 4;
/// and by this part once it has settled:
const SIXTEENTH: u64 = 16;
/// after so long,
const SETTLES: Duration = Duration::from_secs(10);
/// and so long after it was told last.
const SETTLED: Duration = Duration::from_secs(60);
/// How often a part of the table is searched for paths that ended,
const SWEEP: Duration = Duration::from_secs(60);
/// how large a part of it,
const SWEEP_PART: usize = 16;
/// but not less than this.
const SWEEP_MIN: usize = 256;

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
        Some(Path {
            via: self.via(&entry.destination(), entry.next_hop()),
            stage: entry.stage(),
            cost: self.with_hops(entry, entry.total(&hop)),
            is_usable: entry.is_usable(),
            is_distrusted: entry.is_distrusted(),
            reliability: entry.reliability(),
            age_s: now_s.saturating_sub(entry.updated_s()),
        })
    }

    /// How the next hop of a path to `destination` is reached.
    pub(super) fn via(&self, destination: &DestinationHash, next_hop: NextHop) -> Via {
        match next_hop {
            NextHop::Link { iface, link } => Via::Link { link, iface },
            NextHop::Clear(iface) => {
                let transport = self.clear.hop(destination, iface).and_then(|hop| hop.transport);
                Via::Clear { iface, transport }
            }
        }
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
        let total = offer.total(&hop);
        let cost = self.with_hops(&offer, total);
        let edition = offer.edition();
        let known = self.known.get_mut(destination)?;
        let told = Told {
            random_hash: offer.random_hash(),
            generation: edition.generation,
            cost,
            over: offer.next_hop(),
            standing: Standing::Offered,
            at: now,
        };
        known.replaced = Replaced::after(known, cost.cumulative_cost, now);
        known.told = Some(told);
        let distance = known.distance.map_or_else(
            || Distance::new(edition, &total),
            |distance| distance.after_saying(edition, &total),
        );
        if known.distance != Some(distance) {
            known.distance = Some(distance);
            let _kept: Habit = self.assess(now, destination, Stance::Steady);
        }
        Some(told)
    }

    /// The same, beside the announce that is kept: none if what is offered is of an older emission. Its cost would be taken for the newer
    /// one's, and bind nobody.
    pub(super) fn quote_announced(&mut self, now: Instant, destination: &DestinationHash) -> Option<Told> {
        let announced = self.known.get(destination)?.random_hash;
        let offered = self.routes.offer(destination)?.random_hash();
        if offered == announced { self.quote(now, destination) } else { None }
    }

    pub(super) fn assess(&mut self, now: Instant, destination: &DestinationHash, stance: Stance) -> Habit {
        let bounds = self.known.get(destination).map(Known::bounds).unwrap_or_default();
        let (links, interfaces) = (&self.links, &self.interfaces);
        let approach_of = |next_hop| approach_of(links, interfaces, next_hop);
        let before = self.routes.winner(destination);
        let habit = self.routes.assess(destination, &bounds, seconds(now), stance, approach_of);
        // What was the winner may be gone already where a path was lost.
        if stance == Stance::Open || self.routes.winner(destination) != before {
            self.note_rerouted(*destination);
        }
        habit
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
        let is_last = match next_hop {
            NextHop::Link { link, .. } => {
                self.links.get(link).is_some_and(|other| other.peer == known.public.hash())
            }
            NextHop::Clear(iface) => self.clear.hop(&destination, iface).is_some_and(ClearHop::is_last),
        };
        let stage = if is_last { Stage::Last } else { Stage::Relay };
        let priced = self.with_price_behind(said, next_hop);
        let total = self.rounded(priced, &hop, destination, random_hash, generation);
        let claim = Claim { destination, random_hash, generation, said: cost, next_hop, cost: total, stage };
        let life = self.life(next_hop);
        let life_s = seconds(Instant::BOOT.after(life));
        match self.routes.put(&claim, seconds(cx.now), life_s) {
            Put::Held => {}
            Put::Evicted(other) => self.reconsider(cx, &other, Stance::Open, out),
            Put::Refused => return,
        }
        self.price_in_clear(&destination, next_hop);
        self.remember_doubt(destination, next_hop);
        if before.is_some_and(|before| before.emitted_at < edition.emitted_at) {
            self.doubt_again(cx.now, destination, next_hop);
        }
        self.damp(cx.now, destination, next_hop);
        if self.deadlines.get(Timer::Sweep).is_none() {
            self.deadlines.set(Timer::Sweep, cx.now.after(SWEEP));
        }
        let stance = if before == Some(edition) { Stance::Steady } else { Stance::Open };
        self.reconsider(cx, &destination, stance, out);
        self.draw_in_clear(&destination);
    }

    /// For how long a path is fresh.
    fn life(&self, next_hop: NextHop) -> Duration {
        match next_hop {
            NextHop::Link { .. } => LINK_REFRESH.times(INTERVALS),
            NextHop::Clear(iface) => self.interfaces.get(&iface).map_or(REFRESH, Medium::path_life),
        }
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
        let habit = self.assess(cx.now, destination, stance);
        self.tell_what_moved(cx, destination, QUARTER);
        self.hasten(cx.now, destination);
        if habit == Habit::Kept || self.has_moved(destination, SIXTEENTH) {
            self.settle_later(cx.now, destination);
        }
        self.ask_if_needed(cx, destination, out);
        self.answer_waiting(cx, destination, out);
    }

    /// What moved by less than is told at once is chosen by and told once it has been so for a while: whoever is told late chooses by
    /// what was, and at each hop a little more.
    fn settle_later(&mut self, now: Instant, destination: &DestinationHash) {
        let Some(told) = self.known.get(destination).and_then(|known| known.told) else { return };
        if self.deadlines.get(Timer::Settle(*destination)).is_none() {
            let at = now.after(SETTLES).max(told.at.after(SETTLED));
            self.deadlines.set(Timer::Settle(*destination), at);
        }
    }

    pub(super) fn settle(&mut self, cx: Cx, destination: &DestinationHash, out: &mut impl Sink<Effect>) {
        let _none: Habit = self.assess(cx.now, destination, Stance::Open);
        self.tell_what_moved(cx, destination, SIXTEENTH);
        self.ask_if_needed(cx, destination, out);
    }

    /// Whether what is offered costs other than was told, by more than a part of it.
    fn has_moved(&self, destination: &DestinationHash, part: u64) -> bool {
        let told = self.known.get(destination).and_then(|known| known.told);
        let offer = self.routes.offer(destination);
        let (Some(told), Some(offer)) = (told, offer) else { return false };
        let hop = hop_of(&self.links, &self.interfaces, offer.next_hop());
        offer.random_hash() == told.random_hash
            && hop.is_some_and(|hop| {
                let cost = offer.total(&hop).cumulative_cost;
                let told = told.cost.cumulative_cost;
                is_dearer(told, cost, part) || is_dearer(cost, told, part)
            })
    }

    /// What the path costs that is offered to others.
    pub(super) fn offered_cost(&self, destination: &DestinationHash) -> Option<CompactPathCost> {
        let offer = self.routes.offer(destination)?;
        let hop = hop_of(&self.links, &self.interfaces, offer.next_hop())?;
        Some(self.with_hops(offer, offer.total(&hop)))
    }

    /// What a path costs, of which the hops were counted: to a program on this machine there is none.
    fn with_hops(&self, entry: &RoutingEntry, total: CompactPathCost) -> CompactPathCost {
        match entry.next_hop() {
            NextHop::Clear(iface) if self.is_program(iface) => {
                CompactPathCost { hops: entry.said().hops, ..total }
            }
            NextHop::Clear(_) | NextHop::Link { .. } => total,
        }
    }

    /// Tells those who have to know what is lost, back, of a newer generation, or costs other than was told by more than a part of it.
    fn tell_what_moved(&mut self, cx: Cx, destination: &DestinationHash, part: u64) {
        let Some(told) = self.known.get(destination).and_then(|known| known.told) else { return };
        match self.routes.offer(destination).copied() {
            None if told.standing == Standing::Offered => {
                if let Some(known) = self.known.get_mut(destination) {
                    known.told = Some(Told { standing: Standing::Withdrawn, ..told });
                }
                self.owe_everybody(cx.now, destination);
                self.repeat_soon(cx.now, *destination);
            }
            Some(offer) if offer.random_hash() == told.random_hash => {
                let is_newer = offer.generation() > told.generation;
                let is_back = told.standing == Standing::Withdrawn;
                if is_newer || is_back || self.has_moved(destination, part) {
                    self.owe_everybody(cx.now, destination);
                    if is_back {
                        // Who came meanwhile was told nothing of the destination, and a record alone says nothing to it.
                        self.repeat_soon(cx.now, *destination);
                    } else if is_newer {
                        self.repeat_later(cx.now, *destination, 0);
                    }
                } else if offer.next_hop() != told.over {
                    // Whoever was on the way was not told what it costs.
                    self.owe_one(cx.now, told.over.link(), destination);
                }
            }
            // Of another emission it is told with the announce, unless there was no way when that was to be passed on.
            Some(_) => self.say_unsaid(cx.now, destination),
            None => {}
        }
    }

    /// Whether the emission that is known is offered, and nothing was said of it.
    pub(super) fn is_unsaid(&self, destination: &DestinationHash) -> bool {
        let Some(known) = self.known.get(destination) else { return false };
        let offered = self.routes.offer(destination).map(RoutingEntry::random_hash);
        known.heard_as == HeardAs::Announce
            && offered == Some(known.random_hash)
            && known.told.is_some_and(|told| told.random_hash != known.random_hash)
    }

    fn say_unsaid(&mut self, now: Instant, destination: &DestinationHash) {
        let is_fresh = self.known.get(destination).is_none_or(|known| known.heard_at == now);
        if is_fresh || self.relays.contains(destination) || !self.is_unsaid(destination) {
            return;
        }
        let interfaces: BTreeSet<InterfaceId> = self.links.iter().map(|(_, other)| other.iface).collect();
        for iface in interfaces {
            self.speak_when_free(now, iface, *destination);
        }
    }

    /// Whether only another generation opens a way, or a better one: none is feasible, or one that is not is cheaper by
    /// more than a quarter, or cheaper at all where the best costs a quarter more than was said of it.
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
                let said = self.known.get(destination).and_then(|known| known.distance);
                let said = said.filter(|said| said.is_of(offer.edition())).map(Distance::cost);
                // Habit keeps what is dearer by less than a sixteenth anyhow.
                let part =
                    if said.is_some_and(|said| is_dearer(dear, said, QUARTER)) { SIXTEENTH } else { QUARTER };
                is_dearer(dear, cheap, part)
            }
            Some(_) => false,
        }
    }

    /// Forgets what nobody said for too long, in a part of the table.
    pub(super) fn sweep(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        let now_s = seconds(cx.now);
        let part = (self.routes.len() / SWEEP_PART).max(SWEEP_MIN);
        let interfaces = &self.interfaces;
        let is_over = |entry: &RoutingEntry| match entry.next_hop() {
            NextHop::Link { .. } => {
                entry.is_stale(now_s.saturating_sub(seconds(Instant::BOOT.after(LINK_REFRESH))))
            }
            // Use makes it last longer.
            NextHop::Clear(iface) => {
                let life = interfaces.get(&iface).map_or(REFRESH, Medium::path_life);
                entry.is_stale(now_s)
                    && entry.used() < now_s.saturating_sub(seconds(Instant::BOOT.after(life)))
            }
        };
        for destination in self.routes.sweep(part, is_over) {
            self.note_for_disk(destination, Noted::Gone);
            self.reconsider(cx, &destination, Stance::Open, out);
        }
        self.set_memory_timer(cx.now);
        if !self.routes.is_empty() {
            self.deadlines.set(Timer::Sweep, cx.now.after(SWEEP));
        }
    }
}

/// How a neighbour is reached, if it is linked.
pub(super) fn approach_of(
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
pub(super) fn hop_of(
    links: &Neighbours,
    interfaces: &BTreeMap<InterfaceId, Medium>,
    next_hop: NextHop,
) -> Option<Hop> {
    approach_of(links, interfaces, next_hop).map(|approach| approach.hop)
}

/// Whole seconds since boot.
pub(super) fn seconds(now: Instant) -> u32 {
    u32::try_from(now.since(Instant::BOOT).as_secs()).unwrap_or(u32::MAX)
}

/// Whether one cost is above another by more than a part of that.
fn is_dearer(dear: CostCode, cheap: CostCode, part: u64) -> bool {
    match (dear.price(), cheap.price()) {
        (Some(dear), Some(cheap)) => dear > cheap.saturating_add(cheap.checked_div(part).unwrap_or(0)),
        (None, Some(_)) => true,
        (Some(_) | None, None) => false,
    }
}
