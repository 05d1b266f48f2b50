//! Paths, in the words of the control protocol.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use nexus_crypto::{DestinationHash, IdentityHash, NameHash, NodeId};
use nexus_network::announces::{Known, Via};
use nexus_network::routes::{self, SaidLeast, Stage};
use nexus_network::{Candidate, LinkId, Weights};
use nexus_wire::nexus::path_cost::CompactPathCost;

use super::{age_s, interface_name};
use crate::api::{Begin, Cost, Path, PathPolicy, Quote, Said, Standing, Way, Ways};
use crate::host::HostView;

/// A policy as the core calls it.
pub(in crate::service) const fn policy_of(policy: PathPolicy) -> nexus_network::PathPolicy {
    match policy {
        PathPolicy::Cheapest => nexus_network::PathPolicy::Cheapest,
        PathPolicy::Fastest => nexus_network::PathPolicy::Fastest,
        PathPolicy::Reliable => nexus_network::PathPolicy::MostReliable,
        PathPolicy::Balanced => nexus_network::PathPolicy::Balanced(Weights::DEFAULT),
    }
}

/// The node ids behind links, and the names of interfaces: looked up once for many paths.
pub(in crate::service) struct Names<'v, 'h> {
    view: &'v HostView<'h>,
    peers: BTreeMap<LinkId, NodeId>,
}

impl<'v, 'h> Names<'v, 'h> {
    pub(in crate::service) fn of(view: &'v HostView<'h>) -> Self {
        let links = view.node().network().links().status();
        Self { view, peers: links.map(|link| (link.id, link.peer.node_id())).collect() }
    }

    /// The neighbour; where it speaks in clear, the relay if there is one.
    fn neighbour(&self, via: Via) -> Option<String> {
        match via {
            Via::Clear { transport, .. } => transport.as_ref().map(IdentityHash::to_string),
            Via::Link { link, .. } => self.peers.get(&link).map(ToString::to_string),
        }
    }

    fn interface(&self, via: Via) -> String {
        interface_name(self.view, via.iface())
    }

    /// Where a way begins.
    pub(in crate::service) fn begin(&self, way: &Candidate) -> Begin {
        Begin { via: self.neighbour(way.via), interface: self.interface(way.via), hops: way.total.hops.0 }
    }
}

/// Whether more is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    GoesOn,
    Ends,
}

/// The destinations to which there is a way, by their hashes, those behind `after`, as long as `take` wants more.
pub(crate) fn paths(
    view: &HostView<'_>,
    after: Option<&DestinationHash>,
    mut take: impl FnMut(&DestinationHash, Path) -> Reading,
) {
    let (names, routing) = (Names::of(view), view.node().routing(view.now()));
    for (destination, known) in routing.destinations(after) {
        if let Some(path) = path(view, &names, destination, known)
            && take(destination, path) == Reading::Ends
        {
            return;
        }
    }
}

/// The way to `destination`, if there is one.
pub(crate) fn path_to(view: &HostView<'_>, destination: &DestinationHash) -> Option<Path> {
    let known = view.node().routing(view.now()).known(destination)?;
    path(view, &Names::of(view), destination, known)
}

/// How many destinations there is a way to.
pub(crate) fn count(view: &HostView<'_>) -> u64 {
    let announces = view.node().network().announces();
    let reached = announces.known().filter(|(destination, _)| announces.path(destination).is_some());
    u64::try_from(reached.count()).unwrap_or(u64::MAX)
}

fn path(
    view: &HostView<'_>,
    names: &Names<'_, '_>,
    destination: &DestinationHash,
    known: &Known,
) -> Option<Path> {
    let routing = view.node().routing(view.now());
    let chosen = routing.chosen(destination, view.node().preferred())?;
    let via = match (chosen.via, chosen.stage) {
        (Via::Link { .. }, Stage::Last) => None,
        (Via::Link { .. }, Stage::Relay) | (Via::Clear { .. }, _) => names.neighbour(chosen.via),
    };
    let Quote { unxs_per_kib, worst_latency_ms, bottleneck_bps, hops } = quote(chosen.total);
    let others = routing.candidates(destination).len().saturating_sub(1);
    Some(Path {
        destination: destination.to_string(),
        node: is_node(destination, known),
        hops,
        interface: names.interface(chosen.via),
        via,
        cost: Some(Cost { unxs_per_kib, worst_latency_ms, bottleneck_bps }),
        reliability_percent: chosen.reliability.map(percent),
        others: u64::try_from(others).unwrap_or(u64::MAX),
        emission: known.emitted_at,
        age_s: age_s(view.now(), known.heard_at),
        expires_in_s: chosen.expires_in_s.into(),
    })
}

/// Every way to `destination`, if anything is known of it.
pub(in crate::service) fn ways(
    view: &HostView<'_>,
    destination: &DestinationHash,
    policy: Option<PathPolicy>,
) -> Option<Ways> {
    let (names, routing) = (Names::of(view), view.node().routing(view.now()));
    let known = routing.known(destination)?;
    let preferred = view.node().preferred();
    let policy = policy.or_else(|| name_of(preferred)).unwrap_or_default();
    let mut candidates = routing.candidates(destination);
    candidates.sort_by_key(|candidate| {
        let mark = candidate.marks.iter().find(|mark| mark.policy == policy_of(policy));
        let score = mark.and_then(|mark| mark.score).unwrap_or(u32::MAX);
        let wins = mark.is_some_and(|mark| mark.wins);
        (Reverse(wins), Reverse(candidate.standing.is_usable()), score, candidate.via.iface())
    });
    Some(Ways {
        destination: destination.to_string(),
        node: is_node(destination, known),
        emission: known.emitted_at,
        age_s: age_s(view.now(), known.heard_at),
        policy,
        ways: candidates.iter().map(|candidate| way(&names, candidate)).collect(),
    })
}

fn way(names: &Names<'_, '_>, candidate: &Candidate) -> Way {
    let marks = candidate.marks.iter().filter_map(|mark| Some((name_of(mark.policy)?, mark)));
    let scores = marks.clone().filter_map(|(policy, mark)| Some((policy, ten_thousandths(mark.score?))));
    let chosen_by = marks.clone().filter(|(_, mark)| mark.wins).map(|(policy, _)| policy);
    Way {
        via: names.neighbour(candidate.via),
        last: candidate.stage == Stage::Last,
        interface: names.interface(candidate.via),
        said: quote(candidate.said),
        total: quote(candidate.total),
        reliability_percent: candidate.reliability.map(percent),
        emission: candidate.edition.emitted_at,
        generation: candidate.edition.generation.get(),
        age_s: candidate.age_s.into(),
        expires_in_s: candidate.expires_in_s.into(),
        standing: standing(candidate.standing),
        scores: scores.collect(),
        chosen_by: chosen_by.collect(),
    }
}

fn name_of(policy: nexus_network::PathPolicy) -> Option<PathPolicy> {
    PathPolicy::ALL.into_iter().find(|named| policy_of(*named) == policy)
}

fn standing(standing: routes::Standing) -> Standing {
    match standing {
        routes::Standing::Usable => Standing::Usable,
        routes::Standing::Stale => Standing::Stale,
        routes::Standing::Doubted => Standing::Doubted,
        routes::Standing::Distrusted => Standing::Distrusted,
        routes::Standing::Infeasible { said: least, limit } => {
            Standing::Infeasible { said: said(least), limit: said(limit) }
        }
        routes::Standing::Outdated { .. } => Standing::Outdated,
        routes::Standing::TooLong => Standing::TooLong,
        routes::Standing::Gone => Standing::Gone,
        routes::Standing::Unjudged => Standing::Unjudged,
    }
}

fn said(least: SaidLeast) -> Said {
    Said { unxs_per_kib: least.cost.price(), hops: least.hops.0 }
}

/// What a cost says.
pub(in crate::service) fn quote(cost: CompactPathCost) -> Quote {
    Quote {
        unxs_per_kib: cost.cumulative_cost.price(),
        worst_latency_ms: cost.worst_latency.0,
        bottleneck_bps: cost.bottleneck.bps().unwrap_or(0),
        hops: cost.hops.0,
    }
}

pub(super) fn is_node(destination: &DestinationHash, known: &Known) -> bool {
    DestinationHash::of(NameHash::NEXUS_NODE, known.public.hash()) == *destination
}

/// Of 255, in per cent.
fn percent(reliability: u8) -> u8 {
    u8::try_from((u16::from(reliability) * 100 + 127) / 255).expect("a share of a hundred is at most that")
}

/// Of 65,536.
fn ten_thousandths(score: u32) -> u16 {
    u16::try_from((u64::from(score) * 10_000 + 32_768) / 65_536).unwrap_or(u16::MAX)
}
