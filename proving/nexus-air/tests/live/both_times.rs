//! The same modems in real and in virtual time.

use nexus_air::live::{House, Plan};
use nexus_air::{Fleet, Hearing, Model, RadioId, Recording, Transmission};
use nexus_machine::{Duration, Instant, Seed};
use nexus_wire::reticulum::rnode::{Hertz, RadioState, Setting, ToDevice};

use crate::host::Host;

const A: RadioId = RadioId(0);
const B: RadioId = RadioId(1);
/// Modems that say nothing on their own.
const MODEL: Model = Model { statistics: None, ..Model::ESP32 };
/// Slow enough that all that is said at once has arrived before the first of it is sent.
const SETTINGS: [Setting; 6] = [
    Setting::Frequency(Hertz(867_200_000)),
    Setting::Bandwidth(Hertz(125_000)),
    Setting::TxPower(7),
    Setting::SpreadingFactor(7),
    Setting::CodingRate(5),
    Setting::RadioState(RadioState::ON),
];
/// What each says at once: the other answers when it has all of it.
const QUESTION: [&[u8]; 3] = [&[1; 10], &[2; 300], &[3; 60]];
const ANSWER: [&[u8]; 2] = [&[4; 20], &[5; 254]];

fn seed() -> Seed {
    Seed::new([0x77; 32])
}

fn bytes(packets: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    for packet in packets {
        let mut buffer = [0; 1_100];
        all.extend_from_slice(ToDevice::Data(packet).encode(&mut buffer).unwrap());
    }
    all
}

fn in_real_time() -> Vec<Transmission> {
    let home = tempfile::tempdir().unwrap();
    let plan = Plan { models: vec![MODEL], ..Plan::terminals(Hearing::everybody(2), seed()) };
    let house = House::open(plan, home.path()).unwrap();
    let (mut left, mut right) = (Host::open(house.address(A)), Host::open(house.address(B)));
    left.bring_up_with(&SETTINGS);
    right.bring_up_with(&SETTINGS);
    left.write(&bytes(&QUESTION));
    for packet in QUESTION {
        assert_eq!(right.receive(), packet);
    }
    right.write(&bytes(&ANSWER));
    for packet in ANSWER {
        assert_eq!(left.receive(), packet);
    }
    house.transmissions()
}

fn in_virtual_time() -> Vec<Transmission> {
    let mut fleet = Fleet::new(Hearing::everybody(2), &[MODEL], Recording::Last(64), &seed());
    for radio in [A, B] {
        for setting in SETTINGS {
            let mut buffer = [0; 64];
            fleet.hear(Instant::BOOT, radio, ToDevice::Set(setting).encode(&mut buffer).unwrap());
        }
    }
    let mut now = Instant::BOOT.after(Duration::from_millis(300));
    for (radio, packets) in [(A, &QUESTION[..]), (B, &ANSWER[..])] {
        fleet.hear(now, radio, &bytes(packets));
        while let Some(due) = fleet.next_event() {
            fleet.advance(due);
            now = due;
        }
    }
    fleet.air().take_transmissions()
}

/// Who sent, for how long, what, and how long after the one before; nothing of the latter where a host decided it.
fn told(transmissions: &[Transmission]) -> Vec<(RadioId, u64, Option<u64>, Vec<u8>)> {
    let mut before: Option<&Transmission> = None;
    let mut all = Vec::new();
    for one in transmissions {
        let same = before.filter(|before| before.sender == one.sender);
        let gap = same.map(|before| one.start.since(before.end).as_micros());
        all.push((one.sender, one.end.since(one.start).as_micros(), gap, one.bytes.to_vec()));
        before = Some(one);
    }
    all
}

#[test]
fn an_exchange_is_on_the_air_for_as_long_and_with_the_same_pauses_in_real_and_in_virtual_time() {
    let (real, virtually) = (told(&in_real_time()), told(&in_virtual_time()));
    assert_eq!(real, virtually);
    let senders: Vec<RadioId> = real.iter().map(|(sender, ..)| *sender).collect();
    assert_eq!(senders, [A, A, A, A, B, B], "the packet of 300 bytes goes in two");
    assert_eq!(real[2].2, Some(0));
}
