//! The laws, under inputs of every kind.

use alloc::vec::Vec;

use nexus_machine::{Duration, Seed, Stream};
use nexus_testkit::laws;
use nexus_wire::nexus::control::BroadcastKey;
use nexus_wire::nexus::frame::{BeaconTag, BroadcastKeyId};

use super::world::{World, about, announce, identity, link, profile};
use crate::broadcast::{Broadcast, Departure, GivenKey, Input, Limits};
use crate::interface::{InterfaceId, Reach};

#[test]
fn the_broadcasts_obey_the_laws() {
    let mut world = World::linked(3);
    world.run_for(Duration::from_secs(5));
    let genuine: Vec<Vec<u8>> = (0..8).map(|n| world.say(1, &[n; 474]).remove(0)).collect();
    let key = {
        let own = world.nodes[1].organ.channels[&InterfaceId(0)].current.as_ref().unwrap();
        GivenKey::of(&BroadcastKey { next_counter: 0, beacon_tag: BeaconTag(9), ..own.as_message() })
    };
    laws::obeyed_by(
        "broadcast",
        |seed: &Seed| laws::Organ::new(Broadcast::new(identity(0), Limits { links: 3, interfaces: 2 }, seed)),
        |random, _| input(random, &genuine, &key),
    );
}

fn input(random: &mut Stream, genuine: &[Vec<u8>], key: &GivenKey) -> Input {
    let iface = InterfaceId(u8::try_from(random.below(3)).unwrap());
    let peer = 1 + usize::try_from(random.below(4)).unwrap();
    match random.below(24) {
        0 => Input::Up(iface, profile(Reach::Shared, random.below(100_000), 508)),
        1 => Input::Up(iface, profile(Reach::Addressed, 100_000_000, 1_064)),
        2 if random.chance(1, 4) => Input::Down(iface),
        3..=5 => Input::LinkUp { link: link(peer), iface, peer: *identity(peer).public(), max_frame: 508 },
        6 => Input::LinkDown { link: link(peer), departure: Departure::Left },
        7 if random.chance(1, 4) => Input::LinkDown { link: link(peer), departure: Departure::Expelled },
        8..=9 => Input::Given { link: link(peer), key: key.clone() },
        10 => {
            let message = BroadcastKey {
                key_id: BroadcastKeyId(u16::try_from(random.below(3)).unwrap()),
                key: &random.bytes(),
                next_counter: 0,
                beacon_tag: BeaconTag(random.next_u32()),
            };
            Input::Given { link: link(peer), key: GivenKey::of(&message) }
        }
        11 => Input::Acknowledged {
            link: link(peer),
            key_id: BroadcastKeyId(u16::try_from(random.below(65_536)).unwrap()),
        },
        12 => Input::Beaconed(link(peer)),
        13 => Input::Say { iface, about: Some(about()), message: announce(&random.bytes::<300>()) },
        14 => Input::Entropy(random.bytes()),
        15 if random.chance(1, 8) => Input::ClocksParted,
        _ => {
            let pick = usize::try_from(random.below(u64::try_from(genuine.len()).unwrap())).unwrap();
            let mut bytes = genuine[pick].clone();
            if random.chance(1, 3) {
                let at = usize::try_from(random.below(u64::try_from(bytes.len()).unwrap())).unwrap();
                bytes[at] ^= 1;
            }
            Input::Frame { iface, bytes }
        }
    }
}
