//! Peers that fall silent while traffic goes to them: when they are doubted, what that costs, and when they are trusted again.

#![allow(clippy::disallowed_macros, reason = "what was measured is for the specification")]

extern crate std;

use std::println;

use alloc::vec::Vec;
use nexus_machine::{Duration, Instant};

use super::world::{IFACE, World, profile};
use crate::interface::{DutyCycle, Profile, Reach, Timing};
use crate::links::Trust;
use crate::lora::Modulation;

const FAST: u64 = 10_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// From one packet to the next: twenty a second.
const EVERY: Duration = Duration::from_millis(50);

#[test]
fn a_peer_that_falls_silent_is_doubted_within_a_second_while_packets_go_to_it() {
    let mut worst = Duration::ZERO;
    for (rtt_ms, loss) in [1, 10, 40, 100].into_iter().flat_map(|rtt| [(rtt, 0), (rtt, 300)]) {
        for seed in 0..10 {
            let mut world = linked(profile(Reach::PointToPoint, FAST), seed);
            world.delay_us = (rtt_ms * 500).max(1);
            world.loss = loss;
            traffic(&mut world, Duration::from_secs(20), EVERY);
            let died = world.now;
            world.loss = 1_000;
            world.nodes[0].turns.clear();
            let was = trust(&world);
            traffic(&mut world, Duration::from_secs(2), EVERY);
            if was == Trust::Doubted {
                continue;
            }
            let after = doubted_at(&world).expect("doubted").since(died);
            assert!(after < Duration::from_millis(950), "{rtt_ms} ms, {loss} of 1,000 lost: {after:?}");
            worst = worst.max(after);
        }
    }
    println!(
        "silent while 20 packets a second go there, up to 100 ms: doubted within {} ms",
        worst.as_millis()
    );
}

#[test]
fn what_is_asked_follows_packets_and_packets_both_ways_cost_no_question() {
    let mut world = linked(profile(Reach::PointToPoint, FAST), 1);
    let before = frames(&world, 0);
    let end = world.now.after(Duration::from_secs(60));
    let mut packets = 0;
    while world.now < end {
        for node in [0, 1] {
            let link = world.link(node);
            world.send(node, link, b"\x81\0\0both ways");
        }
        packets += 1;
        world.run_for(EVERY);
    }
    // The first packets after the silence before were followed by a question.
    assert!(frames(&world, 0) - before <= packets + 2, "nothing but the packets");
    // One way only: a question when nothing was heard for a tenth of a second, and not for each packet.
    let before = frames(&world, 0);
    let packets = traffic(&mut world, Duration::from_secs(60), Duration::from_millis(5));
    let asked = frames(&world, 0) - before - packets;
    assert!((300..=620).contains(&asked), "{asked} questions in a minute");
    assert!(world.nodes[0].turns.is_empty());
}

#[test]
fn a_living_neighbour_that_loses_three_frames_in_ten_is_doubted_seldom() {
    let mut most = 0;
    for seed in 0..4 {
        let mut world = linked(profile(Reach::PointToPoint, FAST), seed);
        world.loss = 300;
        traffic(&mut world, HOUR, EVERY);
        let first = doubts(&world);
        traffic(&mut world, HOUR, EVERY);
        let second = doubts(&world) - first;
        assert!(first <= 24 && second <= 24, "{first} doubts in the first hour, {second} in the second");
        most = most.max(first).max(second);
    }
    println!("30 % lost each way, 20 packets a second: at most {most} doubts in an hour");
}

#[test]
fn a_peer_that_was_doubted_is_trusted_after_a_trial_that_doubles_each_time() {
    let mut world = linked(profile(Reach::PointToPoint, FAST), 3);
    traffic(&mut world, Duration::from_secs(5), EVERY);
    let mut trials = Vec::new();
    for _ in 0..5 {
        world.loss = 1_000;
        traffic(&mut world, Duration::from_secs(1), EVERY);
        assert_eq!(trust(&world), Trust::Doubted);
        world.loss = 0;
        let heard = world.now;
        let end = heard.after(Duration::from_secs(60));
        assert!(world.run_until(end, |world| trust(world) == Trust::Sure));
        trials.push(world.now.since(heard).as_millis());
    }
    for (trial, n) in trials.iter().zip(0..) {
        let (least, most) = (1_000 << n, (1_000 << n) + 4_000);
        assert!((least..=most).contains(trial), "{trials:?}");
    }
    assert!(world.nodes[0].downs.is_empty(), "the link was up all the time");
}

#[test]
fn a_peer_that_comes_back_after_its_link_was_given_up_is_on_trial_too() {
    let mut world = linked(profile(Reach::PointToPoint, FAST), 4);
    world.loss = 1_000;
    traffic(&mut world, Duration::from_secs(1), EVERY);
    world.run_for(Duration::from_secs(100));
    assert!(world.nodes[0].up.is_empty());
    world.loss = 0;
    world.restart(1);
    let end = world.now.after(Duration::from_secs(90));
    assert!(world.run_until(end, |world| world.agree(0, 1)));
    assert_eq!(trust(&world), Trust::Trial, "its last link did not hold");
    let end = world.now.after(Duration::from_secs(5));
    assert!(world.run_until(end, |world| trust(world) == Trust::Sure));
}

#[test]
fn on_slow_cables_the_first_packet_without_acknowledgement_begins_it() {
    let mut world = linked(profile(Reach::PointToPoint, 50_000), 5);
    traffic(&mut world, Duration::from_secs(30), Duration::from_secs(1));
    assert!(turns(&world) == 0);
    let frame = world.profile.airtime(1_064);
    let died = world.now;
    world.loss = 1_000;
    traffic(&mut world, Duration::from_secs(4), Duration::from_secs(1));
    let after = doubted_at(&world).expect("doubted").since(died);
    assert!(after <= frame.times(3).plus(Duration::from_secs(1)), "{after:?}");
}

#[test]
fn on_radio_it_is_doubted_within_three_announces_of_the_deadline_and_pays_from_the_airtime_of_links() {
    for spreading_factor in [7, 9] {
        let profile = radio(spreading_factor);
        let mut world = linked(profile, 6);
        let announce = profile.airtime(233);
        let deadline = profile.airtime(508).times(3).plus(Duration::from_millis(200));
        let every = profile.airtime(508).times(4);
        // What acknowledges has airtime.
        world.run_for(HOUR.times(6));
        traffic(&mut world, every.times(2), every);
        let needed = world.nodes[0].links.status().next().unwrap().reliability;
        assert_eq!(turns(&world), 0, "SF{spreading_factor}");
        world.loss = 1_000;
        let died = world.now;
        traffic(&mut world, deadline.plus(announce.times(3)), every);
        let after = doubted_at(&world).unwrap_or(Instant::NEVER).since(died);
        println!(
            "SF{spreading_factor}/125: doubted {} ms after its last packet left: the deadline of {} ms and {} % of an announce",
            after.as_millis(),
            deadline.as_millis(),
            after.minus(deadline).as_millis() * 100 / announce.as_millis()
        );
        assert!(after >= deadline && after <= deadline.plus(announce.times(3)), "{after:?}, {needed:?}");
    }
}

#[test]
fn on_radio_with_three_frames_in_ten_lost_a_dead_peer_is_doubted_within_three_minutes_and_a_living_one_seldom()
 {
    for spreading_factor in [7, 9] {
        let profile = radio(spreading_factor);
        let every = Duration::from_secs(20);
        let (mut worst, mut most) = (Duration::ZERO, 0);
        for seed in 0..4 {
            let mut world = linked(profile, seed);
            world.loss = 300;
            traffic(&mut world, HOUR.times(2), every);
            most = most.max(doubts(&world));
            let end = world.now.after(HOUR);
            while trust(&world) == Trust::Doubted && world.now < end {
                world.run_for(Duration::from_secs(10));
            }
            world.nodes[0].turns.clear();
            let died = world.now;
            world.loss = 1_000;
            traffic(&mut world, Duration::from_secs(400), every);
            worst = worst.max(doubted_at(&world).expect("doubted").since(died));
        }
        println!(
            "SF{spreading_factor}/125, 30 % lost each way: a dead peer is doubted within {} s, a living one {most} times in two hours",
            worst.as_secs()
        );
        assert!(worst <= Duration::from_secs(180) && most <= 48, "SF{spreading_factor}: {worst:?}, {most}");
    }
}

#[test]
fn a_neighbour_of_whom_nothing_is_heard_for_three_rounds_is_quiet_and_after_ten_it_is_gone() {
    // Without airtime for questions nothing else tells.
    let profile = Profile { duty: DutyCycle::new(1).unwrap(), ..radio(7) };
    let mut world = linked(profile, 7);
    world.run_for(HOUR.times(10));
    assert!(world.nodes[0].up.len() == 1 && trust(&world) == Trust::Sure);
    let died = world.nodes[0].links.status().next().unwrap().heard_at;
    world.loss = 1_000;
    let interface = &world.nodes[0].links.interfaces[&IFACE];
    let round = interface.pace.keepalive.max(interface.airtime.probe_spacing(1));
    let end = died.after(round.times(11));
    assert!(world.run_until(end, |world| trust(world) != Trust::Sure));
    assert_eq!((trust(&world), world.now), (Trust::Quiet, died.after(round.times(3))));
    assert!(world.run_until(end, |world| world.nodes[0].up.is_empty()), "{round:?}");
}

// ───────────── helpers ─────────────

fn linked(profile: Profile, seed: u64) -> World {
    let mut world = World::new(2, profile, 900 + seed);
    world.delay_us = 1_000;
    world.up_all();
    let end = world.now.after(HOUR);
    assert!(world.run_until(end, |world| world.agree(0, 1)));
    world.run_for(Duration::from_secs(60));
    world
}

fn radio(spreading_factor: u8) -> Profile {
    let modulation = Modulation::new(125_000, spreading_factor, 5).unwrap();
    Profile {
        bandwidth_bps: modulation.bitrate_bps(),
        frame_size: 508,
        timing: Timing::LoRa(modulation),
        ..profile(Reach::Shared, 0)
    }
}

/// Sends packets from 0 to 1 for so long; how many.
fn traffic(world: &mut World, span: Duration, every: Duration) -> u64 {
    let (end, mut packets) = (world.now.after(span), 0);
    while world.now < end {
        if world.nodes[0].up.is_empty() {
            world.run_for(every);
            continue;
        }
        let link = world.link(0);
        world.send(0, link, b"\x81\0\0one way");
        packets += 1;
        world.run_for(every);
    }
    packets
}

fn trust(world: &World) -> Trust {
    world.nodes[0].links.status().next().map_or(Trust::Sure, |status| status.trust)
}

fn doubted_at(world: &World) -> Option<Instant> {
    world.nodes[0].turns.iter().find(|(_, trust)| *trust == Trust::Doubted).map(|(at, _)| *at)
}

fn doubts(world: &World) -> usize {
    world.nodes[0].turns.iter().filter(|(_, trust)| *trust == Trust::Doubted).count()
}

fn turns(world: &World) -> usize {
    world.nodes[0].turns.len()
}

fn frames(world: &World, node: usize) -> u64 {
    world.nodes[node].links.status().map(|status| status.sent.frames).sum()
}
