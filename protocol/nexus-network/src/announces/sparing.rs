//! Ways around neighbours that are congested, for what can wait. Source: spec/network.md#backpressure.

use nexus_crypto::DestinationHash;
use nexus_machine::Instant;
use nexus_wire::nexus::traffic::Class;

use super::Announces;
use super::routing::{approach_of, seconds};
use super::stepping::{Fare, Step};
use crate::links::LinkId;
use crate::routes::{PathPolicy, Weights};

/// By what a detour is chosen: mostly by its price.
const DETOUR: PathPolicy =
    PathPolicy::Balanced(Weights { ring: 0, cost: 52_429, latency: 6_554, unreliability: 6_553 });

impl Announces {
    /// The peer of a link is congested until then: what can wait goes by another way if there is one.
    pub fn spare(&mut self, link: LinkId, until: Instant) {
        if let Some(other) = self.links.get_mut(link) {
            other.spared_until = other.spared_until.max(until);
        }
    }

    /// The step for a packet of this class that would take `step`: another if that leads over a congested neighbour, and another way does
    /// not.
    pub fn around_congestion(
        &mut self,
        now: Instant,
        destination: &DestinationHash,
        class: Class,
        from: Option<LinkId>,
        step: Step,
    ) -> Step {
        let is_spared = |link: LinkId| self.links.get(link).is_some_and(|other| other.spared_until > now);
        let can_wait = match class {
            Class::RealTime | Class::Interactive => false,
            Class::Standard | Class::Bulk => true,
        };
        if !can_wait || !step.next_hop.link().is_some_and(is_spared) {
            return step;
        }
        let (links, interfaces) = (&self.links, &self.interfaces);
        let free_approach = |next_hop: crate::routes::NextHop| {
            if next_hop.link().is_some_and(is_spared) {
                None
            } else {
                approach_of(links, interfaces, next_hop)
            }
        };
        let Some((path, best)) = self.routes.best_named(destination, DETOUR, from, free_approach) else {
            return step;
        };
        if best.is_doubted() {
            return step;
        }
        let (next_hop, stage, hops) = (best.next_hop(), best.stage(), best.said().hops.next().0);
        let fare = Fare::of(best);
        if let Some(entry) = self.routes.named(path) {
            entry.use_at(seconds(now));
        }
        let transport = self.transport(destination, next_hop, stage);
        Step { next_hop, stage, path, transport, hops, fare }
    }
}
