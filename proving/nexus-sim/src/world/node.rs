//! One node of a world: its machine, clocks, disk and ports, and how a host drives it.

use nexus_machine::{Duration, Instant, Seed, Stream};
use nexus_network::InterfaceId;
use nexus_node::{Command, Input};

use super::{Carrier, Event, PATIENCE, Scenario, World};
use crate::actor::{Actor, Birth};
use crate::clock::{ClockPlan, Monotonic, WorldTime};
use crate::disk::{Disk, Image};
use crate::observation::{Act, MediumIndex, NodeIndex, Provenance, Watching, What};

/// A node and all that belongs to it.
#[derive(Debug)]
pub(super) struct SimNode<A> {
    /// The machine while it runs.
    actor: Option<A>,
    node: NodeIndex,
    identity: [u8; 32],
    /// How often it was started before.
    pub(super) incarnation: u32,
    /// How many outputs were taken from it, in all incarnations.
    pub(super) outputs: u64,
    /// After which output it crashes, and for how long.
    pub(super) crash_after: Option<(u64, Duration)>,
    pub(super) disk: Disk,
    image: Option<Image>,
    /// What the disk holds at the next start.
    provenance: Provenance,
    clock: Monotonic,
    plan: ClockPlan,
    ports: Vec<Port>,
    /// The deadline that it stated last and when its host will act upon it.
    alarm: Option<(Instant, WorldTime)>,
    /// The last moment at which it was woken, and how often in a row.
    woken: (Instant, u32),
    /// While it is suspended: what its clock shows, and what its host will tell it then.
    asleep: Option<(Instant, Vec<Input>)>,
    /// Whether its host has no entropy, and whether it was asked for some.
    hunger: Hunger,
    random: Stream,
    disk_random: Stream,
    seed: Seed,
}

/// Whether a host has entropy to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hunger {
    Fed,
    Starved,
    /// And was asked.
    Asking,
}

/// One transmission of one node; no two are the same in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TransmissionId(u64);

#[derive(Debug)]
struct Port {
    medium: MediumIndex,
    carrier: Carrier,
    /// The frame on the medium, if it was sent since the interface came up.
    sending: Option<TransmissionId>,
}

impl<A> SimNode<A> {
    pub(super) fn new(scenario: &Scenario, node: NodeIndex) -> Self {
        let seed = scenario.seed.fork_index("node", node.0.into());
        let port = |(_, medium)| Port { medium, carrier: Carrier::Up, sending: None };
        Self {
            actor: None,
            node,
            identity: scenario.identity(node),
            incarnation: 0,
            outputs: 0,
            crash_after: None,
            disk: Disk::default(),
            image: None,
            provenance: Provenance::Kept,
            clock: Monotonic::new(WorldTime::START, Instant::BOOT, 0),
            plan: scenario.clocks[node.place()],
            ports: scenario.layout.interfaces(node).map(port).collect(),
            alarm: None,
            woken: (Instant::BOOT, 0),
            asleep: None,
            hunger: Hunger::Fed,
            random: seed.fork("host"),
            disk_random: seed.fork("disk"),
            seed,
        }
    }

    pub(super) const fn is_running(&self) -> bool {
        self.actor.is_some()
    }

    /// Whether a frame that arrives at `iface` reaches a running node.
    pub(super) fn hears(&self, iface: InterfaceId) -> bool {
        self.is_running() && self.asleep.is_none() && self.medium_if_up(iface).is_some()
    }

    pub(super) fn medium_of(&self, iface: InterfaceId) -> Option<MediumIndex> {
        self.ports.get(usize::from(iface.0)).map(|port| port.medium)
    }

    pub(super) fn medium_if_up(&self, iface: InterfaceId) -> Option<MediumIndex> {
        let port = self.ports.get(usize::from(iface.0))?;
        (port.carrier == Carrier::Up).then_some(port.medium)
    }

    /// The medium to transmit on, if the interface is up and ready; it is not ready from here on.
    pub(super) fn begin_transmission(&mut self, iface: InterfaceId) -> Option<(MediumIndex, TransmissionId)> {
        let port = self.ports.get_mut(usize::from(iface.0))?;
        if port.carrier == Carrier::Down || port.sending.is_some() {
            return None;
        }
        let id = TransmissionId(self.outputs);
        port.sending = Some(id);
        Some((port.medium, id))
    }

    /// Whether the end of a transmission makes the interface ready: not if it went down or the node crashed meanwhile.
    pub(super) fn end_transmission(&mut self, iface: InterfaceId, id: TransmissionId) -> bool {
        let port = self.ports.get_mut(usize::from(iface.0));
        port.and_then(|port| port.sending.take_if(|sending| *sending == id)).is_some()
    }

    /// No frame of the interface is under way; whether one was.
    pub(super) fn forget_transmission(&mut self, iface: InterfaceId) -> bool {
        self.ports.get_mut(usize::from(iface.0)).is_some_and(|port| port.sending.take().is_some())
    }

    /// Sets the carrier; `false` if it was so before.
    pub(super) fn set_carrier(&mut self, iface: InterfaceId, carrier: Carrier) -> bool {
        let Some(port) = self.ports.get_mut(usize::from(iface.0)) else { return false };
        if port.carrier == carrier {
            return false;
        }
        port.carrier = carrier;
        port.sending = None;
        true
    }

    pub(super) fn jump_clock(&mut self, seconds: i64) {
        if let Some(wall) = &mut self.plan.wall {
            wall.ahead_s = wall.ahead_s.saturating_add(seconds);
        }
    }

    pub(super) const fn take_image(&mut self) {
        self.image = Some(self.disk.image());
    }

    /// What the host has to give of entropy.
    pub(super) fn entropy(&mut self) -> Option<[u8; 32]> {
        if self.hunger != Hunger::Fed {
            self.hunger = Hunger::Asking;
            return None;
        }
        Some(self.random.bytes())
    }

    pub(super) const fn starve(&mut self) {
        self.hunger = Hunger::Starved;
    }

    fn boot(&mut self, now: WorldTime) -> nexus_machine::Snapshot
    where
        A: Actor,
    {
        // A monotonic clock starts anywhere: nothing may depend on where.
        let reading = Instant::from_micros(self.random.below(10_000_000));
        self.clock = Monotonic::new(now, reading, self.plan.drift_ppm);
        let snapshot = self.disk.recover();
        let seed = self.seed.fork_index("incarnation", self.incarnation.into());
        let (node, identity) = (self.node, self.identity);
        self.actor = Some(A::boot(Birth { node, identity, snapshot: snapshot.clone(), seed }));
        snapshot
    }

    fn stop(&mut self, disk: Provenance) {
        self.actor = None;
        self.alarm = None;
        self.asleep = None;
        if self.hunger == Hunger::Asking {
            self.hunger = Hunger::Starved;
        }
        self.disk.crash(&mut self.disk_random);
        self.provenance = Provenance::Kept;
        if let (Provenance::Stale, Some(image)) = (disk, self.image) {
            self.disk.restore(image);
            self.provenance = Provenance::Stale;
        }
        for port in &mut self.ports {
            port.sending = None;
        }
    }
}

impl<A: Actor> World<'_, '_, '_, A> {
    pub(super) fn boot(&mut self, node: NodeIndex) {
        let now = self.now;
        let state = self.node(node);
        if state.is_running() {
            return;
        }
        let snapshot = state.boot(now);
        let tapping = self.watch.wants_opened();
        let state = self.node(node);
        if let Some(actor) = &mut state.actor {
            actor.turn_tap(tapping);
        }
        let (incarnation, disk) = (state.incarnation, state.provenance);
        self.watch.saw(now, What::Node { node, incarnation, act: Act::Booted { snapshot: &snapshot, disk } });
        self.drain(node);
        self.tell_time(node);
        self.give(node, Input::Command(Command::Start));
        if let Some(trust) = self.trust.clone() {
            self.give(node, Input::Command(Command::Trust(trust)));
        }
        let scenario = self.scenario;
        for (iface, medium) in scenario.layout.interfaces(node) {
            let is_radio = self.with_radio(medium, node, |radios, now, port| radios.start(now, port));
            if !is_radio && self.node(node).medium_if_up(iface).is_some() {
                self.come_up(node, iface);
            }
        }
        self.arm(node);
    }

    pub(super) fn crash(&mut self, node: NodeIndex, down_for: Duration, disk: Provenance) {
        let state = self.node(node);
        if !state.is_running() {
            return;
        }
        state.stop(disk);
        let incarnation = state.incarnation;
        state.incarnation += 1;
        self.watch.saw(self.now, What::Node { node, incarnation, act: Act::Crashed });
        let scenario = self.scenario;
        for (_, medium) in scenario.layout.interfaces(node) {
            self.with_radio(medium, node, |radios, now, port| radios.stop(now, port));
        }
        self.cut_traffic_off(node);
        self.queue.push(self.now.after(down_for), Event::Boot(node));
    }

    /// Suspends a running node's machine.
    pub(super) fn sleep(&mut self, node: NodeIndex, span: Duration) {
        let (now, goes_on_at) = (self.now, self.now.after(span));
        let state = self.node(node);
        if !state.is_running() || state.asleep.is_some() {
            return;
        }
        state.asleep = Some((state.clock.reading(now), Vec::new()));
        state.alarm = None;
        let incarnation = state.incarnation;
        self.queue.push(goes_on_at, Event::GoesOn(node, incarnation));
    }

    /// A machine goes on where it was: its host reads the wall clock, and says what waited to be said.
    pub(super) fn goes_on(&mut self, node: NodeIndex) {
        let now = self.now;
        let state = self.node(node);
        let Some((reading, waiting)) = state.asleep.take() else { return };
        state.clock = Monotonic::new(now, reading, state.plan.drift_ppm);
        self.tell_time(node);
        for input in waiting {
            self.give(node, input);
        }
        self.arm(node);
    }

    /// A host has entropy again.
    pub(super) fn feed(&mut self, node: NodeIndex) {
        let state = self.node(node);
        let was = std::mem::replace(&mut state.hunger, Hunger::Fed);
        if was == Hunger::Asking
            && let Some(entropy) = state.entropy()
        {
            self.give(node, Input::Entropy(entropy));
        }
    }

    /// Tells a running node that has a wall clock what it says.
    pub(super) fn tell_time(&mut self, node: NodeIndex) {
        let now = self.now;
        if let Some(wall) = self.node(node).plan.wall {
            self.give(node, Input::WallClock { unix_s: wall.unix_s(now), error_s: wall.claimed_error_s });
        }
    }

    /// Gives a running node an input and takes what it has to say.
    pub(super) fn give(&mut self, node: NodeIndex, input: Input) {
        let at = self.now;
        let state = &mut self.nodes[node.place()];
        let Some(actor) = &mut state.actor else { return };
        if let Some((_, later)) = &mut state.asleep {
            later.push(input);
            return;
        }
        let (now, incarnation) = (state.clock.reading(at), state.incarnation);
        self.watch.saw(at, What::Node { node, incarnation, act: Act::Given { now, input: &input } });
        actor.handle(now, input);
        self.drain(node);
        self.arm(node);
    }

    /// Wakes a node at its alarm, unless the alarm was moved meanwhile.
    pub(super) fn wake_if_due(&mut self, node: NodeIndex) {
        let now = self.now;
        if self.node(node).alarm.is_some_and(|(_, at)| at == now) {
            self.node(node).alarm = None;
            self.wake(node);
            self.arm(node);
        }
    }

    /// Calls a running node's `handle_timeout`, whether anything is due or not.
    pub(super) fn wake(&mut self, node: NodeIndex) {
        let at = self.now;
        let state = &mut self.nodes[node.place()];
        let Some(actor) = &mut state.actor else { return };
        if state.asleep.is_some() {
            return;
        }
        let (now, incarnation) = (state.clock.reading(at), state.incarnation);
        let act = Act::Woken { now, due: actor.next_timeout() };
        self.watch.saw(at, What::Node { node, incarnation, act });
        actor.handle_timeout(now);
        let in_a_row = if state.woken.0 == now { state.woken.1 + 1 } else { 0 };
        state.woken = (now, in_a_row);
        if in_a_row > PATIENCE {
            self.halt(node, "wants to be woken at the same moment without end");
        }
        self.drain(node);
        let state = &mut self.nodes[node.place()];
        if let Some(actor) = &state.actor
            && state.incarnation == incarnation
        {
            let act = Act::Rested { now, due: actor.next_timeout() };
            self.watch.saw(at, What::Node { node, incarnation, act });
        }
    }

    /// Shows what a node's frames say to whoever wants to see it.
    fn show(&mut self, node: NodeIndex) {
        let actor = &mut self.nodes[node.place()].actor;
        while let Some(opened) = actor.as_mut().and_then(Actor::take_opened) {
            let observers = self.watch.observers.iter_mut();
            observers.for_each(|observer| observer.opened(self.now, node, &opened));
        }
    }

    /// Shows which paths a node holds to whoever wants to see them.
    fn show_choices(&mut self, node: NodeIndex) {
        if self.watching == Watching::Nothing {
            return;
        }
        if let Some(actor) = &self.nodes[node.place()].actor {
            let keys = actor.keys();
            self.watch.observers.iter_mut().for_each(|observer| observer.holds(self.now, node, keys));
        }
        if self.watching == Watching::Keys {
            return;
        }
        self.choices.clear();
        if let Some(actor) = &self.nodes[node.place()].actor {
            actor.choices(&mut self.choices);
            let observers = self.watch.observers.iter_mut();
            observers.for_each(|observer| observer.chose(self.now, node, &self.choices));
        }
    }

    fn drain(&mut self, node: NodeIndex) {
        self.take_outputs(node);
        self.show_choices(node);
    }

    /// Takes outputs until there are none, or until the node crashes between two of them.
    fn take_outputs(&mut self, node: NodeIndex) {
        self.show(node);
        for _ in 0..PATIENCE {
            let state = &mut self.nodes[node.place()];
            let Some(output) = state.actor.as_mut().and_then(Actor::poll_output) else { return };
            state.outputs += 1;
            let incarnation = state.incarnation;
            let fate = state.crash_after.filter(|(outputs, _)| *outputs == state.outputs);
            self.watch.saw(self.now, What::Node { node, incarnation, act: Act::Took(&output) });
            self.perform(node, output);
            if let Some((_, down_for)) = fate {
                self.crash(node, down_for, Provenance::Kept);
                return;
            }
        }
        self.halt(node, "has outputs without end");
    }

    /// Sets the alarm to the deadline that the node states.
    pub(super) fn arm(&mut self, node: NodeIndex) {
        let (now, most) = (self.now, self.scenario.wake_lag.as_micros());
        let state = &mut self.nodes[node.place()];
        let Some(actor) = &state.actor else { return };
        if state.asleep.is_some() {
            return;
        }
        let due = actor.next_timeout().filter(|due| *due < Instant::NEVER);
        if due == state.alarm.map(|(due, _)| due) {
            return;
        }
        state.alarm = due.map(|due| {
            let lag = if most == 0 { 0 } else { state.random.below(most + 1) };
            let at = state.clock.when(due).max(now).after(Duration::from_micros(lag));
            self.queue.push(at, Event::Wake(node));
            (due, at)
        });
    }
}
