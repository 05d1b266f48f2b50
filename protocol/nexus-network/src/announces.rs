//! The organ that makes this node known, hears of others, and passes their announces on.
//!
//! Invariants, each with a judge in the simulator:
//!
//! * an emission time is durable before an announce that carries it leaves, and no two announces of this node share one:
//!   `max(wall clock, last durable emission + 1)`, where hearing one's own validly signed later emission raises "last";
//! * nothing of an announce is believed before its signature verified, and nothing older than the newest seen of a
//!   destination is kept or passed on: what still waits to be sent when a newer one verifies is recalled;
//! * an emission is passed on once, with the hop count of the path that it came.
//!
//! Announces are spoken over links, and in clear on interfaces in `reticulum` mode only. The way an announce came is the
//! path to its destination. Spec: spec/network.md#announces.

mod acknowledging;
mod asking;
mod bringers;
mod budget;
mod cache;
mod choices;
mod clear;
mod coming;
mod costs;
mod damping;
mod doubting;
mod finding;
mod hearing;
mod known;
mod limits;
mod missing;
mod neighbours;
mod own;
mod passing;
mod ports;
mod quoting;
mod reminding;
mod repeating;
mod routing;
mod sight;
mod sparing;
mod speaking;
mod speech;
mod standing;
mod stepping;
#[cfg(test)]
pub(crate) mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodeIdentity, VerifyingKey};
use nexus_machine::{
    BoundedMap, Cx, Deadlines, Duration, Instant, Machine, MapOverflow, MemoryBound, Seed, Sink, Snapshot,
    Stream, TableId,
};
use nexus_wire::nexus::path_cost::CompactPathCost;

use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::overheard::Carrier;
use crate::routes::Table;

use acknowledging::Acknowledging;
use asking::Asked;
use bringers::Newcomers;
use cache::Cache;
pub use choices::Choice;
use clear::{Clear, Medium};
pub use clear::{PATHS_IN_CLEAR, SAID_IN_CLEAR, TunnelCount, Waiting};
pub use costs::Outlet;
use costs::Owed;
use damping::Damping;
use doubting::Doubting;
pub use doubting::{Doubts, Trial};
use finding::Finding;
pub use finding::{Motive as SearchMotive, PathRequests};
use known::KnownDestinations;
pub use known::{Known, Neighbour, Path, Recipient, Via};
pub use limits::{Limits, Refusals};
use neighbours::{Neighbouring, Neighbours};
pub use own::{AppData, AppDataTooLong};
use own::{Emission, OwnAnnounce};
use passing::{Relay, tell};
pub use ports::{Effect, Hearing, Input, Sighting};
pub use sight::{Candidate, Routing};
use speech::{CHANNELS, Speech, TELL_OVERHEAD};
pub use stepping::{Fare, Step, Ways};

/// The table that holds the last emission time of each own destination: key 16 bytes, value u64 little-endian.
pub const EMISSIONS: TableId = TableId(1);

/// Announces in clear are repeated at this interval: stock relays carry six an hour and destination at most.
pub const REFRESH: Duration = Duration::from_secs(3_600);
/// Announces over links are repeated at this interval.
pub const LINK_REFRESH: Duration = Duration::from_secs(1_800);
/// Refreshes are spread over this much more, so that nodes started together part.
const REFRESH_SPREAD: Duration = Duration::from_secs(180);

/// The organ.
#[derive(Debug)]
pub struct Announces {
    own: OwnAnnounce,
    interfaces: BTreeMap<InterfaceId, Medium>,
    /// What is said and heard there.
    clear: Clear,
    links: Neighbours,
    known: KnownDestinations,
    routes: Table,
    /// What is to be told of paths.
    owed: Owed,
    /// What was heard and is to be acknowledged, and what was acknowledged.
    acknowledging: Acknowledging,
    /// Of whom another generation was asked for.
    asked: BoundedMap<DestinationHash, Asked>,
    /// Who looks for whom.
    finding: Finding,
    /// Paths that take packets and prove none.
    doubting: Doubting,
    /// Paths that were taken back again and again.
    damping: Damping,
    cache: Cache,
    newcomers: Newcomers,
    /// When the own announce was last spoken in clear for no other reason than that it was time.
    in_clear_at: Option<Instant>,
    /// Announces of others that wait to be passed on, by destination.
    relays: BoundedMap<DestinationHash, Relay>,
    /// Announces that are said again to fast links, and how often they were.
    repeats: BoundedMap<DestinationHash, u8>,
    /// What is said where one frame is heard by many.
    speech: Speech,
    /// To whom the chosen way is, or may be, another, for whoever wants to know.
    rerouted: BoundedMap<DestinationHash, ()>,
    missed_rerouted: u64,
    deadlines: Deadlines<Timer>,
    random: Stream,
    refusals: Refusals,
}

/// Who owns a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The own announce is due again.
    Refresh,
    /// Another's announce is to be passed on to fast links.
    FastRelay(DestinationHash),
    /// Another's announce is to be passed on to whoever has not heard it.
    Relay(DestinationHash),
    /// What was said of a destination is to be said again.
    Repeat(DestinationHash),
    /// A link is to be told more of what was known when it came up.
    Tell(LinkId),
    /// Something is to be said where one frame is heard by many.
    Speak(InterfaceId),
    /// What is owed of costs is to be told.
    Costs(Outlet),
    /// What the peer of a link said is to be acknowledged.
    Acknowledge(LinkId),
    /// What was said once is to be said again, as costs.
    Remind(Outlet),
    /// What a neighbour has and this node never heard is to be asked of it.
    Miss(LinkId),
    /// Another generation is to be asked for again.
    Ask(DestinationHash),
    /// This node's search is to go on.
    Search(DestinationHash),
    /// Requests for a destination may have been lost.
    Walk(DestinationHash),
    /// There is airtime for answers.
    Answers,
    /// An announce is to be passed on in clear, for the first time or again.
    Rebroadcast(DestinationHash),
    /// An interface in clear has time for an announce.
    SpeakInClear(InterfaceId),
    /// A destination that was held is let in.
    Release(InterfaceId),
    /// Answers in clear have waited long enough.
    AnswersInClear,
    /// What was learnt in clear is to be written.
    Remember,
    /// What was chosen by habit is to be chosen anew.
    Settle(DestinationHash),
    /// Something is to be done about paths in doubt.
    Doubt(DestinationHash),
    /// What is held against paths may be over.
    Damp(DestinationHash),
    /// Paths that ended are to be looked for.
    Sweep,
}

/// Why an emission is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Motive {
    /// It was time again.
    Refresh,
    /// Something changed, or somebody wants it.
    Asked,
}

impl Announces {
    /// The organ, resuming from what was durable.
    #[must_use]
    pub fn new(
        identity: NodeIdentity,
        app_data: AppData,
        limits: Limits,
        snapshot: &Snapshot,
        seed: &Seed,
    ) -> Self {
        let routes = Table::new(limits.paths, &mut seed.fork("routes"));
        let mut announces = Self {
            own: OwnAnnounce::resume(identity, app_data, snapshot),
            interfaces: BTreeMap::new(),
            clear: Clear::new(&limits, snapshot),
            links: Neighbours::new(limits.links),
            known: KnownDestinations::new(limits.known),
            routes,
            owed: Owed::new(limits.relays, limits.links.saturating_add(CHANNELS)),
            acknowledging: Acknowledging::new(limits.relays, limits.links),
            asked: BoundedMap::new(limits.relays, MapOverflow::EvictLeastRecent),
            finding: Finding::new(limits.relays),
            doubting: Doubting::new(),
            damping: Damping::new(),
            cache: Cache::new(limits.known, limits.cache_bytes),
            newcomers: Newcomers::new(limits.known, limits.links),
            in_clear_at: None,
            relays: BoundedMap::new(limits.relays, MapOverflow::RefuseNew),
            repeats: BoundedMap::new(limits.relays, MapOverflow::RefuseNew),
            speech: Speech::new(limits.relays, limits.known, seed.fork("budgets")),
            rerouted: BoundedMap::new(limits.relays, MapOverflow::EvictLeastRecent),
            missed_rerouted: 0,
            deadlines: Deadlines::default(),
            random: seed.fork("announces"),
            refusals: Refusals::default(),
        };
        announces.resume_paths();
        announces
    }

    /// All destinations known, by address.
    pub fn known(&self) -> impl Iterator<Item = (&DestinationHash, &Known)> {
        self.known.iter()
    }

    /// What is needed to write to `destination`, if it is known.
    #[must_use]
    pub fn recipient(&self, destination: &DestinationHash) -> Option<Recipient> {
        self.known.get(destination).map(|known| Recipient { public: known.public, ratchet: known.ratchet })
    }

    /// The newest announce of `destination`, as its originator spoke it, if it is kept: also where no way leads there.
    #[must_use]
    pub fn announce_of(&self, destination: &DestinationHash) -> Option<Vec<u8>> {
        self.cache.get(destination).map(passing::originated)
    }

    /// The key by which a destination signs, if it is known, or this node's own.
    pub(crate) fn verifying(&self, destination: &DestinationHash) -> Option<VerifyingKey> {
        if *destination == self.own.destination() {
            return Some(self.own.verifying());
        }
        self.known.get(destination).map(|known| known.public.verifying())
    }

    /// What was heard and not believed or not kept.
    #[must_use]
    pub const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// The emission time of the newest own announce, durable or on its way to be; 0 before the first.
    #[must_use]
    pub const fn last_emission(&self) -> u64 {
        self.own.last_emission()
    }

    /// Starts an emission if there is anything to announce with and anybody to announce to.
    fn emit(&mut self, cx: Cx, motive: Motive, out: &mut impl Sink<Effect>) {
        if self.interfaces.is_empty() && self.links.is_empty() {
            return;
        }
        if let Some((number, write)) = self.own.begin(cx.unix_s(), motive, &mut self.random) {
            out.push(Effect::Write { number, write });
            let at = self.next_refresh(cx);
            self.deadlines.set(Timer::Refresh, at);
        }
    }

    fn next_refresh(&mut self, cx: Cx) -> Instant {
        let interval = if self.links.is_empty() { REFRESH } else { LINK_REFRESH };
        let spread = Duration::from_micros(self.random.below(REFRESH_SPREAD.as_micros()));
        cx.now.after(interval).after(spread)
    }

    fn durable(&mut self, cx: Cx, through: u64, out: &mut impl Sink<Effect>) {
        let mut ready: VecDeque<Emission> = VecDeque::new();
        self.own.durable(through, &mut ready);
        for emission in ready {
            if emission.emitted_at < self.own.last_emission() {
                // A later one of one's own was heard while this one waited for the disk.
                self.emit(cx, emission.motive, out);
                continue;
            }
            self.publish(cx, emission, out);
        }
    }

    fn publish(&mut self, cx: Cx, emission: Emission, out: &mut impl Sink<Effect>) {
        let destination = self.own.destination();
        out.push(Effect::Recall(destination));
        let is_time = self.in_clear_at.is_none_or(|at| cx.now.since(at) >= REFRESH);
        let is_in_clear = emission.motive == Motive::Asked || is_time;
        if is_in_clear {
            self.in_clear_at = Some(cx.now);
            let interfaces: Vec<InterfaceId> = self.interfaces.keys().copied().collect();
            for iface in interfaces {
                self.announce_on(cx.now, iface, emission.bytes.clone(), out);
            }
        }
        let mut across = Vec::new();
        for (link, other) in self.links.iter() {
            if self.speech.is_on(other.iface) {
                continue;
            }
            if is_in_clear && other.is_crossing() {
                across.push(link);
                continue;
            }
            out.push(tell(link, destination, CompactPathCost::ORIGIN, &emission.bytes));
            // One's own is said also where the share is spent.
            let len = emission.bytes.len().saturating_add(TELL_OVERHEAD);
            self.speech.budgets.spend(other.iface, cx.now, len, Carrier::OwnLink);
        }
        out.push(Effect::Announced { emitted_at: emission.emitted_at });
        self.own.published(emission);
        for link in across {
            self.owe_one(cx.now, Some(link), &destination);
        }
        self.speak_own(cx, out);
        self.repeat_later(cx.now, destination, 0);
    }
}

impl Machine for Announces {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        match input {
            Input::Up(iface, profile) => self.up(cx, iface, &profile, out),
            Input::Down(iface) => self.down(cx, iface, out),
            Input::Heard { iface, bytes } => self.heard(cx, iface, &bytes, out),
            Input::LinkUp { link, iface, peer, hop } => {
                self.link_up(cx, link, Neighbouring::new(iface, peer, hop, cx.now), out);
            }
            Input::LinkMeasured { link, hop } => self.measured(cx, link, hop, out),
            Input::Carries(iface, bps) => self.carries(iface, bps),
            Input::Overheard(heard) => self.speech.budgets.overheard(cx.now, heard),
            Input::Waits(iface, airtime) => self.speech.budgets.waits(iface, cx.now, airtime),
            Input::LinkStands { link, trust, reliability } => self.stands(cx, link, trust, reliability, out),
            Input::Hearing { link, hearing } => self.hearing(cx, link, hearing),
            Input::LinkDown(link) => self.link_down(cx, link, out),
            Input::Costs { link, records } => self.heard_costs(cx, link, &records, out),
            Input::CostsHeard { link, lines } => self.acknowledged(link, &lines),
            Input::CostRequested { link, destination } => self.asked_by(cx, link, &destination, out),
            Input::PathRequested { link, request, hops, class } => {
                self.path_requested(cx, link, &request, hops, class, out);
            }
            Input::Probed { number } => self.probe_proved(cx, number, out),
            Input::Answered { destination, iface, took } => {
                self.answered_in_clear(cx, destination, iface, took, out);
            }
            Input::Forget(destination) => self.forget_paths(cx, destination, out),
            Input::Find { destination, motive } => self.find(cx, destination, motive, out),
            Input::HeardOnLink { link, cost, packet } => self.heard_on_link(cx, link, cost, packet, out),
            Input::Ratchet(ratchet) => {
                self.own.set_ratchet(ratchet);
                self.emit(cx, Motive::Asked, out);
            }
            Input::Announce => self.emit(cx, Motive::Asked, out),
            Input::Save => self.write_all_paths(cx, out),
            Input::SayTunnel { iface, interface } => self.say_tunnel(iface, interface, out),
            Input::Crosses(iface) => self.crosses(iface),
            Input::Recognised(iface, peer) => self.recognised(cx, iface, peer, out),
            Input::Durable(through) => self.durable(cx, through, out),
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Refresh => {
                    // Set again first: an emission that cannot begin is tried again, not forgotten.
                    self.deadlines.set(Timer::Refresh, cx.now.after(REFRESH));
                    self.emit(cx, Motive::Refresh, out);
                }
                Timer::FastRelay(destination) => self.relay_on_fast_links(cx.now, destination, out),
                Timer::Relay(destination) => self.relay(cx.now, destination, out),
                Timer::Repeat(destination) => self.repeat(cx, destination, out),
                Timer::Tell(link) => self.tell_next(cx, link, out),
                Timer::Speak(iface) => self.speak(cx, iface, out),
                Timer::Costs(outlet) => self.tell_costs(cx, outlet, out),
                Timer::Acknowledge(link) => self.acknowledge(cx, link, out),
                Timer::Remind(outlet) => self.remind(cx.now, outlet),
                Timer::Miss(link) => self.ask_for_missing(cx, link, out),
                Timer::Ask(destination) => self.ask_again(cx, &destination, out),
                Timer::Search(destination) => self.search_on(cx, destination, out),
                Timer::Walk(destination) => self.repeat_requests(cx.now, destination, out),
                Timer::Answers => self.answer_all(cx, out),
                Timer::Rebroadcast(destination) => self.rebroadcast(cx, destination),
                Timer::SpeakInClear(iface) => self.speak_in_clear(cx, iface, out),
                Timer::Release(iface) => self.release_held(cx, iface, out),
                Timer::AnswersInClear => self.answer_in_clear(cx, out),
                Timer::Remember => self.write_paths(cx, out),
                Timer::Settle(destination) => self.settle(cx, &destination, out),
                Timer::Damp(destination) => self.undamp(cx, destination, out),
                Timer::Doubt(destination) => self.look_at_doubts(cx, destination, out),
                Timer::Sweep => self.sweep(cx, out),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Announces {
    fn memory_bound(&self) -> usize {
        // An ordered map's nodes may be half empty; a bounded map is two of them, and a timer is two more.
        const PER_RELAY: usize = nexus_wire::reticulum::MTU + 8 * size_of::<(Timer, Relay, u64)>() + 128;
        const PER_REPEAT: usize = 8 * size_of::<(Timer, DestinationHash, u64)>() + 64;
        const PER_SETTLING: usize = 4 * size_of::<(Timer, Instant)>() + 64;
        const PER_ASKED: usize = 8 * size_of::<(Timer, Asked, u64)>() + 128;
        const PER_REROUTED: usize = 4 * size_of::<(DestinationHash, u64)>() + 32;
        self.known
            .memory_bound()
            .saturating_add(self.known.capacity().saturating_mul(PER_SETTLING))
            .saturating_add(self.cache.memory_bound())
            .saturating_add(self.newcomers.memory_bound())
            .saturating_add(self.clear.memory_bound())
            .saturating_add(self.routes.memory_bound())
            .saturating_add(self.owed.memory_bound())
            .saturating_add(self.acknowledging.memory_bound())
            .saturating_add(self.asked.capacity().saturating_mul(PER_ASKED))
            .saturating_add(self.finding.memory_bound())
            .saturating_add(Doubting::MEMORY_BOUND)
            .saturating_add(Damping::MEMORY_BOUND)
            .saturating_add(self.links.memory_bound())
            .saturating_add(self.relays.capacity().saturating_mul(PER_RELAY.saturating_mul(2)))
            .saturating_add(self.repeats.capacity().saturating_mul(PER_REPEAT))
            .saturating_add(self.speech.memory_bound())
            .saturating_add(self.rerouted.capacity().saturating_mul(PER_REROUTED))
            .saturating_add(OwnAnnounce::MEMORY_BOUND)
            .saturating_add(256 * 64)
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
