//! The two ends of a link agree that there is one, and that there is one only. Source: spec/simulation.md#agreement.

use std::collections::{BTreeMap, BTreeSet};

use nexus_crypto::NodeId;
use nexus_machine::Duration;
use nexus_network::{InterfaceId, LinkId, LinkStatus, Mode};
use nexus_node::{Event, Input, Output};

use crate::clock::WorldTime;
use crate::layout::{Layout, MediumPlan};
use crate::linking;
use crate::observation::{Act, Finding, Judge, NodeIndex, Observation, Observer, Verdict, What};

/// Whoever is asked between two inputs has at most one live link to a peer on an interface, and none on an interface that
/// is down. When the world has been calm for a stated time, or, where all hear all, for as long as the airtime for handshakes
/// [takes](linking::bound) if that is more, each two nodes on a medium that speaks links have one with each other over it, and from then on no
/// interruption is longer than [`LONGEST_GAP`].
#[derive(Debug)]
pub struct Agreement {
    ids: Vec<NodeId>,
    calm_at: WorldTime,
    longest_gap: Duration,
    nodes: Vec<Node>,
    /// By node: its pairs.
    pairs_of: Vec<Vec<Pair>>,
    /// Those with a medium of links in common, by the node of the lower number. Whole pairs have no date.
    pairs: BTreeMap<Pair, Option<WorldTime>>,
    /// How long after the calm began each pair must have its link.
    within: BTreeMap<Pair, Duration>,
    seen_until: WorldTime,
    finding: Finding,
}

/// How long after the faults stopped each pair must have its link.
pub const WITHIN: Duration = Duration::from_secs(600);
/// A link that is replaced by a full handshake may be gone for as long as its messages take.
pub const LONGEST_GAP: Duration = Duration::from_secs(60);

/// Two ends: node and interface of each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Pair([(NodeIndex, InterfaceId); 2]);

#[derive(Debug, Default)]
struct Node {
    up: BTreeSet<InterfaceId>,
    live: BTreeMap<LinkId, (InterfaceId, NodeId)>,
    /// Something changed since it was last asked.
    changed: bool,
}

impl Node {
    fn count(&self, iface: InterfaceId, peer: NodeId) -> usize {
        self.live.values().filter(|link| **link == (iface, peer)).count()
    }

    /// What is wrong with its links once all outputs of an input are taken.
    fn settled(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        for (iface, peer) in self.live.values() {
            if !self.up.contains(iface) {
                return Err(format!("has a link with {peer} on {iface:?}, which is down"));
            }
            if self.count(*iface, *peer) > 1 {
                return Err(format!("has two links with {peer} on {iface:?}"));
            }
        }
        Ok(())
    }

    fn took(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::LinkUp(LinkStatus { id, iface, peer, .. }) => {
                self.changed = true;
                match self.live.insert(*id, (*iface, peer.node_id())) {
                    None => Ok(()),
                    Some(_) => Err(format!("calls a second link {id:?}")),
                }
            }
            Event::LinkDown { last, .. } => {
                self.changed = true;
                match self.live.remove(&last.id) {
                    Some(link) if link == (last.iface, last.peer.node_id()) => Ok(()),
                    Some(_) => Err(format!("has {:?} go down as another than came up", last.id)),
                    None => Err(format!("has {:?} go down, which never came up", last.id)),
                }
            }
            Event::Announced { .. }
            | Event::Reached { .. }
            | Event::ChannelJammed { .. }
            | Event::PathFound { .. }
            | Event::PathNotFound { .. }
            | Event::ClocksParted { .. }
            | Event::EntropyWanted
            | Event::Ledger(_)
            | Event::Endpoint(_)
            | Event::Lxmf(_)
            | Event::Economy(_)
            | Event::MessageArrived(_)
            | Event::Attempted { .. }
            | Event::Delivered { .. }
            | Event::Traced { .. }
            | Event::Undelivered { .. } => Ok(()),
        }
    }
}

impl Agreement {
    /// A judge of nodes with these ids on this layout. Each pair must agree `within` of `calm_at`, if there is airtime for that.
    #[must_use]
    pub fn new(ids: Vec<NodeId>, layout: &Layout, calm_at: WorldTime, within: Duration) -> Self {
        let end = |node: NodeIndex, medium: u32| {
            let found = layout.interfaces(node).find(|(_, on)| on.0 == medium);
            (node, found.expect("a node on a medium has an interface for it").0)
        };
        let (mut pairs, mut all_within) = (BTreeMap::new(), BTreeMap::new());
        let mut pairs_of = vec![Vec::new(); ids.len()];
        for (medium, plan) in (0..).zip(&layout.media) {
            if plan.profile.mode != Mode::Nexus {
                continue;
            }
            let within = within_of(plan, within);
            for (place, a) in plan.nodes.iter().enumerate() {
                for b in plan.nodes.iter().skip(place + 1) {
                    let mut ends = [end(*a, medium), end(*b, medium)];
                    ends.sort_unstable();
                    for (node, _) in ends {
                        pairs_of[node.place()].push(Pair(ends));
                    }
                    pairs.insert(Pair(ends), Some(WorldTime::START));
                    all_within.insert(Pair(ends), within);
                }
            }
        }
        let nodes = ids.iter().map(|_| Node::default()).collect();
        let (seen_until, finding) = (WorldTime::START, Finding::default());
        let longest_gap = LONGEST_GAP;
        Self { ids, calm_at, longest_gap, nodes, pairs_of, pairs, within: all_within, seen_until, finding }
    }

    /// An interruption may last as long as this, whatever it is due to.
    #[must_use]
    pub const fn with_longest_gap(mut self, longest_gap: Duration) -> Self {
        self.longest_gap = longest_gap;
        self
    }

    /// The run lasts until `end`, whether anything happens then or not.
    #[must_use]
    pub fn lasting(mut self, end: WorldTime) -> Self {
        self.seen_until = end;
        self
    }

    /// Looks again at the pairs of a node whose links changed.
    fn review(&mut self, at: WorldTime, node: NodeIndex) {
        for pair in self.pairs_of[node.place()].clone() {
            let Pair([a, b]) = pair;
            let sees = |(node, iface): (NodeIndex, InterfaceId), (peer, _): (NodeIndex, InterfaceId)| {
                self.nodes[node.place()].count(iface, self.ids[peer.place()])
            };
            let whole = sees(a, b) == 1 && sees(b, a) == 1;
            let state = self.pairs.get(&pair).copied().flatten();
            match (state, whole) {
                (Some(since), true) => {
                    if let Err((at, reason)) = self.in_time(pair, since, at) {
                        self.finding.fail(at, || reason);
                    }
                    self.pairs.insert(pair, None);
                }
                (None, false) => _ = self.pairs.insert(pair, Some(at)),
                (None, true) | (Some(_), false) => {}
            }
        }
    }

    /// Whether a pair that was apart from `since` until `until` was so for no longer than it may.
    fn in_time(&self, pair: Pair, since: WorldTime, until: WorldTime) -> Result<(), (WorldTime, String)> {
        let within = self.within.get(&pair).copied().unwrap_or(WITHIN);
        let deadline = self.calm_at.after(within).max(since.after(self.longest_gap));
        if until <= deadline {
            return Ok(());
        }
        let Pair([(a, a_iface), (b, b_iface)]) = pair;
        let has = |node: NodeIndex, iface, peer: NodeIndex| {
            self.nodes[node.place()].count(iface, self.ids[peer.place()])
        };
        let reason = format!(
            "nodes {} and {} have had no link that both know of since {since} ({} at the one, {} at the other)",
            a.0,
            b.0,
            has(a, a_iface, b),
            has(b, b_iface, a),
        );
        Err((deadline, reason))
    }

    fn judge(&mut self, at: WorldTime, index: NodeIndex, act: &Act<'_>) -> Result<(), String> {
        let node = &mut self.nodes[index.place()];
        match act {
            Act::Booted { .. } | Act::Crashed => {
                *node = Node::default();
                self.review(at, index);
                Ok(())
            }
            Act::Given { input, .. } => {
                node.settled()?;
                match input {
                    Input::Up { iface, .. } => _ = node.up.insert(*iface),
                    Input::Down { iface } => {
                        node.up.remove(iface);
                        node.changed = true;
                    }
                    Input::Frame { .. }
                    | Input::TxReady { .. }
                    | Input::ChannelBusy { .. }
                    | Input::ChannelClear { .. }
                    | Input::Command(_)
                    | Input::Persisted { .. }
                    | Input::WallClock { .. }
                    | Input::Read { .. }
                    | Input::Entropy(_) => {}
                }
                Ok(())
            }
            Act::Woken { .. } | Act::Rested { .. } => node.settled(),
            Act::Took(Output::Event(event)) => {
                node.took(event)?;
                if node.changed {
                    self.review(at, index);
                }
                Ok(())
            }
            Act::Took(Output::Transmit { .. } | Output::Sense { .. } | Output::Persist { .. })
            | Act::Durable(_) => Ok(()),
        }
    }
}

/// How long after the faults all links of a medium may have to be made anew: where all hear all, each handshake takes of the airtime that a node has
/// for them, and `(n − 1) · H / r` may be more than what is asked of media where handshakes cost nothing.
fn within_of(plan: &MediumPlan, within: Duration) -> Duration {
    let nodes = u32::try_from(plan.nodes.len()).unwrap_or(u32::MAX);
    if plan.is_radio() { within.max(linking::bound(&plan.profile, nodes)) } else { within }
}

impl Observer for Agreement {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.seen_until = self.seen_until.max(observation.at);
        if let What::Node { node, act, .. } = &observation.what
            && let Err(reason) = self.judge(observation.at, *node, act)
        {
            self.finding.fail(observation.at, || format!("node {} {reason}", node.0));
        }
    }
}

impl Judge for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn verdict(&self) -> Verdict {
        let mut finding = self.finding.clone();
        for (pair, apart) in &self.pairs {
            if let Some(since) = apart
                && let Err((at, reason)) = self.in_time(*pair, *since, self.seen_until)
            {
                finding.fail(at, || reason);
            }
        }
        finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{IFACE, Script, identity, line, links_down, links_up, second, up};
    use super::*;
    use nexus_network::Down;

    /// Two nodes on a cable that must agree between seconds 100 and 700.
    fn pair() -> Script<Agreement> {
        let ids = (0..2).map(|node| identity(node).node_id()).collect();
        let judge = Agreement::new(ids, &line(2), second(100), Duration::from_secs(600));
        Script::new(judge).gives(0, &up(Mode::Nexus)).gives(1, &up(Mode::Nexus))
    }

    fn linked() -> Script<Agreement> {
        pair().at(650).reports(0, links_up(1, 1)).reports(1, links_up(7, 0))
    }

    fn settle(script: Script<Agreement>) -> String {
        let nothing = Input::TxReady { iface: IFACE };
        script.gives(0, &nothing).gives(1, &nothing).objection()
    }

    #[test]
    fn two_ends_that_say_the_same_in_time_satisfy_it() {
        assert_eq!(settle(linked().at(5_000)), "");
        assert_eq!(settle(pair().at(700)), "", "it is not yet too late");
        let ids = (0..2).map(|node| identity(node).node_id()).collect();
        let silent =
            Agreement::new(ids, &line(2), second(100), Duration::from_secs(600)).lasting(second(701));
        assert!(!Script::new(silent).objection().is_empty(), "a world in which nothing happens is too late");
    }

    #[test]
    fn on_a_radio_channel_it_is_asked_when_there_was_airtime_for_all_handshakes() {
        let modulation = nexus_network::lora::Modulation::new(125_000, 7, 5).unwrap();
        let channel = |nodes| Layout::lora(modulation, nodes).media.remove(0);
        let ten_minutes = Duration::from_secs(600);
        // 19 handshakes of 525 ms of six thousandths of an hour, two intervals of beacons, and one that is given up.
        let many = within_of(&channel(20), ten_minutes);
        assert_eq!(many.as_millis() / 1_000, 2_672);
        assert_eq!(within_of(&line(2).media[0], ten_minutes), ten_minutes);
        assert!(within_of(&channel(3), ten_minutes) < many);
    }

    #[test]
    fn an_end_without_the_other_is_no_link() {
        let half = pair().at(110).reports(0, links_up(1, 1)).at(701);
        assert!(settle(half).contains("no link that both know of"));
        assert!(settle(pair().at(701)).contains("no link that both know of"));
        let late = pair().at(701).reports(0, links_up(1, 1)).reports(1, links_up(7, 0));
        assert!(settle(late).contains("no link that both know of"));
    }

    #[test]
    fn after_the_deadline_a_link_may_be_replaced_but_not_lost() {
        let replaced = linked().at(2_000).reports(0, links_down(1, 1)).reports(0, links_up(2, 1));
        assert_eq!(settle(replaced), "");
        let gap =
            |until| linked().at(2_000).reports(0, links_down(1, 1)).at(until).reports(0, links_up(2, 1));
        assert_eq!(settle(gap(2_060)), "");
        assert!(settle(gap(2_061)).contains("no link"));
        assert!(settle(linked().at(2_000).crashes(1).at(3_000)).contains("no link"));
    }

    #[test]
    fn two_links_with_one_peer_are_one_too_many_once_all_is_said() {
        let second_link = || linked().at(660).reports(0, links_up(2, 1));
        assert!(settle(second_link()).contains("two links"));
        assert_eq!(
            settle(second_link().reports(0, links_down(1, 1))),
            "",
            "in which order it is said is free"
        );
    }

    #[test]
    fn a_link_goes_down_once_and_with_its_interface() {
        assert!(settle(linked().reports(0, links_down(9, 1))).contains("never came up"));
        let twice = linked().reports(0, links_down(1, 1)).reports(0, links_down(1, 1));
        assert!(settle(twice).contains("never came up"));
        assert!(settle(linked().reports(0, links_up(1, 1))).contains("second link"));
        let down = Input::Down { iface: IFACE };
        assert!(settle(linked().gives(0, &down)).contains("which is down"));
        let last = super::super::script::link(1, 1);
        let told = Event::LinkDown { last, why: Down::Interface };
        assert_eq!(settle(linked().gives(0, &down).reports(0, told)), "");
    }
}
