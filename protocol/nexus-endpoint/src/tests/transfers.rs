use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::reticulum::LinkId;
use nexus_wire::reticulum::resource::SEGMENT_MAX;

use super::links::{linked, up};
use super::world::{LIMITS, NAME, World};
use crate::resource::{
    Command as Wish, Compression, Event as Happened, Failure as Why, Offer, Offered, Purpose, Segment,
};
use crate::{Asked, Bytes, Command, Event, Failure, Handle, Question};

#[test]
fn requests_and_responses_that_do_not_fit_a_packet_are_resources() {
    let (mut world, link) = linked();
    let question = packed(20_000);
    world.ask_for(0, 3, link, &question);
    let [Event::Requested(asked)] = &world.events(1)[..] else { panic!("a request") };
    let Asked { request, data, .. } = asked.clone();
    assert_eq!(data.0, question);
    let answer = packed(30_000);
    let data = Bytes(answer.clone());
    world.command(1, Command::Respond { handle: Handle(8), link, request, data });
    assert_eq!(world.events(0), [Event::Responded { handle: Handle(3), data: Bytes(answer) }]);
    assert_eq!(world.events(1), []);
}

#[test]
fn a_request_longer_than_a_segment_is_refused() {
    let (mut world, link) = linked();
    world.ask_for(0, 3, link, &packed(SEGMENT_MAX));
    assert_eq!(world.events(0), [Event::Failed { handle: Handle(3), why: Failure::TooLong }]);
}

#[test]
fn a_response_that_nobody_asked_for_is_not_taken() {
    let (mut world, link) = linked();
    world.ask_for(0, 3, link, &packed(10));
    let [Event::Requested(asked)] = &world.events(1)[..] else { panic!("a request") };
    let request = asked.request;
    world.pass(Duration::from_secs(60));
    world.events(0);
    let data = Bytes(packed(30_000));
    world.command(1, Command::Respond { handle: Handle(8), link, request, data });
    let why = Failure::NotTaken(Why::Refused);
    assert_eq!(world.events(1), [Event::Failed { handle: Handle(8), why }]);
    assert_eq!(world.events(0), []);
}

#[test]
fn a_file_is_offered_taken_piece_by_piece_and_proved() {
    let (mut world, link) = linked();
    let file: Vec<u8> = (0..300_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let arrival = world.offer(link, &file);
    world.transfer(1, link, Wish::Accept(arrival));
    world.pass(Duration::from_secs(1));
    let [Event::Transfer { event: Happened::Segment(of, Segment { number: 1, metadata, data }), .. }] =
        &world.events(1)[..]
    else {
        panic!("a segment")
    };
    assert_eq!((of, metadata, &data.0), (&arrival, &Some(Bytes(vec![0xc0])), &file));
    assert_eq!(world.events(0), [], "it is not kept yet");
    world.transfer(1, link, Wish::Kept(arrival));
    assert_eq!(world.events(0), [happened(link, Happened::Sent(Handle(7)))]);
    assert_eq!(world.events(1), [happened(link, Happened::Arrived(arrival))]);
}

#[test]
fn a_file_that_is_not_wanted_is_not_sent() {
    let (mut world, link) = linked();
    let arrival = world.offer(link, &vec![7; 100_000]);
    let before = world.sent.len();
    world.transfer(1, link, Wish::Refuse(arrival));
    assert_eq!(world.events(0), [happened(link, Happened::NotSent(Handle(7), Why::Refused))]);
    assert!(world.sent[before..].iter().all(|packet| packet.len() < 200));
}

#[test]
fn what_passes_on_a_link_ends_with_it_at_both_ends() {
    let (mut world, link) = linked();
    let arrival = world.offer(link, &vec![7; 100_000]);
    world.command(0, Command::Close { link });
    let not_sent = happened(link, Happened::NotSent(Handle(7), Why::NoLink));
    assert_eq!(world.events(0)[0], not_sent);
    let not_arrived = happened(link, Happened::NotArrived(arrival, Why::NoLink));
    assert_eq!(world.events(1)[0], not_arrived);
    world.pass(Duration::from_secs(1_000));
    assert_eq!(world.events(0).len() + world.events(1).len(), 0, "nobody is told twice");
}

#[test]
fn resources_pass_on_so_many_links_at_a_time_and_idle_ones_give_way() {
    let mut world = World::of(2);
    let destination = world.serve(1, NAME);
    let mut links = Vec::new();
    for _ in 0..LIMITS.links {
        world.open(0, destination);
        links.push(up(&world.events(0)).link);
    }
    world.events(1);
    world.nodes[0].file = vec![7; 1_000];
    let [first, second, third] = links[..] else { panic!("three links") };
    for link in [first, second] {
        world.transfer(0, link, Wish::Offer(Handle(7), offer(1_000)));
    }
    world.transfer(0, third, Wish::Offer(Handle(9), offer(1_000)));
    assert_eq!(world.events(0), [happened(third, Happened::NotSent(Handle(9), Why::Busy))]);
    let Event::Transfer { link, event: Happened::Offered(arrival, _) } = world.events(1)[0].clone() else {
        panic!("an offer")
    };
    assert_eq!(link, first);
    world.transfer(1, link, Wish::Refuse(arrival));
    world.events(0);
    world.transfer(0, third, Wish::Offer(Handle(9), offer(1_000)));
    assert_eq!(world.events(0), [], "it is on its way");
}

impl World {
    fn ask_for(&mut self, node: usize, handle: u64, link: LinkId, data: &[u8]) {
        let (data, within) = (Bytes(data.to_vec()), Duration::from_secs(30));
        let question = Question { path: "/data".into(), data, within };
        self.command(node, Command::Request { handle: Handle(handle), link, question });
    }

    fn transfer(&mut self, node: usize, link: LinkId, command: Wish) {
        self.command(node, Command::Transfer { link, command });
    }

    /// Node 0 offers node 1 a file; what that calls it.
    fn offer(&mut self, link: LinkId, file: &[u8]) -> crate::resource::Arrival {
        self.nodes[0].file = file.to_vec();
        self.transfer(0, link, Wish::Offer(Handle(7), offer(file.len())));
        let [Event::Transfer { event: Happened::Offered(arrival, Offered { purpose, .. }), .. }] =
            self.events(1)[..]
        else {
            panic!("an offer")
        };
        assert_eq!(purpose, Purpose::Data);
        arrival
    }
}

fn offer(len: usize) -> Offer {
    Offer {
        len: u64::try_from(len).unwrap(),
        metadata: Some(vec![0xc0]),
        purpose: Purpose::Data,
        compression: Compression::None,
    }
}

fn happened(link: LinkId, event: Happened) -> Event {
    Event::Transfer { link, event }
}

/// Bytes of which the whole has so many and a head, as `MessagePack`.
fn packed(len: usize) -> Vec<u8> {
    let head = [0xc6].into_iter().chain(u32::try_from(len).unwrap().to_be_bytes());
    head.chain(core::iter::repeat_n(7, len)).collect()
}
