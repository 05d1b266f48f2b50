//! Modems all over a town, one of them on the road: everything that the medium does at once.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]
#![allow(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]

use nexus_air::{
    Fleet, Hearing, Model, Outcome, Position, RadioId, Recording, Route, Scenario, Shadowing, Station,
    Transmission, Waypoint,
};
use nexus_machine::{Duration, Instant, Seed};
use nexus_wire::reticulum::rnode::{Hertz, RadioState, Setting, ToDevice};

const MODEMS: u16 = 16;
/// The one on the road.
const DRIVER: RadioId = RadioId(0);
const LENGTH: Duration = Duration::from_secs(300);

fn at(seconds: u64) -> Instant {
    Instant::BOOT.after(Duration::from_secs(seconds))
}

fn town(seed: &Seed) -> Fleet {
    let mut random = seed.fork("places");
    let mut metres = || i32::try_from(random.below(6_000)).unwrap();
    let mut stations: Vec<Station> =
        (0..MODEMS).map(|_| Station::standing(Position::metres(metres(), metres()))).collect();
    let road = [(0, -4_000), (300, 11_000)];
    let road =
        road.map(|(second, east)| Waypoint { at: at(second), position: Position::metres(east, 3_000) });
    stations[0] = Station::common(Route::through(road).unwrap());
    let hearing = Hearing::placed(stations, Scenario::LogDistance, Shadowing::MEASURED, seed);
    let model = Model { statistics: None, ..Model::ESP32 };
    let mut fleet = Fleet::new(hearing, &[model], Recording::Last(usize::MAX), seed);
    fleet.set_clocks(seed);
    for n in 0..MODEMS {
        // A few on another spreading factor of the same channel: they only disturb.
        let spreading_factor = if n % 5 == 4 { 8 } else { 7 };
        for setting in [
            Setting::Frequency(Hertz(867_200_000)),
            Setting::Bandwidth(Hertz(125_000)),
            Setting::TxPower(14),
            Setting::SpreadingFactor(spreading_factor),
            Setting::CodingRate(5),
            Setting::RadioState(RadioState::ON),
        ] {
            say(&mut fleet, Instant::BOOT, RadioId(n), &ToDevice::Set(setting));
        }
    }
    fleet
}

fn say(fleet: &mut Fleet, now: Instant, radio: RadioId, message: &ToDevice<'_>) {
    let mut buffer = [0; 1_100];
    let bytes = message.encode(&mut buffer).unwrap();
    fleet.hear(now, radio, bytes);
}

/// Everything that was on the air, of a run in which the driver asks when something is due every so often.
fn run(seed: &Seed, asking: Duration) -> Vec<Transmission> {
    let mut fleet = town(seed);
    let mut random = seed.fork("traffic");
    let mut now = Instant::BOOT;
    while now < Instant::BOOT.after(LENGTH) {
        let next = now.after(Duration::from_millis(random.below(250)));
        let mut asked = now;
        while asked.after(asking) < next {
            asked = asked.after(asking);
            fleet.advance(asked);
        }
        now = next;
        let radio = RadioId(u16::try_from(random.below(MODEMS.into())).unwrap());
        let length = usize::try_from(random.below(300) + 1).unwrap();
        say(&mut fleet, now, radio, &ToDevice::Data(&vec![0x5a; length]));
    }
    fleet.advance(now);
    fleet.air().take_transmissions()
}

fn count(transmissions: &[Transmission], outcome: Outcome) -> usize {
    let receptions = transmissions.iter().flat_map(|one| &one.receptions);
    receptions.filter(|reception| reception.outcome == outcome).count()
}

#[test]
fn a_seed_decides_everything_on_the_air_however_often_the_driver_asks() {
    let seed = Seed::new([0x70; 32]);
    let once = run(&seed, Duration::MAX);
    assert_eq!(once, run(&seed, Duration::MAX));
    assert_eq!(once, run(&seed, Duration::from_millis(7)));
    assert_ne!(once, run(&Seed::new([0x71; 32]), Duration::MAX));
    for outcome in [Outcome::Received, Outcome::Collided, Outcome::Deaf, Outcome::Locked] {
        assert!(count(&once, outcome) > 10, "{outcome:?} happens");
    }
}

#[test]
fn who_drives_through_a_town_is_heard_by_those_it_passes() {
    let sent = run(&Seed::new([0x70; 32]), Duration::MAX);
    let heard = |from: u64, until: u64| {
        let spoken =
            sent.iter().filter(|one| one.sender == DRIVER && (at(from)..at(until)).contains(&one.start));
        let (mut transmissions, mut receptions) = (0_usize, 0);
        for one in spoken {
            transmissions += 1;
            receptions += one.receptions.len();
        }
        receptions as f64 / transmissions.max(1) as f64
    };
    // It comes into the town after 80 seconds and leaves it after 200.
    let [before, inside, behind] = [heard(0, 40), heard(120, 160), heard(260, 300)];
    assert!(inside > 2.0 * before && inside > 2.0 * behind, "{before}, {inside}, {behind} hearers each");
}
