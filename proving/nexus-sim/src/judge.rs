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
//! | [`secrecy`] | no text is readable on any medium, and no name where links are spoken |
//! | [`nonces`] | no counter of a link's key seals two frames |
//! | [`delivery`] | what is called delivered is there, shown once, and every errand comes to one end |
//! | [`agreement`] | both ends of a link know of it, and of no second one |
//! | [`law`] | no node transmits more, for longer or louder than regulators allow |
//! | [`budget`] | announces and gossip together take no more than a tenth of what an end of a medium carries |
//! | [`routing`] | paths form no circle, lead where they should, cost what they must, and have a second where there is one |
//! | [`liveness`] | once faults stop, everybody reaches everybody within a stated time |

pub mod agreement;
pub mod budget;
pub mod contract;
pub mod delivery;
pub mod durability;
pub mod emission;
pub mod law;
pub mod liveness;
mod mirror;
pub mod nonces;
pub mod relay;
pub mod routing;
#[cfg(test)]
mod script;
pub mod secrecy;
mod sighting;
pub mod truth;

use nexus_crypto::{DestinationHash, NodeId, NodePublic};
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
        Self::expecting::<A>(scenario, WorldTime::NEVER, Duration::ZERO)
    }

    /// Those of safety, and that everybody hears of everybody within `within` after `calm_at`; that by then links stand and
    /// messages arrive.
    #[must_use]
    pub fn with_liveness<A: Actor>(scenario: &Scenario, calm_at: WorldTime, within: Duration) -> Self {
        let mut bench = Self::expecting::<A>(scenario, calm_at, within);
        bench.0.push(Box::new(liveness::Liveness::new(scenario.addresses::<A>(), calm_at, within)));
        bench
    }

    /// Those of safety, and that links stand and messages arrive from `within` after `calm_at` on.
    #[must_use]
    pub fn of_calm<A: Actor>(scenario: &Scenario, calm_at: WorldTime, within: Duration) -> Self {
        Self::expecting::<A>(scenario, calm_at, within)
    }

    /// Nobody.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    fn expecting<A: Actor>(scenario: &Scenario, calm_at: WorldTime, within: Duration) -> Self {
        let addresses: Vec<DestinationHash> = scenario.addresses::<A>();
        let layout = &scenario.layout;
        let end = WorldTime::from_start(scenario.length);
        let identities = scenario.identities();
        let ids: Vec<NodeId> = identities.iter().map(NodePublic::node_id).collect();
        Self(vec![
            Box::new(contract::Contract::new(addresses.len())),
            Box::new(durability::Durability::new(addresses.clone(), A::remembers)),
            Box::new(emission::Emission::new(addresses.clone())),
            Box::new(relay::Relay::new(addresses.clone())),
            Box::new(truth::Truth::new(addresses)),
            Box::new(secrecy::Secrecy::new(&identities)),
            Box::new(nonces::Nonces::new(layout)),
            Box::new(law::Law::default()),
            Box::new(delivery::Delivery::new(ids.clone(), layout, calm_at.after(within)).lasting(end)),
            Box::new(agreement::Agreement::new(ids, layout, calm_at, agreement::WITHIN).lasting(end)),
        ])
    }

    /// One judge more.
    #[must_use]
    pub fn and(mut self, judge: impl Judge + 'static) -> Self {
        self.0.push(Box::new(judge));
        self
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
