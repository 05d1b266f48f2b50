//! The layer as a whole: what comes in on one side leaves on another.

mod gossiping;

use super::*;
use crate::announces::Sighting;
use crate::interface::{Access, DutyCycle, Mode, Reach, Role, Timing};
use alloc::vec;
use alloc::vec::Vec;
use nexus_crypto::{IdentitySeed, NodeId, RatchetPublic};
use nexus_machine::{Duration, Stream};
use nexus_testkit::laws;

const LEFT: InterfaceId = InterfaceId(0);
const RIGHT: InterfaceId = InterfaceId(1);

#[test]
fn an_announce_heard_on_one_interface_leaves_on_the_other_when_the_channel_is_clear() {
    let mut relay = layer(1, &Seed::new([1; 32]));
    tell(&mut relay, Input::Up(LEFT, profile(Access::Direct)));
    tell(&mut relay, Input::Up(RIGHT, profile(Access::ListenBeforeTalk { slot: Duration::from_millis(5) })));
    let heard = tell(&mut relay, Input::Frame { iface: LEFT, from: None, bytes: announce_of(2) });
    assert!(matches!(heard[..], [Effect::Reached(Sighting { iface: LEFT, .. })]));
    let mut out: VecDeque<Effect> = VecDeque::new();
    while !out.contains(&Effect::Sense(RIGHT)) {
        let due = Cx::at(relay.next_timeout().expect("it waits to be passed on"));
        relay.handle_timeout(due, &mut out);
    }
    let sent = tell(&mut relay, Input::ChannelClear(RIGHT));
    assert!(matches!(&sent[..], [Effect::Transmit(frame)] if frame.iface == RIGHT));
}

#[test]
fn the_network_layer_obeys_the_laws() {
    let genuine: Vec<Vec<u8>> = (2..14).map(announce_of).collect();
    laws::obeyed_by(
        "network",
        |seed| laws::Organ::new(layer(1, seed)),
        |random, _| {
            let iface = InterfaceId(u8::try_from(random.below(3)).unwrap());
            match random.below(12) {
                0 => Input::Up(iface, profile(Access::Direct)),
                1 => Input::Up(
                    iface,
                    profile(Access::ListenBeforeTalk { slot: Duration::from_micros(random.below(100_000)) }),
                ),
                2 if random.chance(1, 4) => Input::Down(iface),
                3 => Input::Announce,
                4 => Input::Ratchet(RatchetPublic(random.bytes())),
                5 => Input::Durable {
                    by: if random.chance(1, 2) { Writer::Announces } else { Writer::Media },
                    through: random.below(40),
                },
                6 => Input::TxReady(iface),
                7 => Input::ChannelBusy(iface),
                8 => Input::ChannelClear(iface),
                9 => Input::Frame { iface, from: None, bytes: noise(random) },
                _ => {
                    let pick = random.below(u64::try_from(genuine.len()).unwrap());
                    Input::Frame { iface, from: None, bytes: genuine[usize::try_from(pick).unwrap()].clone() }
                }
            }
        },
    );
}

fn layer(n: u8, seed: &Seed) -> Network {
    let limits = Limits {
        media: media::Limits { interfaces: 3, frames: 8, bytes: 2_000 },
        links: links::Limits { links: 4, answering: 8, opening: 8, dials: 8, interfaces: 3 },
        broadcast: broadcast::Limits { links: 4, interfaces: 3 },
        forwarding: forwarding::Limits { duplicates: 64, reverse: 32, circuits: 8 },
        gossip: gossip::Limits { links: 4, items: 16, owed: 8, sent: 8 },
        keys: keys::Limits { keys: 8, links: 4 },
        announces: announces::Limits { known: 8, relays: 4, links: 4, paths: 12, cache_bytes: 2_000 },
    };
    let identity = IdentitySeed::from_bytes([n; 32]);
    Network::new(&identity, AppData::default(), limits, &Snapshot::empty(), seed)
}

fn profile(access: Access) -> Profile {
    let (mode, reach) = (Mode::Reticulum, Reach::PointToPoint);
    Profile {
        mode,
        reach,
        access,
        bandwidth_bps: 1_000_000,
        frame_size: 508,
        timing: Timing::Rate,
        duty: DutyCycle::UNLIMITED,
        sub_band: None,
        overhead: 0,
        price: 0,
        role: Role::Full,
        gravity: 0,
    }
}

fn tell(layer: &mut Network, input: Input) -> Vec<Effect> {
    let mut out: VecDeque<Effect> = VecDeque::new();
    layer.handle(Cx::at(Instant::BOOT), input, &mut out);
    out.into()
}

/// What another node's layer sends first.
fn announce_of(n: u8) -> Vec<u8> {
    let mut other = layer(n, &Seed::new([n; 32]));
    tell(&mut other, Input::Up(LEFT, profile(Access::Direct)));
    tell(&mut other, Input::Ratchet(RatchetPublic([n; 32])));
    let sent = tell(&mut other, Input::Durable { by: Writer::Announces, through: 1 });
    let frame = sent.into_iter().find_map(|effect| match effect {
        Effect::Transmit(frame) => Some(frame.bytes),
        Effect::Sense(_)
        | Effect::Jammed(_)
        | Effect::Write { .. }
        | Effect::Reached(_)
        | Effect::Announced { .. }
        | Effect::Probe { .. }
        | Effect::PathFound { .. }
        | Effect::PathNotFound { .. }
        | Effect::OfMoney { .. }
        | Effect::Store(_)
        | Effect::Key(_)
        | Effect::Counted { .. }
        | Effect::ChannelWanted(_)
        | Effect::LinkUp(_)
        | Effect::LinkDown { .. }
        | Effect::Arrived { .. }
        | Effect::Originated { .. }
        | Effect::EntropyWanted => None,
    });
    frame.expect("a durable emission is sent")
}

fn noise(random: &mut Stream) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(random.below(600)).unwrap()];
    random.fill(&mut bytes);
    bytes
}
