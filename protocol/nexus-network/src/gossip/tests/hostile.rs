//! Neighbours that lie, flood, ask without end, or say nothing. Each costs a bounded share, whatever it says.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Duration, Instant};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::gossip::Form;
use nexus_wire::nexus::gossip::{Done, ItemsBuilder, Request, Slice, StateHash, Summary};
use nexus_wire::nexus::message::MessageKind;

use super::world::{STORE, World, with_puppet};
use crate::gossip::Input;

const BPS: u64 = 100_000;
const HOUR: u64 = 3_600;

/// The puppet says `message` a hundred times a second for so long.
fn says(world: &mut World, seconds: u64, mut message: impl FnMut(&mut World) -> (MessageKind, Vec<u8>)) {
    for _ in 0..seconds * 100 {
        let (kind, body) = message(world);
        world.tell(0, Input::Heard { link: world.link(0), kind, body });
        world.run(Duration::from_millis(10));
    }
}

/// The most bytes that left in any ten minutes.
fn most_in_ten_minutes(world: &World) -> usize {
    let left = &world.edges[0].left[0];
    let from = |at: Instant| {
        left.iter().filter(move |(of, _)| *of >= at && of.since(at) <= Duration::from_secs(600))
    };
    left.iter().map(|(at, _)| from(*at).map(|(_, bytes)| *bytes).sum()).max().unwrap_or(0)
}

/// A tenth of what the link carries in ten minutes.
const TENTH: usize = 100_000 / 8 * 600 / 10;

#[test]
fn states_made_up_anew_each_time_are_answered_within_the_share() {
    let mut world = with_puppet(BPS, 400);
    says(&mut world, 300, |world| {
        let state_hash = StateHash(world.random.bytes());
        (MessageKind::DONE, Done { store: STORE, state_hash }.encode(&mut [0; 17]).unwrap().to_vec())
    });
    assert!(most_in_ten_minutes(&world) <= TENTH);
    let summaries = world.nodes[0].gossip.tally().said.summaries;
    assert!((1..=8 * (6 + 300 / 20)).contains(&summaries), "a summary in twenty seconds: {summaries}");
}

#[test]
fn summaries_without_end_are_compared_once_in_two_seconds_and_items_go_out_once() {
    let mut world = with_puppet(BPS, 200);
    says(&mut world, 120, |world| (MessageKind::SUMMARY, newcomer(world)));
    let tally = *world.nodes[0].gossip.tally();
    assert!(world.nodes[0].gossip.refusals().hasty_summary > 11_000);
    assert!(
        (200..=800).contains(&tally.said.items),
        "each once, and after half a minute again: {}",
        tally.said.items
    );
    assert!(most_in_ten_minutes(&world) <= TENTH);
}

#[test]
fn a_neighbour_that_never_keeps_what_it_is_sent_is_sent_it_less_and_less_often() {
    let mut world = with_puppet(BPS, 100);
    let mut said = Vec::new();
    for _ in 0..8 {
        for _ in 0..60 {
            let body = newcomer(&mut world);
            world.tell(0, Input::Heard { link: world.link(0), kind: MessageKind::SUMMARY, body });
            world.run(Duration::from_secs(60));
        }
        said.push(world.nodes[0].gossip.tally().said.items);
    }
    let hourly: Vec<u64> = said.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(said[0] <= 900 && hourly[6] <= 200, "{said:?}");
}

#[test]
fn good_items_without_end_are_judged_fifty_a_second_and_bad_ones_hardly_at_all() {
    let mut world = with_puppet(BPS, 0);
    says(&mut world, 60, |world| {
        items(&[world.random.bytes::<32>().to_vec(), world.random.bytes::<32>().to_vec()])
    });
    assert!((3_000..=1_024 + 60 * 51).contains(&world.judged), "{}", world.judged);
    let mut world = with_puppet(BPS, 0);
    says(&mut world, 60, |_| items(&[vec![1; 13], vec![2; 13], vec![3; 13]]));
    assert!((30..=250).contains(&world.judged), "{}", world.judged);
    assert!(world.nodes[0].gossip.refusals().hasty_item > 5_000);
}

#[test]
fn requests_without_end_are_answered_two_a_second() {
    let mut world = with_puppet(BPS, 0);
    let ids: Vec<[u8; 32]> = (0..255_u8).map(|n| world.publish(0, [n; 32].to_vec()).0).collect();
    says(&mut world, 100, |_| {
        let body = Request::new(STORE, &ids).unwrap();
        (MessageKind::REQUEST, body.encode(&mut [0; 10_000]).unwrap().to_vec())
    });
    let items = world.nodes[0].gossip.tally().said.items;
    assert!((128..=128 + 200 + 16).contains(&items), "{items}");
    assert!(most_in_ten_minutes(&world) <= TENTH);
}

#[test]
fn a_neighbour_that_says_nothing_hears_less_and_less() {
    let mut world = with_puppet(BPS, 500);
    world.run(Duration::from_secs(HOUR));
    let first = world.bytes;
    world.run(Duration::from_secs(HOUR * 23));
    assert!(first < 2_000 && world.bytes - first < 23 * 400, "{first}, then {}", world.bytes - first);
}

#[test]
fn what_is_no_message_and_what_is_of_no_store_is_counted() {
    let mut world = with_puppet(BPS, 1);
    let link = world.link(0);
    for kind in [MessageKind::SUMMARY, MessageKind::REQUEST, MessageKind::ITEMS, MessageKind::DONE] {
        world.tell(0, Input::Heard { link, kind, body: vec![77; 3] });
    }
    world.tell(0, Input::Heard { link, kind: MessageKind::DONE, body: vec![77; 17] });
    let refusals = world.nodes[0].gossip.refusals();
    assert_eq!((refusals.malformed, refusals.unknown_store), (4, 1));
}

/// A summary of somebody who holds nothing.
fn newcomer(world: &mut World) -> Vec<u8> {
    let summary = Summary {
        store: STORE,
        round: 1,
        state_hash: StateHash(world.random.bytes()),
        count: 0,
        salt: world.random.next_u32(),
        form: Form::Bloom,
        slice: Slice::WHOLE,
        filter: &[],
    };
    summary.encode(&mut [0; 100]).unwrap().to_vec()
}

fn items(bodies: &[Vec<u8>]) -> (MessageKind, Vec<u8>) {
    let mut buffer = [0; 1_000];
    let mut builder = ItemsBuilder::new(STORE, &mut buffer);
    for body in bodies {
        builder.push(body).unwrap();
    }
    (MessageKind::ITEMS, builder.finish().unwrap().encode(&mut [0; 1_000]).unwrap().to_vec())
}
