//! How fast the air is: modems spread over a town, silent and with a packet always waiting. `cargo run --release -p nexus-air
//! --example speed`
#![allow(clippy::print_stdout, reason = "an example that tells what it measured")]
#![allow(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]

use std::time::Instant as WallClock;

use nexus_air::{Fleet, Hearing, Model, Position, RadioId, Recording, Scenario, Shadowing, Station};
use nexus_machine::{Duration, Instant, Seed};
use nexus_wire::reticulum::rnode::{Hertz, RadioState, Setting, ToDevice};

/// How far apart neighbours are, in metres: at SF8 and 14 dBm a radio reaches about 120 of them without shadowing.
const APART_M: i32 = 500;
const PACKET: [u8; 100] = [0x5a; 100];
/// How often each modem's queue is filled, and its output taken.
const ROUND: Duration = Duration::from_secs(1);
const QUEUE: usize = 4;

const SETTINGS: [Setting; 6] = [
    Setting::Frequency(Hertz(867_200_000)),
    Setting::Bandwidth(Hertz(125_000)),
    Setting::TxPower(14),
    Setting::SpreadingFactor(8),
    Setting::CodingRate(5),
    Setting::RadioState(RadioState::ON),
];

/// What modems have to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    Idle,
    Saturated,
}

fn main() {
    println!("radios  load       simulated s/s  events/s  receptions/s  transmissions");
    for radios in [10_u16, 50, 200] {
        for (load, name, rounds) in
            [(Load::Idle, "idle", 200_000), (Load::Saturated, "saturated", 60_000 / u32::from(radios) * 10)]
        {
            let mut fleet = town(radios);
            let started = WallClock::now();
            let simulated = run(&mut fleet, load, rounds);
            let wall = started.elapsed().as_secs_f64();
            let meters: Vec<_> = (0..radios).map(|n| fleet.air().meter(RadioId(n))).collect();
            let sent: u64 = meters.iter().map(|meter| meter.sent).sum();
            let judged: u64 =
                meters.iter().map(|one| one.received + one.collided + one.deaf + one.locked).sum();
            println!(
                "{radios:>6}  {name:<9}  {:>13.0}  {:>8.0}  {:>12.0}  {sent:>13}",
                simulated / wall,
                2.0 * sent as f64 / wall,
                judged as f64 / wall
            );
        }
    }
}

/// Modems on a grid, with shadowing, all switched on.
fn town(radios: u16) -> Fleet {
    let side = i32::from(radios).isqrt() + 1;
    let place = |n: i32| Position::metres(n % side * APART_M, n / side * APART_M);
    let stations = (0..i32::from(radios)).map(|n| Station::standing(place(n))).collect();
    let seed = Seed::new([5; 32]);
    let hearing = Hearing::placed(stations, Scenario::LogDistance, Shadowing::MEASURED, &seed);
    let model = Model { statistics: None, ..Model::ESP32 };
    let mut fleet = Fleet::new(hearing, &[model], Recording::Off, &seed);
    fleet.set_clocks(&seed);
    for radio in (0..radios).map(RadioId) {
        for setting in SETTINGS {
            say(&mut fleet, Instant::BOOT, radio, &ToDevice::Set(setting));
        }
    }
    fleet
}

/// Simulated seconds.
fn run(fleet: &mut Fleet, load: Load, rounds: u32) -> f64 {
    let mut now = Instant::BOOT;
    for _ in 0..rounds {
        now = now.after(ROUND);
        fleet.advance(now);
        if load == Load::Idle {
            continue;
        }
        for radio in (0..fleet.air().radios()).map(RadioId) {
            let said = fleet.rnode(radio).output().len();
            fleet.taken(radio, said);
            for _ in fleet.rnode(radio).waiting()..QUEUE {
                say(fleet, now, radio, &ToDevice::Data(&PACKET));
            }
        }
    }
    now.as_micros() as f64 / 1e6
}

fn say(fleet: &mut Fleet, now: Instant, radio: RadioId, message: &ToDevice<'_>) {
    let mut buffer = [0; 256];
    let bytes = message.encode(&mut buffer).expect("the buffer takes it");
    fleet.hear(now, radio, bytes);
}
