//! What distance does to a signal, and to those who listen before they speak.

use nexus_air::propagation::Hata;
use nexus_air::{Capture, Event, Hearing, Position, RadioId, Scenario, Shadowing, Station};
use nexus_machine::{Instant, Seed};
use nexus_plot::{Axis, Corner, Mark, Plot};

use crate::bench::{Bench, channel};
use crate::{curve, figure, steps};

/// What is lost over so many kilometres, in decibels.
fn loss(scenario: Scenario, kilometres: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few kilometres")]
    let centimetres = libm::round(kilometres * 100_000.0) as u64;
    f64::from(scenario.loss(centimetres).0) / 100.0
}

#[test]
fn both_scenarios_lose_what_their_formulas_say_worked_out_by_hand() {
    let suburb = Scenario::HataSuburban(Hata::new(868_000_000, 3_000, 150).unwrap());
    // 7.7 + 37.6 log d; 116.145 + 35.225 log km (868 MHz, 30 m and 1.5 m).
    let by_hand = [
        (Scenario::LogDistance, [(1.0, 120.5), (3.0, 138.44), (10.0, 158.1)]),
        (suburb, [(1.0, 116.15), (3.0, 132.95), (10.0, 151.37)]),
    ];
    let mut plot = Plot::new(
        "What is lost over distance",
        Axis::new("kilometres", 0.0, 12.0),
        Axis::new("decibels", 60.0, 170.0),
    )
    .key_at(Corner::LowerRight);
    for ((scenario, points), name) in
        by_hand.into_iter().zip(["log-distance", "Hata, suburban, 30 m and 1.5 m"])
    {
        for (kilometres, decibels) in points {
            let off = (loss(scenario, kilometres) - decibels).abs();
            assert!(off < 0.011, "{name} over {kilometres} km: {}", loss(scenario, kilometres));
        }
        plot = plot
            .with(name, Mark::Line, curve(steps(0.02, 12.0, 240), |kilometres| loss(scenario, kilometres)))
            .with(&format!("{name}: by hand"), Mark::Dots, points.to_vec());
    }
    // 20 log d + 20 log f - 147.55, of metres and hertz.
    let free = |kilometres: f64| 20.0 * libm::log10(kilometres * 1_000.0) + 178.770 - 147.55;
    for kilometres in [0.001, 0.005, 0.01] {
        assert!(
            (loss(Scenario::LogDistance, kilometres) - free(kilometres)).abs() < 0.011,
            "{kilometres} km"
        );
    }
    figure("path-loss", &plot.with("free space", Mark::Dashes, curve(steps(0.02, 12.0, 240), free)));
}

const LISTENERS: u16 = 20;
const TRANSMISSIONS: u32 = 50;

/// What share of transmissions is noticed by those who are so far away, before they transmit themselves.
fn noticed(metres: i32) -> f64 {
    let mut stations = vec![Station::standing(Position::default())];
    stations.extend((0..LISTENERS).map(|_| Station::standing(Position::metres(metres, 0))));
    let seed = Seed::new([0x63; 32]);
    let hearing = Hearing::placed(stations, Scenario::LogDistance, Shadowing::NONE, &seed);
    let mut bench = Bench::new(hearing, Capture::Energy, channel(125_000, 7), 20);
    let mut sensing = 0;
    for _ in 0..TRANSMISSIONS {
        bench.send(RadioId(0));
        while let Some(event) = bench.air.take_event(Instant::NEVER) {
            match event {
                Event::Began { sensed_by, .. } => sensing += sensed_by.len(),
                Event::Ended { transmission, .. } => bench.now = transmission.end,
                Event::Moved { .. } => unreachable!("nobody moves"),
            }
        }
    }
    sensing as f64 / f64::from(TRANSMISSIONS * u32::from(LISTENERS))
}

#[test]
fn carrier_sense_misses_the_more_the_farther_the_sender_is() {
    // All with 10 dB to spare, nine in ten with five, half at the edge, 3,016 m away, and nothing beyond.
    let theory = |kilometres: f64| {
        let margin = 37.6 * libm::log10(3.016_6 / kilometres);
        match margin {
            margin if margin < 0.0 => 0.0,
            margin if margin < 5.0 => 0.5 + 0.08 * margin,
            margin if margin < 10.0 => 0.9 + 0.02 * (margin - 5.0),
            _ => 1.0,
        }
    };
    let measured: Vec<(f64, f64)> =
        (1..=16).map(|step| (f64::from(step) * 0.2, noticed(step * 200))).collect();
    for (kilometres, share) in &measured {
        let off = (share - theory(*kilometres)).abs();
        // Three standard deviations of a share of a thousand at one half.
        assert!(off < 0.048, "at {kilometres} km: {share} and not {}", theory(*kilometres));
    }
    let plot = Plot::new(
        "Carrier sense at SF7, 125 kHz, 14 dBm: who notices a transmission",
        Axis::new("kilometres", 0.0, 3.5),
        Axis::new("share that notices", 0.0, 1.1),
    )
    .key_at(Corner::LowerLeft)
    .with("chosen curve", Mark::Line, curve(steps(0.05, 3.5, 690), theory))
    .with("measured", Mark::Dots, measured);
    figure("carrier-sense", &plot);
}
