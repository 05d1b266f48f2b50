//! The laws of machines, under inputs of every kind, in and out of order.

use alloc::vec;
use alloc::vec::Vec;

use nexus_machine::{Duration, Stream};
use nexus_testkit::laws;
use nexus_wire::reticulum::channel::Packing;
use nexus_wire::reticulum::resource::{
    Advertisement, MapUpdate, PartHash, PartRequest, RequestId, ResourceFlags, ResourceHash, ResourceProof,
};
use nexus_wire::reticulum::{Context, LinkId};

use super::world::measures;
use crate::resource::{Arrival, Command, Compression, Input, Offer, Purpose, Resources};
use crate::{Bytes, Handle};

const RANDOM: [u8; 4] = [1; 4];

#[test]
fn the_resources_of_a_link_obey_the_laws() {
    let measures = measures(Duration::from_millis(100), 464);
    laws::obeyed_by(
        "resources",
        |seed| laws::Organ::new(Resources::new(LinkId([6; 16]), measures, seed)),
        |random, _| input(random),
    );
}

fn input(random: &mut Stream) -> Input {
    let handle = Handle(random.below(4));
    let arrival = Arrival(random.below(6));
    let bytes = vec![7; size(random, 3_000)];
    match random.below(20) {
        0 => Input::RoundTrip(Duration::from_micros(random.below(10_000_000))),
        1 => Input::Command(Command::Offer(handle, offer(random))),
        2 => Input::Command(Command::Cancel(handle)),
        3 | 4 => Input::Command(Command::Accept(arrival)),
        5 => Input::Command(Command::Refuse(arrival)),
        6 => Input::Command(Command::Kept(arrival)),
        7 | 8 => Input::Read(handle, random.chance(9, 10).then_some(Bytes(bytes))),
        9 => Input::Packed(handle, Packing::Compressed, Bytes(bytes)),
        // Parts of which each is another, and parts that are all the same.
        10 | 11 => Input::Sealed(
            handle,
            (0..size(random, 100_000)).map(|at| u8::try_from(at / 464 % 251).unwrap()).collect(),
        ),
        12 => Input::Opened(arrival, random.chance(9, 10).then(|| Bytes([&[0; 4], &blob(7)[..]].concat()))),
        13 => Input::Unpacked(arrival, random.chance(9, 10).then(|| Bytes(blob(7)))),
        _ => heard(random),
    }
}

fn heard(random: &mut Stream) -> Input {
    let number = u8::try_from(random.below(8)).unwrap();
    let hash = ResourceHash::of(&blob(number), RANDOM);
    let (context, bytes) = match random.below(9) {
        0..=2 => (Context::RESOURCE_ADVERTISEMENT, advertisement(random, number)),
        3 | 4 => (Context::RESOURCE, part(random.below(120))),
        5 => {
            let wanted: Vec<u8> = (0..random.below(9)).flat_map(|at| part_hash(at).0).collect();
            let last = random.chance(1, 2).then(|| part_hash(73));
            (Context::RESOURCE_REQUEST, PartRequest { last, hash, wanted: &wanted }.encode())
        }
        6 => {
            let map: Vec<u8> = (74..random.below(180).max(74)).flat_map(|at| part_hash(at).0).collect();
            (Context::RESOURCE_HASHMAP_UPDATE, MapUpdate { hash, stretch: 1, map: &map }.encode())
        }
        7 => (Context::RESOURCE_PROOF, ResourceProof::of(hash, &blob(number)).encode()),
        _ => {
            let context = Context(u8::try_from(random.below(10)).unwrap());
            (context, if random.chance(1, 2) { hash.0.to_vec() } else { random.bytes::<40>().to_vec() })
        }
    };
    Input::Heard(context, bytes)
}

fn offer(random: &mut Stream) -> Offer {
    Offer {
        len: if random.chance(1, 9) { u64::MAX } else { random.below(3_000_000) },
        metadata: random.chance(1, 2).then(|| vec![1; size(random, 70_000)]),
        purpose: Purpose::Data,
        compression: if random.chance(1, 2) { Compression::Tried } else { Compression::None },
    }
}

fn advertisement(random: &mut Stream, number: u8) -> Vec<u8> {
    let parts = if random.chance(1, 9) { random.next_u64() } else { random.below(100) };
    let map: Vec<u8> = (0..parts.min(74)).flat_map(|at| part_hash(at).0).collect();
    let flags = u8::try_from(random.below(64)).unwrap() | 1;
    let hash = ResourceHash::of(&blob(number), RANDOM);
    Advertisement {
        transfer_len: if random.chance(1, 9) { random.next_u64() } else { parts.saturating_mul(464) },
        data_len: random.below(2_000_000),
        parts,
        hash,
        random: RANDOM,
        original: if random.chance(3, 4) { hash } else { ResourceHash::of(&blob(0), RANDOM) },
        segment: random.below(3),
        segments: random.below(4),
        request: random.chance(1, 2).then_some(RequestId([4; 16])),
        flags: ResourceFlags(flags),
        map: &map,
    }
    .encode()
}

fn size(random: &mut Stream, below: u64) -> usize {
    usize::try_from(random.below(below)).unwrap()
}

fn part(number: u64) -> Vec<u8> {
    vec![u8::try_from(number % 251).unwrap(); 464]
}

fn part_hash(number: u64) -> PartHash {
    PartHash::of(&part(number), RANDOM)
}

fn blob(number: u8) -> Vec<u8> {
    vec![number; 700]
}
