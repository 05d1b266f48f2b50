//! Pure and slotted ALOHA: N. Abramson, "The ALOHA system", AFIPS 1970; L. Roberts, "ALOHA packet system with and without slots
//! and capture", 1972.

use nexus_air::{Capture, Hearing, Position, RadioId, Scenario, Shadowing, Signal, Station};
use nexus_machine::{Duration, Seed};
use nexus_plot::{Axis, Mark, Plot};

use crate::bench::{Bench, GATEWAY, channel};
use crate::{curve, figure, steps};

/// Enough senders that none has to send two frames at once: a frame of another comes between.
const SENDERS: u16 = 96;
/// For how many frame times traffic is offered: a throughput is known to half a hundredth.
const FRAME_TIMES: u64 = 8_000;
const PAYLOAD: usize = 40;

/// Senders that do not hear each other, and that a gateway hears equally well.
fn equal() -> Hearing {
    let mut hearing = Hearing::nobody(SENDERS + 1);
    for sender in 1..=SENDERS {
        hearing.set(RadioId(sender), GATEWAY, Some(Signal::GOOD));
    }
    hearing
}

/// Senders spread evenly over a disc of three quarters of their reach, round the gateway.
fn spread() -> Hearing {
    let station = |n: u16| {
        // Vogel's spiral: the same number on equal areas.
        let radius = if n == 0 { 0.0 } else { 2_250.0 * libm::sqrt(f64::from(n) / f64::from(SENDERS)) };
        let angle = f64::from(n) * 2.399_963_229_728_653;
        #[allow(clippy::cast_possible_truncation, reason = "a few kilometres")]
        let centimetres = |metres: f64| libm::round(metres * 100.0) as i32;
        let (east, north) = (radius * libm::cos(angle), radius * libm::sin(angle));
        Station::standing(Position { east_cm: centimetres(east), north_cm: centimetres(north) })
    };
    let stations = (0..=SENDERS).map(station).collect();
    let mut hearing = Hearing::placed(stations, Scenario::LogDistance, Shadowing::NONE, &Seed::new([0; 32]));
    for (from, to) in pairs().filter(|(_, to)| *to != GATEWAY) {
        hearing.set(from, to, None);
    }
    hearing
}

fn pairs() -> impl Iterator<Item = (RadioId, RadioId)> {
    let ids = || (0..=SENDERS).map(RadioId);
    ids().flat_map(move |from| ids().map(move |to| (from, to)))
}

/// Whether frames begin at any time or at those of a clock.
#[derive(Clone, Copy)]
enum Begin {
    AnyTime,
    Slots,
}

fn throughput(hearing: Hearing, capture: Capture, begin: Begin, load: f64) -> f64 {
    let mut bench = Bench::new(hearing, capture, channel(125_000, 7), PAYLOAD);
    let slot = bench.airtime.as_micros();
    let over = bench.now.after(bench.airtime.times(FRAME_TIMES));
    let mut arrival = bench.now;
    for n in 0.. {
        arrival = arrival.after(bench.pause(load));
        if arrival > over {
            break;
        }
        let begins = match begin {
            Begin::AnyTime => arrival,
            Begin::Slots => arrival.after(Duration::from_micros(slot - arrival.as_micros() % slot)),
        };
        bench.pass(begins);
        // Seven steps apart: neighbours in number are not neighbours in time.
        let sender: u32 = (n * 7) % u32::from(SENDERS) + 1;
        bench.send(RadioId(u16::try_from(sender).unwrap()));
    }
    bench.finish();
    bench.throughput()
}

fn loads() -> impl Iterator<Item = f64> {
    steps(0.125, 3.0, 23)
}

/// Draws theory and measurement, and holds the textbook's channel to theory.
fn compare(name: &str, title: &str, begin: Begin, theory: impl Fn(f64) -> f64 + Copy) {
    let on =
        |hearing: &Hearing, capture| curve(loads(), |load| throughput(hearing.clone(), capture, begin, load));
    let textbook = on(&equal(), Capture::Textbook);
    let (alike, apart) = (on(&equal(), Capture::Energy), on(&spread(), Capture::Energy));
    for (load, throughput) in &textbook {
        let off = (throughput - theory(*load)).abs();
        assert!(off < 0.02, "{name} at {load}: {throughput} and not {}", theory(*load));
    }
    for ((plain, equal), spread) in textbook.iter().zip(&alike).zip(&apart) {
        assert!(
            plain.1 <= equal.1 + 0.02,
            "energy destroys no more than any overlap does: {plain:?}, {equal:?}"
        );
        assert!(equal.1 <= spread.1 + 0.03, "capture favours the nearer: {equal:?}, {spread:?}");
    }
    let plot = Plot::new(
        title,
        Axis::new("offered load, frames per frame time", 0.0, 3.0),
        Axis::new("throughput", 0.0, 0.8),
    )
    .with("theory", Mark::Line, curve(steps(0.0, 3.0, 60), theory))
    .with("any overlap destroys both", Mark::Dots, textbook)
    .with("energy and capture, senders equally strong", Mark::Dots, alike)
    .with("energy and capture, senders over a disc", Mark::Dots, apart);
    figure(name, &plot);
}

#[test]
fn pure_aloha_carries_what_abramson_says() {
    compare("aloha-pure", "Pure ALOHA: S = G exp(-2G)", Begin::AnyTime, |load| load * libm::exp(-2.0 * load));
}

#[test]
fn slotted_aloha_carries_what_roberts_says() {
    compare("aloha-slotted", "Slotted ALOHA: S = G exp(-G)", Begin::Slots, |load| load * libm::exp(-load));
}
