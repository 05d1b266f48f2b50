//! What can be seen of paths: every candidate for a destination with all that decides about it, destinations page by page, and
//! whose choice is, or may be, another than it was.
//!
//! Source: spec/network.md#routes.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Inserted, Instant};
use nexus_wire::nexus::path_cost::CompactPathCost;

use super::known::{Known, Via};
use super::routing::{approach_of, hop_of, seconds};
use super::{Announces, count};
use crate::routes::{Edition, Mark, PathPolicy, Seen, Stage, Standing};

/// A way to a destination, and all that decides whether it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How the next hop is reached.
    pub via: Via,
    /// Whether the next hop is the destination itself.
    pub stage: Stage,
    /// Of which emission and generation it was said.
    pub edition: Edition,
    /// What the neighbour said.
    pub said: CompactPathCost,
    /// The same with the hop to the neighbour; what was said where the neighbour is gone.
    pub total: CompactPathCost,
    /// How many of 255 packets were proved of late; none if nothing is known.
    pub reliability: Option<u8>,
    /// Seconds since the neighbour said it last.
    pub age_s: u32,
    /// Seconds until it is stale; 0 if it is.
    pub expires_in_s: u32,
    /// Whether packets may go that way.
    pub standing: Standing,
    /// How it does by each policy of which the winner is kept.
    pub marks: [Mark; 4],
}

impl Candidate {
    /// Whether `policy` chooses it; false for weights of somebody's own.
    #[must_use]
    pub fn wins(&self, policy: PathPolicy) -> bool {
        self.marks.iter().any(|mark| mark.policy == policy && mark.wins)
    }
}

/// Paths as they stand at a moment. Short-lived: it borrows the node.
#[derive(Clone, Copy, Debug)]
pub struct Routing<'n> {
    announces: &'n Announces,
    now: Instant,
}

impl<'n> Routing<'n> {
    pub(crate) const fn new(announces: &'n Announces, now: Instant) -> Self {
        Self { announces, now }
    }

    /// What is known of `destination` beside the ways there.
    #[must_use]
    pub fn known(&self, destination: &DestinationHash) -> Option<&'n Known> {
        self.announces.known.get(destination)
    }

    /// The destinations known, by address, those behind `after` only; all of them without.
    pub fn destinations(
        &self,
        after: Option<&DestinationHash>,
    ) -> impl Iterator<Item = (&'n DestinationHash, &'n Known)> + use<'n> {
        self.announces.known.behind(after)
    }

    /// Every way to `destination` that is known, at most four.
    #[must_use]
    pub fn candidates(&self, destination: &DestinationHash) -> Vec<Candidate> {
        let Announces { routes, known, links, interfaces, .. } = self.announces;
        let bounds = known.get(destination).map(Known::bounds).unwrap_or_default();
        let approach_of = |next_hop| approach_of(links, interfaces, next_hop);
        let seen = routes.seen(destination, &bounds, seconds(self.now), approach_of);
        seen.iter().map(|seen| self.candidate(seen)).collect()
    }

    /// The way that a packet of this node's own takes by `policy`.
    #[must_use]
    pub fn chosen(&self, destination: &DestinationHash, policy: PathPolicy) -> Option<Candidate> {
        let next_hop = self.announces.best(destination, policy, None)?.next_hop();
        let via = self.announces.via(destination, next_hop);
        self.candidates(destination).into_iter().find(|candidate| candidate.via == via)
    }

    fn candidate(&self, seen: &Seen) -> Candidate {
        let Seen { entry, standing, marks } = seen;
        let now_s = seconds(self.now);
        let hop = hop_of(&self.announces.links, &self.announces.interfaces, entry.next_hop());
        Candidate {
            via: self.announces.via(&entry.destination(), entry.next_hop()),
            stage: entry.stage(),
            edition: entry.edition(),
            said: entry.said(),
            total: hop.map_or_else(|| entry.said(), |hop| entry.total(&hop)),
            reliability: entry.reliability(),
            age_s: now_s.saturating_sub(entry.updated_s()),
            expires_in_s: entry.expires_s().saturating_sub(now_s),
            standing: *standing,
            marks: *marks,
        }
    }
}

impl Announces {
    /// What the way of a packet of this node's own costs by `policy`, if there is one.
    #[must_use]
    pub fn way(&self, destination: &DestinationHash, policy: PathPolicy) -> Option<CompactPathCost> {
        let best = self.best(destination, policy, None)?;
        hop_of(&self.links, &self.interfaces, best.next_hop()).map(|hop| best.total(&hop))
    }

    /// Takes a destination to which the chosen way is, or may be, another than when it was taken last. Of those that nobody takes
    /// at most as many are kept as may wait to be passed on.
    pub fn take_rerouted(&mut self) -> Option<DestinationHash> {
        self.rerouted.pop_least_recent().map(|(destination, ())| destination)
    }

    /// How many such destinations were pushed out before anybody took them.
    #[must_use]
    pub const fn missed_rerouted(&self) -> u64 {
        self.missed_rerouted
    }

    pub(super) fn note_rerouted(&mut self, destination: DestinationHash) {
        match self.rerouted.insert(destination, ()) {
            Inserted::Fresh | Inserted::Replaced(()) => {}
            Inserted::Evicted(..) | Inserted::Refused(()) => count(&mut self.missed_rerouted),
        }
    }
}
