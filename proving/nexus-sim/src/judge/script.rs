//! Hand-made runs for the judges' own tests.

use nexus_crypto::{IdentitySeed, NodeIdentity};
use nexus_machine::{Duration, Instant, Key, Snapshot, Ticket};
use nexus_network::links::Traffic;
use nexus_network::{Down, Endpoint, InterfaceId, LinkId, LinkStatus, Mode, Trust};
use nexus_node::{Command, Event, Input, Output};
use nexus_secure::contract::Authorship;
use nexus_secure::{Content, Outgoing};

use crate::clock::WorldTime;
use crate::layout::{Layout, Shape, Speech};
use crate::observation::{Act, Judge, NodeIndex, Observation, Provenance, Verdict, What};

/// The interface that every node of a scripted world has.
pub(super) const IFACE: InterfaceId = InterfaceId(0);

/// A judge, and what it is shown.
pub(super) struct Script<J> {
    judge: J,
    at: WorldTime,
    incarnations: [u32; 4],
}

impl<J: Judge> Script<J> {
    pub(super) const fn new(judge: J) -> Self {
        Self { judge, at: WorldTime::START, incarnations: [0; 4] }
    }

    /// What follows happens at this second.
    pub(super) fn at(mut self, seconds: u64) -> Self {
        self.at = second(seconds);
        self
    }

    pub(super) fn act(mut self, node: u32, act: Act<'_>) -> Self {
        let node = NodeIndex(node);
        let incarnation = self.incarnations[node.place()];
        self.judge.observe(&Observation { at: self.at, what: What::Node { node, incarnation, act } });
        self
    }

    pub(super) fn gives(self, node: u32, input: &Input) -> Self {
        self.act(node, Act::Given { now: Instant::BOOT, input })
    }

    pub(super) fn takes(self, node: u32, output: &Output) -> Self {
        self.act(node, Act::Took(output))
    }

    pub(super) fn reports(self, node: u32, event: Event) -> Self {
        self.takes(node, &Output::Event(event))
    }

    pub(super) fn crashes(mut self, node: u32) -> Self {
        self = self.act(node, Act::Crashed);
        self.incarnations[NodeIndex(node).place()] += 1;
        self
    }

    pub(super) fn boots(self, node: u32, snapshot: &Snapshot, disk: Provenance) -> Self {
        self.act(node, Act::Booted { snapshot, disk })
    }

    pub(super) fn syncs(self, node: u32, ticket: u64) -> Self {
        self.act(node, Act::Durable(Ticket(ticket)))
    }

    /// Why the judge objects; empty if it does not.
    pub(super) fn objection(self) -> String {
        match self.judge.verdict() {
            Verdict::Passed => String::new(),
            Verdict::Failed(failure) => failure.reason,
        }
    }
}

pub(super) fn second(seconds: u64) -> WorldTime {
    WorldTime::from_start(Duration::from_secs(seconds))
}

/// The identity of a scripted node.
pub(super) fn identity(node: u32) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([u8::try_from(node).unwrap() + 1; 32]))
}

/// A line of nodes with links on their cables.
pub(super) fn line(nodes: u32) -> Layout {
    let seed = nexus_machine::Seed::new([0; 32]);
    Shape::Line.layout(nodes, &seed).speaking(Speech::NEXUS, &seed)
}

/// An interface of a node of [`line`] comes up, speaking `mode`.
pub(super) fn up(mode: Mode) -> Input {
    let mut profile = line(2).media[0].profile;
    profile.mode = mode;
    Input::Up { iface: IFACE, profile }
}

/// The link with `peer` that its owner calls `number`.
pub(super) fn link(number: u16, peer: u32) -> LinkStatus {
    LinkStatus {
        id: LinkId(Key { slot: number, generation: 0 }),
        iface: IFACE,
        endpoint: None,
        peer: *identity(peer).public(),
        up_at: Instant::BOOT,
        heard_at: Instant::BOOT,
        rtt: None,
        acknowledged: 0,
        unacknowledged: 0,
        trust: Trust::Sure,
        doubts: 0,
        reliability: None,
        rekeys: 0,
        sent: Traffic::default(),
        received: Traffic::default(),
    }
}

pub(super) fn links_up(number: u16, peer: u32) -> Event {
    Event::LinkUp(link(number, peer))
}

pub(super) fn links_down(number: u16, peer: u32) -> Event {
    Event::LinkDown { last: link(number, peer), why: Down::Replaced }
}

/// A frame that leaves by [`IFACE`].
pub(super) fn frame(to: Option<Endpoint>, bytes: &[u8]) -> Output {
    Output::Transmit { iface: IFACE, to, bytes: bytes.to_vec() }
}

/// A node is to send `text` to node `to`, signed, for ten minutes.
pub(super) fn says(handle: u64, to: u32, text: &[u8]) -> Input {
    Input::Command(Command::Send(Outgoing {
        handle,
        to: identity(to).node_id(),
        content: Content::Message { text: text.to_vec(), authorship: Authorship::Signed },
        lifetime: Duration::from_secs(600),
        policy: None,
        class: None,
    }))
}
