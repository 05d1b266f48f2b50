//! What does not fit a packet, and what comes in order: both ways.

use nexus_crypto::DestinationHash;
use nexus_crypto::hash::sha256;
use nexus_machine::Duration;
use nexus_node::endpoint::channel::{Command as Wish, Event as Happened, Message};
use nexus_node::endpoint::{Bytes, Command as C, Event as E, Handle, Question};
use nexus_stock::stock::hex;
use nexus_wire::reticulum::LinkId;
use serde_json::json;

use crate::talking::{NAME, address, up};
use crate::world::World;

#[test]
fn questions_and_answers_that_do_not_fit_a_packet_pass_both_ways() {
    let (mut world, link) = linked_to_stock();
    // As text repeats itself: the package compresses its answer.
    let asked = packed(&b"a boat on the river ".repeat(2_000));
    let within = Duration::from_secs(30);
    let question = Question { path: "/echo".into(), data: Bytes(asked.clone()), within };
    world.own.tell(C::Request { handle: Handle(4), link, question });
    assert!(answer(&mut world) == asked);
    let question =
        Question { path: "/noise".into(), data: Bytes(b"\xc4\x04\x00\x00\xea\x60".to_vec()), within };
    world.own.tell(C::Request { handle: Handle(5), link, question });
    assert_eq!(answer(&mut world).len(), 3 + 60_000);

    let destination = world.own.serve(NAME, b"");
    world.stock.wait_announce(&destination.to_string());
    world.stock.tell(&json!({ "do": "link", "to": destination.to_string() }));
    world.own.wait(up);
    let asked = b"a boat on the river ".repeat(1_000);
    world.stock.tell(&json!({ "do": "request", "data": hex(&asked) }));
    let came =
        world.own.wait(|event| if let E::Requested(asked) = event { Some(asked.clone()) } else { None });
    assert!(came.data.0 == packed(&asked));
    let (link, request) = (came.link, came.request);
    world.own.tell(C::Respond { handle: Handle(6), link, request, data: came.data });
    let answered = world.stock.wait("answered");
    assert_eq!(answered["answered"], hex(&sha256(&[&asked])));
    world.end();
}

#[test]
fn messages_pass_in_a_channel_both_ways() {
    let (mut world, link) = linked_to_stock();
    world.own.tell(C::OpenChannel { link });
    world.stock.tell(&json!({ "do": "channel" }));
    world.stock.wait("channel");
    for number in 0..10 {
        let command = Wish::Send(Handle(number), message(number));
        world.own.tell(C::Channel { link, command });
    }
    for number in 0..10_u8 {
        assert_eq!(world.stock.wait("message")["message"], hex(&[number; 300]));
    }
    world.stock.tell(&json!({ "do": "message", "data": hex(b"back") }));
    let came = world.own.wait(|event| match event {
        E::Channel { event: Happened::Message(message), .. } => Some(message.clone()),
        _ => None,
    });
    assert_eq!(came, Message { kind: 0x0101, data: Bytes(b"back".to_vec()) });
    world.end();
}

fn message(number: u64) -> Message {
    Message { kind: 0x0101, data: Bytes(vec![u8::try_from(number).unwrap(); 300]) }
}

fn linked_to_stock() -> (World, LinkId) {
    let mut world = World::start();
    world.stock.tell(&json!({ "do": "announce", "of": "ratcheted", "app_data": "" }));
    let to: DestinationHash = address(&world.stock.ratcheted);
    world.own.tell(C::Open { handle: Handle(3), to });
    let link = world.own.wait(up).link;
    world.stock.wait("linked");
    (world, link)
}

fn answer(world: &mut World) -> Vec<u8> {
    world.own.wait(|event| match event {
        E::Responded { data, .. } => Some(data.0.clone()),
        E::Failed { why, .. } => panic!("it was not answered: {why:?}"),
        _ => None,
    })
}

/// Bytes as `MessagePack` has so many of them.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0xc5], &len[..], bytes].concat()
}
