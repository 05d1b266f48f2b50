//! Who hears whom.

use crate::channel::{RadioId, Signal};

/// Which radios hear which others, and how well. Each direction of a pair stands for itself.
#[derive(Clone, Debug)]
pub struct Hearing {
    radios: u16,
    /// By sender, then by receiver.
    ways: Vec<Way>,
}

/// Whether one direction between two radios is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// What the one sends reaches the other.
    Open,
    /// It does not, whatever the signal would be.
    Shut,
}

#[derive(Clone, Copy, Debug)]
struct Way {
    signal: Option<Signal>,
    direction: Direction,
}

impl Hearing {
    /// `radios` that all hear each other equally well.
    #[must_use]
    pub fn everybody(radios: u16) -> Self {
        Self::uniform(radios, Some(Signal::GOOD))
    }

    /// `radios` of which none hears any other.
    #[must_use]
    pub fn nobody(radios: u16) -> Self {
        Self::uniform(radios, None)
    }

    /// `radios` in a row, each of which hears those beside it.
    #[must_use]
    pub fn line(radios: u16) -> Self {
        let mut hearing = Self::nobody(radios);
        for right in 1..radios {
            hearing.connect(RadioId(right - 1), RadioId(right), Signal::GOOD);
        }
        hearing
    }

    fn uniform(radios: u16, signal: Option<Signal>) -> Self {
        let ways = usize::from(radios) * usize::from(radios);
        Self { radios, ways: vec![Way { signal, direction: Direction::Open }; ways] }
    }

    /// How many radios there are.
    #[must_use]
    pub const fn radios(&self) -> u16 {
        self.radios
    }

    /// All of them.
    pub fn ids(&self) -> impl Iterator<Item = RadioId> + use<> {
        (0..self.radios).map(RadioId)
    }

    /// Decides what arrives at `to` of what `from` sends; `None` for nothing.
    ///
    /// # Panics
    /// If either is not one of the radios.
    pub fn set(&mut self, from: RadioId, to: RadioId, signal: Option<Signal>) {
        let at = self.place(from, to);
        self.ways[at].signal = signal;
    }

    /// Both directions of a pair.
    ///
    /// # Panics
    /// As [`Hearing::set`].
    pub fn connect(&mut self, one: RadioId, other: RadioId, signal: Signal) {
        self.set(one, other, Some(signal));
        self.set(other, one, Some(signal));
    }

    /// Shuts or opens one direction. The signal it had is kept meanwhile.
    ///
    /// # Panics
    /// If either is not one of the radios.
    pub fn direct(&mut self, from: RadioId, to: RadioId, direction: Direction) {
        let at = self.place(from, to);
        self.ways[at].direction = direction;
    }

    /// What arrives at `to` of what `from` sends. Nothing at itself.
    #[must_use]
    pub fn signal(&self, from: RadioId, to: RadioId) -> Option<Signal> {
        if from == to {
            return None;
        }
        let way = self.ways.get(self.place(from, to))?;
        match way.direction {
            Direction::Open => way.signal,
            Direction::Shut => None,
        }
    }

    fn place(&self, from: RadioId, to: RadioId) -> usize {
        assert!(from.0 < self.radios && to.0 < self.radios, "radios {from:?} and {to:?} are on this air");
        from.index() * usize::from(self.radios) + to.index()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: RadioId = RadioId(0);
    const B: RadioId = RadioId(1);
    const C: RadioId = RadioId(2);

    #[test]
    fn in_a_line_only_those_side_by_side_hear_each_other() {
        let line = Hearing::line(3);
        assert!(line.signal(A, B).is_some() && line.signal(C, B).is_some());
        assert!(line.signal(A, C).is_none() && line.signal(B, B).is_none());
    }

    #[test]
    fn a_direction_that_opens_again_has_the_signal_that_it_had() {
        let mut hearing = Hearing::nobody(2);
        let weak = Signal { rssi_dbm: -120, ..Signal::GOOD };
        hearing.connect(A, B, weak);
        hearing.direct(A, B, Direction::Shut);
        assert_eq!((hearing.signal(A, B), hearing.signal(B, A)), (None, Some(weak)));
        hearing.direct(A, B, Direction::Open);
        assert_eq!(hearing.signal(A, B), Some(weak));
    }
}
