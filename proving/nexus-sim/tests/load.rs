//! How goodput stands up to load: drawn, and held.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::path::Path;

use nexus_plot::{Axis, Corner, Mark, Plot, hold};
use nexus_sim::load::crowd::{self, Driven, Rule};
use nexus_sim::swarm::seed;

/// In thousandths of what one frame after the other would fill.
const OFFERED: [u64; 10] = [250, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 10_000];

fn thousandths(value: u64) -> f64 {
    f64::from(u32::try_from(value).unwrap()) / 1_000.0
}

fn curve(goodput: impl Fn(u64) -> u64) -> Vec<(f64, f64)> {
    OFFERED.iter().map(|offered| (thousandths(*offered), thousandths(goodput(*offered)))).collect()
}

/// The closed forms are of one place where all hear all; what is measured is of fifty places, of which some are far enough apart to be used at once.
#[test]
fn goodput_does_not_collapse_beyond_saturation_where_aloha_does() {
    let steps = || (0..=100_u32).map(|step| f64::from(step) / 10.0);
    let theory = |of: fn(f64) -> f64| steps().map(|load| (load, of(load))).collect::<Vec<_>>();
    let of = |driven| curve(|offered| crowd::goodput(driven, offered, seed(10)));
    let by = |rule: Rule| curve(|offered| rule.goodput(offered, &seed(10)));
    let (chips, modems) = (of(Driven::Transceivers), of(Driven::Rnodes));
    let (aloha, ideal) = (by(Rule::Aloha), by(Rule::Omniscient));
    let last = |curve: &[(f64, f64)]| curve.last().unwrap().1;
    let most = |curve: &[(f64, f64)]| curve.iter().map(|(_, goodput)| *goodput).fold(0.0, f64::max);
    for (name, measured) in [("transceivers", &chips), ("RNodes", &modems)] {
        assert!(last(measured) > 0.8 * most(measured), "{name}: {measured:?}");
        for (point, bound) in measured.iter().zip(&ideal) {
            assert!(
                point.1 <= bound.1 + 0.02,
                "{name}: nobody does better than who knows all: {point:?}, {bound:?}"
            );
        }
    }
    assert!(last(&aloha) < 0.8 * most(&aloha), "{aloha:?}");
    let plot = Plot::new(
        "Fifty radios on one channel, many hidden from each other",
        Axis::new("offered load, frames per frame time", 0.0, 10.0),
        Axis::new("goodput", 0.0, 5.0),
    )
    .with("pure ALOHA at one place: G exp(-2G)", Mark::Dashes, theory(|load| load * (-2.0 * load).exp()))
    .with("ideal CSMA at one place: G / (1 + G)", Mark::Line, theory(|load| load / (1.0 + load)))
    .with("pure ALOHA here", Mark::Dots, aloha)
    .with("carrier sense from which nobody is hidden, here", Mark::Dots, ideal)
    .with("transceivers", Mark::Dots, chips)
    .with("RNodes", Mark::Dots, modems)
    .key_at(Corner::UpperLeft);
    hold(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/plots/crowd.svg"), &plot.svg()).unwrap();
}
