//! Relays whose link is carried by a Reticulum link, across stock nodes that neither of them sees.

use nexus_machine::Duration;
use nexus_network::{Input, InterfaceId};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::carried::Carried;
use nexus_wire::nexus::control::Rekey;
use nexus_wire::nexus::frame::SessionId;
use nexus_wire::nexus::message::MessageWriter;

use crate::endpoint::{Circuit, by_way_of, request};
use crate::world::{CLEAR, End, LINKED, Profile, World};

/// What a Reticulum link is to a relay.
const CARRIED: Profile = Profile { bandwidth_bps: 9_600, frame_size: 450, ..LINKED };
const OVER: InterfaceId = InterfaceId(250);

/// Two relays on a Reticulum link, with a stock endpoint before each.
fn joined() -> World {
    let mut world = World::new(2, 2);
    for n in 0..2 {
        world.join(End::Stock(n), End::Relay(n, InterfaceId(0)), CLEAR);
    }
    world.carry([(0, OVER), (1, OVER)], CARRIED);
    world
}

#[test]
fn what_is_behind_one_end_of_a_reticulum_link_is_reached_from_behind_the_other() {
    let mut world = joined();
    assert_eq!(world.relays[0].layer.links().status().count(), 1, "it is up at once");
    world.meet();
    let (near, to) = (world.transport(0), world.stock[1].destination);
    world.stock.iter_mut().for_each(|stock| stock.heard.clear());
    world.say(0, by_way_of(near, &request(to, 1, Some(500))));
    let circuit = Circuit::asked_by(&world.stock[1].packet());
    let proof = circuit.proof(&world.stock[1]);
    world.say(1, proof);
    world.stock[0].packet();
    // Longer than what one packet of the Reticulum link carries: it goes in pieces.
    let said = circuit.data(&[9; 430]);
    world.say(0, said.clone());
    world.run(Duration::from_secs(5));
    assert_eq!(world.stock[1].packet()[2..], said[2..]);
    let told = world.relays[0].layer.routing(world.now).candidates(&to);
    assert_eq!(told.first().map(|way| way.total.hops.0), Some(2));
}

#[test]
fn it_lasts_without_rekeys_and_ends_with_its_interface() {
    let mut world = joined();
    world.run(Duration::from_secs(3 * 24 * 3_600));
    let up =
        |world: &World| world.relays.iter().map(|relay| relay.layer.links().status().count()).sum::<usize>();
    assert_eq!(up(&world), 2, "three days later");
    let status = world.relays[0].layer.links().status().next().expect("it is up");
    assert_eq!(status.rekeys, 0);
    world.tell(0, Input::Down(OVER));
    world.run(Duration::from_secs(3_600));
    assert_eq!(up(&world), 0, "whoever hears nothing any more gives it up");
}

#[test]
fn frames_that_come_again_or_late_and_offers_of_keys_are_refused() {
    let mut world = joined();
    let refused = |world: &World| *world.relays[0].layer.links().refusals();
    let mut messages = [0; 64];
    let mut writer = MessageWriter::new(&mut messages);
    let session = SessionId::new(77).expect("it is not zero");
    writer.put(&Rekey { session, noise: &[9; 32] }).expect("there is room");
    let messages = writer.finish();
    let frame = |counter| {
        let mut bytes = [0; 128];
        let carried = Carried { counter, messages };
        carried.encode(&mut bytes).expect("there is room").to_vec()
    };
    let hear = |world: &mut World, bytes: Vec<u8>| {
        world.tell(0, Input::Frame { iface: OVER, from: None, bytes });
    };
    hear(&mut world, frame(1_000));
    assert_eq!(refused(&world).misplaced_rekey, 1);
    hear(&mut world, frame(1_000));
    hear(&mut world, frame(1_000 - 64));
    hear(&mut world, vec![1, 2, 3]);
    let refused = refused(&world);
    assert_eq!((refused.replayed, refused.too_old, refused.malformed), (1, 1, 1));
    assert_eq!(world.relays[0].layer.links().status().count(), 1);
}
