//! A shared channel on which a byte is dear: what is spent on it, whatever strangers send.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use nexus_machine::{Duration, Seed};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{Beacon, BeaconTag, Finish, First, Reply, SEALED_OVERHEAD, SessionId};

use super::world::{IFACE, World, address};
use crate::interface::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};
use crate::links::meeting::begins;
use crate::links::{Down, Input, Limits};
use crate::lora::Modulation;

/// SF7 at 125 kHz.
fn radio() -> Profile {
    let modulation = Modulation::new(125_000, 7, 5).unwrap();
    Profile {
        mode: Mode::Nexus,
        reach: Reach::Shared,
        access: Access::Direct,
        bandwidth_bps: modulation.bitrate_bps(),
        frame_size: 508,
        timing: Timing::LoRa(modulation),
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

fn world(nodes: u8, seed: u64) -> World {
    let mut world = World::new(nodes, radio(), seed);
    (world.recording, world.delay_us) = (true, 2_000_000);
    world
}

fn tag(world: &World, node: usize) -> BeaconTag {
    world.nodes[node].links.interfaces[&IFACE].tag
}

fn beacon(tag: u32, flags: u8) -> Vec<u8> {
    let mut bytes = [0; Beacon::LEN];
    Beacon { tag: BeaconTag(tag), flags }.encode(&mut bytes).unwrap();
    bytes.to_vec()
}

fn first(world: &mut World, target: BeaconTag) -> Vec<u8> {
    let ephemeral: [u8; 32] = world.random.bytes();
    let session = SessionId::new(1 + u16::from(ephemeral[0])).unwrap();
    let mut bytes = [0; First::LEN];
    First { session, target, ephemeral: &ephemeral, cookie: None }.encode(&mut bytes).unwrap();
    bytes.to_vec()
}

/// The frames of a node of these lengths, each once, since the air had `since` frames.
fn frames(world: &World, node: usize, since: usize, lengths: &[usize]) -> usize {
    // Everybody hears every frame: the copies for one of the others are counted.
    let listener = usize::from(node == 0);
    let is = |(from, to, bytes): &&(usize, usize, Vec<u8>)| {
        *from == node && *to == listener && lengths.contains(&bytes.len())
    };
    world.air[since..].iter().filter(is).count()
}

/// What a node transmitted for handshakes since the air had `since` frames.
fn spent(world: &World, node: usize, since: usize) -> Duration {
    [First::LEN, Reply::LEN, Finish::LEN, SEALED_OVERHEAD].iter().fold(Duration::ZERO, |sum, len| {
        let count = u64::try_from(frames(world, node, since, &[*len])).unwrap();
        sum.plus(radio().airtime(*len).times(count))
    })
}

#[test]
fn first_messages_without_end_are_answered_within_the_rate_and_the_budget() {
    let mut world = world(2, 91);
    world.tell(0, Input::Up(IFACE, world.profile));
    world.beacons = false;
    let target = tag(&world, 0);
    for _ in 0..3_600 {
        let message = first(&mut world, target);
        world.inject(0, address(9), message);
        world.run_for(Duration::from_secs(1));
    }
    let answers = frames(&world, 0, 0, &[Reply::LEN]);
    let most = 21_600_000 / radio().airtime(Reply::LEN).plus(radio().airtime(SEALED_OVERHEAD)).as_micros();
    let most = usize::try_from(most).unwrap();
    assert!(answers > most / 2 && answers <= most, "{answers} of at most {most}");
    assert!(spent(&world, 0, 0) <= Duration::from_millis(21_600));
    assert!(world.nodes[0].links.handshakes().1 <= 64, "and what is remembered of them is forgotten");
    assert!(world.refused(0, "flooded") > 3_000, "the others are counted");
}

#[test]
fn three_first_messages_are_answered_at_once_and_then_one_in_ten_seconds() {
    let mut world = world(2, 92);
    world.tell(0, Input::Up(IFACE, world.profile));
    world.beacons = false;
    let target = tag(&world, 0);
    for _ in 0..10 {
        let message = first(&mut world, target);
        world.inject(0, address(9), message);
    }
    assert_eq!(frames(&world, 0, 0, &[Reply::LEN]), 3);
    world.run_for(Duration::from_secs(10));
    assert_eq!(frames(&world, 0, 0, &[Reply::LEN]), 4);
}

#[test]
fn first_messages_for_nobody_and_for_others_are_not_answered() {
    let mut world = world(2, 93);
    world.tell(0, Input::Up(IFACE, world.profile));
    world.beacons = false;
    for foreign in [0, tag(&world, 0).0 ^ 1, 7] {
        let message = first(&mut world, BeaconTag(foreign));
        world.inject(0, address(9), message);
    }
    world.run_for(Duration::from_secs(600));
    assert_eq!((frames(&world, 0, 0, &[Reply::LEN]), world.refused(0, "foreign_target")), (0, 3));
}

#[test]
fn thousands_of_made_up_tags_cost_no_more_than_the_budget_and_keep_no_neighbour_out() {
    for seed in 0..6 {
        let mut world = world(4, 100 + seed);
        world.tell(0, Input::Up(IFACE, world.profile));
        let mut linked_after = None;
        for second in 0..4_800_u64 {
            // The attacker was there first: every place in the list of strangers is taken.
            if second == 1_200 {
                (1..4).for_each(|node| world.tell(node, Input::Up(IFACE, world.profile)));
            }
            for node in 0..4 {
                let made_up = world.random.next_u32().max(1);
                world.inject(node, address(9), beacon(made_up, Beacon::ACCEPTS_LINKS));
            }
            world.run_for(Duration::from_secs(1));
            if second > 1_200 && second % 30 == 0 && (1..4).all(|other| world.agree(0, other)) {
                linked_after.get_or_insert(second - 1_200);
            }
            if second == 3_599 {
                let most = (0..4).map(|node| spent(&world, node, 0)).max().unwrap();
                assert!(most <= Duration::from_millis(21_600), "seed {seed}: {most:?}");
            }
        }
        // Spec: spec/network.md#floods.
        assert!(linked_after.is_some_and(|seconds| seconds <= 3_600), "seed {seed}: {linked_after:?}");
    }
}

#[test]
fn who_has_no_room_says_so_and_is_not_tried() {
    let limits = Limits { links: 1, ..Limits::default() };
    let mut world = World::with_limits(4, radio(), 94, limits);
    (world.recording, world.delay_us) = (true, 2_000_000);
    world.tell(0, Input::Up(IFACE, world.profile));
    world.tell(1, Input::Up(IFACE, world.profile));
    world.run_for(Duration::from_secs(60));
    assert!(world.agree(0, 1));
    world.run_for(Duration::from_secs(600));
    let since = world.air.len();
    world.tell(2, Input::Up(IFACE, world.profile));
    world.run_for(Duration::from_secs(3_600));
    let says = |(from, _, bytes): &&(usize, usize, Vec<u8>)| *from < 2 && bytes.len() == Beacon::LEN;
    let beacons: BTreeSet<u8> = world.air[since..].iter().filter(says).map(|(.., bytes)| bytes[5]).collect();
    assert_eq!(beacons, BTreeSet::from([0]), "full");
    assert_eq!(frames(&world, 2, since, &[First::LEN]), 0);
    world.tell(3, Input::Up(IFACE, world.profile));
    world.run_for(Duration::from_secs(600));
    assert!(world.agree(2, 3), "who has room is met");
}

#[test]
fn a_former_tag_is_answered_to_for_a_minute() {
    let mut world = world(2, 95);
    world.tell(0, Input::Up(IFACE, world.profile));
    let former = tag(&world, 0);
    world.tell(0, Input::Retag(IFACE, BeaconTag(4_711)));
    let answered = |world: &mut World, target| {
        let since = world.air.len();
        let message = first(world, target);
        world.inject(0, address(9), message);
        world.run_for(Duration::from_secs(20));
        frames(world, 0, since, &[Reply::LEN]) == 1
    };
    assert!(answered(&mut world, former) && answered(&mut world, BeaconTag(4_711)));
    world.run_for(Duration::from_secs(20));
    assert!(!answered(&mut world, former) && answered(&mut world, BeaconTag(4_711)));
    world.tell(0, Input::Retag(IFACE, BeaconTag::ANYBODY));
    assert_eq!(tag(&world, 0), BeaconTag(4_711), "nobody in particular is no name");
    world.run_for(Duration::from_secs(900));
    let beacons = world.air.iter().rev().find(|(from, _, bytes)| *from == 0 && bytes.len() == Beacon::LEN);
    assert_eq!(beacons.unwrap().2[1..5], 4_711_u32.to_le_bytes());
}

#[test]
fn a_peer_that_is_heard_by_another_way_is_not_given_up() {
    for heard in [true, false] {
        let mut world = world(2, 96);
        world.up_all();
        world.run_for(Duration::from_secs(60));
        assert!(world.agree(0, 1));
        world.loss = 1_000;
        let link = world.link(0);
        let since = world.air.len();
        for _ in 0..16 {
            world.run_for(Duration::from_secs(500));
            if heard {
                world.tell(0, Input::Heard { link });
            }
        }
        assert_eq!(world.nodes[0].up.contains_key(&link), heard);
        assert_eq!(world.nodes[0].downs.contains(&Down::Silent), !heard);
        let probes = frames(&world, 0, since, &[36]);
        assert_eq!(probes == 0, heard, "{probes} probes");
    }
}

#[test]
fn a_peer_that_said_its_tag_is_not_taken_for_a_stranger() {
    let mut world = world(2, 97);
    world.up_all();
    world.run_for(Duration::from_secs(60));
    let link = world.link(0);
    world.tell(0, Input::Named { link, tag: BeaconTag(4_711) });
    let strangers = |world: &World| world.nodes[0].links.interfaces[&IFACE].strangers.len();
    let before = strangers(&world);
    world.inject(0, address(2), beacon(4_711, Beacon::ACCEPTS_LINKS));
    assert_eq!(strangers(&world), before);
    world.inject(0, address(2), beacon(4_712, Beacon::ACCEPTS_LINKS));
    assert_eq!(strangers(&world), before + 1);
}

#[test]
fn a_peer_that_started_anew_is_met_again() {
    for seed in 0..4 {
        let mut world = world(3, 110 + seed);
        world.up_all();
        world.run_for(Duration::from_secs(300));
        assert!(world.agree(0, 1) && world.agree(0, 2) && world.agree(1, 2));
        world.restart(1);
        world.run_for(Duration::from_secs(400));
        assert!(world.agree(0, 1) && world.agree(1, 2), "seed {seed}");
        assert!(world.agree(0, 2) && world.nodes[0].downs == [Down::Replaced]);
    }
}

/// Message 3 arrives, its confirmation does not: one end of the link is another than the other, and both seem to stand.
#[test]
fn a_peer_that_never_confirmed_a_handshake_is_tried_again_soon_and_not_when_its_silence_is_noticed() {
    for seed in 0..4 {
        let mut world = world(2, 130 + seed);
        world.up_all();
        world.run_for(Duration::from_secs(60));
        assert!(world.agree(0, 1));
        let own = tag(&world, 0);
        let others = (1..100).map(BeaconTag).find(|other| begins(own, *other)).unwrap();
        world.tell(1, Input::Retag(IFACE, others));
        let within = |world: &World, seconds| world.now.after(Duration::from_secs(seconds));
        assert!(world.run_until(within(&world, 900), |world| world.nodes[1].downs == [Down::Replaced]));
        world.lose_all();
        world.loss = 1_000;
        let given_up = |world: &World| world.nodes[0].links.handshakes().0 == 0;
        assert!(world.run_until(within(&world, 600), given_up));
        assert_eq!(world.nodes[0].downs, [], "its own end seems to stand");
        world.loss = 0;
        let mended = |world: &World| world.nodes[0].downs == [Down::Replaced] && world.agree(0, 1);
        assert!(world.run_until(within(&world, 400), mended), "seed {seed}");
        let (link, before) = (world.link(0), world.nodes[1].heard.len());
        world.send(0, link, b"\x20over the link");
        world.run_for(Duration::from_secs(5));
        assert!(world.nodes[1].heard.len() > before, "and carries");
    }
}

/// Whoever is to begin must hear the other first, also if the other has just said all its first beacons.
#[test]
fn a_newcomer_is_shown_a_beacon_at_once_by_a_neighbour_that_started_a_moment_ago() {
    for seed in 0..4 {
        let mut world = world(2, 140 + seed);
        world.tell(0, Input::Up(IFACE, world.profile));
        world.run_for(Duration::from_secs(15));
        assert_eq!(frames(&world, 0, 0, &[Beacon::LEN]), 4, "the first ones");
        for n in 0..2 {
            let since = world.air.len();
            let own = tag(&world, 0);
            let other = (1 + 100 * n..).map(BeaconTag).take(100).find(|other| !begins(own, *other)).unwrap();
            world.inject(0, address(9), beacon(other.0, Beacon::ACCEPTS_LINKS));
            world.run_for(Duration::from_secs(5));
            assert_eq!(frames(&world, 0, since, &[Beacon::LEN]), 1, "seed {seed}, newcomer {n}");
        }
    }
}

#[test]
fn the_same_two_agree_on_who_begins_and_each_begins_with_about_half() {
    let mut random = Seed::new([5; 32]).fork("tags");
    let tags: Vec<BeaconTag> = (0..64).map(|_| BeaconTag(random.next_u32())).collect();
    for own in &tags {
        let own_turns = tags.iter().filter(|other| *other != own && begins(*own, **other)).count();
        assert!((12..=52).contains(&own_turns), "{own_turns} of 63");
        for other in tags.iter().filter(|other| *other != own) {
            assert_ne!(begins(*own, *other), begins(*other, *own));
        }
    }
}
