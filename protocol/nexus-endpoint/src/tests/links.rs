use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::exchange::EphemeralSecret;
use nexus_crypto::{DestinationHash, SigningKey};
use nexus_machine::{Duration, Seed};
use nexus_wire::reticulum::link::{LinkMode, LinkRequest, Signalling};
use nexus_wire::reticulum::{Context, LinkId, LinkMtu, LinkProof, Packet, Payload};

use super::world::{NAME, Relay, World, address, identity, service};
use crate::{
    Accepting, Asked, Bytes, Command, Down, Event, Failure, Handle, Input, Measures, Question, Service, Side,
    Up,
};

#[test]
fn a_link_comes_up_at_both_ends_and_carries_data_both_ways_with_proofs() {
    let (mut world, link) = linked();
    world.say(0, 1, link, b"there");
    assert_eq!(world.events(1), [said(link, b"there")]);
    assert!(matches!(world.events(0)[..], [Event::Delivered { handle: Handle(1), .. }]));
    world.say(1, 2, link, b"back");
    assert_eq!(world.events(0), [said(link, b"back")]);
    assert!(matches!(world.events(1)[..], [Event::Delivered { handle: Handle(2), .. }]));
}

#[test]
fn both_ends_agree_on_what_the_link_is_like() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.open(0, destination);
    let ups: Vec<_> = (0..2).map(|node| up(&world.events(node))).collect();
    let rtt = Duration::ZERO;
    let measures = Measures { rtt, mtu: 8_192, data_len: 8_111, part_len: 8_156 };
    let link = ups[0].link;
    assert_eq!(ups[0], Up { link, destination, side: Side::Initiator, measures });
    assert_eq!(ups[1], Up { link, destination, side: Side::Responder, measures });
}

#[test]
fn the_longest_data_arrive_and_longer_are_refused() {
    let (mut world, link) = linked();
    world.say(0, 1, link, &[7; 8_111]);
    assert_eq!(world.events(1), [said(link, &[7; 8_111])]);
    assert!(world.sent.iter().all(|packet| packet.len() <= 8_192));
    world.events(0);
    world.say(0, 2, link, &[7; 8_112]);
    assert_eq!(world.events(0), [failed(2, Failure::TooLong)]);
}

#[test]
fn a_way_that_negotiates_nothing_carries_packets_of_the_base_mtu() {
    let mut world = World::of(1);
    let destination = world.serve(0, NAME);
    let (request, _) = request(destination, None);
    world.tell(0, Input::Packet(request));
    let proof = LinkProof::from_packet(&Packet::decode(world.sent.last().unwrap()).unwrap()).unwrap();
    assert_eq!(proof.signalling, None);
}

#[test]
fn what_a_relay_lowered_is_agreed_on_and_what_nobody_speaks_is_not_answered() {
    let mut world = World::of(1);
    let destination = world.serve(0, NAME);
    let asked = world.sent.len();
    let signalling = |mode, mtu| Some(Signalling { mode, mtu: LinkMtu::new(mtu) });
    for refused in [
        signalling(LinkMode::AES_256_GCM, 8_192),
        signalling(LinkMode::AES_128_CBC, 8_192),
        signalling(LinkMode::AES_256_CBC, 499),
    ] {
        world.tell(0, Input::Packet(request(destination, refused).0));
        assert_eq!(world.sent.len(), asked, "{refused:?}");
    }
    let (bytes, id) = request(destination, signalling(LinkMode::AES_256_CBC, 1_196));
    world.tell(0, Input::Packet(bytes));
    let packet = Packet::decode(world.sent.last().unwrap()).unwrap();
    let proof = LinkProof::from_packet(&packet).unwrap();
    assert_eq!((proof.link, proof.signalling), (id, signalling(LinkMode::AES_256_CBC, 1_196)));
    proof.verify(&identity(0).public().verifying()).unwrap();
}

#[test]
fn a_destination_that_takes_packets_alone_answers_no_link_request() {
    let mut world = World::of(2);
    world.command(1, Command::Serve(Service { accepting: Accepting::Packets, ..service(NAME, b"") }));
    world.open(0, address(1, NAME));
    world.pass(Duration::from_secs(6));
    assert_eq!(world.events(0), [failed(0, Failure::NoAnswer)]);
}

#[test]
fn a_link_to_whom_nobody_knows_fails_for_want_of_a_path() {
    let mut world = World::of(1);
    world.open(0, address(9, NAME));
    world.pass(Duration::from_secs(18));
    assert_eq!(world.events(0), [failed(0, Failure::NoPath)]);
}

#[test]
fn only_the_destinations_identity_proves_a_link() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.loses = Some(Context::LINK_REQUEST_PROOF);
    world.open(0, destination);
    let proof = world.sent.last().unwrap().clone();
    let genuine = LinkProof::from_packet(&Packet::decode(&proof).unwrap()).unwrap();
    let forged = LinkProof::sign(genuine.link, genuine.exchange, genuine.signalling, &identity(2));
    let mut buffer = [0; 200];
    world.tell(0, Input::Packet(forged.encode(&mut buffer).unwrap().to_vec()));
    assert_eq!(world.events(0), []);
    world.tell(0, Input::Packet(proof));
    assert!(matches!(world.events(0)[..], [Event::LinkUp { handle: Some(Handle(0)), .. }]));
}

#[test]
fn a_responders_link_is_up_with_the_first_data_where_the_round_trip_was_lost() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.events(1);
    world.loses = Some(Context::LINK_RTT);
    world.open(0, destination);
    let link = up(&world.events(0)).link;
    assert_eq!(world.events(1), []);
    world.say(0, 1, link, b"hello");
    assert!(matches!(world.events(1)[..], [Event::LinkUp { .. }, Event::Said { .. }]));
}

#[test]
fn an_idle_link_stays_up_as_long_as_both_ends_are_there() {
    let (mut world, link) = linked();
    world.sent.clear();
    world.pass(Duration::from_secs(600));
    assert_eq!(world.sent.len(), 2 * 120, "a question each 5 s, and its answer");
    assert!(world.sent.iter().all(|packet| packet.len() == 20));
    world.say(1, 1, link, b"still there");
    assert_eq!(world.events(0), [said(link, b"still there")]);
}

#[test]
fn a_link_whose_other_end_is_silent_is_no_more_after_two_silences_and_a_last_chance() {
    let (mut world, link) = linked();
    world.relay = Relay::Swallows;
    world.pass(Duration::from_micros(14_999_999));
    assert_eq!((world.events(0), world.events(1)), (Vec::new(), Vec::new()));
    world.pass(Duration::from_micros(1));
    let down = Event::LinkDown { link, why: Down::Silent };
    assert_eq!((world.events(0), world.events(1)), (vec![down.clone()], vec![down]));
}

#[test]
fn either_end_closes_a_link_and_what_waits_on_it_fails() {
    for closing in [0, 1] {
        let (mut world, link) = linked();
        world.loses = Some(Context::NONE);
        world.say(1 - closing, 5, link, b"lost");
        world.loses = None;
        world.command(closing, Command::Close { link });
        assert_eq!(world.events(closing), [Event::LinkDown { link, why: Down::Here }]);
        let failed = failed(5, Failure::NoLink);
        assert_eq!(world.events(1 - closing), [failed, Event::LinkDown { link, why: Down::There }]);
        world.pass(Duration::from_secs(1_000));
        assert_eq!((world.events(0), world.events(1)), (Vec::new(), Vec::new()));
    }
}

#[test]
fn data_that_are_not_proved_fail_when_their_time_is_over() {
    let (mut world, link) = linked();
    world.loses = Some(Context::NONE);
    world.say(0, 1, link, b"lost");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.events(0), [failed(1, Failure::NoAnswer)]);
}

#[test]
fn an_initiator_says_who_it_is_and_a_responder_cannot() {
    let (mut world, link) = linked();
    world.command(0, Command::Identify { link });
    assert_eq!(world.events(1), [Event::Identified { link, identity: *identity(0).public() }]);
    let sent = world.sent.len();
    world.command(1, Command::Identify { link });
    assert_eq!(world.sent.len(), sent);
}

#[test]
fn a_request_is_answered() {
    let (mut world, link) = linked();
    world.ask(0, 3, link);
    let [Event::Requested(asked)] = &world.events(1)[..] else { panic!("a request") };
    let Asked { request, path, data, .. } = asked.clone();
    assert_eq!(path, nexus_wire::reticulum::resource::PathHash::of("/time"));
    assert_eq!(data, Bytes(vec![0xc0]));
    let respond = |handle, request, data| Command::Respond { handle, link, request, data };
    let answer = Bytes(vec![0xc4, 1, 7]);
    world.command(1, respond(Handle(8), request, answer.clone()));
    assert_eq!(world.events(0), [Event::Responded { handle: Handle(3), data: answer.clone() }]);
    world.command(1, respond(Handle(8), request, answer));
    assert_eq!((world.events(0), world.events(1)), (Vec::new(), Vec::new()), "once");
}

#[test]
fn a_request_that_nobody_answers_fails_when_its_time_is_over() {
    let (mut world, link) = linked();
    world.ask(1, 3, link);
    world.events(0);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.events(1), [failed(3, Failure::NoAnswer)]);
}

#[test]
fn there_are_so_many_links_and_those_that_nobody_confirmed_give_way() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.events(1);
    world.loses = Some(Context::LINK_RTT);
    for _ in 0..4 {
        world.open(0, destination);
    }
    assert_eq!(world.events(0).last(), Some(&failed(0, Failure::Busy)), "three at one end");
    assert_eq!(world.events(1), []);
    world.loses = None;
    world.restart(0, 1);
    for _ in 0..3 {
        world.open(0, destination);
    }
    assert_eq!(world.events(1).iter().filter(|event| matches!(event, Event::LinkUp { .. })).count(), 3);
    world.restart(0, 2);
    world.open(0, destination);
    assert_eq!(world.events(1), [], "none that is up gives way");
}

#[test]
fn requests_for_links_are_answered_no_oftener_than_so() {
    let mut world = World::of(1);
    let destination = world.serve(0, NAME);
    world.sent.clear();
    let (bytes, _) = request(destination, None);
    for number in 0..100_u8 {
        // Each is another request: the initiator's signing key is of no account before it proves anything.
        let mut bytes = bytes.clone();
        *bytes.last_mut().unwrap() = number;
        world.tell(0, Input::Packet(bytes));
    }
    assert_eq!(world.sent.len(), 32);
}

/// Two nodes and a link between them.
pub(super) fn linked() -> (World, LinkId) {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    world.open(0, destination);
    let link = up(&world.events(0)).link;
    world.events(1);
    (world, link)
}

impl World {
    pub(super) fn open(&mut self, node: usize, to: DestinationHash) {
        self.command(node, Command::Open { handle: Handle(0), to });
    }

    fn say(&mut self, node: usize, handle: u64, link: LinkId, text: &[u8]) {
        let plaintext = Bytes(text.to_vec());
        self.command(node, Command::Say { handle: Handle(handle), link, plaintext });
    }

    fn ask(&mut self, node: usize, handle: u64, link: LinkId) {
        let data = Bytes(vec![0xc0]);
        let question = Question { path: "/time".into(), data, within: Duration::from_secs(10) };
        self.command(node, Command::Request { handle: Handle(handle), link, question });
    }
}

pub(super) fn up(events: &[Event]) -> Up {
    let up = |event: &Event| if let Event::LinkUp { up, .. } = event { Some(*up) } else { None };
    events.iter().find_map(up).expect("a link came up")
}

fn said(link: LinkId, text: &[u8]) -> Event {
    Event::Said { link, plaintext: Bytes(text.to_vec()) }
}

fn failed(handle: u64, why: Failure) -> Event {
    Event::Failed { handle: Handle(handle), why }
}

/// A stranger's request for a link.
fn request(destination: DestinationHash, signalling: Option<Signalling>) -> (Vec<u8>, LinkId) {
    let mut random = Seed::new([5; 32]).fork("test");
    let exchange = EphemeralSecret::generate(&mut random).public();
    let verifying = SigningKey::generate(&mut random).public();
    let context = Context::NONE;
    let request = LinkRequest { destination, context, exchange, verifying, signalling };
    let mut buffer = [0; 100];
    (request.encode(&mut buffer).unwrap().to_vec(), request.link_id())
}
