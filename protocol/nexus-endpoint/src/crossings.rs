//! Crossings: links between NEXUS nodes across stock nodes that neither of them runs.
//!
//! A crossing is a Reticulum link to another node's destination `nexus.node`, on which the two say to each other what they would on any
//! medium. This organ decides with whom: the nearest nodes whose announces came across stock relays and to which no links lead; and,
//! since relays of stock networks may be NEXUS nodes, whoever carried an announce is asked for once. It keeps what it made, replaces it
//! once a day, and takes what others begin. It carries nothing itself.
//!
//! Invariants: at most one crossing to a node, and a bounded number in all; one is begun at a time; whoever did not answer is left alone
//! for longer each time. Source: spec/endpoint.md#crossings.

mod candidates;
mod contract;
mod keeping;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;

use nexus_crypto::NodeId;
use nexus_crypto::identity::IdentityPublic;
use nexus_machine::{Cx, Deadlines, Duration, Instant, Machine, MemoryBound, Sink};
use nexus_wire::reticulum::LinkId;

use crate::contract::Handle;
use candidates::{Candidates, TICK};
pub use contract::{Effect, Input, Reached, Slot, Way};

/// Places for crossings: those that this node begins, those that others do, and two for what replaces one before that ends.
/// Source: spec/endpoint.md#crossings.
pub const CROSSINGS: u8 = 10;
/// So many this node begins,
const BEGUN: usize = 4;
/// and so many others may: whoever begins them without end leaves room for this node's.
const TAKEN: usize = 4;
/// A crossing is replaced after so long.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Both ends began at the same time if their crossings came up within this.
const AT_ONCE: Duration = Duration::from_secs(60);
/// A crossing that was there for so long worked.
const LASTED: Duration = Duration::from_secs(600);
/// Whoever begins a link and does not say who it is within this is closed.
const UNNAMED: Duration = Duration::from_secs(60);
/// Links whose initiator has not said who it is.
const UNNAMED_MOST: usize = 16;

/// The organ.
#[derive(Debug)]
pub struct Crossings {
    own: NodeId,
    candidates: Candidates,
    /// What was asked for last, and whom.
    opening: Option<Opening>,
    handles: u64,
    standing: BTreeMap<Slot, Crossing>,
    /// Links of others that have not said who they are.
    unnamed: BTreeMap<LinkId, Way>,
    deadlines: Deadlines<Timer>,
}

/// A link that was asked for.
#[derive(Debug)]
struct Opening {
    handle: Handle,
    node: NodeId,
    identity: IdentityPublic,
}

/// A crossing that is up.
#[derive(Debug)]
struct Crossing {
    link: LinkId,
    node: NodeId,
    beginner: Beginner,
    way: Way,
    since: Instant,
}

/// Who began a crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginner {
    This,
    Other,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Whom to cross to is looked at.
    Tick,
    /// A link's initiator is to have said who it is.
    Unnamed(LinkId),
    /// A crossing is to be replaced.
    Replace(Slot),
    /// The medium takes another frame.
    Ready(Slot),
}

impl Crossings {
    /// The organ of the node of this address.
    #[must_use]
    pub fn new(own: NodeId) -> Self {
        Self {
            own,
            candidates: Candidates::new(),
            opening: None,
            handles: 0,
            standing: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            deadlines: Deadlines::default(),
        }
    }

    /// Whether the answer to this handle is the organ's.
    #[must_use]
    pub fn asked(&self, handle: Handle) -> bool {
        self.opening.as_ref().is_some_and(|opening| opening.handle == handle)
    }

    /// The crossing that a link is; none if it is none.
    #[must_use]
    pub fn slot(&self, link: &LinkId) -> Option<Slot> {
        self.standing.iter().find(|(_, crossing)| crossing.link == *link).map(|(slot, _)| *slot)
    }

    /// Whether a link is this organ's: a crossing, or on the way to be one.
    #[must_use]
    pub fn has(&self, link: &LinkId) -> bool {
        self.unnamed.contains_key(link) || self.slot(link).is_some()
    }

    /// The link of a crossing.
    #[must_use]
    pub fn link(&self, slot: Slot) -> Option<LinkId> {
        self.standing.get(&slot).map(|crossing| crossing.link)
    }

    /// The crossings that are up: their slots, and who is at their other ends.
    pub fn all(&self) -> impl Iterator<Item = (Slot, NodeId)> {
        self.standing.iter().map(|(slot, crossing)| (*slot, crossing.node))
    }

    fn free_slot(&self) -> Option<Slot> {
        (0..CROSSINGS).map(Slot).find(|slot| !self.standing.contains_key(slot))
    }

    fn to(&self, node: &NodeId) -> Option<Slot> {
        self.standing.iter().find(|(_, crossing)| crossing.node == *node).map(|(slot, _)| *slot)
    }

    fn begun_by(&self, beginner: Beginner) -> usize {
        self.standing.values().filter(|crossing| crossing.beginner == beginner).count()
    }

    /// Sees to it that candidates are looked at when there is something to see: one may be begun, or is stale.
    fn schedule_tick(&mut self, now: Instant) {
        let may_begin = self.opening.is_none() && self.begun_by(Beginner::This) < BEGUN;
        let due = self.candidates.due(|node| may_begin && self.to(node).is_none() && !self.is_needless(node));
        match due {
            Some(at) => self.deadlines.set(Timer::Tick, at.max(now.after(TICK))),
            None => self.deadlines.cancel(Timer::Tick),
        }
    }
}

impl Machine for Crossings {
    type Input = Input;
    type Effect = Effect;

    fn handle(&mut self, cx: Cx, input: Input, out: &mut impl Sink<Effect>) {
        let is_frame = matches!(input, Input::Said { .. });
        match input {
            Input::Heard { identity, hops, through } => self.hear(cx.now, identity, hops, through, out),
            Input::Carried { by } => self.hear_of_relay(cx.now, by, out),
            Input::Considered { node, reached } => self.considered(&node, reached, out),
            Input::Opened { handle, link, way } => self.opened(cx.now, handle, link, way, out),
            Input::Failed { handle } => self.failed(cx.now, handle),
            Input::Asked { link, way } => self.asked_by_other(cx.now, link, way, out),
            Input::Named { link, identity } => self.named(cx.now, link, identity, out),
            Input::Ended { link } => self.ended(cx.now, &link, out),
            Input::GivenUp { slot } => self.given_up(cx.now, slot, out),
            Input::Said { slot, bytes } => self.said(cx.now, slot, bytes),
        }
        if !is_frame {
            self.schedule_tick(cx.now);
        }
    }

    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Effect>) {
        while let Some(timer) = self.deadlines.pop_due(cx.now) {
            match timer {
                Timer::Tick => self.tick(cx.now, out),
                Timer::Unnamed(link) => {
                    if self.unnamed.remove(&link).is_some() {
                        out.push(Effect::Close { link });
                    }
                }
                Timer::Replace(slot) => self.replace(cx.now, slot, out),
                Timer::Ready(slot) => out.push(Effect::Ready { slot }),
            }
            if timer == Timer::Tick {
                self.schedule_tick(cx.now);
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl MemoryBound for Crossings {
    fn memory_bound(&self) -> usize {
        use crate::limits::tree;
        let timers = UNNAMED_MOST.saturating_add(usize::from(CROSSINGS).saturating_mul(2)).saturating_add(1);
        Candidates::MEMORY_BOUND
            .saturating_add(tree(usize::from(CROSSINGS), size_of::<(Slot, Crossing)>()))
            .saturating_add(tree(UNNAMED_MOST, size_of::<(LinkId, Way)>()))
            .saturating_add(tree(timers, size_of::<(Timer, Instant)>()))
            .saturating_add(
                timers.saturating_mul(4).saturating_add(32).saturating_mul(size_of::<(Instant, Timer)>()),
            )
    }
}
