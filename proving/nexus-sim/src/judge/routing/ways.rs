//! Where packets end that follow what nodes hold.

use std::collections::BTreeSet;

use nexus_machine::Duration;

use crate::clock::WorldTime;
use crate::observation::NodeIndex;
use crate::roads::Roads;
use crate::tables::{BALANCED, CHEAPEST, Tables};

/// Which choices are followed: by what relays carry bulk, and by what nodes send without other wishes.
const FOLLOWED: [usize; 2] = [CHEAPEST, BALANCED];

/// A time for which packets of a node to another did not arrive, though there was a way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// From when on.
    pub since: WorldTime,
    /// Until when.
    pub until: WorldTime,
    /// Whether they were sent all the same; else their node knew that it had no path.
    pub is_hole: bool,
}

impl Span {
    /// How long it lasted.
    #[must_use]
    pub const fn length(&self) -> Duration {
        self.until.since(self.since)
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// There is no way.
    Apart,
    Arrives,
    /// It goes through a node that lies.
    Judged,
    /// Its node has no path.
    Pathless,
    /// It ends at this node.
    Lost(NodeIndex),
}

/// What becomes of packets between all nodes, and what became of them.
#[derive(Debug)]
pub struct Ways {
    /// By followed choice, destination and node: what becomes of a packet, and since when.
    now: Vec<Vec<Vec<(End, WorldTime)>>>,
    ended: Vec<Span>,
}

impl Ways {
    pub(super) fn new(nodes: usize) -> Self {
        let none = vec![vec![(End::Apart, WorldTime::START); nodes]; nodes];
        Self { now: vec![none; FOLLOWED.len()], ended: Vec::new() }
    }

    /// All times that are over.
    #[must_use]
    pub fn ended(&self) -> &[Span] {
        &self.ended
    }

    /// Follows all choices anew. Returns the times that ended, each with a sentence.
    pub(super) fn compare(
        &mut self,
        at: WorldTime,
        roads: &mut Roads,
        tables: &Tables,
        liars: &BTreeSet<NodeIndex>,
    ) -> Vec<(Span, String)> {
        let mut ended = Vec::new();
        for to in (0..roads.nodes()).map(NodeIndex) {
            let distances = roads.distances(to);
            for (choice, policy) in FOLLOWED.into_iter().enumerate() {
                for from in (0..roads.nodes()).map(NodeIndex).filter(|from| *from != to) {
                    let is_connected = distances[from.place()].is_some();
                    let is_judged = !liars.contains(&from) && !liars.contains(&to);
                    let end = match (is_connected, is_judged) {
                        (false, _) => End::Apart,
                        (true, false) => End::Judged,
                        (true, true) => follow(from, to, policy, roads, tables, liars),
                    };
                    let state = &mut self.now[choice][to.place()][from.place()];
                    let (before, since) = *state;
                    if kind(before) == kind(end) {
                        continue;
                    }
                    *state = (end, at);
                    ended.extend(over(before, (from, to), since, at));
                }
            }
        }
        self.ended.extend(ended.iter().map(|(span, _)| *span));
        ended
    }

    pub(super) fn finish(&mut self, end: WorldTime) -> Vec<(Span, String)> {
        let mut ended = Vec::new();
        for of_choice in &self.now {
            for (to, of_destination) in (0..).map(NodeIndex).zip(of_choice) {
                for (from, (state, since)) in (0..).map(NodeIndex).zip(of_destination) {
                    ended.extend(over(*state, (from, to), *since, end));
                }
            }
        }
        self.ended.extend(ended.iter().map(|(span, _)| *span));
        ended
    }
}

/// What is told apart: where exactly a packet is lost is not.
const fn kind(end: End) -> u8 {
    match end {
        End::Apart => 0,
        End::Arrives | End::Judged => 1,
        End::Pathless => 2,
        End::Lost(_) => 3,
    }
}

fn over(
    end: End,
    (from, to): (NodeIndex, NodeIndex),
    since: WorldTime,
    until: WorldTime,
) -> Option<(Span, String)> {
    let (from, to) = (from.0, to.0);
    match end {
        End::Apart | End::Arrives | End::Judged => None,
        End::Pathless => {
            let span = Span { since, until, is_hole: false };
            Some((span, format!("node {from} has no path to node {to}, though there is a way")))
        }
        End::Lost(at) => {
            let span = Span { since, until, is_hole: true };
            Some((span, format!("what node {from} sends to node {to} ends at node {}", at.0)))
        }
    }
}

fn follow(
    from: NodeIndex,
    to: NodeIndex,
    policy: usize,
    roads: &mut Roads,
    tables: &Tables,
    liars: &BTreeSet<NodeIndex>,
) -> End {
    let mut at = from;
    for _ in 0..roads.nodes() {
        let Some(step) = tables.held(at, to).chosen[policy] else {
            return if at == from { End::Pathless } else { End::Lost(at) };
        };
        let is_there = roads.from(at).iter().any(|road| (road.to, road.iface) == (step.to, step.iface));
        if !is_there || !tables.is_live(at, step, roads) {
            return End::Lost(at);
        }
        at = step.to;
        if at == to {
            return End::Arrives;
        }
        if liars.contains(&at) {
            return End::Judged;
        }
    }
    End::Lost(at)
}
