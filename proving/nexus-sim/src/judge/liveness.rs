//! Once faults stop, what should happen does. Source: spec/simulation.md#judges.

use std::collections::BTreeSet;

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_node::{Event, Output};

use crate::clock::WorldTime;
use crate::observation::{Act, Failure, Judge, Observation, Observer, Verdict, What};

/// Within a stated time after the world became calm, every node has reported every other as reached.
#[derive(Debug)]
pub struct Liveness {
    addresses: Vec<DestinationHash>,
    calm_at: WorldTime,
    deadline: WorldTime,
    /// By node: whom it reached after the calm began.
    reached: Vec<BTreeSet<DestinationHash>>,
}

impl Liveness {
    /// A judge of the nodes with these addresses, whose faults stop at `calm_at`. The run must last `within` longer.
    #[must_use]
    pub fn new(addresses: Vec<DestinationHash>, calm_at: WorldTime, within: Duration) -> Self {
        let reached = addresses.iter().map(|_| BTreeSet::new()).collect();
        Self { addresses, calm_at, deadline: calm_at.after(within), reached }
    }
}

impl Observer for Liveness {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Node { node, act: Act::Took(Output::Event(Event::Reached { destination, .. })), .. } =
            observation.what
            && (self.calm_at..=self.deadline).contains(&observation.at)
        {
            self.reached[node.place()].insert(*destination);
        }
    }
}

impl Judge for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn verdict(&self) -> Verdict {
        let lists = self.addresses.iter().zip(&self.reached).enumerate();
        let mut missing = lists.flat_map(|(node, (own, reached))| {
            let others = self.addresses.iter().enumerate().filter(move |(_, address)| *address != own);
            others.filter(|(_, address)| !reached.contains(address)).map(move |(other, _)| (node, other))
        });
        match missing.next() {
            None => Verdict::Passed,
            Some((node, other)) => {
                let more = missing.count();
                let span = self.deadline.since(self.calm_at).as_secs();
                let reason = format!(
                    "node {node} did not hear of node {other} within {span} s after the faults stopped, \
                     and so with {more} more pairs"
                );
                Verdict::Failed(Failure { at: self.deadline, reason })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::NodeIndex;

    const OTHERS: [DestinationHash; 2] = [DestinationHash([1; 16]), DestinationHash([2; 16])];

    /// Both nodes must reach the other between seconds 10 and 30.
    fn judged(reports: &[(u64, u32)]) -> Verdict {
        let at = |seconds| WorldTime::from_start(Duration::from_secs(seconds));
        let mut judge = Liveness::new(OTHERS.to_vec(), at(10), Duration::from_secs(20));
        for (seconds, node) in reports {
            let destination = OTHERS[1 - NodeIndex(*node).place()];
            let iface = nexus_network::InterfaceId(0);
            let output = Output::Event(Event::Reached { destination, emitted_at: 0, hops: 1, iface });
            let what = What::Node { node: NodeIndex(*node), incarnation: 0, act: Act::Took(&output) };
            judge.observe(&Observation { at: at(*seconds), what });
        }
        judge.verdict()
    }

    #[test]
    fn what_was_heard_before_the_calm_or_too_late_does_not_count() {
        assert_eq!(judged(&[(10, 0), (30, 1)]), Verdict::Passed);
        for reports in [&[(9, 0), (15, 1)][..], &[(15, 0), (31, 1)], &[(15, 0)], &[]] {
            assert!(matches!(judged(reports), Verdict::Failed(_)), "{reports:?}");
        }
    }
}
