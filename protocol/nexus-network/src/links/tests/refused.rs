//! What is refused: counted, not answered, and without a trace in the links.

use alloc::vec;
use alloc::vec::Vec;
use nexus_crypto::identity::EdwardsSign;
use nexus_crypto::noise::AwaitingReply;
use nexus_crypto::{ExchangePublic, NodePublic};
use nexus_machine::{Duration, Seed};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::announce::Capabilities;
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::frame::{BeaconTag, Finish, First, FrameKind, Head, LinkVersion, Reply, SessionId};
use nexus_wire::nexus::handshake::{LinkPayload, PayloadFlags, ReplyPayload, prologue};

use super::world::{IFACE, World, address, identity, profile};
use crate::interface::Reach;
use crate::links::refusals::Refused;
use crate::links::{Input, LinkStatus};

/// Two linked nodes whose frames are recorded.
fn linked(reach: Reach) -> World {
    let mut world = World::new(2, profile(reach, 10_000_000), 11);
    world.recording = true;
    world.up_all();
    world.run_for(Duration::from_secs(5));
    assert!(world.agree(0, 1));
    world
}

/// All that could change if a refused frame changed anything.
fn state(world: &World, node: usize) -> (Vec<LinkStatus>, (usize, usize), u32) {
    let links = &world.nodes[node].links;
    (links.status().collect(), links.handshakes(), world.nodes[node].measured)
}

/// Gives a node a frame that it must refuse for this cause, and looks whether it says or changes anything.
fn refuses(world: &mut World, node: usize, from: u8, bytes: Vec<u8>, cause: &str) {
    let (before, refused) = (state(world, node), world.refused(node, cause));
    let sent = world.air.len();
    assert_eq!(world.inject(node, address(from), bytes), None, "{cause}");
    assert_eq!(world.refused(node, cause), refused + 1, "{cause}");
    assert_eq!(state(world, node), before, "{cause}");
    assert_eq!(world.air.len(), sent, "{cause}: an answer");
}

fn sealed_to(world: &World, node: usize) -> Vec<u8> {
    let is = |bytes: &[u8]| bytes[0] & 15 == 4;
    world.air.iter().rev().find(|(_, to, bytes)| *to == node && is(bytes)).unwrap().2.clone()
}

fn first_to(world: &World, node: usize) -> Vec<u8> {
    world.air.iter().find(|(_, to, bytes)| *to == node && bytes[0] & 15 == 1).unwrap().2.clone()
}

#[test]
fn frames_that_are_no_frames_or_of_another_version() {
    let mut world = linked(Reach::PointToPoint);
    refuses(&mut world, 0, 2, vec![], "malformed");
    refuses(&mut world, 0, 2, b"\x01 a packet in clear".to_vec(), "malformed");
    for kind in 1..=4 {
        let head = Head::new(LinkVersion::ONE, FrameKind(kind)).to_wire();
        refuses(&mut world, 0, 2, vec![head, 1, 0], "malformed");
    }
    for (version, kind) in [(0, 4), (2, 4), (7, 1), (1, 0), (1, 9), (1, 15)] {
        let head = Head::new(LinkVersion(version), FrameKind(kind)).to_wire();
        let bytes = [vec![head], vec![7; 60]].concat();
        refuses(&mut world, 0, 2, bytes, "other_version");
    }
}

#[test]
fn sealed_frames_that_are_garbage_truncated_flipped_replayed_or_reflected() {
    let mut world = linked(Reach::PointToPoint);
    let sealed = sealed_to(&world, 0);
    refuses(&mut world, 0, 2, sealed.clone(), "replayed");
    let link = world.link(1);
    // One that node 0 never got.
    world.loss = 1_000;
    world.send(1, link, b"\x81\0\0packet");
    let fresh = sealed_to(&world, 0);
    assert_ne!(fresh, sealed);
    for at in [1, 2] {
        let mut other = fresh.clone();
        other[at] ^= 0x55;
        refuses(&mut world, 0, 2, other, "unknown_session");
    }
    for at in 3..fresh.len() {
        let mut flipped = fresh.clone();
        flipped[at] ^= 0x10;
        refuses(&mut world, 0, 2, flipped, "not_authentic");
    }
    for len in 23..fresh.len() {
        refuses(&mut world, 0, 2, fresh[..len].to_vec(), "not_authentic");
    }
    // Reflected to its sender: whatever number the other end receives under means nothing here, or another key.
    let refused = world.refused_in_all(1);
    assert_eq!(world.inject(1, address(1), fresh.clone()), None);
    assert_eq!(world.refused_in_all(1), refused + 1);
    // The genuine frame still opens, once.
    let opened = world.inject(0, address(2), fresh.clone()).expect("none of the forgeries spoilt it");
    assert_eq!(&opened.bytes[7..opened.end], b"\x81\0\0packet");
    refuses(&mut world, 0, 2, fresh, "replayed");
}

#[test]
fn a_frame_far_behind_the_window_is_too_old() {
    let mut world = linked(Reach::PointToPoint);
    let link = world.link(1);
    world.loss = 1_000;
    world.send(1, link, b"\x81\0\0early");
    let early = sealed_to(&world, 0);
    world.loss = 0;
    for _ in 0..2_200 {
        world.send(1, link, b"\x81\0\0later");
    }
    world.run_for(Duration::from_secs(1));
    refuses(&mut world, 0, 2, early, "too_old");
}

#[test]
fn messages_of_a_handshake_that_come_back_or_come_again() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 12);
    world.recording = true;
    world.tell(0, Input::Up(IFACE, world.profile));
    world.run_for(Duration::from_millis(400));
    let (_, _, own_first) = world.air[0].clone();
    refuses(&mut world, 0, 2, own_first, "looped");
    world.tell(1, Input::Up(IFACE, world.profile));
    world.run_for(Duration::from_secs(5));
    assert!(world.agree(0, 1));
    let frames: Vec<_> = world.air.clone();
    for (_, to, bytes) in frames.iter().filter(|(_, _, bytes)| (1..=3).contains(&(bytes[0] & 15))) {
        let (before, sent) = (state(&world, *to), world.air.len());
        let refused = world.refused_in_all(*to);
        // A first message whose handshake is still on its way gets the same answer again; nothing else is answered.
        world.inject(*to, address(9), bytes.clone());
        let answered = world.air.len() - sent;
        assert_eq!(world.refused_in_all(*to) - refused + u64::try_from(answered).unwrap(), 1);
        assert!(answered == 0 || bytes[0] & 15 == 1);
        assert_eq!(state(&world, *to).0, before.0, "the links are as they were");
    }
    // After a while all of that is forgotten, and a first message is one like any other: it leads nowhere.
    world.run_for(Duration::from_secs(60));
    let first = first_to(&world, 1);
    world.inject(1, address(9), first);
    world.run_for(Duration::from_secs(60));
    assert!(world.agree(0, 1));
    assert_eq!(world.nodes[1].downs.len(), 0);
}

#[test]
fn a_flipped_message_3_does_not_keep_the_genuine_one_out() {
    let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 13);
    world.recording = true;
    world.tell(1, Input::Up(IFACE, world.profile));
    world.tell(0, Input::Up(IFACE, world.profile));
    world.run_until(world.now.after(Duration::from_secs(1)), |world| {
        world.air.iter().any(|(_, _, bytes)| bytes[0] & 15 == 3)
    });
    let (_, to, finish) = world.air.iter().find(|(_, _, bytes)| bytes[0] & 15 == 3).unwrap().clone();
    for at in 3..finish.len() {
        let mut flipped = finish.clone();
        flipped[at] ^= 1;
        let (_, handshakes, _) = state(&world, to);
        assert_eq!(world.inject(to, address(9), flipped), None);
        assert_eq!(world.nodes[to].links.handshakes(), handshakes);
        assert!(world.nodes[to].up.is_empty());
    }
    let costly = world.refused(to, "not_authentic") + world.refused(to, "flooded");
    assert_eq!(costly, u64::try_from(finish.len() - 3).unwrap());
    assert!(world.refused(to, "flooded") > 20, "rebuilding a handshake spends the rate of answers");
    // Message 3 is repeated until the rate allows one to be read.
    world.run_for(Duration::from_secs(10));
    assert!(world.agree(0, 1));
}

/// A handshake by hand, which says `payload` in message 3.
fn finish_with(world: &mut World, n: u8, payload: LinkPayload) {
    let own = identity(n);
    let mut random = Seed::new([n; 32]).fork("by hand");
    let mut bytes = [0; First::LEN];
    let session = SessionId::new(77).unwrap();
    let zero = First { session, target: BeaconTag::ANYBODY, ephemeral: &[0; 32], cookie: None };
    let head = zero.encode(&mut bytes).unwrap().to_vec();
    let state = AwaitingReply::begin(&own, &prologue(&head).unwrap(), &mut random);
    let ephemeral = state.ephemeral();
    let first = First { ephemeral: ephemeral.as_bytes(), ..zero };
    let first = first.encode(&mut bytes).unwrap().to_vec();
    let sent = world.air.len();
    world.inject(0, address(9), first);
    let (_, _, reply) = world.air[sent].clone();
    let verdict = state.read(&own, Reply::decode(&reply).unwrap().noise).unwrap();
    let theirs = ReplyPayload::decode(verdict.payload()).unwrap().session;
    let mut says = [0; 6];
    payload.encode(&mut says).unwrap();
    let (noise, _) = verdict.accept(&says);
    let mut bytes = [0; Finish::LEN];
    let finish = Finish { session: theirs, noise: &noise }.encode(&mut bytes).unwrap().to_vec();
    world.inject(0, address(9), finish);
}

fn payload(n: u8, version: u8) -> LinkPayload {
    LinkPayload {
        flags: PayloadFlags::new(identity(n).public().sign(), version),
        capabilities: Capabilities(0),
        bandwidth: BandwidthCode::UNKNOWN,
        max_frame: 500,
    }
}

#[test]
fn a_downgraded_link_is_refused_and_a_later_version_is_met_at_ours() {
    for (version, accepted) in [(0, false), (1, true), (2, true), (15, true)] {
        let mut world = World::new(2, profile(Reach::PointToPoint, 10_000_000), 14);
        world.recording = true;
        world.tell(0, Input::Up(IFACE, world.profile));
        finish_with(&mut world, 5, payload(5, version));
        assert_eq!(world.nodes[0].up.len(), usize::from(accepted), "{version}");
        assert_eq!(world.refused(0, "downgraded"), u64::from(!accepted));
    }
}

#[test]
fn a_static_key_that_is_no_nodes_is_refused() {
    let world = linked(Reach::PointToPoint);
    let links = &world.nodes[0].links;
    let mut random = Seed::new([1; 32]).fork("keys");
    let (mut off, mut torsion) = (0, 0);
    for _ in 0..100 {
        let key = ExchangePublic(random.bytes());
        match links.recognised(&key, payload(5, 1)) {
            Err(why) => {
                assert_eq!(why, Refused::not_a_node);
                match NodePublic::recover(&key, EdwardsSign::Even) {
                    Err(nexus_crypto::NotANode::NotOnCurve) => off += 1,
                    _ => torsion += 1,
                }
            }
            // One in sixteen random keys happens to be a good one.
            Ok(node) => assert_eq!(node.exchange(), key),
        }
    }
    assert!(off > 20 && torsion > 20, "{off} off the curve, {torsion} outside the group");
    // Small order: zero, one, and their kin.
    for u in [0, 1] {
        let key = ExchangePublic(core::array::from_fn(|n| if n == 0 { u } else { 0 }));
        assert_eq!(links.recognised(&key, payload(5, 1)), Err(Refused::not_a_node));
    }
}

#[test]
fn a_hundred_thousand_first_messages_in_a_minute_do_not_keep_real_peers_out() {
    let mut world = World::new(3, profile(Reach::Addressed, 100_000_000), 15);
    world.beacons = false;
    world.up_all();
    world.run_for(Duration::from_secs(1));
    let mut random = Seed::new([3; 32]).fork("flood");
    let (mut linked_after, start) = (None, world.now);
    for n in 0..100_000_u64 {
        let mut bytes = vec![Head::new(LinkVersion::ONE, FrameKind::FIRST).to_wire()];
        bytes.extend(random.bytes::<2>());
        bytes.extend([0; 4]);
        bytes.extend(random.bytes::<32>());
        if bytes[1] == 0 && bytes[2] == 0 {
            bytes[1] = 1;
        }
        // From one address and from many.
        let from = if n % 2 == 0 { address(200) } else { address(u8::try_from(n % 100 + 100).unwrap()) };
        world.inject(0, from, bytes);
        if n == 5_000 {
            let target = address(1);
            world.tell(1, Input::Dial { iface: IFACE, to: target, expected: None });
        }
        if n == 50_000 {
            let target = address(3);
            world.tell(0, Input::Dial { iface: IFACE, to: target, expected: None });
        }
        world.run_until(start.after(Duration::from_micros(n * 600)), |_| false);
        if linked_after.is_none() && world.agree(0, 1) {
            linked_after = Some(n);
        }
    }
    world.run_for(Duration::from_secs(1));
    assert!(world.agree(0, 1) && world.agree(0, 2));
    assert!(linked_after.unwrap() < 15_000, "within seconds, by a cookie: {linked_after:?}");
    let (_, answering) = world.nodes[0].links.handshakes();
    assert!(answering <= 1_024, "{answering}");
    assert!(world.refused(0, "flooded") > 90_000);
}
