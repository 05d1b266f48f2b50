//! One emission, one announce. Source: spec/network.md#announces.

use nexus_crypto::DestinationHash;
use nexus_node::{Input, Output};

use super::sighting::{Content, Sighting};
use crate::observation::{Act, Finding, Judge, Observation, Observer, Provenance, Verdict, What};

/// An identity never signs different announces for the same emission time, nor sends an older emission after a newer one,
/// across all crashes.
///
/// A node whose disk was replaced by an earlier image cannot know better, until it hears a later announce of its own: from
/// then on it goes beyond that one.
#[derive(Debug)]
pub struct Emission {
    addresses: Vec<DestinationHash>,
    /// The newest emission that each node sent, as far as it can remember.
    sent: Vec<Option<(u64, Content)>>,
    /// The newest that each heard of its own in this incarnation.
    heard: Vec<Option<(u64, Content)>>,
    finding: Finding,
}

impl Emission {
    /// A judge of the nodes with these addresses.
    #[must_use]
    pub fn new(addresses: Vec<DestinationHash>) -> Self {
        let none = vec![None; addresses.len()];
        Self { addresses, sent: none.clone(), heard: none, finding: Finding::default() }
    }

    fn sends(&mut self, node: usize, emission: (u64, Content)) -> Result<(), String> {
        let (at, content) = emission;
        for (floor, how) in [(self.sent[node], "sent"), (self.heard[node], "heard")] {
            match floor {
                Some((newest, _)) if at < newest => {
                    return Err(format!("announced emission {at} after it {how} {newest}"));
                }
                Some((newest, other)) if at == newest && content != other => {
                    return Err(format!("announced emission {at} in two ways"));
                }
                Some(_) | None => {}
            }
        }
        self.sent[node] = Some(emission);
        Ok(())
    }

    fn hears(&mut self, node: usize, emission: (u64, Content)) {
        if self.heard[node].is_none_or(|(newest, _)| emission.0 > newest) {
            self.heard[node] = Some(emission);
        }
    }
}

impl Observer for Emission {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = &observation.what else { return };
        let place = node.place();
        let own = |sighting: &Sighting<'_>| sighting.destination == self.addresses[place];
        match act {
            Act::Booted { disk, .. } => {
                self.heard[place] = None;
                if *disk == Provenance::Stale {
                    self.sent[place] = None;
                }
            }
            Act::Given { input: Input::Frame { bytes, .. }, .. } => {
                let named = Sighting::of(bytes).and_then(Result::ok).filter(own);
                if let Some(sighting) = named.filter(|sighting| sighting.announce.verify().is_ok()) {
                    self.hears(place, (sighting.emitted_at, sighting.content));
                }
            }
            Act::Took(Output::Transmit { bytes, .. }) => {
                let Some(sighting) = Sighting::of(bytes).and_then(Result::ok).filter(own) else { return };
                if let Err(reason) = self.sends(place, (sighting.emitted_at, sighting.content)) {
                    self.finding.fail(observation.at, || format!("node {} {reason}", node.0));
                }
            }
            Act::Took(_)
            | Act::Given { .. }
            | Act::Crashed
            | Act::Durable(_)
            | Act::Woken { .. }
            | Act::Rested { .. } => {}
        }
    }
}

impl Judge for Emission {
    fn name(&self) -> &'static str {
        "emission"
    }

    fn verdict(&self) -> Verdict {
        self.finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sighting::forge::{Step, address, announce, objection, with_hops};
    use super::*;

    /// Node 0 has identity 7.
    fn judged(steps: Vec<Step>) -> String {
        objection(Emission::new(vec![address(7)]), steps)
    }

    fn sends(emitted_at: u64, variant: u8) -> Step {
        Step::Sends(announce(7, emitted_at, variant))
    }

    #[test]
    fn an_emission_may_be_sent_again_but_not_in_two_ways() {
        assert_eq!(judged(vec![sends(100, 1), sends(100, 1), sends(101, 2)]), "");
        assert!(judged(vec![sends(100, 1), sends(100, 2)]).contains("in two ways"));
    }

    #[test]
    fn an_older_emission_after_a_newer_one_is_wrong_even_after_a_restart() {
        assert!(judged(vec![sends(100, 1), sends(99, 2)]).contains("99 after it sent 100"));
        let restarted = vec![sends(100, 1), Step::Boots(Provenance::Kept), sends(99, 2)];
        assert!(judged(restarted).contains("99 after it sent 100"));
    }

    #[test]
    fn a_disk_that_was_set_back_excuses_a_node_until_it_hears_itself() {
        let set_back = || vec![sends(100, 1), Step::Boots(Provenance::Stale), sends(50, 2)];
        assert_eq!(judged(set_back()), "");
        let heard = || Step::Hears(with_hops(announce(7, 100, 1), 3));
        let went_on = set_back().into_iter().chain([heard(), sends(51, 3)]).collect();
        assert!(judged(went_on).contains("51 after it heard 100"));
        let went_beyond = set_back().into_iter().chain([heard(), sends(101, 3)]).collect();
        assert_eq!(judged(went_beyond), "");
    }

    #[test]
    fn what_others_announce_is_no_concern_of_this_judge() {
        let other = |emitted_at| Step::Sends(announce(8, emitted_at, 1));
        assert_eq!(judged(vec![other(100), other(50)]), "");
    }
}
