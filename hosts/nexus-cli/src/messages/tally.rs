//! How many of what was sent was answered, and how fast.

use serde_json::{Value, json};

use crate::quantities::milliseconds;

/// What came back, the fastest first.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sent: u32,
    round_trips_us: Vec<u64>,
}

impl Tally {
    /// Something was sent, and answered after so many microseconds, or not.
    pub(crate) fn count(&mut self, round_trip_us: Option<u64>) {
        self.sent += 1;
        if let Some(round_trip_us) = round_trip_us {
            let at = self.round_trips_us.partition_point(|earlier| *earlier <= round_trip_us);
            self.round_trips_us.insert(at, round_trip_us);
        }
    }

    /// What another counted is counted here.
    pub(crate) fn join(&mut self, other: Self) {
        let unanswered = other.sent - other.answered();
        (0..unanswered).for_each(|_| self.count(None));
        other.round_trips_us.into_iter().for_each(|round_trip_us| self.count(Some(round_trip_us)));
    }

    /// How many were answered.
    pub(crate) fn answered(&self) -> u32 {
        u32::try_from(self.round_trips_us.len()).unwrap_or(u32::MAX)
    }

    /// Per cent, rounded to the nearest; 0 and 100 only if it is all or nothing.
    fn loss_percent(&self) -> u32 {
        let lost = self.sent - self.answered();
        let rounded = (200 * u64::from(lost) + u64::from(self.sent)) / (2 * u64::from(self.sent.max(1)));
        let rounded = u32::try_from(rounded).unwrap_or(100);
        if lost == 0 || lost == self.sent { rounded } else { rounded.clamp(1, 99) }
    }

    /// The fastest, the middle one (of an even number, the slower of both), the slowest.
    fn spread(&self) -> Option<[u64; 3]> {
        let middle = self.round_trips_us.get(self.round_trips_us.len() / 2)?;
        Some([*self.round_trips_us.first()?, *middle, *self.round_trips_us.last()?])
    }

    /// All of it for a person.
    pub(crate) fn sentence(&self) -> String {
        let counts =
            format!("{} sent, {} answered, {} % lost", self.sent, self.answered(), self.loss_percent());
        match self.spread() {
            Some(spread) => {
                let [min, median, max] = spread.map(milliseconds);
                format!("{counts}; min {min}, median {median}, max {max}")
            }
            None => counts,
        }
    }

    /// All of it for a program, with whom it was about under this name.
    pub(crate) fn as_json(&self, name: &str, whom: &str) -> Value {
        let [min, median, max] = self.spread().map_or([None; 3], |spread| spread.map(Some));
        json!({ name: whom, "sent": self.sent, "answered": self.answered(), "loss_percent": self.loss_percent(),
            "min_us": min, "median_us": median, "max_us": max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_right_for_all_some_and_none() {
        let tally = |sent, round_trips: &[u64]| Tally { sent, round_trips_us: round_trips.to_vec() };
        let none = tally(3, &[]);
        assert_eq!((none.loss_percent(), none.spread()), (100, None));
        assert_eq!(none.sentence(), "3 sent, 0 answered, 100 % lost");
        let some = tally(3, &[1_000, 30_000]);
        assert_eq!((some.loss_percent(), some.spread()), (33, Some([1_000, 30_000, 30_000])));
        assert_eq!(tally(1_000, &[5; 999]).loss_percent(), 1, "a loss is never rounded away");
        let all = tally(3, &[1_000, 2_000, 9_000]);
        assert_eq!(all.sentence(), "3 sent, 3 answered, 0 % lost; min 1.00 ms, median 2.00 ms, max 9.00 ms");
    }
}
