//! The feasibility condition: what a neighbour says against what this node said itself.
//!
//! As in Babel (RFC 8966 §2.4, §3.5.1), with an emission's time and generation in place of the sequence number, and with cost and
//! hops in place of the metric: hops keep it strictly growing where everything is free.

use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Generation};

use super::entry::RoutingEntry;

/// Which costs of a destination are meant: the emission by its time, and the generation within it. Newer is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edition {
    /// The emission's time, in Unix seconds by its originator's clock.
    pub emitted_at: u64,
    /// Which costs of it.
    pub generation: Generation,
}

/// How far a destination is said to be: the cost as it is written, then the hops. Unknown costs are the largest.
pub(super) type Metric = (u16, u8);

pub(super) fn metric(cost: CompactPathCost) -> Metric {
    (cost.cumulative_cost.to_wire(), cost.hops.0)
}

/// The least that this node ever said of the newest edition that it spoke of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distance {
    edition: Edition,
    metric: Metric,
}

impl Distance {
    /// After having said `cost` of `edition` for the first time.
    #[must_use]
    pub fn new(edition: Edition, cost: &CompactPathCost) -> Self {
        Self { edition, metric: metric(*cost) }
    }

    /// What remains the least once `cost` was said of `edition`. An older edition changes nothing.
    #[must_use]
    pub fn after_saying(self, edition: Edition, cost: &CompactPathCost) -> Self {
        match edition.cmp(&self.edition) {
            core::cmp::Ordering::Less => self,
            core::cmp::Ordering::Equal => Self { metric: self.metric.min(metric(*cost)), ..self },
            core::cmp::Ordering::Greater => Self::new(edition, cost),
        }
    }

    /// Whether it is of this edition.
    #[must_use]
    pub fn is_of(&self, edition: Edition) -> bool {
        self.edition == edition
    }

    /// The least cost that was said.
    #[must_use]
    pub fn cost(self) -> CostCode {
        CostCode::from_wire(self.metric.0).unwrap_or(CostCode::Unknown)
    }

    /// The edition, and the least that was said of it.
    pub(super) const fn parts(self) -> (Edition, Metric) {
        (self.edition, self.metric)
    }

    /// Whether a neighbour that said `least` of `edition` cannot have this node on its way.
    pub(super) fn admits(self, edition: Edition, least: Metric) -> bool {
        match edition.cmp(&self.edition) {
            core::cmp::Ordering::Less => false,
            core::cmp::Ordering::Equal => least < self.metric,
            core::cmp::Ordering::Greater => true,
        }
    }
}

/// What this node said of an emission in clear. Costs cannot be said there, so whether a path leads back through what was said shows in
/// its hops alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidInClear {
    /// The emission's time.
    pub emitted_at: u64,
    /// How many hops this node said.
    pub hops: u8,
}

/// All that this node said of a destination, which a path has to surpass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Over links.
    pub over_links: Option<Distance>,
    /// In clear.
    pub in_clear: Option<SaidInClear>,
}

impl Bounds {
    /// Whether a path cannot have this node on its way.
    pub(super) fn admits(&self, entry: &RoutingEntry) -> bool {
        self.over_links.is_none_or(|distance| distance.admits(entry.edition(), entry.least()))
            && self.in_clear.is_none_or(|said| said.admits(entry))
    }
}

impl SaidInClear {
    /// What binds after something more was said: of an emission the fewest hops, and no earlier emission.
    #[must_use]
    pub fn after_saying(self, more: Self) -> Self {
        match more.emitted_at.cmp(&self.emitted_at) {
            core::cmp::Ordering::Less => self,
            core::cmp::Ordering::Equal => Self { hops: self.hops.min(more.hops), ..self },
            core::cmp::Ordering::Greater => more,
        }
    }

    /// Stock segments carry no generations: what is of a later one than the first came over links all the way.
    fn admits(self, entry: &RoutingEntry) -> bool {
        let Edition { emitted_at, generation } = entry.edition();
        match emitted_at.cmp(&self.emitted_at) {
            core::cmp::Ordering::Less => false,
            core::cmp::Ordering::Equal => generation > Generation::FIRST || entry.said().hops.0 < self.hops,
            core::cmp::Ordering::Greater => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Claim;
    use super::*;
    use nexus_wire::nexus::code::PriceCode;
    use nexus_wire::nexus::path_cost::HopCount;
    use nexus_wire::reticulum::RandomHash;

    #[test]
    fn what_was_said_once_is_not_taken_back_within_an_edition() {
        let distance = Distance::new(edition(5, 0), &cost(100, 3));
        let raised = distance.after_saying(edition(5, 0), &cost(500, 9));
        assert_eq!(raised, distance);
        assert!(raised.admits(edition(5, 0), metric(cost(100, 2))), "fewer hops at the same cost");
        assert!(!raised.admits(edition(5, 0), metric(cost(100, 3))), "its own metric");
        assert!(!raised.admits(edition(5, 0), metric(cost(110, 0))));
        let lowered = raised.after_saying(edition(5, 0), &cost(50, 9));
        assert!(!lowered.admits(edition(5, 0), metric(cost(100, 2))));
    }

    #[test]
    fn a_newer_edition_is_admitted_at_any_cost_and_an_older_one_at_none() {
        let distance = Distance::new(edition(5, 1), &cost(100, 3));
        for newer in [edition(5, 2), edition(6, 0)] {
            assert!(distance.admits(newer, metric(cost(u64::MAX, 120))));
        }
        for older in [edition(5, 0), edition(4, 63)] {
            assert!(!distance.admits(older, metric(cost(0, 0))));
            assert_eq!(distance.after_saying(older, &cost(0, 0)), distance);
        }
        let begun = distance.after_saying(edition(6, 0), &cost(900, 9));
        assert!(begun.admits(edition(6, 0), metric(cost(800, 9))));
    }

    #[test]
    fn an_unknown_cost_is_larger_than_any() {
        let unknown = CompactPathCost { cumulative_cost: CostCode::Unknown, ..cost(0, 1) };
        let distance = Distance::new(edition(1, 0), &unknown);
        assert!(distance.admits(edition(1, 0), metric(cost(u64::MAX, 120))));
        let fewer = CompactPathCost { hops: HopCount(0), ..unknown };
        assert!(
            distance.admits(edition(1, 0), metric(fewer)) && !distance.admits(edition(1, 0), metric(unknown))
        );
    }

    #[test]
    fn what_was_said_in_clear_is_surpassed_in_hops_until_there_is_another_generation() {
        let entry = |emitted_at: u64, generation, cost: u64, hops| {
            let said = self::cost(cost, hops);
            let claim = Claim {
                random_hash: RandomHash::new([0; 5], emitted_at),
                generation: Generation::new(generation).unwrap(),
                said,
                ..super::super::table::tests::claim(1, 1, 10)
            };
            RoutingEntry::new(&claim, 0, 100)
        };
        let in_clear = Some(SaidInClear { emitted_at: 5, hops: 3 });
        let bounds = Bounds { over_links: None, in_clear };
        assert!(bounds.admits(&entry(5, 0, 900, 2)), "nearer than what was said, whatever it costs");
        assert!(!bounds.admits(&entry(5, 0, 0, 3)), "free, and perhaps this node's own words");
        assert!(bounds.admits(&entry(5, 1, 0, 9)), "a generation that stock segments do not carry");
        assert!(bounds.admits(&entry(6, 0, 0, 9)), "another emission");
        assert!(!bounds.admits(&entry(4, 0, 0, 1)), "an older one");
        let both = Bounds { over_links: Some(Distance::new(edition(5, 0), &cost(100, 3))), in_clear };
        assert!(!both.admits(&entry(5, 0, 900, 2)), "what was said over links binds as well");
    }

    fn edition(emitted_at: u64, generation: u8) -> Edition {
        Edition { emitted_at, generation: Generation::new(generation).unwrap() }
    }

    fn cost(price: u64, hops: u8) -> CompactPathCost {
        CompactPathCost {
            cumulative_cost: CostCode::Known(PriceCode::nearest(price)),
            hops: HopCount(hops),
            ..CompactPathCost::ORIGIN
        }
    }
}
