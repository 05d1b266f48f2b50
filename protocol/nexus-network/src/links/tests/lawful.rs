//! The laws, under inputs of every kind.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use nexus_machine::{Cx, Instant, Machine as _, Seed, Stream};
use nexus_testkit::laws;

use super::world::{address, identity, profile};
use crate::interface::{InterfaceId, Reach};
use crate::links::{Effect, Input, Limits, Links, Policy};

#[test]
fn links_obey_the_laws() {
    let limits = Limits { links: 4, answering: 6, opening: 4, dials: 6, interfaces: 2 };
    // A peer that is told of nothing but time: its first messages and beacons are genuine.
    let mut peers: Vec<Links> =
        (2..5).map(|n| Links::new(identity(n), Policy::Anyone, limits, &Seed::new([n; 32]))).collect();
    let mut said: VecDeque<Vec<u8>> = VecDeque::new();
    laws::obeyed_by(
        "links",
        |seed| laws::Organ::new(Links::new(identity(1), Policy::Anyone, limits, seed)),
        |random, now| {
            hear_peers(&mut peers, now, random, &mut said);
            input(random, &mut said)
        },
    );
}

fn hear_peers(peers: &mut [Links], now: Instant, random: &mut Stream, said: &mut VecDeque<Vec<u8>>) {
    let pick = usize::try_from(random.below(u64::try_from(peers.len()).unwrap())).unwrap();
    let mut out: VecDeque<Effect> = VecDeque::new();
    let cx = Cx::at(now);
    if random.chance(1, 8) {
        let up = Input::Up(InterfaceId(0), profile(Reach::Addressed, 10_000_000));
        peers[pick].handle(cx, up, &mut out);
        peers[pick].handle(
            cx,
            Input::Dial { iface: InterfaceId(0), to: address(1), expected: None },
            &mut out,
        );
    }
    peers[pick].handle_timeout(cx, &mut out);
    for effect in out {
        if let Effect::Send(frame) = effect
            && frame.under.is_none()
        {
            said.push_back(frame.bytes);
        }
    }
    while said.len() > 20 {
        said.pop_front();
    }
}

fn input(random: &mut Stream, said: &mut VecDeque<Vec<u8>>) -> Input {
    let iface = InterfaceId(u8::try_from(random.below(3)).unwrap());
    let from = address(u8::try_from(random.below(5)).unwrap());
    let reach =
        [Reach::PointToPoint, Reach::Shared, Reach::Addressed][usize::try_from(random.below(3)).unwrap()];
    match random.below(24) {
        0 | 1 => Input::Up(
            iface,
            profile(reach, [0, 300, 50_000, 10_000_000][usize::try_from(random.below(4)).unwrap()]),
        ),
        2 if random.chance(1, 4) => Input::Down(iface),
        3 => Input::Dial { iface, to: from, expected: random.chance(1, 2).then(|| identity(2).node_id()) },
        4 => Input::Undial { iface, to: from },
        5 => Input::Entropy(random.bytes()),
        6 if random.chance(1, 8) => Input::ClocksParted,
        7 => Input::Policy(if random.chance(1, 2) { Policy::Anyone } else { Policy::Only(BTreeSet::new()) }),
        8..=15 => {
            let mut bytes = said.pop_front().unwrap_or_default();
            if random.chance(1, 4) && !bytes.is_empty() {
                let at = usize::try_from(random.below(u64::try_from(bytes.len()).unwrap())).unwrap();
                bytes[at] ^= 1 << random.below(8);
            }
            Input::Frame { iface, from: (reach == Reach::Addressed).then_some(from), bytes }
        }
        _ => {
            let mut bytes = vec![0; usize::try_from(random.below(120)).unwrap()];
            random.fill(&mut bytes);
            if let Some(head) = bytes.first_mut() {
                *head = 0x90 | (*head & 15);
            }
            Input::Frame { iface, from: Some(from), bytes }
        }
    }
}
