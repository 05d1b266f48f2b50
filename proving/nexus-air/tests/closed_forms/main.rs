//! The medium against closed forms and published tables. Each comparison is a figure of `spec/air.md`, drawn anew by
//! `NEXUS_PLOTS=draw cargo nextest run -p nexus-air --test closed_forms`.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]
#![allow(clippy::cast_precision_loss, reason = "counts and microseconds of a test are far below 2⁵³")]

mod airtime;
mod aloha;
mod bench;
mod capture;
mod csma;
mod distance;
mod hidden_node;
mod range;

use std::path::Path;

use nexus_plot::Plot;

/// Holds the figure of this name to what was measured.
fn figure(name: &str, plot: &Plot) {
    let figures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/plots");
    nexus_plot::hold(&figures.join(name).with_extension("svg"), &plot.svg()).unwrap();
}

/// So many steps from one number to another, both included.
fn steps(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
    (0..=count).map(move |step| from + (to - from) * f64::from(step) / f64::from(count))
}

/// A curve.
fn curve(xs: impl Iterator<Item = f64>, y: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    xs.map(|x| (x, y(x))).collect()
}
