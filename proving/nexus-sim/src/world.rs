//! The engine: nodes, clocks, disks and media driven by one queue of events.
//!
//! A node is driven exactly as its contract says: every input is followed by taking its outputs until there are none. Each
//! output is acted upon when it is taken, so a crash between any two leaves exactly what was taken before it. Nothing an
//! observer does comes back: the engine calls it and forgets it.

mod media;
mod node;
mod radio;
mod traffic;

use std::collections::BTreeSet;

use nexus_crypto::{DestinationHash, IdentitySeed, NodeIdentity, NodePublic};
use nexus_machine::{Duration, Seed, Stream};
use nexus_network::announces::Choice;
use nexus_network::{Endpoint, InterfaceId, Tapping, Timing};
use nexus_node::economy::trust::TrustConfig;
use nexus_node::{Command, Event as NodeEvent, Input, Output};

use crate::actor::Actor;
use crate::clock::{ClockPlan, WorldTime};
use crate::disk::Room;
use crate::layout::Layout;
use crate::medium::{Medium, Transmission};
use crate::modems::Said;
use crate::observation::{
    Act, Damage, Failure, MediumIndex, NodeIndex, Observation, Observer, Watching, What,
};
use crate::queue::EventQueue;
use crate::schedule::{Action, Direction, LinkFaults, Schedule};
use crate::trace::{Trace, TraceHash};
use crate::traffic::{Fate, Flow};
use crate::transceivers::listening;
use node::{SimNode, TransmissionId};

/// Everything that decides a run, besides the code.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where all randomness comes from.
    pub seed: Seed,
    /// Nodes and media.
    pub layout: Layout,
    /// The clocks, one plan per node.
    pub clocks: Vec<ClockPlan>,
    /// What is done from outside.
    pub schedule: Schedule,
    /// What applications ask of nodes.
    pub traffic: Vec<Flow>,
    /// How long a sync of a disk takes.
    pub sync_delay: Duration,
    /// The most by which hosts are late in calling `handle_timeout`.
    pub wake_lag: Duration,
    /// Nodes start at random within this time.
    pub start_spread: Duration,
    /// How long the run lasts.
    pub length: Duration,
    /// Who carries whose packets for nothing, whatever is asked.
    pub friends: Friends,
}

/// Who carries whose packets for nothing. Prices are costs of paths either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Friends {
    /// Nobody: strangers have their courtesy, and pay for more as far as they can.
    #[default]
    Nobody,
    /// Everybody whose: at each start a node is told to trust all others, of whom there are no more than it may trust.
    Everybody,
}

impl Scenario {
    /// A world without faults: exact clocks, disks that sync in 5 ms, hosts that are never late.
    #[must_use]
    pub fn calm(seed: Seed, layout: Layout, length: Duration) -> Self {
        Self {
            clocks: layout.node_indices().map(|_| ClockPlan::EXACT).collect(),
            seed,
            layout,
            schedule: Schedule::new(),
            traffic: Vec::new(),
            sync_delay: Duration::from_millis(5),
            wake_lag: Duration::ZERO,
            // Nobody switches on a whole network in the same microsecond.
            start_spread: Duration::from_secs(1),
            length,
            friends: Friends::Nobody,
        }
    }

    /// The secret from which a node's identity follows.
    #[must_use]
    pub fn identity(&self, node: NodeIndex) -> [u8; 32] {
        self.seed.fork_index("identity", node.0.into()).fork("secret").bytes()
    }

    /// Who the nodes are, in their order.
    #[must_use]
    pub fn identities(&self) -> Vec<NodePublic> {
        let secret = |node| IdentitySeed::from_bytes(self.identity(node));
        let public = |node| *NodeIdentity::from_seed(secret(node)).public();
        self.layout.node_indices().map(public).collect()
    }

    /// Whom nodes are told to trust when they start, if they are told.
    fn trust(&self) -> Option<TrustConfig> {
        let mut trust = TrustConfig::default();
        match self.friends {
            Friends::Nobody => return None,
            Friends::Everybody => {
                let ids = self.identities();
                for public in ids {
                    trust.trust(public.node_id()).expect("a world has few nodes");
                }
            }
        }
        Some(trust)
    }

    /// The addresses of all nodes, in their order.
    #[must_use]
    pub fn addresses<A: Actor>(&self) -> Vec<DestinationHash> {
        self.layout.node_indices().map(|node| A::address(&self.identity(node))).collect()
    }
}

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The hash of all observations.
    pub trace: TraceHash,
    /// How many outputs were taken from each node.
    pub outputs: Vec<u64>,
    /// How many frames were put on a medium.
    pub frames: u64,
    /// How many events the queue had.
    pub events: u64,
    /// Why the run ended before its time, if it did: a node that would not rest.
    pub halted: Option<Failure>,
}

/// Runs `scenario` from beginning to end before the eyes of `observers`.
pub fn run<A: Actor>(scenario: &Scenario, observers: &mut [&mut dyn Observer]) -> Outcome {
    let mut world = World::<A>::new(scenario, observers);
    world.run();
    Outcome {
        trace: world.watch.trace.finish(),
        outputs: world.nodes.iter().map(|node| node.outputs).collect(),
        frames: world.frames,
        events: world.events,
        halted: world.halted,
    }
}

/// What is waiting to happen.
#[derive(Debug)]
enum Event {
    Scheduled(usize),
    Boot(NodeIndex),
    Wake(NodeIndex),
    /// A node's incarnation that was suspended goes on.
    GoesOn(NodeIndex, u32),
    Synced(NodeIndex, u32),
    /// The host answers a node's incarnation.
    Answer(NodeIndex, u32, Answer),
    TransmissionEnds {
        medium: MediumIndex,
        iface: InterfaceId,
        frame: OnAir,
    },
    /// A driver that takes frames before they have left is ready for the next.
    Takes(NodeIndex, InterfaceId, TransmissionId),
    /// A flow of traffic has something to offer.
    Offers(usize),
    RadiosDue(MediumIndex),
    RadioSaid {
        medium: MediumIndex,
        port: usize,
        incarnation: u32,
        said: Said,
    },
    Arrives {
        medium: MediumIndex,
        receiver: NodeIndex,
        iface: InterfaceId,
        from: Option<Endpoint>,
        bytes: Vec<u8>,
    },
}

#[derive(Debug)]
struct OnAir {
    id: TransmissionId,
    port: usize,
    transmission: Transmission,
    to: Option<Endpoint>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Sensed(InterfaceId),
    Entropy,
}

/// The trace and whoever else watches.
struct Watch<'w, 'o> {
    trace: Trace,
    observers: &'w mut [&'o mut dyn Observer],
}

impl Watch<'_, '_> {
    fn saw(&mut self, at: WorldTime, what: What<'_>) {
        let observation = Observation { at, what };
        self.trace.observe(&observation);
        self.observers.iter_mut().for_each(|observer| observer.observe(&observation));
    }

    fn wants_opened(&self) -> Tapping {
        let any = self.observers.iter().any(|observer| observer.wants_opened() == Tapping::Open);
        if any { Tapping::Open } else { Tapping::Shut }
    }

    fn watches_routes(&self) -> Watching {
        self.observers.iter().map(|observer| observer.watches_routes()).max().unwrap_or(Watching::Nothing)
    }
}

struct World<'s, 'w, 'o, A> {
    scenario: &'s Scenario,
    now: WorldTime,
    queue: EventQueue<Event>,
    nodes: Vec<SimNode<A>>,
    media: Vec<Medium>,
    /// By medium: its radios, if it has any.
    channels: Vec<Option<radio::Channel>>,
    traffic: traffic::Traffic,
    groups: Vec<u8>,
    cuts: BTreeSet<Direction>,
    frames: u64,
    events: u64,
    halted: Option<Failure>,
    watch: Watch<'w, 'o>,
    watching: Watching,
    /// Room for what is looked at.
    choices: Vec<Choice>,
    /// Whom nodes are told to trust.
    trust: Option<TrustConfig>,
    /// How late hosts are, how long they take, what their entropy is.
    hosts: Stream,
}

/// A node that states a deadline that has passed, or has outputs without end, so often in one go will never rest.
const PATIENCE: u32 = 10_000;

impl<'s, 'w, 'o, A: Actor> World<'s, 'w, 'o, A> {
    fn new(scenario: &'s Scenario, observers: &'w mut [&'o mut dyn Observer]) -> Self {
        let nodes: Vec<_> = scenario.layout.node_indices().map(|node| SimNode::new(scenario, node)).collect();
        let medium = |(index, plan): (u64, &crate::layout::MediumPlan)| {
            let port = |node: &NodeIndex| {
                let number = u32::try_from(index).expect("fewer than 2³² media");
                let iface = scenario.layout.interfaces(*node).find(|(_, on)| on.0 == number);
                (*node, iface.expect("a node on a medium has an interface for it").0)
            };
            let ports = plan.nodes.iter().map(port).collect();
            Medium::new(plan.clone(), ports, scenario.seed.fork_index("medium", index).fork("faults"))
        };
        let media: Vec<Medium> = (0..).zip(&scenario.layout.media).map(medium).collect();
        let modems = |(index, medium): (u64, &Medium)| {
            radio::Channel::of(medium, &scenario.seed.fork_index("medium", index).fork_seed("modems"))
        };
        let watch = Watch { trace: Trace::default(), observers };
        let mut world = Self {
            scenario,
            now: WorldTime::START,
            queue: EventQueue::new(),
            traffic: traffic::Traffic::of(scenario),
            groups: vec![0; nodes.len()],
            nodes,
            channels: (0..).zip(&media).map(modems).collect(),
            media,
            cuts: BTreeSet::new(),
            frames: 0,
            events: 0,
            halted: None,
            watching: watch.watches_routes(),
            watch,
            choices: Vec::new(),
            trust: scenario.trust(),
            hosts: scenario.seed.fork("hosts"),
        };
        for (index, (at, _)) in scenario.schedule.iter().enumerate() {
            world.queue.push(*at, Event::Scheduled(index));
        }
        for node in scenario.layout.node_indices() {
            let delay = Duration::from_micros(world.hosts.below(scenario.start_spread.as_micros().max(1)));
            world.queue.push(WorldTime::START.after(delay), Event::Boot(node));
        }
        world.begin_traffic();
        world
    }

    fn run(&mut self) {
        let end = WorldTime::from_start(self.scenario.length);
        while self.halted.is_none()
            && let Some((at, event)) = self.queue.pop_until(end)
        {
            self.now = at;
            self.events += 1;
            self.step(event);
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Scheduled(index) => {
                let scenario = self.scenario;
                let (_, action) = &scenario.schedule[index];
                self.watch.saw(self.now, What::Scheduled(action));
                self.act(action);
            }
            Event::Boot(node) => self.boot(node),
            Event::Wake(node) => self.wake_if_due(node),
            Event::Synced(node, incarnation) if self.is_alive(node, incarnation) => self.synced(node),
            Event::Answer(node, incarnation, answer) if self.is_alive(node, incarnation) => {
                self.answer(node, answer);
            }
            Event::GoesOn(node, incarnation) if self.is_alive(node, incarnation) => self.goes_on(node),
            Event::Synced(..) | Event::Answer(..) | Event::GoesOn(..) => {}
            Event::TransmissionEnds { medium, iface, frame } => self.transmission_ends(medium, iface, &frame),
            Event::Takes(node, iface, id) => self.takes(node, iface, id),
            Event::Offers(flow) => self.offers(flow),
            Event::RadiosDue(medium) => self.radios_due(medium),
            Event::RadioSaid { medium, port, incarnation, said } => {
                self.radio_said(medium, port, incarnation, said);
            }
            Event::Arrives { medium, receiver, iface, from, bytes } => {
                if self.node(receiver).hears(iface) {
                    self.give(receiver, Input::Frame { iface, from, bytes });
                } else {
                    self.mar(medium, receiver, Damage::Unheard);
                }
            }
        }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Disturb(medium, faults) => {
                self.media[medium.place()].faults = *faults;
                self.disturb_radios(*medium);
            }
            Action::Partition(groups) => {
                self.groups.clone_from(groups);
                self.rehear();
            }
            Action::Heal => {
                self.groups.fill(0);
                self.rehear();
            }
            Action::Cut(direction) => {
                self.cuts.insert(*direction);
                self.rehear();
            }
            Action::Mend(direction) => {
                self.cuts.remove(direction);
                self.rehear();
            }
            Action::Crash { node, down_for, disk } => self.crash(*node, *down_for, *disk),
            Action::CrashAfter { node, outputs, down_for } => {
                self.node(*node).crash_after = Some((*outputs, *down_for));
            }
            Action::InterfaceDown(node, iface) => self.set_interface(*node, *iface, Carrier::Down),
            Action::InterfaceUp(node, iface) => self.set_interface(*node, *iface, Carrier::Up),
            Action::ClockJump(node, seconds) => {
                self.node(*node).jump_clock(*seconds);
                self.tell_time(*node);
            }
            Action::Sleep(node, span) => self.sleep(*node, *span),
            Action::Starve(node) => self.node(*node).starve(),
            Action::Feed(node) => self.feed(*node),
            Action::FillDisk(node) => self.node(*node).disk.set_room(Room::Full),
            Action::FreeDisk(node) => self.free_disk(*node),
            Action::TakeImage(node) => self.node(*node).take_image(),
            Action::WakeEarly(node) => {
                self.wake(*node);
                self.arm(*node);
            }
            Action::Tell(node, command) => {
                if let Command::Price { iface, price } = command {
                    self.set_price(*node, *iface, *price);
                }
                self.give(*node, Input::Command(command.clone()));
            }
            Action::MoveAddress(medium, node) => self.media[medium.place()].move_address(*node),
            Action::Inject { medium, to, bytes } => self.inject(*medium, *to, bytes),
            Action::Calm => self.calm(),
        }
    }

    fn calm(&mut self) {
        for index in (0..).map(MediumIndex).take(self.media.len()) {
            self.media[index.place()].faults = LinkFaults::NONE;
            self.disturb_radios(index);
        }
        self.groups.fill(0);
        self.cuts.clear();
        self.rehear();
        for node in self.scenario.layout.node_indices() {
            self.node(node).crash_after = None;
            self.free_disk(node);
            self.feed(node);
            for (iface, _) in self.scenario.layout.interfaces(node) {
                self.set_interface(node, iface, Carrier::Up);
            }
        }
    }

    // What a node asks of its host.

    fn perform(&mut self, node: NodeIndex, output: Output) {
        let incarnation = self.node(node).incarnation;
        match output {
            Output::Transmit { iface, to, bytes } => self.transmit(node, iface, to, bytes),
            Output::Sense { iface } => {
                let answer = Event::Answer(node, incarnation, Answer::Sensed(iface));
                let profile = self.node(node).medium_of(iface).map(|on| self.media[on.place()].plan.profile);
                let takes = match profile.map(|profile| profile.timing) {
                    Some(Timing::LoRa(modulation)) => listening(modulation),
                    Some(Timing::Rate) | None => Duration::ZERO,
                };
                self.queue.push(self.now.after(takes), answer);
            }
            Output::Persist { ticket, writes } => {
                self.node(node).disk.append(ticket, &writes);
                self.sync(node);
            }
            Output::Event(NodeEvent::EntropyWanted) => {
                self.queue.push(self.now, Event::Answer(node, incarnation, Answer::Entropy));
            }
            Output::Event(
                NodeEvent::Reached { .. }
                | NodeEvent::Announced { .. }
                | NodeEvent::ChannelJammed { .. }
                | NodeEvent::PathFound { .. }
                | NodeEvent::PathNotFound { .. }
                | NodeEvent::ClocksParted { .. }
                | NodeEvent::Endpoint(_)
                | NodeEvent::Ledger(_)
                | NodeEvent::Lxmf(_)
                | NodeEvent::Economy(_)
                | NodeEvent::LinkUp(_)
                | NodeEvent::LinkDown { .. }
                | NodeEvent::MessageArrived(_)
                | NodeEvent::Attempted { .. },
            ) => {}
            Output::Event(NodeEvent::Delivered { handle, .. } | NodeEvent::Traced { handle, .. }) => {
                self.came_to_an_end(handle, Fate::Arrived);
            }
            Output::Event(NodeEvent::Undelivered { handle, .. }) => self.came_to_an_end(handle, Fate::Lost),
        }
    }

    fn answer(&mut self, node: NodeIndex, answer: Answer) {
        match answer {
            Answer::Entropy => {
                if let Some(entropy) = self.node(node).entropy() {
                    self.give(node, Input::Entropy(entropy));
                }
            }
            Answer::Sensed(iface) => {
                // An interface that went down meanwhile has no channel to report on.
                let Some(medium) = self.node(node).medium_if_up(iface) else { return };
                let mut busy = false;
                self.with_radio(medium, node, |radios, now, port| busy = radios.is_busy(now, port));
                let answer = if busy { Input::ChannelBusy { iface } } else { Input::ChannelClear { iface } };
                self.give(node, answer);
            }
        }
    }

    // Disks.

    fn sync(&mut self, node: NodeIndex) {
        let state = self.node(node);
        let incarnation = state.incarnation;
        if state.disk.begin_sync() {
            let done = self.now.after(self.scenario.sync_delay);
            self.queue.push(done, Event::Synced(node, incarnation));
        }
    }

    fn synced(&mut self, node: NodeIndex) {
        let state = self.node(node);
        let incarnation = state.incarnation;
        // A sync that the full disk swallowed has no end.
        let Some(through) = state.disk.finish_sync() else { return };
        self.watch.saw(self.now, What::Node { node, incarnation, act: Act::Durable(through) });
        self.sync(node);
        self.give(node, Input::Persisted { through });
    }

    fn free_disk(&mut self, node: NodeIndex) {
        self.node(node).disk.set_room(Room::Free);
        if self.node(node).is_running() {
            self.sync(node);
        }
    }

    fn is_alive(&mut self, node: NodeIndex, incarnation: u32) -> bool {
        let state = self.node(node);
        state.is_running() && state.incarnation == incarnation
    }

    fn node(&mut self, node: NodeIndex) -> &mut SimNode<A> {
        &mut self.nodes[node.place()]
    }

    fn halt(&mut self, node: NodeIndex, what: &str) {
        let reason = format!("node {} {what}", node.0);
        self.halted.get_or_insert(Failure { at: self.now, reason });
    }
}

/// Whether an interface has a medium behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Carrier {
    Up,
    Down,
}
