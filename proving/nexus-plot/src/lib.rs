//! Figures for the documentation: what was measured, drawn over what theory says.
//!
//! A [`Plot`] is drawn as SVG, the same on every machine. A figure that stands in the documentation is committed, and a test
//! holds it to what is drawn ([`hold()`]), so that no figure shows something that the code does not do. All are drawn anew by
//! running those tests with `NEXUS_PLOTS=draw`.
//!
//! Spec: `spec/air.md#figures`.

mod chart;
mod hold;

pub use hold::{DRAW, Stale, hold};

/// A diagram of curves and points.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// What is in it, in the order of its key.
    pub series: Vec<Series>,
    /// Where the key is.
    pub key: Corner,
}

/// A corner of a diagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Corner {
    /// Above, on the left.
    UpperLeft,
    /// Above, on the right.
    UpperRight,
    /// Below, on the left.
    LowerLeft,
    /// Below, on the right.
    LowerRight,
}

/// An axis with even steps.
#[derive(Clone, PartialEq, Debug)]
pub struct Axis {
    /// What it measures, with the unit.
    pub label: String,
    /// Its lower end.
    pub from: f64,
    /// Its upper end.
    pub to: f64,
}

/// One curve or set of points.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// What the key calls it.
    pub name: String,
    /// How it is drawn.
    pub mark: Mark,
    /// Its points, by x.
    pub points: Vec<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// Joined by a line: what theory says.
    Line,
    /// Joined by a broken line: another theory, or a bound.
    Dashes,
    /// Dots: what was measured.
    Dots,
}

impl Plot {
    /// An empty diagram, its key above on the right.
    #[must_use]
    pub fn new(title: &str, x: Axis, y: Axis) -> Self {
        Self { title: title.to_owned(), x, y, series: Vec::new(), key: Corner::UpperRight }
    }

    /// With another series.
    #[must_use]
    pub fn with(mut self, name: &str, mark: Mark, points: Vec<(f64, f64)>) -> Self {
        self.series.push(Series { name: name.to_owned(), mark, points });
        self
    }

    /// With its key there.
    #[must_use]
    pub const fn key_at(mut self, key: Corner) -> Self {
        self.key = key;
        self
    }

    /// The diagram as SVG, 800 by 480.
    #[must_use]
    pub fn svg(&self) -> String {
        chart::draw(self).expect("a diagram in memory can be drawn")
    }
}

impl Axis {
    /// An axis of this label, from one end to the other.
    #[must_use]
    pub fn new(label: &str, from: f64, to: f64) -> Self {
        Self { label: label.to_owned(), from, to }
    }
}
