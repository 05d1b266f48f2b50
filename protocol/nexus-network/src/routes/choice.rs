//! Choosing: which candidates are usable, and which of them is best by each policy.

use nexus_crypto::DestinationHash;
use nexus_wire::nexus::path_cost::Hop;

use super::distance::Distance;
use super::entry::{NextHop, RoutingEntry};
use super::policy::{KEPT_POLICIES, Largest, Merits, PathPolicy, score};
use super::table::{PATHS, Table};
use crate::links::LinkId;

/// A path is no longer than this, in hops: packets and announces are not carried further.
pub const MAX_HOPS: u8 = 127;

/// How readily the choice is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    /// A path was learnt or lost: the best is chosen.
    Open,
    /// What is known of a path changed: only what is better by more than a quarter is chosen instead.
    Steady,
}

/// What a candidate competes with others in: what is trusted before what is not, links before what is in clear, what was said of
/// late before what is stale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct League {
    distrusted: bool,
    clear: bool,
    stale: bool,
}

/// A candidate, and what tells it from the others.
#[derive(Clone, Copy)]
struct Contender {
    place: u32,
    league: Option<League>,
    merits: Merits,
    /// Whoever is equal otherwise: cheaper, shorter, and the lower name.
    rank: (u16, u8, NextHop),
    wins: u8,
}

impl Table {
    /// Judges the candidates for a destination anew, against what this node said itself. `hop_of` is the hop to a neighbour,
    /// if it is there.
    pub(crate) fn assess(
        &mut self,
        destination: &DestinationHash,
        distance: Option<Distance>,
        now_s: u32,
        stance: Stance,
        hop_of: impl Fn(NextHop) -> Option<Hop>,
    ) {
        let group = self.group(destination);
        let mut contenders: [Option<Contender>; PATHS] = [None; PATHS];
        for (contender, place) in contenders.iter_mut().zip(group.places()) {
            *contender = self.at(*place).map(|entry| {
                let hop = hop_of(entry.next_hop());
                Contender::of(*place, entry, distance, now_s, hop)
            });
        }
        let best_league = contenders.iter().flatten().filter_map(|contender| contender.league).min();
        let inside = |contender: &&Contender| contender.league.is_some() && contender.league == best_league;
        let largest = contenders
            .iter()
            .flatten()
            .filter(inside)
            .fold(Largest::default(), |largest, contender| largest.with(&contender.merits));
        for (number, policy) in (0_u8..).zip(KEPT_POLICIES) {
            let value = |contender: &Contender| (score(policy, &contender.merits, &largest), contender.rank);
            let current = contenders
                .iter()
                .flatten()
                .filter(inside)
                .find(|contender| self.at(contender.place).is_some_and(|entry| entry.wins(number)));
            let Some(best) =
                contenders.iter().flatten().filter(inside).min_by_key(|contender| value(contender))
            else {
                continue;
            };
            let kept = current.filter(|current| {
                stance == Stance::Steady
                    && !is_more_by_a_quarter(value(current).0.into(), value(best).0.into())
            });
            let winner = kept.unwrap_or(best).place;
            if let Some(winner) = contenders.iter_mut().flatten().find(|contender| contender.place == winner)
            {
                winner.wins |= 1 << number;
            }
        }
        for contender in contenders.iter().flatten() {
            if let Some(entry) = self.at_mut(contender.place) {
                entry.judge(contender.league.is_some(), contender.wins);
            }
        }
    }

    /// The best path to a destination by a policy of which the winner is kept; by another the best is looked for. None if there is
    /// none, or only one back over `except`.
    pub(crate) fn best(
        &self,
        destination: &DestinationHash,
        policy: PathPolicy,
        except: Option<LinkId>,
        hop_of: impl Fn(NextHop) -> Option<Hop>,
    ) -> Option<&RoutingEntry> {
        let number = policy.number();
        let is_allowed = |entry: &RoutingEntry| except.is_none() || entry.next_hop().link() != except;
        let winner = self.paths(destination).find(|entry| number.is_some_and(|number| entry.wins(number)));
        if let Some(winner) = winner.filter(|winner| is_allowed(winner)) {
            return Some(winner);
        }
        let rest = || {
            let usable = self.paths(destination).filter(|entry| entry.is_usable() && is_allowed(entry));
            usable.filter_map(|entry| Some((entry, entry.merits(Some(&hop_of(entry.next_hop())?)))))
        };
        let largest = rest().fold(Largest::default(), |largest, (_, merits)| largest.with(&merits));
        let value = |(entry, merits): &(&RoutingEntry, Merits)| {
            let is_clear = entry.next_hop().link().is_none();
            (
                entry.is_distrusted(),
                is_clear,
                score(policy, merits, &largest),
                entry.metric(),
                entry.next_hop(),
            )
        };
        rest().min_by_key(value).map(|(entry, _)| entry)
    }

    /// The path that this node offers to others: the cheapest of the newest edition that is trusted.
    #[must_use]
    pub(crate) fn offer(&self, destination: &DestinationHash) -> Option<&RoutingEntry> {
        let usable = || self.paths(destination).filter(|entry| entry.is_usable() && !entry.is_distrusted());
        let newest = usable().map(RoutingEntry::edition).max()?;
        let of_newest = || usable().filter(|entry| entry.edition() == newest);
        let cheapest = PathPolicy::Cheapest.number();
        let winner = of_newest().find(|entry| cheapest.is_some_and(|number| entry.wins(number)));
        winner.or_else(|| {
            of_newest()
                .min_by_key(|entry| (entry.next_hop().link().is_none(), entry.metric(), entry.next_hop()))
        })
    }

    /// The cheapest of those that may not be used because a loop might come of it, or that are of an older edition.
    #[must_use]
    pub(crate) fn cheapest_infeasible(&self, destination: &DestinationHash) -> Option<&RoutingEntry> {
        let unusable =
            self.paths(destination).filter(|entry| !entry.is_usable() && entry.next_hop().link().is_some());
        unusable.min_by_key(|entry| (core::cmp::Reverse(entry.edition()), entry.metric(), entry.next_hop()))
    }
}

impl Contender {
    fn of(
        place: u32,
        entry: &RoutingEntry,
        distance: Option<Distance>,
        now_s: u32,
        hop: Option<Hop>,
    ) -> Self {
        let is_feasible = distance.is_none_or(|distance| distance.admits(entry.edition(), entry.least()));
        let (cost, hops) = entry.metric();
        let is_short = hops <= MAX_HOPS;
        let distrusted = entry.is_distrusted();
        let league =
            League { distrusted, clear: entry.next_hop().link().is_none(), stale: entry.is_stale(now_s) };
        Self {
            place,
            league: (is_feasible && is_short && hop.is_some()).then_some(league),
            merits: entry.merits(hop.as_ref()),
            rank: (cost, hops, entry.next_hop()),
            wins: 0,
        }
    }
}

/// Whether `more` exceeds `less` by more than a quarter of it.
pub(crate) fn is_more_by_a_quarter(more: u64, less: u64) -> bool {
    more > less.saturating_add(less / 4)
}
