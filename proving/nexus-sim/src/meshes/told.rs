//! What became of letters, and how figures are spread.

use std::collections::BTreeMap;

use nexus_node::{Command, Event, Input, Output};

use super::FIRST_HANDLE;
use crate::clock::WorldTime;
use crate::observation::{Act, Failure, NodeIndex, Observation, Observer, What};

/// An observer of the letters that are offered once a mesh has settled: each of them has to arrive.
#[derive(Debug)]
pub struct Told {
    settled_at: WorldTime,
    offered: BTreeMap<u64, (WorldTime, NodeIndex)>,
    delivered: u64,
}

impl Told {
    pub(super) const fn new(settled_at: WorldTime) -> Self {
        Self { settled_at, offered: BTreeMap::new(), delivered: 0 }
    }

    /// How many were offered, and how many of them arrived.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let missing = u64::try_from(self.offered.len()).expect("a length fits u64");
        (self.delivered + missing, self.delivered)
    }

    /// The first that did not arrive.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let (handle, (at, from)) = self.offered.first_key_value()?;
        let missing = self.offered.len();
        let number = handle - FIRST_HANDLE;
        Some(Failure {
            at: *at,
            reason: format!("letter {number} of node {} did not arrive; {missing} in all", from.0),
        })
    }
}

impl Observer for Told {
    fn observe(&mut self, observation: &Observation<'_>) {
        if observation.at < self.settled_at {
            return;
        }
        let What::Node { node, act, .. } = &observation.what else { return };
        match act {
            Act::Given { input: Input::Command(Command::Send(outgoing)), .. }
                if outgoing.handle >= FIRST_HANDLE =>
            {
                self.offered.insert(outgoing.handle, (observation.at, *node));
            }
            Act::Took(Output::Event(Event::Delivered { handle, .. }))
                if self.offered.remove(handle).is_some() =>
            {
                self.delivered += 1;
            }
            _ => {}
        }
    }
}

/// How figures are spread.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<u64>);

impl Spread {
    /// One more.
    pub fn add(&mut self, figure: u64) {
        self.0.push(figure);
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The figure below which so many of a thousand are; 0 if there is none.
    #[must_use]
    pub fn at(&self, permille: usize) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = sorted.len().saturating_sub(1) * permille.min(1_000) / 1_000;
        sorted.get(place).copied().unwrap_or(0)
    }

    /// Median, 90 %, 99 % and the largest.
    #[must_use]
    pub fn told(&self) -> String {
        let [median, most, nearly_all, largest] = [500, 900, 990, 1_000].map(|permille| self.at(permille));
        format!(
            "{} of them, median {median}, 90 % {most}, 99 % {nearly_all}, largest {largest}",
            self.count()
        )
    }
}
