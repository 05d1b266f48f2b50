//! Linked nodes on one radio channel: what they broadcast, and what others make of it.

use std::collections::{BTreeMap, BTreeSet};

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_node::{Event, Input, Node, Output};
use nexus_sim::clock::WorldTime;
use nexus_sim::judge::Bench;
use nexus_sim::layout::{Shape, Speech};
use nexus_sim::observation::{Act, MediumIndex, NodeIndex, Observation, Observer, What};
use nexus_sim::schedule::{Action, LinkFaults};
use nexus_sim::swarm::{run_judged, seed};
use nexus_sim::world::{self, Scenario};
use nexus_wire::nexus::frame::{FrameKind, Head};

const RADIO: MediumIndex = MediumIndex(0);
const NODES: u32 = 6;
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn in_the_second_hour_announces_go_by_broadcast_and_hardly_any_over_links() {
    let mut air = Air::default();
    world::run::<Node>(&radio(HOUR.times(2)), &mut [&mut air]);
    // Longer than what all nodes cost: an announce.
    let longest_costs =
        |frame: &Sent| if kind(&frame.bytes) == Some(FrameKind::BROADCAST) { 280 } else { 220 };
    let long =
        |frame: &&Sent| frame.at > WorldTime::from_start(HOUR) && frame.bytes.len() > longest_costs(frame);
    let (broadcasts, sealed): (Vec<&Sent>, Vec<&Sent>) =
        air.frames.iter().filter(long).partition(|frame| kind(&frame.bytes) == Some(FrameKind::BROADCAST));
    let announced = air.announced_since(WorldTime::from_start(HOUR));
    assert!(announced >= 10, "two refreshes of most: {announced}");
    // Each announce is broadcast once by each node at most; over links it goes to the one neighbour that the last to pass it on has to tell, and
    // to whoever missed it.
    assert!(broadcasts.len() >= announced, "{} for {announced}", broadcasts.len());
    let most = announced * usize::try_from(NODES).unwrap();
    assert!(broadcasts.len() <= most, "{} for {announced}", broadcasts.len());
    assert!(sealed.len() <= announced, "{} of {announced} announces over links", sealed.len());
}

#[test]
fn broadcasts_that_a_stranger_recorded_and_changed_are_believed_by_nobody() {
    let mut scenario = radio(HOUR);
    let mut air = Air::default();
    let undisturbed = world::run::<Node>(&scenario, &mut [&mut air]);
    let broadcasts: Vec<&Sent> =
        air.frames.iter().filter(|frame| kind(&frame.bytes) == Some(FrameKind::BROADCAST)).collect();
    assert!(broadcasts.len() >= 20, "{}", broadcasts.len());
    let keys_are_given = WorldTime::from_start(Duration::from_secs(120));
    let mut injected = 0;
    for (number, sent) in broadcasts.iter().enumerate() {
        for to in (0..NODES).map(NodeIndex) {
            let mut changed = sent.bytes.clone();
            let at = (number * 7 + to.place()) % changed.len();
            changed[at] ^= 1;
            // Back to its sender too, as it was and changed, before it comes again from nobody.
            for (later_s, bytes) in [(20, sent.bytes.clone()), (21, changed), (600, sent.bytes.clone())] {
                // Whoever missed a frame, or had no key for it yet, hears it from the stranger as it was written, and may answer.
                let missed = !air.heard.contains(&(to, bytes.clone())) || sent.at < keys_are_given;
                if bytes == sent.bytes && sent.node != to && missed {
                    continue;
                }
                let at = sent.at.after(Duration::from_secs(later_s));
                scenario.schedule.push((at, Action::Inject { medium: RADIO, to, bytes }));
                injected += 1;
            }
        }
    }
    let mut again = Air::default();
    let disturbed = world::run::<Node>(&scenario, &mut [&mut again]);
    assert!(injected >= 500, "{injected}");
    assert_eq!(again.reached, air.reached, "nobody believed anything else, or at another time");
    assert_eq!(disturbed.frames, undisturbed.frames, "{injected} frames were answered by none");
}

#[test]
fn on_a_radio_that_loses_one_frame_in_ten_all_hear_of_all_and_no_judge_objects() {
    for number in [3, 4] {
        let within = Duration::from_secs(45 * 60);
        let mut scenario = radio_of(number, HOUR.times(2));
        let loss = LinkFaults { loss_ppm: 100_000, ..LinkFaults::NONE };
        scenario.schedule.push((WorldTime::START, Action::Disturb(RADIO, loss)));
        let bench = Bench::of_safety::<Node>(&scenario);
        let mut air = Air::default();
        world::run::<Node>(&scenario, &mut [&mut air]);
        let known = air.reached.values().filter(|at| **at <= WorldTime::from_start(within)).count();
        let pairs = usize::try_from(NODES * (NODES - 1)).unwrap();
        assert_eq!(known, pairs, "seed {number}: within three quarters of an hour");
        let failures = run_judged::<Node>(&scenario, bench).failures;
        assert!(failures.is_empty(), "seed {number}: {failures:?}");
    }
}

// ───────────── helpers ─────────────

fn radio(length: Duration) -> Scenario {
    radio_of(21, length)
}

fn radio_of(number: u64, length: Duration) -> Scenario {
    let seed = seed(number);
    let layout = Shape::Segment.layout(NODES, &seed).speaking(Speech::NEXUS, &seed);
    Scenario::calm(seed, layout, length)
}

fn kind(frame: &[u8]) -> Option<FrameKind> {
    frame.first().copied().and_then(Head::from_wire).map(Head::kind)
}

struct Sent {
    node: NodeIndex,
    at: WorldTime,
    bytes: Vec<u8>,
}

/// What is on the channel, and who heard of whom first when.
#[derive(Default)]
struct Air {
    frames: Vec<Sent>,
    heard: BTreeSet<(NodeIndex, Vec<u8>)>,
    reached: BTreeMap<(NodeIndex, DestinationHash), WorldTime>,
    announced: Vec<WorldTime>,
}

impl Air {
    fn announced_since(&self, since: WorldTime) -> usize {
        self.announced.iter().filter(|at| **at > since).count()
    }
}

impl Observer for Air {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act, .. } = &observation.what else { return };
        if let Act::Given { input: Input::Frame { bytes, .. }, .. } = act {
            self.heard.insert((*node, bytes.clone()));
        }
        let Act::Took(output) = act else { return };
        match output {
            Output::Transmit { bytes, .. } => {
                self.frames.push(Sent { node: *node, at: observation.at, bytes: bytes.clone() });
            }
            Output::Event(Event::Reached { destination, .. }) => {
                self.reached.entry((*node, *destination)).or_insert(observation.at);
            }
            Output::Event(Event::Announced { .. }) => self.announced.push(observation.at),
            Output::Event(_) | Output::Sense { .. } | Output::Persist { .. } => {}
        }
    }
}
