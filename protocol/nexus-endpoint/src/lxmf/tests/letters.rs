use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_wire::reticulum::lxmf::{Body, DeliveryInfo, Message, Ticket};
use nexus_wire::reticulum::msgpack::{Float, Packer};
use nexus_wire::reticulum::{Announce, Context, DestinationType, Packet, PacketType};

use super::world::{LIMITS, UNIX, World, identity};
use crate::contract::{Bytes, Command as Wish, Event, Handle};
use crate::lxmf::{Effect, Letter, Signed, TEXT_MAX, Undelivered, Way};
use crate::{Failure, Input as Told};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_short_message_goes_in_a_packet_and_is_proved_and_verified() {
    let mut world = talking([None, None]);
    world.send(0, 1, 7, b"hello");
    world.pass(Duration::from_secs(1));
    assert_eq!(
        world.effects(0),
        [Effect::Delivered { handle: 7, way: Way::Packet, attempts: 1, after: Duration::ZERO }]
    );
    let letter = only_letter(&mut world, 1);
    assert_eq!((letter.source, letter.signature), (world.address(0), Signed::Verified));
    assert_eq!((&letter.title[..], &letter.content[..]), (&b""[..], &b"hello"[..]));
    assert!(world.peers.iter().all(|peer| peer.unclaimed.is_empty()));
}

#[test]
fn a_message_that_does_not_fit_a_packet_goes_on_a_link_and_so_does_the_answer() {
    let mut world = talking([None, None]);
    world.send(0, 1, 1, &[b'x'; 288]);
    world.pass(Duration::from_secs(1));
    assert!(matches!(world.effects(0)[..], [Effect::Delivered { handle: 1, way: Way::Link, .. }]));
    assert_eq!(only_letter(&mut world, 1).content, vec![b'x'; 288]);
    world.send(1, 0, 2, &[b'y'; 300]);
    world.pass(Duration::from_secs(1));
    assert!(matches!(world.effects(1)[..], [Effect::Delivered { handle: 2, way: Way::Link, .. }]));
    assert_eq!(only_letter(&mut world, 0).content, vec![b'y'; 300]);
    let asked = world.sent.iter().filter(|bytes| type_of(bytes) == PacketType::LinkRequest).count();
    assert_eq!(asked, 1, "the answer takes the link that is there");
    world.pass(Duration::from_secs(300));
    let closed =
        world.sent.iter().filter(|bytes| Packet::decode(bytes).unwrap().context == Context::LINK_CLOSE);
    assert_eq!(closed.count(), 1, "a link that is not used is closed by who made it");
}

#[test]
fn a_message_that_does_not_fit_a_packet_of_a_link_goes_as_a_resource() {
    let mut world = talking([None, None]);
    let text = vec![b'z'; TEXT_MAX];
    world.send(0, 1, 1, &text);
    world.pass(MINUTE);
    assert!(matches!(world.effects(0)[..], [Effect::Delivered { handle: 1, way: Way::Link, .. }]));
    assert_eq!(only_letter(&mut world, 1).content, text);
}

#[test]
fn a_stamp_is_made_for_whoever_asks_for_one_and_looked_at() {
    let mut world = talking([None, Some(4)]);
    world.send(0, 1, 1, b"paid");
    world.pass(Duration::from_secs(10));
    assert!(matches!(world.effects(0)[..], [Effect::Delivered { handle: 1, .. }]));
    assert_eq!(only_letter(&mut world, 1).content, b"paid");
    let info = announced(&world);
    assert!(info.contains(&(Some(b"somebody".to_vec()), Some(4))), "{info:?}");
}

#[test]
fn a_message_without_the_stamp_that_is_asked_for_is_dropped() {
    let mut world = talking([None, Some(4)]);
    let message = written(&world, b"unpaid", None);
    deliver(&mut world, &message);
    world.pass(MINUTE);
    assert_eq!(world.effects(1), []);
    assert_eq!(world.peers[1].organ.refusals().unstamped, 1);
}

#[test]
fn a_ticket_pays_in_place_of_work() {
    let mut world = talking([Some(200), None]);
    let expires = Float::of(Duration::from_secs(UNIX + 3_600));
    let ticket = Ticket { expires, secret: [9; 16] };
    let fields = Packer::default().map(1).uint(12).array(2).float(expires).bin(&ticket.secret).into_bytes();
    let message = written(&world, b"with a ticket", Some(&fields));
    deliver(&mut world, &message);
    assert_eq!(only_letter(&mut world, 1).content, b"with a ticket");
    // No work of that cost would be done in time.
    world.send(1, 0, 3, b"answered");
    world.pass(Duration::from_secs(1));
    assert!(matches!(world.effects(1)[..], [Effect::Delivered { handle: 3, .. }]));
}

#[test]
fn a_message_that_comes_again_is_proved_and_not_shown_again() {
    let mut world = talking([None, None]);
    let message = written(&world, b"once", None);
    for _ in 0..3 {
        deliver(&mut world, &message);
    }
    assert_eq!(only_letter(&mut world, 1).content, b"once");
    assert_eq!(world.peers[1].organ.refusals().repeated, 2);
    let proved =
        world.peers[0].unclaimed.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
    assert_eq!(proved, 3);
}

#[test]
fn a_forged_message_is_shown_to_nobody() {
    let mut world = talking([None, None]);
    let mut message = written(&world, b"forged", None);
    message[20] ^= 1;
    deliver(&mut world, &message);
    assert_eq!(world.effects(1), []);
    assert_eq!(world.peers[1].organ.refusals().forged, 1);
}

#[test]
fn a_message_of_an_unknown_source_is_shown_as_claimed_and_few_are_held() {
    let mut world = talking([None, None]);
    for n in 0..3 {
        let source = DestinationHash([n; 16]);
        let body = Body::compose(Float(0), b"", &[n], None);
        let message = Message {
            destination: world.address(1),
            source,
            signature: nexus_crypto::Signature([0; 64]),
            body: Body::decode(&body).unwrap(),
            stamp: None,
        };
        let message = message.encode_behind_destination();
        deliver(&mut world, &message);
    }
    assert_eq!(world.peers[1].organ.refusals().busy, 1, "two are held while their sources are looked for");
    world.pass(MINUTE);
    let letters = world.effects(1);
    let claimed =
        |effect: &Effect| matches!(effect, Effect::Arrived(Letter { signature: Signed::Claimed, .. }));
    assert_eq!((letters.len(), letters.iter().all(claimed)), (2, true));
}

#[test]
fn a_lost_packet_is_followed_by_a_link() {
    let mut world = talking([None, None]);
    world.loses =
        |packet| packet.packet_type == PacketType::Data && packet.destination_type == DestinationType::Single;
    world.send(0, 1, 1, b"again");
    world.pass(MINUTE);
    assert!(matches!(
        world.effects(0)[..],
        [Effect::Delivered { handle: 1, way: Way::Link, attempts: 2, .. }]
    ));
    assert_eq!(only_letter(&mut world, 1).content, b"again");
}

#[test]
fn what_cannot_be_delivered_ends_once_and_says_why() {
    let mut world = talking([None, None]);
    world.send(0, 0, 1, b"to myself");
    assert_eq!(world.effects(0), [undelivered(1, Undelivered::Own)]);
    world.send(0, 1, 2, &vec![b'x'; TEXT_MAX + 1]);
    assert_eq!(world.effects(0), [undelivered(2, Undelivered::TooLong)]);
    world.send_to(0, DestinationHash([3; 16]), 3, b"to nobody");
    world.pass(Duration::from_secs(120));
    assert_eq!(world.effects(0), [undelivered(3, Undelivered::NoPath)]);
    world.loses = |packet| packet.packet_type != PacketType::Announce;
    for handle in 4..8 {
        world.send(0, 1, handle, b"lost");
    }
    assert_eq!(world.effects(0), [undelivered(7, Undelivered::Busy)], "three may be on their way");
    world.pass(Duration::from_secs(240));
    let ended = world.effects(0);
    let unproved = |effect: &Effect| {
        matches!(effect, Effect::Undelivered { why: Undelivered::NoProof { attempts: 2.. }, .. })
    };
    assert_eq!((ended.len(), ended.iter().all(unproved)), (3, true), "{ended:?}");
}

#[test]
fn what_others_wanted_of_the_endpoint_is_theirs() {
    let mut world = talking([None, None]);
    let destination = DestinationHash([9; 16]);
    world.tell_endpoint(0, Told::Command(Wish::Find { handle: Handle(5), destination }));
    world.pass(MINUTE);
    assert_eq!(world.peers[0].unclaimed, [Event::Failed { handle: Handle(5), why: Failure::NoPath }]);
}

/// Two peers that take messages.
fn talking(costs: [Option<u8>; 2]) -> World {
    let mut world = World::of(2);
    for (peer, cost) in costs.into_iter().enumerate() {
        world.serve(peer, cost);
    }
    const { assert!(LIMITS.held == 2 && LIMITS.outgoing == 3, "what tests count on") };
    world
}

pub(super) fn only_letter(world: &mut World, peer: usize) -> Letter {
    let mut letters: Vec<_> = world.effects(peer);
    assert_eq!(letters.len(), 1, "{letters:?}");
    match letters.remove(0) {
        Effect::Arrived(letter) => letter,
        other => panic!("{other:?}"),
    }
}

const fn undelivered(handle: u64, why: Undelivered) -> Effect {
    Effect::Undelivered { handle, why }
}

/// A message of the first peer to the second, as it stands in a packet.
fn written(world: &World, text: &[u8], fields: Option<&[u8]>) -> Vec<u8> {
    let (source, destination) = (world.address(0), world.address(1));
    let composed = Body::compose(Float(0x41da_c24f_b138_acc0), b"", text, fields);
    let body = Body::decode(&composed).unwrap();
    let id = body.id(&destination, &source);
    let signature = identity(0).sign_untagged(&body.signed(&destination, &source, &id));
    Message { destination, source, signature, body, stamp: None }.encode_behind_destination()
}

/// The first peer's endpoint sends these bytes to the second peer.
fn deliver(world: &mut World, message: &[u8]) {
    let to = world.address(1);
    let send = Wish::Send { handle: Handle(1), to, plaintext: Bytes(message.to_vec()) };
    world.tell_endpoint(0, Told::Command(send));
}

fn type_of(bytes: &[u8]) -> PacketType {
    Packet::decode(bytes).unwrap().packet_type
}

/// What the peers announced.
fn announced(world: &World) -> Vec<(Option<Vec<u8>>, Option<u8>)> {
    let announces = world.sent.iter().filter(|bytes| type_of(bytes) == PacketType::Announce);
    let infos = announces.map(|bytes| {
        let packet = Packet::decode(bytes).unwrap();
        let announce = Announce::from_packet(&packet).unwrap();
        let info = DeliveryInfo::decode(announce.claim.app_data).unwrap();
        (info.name.map(<[u8]>::to_vec), info.stamp_cost)
    });
    infos.collect()
}
