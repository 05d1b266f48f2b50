//! Nobody believes in a destination that does not exist. Source: spec/reticulum.md#announce.

use std::collections::BTreeSet;

use nexus_crypto::DestinationHash;
use nexus_node::{Event, Output};

use super::sighting::Sighting;
use crate::observation::{Act, Finding, Judge, Observation, Observer, Verdict, What};

/// Whenever a node reports that it can reach a destination, that destination's owner has announced just that emission.
#[derive(Debug)]
pub struct Truth {
    addresses: Vec<DestinationHash>,
    announced: BTreeSet<(DestinationHash, u64)>,
    finding: Finding,
}

impl Truth {
    /// A judge of the nodes with these addresses.
    #[must_use]
    pub fn new(addresses: Vec<DestinationHash>) -> Self {
        Self { addresses, announced: BTreeSet::new(), finding: Finding::default() }
    }
}

impl Observer for Truth {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act: Act::Took(output), .. } = &observation.what else { return };
        match output {
            Output::Transmit { bytes, .. } => {
                let own = self.addresses[node.place()];
                if let Some(Ok(sighting)) = Sighting::of(bytes)
                    && sighting.destination == own
                {
                    self.announced.insert((own, sighting.emitted_at));
                }
            }
            // Under a link an announce cannot be read: its owner says when it sends one.
            Output::Event(Event::Announced { emitted_at }) => {
                self.announced.insert((self.addresses[node.place()], *emitted_at));
            }
            Output::Event(Event::Reached { destination, emitted_at, .. }) => {
                if !self.announced.contains(&(*destination, *emitted_at)) {
                    self.finding.fail(observation.at, || {
                        format!(
                            "node {} believes emission {emitted_at} of {destination}, which was never sent",
                            node.0
                        )
                    });
                }
            }
            Output::Event(
                Event::ChannelJammed { .. }
                | Event::PathFound { .. }
                | Event::PathNotFound { .. }
                | Event::ClocksParted { .. }
                | Event::EntropyWanted
                | Event::Ledger(_)
                | Event::Endpoint(_)
                | Event::Lxmf(_)
                | Event::Economy(_)
                | Event::LinkUp(_)
                | Event::LinkDown { .. }
                | Event::MessageArrived(_)
                | Event::Attempted { .. }
                | Event::Delivered { .. }
                | Event::Traced { .. }
                | Event::Undelivered { .. },
            )
            | Output::Sense { .. }
            | Output::Persist { .. } => {}
        }
    }
}

impl Judge for Truth {
    fn name(&self) -> &'static str {
        "truth"
    }

    fn verdict(&self) -> Verdict {
        self.finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sighting::forge::{Step, address, announce, objection};
    use super::*;

    fn reaches(number: u8, emitted_at: u64) -> Step {
        let (destination, iface) = (address(number), nexus_network::InterfaceId(0));
        Step::Reports(Event::Reached { destination, emitted_at, hops: 1, iface })
    }

    #[test]
    fn only_an_emission_that_its_owner_sent_is_true() {
        let judged = |steps| objection(Truth::new(vec![address(7)]), steps);
        let sent = || Step::Sends(announce(7, 5, 1));
        assert_eq!(judged(vec![sent(), reaches(7, 5)]), "");
        assert!(judged(vec![sent(), reaches(7, 6)]).contains("never sent"));
        assert!(judged(vec![sent(), reaches(8, 5)]).contains("never sent"));
        let relayed = Step::Sends(announce(8, 5, 1));
        assert!(judged(vec![relayed, reaches(8, 5)]).contains("never sent"), "relaying is not announcing");
        let said = || Step::Reports(Event::Announced { emitted_at: 5 });
        assert_eq!(judged(vec![said(), reaches(7, 5)]), "", "a sealed announce counts by its owner's word");
        assert!(judged(vec![said(), reaches(8, 5)]).contains("never sent"), "for its owner only");
    }
}
