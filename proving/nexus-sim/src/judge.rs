//! What must be true of every run, each rule with a judge of its own.
//!
//! A judge sees what an honest observer could see from outside: inputs, outputs, crashes, and what the disks made durable.
//! It keeps its own record of what follows from that and never asks a node what it thinks. Spec: spec/simulation.md#judges.
//!
//! | judge | what it holds nodes to |
//! |---|---|
//! | [`contract`] | frames only when ready and no longer than the medium takes, tickets in order, deadlines that move |
//! | [`durability`] | nothing is announced before the emission it carries is durable |
//! | [`emission`] | an identity never signs two things for one emission, nor an older one after a newer one |
//! | [`relay`] | what is passed on was heard, verifies, counts its hop and is not older than what was passed on |
//! | [`truth`] | what a node believes reachable was announced by somebody who exists |
//! | [`liveness`] | once faults stop, everybody reaches everybody within a stated time |

pub mod contract;
pub mod durability;
pub mod emission;
pub mod liveness;
pub mod relay;
mod sighting;
pub mod truth;

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;

use crate::actor::Actor;
use crate::clock::WorldTime;
use crate::observation::{Failure, Judge, Observer, Verdict};
use crate::world::Scenario;

/// Judges of one run.
pub struct Bench(Vec<Box<dyn Judge>>);

impl Bench {
    /// The judges of safety: what must hold at every moment of every run, whatever faults there are.
    #[must_use]
    pub fn of_safety<A: Actor>(scenario: &Scenario) -> Self {
        let addresses: Vec<DestinationHash> = scenario.addresses::<A>();
        Self(vec![
            Box::new(contract::Contract::new(addresses.len())),
            Box::new(durability::Durability::new(addresses.clone(), A::remembers)),
            Box::new(emission::Emission::new(addresses.clone())),
            Box::new(relay::Relay::new(addresses.clone())),
            Box::new(truth::Truth::new(addresses)),
        ])
    }

    /// Those of safety, and that everybody hears of everybody within `within` after `calm_at`.
    #[must_use]
    pub fn with_liveness<A: Actor>(scenario: &Scenario, calm_at: WorldTime, within: Duration) -> Self {
        let mut bench = Self::of_safety::<A>(scenario);
        bench.0.push(Box::new(liveness::Liveness::new(scenario.addresses::<A>(), calm_at, within)));
        bench
    }

    /// As observers of a run.
    pub fn observers(&mut self) -> Vec<&mut dyn Observer> {
        self.0.iter_mut().map(|judge| judge.as_mut() as &mut dyn Observer).collect()
    }

    /// The failures that the judges found, with the judges' names.
    #[must_use]
    pub fn failures(&self) -> Vec<(&'static str, Failure)> {
        let failed = |judge: &dyn Judge| match judge.verdict() {
            Verdict::Passed => None,
            Verdict::Failed(failure) => Some((judge.name(), failure)),
        };
        self.0.iter().filter_map(|judge| failed(judge.as_ref())).collect()
    }
}
