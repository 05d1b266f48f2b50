//! Transport and identity, as far as links go: measured on worlds of real nodes.

use std::collections::{BTreeMap, BTreeSet};

use nexus_crypto::NodeId;
use nexus_machine::{Duration, Seed, Stream};
use nexus_network::{InterfaceId, LinkId, Policy, Reach};
use nexus_node::{Command, Event, Node, Output};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::frame::{BeaconTag, First, FrameKind, Head, LinkVersion, SessionId};

use super::{Measurement, verdict};
use crate::clock::WorldTime;
use crate::errands;
use crate::judge::Bench;
use crate::judge::secrecy::Secrecy;
use crate::layout::{Layout, Shape, Speech};
use crate::medium::endpoint;
use crate::observation::{Act, Judge, MediumIndex, NodeIndex, Observation, Observer, Verdict, What};
use crate::schedule::Action;
use crate::swarm;
use crate::world::{self, Scenario};

const HOUR: Duration = Duration::from_secs(3_600);

/// Four nodes: two on a local network, two on another, a cable between the networks.
pub(super) fn established() -> Measurement {
    let scenario = scenario(four(), HOUR);
    let mut links = Links::of(&scenario);
    let passed = passes(&scenario, &mut links);
    let both = links.live.iter().filter(|(node, _, peer)| links.mutual(*node, *peer)).count();
    let kinds: BTreeSet<&str> = links
        .live
        .iter()
        .filter_map(|(node, iface, _)| {
            let (_, medium) = scenario.layout.interfaces(*node).find(|(own, _)| own == iface)?;
            Some(kind(scenario.layout.media[medium.place()].profile.reach))
        })
        .collect();
    let named = kinds.iter().copied().collect::<Vec<_>>().join(" and ");
    let measured = format!("{both} of 6 links, over {named}");
    verdict(measured, both == 6 && links.live.len() == 6 && kinds.len() == 2 && passed)
}

/// What a medium is called in a measurement.
const fn kind(reach: Reach) -> &'static str {
    match reach {
        Reach::PointToPoint => "a cable",
        Reach::Addressed => "a local network",
        Reach::Shared => "a radio channel",
    }
}

/// Three nodes, the first and the last not neighbours: 200 messages each way through the one between.
pub(super) fn forwarded() -> Measurement {
    let mut mail = Mail::default();
    let passed = passes(&correspondence(), &mut mail);
    let [there, back] = [NodeIndex(0), NodeIndex(2)].map(|node| mail.delivered_of(node));
    let measured =
        format!("{there} of {MESSAGES} delivered from a cable to a local network, {back} of {MESSAGES} back");
    verdict(measured, there == MESSAGES && back == MESSAGES && passed)
}

/// The same three nodes, every frame searched for every run of eight bytes of what was written, and of what names a node.
pub(super) fn unreadable() -> Measurement {
    let scenario = correspondence();
    let mut mail = Mail::default();
    let mut secrecy = Secrecy::new(&scenario.identities());
    world::run::<Node>(&scenario, &mut [&mut mail, &mut secrecy]);
    let delivered = mail.delivered.len();
    let (sent, clear) = (2 * MESSAGES, secrecy.verdict() != Verdict::Passed);
    let found = if clear { "something" } else { "nothing" };
    let searched = secrecy.searched();
    let measured =
        format!("{found} readable in {searched} frames, with {delivered} of {sent} messages delivered");
    verdict(measured, !clear && searched > 0 && delivered == sent)
}

/// A local network of four, one of whom the others exclude; a stranger who sends first messages, garbage and what looks like
/// frames of links; and each of the three told to link with the next as if that were somebody else: whoever answers there is
/// not told who asks.
pub(super) fn strangers_rejected() -> Measurement {
    let mut scenario = scenario(network(4), HOUR);
    let outsider = NodeIndex(3);
    let ids = ids(&scenario);
    let excluded = Policy::AllBut(BTreeSet::from([ids[outsider.place()]]));
    let (told, up) = (second(2), second(3));
    for node in scenario.layout.node_indices() {
        // The policy is known before anybody is heard.
        scenario.schedule.push((WorldTime::START, Action::InterfaceDown(node, InterfaceId(0))));
        if node != outsider {
            scenario.schedule.push((told, Action::Tell(node, Command::Policy(excluded.clone()))));
        }
        scenario.schedule.push((up, Action::InterfaceUp(node, InterfaceId(0))));
    }
    for (node, impostor) in IMPOSTORS {
        let (iface, to) = (InterfaceId(0), endpoint(impostor, 0));
        let dial = Command::Dial { iface, to, expected: Some(ids[outsider.place()]) };
        scenario.schedule.push((told, Action::Tell(node, dial)));
    }
    let mut random = scenario.seed.fork("stranger");
    let strange: Vec<_> = (0..3_000).map(|number| stranger(number, MediumIndex(0), &mut random)).collect();
    let frames = strange.len();
    scenario.schedule.extend(strange);

    let mut links = Links::of(&scenario);
    let mut impostors = Impostors::default();
    let passed = passes(&scenario, &mut Both(&mut links, &mut impostors));
    let with_outsider =
        links.ever.iter().filter(|(node, _, peer)| *node == outsider || *peer == outsider).count();
    let among = links.live.iter().filter(|(node, _, peer)| links.mutual(*node, *peer)).count();
    let measured = format!(
        "{with_outsider} links with the excluded node, {} with nobody known, after {frames} strange frames; \
         {} handshakes begun with a wrong identity, {} finished; {among} of 6 links among the others",
        links.unknown, impostors.begun, impostors.finished
    );
    let rejected = with_outsider == 0 && links.unknown == 0 && impostors.begun > 0 && impostors.finished == 0;
    verdict(measured, rejected && among == 6 && passed)
}

/// Who dials whom, taking it for another.
const IMPOSTORS: [(NodeIndex, NodeIndex); 3] =
    [(NodeIndex(0), NodeIndex(1)), (NodeIndex(1), NodeIndex(2)), (NodeIndex(2), NodeIndex(0))];

pub(super) const MESSAGES: usize = 200;

/// A first message, garbage, or garbage under the head of one of the kinds of frame, for a node other than the outsider.
pub(super) fn stranger(number: u64, medium: MediumIndex, random: &mut Stream) -> (WorldTime, Action) {
    let to = NodeIndex(u32::try_from(random.below(3)).expect("one of three"));
    let noise: [u8; 120] = random.bytes();
    let length = usize::try_from(random.below(120)).expect("a short length");
    let bytes = match random.below(3) {
        0 => {
            let ephemeral = random.bytes();
            let session = SessionId::new(1 + u16::try_from(random.below(65_535)).expect("a u16"));
            let first = First {
                session: session.expect("not zero"),
                target: BeaconTag::ANYBODY,
                ephemeral: &ephemeral,
                cookie: None,
            };
            first.encode(&mut [0; First::LEN]).expect("it fits").to_vec()
        }
        1 => noise[..length].to_vec(),
        _ => {
            let kind = FrameKind(u8::try_from(random.below(16)).expect("a kind"));
            let head = Head::new(LinkVersion::ONE, kind).to_wire();
            [&[head][..], &noise[..length]].concat()
        }
    };
    (second(60 + number), Action::Inject { medium, to, bytes })
}

/// 200 messages each way between the ends of a line over two kinds of medium.
fn correspondence() -> Scenario {
    let mut scenario = scenario(three(), HOUR);
    let ids = ids(&scenario);
    let mut random = scenario.seed.fork("letters");
    for number in 0..MESSAGES {
        let number = u64::try_from(number).expect("a small number");
        for (node, to) in [(0, 2), (2, 0)] {
            let letter = errands::message(number, ids[to], Duration::from_secs(600), &mut random);
            scenario.schedule.push((second(600 + 5 * number), Action::Tell(NodeIndex(node), letter)));
        }
    }
    scenario
}

pub(super) fn ids(scenario: &Scenario) -> Vec<NodeId> {
    scenario.identities().iter().map(nexus_crypto::NodePublic::node_id).collect()
}

fn scenario(layout: Layout, length: Duration) -> Scenario {
    Scenario::calm(swarm::seed(11), layout, length)
}

/// Two local networks of two with a cable between.
fn four() -> Layout {
    let [cable, lan] = media();
    let mut media = vec![cable, lan.clone(), lan];
    for (medium, nodes) in media.iter_mut().zip([[1, 2], [0, 1], [2, 3]]) {
        medium.nodes = nodes.map(NodeIndex).to_vec();
    }
    // Each network has one link, and so has the cable: two directions each.
    Layout { nodes: 4, media }
}

/// A cable, then a local network.
fn three() -> Layout {
    let mut media = media();
    for (medium, nodes) in media.iter_mut().zip([[0, 1], [1, 2]]) {
        medium.nodes = nodes.map(NodeIndex).to_vec();
    }
    Layout { nodes: 3, media: media.to_vec() }
}

/// A local network of `nodes`.
fn network(nodes: u32) -> Layout {
    let [_, mut lan] = media();
    lan.nodes = (0..nodes).map(NodeIndex).collect();
    Layout { nodes, media: vec![lan] }
}

/// A cable and a local network that speak links.
fn media() -> [crate::layout::MediumPlan; 2] {
    let seed = Seed::new([0; 32]);
    let mut media = Shape::Mixed.layout(6, &seed).speaking(Speech::NEXUS, &seed).media.into_iter();
    let mut next = || media.next().expect("a mixed world has a cable, then a local network");
    [next(), next()]
}

pub(super) fn second(seconds: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(seconds))
}

/// Whether the judges of safety agree with the run that `observer` watches.
pub(super) fn passes(scenario: &Scenario, observer: &mut dyn Observer) -> bool {
    let mut bench = Bench::of_safety::<Node>(scenario);
    let mut observers = bench.observers();
    observers.push(observer);
    let outcome = world::run::<Node>(scenario, &mut observers);
    bench.failures().is_empty() && outcome.halted.is_none()
}

/// Who has a link with whom, and who ever had one.
#[derive(Debug)]
pub(super) struct Links {
    nodes: BTreeMap<NodeId, NodeIndex>,
    names: BTreeMap<(NodeIndex, LinkId), (InterfaceId, NodeIndex)>,
    pub(super) live: BTreeSet<(NodeIndex, InterfaceId, NodeIndex)>,
    pub(super) ever: BTreeSet<(NodeIndex, InterfaceId, NodeIndex)>,
    /// Links with identities that no node of the world has.
    pub(super) unknown: u32,
}

impl Links {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let nodes = ids(scenario).into_iter().zip((0..).map(NodeIndex)).collect();
        let (names, live, ever) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { nodes, names, live, ever, unknown: 0 }
    }

    pub(super) fn mutual(&self, node: NodeIndex, peer: NodeIndex) -> bool {
        self.live.iter().any(|(from, _, to)| *from == peer && *to == node)
    }
}

impl Observer for Links {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act: Act::Took(Output::Event(event)), .. } = &observation.what else { return };
        match event {
            Event::LinkUp(link) => {
                let Some(peer) = self.nodes.get(&link.peer.node_id()) else {
                    self.unknown += 1;
                    return;
                };
                self.names.insert((*node, link.id), (link.iface, *peer));
                self.live.insert((*node, link.iface, *peer));
                self.ever.insert((*node, link.iface, *peer));
            }
            Event::LinkDown { last, .. } => {
                if let Some((iface, peer)) = self.names.remove(&(*node, last.id))
                    && !self.names.iter().any(|((n, _), link)| n == node && *link == (iface, peer))
                {
                    self.live.remove(&(*node, iface, peer));
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
            | Event::Undelivered { .. } => {}
        }
    }
}

/// First and third messages to those who are taken for another. The third says who asks.
#[derive(Debug, Default)]
struct Impostors {
    begun: u32,
    finished: u32,
}

impl Observer for Impostors {
    fn observe(&mut self, observation: &Observation<'_>) {
        let What::Node { node, act: Act::Took(Output::Transmit { to: Some(to), bytes, .. }), .. } =
            &observation.what
        else {
            return;
        };
        let is_impostor = IMPOSTORS.iter().any(|(from, other)| from == node && endpoint(*other, 0) == *to);
        let kind = bytes.first().and_then(|head| Head::from_wire(*head)).map(Head::kind);
        if is_impostor {
            self.begun += u32::from(kind == Some(FrameKind::FIRST));
            self.finished += u32::from(kind == Some(FrameKind::FINISH));
        }
    }
}

/// Two who watch the same run.
pub(super) struct Both<'a>(pub(super) &'a mut dyn Observer, pub(super) &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn observe(&mut self, observation: &Observation<'_>) {
        self.0.observe(observation);
        self.1.observe(observation);
    }
}

/// Which messages were delivered, by sender and handle.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) delivered: BTreeSet<(NodeIndex, u64)>,
}

impl Mail {
    pub(super) fn delivered_of(&self, node: NodeIndex) -> usize {
        self.delivered.iter().filter(|(sender, _)| *sender == node).count()
    }
}

impl Observer for Mail {
    fn observe(&mut self, observation: &Observation<'_>) {
        if let What::Node { node, act: Act::Took(Output::Event(Event::Delivered { handle, .. })), .. } =
            &observation.what
        {
            self.delivered.insert((*node, *handle));
        }
    }
}
