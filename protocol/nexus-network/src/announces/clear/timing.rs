//! How long a stock segment takes to a destination, as the links that pass through this node show.
//!
//! A destination's proof of a link names the request, so it cannot be made before that came: whoever is on the way can make a segment
//! look slower than it is, and never faster. Source: spec/reticulum.md#latency.

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{Cx, Duration, Sink};
use nexus_wire::nexus::path_cost::LatencyMs;

use super::super::routing::Said;
use super::super::{Announces, Effect};
use crate::interface::InterfaceId;
use crate::routes::{NextHop, is_more_by_a_quarter};

/// What was measured before counts three times as much as the next measure.
const BEFORE: u64 = 3;

impl Announces {
    /// How long packets took to a destination through the same neighbour on an interface in clear; none if that was not measured.
    pub(in super::super) fn latency_in_clear(
        &self,
        destination: DestinationHash,
        iface: InterfaceId,
        transport: Option<IdentityHash>,
    ) -> Option<LatencyMs> {
        let hop = self.clear.hop(&destination, iface)?;
        hop.latency.filter(|_| hop.transport == transport)
    }

    /// A destination proved a link, so long after its request left on an interface in clear: its path takes half of that.
    pub(in super::super) fn answered_in_clear(
        &mut self,
        cx: Cx,
        destination: DestinationHash,
        iface: InterfaceId,
        took: Duration,
        out: &mut impl Sink<Effect>,
    ) {
        let next_hop = NextHop::Clear(iface);
        let Some(hop) = self.clear.hops.get_mut(&(destination, iface)) else { return };
        let sample = took.as_millis() / 2;
        let before = hop.latency.map_or(sample, |before| u64::from(before.0));
        let mean = before.saturating_mul(BEFORE).saturating_add(sample) / (BEFORE + 1);
        let latency = LatencyMs::saturating(mean);
        hop.latency = Some(latency);
        let random_hash = hop.random_hash;
        let Some(entry) = self.routes.get(&destination, next_hop) else { return };
        let Some(medium) = self.interfaces.get(&iface) else { return };
        let (said, generation) = (entry.said(), entry.generation());
        if entry.random_hash() != random_hash {
            return;
        }
        let cost = medium.cost_in(said.hops, Some(latency));
        let [old, new] = [said, cost].map(|cost| u64::from(cost.worst_latency.0));
        if is_more_by_a_quarter(old, new) || is_more_by_a_quarter(new, old) {
            self.candidate(cx, &Said { destination, random_hash, generation, cost }, next_hop, out);
        }
    }
}
