//! Choosing: which candidates are usable, and which of them is best by each policy.

use nexus_crypto::DestinationHash;
use nexus_wire::nexus::path_cost::Hop;

use super::distance::Bounds;
use super::entry::{NextHop, RoutingEntry, Standing};
use super::policy::{KEPT_POLICIES, Largest, Merits, PathPolicy, score};
use super::table::{PATHS, PathName, Table};
use crate::links::{LinkId, Trust};

/// A path is no longer than this, in hops: packets and announces are not carried further.
pub const MAX_HOPS: u8 = 127;

/// How readily the choice is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// A path was learnt or lost: the best is chosen.
    Open,
    /// What is known of a path changed: only what is better by more than a quarter is chosen instead.
    Steady,
}

/// Whether the cheapest path is another than it would be if it were chosen for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It is the best.
    None,
    /// It was kept because the best is hardly better.
    Kept,
}

/// How a next hop is reached.
#[derive(Clone, Copy, Debug)]
pub struct Approach {
    /// What the hop adds to a path.
    pub hop: Hop,
    /// How far its peer is believed to be there.
    pub trust: Trust,
    /// How many of 255 frames are answered; none if nothing is known.
    pub reliability: Option<u8>,
}

/// What a candidate competes with others in: a peer that may be there before one that
/// is silent; a path whose packets are proved before one that swallows them; a peer that was there all the time before one that was not;
/// what was said of late before what is stale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::struct_excessive_bools, reason = "it is an order of questions with yes and no for an answer")]
struct League {
    silent: bool,
    distrusted: bool,
    trial: bool,
    stale: bool,
}

impl League {
    fn of(entry: &RoutingEntry, trust: Trust, now_s: u32) -> Self {
        let ageless = Self::whatever_its_age(entry, trust);
        Self { stale: ageless.stale || entry.is_stale(now_s), ..ageless }
    }

    fn whatever_its_age(entry: &RoutingEntry, trust: Trust) -> Self {
        Self {
            silent: trust == Trust::Doubted,
            distrusted: entry.is_distrusted(),
            trial: trust == Trust::Trial,
            stale: trust == Trust::Quiet,
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
    pub fn assess(
        &mut self,
        destination: &DestinationHash,
        bounds: &Bounds,
        now_s: u32,
        stance: Stance,
        approach_of: impl Fn(NextHop) -> Option<Approach>,
    ) -> Habit {
        let group = self.group(destination);
        let mut contenders: [Option<Contender>; PATHS] = [None; PATHS];
        for (contender, place) in contenders.iter_mut().zip(group.places()) {
            *contender = self.at(*place).map(|entry| {
                let approach = approach_of(entry.next_hop());
                Contender::of(*place, entry, bounds, now_s, approach)
            });
        }
        let best_league = contenders.iter().flatten().filter_map(|contender| contender.league).min();
        let leads = |contender: &&Contender| contender.league.is_some() && contender.league == best_league;
        let leaders = contenders.map(|contender| contender.filter(|contender| leads(&contender)));
        let is_outweighed = |contender: &Contender| {
            leaders.iter().flatten().any(|other| {
                let both = self.at(other.place).zip(self.at(contender.place));
                both.is_some_and(|(other, entry)| self.outweighs(other, entry))
            })
        };
        let leaders = leaders.map(|leader| leader.filter(|leader| !is_outweighed(leader)));
        let inside = || leaders.iter().flatten();
        let mut habit = Habit::None;
        for (number, policy) in (0_u8..).zip(KEPT_POLICIES) {
            let current =
                inside().find(|contender| self.at(contender.place).is_some_and(|entry| entry.wins(number)));
            let Some(decision) = decide(policy, inside(), current) else {
                continue;
            };
            let winner = match stance {
                Stance::Open => decision.best,
                Stance::Steady => decision.steady,
            };
            if policy == PathPolicy::Cheapest && winner != decision.best {
                habit = Habit::Kept;
            }
            if let Some(winner) = contenders.iter_mut().flatten().find(|contender| contender.place == winner)
            {
                winner.wins |= 1 << number;
            }
        }
        for contender in contenders.iter().flatten() {
            if let Some(entry) = self.at_mut(contender.place) {
                let standing = match contender.league.map(|league| league.silent) {
                    None => Standing::Unusable,
                    Some(true) => Standing::Doubted,
                    Some(false) => Standing::Usable,
                };
                entry.judge(standing, contender.wins);
            }
        }
        habit
    }

    /// The best path to a destination by a policy of which the winner is kept; by another the best is looked for. None if there is
    /// none, or only one back over `except`.
    #[must_use]
    pub fn best(
        &self,
        destination: &DestinationHash,
        policy: PathPolicy,
        except: Option<LinkId>,
        approach_of: impl Fn(NextHop) -> Option<Approach>,
    ) -> Option<&RoutingEntry> {
        self.best_named(destination, policy, except, approach_of).map(|(_, best)| best)
    }

    /// The same with its name: for a packet the table is searched once.
    pub(crate) fn best_named(
        &self,
        destination: &DestinationHash,
        policy: PathPolicy,
        except: Option<LinkId>,
        approach_of: impl Fn(NextHop) -> Option<Approach>,
    ) -> Option<(PathName, &RoutingEntry)> {
        let number = policy.number();
        let is_allowed = |entry: &RoutingEntry| except.is_none() || entry.next_hop().link() != except;
        let winner =
            self.walk(destination).find(|(_, entry)| number.is_some_and(|number| entry.wins(number)));
        if let Some((place, winner)) = winner.filter(|(_, entry)| is_allowed(entry)) {
            return Some((PathName(place), winner));
        }
        let group = self.group(destination);
        let paths = || group.places().iter().filter_map(|place| Some((PathName(*place), self.at(*place)?)));
        let rest = || {
            let usable = paths().filter(|(_, entry)| entry.is_usable() && is_allowed(entry));
            usable.filter_map(|(name, entry)| {
                let approach = approach_of(entry.next_hop())?;
                let league = League::whatever_its_age(entry, approach.trust);
                Some(((name, entry), entry.merits(Some(&approach)), league))
            })
        };
        let best_league = rest().map(|(.., league)| league).min();
        let leads = || rest().filter(|(.., league)| Some(*league) == best_league);
        let inside = || {
            leads().filter(|((_, entry), ..)| !leads().any(|((_, other), ..)| self.outweighs(other, entry)))
        };
        let least = inside().map(|(_, merits, _)| merits.price()).min();
        let competing = || inside().filter(|(_, merits, _)| policy.admits(merits, least));
        let largest = competing().fold(Largest::default(), |largest, (_, merits, _)| largest.with(&merits));
        let value = |((_, entry), merits, _): &((PathName, &RoutingEntry), Merits, League)| {
            (score(policy, merits, &largest), entry.metric(), entry.next_hop())
        };
        competing().min_by_key(value).map(|(best, ..)| best)
    }

    /// Where packets without other wishes go.
    pub(crate) fn winner(&self, destination: &DestinationHash) -> Option<NextHop> {
        let number = PathPolicy::default().number()?;
        self.paths(destination).find(|entry| entry.wins(number)).map(RoutingEntry::next_hop)
    }

    /// The path that this node offers to others: the cheapest of the newest edition that is trusted, if its next hop is
    /// believed to be there.
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
            let is_outweighed = |entry: &RoutingEntry| {
                of_newest().any(|other| !other.is_distrusted() && self.outweighs(other, entry))
            };
            let value = |entry: &&RoutingEntry| {
                (entry.is_distrusted(), is_outweighed(entry), entry.metric(), entry.next_hop())
            };
            of_newest().min_by_key(value)
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
    fn of(place: u32, entry: &RoutingEntry, bounds: &Bounds, now_s: u32, approach: Option<Approach>) -> Self {
        let is_feasible = bounds.admits(entry);
        let (cost, hops) = entry.metric();
        let is_short = hops <= MAX_HOPS;
        let league = approach.map(|Approach { trust, .. }| League::of(entry, trust, now_s));
        Self {
            place,
            league: league.filter(|_| is_feasible && is_short),
            merits: entry.merits(approach.as_ref()),
            rank: (cost, hops, entry.next_hop()),
            wins: 0,
        }
    }
}

/// What a policy makes of the candidates.
struct Decision {
    /// The best: its place.
    best: u32,
    /// The one that was chosen, unless the best is better by more than a quarter.
    steady: u32,
}

/// Decides among candidates of one league, of which `current` was chosen before. For the cheapest, who costs more than the least does
/// not compete, and latency decides among those who cost about as much: as a share of the dearest that happens to be there it would outweigh
/// any price.
fn decide<'c>(
    policy: PathPolicy,
    all: impl Iterator<Item = &'c Contender> + Clone,
    current: Option<&'c Contender>,
) -> Option<Decision> {
    let least = all.clone().map(|contender| contender.merits.price()).min();
    let competing = all.filter(|contender| policy.admits(&contender.merits, least));
    let largest = competing
        .clone()
        .chain(current)
        .fold(Largest::default(), |largest, contender| largest.with(&contender.merits));
    let value = |contender: &Contender| (score(policy, &contender.merits, &largest), contender.rank);
    let best = competing.min_by_key(|contender| value(contender))?;
    let is_kept = |current: &&Contender| {
        let is_dear = policy == PathPolicy::Cheapest
            && least.is_some_and(|least| is_more_by_a_quarter(current.merits.price(), least));
        !is_dear && !is_more_by_a_quarter(value(current).0.into(), value(best).0.into())
    };
    let steady = current.filter(is_kept).map_or(best.place, |current| current.place);
    Some(Decision { best: best.place, steady })
}

/// Whether `more` exceeds `less` by more than a quarter of it.
pub(crate) fn is_more_by_a_quarter(more: u64, less: u64) -> bool {
    more > less.saturating_add(less / 4)
}
