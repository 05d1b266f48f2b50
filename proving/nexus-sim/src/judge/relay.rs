//! What relays may do to announces. Source: spec/network.md#announces.

use std::collections::{BTreeMap, BTreeSet};

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Inserted, MapOverflow};
use nexus_network::{InterfaceId, Mode};
use nexus_node::{Event, Input, Output};

use super::sighting::{Content, Sighting};
use crate::observation::{Act, Finding, Judge, Observation, Observer, Verdict, What};

/// Whatever announce a node passes on verifies, was heard by it in this life or an earlier one (it remembers whom it reaches in clear),
/// counts one hop more than some copy that it heard, and is no older than the newest that it passed on for that destination since it
/// started. Its own it sends with no hops.
///
/// Nobody outside can read what a node hears over links: there, what it reports as reached is taken for heard. The judge of
/// truth sees to it that it is not made up. Of a copy that came over a link later, by a better way, it reports nothing, and passes on as
/// many hops as that way has: where a node has links, hops are held to be counted at all, and no more.
#[derive(Debug)]
pub struct Relay {
    addresses: Vec<DestinationHash>,
    nodes: Vec<Node>,
    /// Contents that were verified before: most frames are copies.
    genuine: BoundedMap<Content, ()>,
    finding: Finding,
}

#[derive(Debug)]
struct Node {
    /// The hop counts at which each content was heard, one bit each.
    heard: BoundedMap<Content, u128>,
    /// The same by destination and emission time, for what came over links.
    reached: BoundedMap<(DestinationHash, u64), u128>,
    /// The interfaces that speak links.
    linked: BTreeSet<InterfaceId>,
    newest: BTreeMap<DestinationHash, u64>,
}

/// A run of weeks is judged in bounded memory: what was heard this many announces ago is not relayed any more.
const REMEMBERED: usize = 4_096;

impl Node {
    fn new() -> Self {
        let (heard, reached) = (remembering(REMEMBERED), remembering(REMEMBERED));
        Self { heard, reached, linked: BTreeSet::new(), newest: BTreeMap::new() }
    }

    /// What it heard it may remember; on which interfaces, and what it passed on, it does not.
    fn starts(&mut self) {
        self.linked.clear();
        self.newest.clear();
    }

    fn hears(&mut self, sighting: &Sighting<'_>) {
        let before = self.heard.get(&sighting.content).copied().unwrap_or_default();
        remember(&mut self.heard, sighting.content, before | 1 << sighting.hops);
    }

    fn reports(&mut self, event: &Event) {
        if let Event::Reached { destination, emitted_at, hops: hops @ 1..=128, iface } = event
            && self.linked.contains(iface)
        {
            let emission = (*destination, *emitted_at);
            let before = self.reached.get(&emission).copied().unwrap_or_default();
            // It has counted the hop by which it heard it.
            remember(&mut self.reached, emission, before | 1 << (hops - 1));
        }
    }

    /// The hop counts at which it heard an announce, one bit each.
    fn heard_at(&self, sighting: &Sighting<'_>) -> u128 {
        let in_clear = self.heard.get(&sighting.content).copied().unwrap_or_default();
        let emission = (sighting.destination, sighting.emitted_at);
        in_clear | self.reached.get(&emission).copied().unwrap_or_default()
    }
}

const fn remembering<K: Ord + Clone, V>(capacity: usize) -> BoundedMap<K, V> {
    BoundedMap::new(capacity, MapOverflow::EvictLeastRecent)
}

fn remember<K: Ord + Clone, V>(map: &mut BoundedMap<K, V>, key: K, value: V) {
    match map.insert(key, value) {
        Inserted::Fresh | Inserted::Replaced(_) | Inserted::Evicted(..) | Inserted::Refused(_) => {}
    }
}

impl Relay {
    /// A judge of the nodes with these addresses.
    #[must_use]
    pub fn new(addresses: Vec<DestinationHash>) -> Self {
        let nodes = addresses.iter().map(|_| Node::new()).collect();
        Self { addresses, nodes, genuine: remembering(REMEMBERED), finding: Finding::default() }
    }

    fn transmits(&mut self, node: usize, sighting: &Sighting<'_>) -> Result<(), String> {
        let (destination, hops) = (sighting.destination, sighting.hops);
        if self.genuine.get(&sighting.content).is_none() {
            sighting
                .announce
                .verify()
                .map_err(|error| format!("sent an announce of {destination}: {error}"))?;
            remember(&mut self.genuine, sighting.content, ());
        }
        if destination == self.addresses[node] {
            return if hops == 0 { Ok(()) } else { Err(format!("sent its own announce with {hops} hops")) };
        }
        let state = &mut self.nodes[node];
        let heard_at = state.heard_at(sighting);
        if heard_at == 0 {
            return Err(format!("relayed an announce of {destination} that it never heard"));
        }
        let is_seen_whole = state.linked.is_empty();
        if hops == 0 || is_seen_whole && heard_at & (1 << (hops - 1)) == 0 {
            return Err(format!(
                "relayed an announce of {destination} with {hops} hops, not one more than it heard"
            ));
        }
        let newest = state.newest.entry(destination).or_insert(sighting.emitted_at);
        if sighting.emitted_at < *newest {
            let older = sighting.emitted_at;
            return Err(format!("relayed emission {older} of {destination} after {newest}"));
        }
        *newest = sighting.emitted_at;
        Ok(())
    }
}

impl Observer for Relay {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = &observation.what else { return };
        let place = node.place();
        match act {
            Act::Booted { .. } => self.nodes[place].starts(),
            Act::Given { input: Input::Frame { bytes, .. }, .. } => {
                if let Some(Ok(sighting)) = Sighting::of(bytes) {
                    self.nodes[place].hears(&sighting);
                }
            }
            Act::Given { input: Input::Up { iface, profile }, .. } => {
                let linked = &mut self.nodes[place].linked;
                match profile.mode {
                    Mode::Nexus => _ = linked.insert(*iface),
                    Mode::Reticulum => _ = linked.remove(iface),
                }
            }
            Act::Took(Output::Event(event)) => self.nodes[place].reports(event),
            Act::Took(Output::Transmit { bytes, .. }) => {
                let judged = match Sighting::of(bytes) {
                    None => Ok(()),
                    Some(Ok(sighting)) => self.transmits(place, &sighting),
                    Some(Err(error)) => Err(format!("sent a malformed announce: {error}")),
                };
                if let Err(reason) = judged {
                    self.finding.fail(observation.at, || format!("node {} {reason}", node.0));
                }
            }
            Act::Took(Output::Sense { .. } | Output::Persist { .. })
            | Act::Given { .. }
            | Act::Crashed
            | Act::Durable(_)
            | Act::Woken { .. }
            | Act::Rested { .. } => {}
        }
    }
}

impl Judge for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn verdict(&self) -> Verdict {
        self.finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{IFACE, Script, frame, up};
    use super::super::sighting::forge::{Step, address, announce, objection, with_hops};
    use super::*;
    use crate::observation::Provenance;

    /// Node 0 has identity 7 and hears of identity 8.
    fn judged(steps: Vec<Step>) -> String {
        objection(Relay::new(vec![address(7)]), steps)
    }

    fn hears(emitted_at: u64, hops: u8) -> Step {
        Step::Hears(with_hops(announce(8, emitted_at, 1), hops))
    }

    fn sends(emitted_at: u64, hops: u8) -> Step {
        Step::Sends(with_hops(announce(8, emitted_at, 1), hops))
    }

    #[test]
    fn a_relay_counts_one_hop_more_than_a_copy_that_it_heard() {
        assert_eq!(judged(vec![hears(5, 2), hears(5, 4), sends(5, 5)]), "");
        assert!(judged(vec![hears(5, 2), sends(5, 2)]).contains("with 2 hops"));
        assert!(judged(vec![hears(5, 2), sends(5, 0)]).contains("with 0 hops"));
        assert!(judged(vec![hears(5, 2), sends(5, 4)]).contains("with 4 hops"));
    }

    #[test]
    fn what_came_over_a_link_is_relayed_as_it_was_reported() {
        let relayed = |mode, hops| {
            let reached = Event::Reached { destination: address(8), emitted_at: 5, hops: 3, iface: IFACE };
            let sent = with_hops(announce(8, 5, 1), hops);
            let script = Script::new(Relay::new(vec![address(7)])).gives(0, &up(mode));
            script.reports(0, reached).takes(0, &frame(None, &sent)).objection()
        };
        assert_eq!(relayed(Mode::Nexus, 3), "");
        assert_eq!(relayed(Mode::Nexus, 1), "", "a better way over links is not seen from outside");
        assert!(relayed(Mode::Nexus, 0).contains("with 0 hops"));
        assert!(relayed(Mode::Reticulum, 3).contains("never heard"), "in clear it would have been seen");
    }

    #[test]
    fn what_was_not_heard_is_not_relayed_and_what_an_earlier_life_heard_may_be() {
        assert!(judged(vec![sends(5, 1)]).contains("never heard"));
        assert_eq!(judged(vec![hears(5, 0), Step::Boots(Provenance::Kept), sends(5, 1)]), "");
        let other = vec![hears(5, 0), Step::Boots(Provenance::Kept), sends(6, 1)];
        assert!(judged(other).contains("never heard"));
    }

    #[test]
    fn an_older_emission_is_not_relayed_after_a_newer_one() {
        assert_eq!(judged(vec![hears(5, 0), sends(5, 1), hears(6, 0), sends(6, 1)]), "");
        assert!(judged(vec![hears(5, 0), hears(6, 0), sends(6, 1), sends(5, 1)]).contains("emission 5"));
    }

    #[test]
    fn a_forged_announce_is_not_relayed_whatever_was_heard() {
        let mut forged = announce(8, 5, 1);
        *forged.last_mut().unwrap() ^= 1;
        let steps = vec![Step::Hears(forged.clone()), Step::Sends(with_hops(forged, 1))];
        assert!(judged(steps).contains("does not verify"));
    }

    #[test]
    fn a_malformed_announce_is_not_sent_and_ones_own_has_no_hops() {
        let mut short = announce(8, 5, 1);
        short.truncate(60);
        assert!(judged(vec![Step::Sends(short)]).contains("malformed"));
        assert_eq!(judged(vec![Step::Sends(announce(7, 5, 1))]), "");
        assert!(judged(vec![Step::Sends(with_hops(announce(7, 5, 1), 1))]).contains("its own announce"));
    }
}
