//! Radios keep the law of their spectrum. Source: spec/simulation.md#judges.

use nexus_air::{Emission, Law as Regulation, LawMeter};
use nexus_machine::Instant;

use crate::observation::{Finding, Judge, Observation, Observer, Verdict, What};

/// No node transmits more, for longer or louder than the regulation allows, whatever it is asked and however often it starts.
///
/// All radios of a node are one transmitter. Where no regulation is known, the operator's word holds, which this judge does not know.
#[derive(Debug, Default)]
pub struct Law {
    meter: LawMeter,
    finding: Finding,
}

impl Law {
    /// The meter, and what it has seen.
    #[must_use]
    pub const fn meter(&self) -> &LawMeter {
        &self.meter
    }
}

impl Observer for Law {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Aired { sender, channel, airtime, .. } = observation.what else { return };
        let Some(regulation) = Regulation::of_carrier(channel.frequency.0) else { return };
        // A signal is observed when it is over.
        let end = Instant::from_micros(observation.at.as_micros());
        let emission = Emission { owner: sender.0, channel, start: end.before(airtime), end };
        for breach in self.meter.take(regulation, &emission) {
            self.finding.fail(observation.at, || format!("node {} was on the air: {breach}", sender.0));
        }
    }
}

impl Judge for Law {
    fn name(&self) -> &'static str {
        "law"
    }

    fn verdict(&self) -> Verdict {
        self.finding.verdict()
    }
}
