//! Traces: what is answered, to whom, how often, and what is taken for an answer; and by what everything is sent.

use super::*;
use crate::contract::Traced;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::path_cost::{CostCode, HopCount, LatencyMs};
use nexus_wire::nexus::trace::TraceAnswer;

#[test]
fn a_trace_is_answered_with_the_hops_that_it_came_the_clock_and_the_way_back() {
    let mut world = World::new();
    world.way_back = Some(way());
    world.trace(1);
    received_often(&mut world.air[0].1, 3);
    world.now = world.now.after(Duration::from_secs(2));
    world.carry_one();
    let [_proof, answer] = &mut world.catch(ANN)[..] else { panic!("a proof and an answer") };
    received_often(answer, 5);
    world.tell(ANN, Input::Arrived(answer.clone(), Class::Interactive, None));
    let [Effect::Traced { handle: 1, attempts: 1, round_trip, traced }] = world.ends()[..] else {
        panic!("it ends: {:?}", world.ends())
    };
    assert_eq!(*round_trip, Duration::from_secs(2));
    let clock_ms = Some((UNIX + 2) * 1_000);
    let expected = Traced { there: HopCount(3), back: HopCount(5), way_back: Some(way()), clock_ms };
    assert_eq!(*traced, expected);
    assert!(world.texts(BOB).is_empty(), "a trace is no message");
}

#[test]
fn a_trace_ends_once_and_its_proof_and_a_pings_answer_do_not_end_it() {
    let mut world = World::new();
    world.trace(1);
    world.carry_one();
    let [proof, answer] = &world.catch(ANN)[..] else { panic!("a proof and an answer") };
    world.tell(ANN, Input::Arrived(proof.clone(), Class::Interactive, None));
    assert_eq!(world.ends().len(), 0);
    for _ in 0..2 {
        world.tell(ANN, Input::Arrived(answer.clone(), Class::Interactive, None));
    }
    let [Effect::Traced { traced, .. }] = world.ends()[..] else { panic!("once: {:?}", world.ends()) };
    assert_eq!(traced.way_back, None, "no way was known");
    world.trace(2);
    let nonce = [7; 8];
    let ratchet = world.ratchet(ANN);
    let mut random = Seed::new([4; 32]).fork("guesser");
    let guessed = TraceAnswer { nonce, clock_ms: 1, hops: HopCount(1), back: None };
    let mut body = [0; TraceAnswer::MAX_LEN];
    let body = guessed.encode(&mut body).unwrap();
    for (service, body) in [(Service::TRACE, &*body), (Service::PING, &nonce), (Service::TRACE, &[1; 20])] {
        let letter = Letter { service, reply_to: None, request_id: 1, body };
        let key = RecipientPublic::Ratchet(&ratchet);
        let guess = envelope::seal(&letter, &node(ANN), key, None, &mut random).unwrap();
        world.tell(ANN, Input::Arrived(guess, Class::Interactive, None));
    }
    assert_eq!(world.ends().len(), 1);
    let refusals = world.refusals(ANN);
    assert_eq!((refusals.unproved, refusals.malformed), (3, 1), "one came twice; 20 bytes are none");
}

#[test]
fn a_node_that_answers_no_traces_proves_none_and_counts_them() {
    let mut world = World::new();
    world.traces = Traces::Unanswered;
    world.trace(1);
    world.carry_one();
    assert_eq!((world.catch(ANN).len(), world.refusals(BOB).unknown), (0, 1));
    world.probe(2);
    world.carry();
    assert!(matches!(world.ends()[..], [Effect::Delivered { handle: 2, .. }]), "pings are another matter");
}

#[test]
fn traces_and_pings_share_one_allowance() {
    let mut world = World::with(Limits { outgoing: 64, inbox: 10, remembered: 50 });
    for handle in 0..15 {
        world.probe(handle);
        world.trace(100 + handle);
    }
    world.carry();
    assert_eq!((world.ends().len(), world.refusals(BOB).busy), (20, 10));
}

#[test]
fn what_is_sent_carries_its_policy_and_answers_are_sent_by_the_nodes_own() {
    let mut world = World::new();
    world.probe_with(1, Content::Trace, Some(PathPolicy::Cheapest));
    world.probe_with(2, Content::Ping { padding: 0 }, None);
    world.carry();
    assert_eq!(world.policies, [Some(PathPolicy::Cheapest), None, None, None]);
}

impl World {
    fn trace(&mut self, handle: u64) {
        self.probe_with(handle, Content::Trace, None);
    }
}

/// As after so many hops: each receiver counts one.
fn received_often(packet: &mut [u8], hops: u8) {
    packet[1] = hops;
}

pub(super) fn way() -> CompactPathCost {
    CompactPathCost {
        cumulative_cost: CostCode::Known(PriceCode::nearest(40)),
        worst_latency: LatencyMs(25),
        bottleneck: BandwidthCode::nearest(1_000_000),
        hops: HopCount(4),
    }
}
