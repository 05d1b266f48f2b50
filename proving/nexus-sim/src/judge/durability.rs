//! What depends on a write leaves only once the write is durable. Source: spec/machine.md#durability.

use nexus_crypto::DestinationHash;
use nexus_machine::Snapshot;
use nexus_node::Output;
use nexus_wire::reticulum::Announce;

use super::mirror::Mirror;
use super::sighting::Sighting;
use crate::observation::{Act, Finding, Judge, Observation, Observer, Verdict, What};

/// Whether a store remembers all that an own announce depends on.
type Remembers = fn(&Snapshot, &Announce<'_>) -> bool;

/// When a node sends its own announce, its disk holds what the announce depends on (for a NEXUS node the emission time and the
/// ratchet): a crash right after it must not make the node sign that emission again, or lose the key.
pub struct Durability {
    addresses: Vec<DestinationHash>,
    remembers: Remembers,
    disks: Vec<Mirror>,
    finding: Finding,
}

impl Durability {
    /// A judge of the nodes with these addresses, whose stores are read with `remembers`.
    #[must_use]
    pub fn new(addresses: Vec<DestinationHash>, remembers: Remembers) -> Self {
        let disks = addresses.iter().map(|_| Mirror::default()).collect();
        Self { addresses, remembers, disks, finding: Finding::default() }
    }
}

impl Observer for Durability {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = &observation.what else { return };
        let mirror = &mut self.disks[node.place()];
        mirror.observe(act);
        match act {
            Act::Took(Output::Transmit { bytes, .. }) => {
                let Some(Ok(sighting)) = Sighting::of(bytes) else { return };
                let own = sighting.destination == self.addresses[node.place()];
                if own && !(self.remembers)(mirror.durable(), &sighting.announce) {
                    self.finding.fail(observation.at, || {
                        let emitted_at = sighting.emitted_at;
                        format!(
                            "node {} announced emission {emitted_at}, which its disk would forget",
                            node.0
                        )
                    });
                }
            }
            Act::Took(Output::Sense { .. } | Output::Event(_) | Output::Persist { .. })
            | Act::Booted { .. }
            | Act::Durable(_)
            | Act::Crashed
            | Act::Given { .. }
            | Act::Woken { .. }
            | Act::Rested { .. } => {}
        }
    }
}

impl Judge for Durability {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn verdict(&self) -> Verdict {
        self.finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sighting::forge::{address, announce};
    use super::*;
    use crate::clock::WorldTime;
    use crate::observation::NodeIndex;
    use nexus_machine::{TableId, Ticket, Write};
    use nexus_network::InterfaceId;

    const TABLE: TableId = TableId(9);

    /// Emission 5 is written as ticket 1 and 6 as ticket 2; then some tickets become durable and an emission is announced.
    fn judged(durable: Option<Ticket>, announced: u64) -> Verdict {
        let remembers: Remembers = |store, announce| {
            let emission = store.get(TABLE, b"e").map(|value| value[0].into());
            emission >= Some(announce.claim.random_hash.emitted_at())
        };
        let mut judge = Durability::new(vec![address(7)], remembers);
        let persist = |ticket, emission| Output::Persist {
            ticket: Ticket(ticket),
            writes: vec![Write::set(TABLE, b"e", vec![emission])],
        };
        let (first, second) = (persist(1, 5), persist(2, 6));
        let sent = Output::Transmit { iface: InterfaceId(0), to: None, bytes: announce(7, announced, 1) };
        let acts = [Act::Took(&first), Act::Took(&second)];
        for act in acts.into_iter().chain(durable.map(Act::Durable)).chain([Act::Took(&sent)]) {
            let what = What::Node { node: NodeIndex(0), incarnation: 0, act };
            judge.observe(&Observation { at: WorldTime::START, what });
        }
        judge.verdict()
    }

    #[test]
    fn an_announce_waits_until_its_own_write_is_durable() {
        assert_eq!(judged(Some(Ticket(1)), 5), Verdict::Passed);
        assert_eq!(judged(Some(Ticket(2)), 6), Verdict::Passed);
        for (durable, announced) in [(None, 5), (Some(Ticket(1)), 6), (Some(Ticket(2)), 7)] {
            assert!(matches!(judged(durable, announced), Verdict::Failed(_)), "{durable:?} {announced}");
        }
    }
}
