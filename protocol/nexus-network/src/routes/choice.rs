//! Choosing: which candidates are usable, and which of them is best by each policy.

use nexus_crypto::DestinationHash;
use nexus_wire::nexus::path_cost::Hop;

use super::distance::Distance;
use super::entry::{NextHop, RoutingEntry, Standing};
use super::policy::{KEPT_POLICIES, Largest, Merits, PathPolicy, score};
use super::table::{PATHS, Table};
use crate::links::{LinkId, Trust};

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

/// How a next hop is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Approach {
    /// What the hop adds to a path.
    pub(crate) hop: Hop,
    /// How far its peer is believed to be there.
    pub(crate) trust: Trust,
    /// How many of 255 frames are answered; none if nothing is known.
    pub(crate) reliability: Option<u8>,
}

/// What a candidate competes with others in: links before what is in clear, a peer that is there before one that may be gone, a path
/// that carries packets before one that seems to swallow them, a peer that was always there before one that was not, what was said of
/// late before what is stale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct League {
    clear: bool,
    silent: bool,
    distrusted: bool,
    doubt: Doubt,
    stale: bool,
}

/// How much a next hop is doubted, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    None,
    /// It is there, and was not a while ago.
    Trial,
    /// It may be gone: nobody else is told of the path.
    Silent,
}

impl Doubt {
    const fn of(trust: Trust) -> Self {
        match trust {
            Trust::Sure | Trust::Quiet => Self::None,
            Trust::Trial => Self::Trial,
            Trust::Doubted => Self::Silent,
        }
    }
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
    /// Judges the candidates for a destination anew, against what this node said itself. `approach_of` is the way to a neighbour,
    /// if it is there.
    pub(crate) fn assess(
        &mut self,
        destination: &DestinationHash,
        distance: Option<Distance>,
        now_s: u32,
        stance: Stance,
        approach_of: impl Fn(NextHop) -> Option<Approach>,
    ) {
        let group = self.group(destination);
        let mut contenders: [Option<Contender>; PATHS] = [None; PATHS];
        for (contender, place) in contenders.iter_mut().zip(group.places()) {
            *contender = self.at(*place).map(|entry| {
                let approach = approach_of(entry.next_hop());
                Contender::of(*place, entry, distance, now_s, approach)
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
                let standing = match contender.league.map(|league| league.doubt) {
                    None => Standing::Unusable,
                    Some(Doubt::Silent) => Standing::Doubted,
                    Some(Doubt::None | Doubt::Trial) => Standing::Usable,
                };
                entry.judge(standing, contender.wins);
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
        approach_of: impl Fn(NextHop) -> Option<Approach>,
    ) -> Option<&RoutingEntry> {
        let number = policy.number();
        let is_allowed = |entry: &RoutingEntry| except.is_none() || entry.next_hop().link() != except;
        let winner = self.paths(destination).find(|entry| number.is_some_and(|number| entry.wins(number)));
        if let Some(winner) = winner.filter(|winner| is_allowed(winner)) {
            return Some(winner);
        }
        let rest = || {
            let usable = self.paths(destination).filter(|entry| entry.is_usable() && is_allowed(entry));
            usable.filter_map(|entry| {
                let approach = approach_of(entry.next_hop())?;
                Some((entry, entry.merits(Some(&approach)), Doubt::of(approach.trust)))
            })
        };
        let largest = rest().fold(Largest::default(), |largest, (_, merits, _)| largest.with(&merits));
        let value = |(entry, merits, doubt): &(&RoutingEntry, Merits, Doubt)| {
            let is_clear = entry.next_hop().link().is_none();
            let is_distrusted = entry.is_distrusted();
            let score = score(policy, merits, &largest);
            let is_silent = *doubt == Doubt::Silent;
            (is_clear, is_silent, is_distrusted, *doubt, score, entry.metric(), entry.next_hop())
        };
        rest().min_by_key(value).map(|(entry, ..)| entry)
    }

    /// The path that this node offers to others: the cheapest of the newest edition, if its next hop is believed to be there and to
    /// carry packets on.
    #[must_use]
    pub(crate) fn offer(&self, destination: &DestinationHash) -> Option<&RoutingEntry> {
        // What was proved before may only lose much: others find that out for themselves, and it may be all that there is.
        let is_told = |entry: &RoutingEntry| !entry.is_distrusted() || entry.was_proved();
        let is_sure = |entry: &RoutingEntry| !entry.is_doubted() && is_told(entry);
        let usable = || self.paths(destination).filter(|entry| entry.is_usable() && is_sure(entry));
        let newest = usable().map(RoutingEntry::edition).max()?;
        let of_newest = || usable().filter(|entry| entry.edition() == newest);
        let cheapest = PathPolicy::Cheapest.number();
        let winner = of_newest().find(|entry| cheapest.is_some_and(|number| entry.wins(number)));
        winner.or_else(|| {
            of_newest().min_by_key(|entry| {
                let is_clear = entry.next_hop().link().is_none();
                (entry.is_distrusted(), is_clear, entry.metric(), entry.next_hop())
            })
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
        approach: Option<Approach>,
    ) -> Self {
        let is_feasible = distance.is_none_or(|distance| distance.admits(entry.edition(), entry.least()));
        let (cost, hops) = entry.metric();
        let is_short = hops <= MAX_HOPS;
        let league = approach.map(|Approach { trust, .. }| League {
            silent: Doubt::of(trust) == Doubt::Silent,
            distrusted: entry.is_distrusted(),
            clear: entry.next_hop().link().is_none(),
            doubt: Doubt::of(trust),
            stale: entry.is_stale(now_s) || trust == Trust::Quiet,
        });
        Self {
            place,
            league: league.filter(|_| is_feasible && is_short),
            merits: entry.merits(approach.as_ref()),
            rank: (cost, hops, entry.next_hop()),
            wins: 0,
        }
    }
}

/// Whether `more` exceeds `less` by more than a quarter of it.
pub(crate) fn is_more_by_a_quarter(more: u64, less: u64) -> bool {
    more > less.saturating_add(less / 4)
}
