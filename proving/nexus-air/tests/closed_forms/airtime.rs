//! Airtimes of all spreading factors, as published calculators have them.

use nexus_air::Capture;
use nexus_air::{Hearing, RadioId};
use nexus_machine::Duration;
use nexus_plot::{Axis, Mark, Plot};

use crate::bench::{Bench, channel};
use crate::figure;

/// Transmissions of 23 bytes with a preamble of 8 symbols at 125 kHz and 4/5, in microseconds: Semtech's calculator for 7 to 12,
/// which is also the table of 10 bytes of payload that `LoRaWAN` operators publish (61.7, 113.2, 205.8, 370.7, 823.3 and 1,482.8 ms);
/// for 5 and 6 by hand from the data sheet: (8 + 6.25 + 8 + ⌈(184 + 36 − 20) / 20⌉ × 5) × 256 µs, and so on.
const PUBLISHED_MICROS: [(u8, u64); 8] = [
    (5, 18_496),
    (6, 34_432),
    (7, 61_696),
    (8, 113_152),
    (9, 205_824),
    (10, 370_688),
    (11, 823_296),
    (12, 1_482_752),
];
const BYTES: usize = 23;
const PREAMBLE_SYMBOLS: u64 = 8;

/// How long a transmission is on the air.
fn measured(spreading_factor: u8, bytes: usize) -> Duration {
    let mut bench =
        Bench::new(Hearing::everybody(2), Capture::Energy, channel(125_000, spreading_factor), bytes - 1);
    bench.send(RadioId(1));
    bench.finish();
    bench.air.meter(RadioId(1)).airtime
}

/// What an RNode's longer preamble adds.
fn longer_preamble(spreading_factor: u8) -> u64 {
    let symbol = 8 << spreading_factor;
    let symbols = 24_000_u64.div_ceil(symbol).max(18);
    (symbols - PREAMBLE_SYMBOLS) * symbol
}

#[test]
fn every_spreading_factor_takes_as_long_as_published_calculators_say() {
    for (spreading_factor, published) in PUBLISHED_MICROS {
        let expected = published + longer_preamble(spreading_factor);
        assert_eq!(measured(spreading_factor, BYTES).as_micros(), expected, "SF{spreading_factor}");
    }
    let lengths: Vec<usize> = (1..=255).step_by(2).collect();
    let mut plot = Plot::new(
        "Time on air of one transmission at 125 kHz, 4/5",
        Axis::new("bytes, header included", 0.0, 360.0),
        Axis::new("milliseconds", 0.0, 2_000.0),
    );
    for (spreading_factor, _) in PUBLISHED_MICROS.into_iter().skip(2) {
        let millis = |length: usize| measured(spreading_factor, length).as_micros() as f64 / 1_000.0;
        let points = lengths.iter().map(|length| (*length as f64, millis(*length)));
        let shown = points.take_while(|(_, millis)| *millis <= 2_000.0).collect();
        plot = plot.with(&format!("SF{spreading_factor}"), Mark::Line, shown);
    }
    let published = PUBLISHED_MICROS.map(|(spreading_factor, published)| {
        (BYTES as f64, (published + longer_preamble(spreading_factor)) as f64 / 1_000.0)
    });
    let plot = plot.with("published, and the longer preamble", Mark::Dots, published.to_vec());
    figure("airtime", &plot);
}
