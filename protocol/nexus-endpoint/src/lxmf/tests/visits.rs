//! A propagation node, played by an endpoint.

use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_wire::reticulum::PacketType;
use nexus_wire::reticulum::lxmf::{GetRequest, PROPAGATION, Stored, TransientId, Upload};
use nexus_wire::reticulum::msgpack::{Packer, Unpacker};

use super::letters::only_letter;
use super::world::World;
use crate::Input as Told;
use crate::contract::{Accepting, Announcing, Asked, Bytes, Command as Wish, Event, Handle, Service};
use crate::lxmf::stamp::{Checking, Use};
use crate::lxmf::{Effect, Way};

/// The place of the node.
const NODE: usize = 2;
const COST: u8 = 3;

#[test]
fn what_its_recipient_does_not_prove_is_left_at_the_node_and_fetched_by_the_recipient() {
    let (mut world, node) = with_node();
    world.serve_with(0, Some(node));
    world.serve(1, None);
    world.loses = |packet| {
        let to_recipient = packet.destination == super::world::address_of(1);
        packet.packet_type != PacketType::Announce && to_recipient
    };
    world.send(0, 1, 5, b"for later");
    let mut kept = Kept::default();
    kept.play(&mut world, 90);
    assert!(matches!(world.effects(0)[..], [Effect::Delivered { handle: 5, way: Way::Node, .. }]));
    assert_eq!(kept.messages.len(), 1);
    assert_eq!(world.effects(1), []);
    world.loses = |_| false;
    world.serve_with(1, Some(node));
    kept.play(&mut world, 30);
    let letter = only_letter(&mut world, 1);
    assert_eq!((&letter.content[..], letter.source), (&b"for later"[..], world.address(0)));
    assert_eq!(kept.messages, Vec::<Vec<u8>>::new(), "what was fetched is deleted");
    kept.play(&mut world, 700);
    assert_eq!(world.effects(1), [], "nothing is shown twice");
    assert!(kept.lists >= 3, "the node is asked again and again");
}

#[test]
fn what_cannot_be_opened_stays_at_the_node() {
    let (mut world, node) = with_node();
    let junk = [world.address(0).as_bytes().as_slice(), &[7; 200]].concat();
    let mut kept = Kept { messages: vec![junk.clone()], lists: 0 };
    world.serve_with(0, Some(node));
    kept.play(&mut world, 30);
    assert_eq!((world.effects(0), kept.messages), (Vec::new(), vec![junk]));
}

/// A world of two peers and a node, and its address.
fn with_node() -> (World, DestinationHash) {
    let mut world = World::of(3);
    let app_data = Packer::default().array(7).uint(0).uint(1).value(&[0xc3]).uint(256).uint(10_240).array(3);
    let app_data = app_data.uint(u64::from(COST)).uint(1).uint(18).map(0).into_bytes();
    let service = Service {
        name: PROPAGATION.into(),
        app_data,
        announcing: Announcing::WhenAsked,
        accepting: Accepting::Links,
    };
    world.tell_endpoint(NODE, Told::Command(Wish::Serve(service)));
    let serving = world.peers[NODE].unclaimed.iter().find_map(|event| match event {
        Event::Serving { destination, .. } => Some(*destination),
        _ => None,
    });
    (world, serving.unwrap())
}

/// What the node keeps, without stamps.
#[derive(Default)]
struct Kept {
    messages: Vec<Vec<u8>>,
    /// How often it was asked for a list.
    lists: u32,
}

impl Kept {
    /// The node takes and answers for so many seconds.
    fn play(&mut self, world: &mut World, seconds: u64) {
        for _ in 0..seconds * 4 {
            world.pass(Duration::from_millis(250));
            for event in core::mem::take(&mut world.peers[NODE].unclaimed) {
                match event {
                    Event::Said { plaintext, .. } => self.take(&plaintext.0),
                    Event::Requested(asked) => self.answer(world, &asked),
                    _ => {}
                }
            }
        }
    }

    fn take(&mut self, plaintext: &[u8]) {
        let upload = Upload::decode(plaintext).unwrap();
        let (stored, stamp) = upload.message.split_last_chunk::<32>().unwrap();
        let id = Stored::decode(stored).unwrap().id();
        let mut checking = Checking::new(Use::Propagation, id.0, *stamp);
        let value = loop {
            if let Some(value) = checking.work() {
                break value;
            }
        };
        assert!(value >= u32::from(COST));
        self.messages.push(stored.to_vec());
    }

    fn answer(&mut self, world: &mut World, asked: &Asked) {
        let id = |message: &Vec<u8>| Stored::decode(message).unwrap().id();
        let mut asks = Unpacker::new("request", &asked.data.0);
        let count = asks.array("request").unwrap();
        let wanted = ids(&mut asks);
        let had = ids(&mut asks);
        self.messages.retain(|message| had.as_ref().is_none_or(|had| !had.contains(&id(message))));
        let answer: Vec<Vec<u8>> = match (&wanted, &had) {
            (None, None) => {
                self.lists += 1;
                self.messages.iter().map(|message| id(message).0.to_vec()).collect()
            }
            (None, Some(_)) => Vec::new(),
            (Some(wanted), _) => {
                assert_eq!(count, 3);
                self.messages.iter().filter(|message| wanted.contains(&id(message))).cloned().collect()
            }
        };
        let packer = answer.iter().fold(Packer::default().array(answer.len()), |packer, one| packer.bin(one));
        let (link, request, data) = (asked.link, asked.request, Bytes(packer.into_bytes()));
        world.tell_endpoint(NODE, Told::Command(Wish::Respond { handle: Handle(1), link, request, data }));
        assert_eq!(GetRequest::PATH, "/get");
    }
}

/// A list of ids, or nil.
fn ids(asks: &mut Unpacker<'_>) -> Option<Vec<TransientId>> {
    if asks.nil() {
        return None;
    }
    let count = asks.array("ids").unwrap();
    Some((0..count).map(|_| TransientId(asks.bin_array("id").unwrap())).collect())
}
