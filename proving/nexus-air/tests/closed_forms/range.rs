//! How far radios reach, and how shadowing blurs the edge.

use nexus_air::{Capture, Channel, Hearing, Position, RadioId, Scenario, Shadowing, Station, Voice};
use nexus_machine::Seed;
use nexus_plot::{Axis, Mark, Plot};

use crate::bench::{Bench, channel};
use crate::{curve, figure, steps};

/// How many receivers stand at each distance.
const RECEIVERS: u16 = 150;

/// What share of the receivers at a distance in metres gets a transmission.
fn received(channel: Channel, metres: f64, shadowing: Shadowing) -> f64 {
    #[allow(clippy::cast_possible_truncation, reason = "a distance on a plane")]
    let place = Position { east_cm: (metres * 100.0) as i32, north_cm: 0 };
    let mut stations = vec![Station::standing(Position::default())];
    stations.extend((0..RECEIVERS).map(|_| Station::standing(place)));
    // Other draws at each distance.
    let seed = Seed::new([0x52; 32]).fork_index("distance", u64::from(place.east_cm.unsigned_abs()));
    let hearing = Hearing::placed(stations, Scenario::LogDistance, shadowing, &seed);
    let mut bench = Bench::new(hearing, Capture::Energy, channel, 20);
    bench.send(RadioId(0));
    bench.finish();
    let got = (1..=RECEIVERS).filter(|n| bench.air.meter(RadioId(*n)).received == 1).count();
    got as f64 / f64::from(RECEIVERS)
}

/// The farthest of two receivers, a metre apart, of which only the nearer one gets it.
fn edge(channel: Channel) -> u32 {
    let mut reach = (0, 100_000);
    while reach.1 - reach.0 > 1 {
        let middle = u32::midpoint(reach.0, reach.1);
        let heard = {
            let east = i32::try_from(middle).unwrap();
            let stations = [0, east].map(|east| Station::standing(Position::metres(east, 0))).to_vec();
            let hearing =
                Hearing::placed(stations, Scenario::LogDistance, Shadowing::NONE, &Seed::new([0; 32]));
            hearing.hearer(RadioId(0), RadioId(1), &Voice::of(channel)).is_some()
        };
        if heard { reach.0 = middle } else { reach.1 = middle }
    }
    reach.0
}

/// The share of a normal distribution below so many deviations.
fn below(deviations: f64) -> f64 {
    0.5 * libm::erfc(-deviations / std::f64::consts::SQRT_2)
}

#[test]
fn reach_ends_where_the_link_budget_does_and_shadowing_makes_a_slope_of_the_edge() {
    let short = channel(125_000, 7);
    let long = Channel { power_dbm: 22, ..channel(250_000, 11) };
    // 10^((14 + 124.53 - 7.7) / 37.6) and 10^((22 + 131.52 - 7.7) / 37.6).
    for (channel, expected) in [(short, 3_016), (long, 7_554)] {
        // A hundredth of a decibel is two metres, or five.
        assert!(edge(channel).abs_diff(expected) <= 3, "{} and not {expected}", edge(channel));
    }
    let mut plot = Plot::new(
        "Transmissions received over distance (log-distance, shadowing σ 7.8 dB)",
        Axis::new("kilometres", 0.0, 15.0),
        Axis::new("share received", 0.0, 1.5),
    );
    for (name, channel, edge_m) in
        [("SF7, 125 kHz, 14 dBm", short, 3_016.0), ("SF11, 250 kHz, 22 dBm", long, 7_554.0)]
    {
        // The margin, in deviations, is what distance leaves of the budget.
        let theory = |kilometres: f64| below(37.6 * libm::log10(edge_m / (kilometres * 1_000.0)) / 7.8);
        let distances = || steps(0.5, 15.0, 29);
        let measured =
            curve(distances(), |kilometres| received(channel, kilometres * 1_000.0, Shadowing::MEASURED));
        for (kilometres, share) in &measured {
            let off = (share - theory(*kilometres)).abs();
            // Three and a half standard deviations of a share of 150 at one half.
            assert!(off < 0.143, "{name} at {kilometres} km: {share} and not {}", theory(*kilometres));
        }
        let mean =
            measured.iter().map(|(at, share)| share - theory(*at)).sum::<f64>() / measured.len() as f64;
        assert!(mean.abs() < 0.03, "{name}: {mean} on average");
        let sharp = curve(distances(), |kilometres| received(channel, kilometres * 1_000.0, Shadowing::NONE));
        assert!(sharp.iter().all(|(at, share)| (*share > 0.999) == (at * 1_000.0 <= edge_m)
            && (*share < 0.001) == (at * 1_000.0 > edge_m)));
        plot = plot
            .with(
                &format!("{name}: normal distribution of the margin"),
                Mark::Line,
                curve(steps(0.3, 15.0, 147), theory),
            )
            .with(&format!("{name}: received"), Mark::Dots, measured)
            .with(&format!("{name}: without shadowing"), Mark::Dashes, sharp_edge(edge_m));
    }
    figure("range", &plot);
}

fn sharp_edge(edge_m: f64) -> Vec<(f64, f64)> {
    let edge = edge_m / 1_000.0;
    vec![(0.0, 1.0), (edge, 1.0), (edge, 0.0), (15.0, 0.0)]
}

#[test]
fn a_link_that_carries_one_transmission_carries_them_all() {
    let stations = [0, 2_500].map(|east| Station::standing(Position::metres(east, 0))).to_vec();
    let seed = Seed::new([0x53; 32]);
    let hearing = Hearing::placed(stations, Scenario::LogDistance, Shadowing::MEASURED, &seed);
    let mut bench = Bench::new(hearing, Capture::Energy, channel(125_000, 9), 20);
    for _ in 0..50 {
        bench.send(RadioId(0));
        bench.finish();
    }
    let received = bench.air.meter(RadioId(1)).received;
    assert!([0, 50].contains(&received), "{received}: shadowing is drawn once");
}
