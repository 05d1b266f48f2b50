//! Packets, links, data, requests and identities, both ways.

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_node::endpoint::{Bytes, Command as C, Down, Event as E, Handle, Question, Side, Up};
use nexus_stock::stock::hex;
use nexus_wire::reticulum::LinkId;
use nexus_wire::reticulum::resource::PathHash;
use serde_json::json;

use crate::world::{Own, World};

/// What the stock program knows how to ask for.
pub(crate) const NAME: &str = "nexus.stock.endpoint";

#[test]
fn a_stock_program_reaches_a_destination_of_the_node_over_another() {
    let mut world = World::start();
    let destination = world.own.serve(NAME, b"app data");
    let heard = world.stock.wait_announce(&destination.to_string());
    assert_eq!((&heard["app_data"], &heard["hops"]), (&json!(hex(b"app data")), &json!(2)));

    world.stock.tell(&json!({ "do": "send", "to": destination.to_string(), "data": hex(b"alone") }));
    let plaintext = world.own.wait(received);
    assert_eq!(plaintext, b"alone");
    let sent = world.stock.wait("sent");
    world.stock.wait_for("proved", |line| line["proved"] == sent["sent"]);

    world.stock.tell(&json!({ "do": "link", "to": destination.to_string() }));
    let up = world.own.wait(up);
    assert_eq!((up.side, up.destination), (Side::Responder, destination));
    let linked = world.stock.wait("linked");
    assert_eq!(linked["linked"], up.link.to_string());
    assert_eq!(linked["mtu"], up.measures.mtu);
    talk(&mut world, up.link);

    world.stock.tell(&json!({ "do": "identify" }));
    let identity = world.own.wait(|event| match event {
        E::Identified { identity, .. } => Some(identity.hash().to_string()),
        _ => None,
    });
    assert_eq!(identity, world.stock.identity);

    world.stock.tell(&json!({ "do": "request", "data": hex(b"asked") }));
    let asked =
        world.own.wait(|event| if let E::Requested(asked) = event { Some(asked.clone()) } else { None });
    assert_eq!((asked.path, &asked.data.0[..]), (PathHash::of("/echo"), &b"\xc4\x05asked"[..]));
    let (handle, link, request) = (Handle(3), asked.link, asked.request);
    world.own.tell(C::Respond { handle, link, request, data: asked.data });
    assert_eq!(world.stock.wait("answered")["len"], 5);

    world.stock.tell(&json!({ "do": "close" }));
    assert_eq!(world.own.wait(down), (up.link, Down::There));
    world.end();
}

#[test]
fn the_node_reaches_a_destination_of_a_stock_program_over_another() {
    let mut world = World::start();
    // The package hears one packet of two from a destination with ratchets before it announced any.
    for own in ["plain", "ratcheted"] {
        world.stock.tell(&json!({ "do": "announce", "of": own, "app_data": hex(own.as_bytes()) }));
    }
    for to in [world.stock.plain.clone(), world.stock.ratcheted.clone()] {
        let to = address(&to);
        let plaintext = Bytes(b"alone".to_vec());
        world.own.tell(C::Send { handle: Handle(1), to, plaintext });
        assert_eq!(world.stock.wait("data")["data"], hex(b"alone"));
        delivered(&mut world.own, 1);
    }
    let destination = address(&world.stock.ratcheted);
    world.own.tell(C::Find { handle: Handle(2), destination });
    let found =
        world.own.wait(|event| if let E::Found { peer, .. } = event { Some(peer.clone()) } else { None });
    assert_eq!((found.identity.hash().to_string(), found.hops), (world.stock.identity.clone(), 2));
    assert_eq!(found.app_data, b"ratcheted");

    world.own.tell(C::Open { handle: Handle(3), to: destination });
    let up = world.own.wait(up);
    assert_eq!((up.side, up.destination), (Side::Initiator, destination));
    let linked = world.stock.wait("linked");
    assert_eq!((&linked["linked"], &linked["mtu"]), (&json!(up.link.to_string()), &json!(up.measures.mtu)));
    talk(&mut world, up.link);

    let link = up.link;
    world.own.tell(C::Identify { link });
    let identified = world.stock.wait("identified");
    assert_ne!(identified["identified"], world.stock.identity);

    let data = Bytes(b"\xc4\x05asked".to_vec());
    let question = Question { path: "/echo".into(), data: data.clone(), within: Duration::from_secs(20) };
    world.own.tell(C::Request { handle: Handle(4), link, question });
    let answer =
        world.own.wait(|event| if let E::Responded { data, .. } = event { Some(data.clone()) } else { None });
    assert_eq!(answer, data);

    world.own.tell(C::Close { link });
    world.stock.wait_for("closed", |line| line["closed"] == link.to_string());
    world.end();
}

/// Data both ways, each proved.
fn talk(world: &mut World, link: LinkId) {
    world.stock.tell(&json!({ "do": "say", "data": hex(b"from stock") }));
    let said = world.own.wait(|event| match event {
        E::Said { plaintext, .. } => Some(plaintext.0.clone()),
        _ => None,
    });
    assert_eq!(said, b"from stock");
    let sent = world.stock.wait("sent");
    world.stock.wait_for("proved", |line| line["proved"] == sent["sent"]);

    let plaintext = Bytes(b"to stock".to_vec());
    world.own.tell(C::Say { handle: Handle(9), link, plaintext });
    assert_eq!(world.stock.wait("link_data")["link_data"], hex(b"to stock"));
    delivered(&mut world.own, 9);
}

fn delivered(own: &mut Own, number: u64) {
    own.wait(|event| match event {
        E::Delivered { handle, .. } => (*handle == Handle(number)).then_some(()),
        E::Failed { handle, why } if *handle == Handle(number) => panic!("it was not delivered: {why:?}"),
        _ => None,
    });
}

fn received(event: &E) -> Option<Vec<u8>> {
    if let E::Received { plaintext, .. } = event { Some(plaintext.0.clone()) } else { None }
}

pub(crate) fn up(event: &E) -> Option<Up> {
    if let E::LinkUp { up, .. } = event { Some(*up) } else { None }
}

fn down(event: &E) -> Option<(LinkId, Down)> {
    if let E::LinkDown { link, why } = event { Some((*link, *why)) } else { None }
}

pub(crate) fn address(text: &str) -> DestinationHash {
    let byte = |place: usize| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap();
    DestinationHash(std::array::from_fn(byte))
}
