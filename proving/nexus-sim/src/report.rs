//! What came of a world of applications: who got what, how late, for how much airtime, and what was lost where.
//!
//! Everything is counted from outside, from what nodes were told and what they said, and never from what they count themselves.
//! Spec: spec/simulation.md#reports.

use std::collections::BTreeMap;

use nexus_machine::Duration;
use nexus_node::{Command, Content, Event, Input, Node, Output, Undelivered};

use crate::clock::WorldTime;
use crate::expectation::Watched;
use crate::judge::budget::Budget;
use crate::observation::{Act, Damage, MediumIndex, NodeIndex, Observation, Observer, What};
use crate::traffic::Parcel;
use crate::world::{self, Scenario};
use crate::worldfile::Prepared;

mod printed;

pub use printed::{FlowReport, MediumReport, NodeReport, Report};

/// Runs a world file before those whom it wants to watch, and tells what came of it.
#[must_use]
pub fn run(prepared: &Prepared) -> Report {
    run_before(prepared, None::<&mut Ledger>)
}

/// The same, before somebody else too.
#[must_use]
pub fn run_before(prepared: &Prepared, also: Option<&mut impl Observer>) -> Report {
    let scenario = &prepared.scenario;
    let mut bench = prepared.expectation.bench::<Node>(scenario);
    let mut ledger = Ledger::of(scenario);
    let mut budget = Budget::new(&scenario.layout);
    let outcome = {
        let mut observers = bench.observers();
        observers.push(&mut ledger);
        observers.push(&mut budget);
        observers.extend(also.map(|also| also as &mut dyn Observer));
        world::run::<Node>(scenario, &mut observers)
    };
    let mut failures = bench.failures();
    if prepared.expectation.watched == Watched::ByJudgesOfSafety {
        failures.extend(budget.failure());
    }
    Report::new(prepared, &ledger, budget.meter(), &outcome, &failures)
}

/// An observer that keeps the accounts.
#[derive(Debug)]
pub struct Ledger {
    flows: Vec<FlowAccount>,
    nodes: Vec<NodeAccount>,
    media: Vec<MediumAccount>,
    /// By node: its media, by interface.
    interfaces: Vec<Vec<MediumIndex>>,
    /// What was offered and not shown yet: when it was, and how long it is.
    offered: BTreeMap<Parcel, (WorldTime, u64)>,
}

/// What became of a flow.
#[derive(Clone, Debug, Default)]
pub struct FlowAccount {
    /// What nodes were asked to send.
    pub offered: Volume,
    /// What was shown to its recipient, each text once.
    pub shown: Volume,
    /// What its sender reported as delivered.
    pub receipts: u64,
    /// From being offered to being shown.
    pub latencies: Vec<Duration>,
    /// What its sender gave up.
    pub given_up: GivenUp,
}

/// A number of texts, and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Volume {
    /// How many.
    pub texts: u64,
    /// In bytes.
    pub bytes: u64,
}

/// Texts that were given up, by cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GivenUp {
    /// No way to the recipient was known.
    pub no_path: u64,
    /// It was sent, and no receipt came.
    pub no_receipt: u64,
    /// The node had as much on its way as it may.
    pub busy: u64,
    /// The text was too long.
    pub too_long: u64,
}

/// What a node did.
#[derive(Clone, Debug, Default)]
pub struct NodeAccount {
    /// How many frames it put on media.
    pub frames: u64,
    /// What its radios had on the air.
    pub airtime: Duration,
    /// How many links came up.
    pub links_up: u64,
    /// How many went down.
    pub links_down: u64,
    /// How often a frame found the channel busy to the end.
    pub jammed: u64,
}

/// What a medium did.
#[derive(Clone, Debug, Default)]
pub struct MediumAccount {
    /// How many frames were put on it.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What radios had on the air, all together.
    pub airtime: Duration,
    /// What did not arrive as it was sent, by cause, for each receiver.
    pub damage: BTreeMap<&'static str, u64>,
}

impl Ledger {
    /// That of a world.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let layout = &scenario.layout;
        let media = |node| layout.interfaces(node).map(|(_, medium)| medium).collect();
        Self {
            flows: vec![FlowAccount::default(); scenario.traffic.len()],
            nodes: layout.node_indices().map(|_| NodeAccount::default()).collect(),
            media: layout.media.iter().map(|_| MediumAccount::default()).collect(),
            interfaces: layout.node_indices().map(media).collect(),
            offered: BTreeMap::new(),
        }
    }

    /// The flows, in the scenario's order.
    #[must_use]
    pub fn flows(&self) -> &[FlowAccount] {
        &self.flows
    }

    /// The nodes, in their order.
    #[must_use]
    pub fn nodes(&self) -> &[NodeAccount] {
        &self.nodes
    }

    /// The media, in their order.
    #[must_use]
    pub fn media(&self) -> &[MediumAccount] {
        &self.media
    }

    fn flow(&mut self, parcel: Option<Parcel>) -> Option<(Parcel, &mut FlowAccount)> {
        let parcel = parcel?;
        Some((parcel, self.flows.get_mut(usize::from(parcel.flow))?))
    }

    fn told(&mut self, at: WorldTime, input: &Input) {
        let Input::Command(Command::Send(outgoing)) = input else { return };
        let Content::Message { text, .. } = &outgoing.content else { return };
        let bytes = u64::try_from(text.len()).expect("a length fits u64");
        if let Some((parcel, flow)) = self.flow(Parcel::of_handle(outgoing.handle)) {
            flow.offered.add(bytes);
            self.offered.insert(parcel, (at, bytes));
        }
    }

    fn said(&mut self, at: WorldTime, node: NodeIndex, output: &Output) {
        match output {
            Output::Transmit { iface, bytes, .. } => {
                self.nodes[node.place()].frames += 1;
                let medium = self.interfaces[node.place()].get(usize::from(iface.0));
                let account = medium.map(|medium| &mut self.media[medium.place()]);
                let account = account.expect("a frame leaves on an interface that the node has");
                account.frames += 1;
                account.bytes += u64::try_from(bytes.len()).expect("a length fits u64");
            }
            Output::Event(event) => self.event(at, node, event),
            Output::Sense { .. } | Output::Persist { .. } => {}
        }
    }

    fn event(&mut self, at: WorldTime, node: NodeIndex, event: &Event) {
        match event {
            Event::MessageArrived(message) => self.shown(at, &message.text),
            Event::Delivered { handle, .. } | Event::Traced { handle, .. } => {
                if let Some((_, flow)) = self.flow(Parcel::of_handle(*handle)) {
                    flow.receipts += 1;
                }
            }
            Event::Undelivered { handle, why } => {
                if let Some((_, flow)) = self.flow(Parcel::of_handle(*handle)) {
                    flow.given_up.add(*why);
                }
            }
            Event::LinkUp(_) => self.nodes[node.place()].links_up += 1,
            Event::LinkDown { .. } => self.nodes[node.place()].links_down += 1,
            Event::ChannelJammed { .. } => self.nodes[node.place()].jammed += 1,
            Event::Reached { .. }
            | Event::Announced { .. }
            | Event::PathFound { .. }
            | Event::PathNotFound { .. }
            | Event::ClocksParted { .. }
            | Event::EntropyWanted
            | Event::Ledger(_)
            | Event::Endpoint(_)
            | Event::Lxmf(_)
            | Event::Economy(_)
            | Event::Attempted { .. } => {}
        }
    }

    fn shown(&mut self, at: WorldTime, text: &[u8]) {
        let parcel = Parcel::of_text(text);
        let Some((offered_at, bytes)) = parcel.and_then(|parcel| self.offered.remove(&parcel)) else {
            return;
        };
        if let Some((_, flow)) = self.flow(parcel) {
            flow.shown.add(bytes);
            flow.latencies.push(at.since(offered_at));
        }
    }
}

impl Observer for Ledger {
    fn observe(&mut self, observation: &Observation<'_>) {
        match &observation.what {
            What::Node { act: Act::Given { input, .. }, .. } => self.told(observation.at, input),
            What::Node { node, act: Act::Took(output), .. } => self.said(observation.at, *node, output),
            What::Marred { medium, damage, .. } => {
                *self.media[medium.place()].damage.entry(named(*damage)).or_default() += 1;
            }
            What::Aired { medium, sender, airtime, .. } => {
                let on = &mut self.media[medium.place()].airtime;
                *on = on.plus(*airtime);
                let by = &mut self.nodes[sender.place()].airtime;
                *by = by.plus(*airtime);
            }
            What::Node {
                act:
                    Act::Booted { .. } | Act::Crashed | Act::Woken { .. } | Act::Rested { .. } | Act::Durable(_),
                ..
            }
            | What::Scheduled(_) => {}
        }
    }
}

impl Volume {
    const fn add(&mut self, bytes: u64) {
        self.texts += 1;
        self.bytes += bytes;
    }
}

impl GivenUp {
    const fn add(&mut self, why: Undelivered) {
        match why {
            Undelivered::NoPath => self.no_path += 1,
            Undelivered::NoReceipt { .. } => self.no_receipt += 1,
            Undelivered::TooLong => self.too_long += 1,
            Undelivered::Busy => self.busy += 1,
        }
    }
}

/// What a kind of damage is called in reports.
const fn named(damage: Damage) -> &'static str {
    match damage {
        Damage::Lost => "lost",
        Damage::Deaf => "deaf",
        Damage::BrokenOff => "broken off",
        Damage::Displaced => "displaced",
        Damage::Collided => "collided",
        Damage::Partitioned => "partitioned",
        Damage::Cut => "cut",
        Damage::Unheard => "unheard",
        Damage::Corrupted => "corrupted",
        Damage::Truncated => "truncated",
        Damage::Duplicated => "duplicated",
        Damage::Delayed => "delayed",
        Damage::Overflowed => "overflowed",
        Damage::OutOfRange => "out of range",
    }
}
