use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::reticulum::channel::End;
use nexus_wire::reticulum::{Context, LinkId};

use super::links::linked;
use super::world::{Relay, World};
use crate::channel::{Command as Wish, Event as Happened, Message, Refusal, Write};
use crate::resource::Compression;
use crate::{Bytes, Command, Down, Event, Handle};

#[test]
fn messages_arrive_in_order_though_some_are_lost_at_first() {
    let (mut world, link) = open();
    world.loses = Some(Context::CHANNEL);
    for number in 0..3 {
        world.channel(0, link, message(number));
    }
    assert_eq!(world.events(1), []);
    world.loses = None;
    world.pass(Duration::from_secs(2));
    let came: Vec<_> = world.events(1).into_iter().map(|event| event_of(link, event)).collect();
    let expected: Vec<_> = (0..3).map(|number| Happened::Message(said(number))).collect();
    assert_eq!(came, expected);
    let sent: Vec<_> = world.events(0).into_iter().map(|event| event_of(link, event)).collect();
    assert_eq!(sent, [0, 1, 2].map(|number| Happened::Sent(Handle(number))));
}

#[test]
fn a_stream_passes_whole() {
    let (mut world, link) = open();
    let data = vec![7; 30_000];
    let write =
        Write { stream: 3, data: Bytes(data.clone()), end: End::Last, compression: Compression::Tried };
    world.channel(1, link, Wish::Write(Handle(9), write));
    world.pass(Duration::from_secs(2));
    let mut came = Vec::new();
    let mut ended = false;
    for event in world.events(0) {
        let Happened::Stream { stream: 3, data, end } = event_of(link, event) else { panic!("a stream") };
        came.extend(data.0);
        ended |= end == End::Last;
    }
    assert!(came == data && ended);
    assert_eq!(event_of(link, world.events(1)[0].clone()), Happened::Sent(Handle(9)));
}

#[test]
fn what_comes_for_a_channel_that_nobody_opened_is_not_taken_and_ends_the_link() {
    let (mut world, link) = linked();
    world.command(0, Command::OpenChannel { link });
    world.channel(0, link, message(0));
    world.pass(Duration::from_secs(60));
    let not_sent = Event::Channel { link, event: Happened::NotSent(Handle(0), Refusal::Ended) };
    assert_eq!(world.events(0), [not_sent, Event::LinkDown { link, why: Down::Channel }]);
    assert_eq!(world.events(1), [Event::LinkDown { link, why: Down::There }]);
}

#[test]
fn what_waits_in_a_channel_ends_with_its_link() {
    let (mut world, link) = open();
    world.relay = Relay::Swallows;
    world.channel(0, link, message(4));
    world.command(0, Command::Close { link });
    let not_sent = Event::Channel { link, event: Happened::NotSent(Handle(4), Refusal::Ended) };
    assert_eq!(world.events(0), [not_sent.clone(), Event::LinkDown { link, why: Down::Here }]);
    world.channel(0, link, message(4));
    assert_eq!(world.events(0), [not_sent]);
}

/// Two nodes and a link between them whose channel both opened.
fn open() -> (World, LinkId) {
    let (mut world, link) = linked();
    for node in 0..2 {
        world.command(node, Command::OpenChannel { link });
    }
    (world, link)
}

impl World {
    fn channel(&mut self, node: usize, link: LinkId, command: Wish) {
        self.command(node, Command::Channel { link, command });
    }
}

fn said(number: u8) -> Message {
    Message { kind: 0x0101, data: Bytes(vec![number]) }
}

fn message(number: u8) -> Wish {
    Wish::Send(Handle(number.into()), said(number))
}

fn event_of(link: LinkId, event: Event) -> Happened {
    let Event::Channel { link: of, event } = event else { panic!("not in a channel: {event:?}") };
    assert_eq!(of, link);
    event
}
