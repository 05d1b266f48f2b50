//! What must be true of a run of a world file. Spec: spec/simulation.md#world-files.

use nexus_machine::Duration;

use crate::actor::Actor;
use crate::clock::WorldTime;
use crate::judge::{Bench, liveness::Liveness};
use crate::world::Scenario;

/// What a world file expects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// Who watches.
    pub watched: Watched,
    /// Everybody hears of everybody within so long after the last fault.
    pub all_reached: Option<Reached>,
    /// Of everything offered so many percent are shown to their recipients.
    pub delivered_percent: Option<u8>,
}

/// Who watches a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watched {
    /// Nobody.
    ByNobody,
    /// The judges of what must hold at every moment.
    ByJudgesOfSafety,
}

/// By when everybody has heard of everybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reached {
    /// The end of the last fault; the start if there is none.
    pub calm_at: WorldTime,
    /// How long it may take.
    pub within: Duration,
}

impl Expectation {
    /// The judges that it asks for.
    #[must_use]
    pub fn bench<A: Actor>(&self, scenario: &Scenario) -> Bench {
        let bench = match self.watched {
            Watched::ByNobody => Bench::empty(),
            Watched::ByJudgesOfSafety => Bench::of_safety::<A>(scenario),
        };
        match self.all_reached {
            None => bench,
            Some(Reached { calm_at, within }) => {
                bench.and(Liveness::new(scenario.addresses::<A>(), calm_at, within))
            }
        }
    }
}
