//! What can be seen of the candidates for a destination: whether each may be used, why not, and how it scores.
//!
//! Nothing is stored for it: it is worked out from the entries when somebody looks. Source: spec/network.md#routes.

use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_wire::nexus::path_cost::{CostCode, HopCount};

use super::choice::{Approach, MAX_HOPS};
use super::distance::{Bounds, Distance, Edition, Metric};
use super::entry::{NextHop, RoutingEntry};
use super::policy::{KEPT_POLICIES, Largest, Merits, PathPolicy, score};
use super::table::Table;
use crate::links::Trust;

/// Whether packets may take a path, and if not, what stands against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Usable,
    /// They may, but nobody said it, or its neighbour said nothing at all, for so long that it is taken only where there is no other.
    Stale,
    /// They may, but its neighbour does not answer: it is taken only where there is no other, and offered to nobody.
    Doubted,
    /// They may, but packets and probes that went that way were not proved: it is taken only where there is no other, and offered to
    /// nobody.
    Distrusted,
    /// It may lead back here: its neighbour said no less of the same edition than this node itself.
    Infeasible {
        /// The least that the neighbour said.
        said: SaidLeast,
        /// The least that this node said.
        limit: SaidLeast,
    },
    /// It may lead back here: it is of an older edition than this node spoke of.
    Outdated {
        /// The edition that this node spoke of.
        spoken_of: Edition,
    },
    /// It is longer than a packet may travel.
    TooLong,
    /// Its neighbour is gone.
    Gone,
    /// It was judged before what is known of it changed: it is usable from the next judgement on.
    Unjudged,
}

impl Standing {
    /// Whether packets may go that way.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        match self {
            Self::Usable | Self::Stale | Self::Doubted | Self::Distrusted => true,
            Self::Infeasible { .. } | Self::Outdated { .. } | Self::TooLong | Self::Gone | Self::Unjudged => {
                false
            }
        }
    }
}

/// The least that somebody said of an edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidLeast {
    /// The cost, in µNXS per 1,024 bytes, unless unknown.
    pub cost: CostCode,
    /// The hops at that cost.
    pub hops: HopCount,
}

impl SaidLeast {
    fn of((cost, hops): Metric) -> Self {
        let cost = CostCode::from_wire(cost).expect("it was a code when it was written");
        Self { cost, hops: HopCount(hops) }
    }
}

/// How a path does by one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The policy.
    pub policy: PathPolicy,
    /// Its score among those that compete, in Q0.16: the least is best. None if it does not compete.
    pub score: Option<u32>,
    /// Whether it is the one that is chosen.
    pub wins: bool,
}

/// A candidate as it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) entry: RoutingEntry,
    pub(crate) standing: Standing,
    /// For each policy of which the winner is kept.
    pub(crate) marks: [Mark; 4],
}

impl Table {
    /// All candidates for a destination, against what this node said itself, as they stand at `now_s`.
    pub(crate) fn seen(
        &self,
        destination: &DestinationHash,
        bounds: &Bounds,
        now_s: u32,
        approach_of: impl Fn(NextHop) -> Option<Approach>,
    ) -> Vec<Seen> {
        let merits = |entry: &RoutingEntry| entry.merits(approach_of(entry.next_hop()).as_ref());
        let standing = |entry: &RoutingEntry| standing(entry, bounds, now_s, approach_of(entry.next_hop()));
        // Those compete that stand as the chosen one does: it is of the best league that has anybody.
        let leading = self.paths(destination).find(|entry| is_chosen(entry)).map(&standing);
        let competes = |entry: &&RoutingEntry| Some(standing(entry)) == leading;
        let largest = self
            .paths(destination)
            .filter(competes)
            .fold(Largest::default(), |largest, entry| largest.with(&merits(entry)));
        let seen = |entry: &RoutingEntry| {
            let merits = competes(&entry).then(|| merits(entry));
            Seen { entry: *entry, standing: standing(entry), marks: marks(entry, merits, &largest) }
        };
        self.paths(destination).map(seen).collect()
    }
}

/// Whether it is chosen by any policy.
fn is_chosen(entry: &RoutingEntry) -> bool {
    (0_u8..).zip(KEPT_POLICIES).any(|(number, _)| entry.wins(number))
}

fn marks(entry: &RoutingEntry, merits: Option<Merits>, largest: &Largest) -> [Mark; 4] {
    KEPT_POLICIES.map(|policy| Mark {
        policy,
        score: merits.map(|merits| score(policy, &merits, largest)),
        wins: policy.number().is_some_and(|number| entry.wins(number)),
    })
}

/// What stands against a path that may lead back here.
fn barred(entry: &RoutingEntry, bounds: &Bounds) -> Standing {
    if let Some((spoken_of, limit)) = bounds.over_links.map(Distance::parts) {
        if entry.edition() < spoken_of {
            return Standing::Outdated { spoken_of };
        }
        if entry.edition() == spoken_of && entry.least() >= limit {
            return Standing::Infeasible { said: SaidLeast::of(entry.least()), limit: SaidLeast::of(limit) };
        }
    }
    // In clear nothing was said but hops: those of the path are too many, whatever it costs.
    let hops = bounds.in_clear.map_or(0, |said| said.hops);
    let said = SaidLeast { cost: entry.said().cumulative_cost, hops: entry.said().hops };
    Standing::Infeasible { said, limit: SaidLeast { hops: HopCount(hops), ..said } }
}

fn standing(entry: &RoutingEntry, bounds: &Bounds, now_s: u32, approach: Option<Approach>) -> Standing {
    let Some(Approach { trust, .. }) = approach else { return Standing::Gone };
    if !bounds.admits(entry) {
        return barred(entry, bounds);
    }
    let (_, hops) = entry.metric();
    if hops > MAX_HOPS {
        Standing::TooLong
    } else if !entry.is_usable() {
        Standing::Unjudged
    } else if entry.is_distrusted() {
        Standing::Distrusted
    } else if trust == Trust::Doubted {
        Standing::Doubted
    } else if entry.is_stale(now_s) || trust == Trust::Quiet {
        Standing::Stale
    } else {
        Standing::Usable
    }
}
