//! What crossings know of prices that nobody says in clear.

use super::*;
use nexus_wire::nexus::code::PriceCode;
use nexus_wire::nexus::path_cost::CostCode;

/// Where the crossing is.
const CROSSING: InterfaceId = InterfaceId(9);

/// A node with stock nodes on one side, and a crossing to the node 2, which is two stock relays away and says that it reaches 7 for 500.
fn crossed() -> Bench {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&relayed(2, UNIX, 2, STOCK));
    node.tell(linked(0));
    node.tell(Input::Crosses(CROSSING));
    node
}

fn say_price(node: &mut Bench, price: u64) {
    let cumulative_cost = CostCode::Known(PriceCode::nearest(price));
    let cost = CompactPathCost { hops: HopCount(1), cumulative_cost, ..CompactPathCost::ORIGIN };
    node.tell(Input::HeardOnLink { link: link(0), cost, packet: announce_of(7, UNIX) });
}

/// What the way in clear to 7 costs.
fn price_in_clear(node: &Bench) -> u64 {
    let paths: Vec<Path> = node.organ.paths(&address(7), node.now).collect();
    let way = paths.iter().find(|path| path.via.link().is_none()).unwrap();
    way.cost.cumulative_cost.price().unwrap()
}

#[test]
fn what_a_crossing_says_of_a_price_counts_for_the_way_in_clear_that_may_lead_through_its_node() {
    // The node is three hops away, and says one more: what came four hops may have come through it.
    let mut node = crossed();
    node.hear(&relayed(7, UNIX, 3, STOCK));
    assert_eq!(price_in_clear(&node), 0);
    say_price(&mut node, 500);
    assert!(price_in_clear(&node).abs_diff(500) < 30, "{}", price_in_clear(&node));
    say_price(&mut node, 2_000);
    assert!(price_in_clear(&node).abs_diff(2_000) < 100, "{}", price_in_clear(&node));
    // The other way round.
    let mut node = crossed();
    say_price(&mut node, 500);
    node.hear(&relayed(7, UNIX, 3, STOCK));
    assert!(price_in_clear(&node).abs_diff(500) < 30, "{}", price_in_clear(&node));
}

#[test]
fn a_way_in_clear_that_is_too_short_to_lead_through_a_crossings_node_stays_free() {
    let mut node = crossed();
    say_price(&mut node, 500);
    node.hear(&relayed(7, UNIX, 1, STOCK));
    assert_eq!(price_in_clear(&node), 0);
}

#[test]
fn the_word_of_a_link_that_is_no_crossing_says_nothing_of_ways_in_clear() {
    let mut node = Bench::start(&Snapshot::empty());
    node.hear(&relayed(2, UNIX, 2, STOCK));
    node.tell(linked(0));
    say_price(&mut node, 500);
    node.hear(&relayed(7, UNIX, 3, STOCK));
    assert_eq!(price_in_clear(&node), 0);
}

#[test]
fn a_way_in_clear_that_a_crossing_made_dear_is_there_when_the_crossing_is_gone() {
    let mut node = crossed();
    say_price(&mut node, 500);
    node.hear(&relayed(7, UNIX, 3, STOCK));
    node.tell(Input::LinkDown(link(0)));
    assert!(matches!(node.ways(7)[..], [Via::Clear { iface: LEFT, .. }]), "{:?}", node.ways(7));
    assert!(price_in_clear(&node) > 0, "it leads where it led");
    // Of the next emission nobody said a price.
    node.hear(&relayed(7, UNIX + 1, 3, STOCK));
    assert_eq!(price_in_clear(&node), 0);
}
