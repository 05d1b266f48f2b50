//! What is said to a node across stock relays, which carry announces too.

use nexus_wire::nexus::cost::{CostAcks, CostHeard, CostList, CostPrint, CostRecord};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::Messages;

use super::*;
use crate::announces::costs::record_beside;

/// Where the crossing is.
const CROSSING: InterfaceId = InterfaceId(9);
/// What is slower than anything that is told again.
const SLOW: u64 = 2_000;

/// A node with stock nodes on one side, and a crossing of this bandwidth to the node 2.
fn crossed(bps: u64) -> Bench {
    let mut node = Bench::start(&Snapshot::empty());
    let hop = Hop { price: 0, latency: LatencyMs(1), bandwidth: BandwidthCode::nearest(bps) };
    let peer = identity(2).public().hash();
    node.tell(Input::Crosses(CROSSING));
    node.tell(Input::LinkUp { link: link(0), iface: CROSSING, peer, hop });
    node.across_within(1);
    node
}

#[test]
fn what_stock_nodes_carry_is_told_across_them_as_a_cost_alone_if_that_is_acknowledged() {
    for bps in [SLOW, 10_000_000] {
        let mut node = crossed(bps);
        node.hear(&relayed(7, UNIX, 3, STOCK));
        let said = node.across_within(10);
        let [record] = said.costs_of(7)[..] else { panic!("{bps}: one record: {said:?}") };
        assert_eq!((said.whole_of(7), record.cost.hops), (0, HopCount(4)), "{bps}");
        let line = CostHeard { destination: address(7), print: CostPrint::of(&record) };
        node.tell(Input::CostsHeard { link: link(0), lines: vec![line] });
        let said = node.across_within(600);
        assert_eq!((said.whole_of(7), said.costs_of(7).len()), (0, 0), "{bps}");
    }
}

#[test]
fn who_does_not_acknowledge_the_cost_is_told_the_announce() {
    for bps in [SLOW, 10_000_000] {
        let mut node = crossed(bps);
        node.hear(&relayed(7, UNIX, 3, STOCK));
        assert_eq!(node.across_within(14).whole_of(7), 0, "{bps}");
        assert!(node.across_within(60).whole_of(7) > 0, "{bps}: it may have been carried nowhere else");
    }
}

#[test]
fn who_says_what_it_costs_there_has_the_announce() {
    let mut node = crossed(10_000_000);
    node.hear(&relayed(7, UNIX, 3, STOCK));
    node.across_within(1);
    node.tell(Input::Costs { link: link(0), records: vec![record(2)] });
    assert_eq!(node.across_within(600).whole_of(7), 0);
}

#[test]
fn what_was_known_when_a_crossing_came_up_is_told_as_costs_first_and_whole_a_while_later() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&relayed(7, UNIX, 3, STOCK));
    node.across_within(5);
    node.tell(Input::Crosses(CROSSING));
    node.tell(linked(0));
    let first = node.across_within(14);
    assert_eq!((first.whole_of(7), first.costs_of(7).len()), (0, 1), "{first:?}");
    assert_eq!(node.across_within(20).whole_of(7), 1);
}

#[test]
fn an_own_emission_that_goes_over_links_alone_is_told_whole() {
    let mut node = crossed(10_000_000);
    node.tell(Input::Ratchet(ratchet()));
    let mut said = Told::default();
    said.take(node.tell(Input::Durable(1)));
    said.take_all(node.across_within(10));
    assert_eq!((said.whole_of(1), said.costs_of(1).len()), (0, 1), "it is said in clear: {said:?}");
    let acknowledged = CostPrint::of(&said.costs_of(1)[0]);
    let line = CostHeard { destination: address(1), print: acknowledged };
    node.tell(Input::CostsHeard { link: link(0), lines: vec![line] });
    // Half an hour later links hear the next one, and stock nodes do not.
    let mut later = node.across_within(2_100);
    assert_eq!(later.whole_of(1), 0);
    let number = later.write.take().expect("another emission");
    later.take(node.tell(Input::Durable(number)));
    assert_eq!((later.whole_of(1), later.costs_of(1).len()), (1, 0), "{later:?}");
}

#[test]
fn a_cost_that_came_before_its_announce_is_acknowledged_when_that_comes_in_clear() {
    let mut node = crossed(SLOW);
    node.tell(Input::Costs { link: link(0), records: vec![record(2)] });
    assert_eq!(node.across_within(10).acknowledged, [], "nobody vouches for it yet");
    node.hear(&relayed(7, UNIX, 3, STOCK));
    let line = CostHeard { destination: address(7), print: CostPrint::of(&record(2)) };
    assert_eq!(node.across_within(10).acknowledged, [line]);
    assert!(node.ways(7).iter().any(|via| via.link() == Some(link(0))), "{:?}", node.ways(7));
}

/// What the peer says of the destination 7.
fn record(hops: u8) -> CostRecord {
    let bytes = announce_of(7, UNIX);
    let packet = Packet::decode(&bytes).unwrap();
    let announce = Announce::from_packet(&packet).unwrap();
    let cost = CompactPathCost { hops: HopCount(hops), ..CompactPathCost::ORIGIN };
    record_beside(announce.destination, announce.claim.random_hash, cost)
}

/// What was said over the crossing, and written.
#[derive(Debug, Default)]
struct Told {
    whole: Vec<DestinationHash>,
    costs: Vec<CostRecord>,
    acknowledged: Vec<CostHeard>,
    write: Option<u64>,
}

impl Told {
    fn whole_of(&self, n: u8) -> usize {
        self.whole.iter().filter(|about| **about == address(n)).count()
    }

    fn costs_of(&self, n: u8) -> Vec<CostRecord> {
        self.costs.iter().filter(|record| record.destination == address(n)).copied().collect()
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Tell { about, .. } => self.whole.push(about),
                Effect::Write { number, .. } => self.write = Some(number),
                Effect::Say { message, .. } => {
                    for message in Messages::new(&message[HEADER_LEN..]).map(Result::unwrap) {
                        if let Ok(list) = message.parse::<CostList<'_>>() {
                            self.costs.extend(list.records());
                        } else if let Ok(acks) = message.parse::<CostAcks<'_>>() {
                            self.acknowledged.extend(acks.lines());
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn take_all(&mut self, other: Self) {
        self.whole.extend(other.whole);
        self.costs.extend(other.costs);
        self.acknowledged.extend(other.acknowledged);
    }
}

impl Bench {
    fn across_within(&mut self, seconds: u64) -> Told {
        let until = self.now.after(Duration::from_secs(seconds));
        let mut told = Told::default();
        while let Some(deadline) = self.organ.next_timeout().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            let mut out: VecDeque<Effect> = VecDeque::new();
            self.wake(&mut out);
            told.take(out.into());
        }
        self.now = until;
        told
    }
}
