//! The driving contract, as far as nodes are bound by it. Source: spec/node.md, spec/machine.md#laws.

use std::collections::BTreeMap;

use nexus_machine::{Instant, Ticket};
use nexus_network::{Access, Endpoint, InterfaceId, Profile, Reach};
use nexus_node::{Input, Output};

use crate::clock::WorldTime;
use crate::observation::{Act, Finding, Judge, NodeIndex, Observation, Observer, Verdict, What};

/// Frames go only to interfaces that are up and ready, fit them, and on half-duplex media follow a clear channel; tickets
/// are consecutive; a timeout that was handled moves its deadline; an early one does nothing.
#[derive(Debug)]
pub struct Contract {
    nodes: Vec<Node>,
    finding: Finding,
}

#[derive(Debug, Default)]
struct Node {
    ports: BTreeMap<InterfaceId, Port>,
    ticket: Option<Ticket>,
    wake: Wake,
}

/// What a node is in the middle of.
#[derive(Debug, Default)]
enum Wake {
    /// No wake-up, or one that was due.
    #[default]
    Due,
    /// A wake-up at which nothing was due, and the deadline that stood.
    Early(Option<Instant>),
}

#[derive(Debug)]
struct Port {
    profile: Profile,
    ready: bool,
    clear: bool,
}

impl Contract {
    /// A judge of `nodes` nodes.
    #[must_use]
    pub fn new(nodes: usize) -> Self {
        Self { nodes: (0..nodes).map(|_| Node::default()).collect(), finding: Finding::default() }
    }

    fn judge(&mut self, at: WorldTime, index: NodeIndex, act: &Act<'_>) -> Result<(), String> {
        let node = &mut self.nodes[index.place()];
        match act {
            Act::Booted { .. } | Act::Crashed => *node = Node::default(),
            Act::Given { input, .. } => node.given(input),
            Act::Woken { now, due } if due.is_none_or(|due| due > *now) => node.wake = Wake::Early(*due),
            Act::Woken { .. } => node.wake = Wake::Due,
            Act::Rested { now, due } => node.rested(*now, *due)?,
            Act::Took(output) => node.took(output)?,
            Act::Durable(ticket) => {
                if node.ticket.is_none_or(|last| *ticket > last) {
                    return Err(format!("{ticket:?} became durable at {at} but was never written"));
                }
            }
        }
        Ok(())
    }
}

impl Node {
    fn given(&mut self, input: &Input) {
        match input {
            Input::Up { iface, profile } => {
                self.ports.insert(*iface, Port { profile: *profile, ready: true, clear: false });
            }
            Input::Down { iface } => _ = self.ports.remove(iface),
            Input::TxReady { iface } => {
                self.ports.entry(*iface).and_modify(|port| port.ready = true);
            }
            Input::ChannelBusy { iface } => {
                self.ports.entry(*iface).and_modify(|port| port.clear = false);
            }
            Input::ChannelClear { iface } => {
                self.ports.entry(*iface).and_modify(|port| port.clear = true);
            }
            Input::Frame { .. }
            | Input::Command(_)
            | Input::Persisted { .. }
            | Input::WallClock { .. }
            | Input::Read { .. }
            | Input::Entropy(_) => {}
        }
    }

    fn rested(&mut self, now: Instant, due: Option<Instant>) -> Result<(), String> {
        match std::mem::take(&mut self.wake) {
            Wake::Early(stood) if stood != due => {
                Err(format!("an early wake-up at {now:?} moved the deadline from {stood:?} to {due:?}"))
            }
            Wake::Due if due.is_some_and(|due| due <= now) => {
                Err(format!("after a timeout at {now:?} the deadline is still {due:?}"))
            }
            Wake::Early(_) | Wake::Due => Ok(()),
        }
    }

    fn took(&mut self, output: &Output) -> Result<(), String> {
        if matches!(self.wake, Wake::Early(_)) {
            return Err(format!("an early wake-up was answered with {output:?}"));
        }
        match output {
            Output::Transmit { iface, to, bytes } => self.transmitted(*iface, to.as_ref(), bytes.len()),
            Output::Sense { iface } if !self.ports.contains_key(iface) => {
                Err(format!("{iface:?} is down and cannot listen"))
            }
            Output::Persist { ticket, .. } => {
                if self.ticket.is_some_and(|last| *ticket != last.next()) {
                    return Err(format!("{ticket:?} follows {:?}", self.ticket));
                }
                self.ticket = Some(*ticket);
                Ok(())
            }
            Output::Sense { .. } | Output::Event(_) => Ok(()),
        }
    }

    fn transmitted(
        &mut self,
        iface: InterfaceId,
        to: Option<&Endpoint>,
        length: usize,
    ) -> Result<(), String> {
        let port =
            self.ports.get_mut(&iface).ok_or_else(|| format!("a frame for {iface:?}, which is down"))?;
        if !std::mem::take(&mut port.ready) {
            return Err(format!("a frame for {iface:?}, which is not ready"));
        }
        let heard_clear = std::mem::take(&mut port.clear);
        if !heard_clear && matches!(port.profile.access, Access::ListenBeforeTalk { .. }) {
            return Err(format!("a frame for {iface:?} without listening"));
        }
        if to.is_some() && port.profile.reach != Reach::Addressed {
            return Err(format!("a frame with an address for {iface:?}, which has none"));
        }
        if length == 0 || length > usize::from(port.profile.frame_size) {
            return Err(format!(
                "a frame of {length} bytes for {iface:?}, which takes {}",
                port.profile.frame_size
            ));
        }
        Ok(())
    }
}

impl Observer for Contract {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Node { node, act, .. } = &observation.what
            && let Err(reason) = self.judge(observation.at, *node, act)
        {
            self.finding.fail(observation.at, || format!("node {}: {reason}", node.0));
        }
    }
}

impl Judge for Contract {
    fn name(&self) -> &'static str {
        "contract"
    }

    fn verdict(&self) -> Verdict {
        self.finding.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Layout, Shape};
    use nexus_machine::Seed;
    use nexus_network::lora::Modulation;

    const IFACE: InterfaceId = InterfaceId(0);

    fn judged(shape: Shape, acts: &[Act<'_>]) -> Verdict {
        judged_on(&shape.layout(2, &Seed::new([0; 32])), acts)
    }

    /// On a channel where the core listens itself.
    fn judged_bare(acts: &[Act<'_>]) -> Verdict {
        judged_on(&Layout::bare(Modulation::new(250_000, 7, 5).unwrap(), 2), acts)
    }

    fn judged_on(layout: &Layout, acts: &[Act<'_>]) -> Verdict {
        let profile = layout.media[0].profile;
        let mut judge = Contract::new(1);
        let up = Input::Up { iface: IFACE, profile };
        for act in [Act::Given { now: Instant::BOOT, input: &up }].iter().chain(acts) {
            let what = What::Node { node: NodeIndex(0), incarnation: 0, act: *act };
            judge.observe(&Observation { at: WorldTime::START, what });
        }
        judge.verdict()
    }

    fn reason(verdict: Verdict) -> String {
        match verdict {
            Verdict::Passed => "passed".to_owned(),
            Verdict::Failed(failure) => failure.reason,
        }
    }

    fn frame(length: usize) -> Output {
        Output::Transmit { iface: IFACE, to: None, bytes: vec![0; length] }
    }

    #[test]
    fn only_media_with_addresses_take_frames_with_one() {
        let to = Endpoint::new(&[1]);
        let addressed = Output::Transmit { iface: IFACE, to, bytes: vec![0; 9] };
        let refused = judged(Shape::Line, &[Act::Took(&addressed)]);
        assert!(reason(refused).contains("which has none"));
    }

    fn persist(ticket: u64) -> Output {
        Output::Persist { ticket: Ticket(ticket), writes: vec![] }
    }

    #[test]
    fn a_frame_may_follow_only_when_the_last_is_on_the_medium() {
        let (sent, ready) = (frame(10), Input::TxReady { iface: IFACE });
        let ready = Act::Given { now: Instant::BOOT, input: &ready };
        let sent = Act::Took(&sent);
        assert_eq!(judged(Shape::Line, &[sent, ready, sent]), Verdict::Passed);
        assert!(reason(judged(Shape::Line, &[sent, sent])).contains("not ready"));
    }

    #[test]
    fn an_interface_that_is_down_carries_nothing() {
        let (sent, down) = (frame(10), Input::Down { iface: IFACE });
        let down = Act::Given { now: Instant::BOOT, input: &down };
        assert!(reason(judged(Shape::Line, &[down, Act::Took(&sent)])).contains("is down"));
        let sense = Output::Sense { iface: IFACE };
        assert!(reason(judged_bare(&[down, Act::Took(&sense)])).contains("cannot listen"));
    }

    #[test]
    fn a_frame_is_no_longer_than_its_medium_takes_and_never_empty() {
        assert_eq!(judged(Shape::Line, &[Act::Took(&frame(1_064))]), Verdict::Passed);
        assert!(reason(judged(Shape::Line, &[Act::Took(&frame(1_065))])).contains("1065 bytes"));
        assert!(reason(judged(Shape::Line, &[Act::Took(&frame(0))])).contains("0 bytes"));
    }

    #[test]
    fn a_radio_listens_before_each_frame() {
        let (sent, clear) = (frame(10), Input::ChannelClear { iface: IFACE });
        let busy = Input::ChannelBusy { iface: IFACE };
        let [clear, busy] = [&clear, &busy].map(|input| Act::Given { now: Instant::BOOT, input });
        let sent = Act::Took(&sent);
        assert_eq!(judged_bare(&[clear, sent]), Verdict::Passed);
        assert!(reason(judged_bare(&[sent])).contains("without listening"));
        assert!(reason(judged_bare(&[clear, busy, sent])).contains("without listening"));
    }

    #[test]
    fn tickets_are_consecutive_within_one_incarnation() {
        let [five, six, eight] = [5, 6, 8].map(persist);
        let (booted, snapshot) = (crate::observation::Provenance::Kept, nexus_machine::Snapshot::empty());
        let boot = Act::Booted { snapshot: &snapshot, disk: booted };
        let take = Act::Took;
        assert_eq!(judged(Shape::Line, &[take(&five), take(&six), boot, take(&eight)]), Verdict::Passed);
        assert!(reason(judged(Shape::Line, &[take(&six), take(&eight)])).contains("follows"));
        assert!(reason(judged(Shape::Line, &[take(&five), take(&five)])).contains("follows"));
        assert!(reason(judged(Shape::Line, &[Act::Durable(Ticket(1))])).contains("never written"));
    }

    #[test]
    fn a_handled_timeout_moves_on_and_an_early_one_does_nothing() {
        let now = Instant::from_micros(100);
        let (past, ahead, later) =
            (Instant::from_micros(90), Instant::from_micros(110), Instant::from_micros(120));
        let woken = |due| Act::Woken { now, due: Some(due) };
        let rested = |due| Act::Rested { now, due: Some(due) };
        let output = Output::Sense { iface: IFACE };
        let took = Act::Took(&output);
        assert_eq!(judged_bare(&[woken(past), took, rested(ahead)]), Verdict::Passed);
        assert!(reason(judged_bare(&[woken(past), rested(past)])).contains("still"));
        assert_eq!(judged_bare(&[woken(ahead), rested(ahead), took]), Verdict::Passed);
        assert!(reason(judged_bare(&[woken(ahead), rested(later)])).contains("moved"));
        assert!(reason(judged_bare(&[woken(ahead), took])).contains("answered"));
    }
}
