//! The laws, under inputs of every kind.

use alloc::vec::Vec;

use nexus_machine::{Key, Seed, Stream};
use nexus_testkit::laws;
use nexus_wire::nexus::gossip::{ItemId, StoreId};
use nexus_wire::nexus::message::MessageKind;

use super::world::{STORE, World, heard, profile};
use crate::gossip::{Extent, Gossip, Input, Limits};
use crate::interface::{InterfaceId, Reach};
use crate::links::LinkId;
use crate::media::{Load, Tier};

#[test]
fn gossip_obeys_the_laws() {
    let mut world = World::new(3, 2, &[(0, 1)], 1_000_000);
    world.publish_random(0, 40);
    world.publish_random(1, 3);
    world.up(0);
    world.run(nexus_machine::Duration::from_secs(300));
    let genuine: Vec<(MessageKind, Vec<u8>)> = world
        .said
        .iter()
        .flat_map(|plaintext| heard(link(0), plaintext))
        .filter_map(
            |input| if let Input::Heard { kind, body, .. } = input { Some((kind, body)) } else { None },
        )
        .collect();
    assert!(genuine.len() > 4);
    let limits = Limits { links: 3, items: 24, owed: 8, sent: 12 };
    let stores = [(STORE, Tier::Payment), (StoreId::EVIDENCE, Tier::Social)];
    laws::obeyed_by(
        "gossip",
        |seed: &Seed| laws::Organ::new(Gossip::new(&stores, limits, seed)),
        |random, _| input(random, &genuine),
    );
}

fn input(random: &mut Stream, genuine: &[(MessageKind, Vec<u8>)]) -> Input {
    let iface = InterfaceId(u8::try_from(random.below(3)).unwrap());
    let link = link(u16::try_from(random.below(5)).unwrap());
    let store = [STORE, StoreId::EVIDENCE, StoreId(99)][usize::try_from(random.below(3)).unwrap()];
    let id = ItemId([u8::try_from(random.below(64)).unwrap(); 32]);
    match random.below(24) {
        0 => Input::Up(iface, profile(random.below(1_000_000), Reach::Shared)),
        1 => Input::Up(iface, profile(1_000_000, Reach::Addressed)),
        2 if random.chance(1, 4) => Input::Down(iface),
        3 => Input::Carries(iface, random.below(100_000)),
        4..=6 => Input::LinkUp { link, iface, max_frame: 60 + usize::try_from(random.below(1_000)).unwrap() },
        7 if random.chance(1, 3) => Input::LinkDown(link),
        8 => Input::Left { iface, link: Some(link), load: Load::Gossip(Tier::Payment), bytes: 300 },
        9 => Input::Left { iface, link: None, load: Load::Announces, bytes: 300 },
        10..=12 => Input::Published { store, id, size: u16::try_from(random.below(600)).unwrap() },
        13 => Input::Retired { store, id },
        14 => Input::Holds { store, extent: extent(random) },
        15 => Input::Bodies { store, to: link, bodies: Vec::from([Vec::from([7; 32]), Vec::new()]) },
        16 => Input::Judged {
            store,
            from: link,
            held: Vec::from([id]),
            bad: usize::try_from(random.below(5)).unwrap(),
        },
        17 => Input::Want { store, id },
        _ => {
            let pick = usize::try_from(random.below(u64::try_from(genuine.len()).unwrap())).unwrap();
            let (kind, mut body) = genuine[pick].clone();
            if random.chance(1, 2) {
                let at = usize::try_from(random.below(u64::try_from(body.len()).unwrap())).unwrap();
                body[at] ^= 1 << random.below(8);
            }
            Input::Heard { link, kind, body }
        }
    }
}

fn extent(random: &mut Stream) -> Extent {
    let extents = [Extent::Whole, Extent::Part, Extent::Passing];
    extents[usize::try_from(random.below(3)).unwrap()]
}

fn link(slot: u16) -> LinkId {
    LinkId(Key { slot, generation: 1 })
}
