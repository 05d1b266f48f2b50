//! What was heard is acknowledged, and what was acknowledged is not said again.

use super::costs::records_of;
use super::finding::response_of;
use super::links::{FAST, FOUR, ONE, THREE, TWO, address, promised, up};
use super::*;
use nexus_wire::nexus::cost::{CostAcks, CostHeard, CostPrint, CostRecord};
use nexus_wire::nexus::frame::HEADER_LEN;
use nexus_wire::nexus::message::Messages;
use nexus_wire::nexus::path_cost::HopCount;

use crate::announces::costs::record_beside;

#[test]
fn an_announce_heard_on_a_link_is_acknowledged_there_within_seconds_and_not_on_the_slowest() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    for (link, peer, bps) in [(ONE, 2, FAST), (TWO, 3, FAST), (THREE, 4, 5_000)] {
        node.tell(up(link, peer, bps));
    }
    node.hear_on(ONE, announce_of(7, UNIX));
    node.hear_on(ONE, announce_of(8, UNIX));
    node.hear_on(THREE, announce_of(9, UNIX));
    let acknowledged = acks(&node.wait_briefly_for_all());
    let [(ONE, lines)] = &acknowledged[..] else { panic!("one message: {acknowledged:?}") };
    assert_eq!(lines.len(), 2, "what came together is acknowledged together");
    let print = |n| CostPrint::of(&said(n));
    assert!(lines.contains(&CostHeard { destination: address(7), print: print(7) }));
    // Another neighbour says the same: that one is answered too.
    node.hear_on(TWO, promised(announce_of(7, UNIX)));
    assert_eq!(acks(&node.wait_briefly_for_all()).len(), 1);
}

#[test]
fn what_is_acknowledged_is_not_said_again_and_what_has_changed_since_is() {
    for (heard, again) in [(true, 0), (false, 4)] {
        let mut node = Bench::without_interfaces(&Snapshot::empty());
        node.tell(up(ONE, 2, FAST));
        node.tell(up(TWO, 3, FAST));
        node.hear_on(ONE, announce_of(7, UNIX));
        let told = node.wait_briefly_for_all();
        assert!(told.iter().any(|effect| matches!(effect, Effect::Tell { link: TWO, .. })));
        let mut print = CostPrint::of(&node.organ.words(&address(7)).unwrap());
        if !heard {
            print = CostPrint(print.0 ^ 1);
        }
        node.tell(Input::CostsHeard { link: TWO, lines: vec![CostHeard { destination: address(7), print }] });
        let mut later = 0;
        for _ in 0..40 {
            let said = node.wait_briefly_for_all();
            later += said.iter().filter(|effect| is_said_to(effect, TWO)).count();
            node.now = node.now.after(Duration::from_secs(9));
        }
        assert_eq!(later, again, "{heard}");
    }
}

#[test]
fn who_said_an_announce_before_it_was_passed_on_is_told_what_it_costs_and_the_others_all_of_it() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    for (link, peer, bps) in [(ONE, 2, FAST), (TWO, 3, FAST), (THREE, 4, 500_000), (FOUR, 5, FAST)] {
        node.tell(up(link, peer, bps));
    }
    node.wait_briefly_for_all();
    for link in [ONE, TWO, THREE] {
        node.hear_on(link, promised(announce_of(7, UNIX)));
    }
    let effects = node.wait_briefly_for_all();
    let all_of_it = |link| {
        let is_meant = |effect: &&Effect| matches!(effect, Effect::Tell { link: to, .. } if *to == link);
        effects.iter().filter(is_meant).count()
    };
    assert_eq!([ONE, TWO, THREE, FOUR].map(all_of_it), [0, 0, 0, 1]);
    let costs: Vec<LinkId> = effects.iter().flat_map(records_of).map(|(link, _)| link).collect();
    assert_eq!(costs, [TWO, THREE], "nothing to whom the way begins with");
}

#[test]
fn what_is_said_once_more_after_something_else_has_to_be_heard_once_more() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(up(ONE, 2, FAST));
    node.tell(up(TWO, 3, FAST));
    node.hear_on(ONE, announce_of(7, UNIX));
    node.wait_briefly_for_all();
    let destination = address(7);
    let print = CostPrint::of(&node.organ.words(&destination).unwrap());
    let line = CostHeard { destination, print };
    node.tell(Input::CostsHeard { link: TWO, lines: vec![line] });
    assert!(node.organ.has_heard(TWO, &destination));
    // The way is lost, which is said, and comes back as it was: nobody acknowledged either.
    node.tell(Input::LinkDown(ONE));
    node.wait_briefly_for_all();
    node.tell(up(ONE, 2, FAST));
    node.hear_on(ONE, announce_of(7, UNIX));
    node.wait_briefly_for_all();
    assert_eq!(CostPrint::of(&node.organ.words(&destination).unwrap()), print, "the same words");
    assert!(!node.organ.has_heard(TWO, &destination));
    node.tell(Input::CostsHeard { link: TWO, lines: vec![line] });
    assert!(node.organ.has_heard(TWO, &destination));
    let other = CostHeard { print: CostPrint(print.0 ^ 1), ..line };
    node.tell(Input::CostsHeard { link: TWO, lines: vec![other] });
    assert!(!node.organ.has_heard(TWO, &destination), "it heard something else last");
}

#[test]
fn what_was_to_be_repeated_when_nobody_was_there_is_repeated_to_who_comes() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(up(ONE, 2, FAST));
    node.tell(up(TWO, 3, FAST));
    node.hear_on(ONE, announce_of(7, UNIX));
    node.wait_briefly_for_all();
    node.tell(Input::LinkDown(TWO));
    node.tell(Input::LinkDown(ONE));
    for _ in 0..40 {
        node.wait_briefly_for_all();
        node.now = node.now.after(Duration::from_secs(9));
    }
    assert!(!node.organ.repeats.contains(&address(7)), "nothing seems to be seen to that is not");
    node.tell(up(ONE, 2, FAST));
    node.tell(up(TWO, 3, FAST));
    node.hear_on(ONE, announce_of(7, UNIX));
    node.wait_briefly_for_all();
    assert!(node.organ.repeats.contains(&address(7)));
}

#[test]
fn what_is_known_as_an_answer_alone_is_not_acknowledged_so_that_its_announce_still_comes() {
    let mut node = Bench::without_interfaces(&Snapshot::empty());
    node.tell(up(ONE, 2, FAST));
    node.tell(up(TWO, 3, FAST));
    node.tell(Input::Find { destination: address(7), motive: SearchMotive::Wish });
    node.hear_on(ONE, response_of(7, UNIX));
    node.hear_on(TWO, response_of(7, UNIX));
    assert!(node.organ.path(&address(7)).is_some(), "whoever was asked answered");
    node.tell(Input::Costs { link: ONE, records: vec![said(7)] });
    let effects = node.wait_briefly_for_all();
    assert_eq!(acks(&effects), [], "it would be taken for having the announce");
    node.hear_on(ONE, announce_of(7, UNIX));
    let effects = node.wait_briefly_for_all();
    assert_eq!(acks(&effects).len(), 1);
    assert!(effects.iter().any(|effect| is_said_to(effect, TWO)), "and it is passed on");
}

fn is_said_to(effect: &Effect, to: LinkId) -> bool {
    match effect {
        Effect::Tell { link, .. } | Effect::Say { to: Outlet::Link(link), .. } => *link == to,
        _ => false,
    }
}

/// What [`Bench::hear_on`] says of the cost to a node.
fn said(n: u8) -> CostRecord {
    let bytes = announce_of(n, UNIX);
    let packet = Packet::decode(&bytes).unwrap();
    let announce = Announce::from_packet(&packet).unwrap();
    record_beside(
        announce.destination,
        announce.claim.random_hash,
        CompactPathCost { hops: HopCount(2), ..CompactPathCost::ORIGIN },
    )
}

/// The acknowledgements among what is said, by link.
fn acks(effects: &[Effect]) -> Vec<(LinkId, Vec<CostHeard>)> {
    let ack = |effect: &Effect| {
        let Effect::Say { to: Outlet::Link(link), message } = effect else { return None };
        let message = Messages::new(&message[HEADER_LEN..]).next()?.ok()?;
        Some((*link, message.parse::<CostAcks<'_>>().ok()?.lines().collect()))
    };
    effects.iter().filter_map(ack).collect()
}
