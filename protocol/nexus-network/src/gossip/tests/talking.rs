//! What two neighbours say to each other, message by message.

use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{HEADER_LEN, SEALED_OVERHEAD};
use nexus_wire::nexus::gossip::{ItemId, Request, StateHash, Summary};
use nexus_wire::nexus::message::{MessageKind, Messages};

use super::world::{STORE, World, with_puppet};
use crate::gossip::Input;

const MINUTE: Duration = Duration::from_secs(60);

/// The kinds of all that was said, in order.
fn kinds(world: &World) -> Vec<MessageKind> {
    let messages = world.said.iter().flat_map(|plaintext| Messages::new(&plaintext[HEADER_LEN..]));
    messages.map(|message| message.expect("a message").kind).collect()
}

fn pair(items: [usize; 2], bps: u64) -> World {
    let mut world = World::new(7, 2, &[(0, 1)], bps);
    world.publish_random(0, items[0]);
    world.publish_random(1, items[1]);
    world
}

#[test]
fn two_that_agree_say_so_once_each_and_then_once_in_ten_rounds() {
    let mut world = World::new(7, 2, &[(0, 1)], 1_000_000);
    for n in 0..50_u8 {
        for node in [0, 1] {
            world.publish(node, [n; 32].to_vec());
        }
    }
    world.up(0);
    world.run(MINUTE);
    assert_eq!(kinds(&world), [MessageKind::DONE; 2]);
    world.run(MINUTE.times(600));
    assert!(
        world.bytes < 36_060 / 5,
        "both ways together less than 0.2 bytes a second: {} in ten hours",
        world.bytes
    );
    assert!(kinds(&world).iter().all(|kind| *kind == MessageKind::DONE));
}

#[test]
fn a_new_item_costs_one_frame_with_the_state_behind_it_and_one_that_agrees() {
    let mut world = pair([5, 5], 1_000_000);
    world.up(0);
    world.run(MINUTE.times(5));
    assert!(world.agrees());
    let (frames, bytes) = (world.said.len(), world.bytes);
    world.publish_random(0, 1);
    world.run(Duration::from_secs(20));
    assert!(world.agrees());
    let news = &kinds(&world)[kinds(&world).len() - 3..];
    assert_eq!(news, [MessageKind::ITEMS, MessageKind::DONE, MessageKind::DONE]);
    assert_eq!(world.said.len() - frames, 2);
    assert!(world.bytes - bytes <= 120, "{} bytes for one key", world.bytes - bytes);
}

#[test]
fn a_newcomer_is_given_all_of_it_newest_first() {
    let mut world = pair([300, 0], 1_000_000);
    world.up(0);
    let took = world.run_until(MINUTE.times(3), World::agrees);
    assert!(took.is_some(), "{}", world.nodes[1].items.len());
    assert!(world.bytes < 300 * 40 + 600, "34 bytes each, and what frames them: {}", world.bytes);
}

#[test]
fn what_was_lost_arrives_after_a_round_or_two() {
    let mut world = pair([40, 40], 1_000_000);
    world.up(0);
    world.run(MINUTE.times(3));
    world.loses_percent = 100;
    world.publish_random(0, 2);
    world.run(Duration::from_secs(30));
    world.loses_percent = 0;
    assert!(!world.agrees());
    assert!(world.run_until(MINUTE.times(3), World::agrees).is_some());
}

#[test]
fn whoever_is_sent_news_in_vain_is_answered_all_the_same_when_it_lacks_more() {
    for seed in 0..20 {
        let mut world = World::new(seed, 2, &[(0, 1)], 1_000_000);
        world.publish_random(0, 200);
        world.up(0);
        assert!(world.run_until(MINUTE.times(3), World::agrees).is_some());
        world.loses_percent = 30;
        world.publish_random(1, 3);
        world.run(Duration::from_secs(8));
        world.publish_random(0, 120);
        let took = world.run_until(MINUTE.times(4), World::agrees);
        assert!(
            took.is_some(),
            "world {seed}: {} and {}",
            world.nodes[0].items.len(),
            world.nodes[1].items.len()
        );
    }
}

#[test]
fn a_summary_of_one_message_is_one_frame() {
    let mut world = World::new(7, 2, &[(0, 1)], 1_000_000);
    for n in 0..360_u16 {
        for node in [0, 1] {
            world.publish(node, [&n.to_le_bytes()[..], &[7; 30]].concat());
        }
    }
    world.publish_random(0, 90);
    world.publish_random(1, 90);
    world.up(0);
    assert!(world.run_until(MINUTE.times(5), World::agrees).is_some());
    let of = |plaintext: &Vec<u8>| {
        let messages = Messages::new(&plaintext[HEADER_LEN..]).map(|message| message.expect("a message"));
        let mut summaries = messages.filter(|message| message.kind == MessageKind::SUMMARY);
        let slices = summaries.next().map(|message| Summary::decode(message.body).unwrap().slice.count());
        slices.map(|slices| (slices, plaintext.len() - HEADER_LEN + SEALED_OVERHEAD))
    };
    let summaries: Vec<_> = world.said.iter().filter_map(of).collect();
    assert!(summaries.iter().all(|(slices, bytes)| *slices <= 2 && *bytes <= 508), "{summaries:?}");
    assert!(summaries.iter().any(|(_, bytes)| *bytes > 400), "{summaries:?}");
}

#[test]
fn below_ten_kilobits_a_summary_is_one_message_of_256_bytes_at_most_and_finds_what_differs_all_the_same() {
    let mut world = World::new(7, 2, &[(0, 1)], 5_000);
    for n in 0..300_u16 {
        for node in [0, 1] {
            world.publish(node, [&n.to_le_bytes()[..], &[7; 30]].concat());
        }
    }
    world.publish_random(0, 20);
    world.publish_random(1, 20);
    world.up(0);
    let took = world.run_until(MINUTE.times(60 * 4), World::agrees);
    assert!(took.is_some(), "{} and {}", world.nodes[0].items.len(), world.nodes[1].items.len());
    let messages = world.said.iter().flat_map(|plaintext| Messages::new(&plaintext[HEADER_LEN..]));
    let messages = messages.map(|message| message.expect("a message"));
    let summaries: Vec<_> = messages.filter(|message| message.kind == MessageKind::SUMMARY).collect();
    assert!(!summaries.is_empty());
    assert!(summaries.iter().all(|message| Summary::decode(message.body).unwrap().filter.len() <= 256));
}

#[test]
fn whoever_wants_an_item_by_name_asks_one_neighbour_after_another() {
    let mut world = World::new(7, 4, &[(0, 1), (0, 2), (0, 3)], 1_000_000);
    world.publish_random(3, 1);
    world.up_all();
    world.run(MINUTE);
    let before = world.nodes[0].gossip.tally().said.requests;
    world.tell(0, Input::Want { store: STORE, id: ItemId([9; 32]) });
    world.run(Duration::from_secs(15));
    assert_eq!(world.nodes[0].gossip.tally().said.requests - before, 2, "the second after ten seconds");
    world.run(MINUTE);
    assert_eq!(world.nodes[0].gossip.tally().said.requests - before, 3);
    assert_eq!(world.nodes[0].gossip.tally().unfound, 1);
}

#[test]
fn what_is_asked_for_by_name_is_sent_again_but_not_while_it_may_be_on_its_way() {
    let mut world = with_puppet(1_000_000, 0);
    world.run(MINUTE);
    let id = world.publish(0, Vec::from([5; 32]));
    let asked = |world: &mut World| {
        let before = world.nodes[0].gossip.tally().said.items;
        let ids = [id.0];
        let body = Request::new(STORE, &ids).unwrap();
        let body = body.encode(&mut [0; 64]).unwrap().to_vec();
        world.tell(0, Input::Heard { link: world.link(0), kind: MessageKind::REQUEST, body });
        world.run(Duration::from_millis(10));
        world.nodes[0].gossip.tally().said.items - before
    };
    assert_eq!([asked(&mut world), asked(&mut world)], [1, 0]);
    world.run(MINUTE);
    assert_eq!(asked(&mut world), 1);
}

#[test]
fn a_name_that_is_no_items_is_a_question_and_what_answers_it_is_sent() {
    let mut world = with_puppet(1_000_000, 0);
    world.run(MINUTE);
    world.publish(0, Vec::from([5; 32]));
    world.publish(0, Vec::from([6; 32]));
    let ask = |world: &mut World, id: [u8; 32]| {
        let before = world.nodes[0].gossip.tally().said.items;
        let body = Request::new(STORE, &[id]).unwrap().encode(&mut [0; 64]).unwrap().to_vec();
        world.tell(0, Input::Heard { link: world.link(0), kind: MessageKind::REQUEST, body });
        world.run(Duration::from_millis(10));
        world.nodes[0].gossip.tally().said.items - before
    };
    assert_eq!([ask(&mut world, [0xee; 32]), ask(&mut world, [0xdd; 32])], [2, 0]);
    assert_eq!(ask(&mut world, [0xee; 32]), 0, "what is on its way is not sent again");
}

#[test]
fn stores_that_say_themselves_that_they_are_in_one_state_compare_nothing() {
    let mut world = pair([3, 4], 1_000_000);
    for node in [0, 1] {
        world.tell(node, Input::State(STORE, StateHash([7; 16])));
    }
    world.up(0);
    world.run(MINUTE.times(30));
    assert!(kinds(&world).iter().all(|kind| *kind == MessageKind::DONE), "{:?}", kinds(&world));
    world.tell(0, Input::State(STORE, StateHash([8; 16])));
    world.run(MINUTE.times(5));
    assert!(world.nodes[0].items.len() == 7 && world.nodes[1].items.len() == 7, "then they do");
}
