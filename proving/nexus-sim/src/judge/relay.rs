//! What relays may do to announces. Source: spec/network.md#announces.

use std::collections::BTreeMap;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedMap, Inserted, MapOverflow};
use nexus_network::{Opened, Tapping};
use nexus_node::{Input, Output};
use nexus_wire::nexus::cost::{CostList, CostRecord};
use nexus_wire::nexus::message::{Message, MessageKind, Messages};
use nexus_wire::nexus::path_cost::CompactPathCost;
use nexus_wire::nexus::recording::Direction;
use nexus_wire::nexus::traffic;

use super::sighting::{Content, Sighting};
use crate::clock::WorldTime;
use crate::observation::{Act, Finding, Judge, NodeIndex, Observation, Observer, Verdict, What};

/// Whatever announce a node passes on, in clear or over a link, verifies, was heard by it in this life or an earlier one (it remembers whom
/// it reaches in clear), counts one hop more than some copy that it heard, and is no older than the newest that it passed on for that
/// destination since it started. Its own it sends with no hops.
///
/// Of a path over links a later cost may tell another number of hops. What goes over links it reads at the node's tap, whole messages only:
/// an announce that came in fragments was not heard.
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
    /// The same for what costs said later of an emission's path, whose number of hops changes without another announce.
    costs: BoundedMap<(DestinationHash, [u8; 10]), u128>,
    newest: BTreeMap<DestinationHash, u64>,
}

/// A run of weeks is judged in bounded memory: what was heard this many announces ago is not relayed any more.
const REMEMBERED: usize = 4_096;

impl Node {
    fn new() -> Self {
        Self { heard: remembering(REMEMBERED), costs: remembering(REMEMBERED), newest: BTreeMap::new() }
    }

    /// What it heard it may remember; what it passed on, it does not.
    fn starts(&mut self) {
        self.newest.clear();
    }

    /// It hears an announce; over a link, with what its path costs.
    fn hears(&mut self, sighting: &Sighting<'_>, cost: Option<CompactPathCost>) {
        let before = self.heard.get(&sighting.content).copied().unwrap_or_default();
        let by_cost = cost.map_or(0, |cost| bit(cost.hops.0));
        remember(&mut self.heard, sighting.content, before | bit(sighting.hops) | by_cost);
    }

    fn hears_of_cost(&mut self, record: &CostRecord) {
        let emission = (record.destination, record.random_hash);
        let before = self.costs.get(&emission).copied().unwrap_or_default();
        remember(&mut self.costs, emission, before | bit(record.cost.hops.0));
    }

    /// The hop counts at which it heard an announce, one bit each; none if it never did.
    fn heard_at(&self, sighting: &Sighting<'_>) -> Option<u128> {
        let heard = self.heard.get(&sighting.content)?;
        let emission = (sighting.destination, *sighting.announce.claim.random_hash.as_bytes());
        Some(heard | self.costs.get(&emission).copied().unwrap_or_default())
    }
}

/// More hops than a packet may count are none.
fn bit(hops: u8) -> u128 {
    1_u128.checked_shl(hops.into()).unwrap_or_default()
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

    fn sends(&mut self, at: WorldTime, node: NodeIndex, packet: &[u8]) {
        let judged = match Sighting::of(packet) {
            None => Ok(()),
            Some(Ok(sighting)) => self.transmits(node.place(), &sighting),
            Some(Err(error)) => Err(format!("sent a malformed announce: {error}")),
        };
        if let Err(reason) = judged {
            self.finding.fail(at, || format!("node {} {reason}", node.0));
        }
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
        let Some(heard_at) = state.heard_at(sighting) else {
            return Err(format!("relayed an announce of {destination} that it never heard"));
        };
        if hops == 0 || heard_at & (1 << (hops - 1)) == 0 {
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
                    self.nodes[place].hears(&sighting, None);
                }
            }
            Act::Took(Output::Transmit { bytes, .. }) => self.sends(observation.at, *node, bytes),
            Act::Took(Output::Event(_) | Output::Sense { .. } | Output::Persist { .. })
            | Act::Given { .. }
            | Act::Crashed
            | Act::Durable(_)
            | Act::Woken { .. }
            | Act::Rested { .. } => {}
        }
    }

    fn wants_opened(&self) -> Tapping {
        Tapping::Open
    }

    fn opened(&mut self, at: WorldTime, node: NodeIndex, opened: &Opened) {
        for message in Messages::new(&opened.plaintext).map_while(Result::ok) {
            match (message.kind, opened.direction) {
                (MessageKind::ANNOUNCE, Direction::Sent) => {
                    if let Some((packet, _)) = announced(&message) {
                        self.sends(at, node, &packet);
                    }
                }
                (MessageKind::ANNOUNCE, Direction::Received) => {
                    if let Some((packet, cost)) = announced(&message)
                        && let Some(Ok(sighting)) = Sighting::of(&packet)
                    {
                        self.nodes[node.place()].hears(&sighting, Some(cost));
                    }
                }
                (MessageKind::COST, Direction::Received) => {
                    let records = message.parse::<CostList<'_>>().into_iter().flat_map(|list| list.records());
                    records.for_each(|record| self.nodes[node.place()].hears_of_cost(&record));
                }
                // Announces are nowhere else.
                _ => {}
            }
        }
    }
}

/// What a link carries, as it would be in clear without a transport id (links leave it out, and set the bit that promises it), and the cost
/// beside it.
fn announced(message: &Message<'_>) -> Option<(Vec<u8>, CompactPathCost)> {
    let traffic::Announce { cost, packet } = message.parse().ok()?;
    let mut packet = packet.to_vec();
    *packet.first_mut()? &= !HEADER_2;
    Some((packet, cost))
}

/// The bit that promises a transport id.
const HEADER_2: u8 = 0x40;

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
    use super::super::sighting::forge::{Step, address, announce, objection, with_hops};
    use super::*;
    use crate::observation::Provenance;
    use nexus_network::InterfaceId;
    use nexus_wire::nexus::Layout as _;
    use nexus_wire::nexus::frame::{KeyName, SealedHeader, SessionId};
    use nexus_wire::nexus::message::MessageWriter;
    use nexus_wire::nexus::path_cost::HopCount;

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
    fn what_came_over_a_link_counts_as_what_came_in_clear_and_so_does_what_leaves_over_one() {
        let said = |direction, hops| opened(direction, &with_hops(announce(8, 5, 1), hops));
        let after = |heard: u8, sent: Opened| {
            let mut judge = Relay::new(vec![address(7)]);
            judge.opened(WorldTime::START, NodeIndex(0), &said(Direction::Received, heard));
            judge.opened(WorldTime::START, NodeIndex(0), &sent);
            match judge.verdict() {
                Verdict::Passed => String::new(),
                Verdict::Failed(failure) => failure.reason,
            }
        };
        assert_eq!(after(2, said(Direction::Sent, 3)), "");
        assert!(after(2, said(Direction::Sent, 2)).contains("with 2 hops"));
        let unheard = opened(Direction::Sent, &with_hops(announce(8, 6, 1), 3));
        assert!(after(2, unheard).contains("never heard"));
        let relayed_in_clear = |hops| {
            let mut judge = Relay::new(vec![address(7)]);
            judge.opened(WorldTime::START, NodeIndex(0), &said(Direction::Received, 2));
            objection(judge, vec![sends(5, hops)])
        };
        assert_eq!(relayed_in_clear(3), "");
        assert!(relayed_in_clear(1).contains("with 1 hops"));
    }

    /// A frame of a link with that announce.
    fn opened(direction: Direction, packet: &[u8]) -> Opened {
        let mut packet = packet.to_vec();
        packet[0] |= HEADER_2;
        let announce = traffic::Announce {
            cost: CompactPathCost { hops: HopCount(packet[1]), ..CompactPathCost::ORIGIN },
            packet: &packet,
        };
        let mut plaintext = vec![0; 1 + announce.encoded_len()];
        MessageWriter::new(&mut plaintext).put_last(&announce).unwrap();
        let header = SealedHeader { key: KeyName::Session(SessionId::new(9).unwrap()), counter: 0 };
        Opened { iface: InterfaceId(0), direction, peer: None, header, plaintext }
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
