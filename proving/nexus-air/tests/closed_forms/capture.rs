//! Two senders at one receiver, by how much stronger the first is.
//!
//! A frame lasts T, a receiver needs it from p on and may turn to a stronger one until its preamble ends at h. The other begins at
//! any time from T before to T after, one as likely as another; the frame bears an overlap with the needed part of up to
//! `(T - p) 10^((Δ - 6) / 10)`, and a receiver that has locked on an earlier frame gets it only if it is 6 dB stronger and comes
//! while that one's preamble lasts.

use nexus_air::survival::dispensable;
use nexus_air::{Capture, Hearing, Outcome, RadioId, Signal};
use nexus_machine::Duration;
use nexus_plot::{Axis, Corner, Mark, Plot};

use crate::bench::{Bench, GATEWAY, channel};
use crate::{curve, figure, steps};

const FIRST: RadioId = RadioId(1);
const OTHER: RadioId = RadioId(2);
const PAYLOAD: usize = 40;
/// How many beginnings of the other are tried, evenly over both frame times.
const TRIES: u64 = 400;

/// Whether the first sender's frame is received if the other begins so much later than a frame time before it.
fn is_received(stronger_db: i16, later: Duration) -> bool {
    let mut hearing = Hearing::nobody(3);
    let signal = |rssi_dbm| Signal { rssi_dbm, ..Signal::GOOD };
    hearing.set(FIRST, GATEWAY, Some(signal(-90 + stronger_db)));
    hearing.set(OTHER, GATEWAY, Some(signal(-90)));
    let mut bench = Bench::new(hearing, Capture::Energy, channel(125_000, 7), PAYLOAD);
    let (first, other) = (bench.now.after(bench.airtime), bench.now.after(later));
    let mut order = [(first, FIRST), (other, OTHER)];
    order.sort_unstable();
    for (at, sender) in order {
        bench.pass(at);
        bench.send(sender);
    }
    bench.finish();
    bench
        .air
        .take_transmissions()
        .iter()
        .any(|one| one.sender == FIRST && one.receptions[0].outcome == Outcome::Received)
}

#[test]
fn of_two_frames_the_stronger_survives_as_its_energy_and_the_demodulators_lock_allow() {
    let modulation = channel(125_000, 7).modulation;
    let micros = |span: Duration| span.as_micros() as f64;
    let whole = micros(modulation.transmission(PAYLOAD));
    let (needed, header) = (micros(dispensable(modulation)), micros(modulation.preamble()));
    let theory = |stronger: f64| {
        let borne = (whole - needed) * libm::pow(10.0, (stronger - 6.0) / 10.0);
        // Later than the first: overlaps from p or its own beginning on, to the end.
        let later = if borne >= whole - needed { whole } else { borne };
        // Earlier: over before the first is needed, or overtaken in its preamble.
        let over = needed;
        let overtaken = if stronger >= 6.0 { header - needed } else { 0.0 };
        (later + over + overtaken) / (2.0 * whole)
    };
    let powers = || steps(-12.0, 12.0, 24);
    let whole_db = |power: f64| {
        #[allow(clippy::cast_possible_truncation, reason = "whole decibels")]
        let power = power as i16;
        power
    };
    let together = curve(powers(), |power| {
        f64::from(u8::from(is_received(whole_db(power), modulation.transmission(PAYLOAD))))
    });
    let anywhere = curve(powers(), |power| {
        let span = modulation.transmission(PAYLOAD).as_micros() * 2;
        let tried = (0..TRIES).map(|n| Duration::from_micros(span * (2 * n + 1) / (2 * TRIES)));
        tried.filter(|later| is_received(whole_db(power), *later)).count() as f64 / TRIES as f64
    });
    for (power, share) in &together {
        assert_eq!(*share > 0.5, *power >= 6.0, "at {power} dB");
    }
    for (power, share) in &anywhere {
        let off = (share - theory(*power)).abs();
        assert!(off < 0.008, "at {power} dB: {share} and not {}", theory(*power));
    }
    let plot = Plot::new(
        "Two frames at one receiver: how often the first is received",
        Axis::new("decibels by which the first is stronger", -12.0, 12.0),
        Axis::new("share received", 0.0, 1.1),
    )
    .key_at(Corner::UpperLeft)
    .with("beginning together: theory", Mark::Dashes, vec![(-12.0, 0.0), (6.0, 0.0), (6.0, 1.0), (12.0, 1.0)])
    .with("overlapping at random: theory", Mark::Line, curve(steps(-12.0, 12.0, 480), theory))
    .with("beginning together", Mark::Dots, together)
    .with("overlapping at random", Mark::Dots, anywhere);
    figure("capture", &plot);
}
