//! With whom to cross: who was heard, how near, and who was tried in vain.

use nexus_crypto::identity::IdentityPublic;
use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::{BoundedMap, Duration, Inserted, Instant, MapOverflow, Sink};

use super::{BEGUN, Beginner, Crossings, Effect, Opening, Reached};
use crate::contract::Handle;

/// How often it is looked at whom to cross to.
pub(super) const TICK: Duration = Duration::from_secs(5);
/// Nodes that are remembered, and relays that were asked for.
const NODES: usize = 64;
const RELAYS: usize = 256;
/// A node that was not heard of for so long is no candidate: nodes announce hourly on stock media.
const STALE: Duration = Duration::from_secs(3 * 3_600);
/// From when a node is heard to when it is crossed to: links with nearer nodes may lead there by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// The node with the higher address leaves the other so much more time to begin.
const COURTESY: Duration = Duration::from_secs(60);
/// After a crossing came up, the next is begun so much later: what is behind it is told over it meanwhile.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
/// One that is reached over links is looked at again after so long.
const REACHED: Duration = Duration::from_secs(300);
/// One that did not answer is left alone for so long, doubled each time up to:
const BACKOFF: Duration = Duration::from_secs(60);
const BACKOFF_MAX: Duration = Duration::from_secs(6 * 3_600);
/// Whether a relay is a node is asked again after so long, and asked at all so often.
const RELAY_AGAIN: Duration = Duration::from_secs(6 * 3_600);
const RELAY_PERIOD: Duration = Duration::from_secs(60);

/// Who may be crossed to.
#[derive(Debug)]
pub(super) struct Candidates {
    nodes: BoundedMap<NodeId, Candidate>,
    relays: BoundedMap<NodeId, Instant>,
    /// No relay is asked for before, and no crossing begun.
    next_relay: Instant,
    next_begin: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    identity: IdentityPublic,
    hops: u8,
    /// Who carried its announce last, by the address that it has if it is a node.
    through: Option<NodeId>,
    heard: Instant,
    not_before: Instant,
    failures: u8,
}

impl Candidates {
    pub(super) const MEMORY_BOUND: usize = 4 * NODES * (size_of::<(NodeId, Candidate, u64)>() + 32)
        + 4 * RELAYS * (size_of::<(NodeId, Instant, u64)>() + 32);

    pub(super) const fn new() -> Self {
        Self {
            nodes: BoundedMap::new(NODES, MapOverflow::EvictLeastRecent),
            relays: BoundedMap::new(RELAYS, MapOverflow::EvictLeastRecent),
            next_relay: Instant::BOOT,
            next_begin: Instant::BOOT,
        }
    }

    /// When one of those that are `open` to it may be begun, or one is stale.
    pub(super) fn due(&self, open: impl Fn(&NodeId) -> bool) -> Option<Instant> {
        let of = |(node, candidate): (&NodeId, &Candidate)| {
            let stale = candidate.heard.after(STALE).after(Duration::from_micros(1));
            if open(node) { stale.min(candidate.not_before.max(self.next_begin)) } else { stale }
        };
        self.nodes.iter().map(of).min()
    }

    /// No crossing is begun for a while.
    pub(super) fn pause(&mut self, now: Instant) {
        self.next_begin = now.after(PAUSE);
    }

    /// A crossing to this node worked.
    pub(super) fn worked(&mut self, node: &NodeId) {
        if let Some(candidate) = self.nodes.get_mut(node) {
            candidate.failures = 0;
        }
    }

    /// It did not, or ended: not again at once.
    pub(super) fn did_not_work(&mut self, now: Instant, node: &NodeId) {
        let Some(candidate) = self.nodes.get_mut(node) else { return };
        let doublings = u32::from(candidate.failures).min(16);
        let wait = BACKOFF.times(1_u64 << doublings).min(BACKOFF_MAX);
        candidate.failures = candidate.failures.saturating_add(1);
        candidate.not_before = now.after(wait);
    }

    /// The node that carried the announce of this one, if one did, and whether it answered whenever it was asked.
    fn carrier_of(&self, node: &NodeId) -> Option<(NodeId, bool)> {
        let through = self.nodes.get(node)?.through?;
        self.nodes.get(&through).map(|carrier| (through, carrier.failures == 0))
    }

    /// Who is behind this address.
    pub(super) fn identity(&self, node: &NodeId) -> Option<IdentityPublic> {
        self.nodes.get(node).map(|candidate| candidate.identity)
    }
}

impl Crossings {
    pub(super) fn hear(
        &mut self,
        now: Instant,
        identity: IdentityPublic,
        hops: u8,
        through: Option<NodeId>,
        out: &mut impl Sink<Effect>,
    ) {
        let node = NodeId::of(identity.hash());
        if node == self.own {
            return;
        }
        if let Some(relay) = through {
            self.hear_of_relay(now, relay, out);
        }
        let courtesy = if self.own < node { Duration::ZERO } else { COURTESY };
        if let Some(known) = self.candidates.nodes.get_mut(&node) {
            (known.hops, known.through, known.heard) = (hops, through, now);
        } else {
            let not_before = now.after(PATIENCE).after(courtesy);
            let candidate = Candidate { identity, hops, through, heard: now, not_before, failures: 0 };
            // Whoever was heard of longest ago makes room.
            let _displaced: Inserted<_, _> = self.candidates.nodes.insert(node, candidate);
        }
    }

    /// Whoever carries announces may be a node whose own was not heard yet: it is asked for.
    pub(super) fn hear_of_relay(&mut self, now: Instant, by: NodeId, out: &mut impl Sink<Effect>) {
        let Candidates { nodes, relays, next_relay, .. } = &mut self.candidates;
        let asked = relays.get(&by).is_some_and(|again| now < *again);
        if by == self.own || nodes.contains(&by) || asked || now < *next_relay {
            return;
        }
        *next_relay = now.after(RELAY_PERIOD);
        let _displaced: Inserted<_, _> = relays.insert(by, now.after(RELAY_AGAIN));
        out.push(Effect::Find { destination: by.into() });
    }

    /// Whether a crossing to this node would lead through another node alone: that one is crossed to, and tells of this one.
    pub(super) fn is_needless(&self, node: &NodeId) -> bool {
        let carrier = self.candidates.carrier_of(node);
        carrier.is_some_and(|(carrier, answers)| answers || self.to(&carrier).is_some())
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut impl Sink<Effect>) {
        let stale: alloc::vec::Vec<NodeId> = self
            .candidates
            .nodes
            .iter()
            .filter(|(_, candidate)| now.since(candidate.heard) > STALE)
            .map(|(node, _)| *node)
            .collect();
        for node in stale {
            self.candidates.nodes.remove(&node);
        }
        if self.opening.is_some()
            || now < self.candidates.next_begin
            || self.begun_by(Beginner::This) >= BEGUN
            || self.free_slot().is_none()
        {
            return;
        }
        let may_begin = |(node, candidate): &(&NodeId, &Candidate)| {
            candidate.not_before <= now && self.to(node).is_none() && !self.is_needless(node)
        };
        let nearest = self.candidates.nodes.iter().filter(may_begin);
        let nearest = nearest.min_by_key(|(node, candidate)| (candidate.hops, **node));
        let Some(node) = nearest.map(|(node, _)| *node) else { return };
        if let Some(candidate) = self.candidates.nodes.get_mut(&node) {
            candidate.not_before = now.after(REACHED);
        }
        out.push(Effect::Consider { node });
    }

    /// How a node is reached that was looked at. Whatever it is, the next look was put off.
    pub(super) fn considered(&mut self, node: &NodeId, reached: Reached, out: &mut impl Sink<Effect>) {
        let Some(identity) = self.candidates.identity(node) else { return };
        match reached {
            Reached::AcrossStock => self.begin(*node, identity, out),
            Reached::OverLinks | Reached::Unreached => {}
        }
    }

    /// Asks a node for a link.
    pub(super) fn begin(&mut self, node: NodeId, identity: IdentityPublic, out: &mut impl Sink<Effect>) {
        if self.opening.is_some() {
            return;
        }
        self.handles = self.handles.wrapping_add(1);
        // The upper half is the node's own.
        let handle = Handle(self.handles | Handle::OWN);
        self.opening = Some(Opening { handle, node, identity });
        out.push(Effect::Open { handle, to: DestinationHash::from(node) });
    }
}
