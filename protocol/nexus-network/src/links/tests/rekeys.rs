//! Keys are replaced, whatever the medium does, and nothing that was delivered did not open.

use nexus_machine::Duration;
use nexus_wire::nexus::control::Rekey;
use nexus_wire::nexus::frame::SessionId;
use nexus_wire::nexus::message::MessageWriter;

use super::world::{World, profile};
use crate::interface::Reach;
use crate::links::Down;

/// Two nodes with keys that live `seconds`, over a medium with this loss, until `rekeys` replacements; they chat.
fn campaign(seed: u64, loss: u64, delay_us: u64, rekeys: u32) {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), seed);
    // Long enough for some sixty offers, as an hour is.
    world.rekey_after(Duration::from_secs(300));
    world.up_all();
    world.run_for(Duration::from_secs(5));
    (world.loss, world.delay_us) = (loss, delay_us);
    let (mut replaced, mut sent, mut links) = (0, 0_u64, 0);
    let mut before = [0, 0];
    while replaced < rekeys {
        for node in 0..2 {
            if let Some(link) = world.nodes[node].up.keys().next().copied() {
                world.send(node, link, b"\x81\0\0a packet");
                sent += 1;
            }
        }
        let pause = Duration::from_millis(world.random.below(40_000));
        world.run_for(pause);
        for (node, before) in world.nodes.iter().zip(&mut before) {
            let of = node.links.status().next().map_or(0, |status| status.rekeys);
            replaced += of.saturating_sub(*before);
            links += u32::from(of < *before);
            *before = of;
        }
    }
    let heard = world.nodes[0].heard.len() + world.nodes[1].heard.len();
    let undecryptable = world.refused(0, "not_authentic") + world.refused(1, "not_authentic");
    assert_eq!(undecryptable, 0, "{loss} per mille");
    // What arrived for a session that is no more was late by more than the keys' grace, or its link was replaced.
    assert!(heard > 0 && sent > 0);
    let expired =
        |node: usize| world.nodes[node].downs.iter().filter(|why| **why == Down::KeyExpired).count();
    assert_eq!((expired(0), expired(1)), (0, 0), "{loss} per mille: keys lived too long ({links} links)");
}

#[test]
fn ten_thousand_replacements_on_a_good_medium() {
    campaign(1, 0, 5_000, 10_000);
}

#[test]
fn ten_thousand_replacements_with_a_third_lost_and_reordered() {
    campaign(2, 330, 2_000_000, 10_000);
}

#[test]
fn ten_thousand_replacements_with_three_fifths_lost_and_reordered() {
    campaign(3, 600, 500_000, 10_000);
}

#[test]
fn a_day_of_keys_ends_in_a_whole_handshake() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 4);
    world.up_all();
    world.run_for(Duration::from_secs(22 * 3_600));
    let rekeys = world.nodes[0].links.status().next().unwrap().rekeys;
    assert!((20..=23).contains(&rekeys), "one an hour: {rekeys}");
    assert!(world.nodes[0].downs.is_empty());
    world.run_for(Duration::from_secs(4 * 3_600));
    assert_eq!(world.nodes[0].downs, [Down::Replaced]);
    assert!(world.agree(0, 1));
}

#[test]
fn much_traffic_brings_the_next_key_sooner() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 100_000), 5);
    world.up_all();
    world.run_for(Duration::from_secs(5));
    let link = world.link(0);
    // 1 MB in frames of 503 bytes.
    for _ in 0..2_100 {
        world.send(0, link, &[0x81; 480]);
        world.run_for(Duration::from_millis(10));
    }
    world.run_for(Duration::from_secs(90));
    assert_eq!(world.nodes[0].links.status().next().unwrap().rekeys, 1);
    assert_eq!(world.nodes[1].links.status().next().unwrap().rekeys, 1);
    assert!(world.nodes[0].up.contains_key(&link));
}

#[test]
fn an_offer_that_was_answered_while_its_repetition_waited_does_not_leave() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 34);
    world.up_all();
    world.run_for(Duration::from_secs(5));
    let (link, withheld) = (world.link(0), world.nodes[0].links.withheld());
    // The last offer of a key that is in use by now, as it stands in the queue of a slow medium.
    let session = SessionId::new(7).unwrap();
    let mut message = [0; 64];
    let mut writer = MessageWriter::new(&mut message);
    writer.put(&Rekey { session, noise: &[9; 32] }).unwrap();
    let offer = writer.finish().to_vec();
    world.send(0, link, &offer);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.nodes[0].links.withheld(), withheld + 1);
    let [Some(status), Some(other)] = [0, 1].map(|node| world.nodes[node].links.status().next()) else {
        panic!("up")
    };
    assert_eq!((status.rekeys, other.rekeys), (0, 0));
    world.rekey_after(Duration::from_secs(300));
    world.run_for(Duration::from_secs(4_000));
    assert!(
        world.nodes[1].links.status().next().is_some_and(|status| status.rekeys > 0),
        "the next offer is taken"
    );
}
