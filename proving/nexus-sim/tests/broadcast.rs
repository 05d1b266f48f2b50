//! Linked nodes on one radio channel: what they broadcast, and what others make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use nexus_crypto::DestinationHash;
use nexus_machine::Duration;
use nexus_network::{Opened, Tapping};
use nexus_node::{Event, Input, Node, Output};
use nexus_sim::clock::WorldTime;
use nexus_sim::judge::Bench;
use nexus_sim::layout::{Shape, Speech};
use nexus_sim::observation::{Act, MediumIndex, NodeIndex, Observation, Observer, What};
use nexus_sim::schedule::{Action, LinkFaults};
use nexus_sim::swarm::{run_judged, seed};
use nexus_sim::world::{self, Scenario};
use nexus_wire::nexus::frame::{BroadcastKeyId, FrameKind, Head, KeyName, SealedHeader, SessionId};
use nexus_wire::nexus::message::{MessageKind, Messages};
use nexus_wire::nexus::recording::Direction;
use nexus_wire::nexus::traffic;
use nexus_wire::reticulum::{Announce, Packet};

const RADIO: MediumIndex = MediumIndex(0);
const NODES: u32 = 6;
const HOUR: Duration = Duration::from_secs(3_600);
/// Where a broadcast names its key.
const KEY_NAME: Range<usize> = 1..3;
/// Until then nodes cannot know who is on a channel on which all start.
const CHANNEL_IS_NEW: WorldTime = WorldTime::from_start(Duration::from_secs(20 * 60));
/// What leaves a radio was decided on before it listened for its turn: so long before, at most.
const CONTENTION: Duration = Duration::from_secs(1);
/// Half an hour after it did first, each node announces itself again.
const ALL_SAID_AGAIN: Duration = Duration::from_secs(15 * 60);

#[test]
fn in_the_second_hour_each_emission_is_broadcast_once_by_a_node_and_told_over_links_to_who_is_not_known_to_have_it()
 {
    let scenario = radio(HOUR.times(2));
    let mut sayings = Sayings::of(&scenario);
    world::run::<Node>(&scenario, &mut [&mut sayings]);
    let refreshed = sayings.announced_since(WorldTime::from_start(HOUR));
    assert!(refreshed.len() >= 10, "two refreshes of most: {}", refreshed.len());
    for emission in refreshed {
        let objections = sayings.objections(&emission);
        assert!(
            objections.is_empty(),
            "{emission:?}: {objections:#?}\n{:#?}",
            sayings.of_emission(&emission)
        );
    }
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
            // Under a name that nobody gave, while the channel is new to all, it is noise that takes time of the channel, and is counted as that
            // (`spec/network.md#announce-budget`).
            let is_of_stranger = KEY_NAME.contains(&at) && sent.at < CHANNEL_IS_NEW;
            // Back to its sender too, as it was and changed, before it comes again from nobody.
            for (later_s, bytes) in [(20, sent.bytes.clone()), (21, changed), (600, sent.bytes.clone())] {
                // Whoever missed a frame, or had no key for it yet, hears it from the stranger as it was written, and may answer.
                let missed = !air.heard.contains(&(to, bytes.clone())) || sent.at < keys_are_given;
                if bytes == sent.bytes && sent.node != to && missed {
                    continue;
                }
                if bytes != sent.bytes && is_of_stranger {
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

/// What it makes up counts as taken of the channel, as it would if it were on the air, for no more than 6 % of ten minutes, and only while nodes
/// cannot know who speaks there.
#[test]
fn a_stranger_that_makes_up_frames_while_all_start_silences_nobody() {
    let many = 20;
    let calm = crowd(21, many, HOUR);
    let beside_stranger = |seconds: Range<u64>| {
        let mut scenario = calm.clone();
        for (number, at_s) in (1..).zip(seconds.step_by(5)) {
            // Broadcasts, and what could be an announce over a link of two others.
            let keys = [
                KeyName::Broadcast(BroadcastKeyId(number)),
                KeyName::Session(SessionId::new(number).unwrap()),
            ];
            for key in keys {
                let bytes = [&SealedHeader { key, counter: 0 }.to_bytes()[..], &[7; 248]].concat();
                let at = WorldTime::from_start(Duration::from_secs(at_s));
                let inject = |to| (at, Action::Inject { medium: RADIO, to, bytes: bytes.clone() });
                scenario.schedule.extend((0..many).map(NodeIndex).map(inject));
            }
        }
        scenario
    };
    let [alone, beside, late] =
        [calm.clone(), beside_stranger(0..1_200), beside_stranger(1_260..3_600)].map(|scenario| {
            let mut air = Air::default();
            let run = world::run::<Node>(&scenario, &mut [&mut air]);
            (run.frames, air.reached)
        });
    assert_ne!(alone.0, beside.0, "it was heard");
    assert_eq!(alone.0, late.0, "it changes nothing of a channel that is known");
    let known = |reached: &BTreeMap<_, _>, by| reached.values().filter(|at| **at <= by).count();
    let [alone, beside] = [alone.1, beside.1]
        .map(|reached| [CHANNEL_IS_NEW, CHANNEL_IS_NEW.after(ALL_SAID_AGAIN)].map(|by| known(&reached, by)));
    let pairs = usize::try_from(many * (many - 1)).unwrap();
    println!(
        "after 20 and 35 minutes {alone:?} of {pairs} pairs know of each other, beside the stranger {beside:?}"
    );
    assert_eq!([alone[1], beside[1]], [pairs; 2], "once each announced itself again");
    assert!(beside[0] * 5 >= alone[0] * 4, "{beside:?} of {pairs}, without it {alone:?}");
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
    crowd(number, NODES, length)
}

fn crowd(number: u64, nodes: u32, length: Duration) -> Scenario {
    let seed = seed(number);
    let layout = Shape::Segment.layout(nodes, &seed).speaking(Speech::NEXUS, &seed);
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
            Output::Event(_) | Output::Sense { .. } | Output::Persist { .. } => {}
        }
    }
}

/// A destination, and when it announced itself.
type Emission = (DestinationHash, u64);

/// An announce that a node said, or heard said.
#[derive(Clone, Copy, Debug)]
struct Saying {
    at: WorldTime,
    node: NodeIndex,
    direction: Direction,
    /// The other end of the link, or whose broadcast it was; none of this node's own broadcast.
    other: Option<NodeIndex>,
    way: Way,
    emission: Emission,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Broadcast,
    Link,
}

/// Every announce that links and broadcasts carried, read at the taps of all nodes.
struct Sayings {
    addresses: Vec<DestinationHash>,
    said: Vec<Saying>,
}

impl Sayings {
    fn of(scenario: &Scenario) -> Self {
        Self { addresses: scenario.addresses::<Node>(), said: Vec::new() }
    }

    fn node_of(&self, destination: &DestinationHash) -> NodeIndex {
        let place = self.addresses.iter().position(|address| address == destination);
        NodeIndex(u32::try_from(place.expect("one of the world's nodes")).expect("few nodes"))
    }

    /// What nodes said first of themselves after an instant.
    fn announced_since(&self, since: WorldTime) -> BTreeSet<Emission> {
        let own = |saying: &&Saying| {
            saying.direction == Direction::Sent && self.node_of(&saying.emission.0) == saying.node
        };
        let (earlier, later): (Vec<&Saying>, _) =
            self.said.iter().filter(own).partition(|saying| saying.at <= since);
        let earlier: BTreeSet<Emission> = earlier.iter().map(|saying| saying.emission).collect();
        later
            .into_iter()
            .map(|saying| saying.emission)
            .filter(|emission| !earlier.contains(emission))
            .collect()
    }

    fn of_emission(&self, emission: &Emission) -> Vec<Saying> {
        self.said.iter().filter(|saying| saying.emission == *emission).copied().collect()
    }

    /// What should not be in what was said of an emission.
    fn objections(&self, emission: &Emission) -> Vec<String> {
        let all = self.of_emission(emission);
        let source = self.node_of(&emission.0);
        let sent = |way: Way| {
            all.iter().filter(move |saying| saying.direction == Direction::Sent && saying.way == way)
        };
        let mut objections = Vec::new();
        for node in (0..NODES).map(NodeIndex) {
            let times: Vec<WorldTime> =
                sent(Way::Broadcast).filter(|saying| saying.node == node).map(|saying| saying.at).collect();
            // What collides is heard by nobody, and so passed on by nobody: it is said again, once.
            let was_heard = |first: WorldTime, second: WorldTime| {
                let by = |saying: &&Saying| saying.other == Some(node) && saying.way == Way::Broadcast;
                all.iter().filter(by).any(|saying| first <= saying.at && saying.at <= second)
            };
            match times[..] {
                [] | [_] => {}
                [first, second] if !was_heard(first, second) => {}
                _ => objections.push(format!("{node:?} broadcast it {} times", times.len())),
            }
            if node == source && times.is_empty() {
                objections.push("its source did not broadcast it".to_owned());
            }
            let hears = |saying: &&Saying| saying.node == node && saying.direction == Direction::Received;
            if node != source && !all.iter().any(|saying| hears(&saying)) {
                objections.push(format!("{node:?} never heard it"));
            }
        }
        let mut told = BTreeSet::new();
        for saying in sent(Way::Link) {
            let to = saying.other.expect("a link has another end");
            if !told.insert((saying.node, to)) {
                objections.push(format!("{:?} told {to:?} twice over their link", saying.node));
            }
            let is_known_to_have_it = |heard: &Saying| {
                heard.node == saying.node
                    && heard.direction == Direction::Received
                    && heard.other == Some(to)
                    && heard.at.after(CONTENTION) < saying.at
            };
            if all.iter().any(is_known_to_have_it) {
                objections.push(format!("{:?} told {to:?}, whom it had heard say it", saying.node));
            }
            let has_missed = |heard: &Saying| {
                heard.node == to && heard.direction == Direction::Received && heard.at < saying.at
            };
            let others = (0..NODES).map(NodeIndex).filter(|other| *other != saying.node && *other != to);
            let silent = others.filter(|other| {
                !all.iter().any(|heard| {
                    heard.node == saying.node
                        && heard.direction == Direction::Received
                        && heard.other == Some(*other)
                        && heard.at < saying.at
                })
            });
            // Whoever missed it is told; who has it is told by nobody but the last to pass it on, to whom one neighbour is left.
            if (to == source || all.iter().any(has_missed)) && silent.count() > 0 {
                objections.push(format!("{:?} told {to:?}, who had it", saying.node));
            }
        }
        objections
    }
}

impl Observer for Sayings {
    fn observe(&mut self, _observation: &Observation<'_>) {}

    fn wants_opened(&self) -> Tapping {
        Tapping::Open
    }

    fn opened(&mut self, at: WorldTime, node: NodeIndex, opened: &Opened) {
        let way = match opened.header.key {
            KeyName::Broadcast(_) => Way::Broadcast,
            KeyName::Session(_) => Way::Link,
        };
        let other = opened.peer.map(|peer| self.node_of(&DestinationHash::from(peer)));
        for message in Messages::new(&opened.plaintext) {
            let message = message.expect("what nodes say is well formed");
            // A frame of this radio holds an announce whole.
            assert_ne!(message.kind, MessageKind::FRAGMENT);
            if message.kind != MessageKind::ANNOUNCE {
                continue;
            }
            let announce = message.parse::<traffic::Announce<'_>>().expect("what nodes say is well formed");
            let mut packet = announce.packet.to_vec();
            // Links leave transport ids out, and set the bit that promises one.
            packet[0] &= !0x40;
            let packet = Packet::decode(&packet).expect("nodes say announces");
            let announce = Announce::from_packet(&packet).expect("nodes say announces");
            let emission = (announce.destination, announce.claim.random_hash.emitted_at());
            self.said.push(Saying { at, node, direction: opened.direction, other, way, emission });
        }
    }
}
