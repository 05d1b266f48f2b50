//! Puts labels beside points so that none lies on another, or on a point.

use super::svg::{Anchor, Point, text_width};

/// A box: its corners.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    fn overlap(&self, other: &Self) -> f64 {
        let wide = (self.right.min(other.right) - self.left.max(other.left)).max(0.0);
        let high = (self.bottom.min(other.bottom) - self.top.max(other.top)).max(0.0);
        wide * high
    }
}

/// What is taken on a map.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Labels {
    taken: Vec<Area>,
    size: f64,
}

/// Where a label stands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Place {
    pub(super) at: Point,
    pub(super) anchor: Anchor,
    /// So far from its point that a line is to lead there.
    pub(super) is_far: bool,
}

impl Labels {
    /// Labels of letters this high.
    pub(super) const fn of_size(size: f64) -> Self {
        Self { taken: Vec::new(), size }
    }

    /// Nothing may be written here.
    pub(super) fn keep_free(&mut self, (x, y): Point, radius: f64) {
        self.taken.push(Area { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius });
    }

    /// The best of the places around a point for this text: that which covers least of what is there.
    pub(super) fn place(&mut self, (x, y): Point, distance: f64, text: &str) -> Place {
        let (width, high) = (text_width(text, self.size), self.size);
        let middle = high * 0.35;
        let around = |far: f64| {
            let side = distance + 5.0 + far;
            [
                (x + side, y + middle, Anchor::Start),
                (x - side, y + middle, Anchor::End),
                (x, y - side, Anchor::Middle),
                (x, y + side + high * 0.75, Anchor::Middle),
                (x + side, y - side, Anchor::Start),
                (x + side, y + side + high * 0.5, Anchor::Start),
                (x - side, y - side, Anchor::End),
                (x - side, y + side + high * 0.5, Anchor::End),
            ]
        };
        let area = |(x, y, anchor): (f64, f64, Anchor)| {
            let left = match anchor {
                Anchor::Start => x,
                Anchor::Middle => x - width / 2.0,
                Anchor::End => x - width,
            };
            Area { left, top: y - high * 0.8, right: left + width, bottom: y + high * 0.25 }
        };
        let covered =
            |place| -> f64 { self.taken.iter().map(|taken| taken.overlap(&area(place))).sum::<f64>() };
        let (mut best, mut least, mut is_far) = (around(0.0)[0], f64::INFINITY, false);
        for far in FAR {
            for place in around(far) {
                // What is near is better than what covers a little less.
                let this = covered(place) + far;
                if this < least {
                    (best, least, is_far) = (place, this, far > 0.0);
                }
            }
        }
        self.taken.push(area(best));
        let (x, y, anchor) = best;
        Place { at: (x, y), anchor, is_far }
    }
}

/// How much farther than beside its point a label may stand.
const FAR: [f64; 5] = [0.0, 16.0, 32.0, 52.0, 76.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_a_crowd_do_not_cover_each_other_or_the_points() {
        let mut labels = Labels::of_size(12.0);
        let points: Vec<Point> =
            (0..16).map(|n| (f64::from(n % 4) * 60.0, f64::from(n / 4) * 40.0)).collect();
        for point in &points {
            labels.keep_free(*point, 6.0);
        }
        for point in &points {
            labels.place(*point, 6.0, "node");
        }
        let areas = &labels.taken;
        for (number, one) in areas.iter().enumerate() {
            for other in &areas[number + 1..] {
                assert!(one.overlap(other) < 1e-9, "{one:?} {other:?}");
            }
        }
    }
}
