use alloc::vec;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Stream};
use nexus_testkit::laws;
use nexus_wire::reticulum::LinkId;

use super::world::{LIMITS, identity};
use crate::contract::{Bytes, Event, Handle, Side, Up};
use crate::lxmf::{Command, FIRST_HANDLE, Input, Lxmf, Outgoing, Presence};
use crate::{Down, Failure, Found, Measures};

#[test]
fn the_organ_obeys_the_laws() {
    laws::obeyed_by(
        "lxmf",
        |seed| laws::Organ::new(Lxmf::new(identity(0), LIMITS, seed)),
        |random, _| match random.below(8) {
            0 => Input::Entropy(random.bytes()),
            1 => {
                let stamp_cost = random.chance(1, 2).then_some(3);
                Input::Command(Command::Serve(Presence {
                    name: Some("somebody".into()),
                    stamp_cost,
                    node: None,
                }))
            }
            2 | 3 => Input::Command(Command::Send(Outgoing {
                handle: random.below(100),
                to: peer(random),
                title: vec![7; below(random, 40)],
                content: vec![7; below(random, 600)],
                lifetime: Duration::from_secs(random.below(60)),
            })),
            _ => Input::Endpoint(event(random)),
        },
    );
}

fn event(random: &mut Stream) -> Event {
    let handle = Handle(FIRST_HANDLE + random.below(40));
    let link = LinkId([u8::try_from(random.below(4)).unwrap(); 16]);
    match random.below(8) {
        0 => {
            let identity = *identity(u8::try_from(1 + random.below(3)).unwrap()).public();
            // Now and then a stamp is asked for.
            let app_data = if random.chance(1, 2) { vec![0x92, 0xc0, 0x02] } else { vec![] };
            Event::Found { handle, peer: Found { destination: peer(random), identity, hops: 1, app_data } }
        }
        1 => Event::Delivered { handle, after: Duration::from_millis(3) },
        2 => Event::Failed { handle, why: Failure::NoAnswer },
        3 => {
            let destination = Lxmf::new(identity(0), LIMITS, &nexus_machine::Seed::new([0; 32])).address();
            Event::Received { destination, plaintext: Bytes(message(random)) }
        }
        4 => {
            let side = if random.chance(1, 2) { Side::Initiator } else { Side::Responder };
            let measures = Measures { rtt: Duration::from_millis(1), mtu: 500, data_len: 431, part_len: 464 };
            Event::LinkUp { handle: Some(handle), up: Up { link, destination: peer(random), side, measures } }
        }
        5 => Event::LinkDown { link, why: Down::There },
        6 => Event::Identified { link, identity: *identity(1).public() },
        _ => Event::Said { link, plaintext: Bytes(message(random)) },
    }
}

/// A message that can be read, mostly.
fn message(random: &mut Stream) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(random.below(4)).unwrap(); 80];
    bytes.extend_from_slice(&[0x95, 0x00, 0xc4, 0x00, 0xc4, 0x01]);
    bytes.push(u8::try_from(random.below(256)).unwrap());
    bytes.extend_from_slice(&[0x80, 0xc4, 0x20]);
    bytes.extend_from_slice(&random.bytes::<32>());
    bytes
}

fn peer(random: &mut Stream) -> DestinationHash {
    let n = u8::try_from(1 + random.below(4)).unwrap();
    Lxmf::new(identity(n), LIMITS, &nexus_machine::Seed::new([0; 32])).address()
}

fn below(random: &mut Stream, bound: usize) -> usize {
    usize::try_from(random.below(u64::try_from(bound).unwrap())).unwrap()
}
