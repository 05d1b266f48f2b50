//! How much was transmitted in any time of a given length.

use std::collections::VecDeque;

use nexus_machine::{Duration, Instant};

/// A sum of airtime over every window of one length that ends with a signal.
///
/// These are all that matter: a window in which more is transmitted than in those beside it ends where a signal ends, as long as an owner
/// does not transmit twice at once. Where two of its radios do, the sum may be short by what they have on the air at its beginning.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    /// In the order in which they ended.
    signals: VecDeque<(Instant, Instant)>,
    /// The whole of those signals.
    sum: Duration,
    /// The longest of all.
    longest: Duration,
}

impl Window {
    pub(super) const fn of(length: Duration) -> Self {
        Self { length, signals: VecDeque::new(), sum: Duration::ZERO, longest: Duration::ZERO }
    }

    /// Adds a signal; what was transmitted in the window that ends with it.
    pub(super) fn add(&mut self, start: Instant, end: Instant) -> Duration {
        let own = end.since(start);
        self.signals.push_back((start, end));
        (self.sum, self.longest) = (self.sum.plus(own), self.longest.max(own));
        let from = end.before(self.length);
        while let Some((start, gone)) = self.signals.pop_front_if(|(_, gone)| *gone <= from) {
            self.sum = self.sum.minus(gone.since(start));
        }
        let near = from.after(self.longest);
        let before = self
            .signals
            .iter()
            .take_while(|(_, end)| *end <= near)
            .fold(Duration::ZERO, |sum, (start, _)| sum.plus(from.since(*start)));
        self.sum.minus(before)
    }
}
