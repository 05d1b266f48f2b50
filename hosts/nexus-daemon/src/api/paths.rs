//! What is told of paths, and how they are chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// By what a path is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathPolicy {
    /// What costs least.
    Cheapest,
    /// What takes the least time.
    Fastest,
    /// What was proved most often.
    Reliable,
    /// Something of all three.
    #[default]
    Balanced,
}

impl PathPolicy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cheapest, Self::Fastest, Self::Reliable, Self::Balanced];

    /// How it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cheapest => "cheapest",
            Self::Fastest => "fastest",
            Self::Reliable => "reliable",
            Self::Balanced => "balanced",
        }
    }
}

impl fmt::Display for PathPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is no policy of paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no way to choose paths: say \"cheapest\", \"fastest\", \"reliable\" or \"balanced\"")]
pub struct NotAPathPolicy(String);

impl FromStr for PathPolicy {
    type Err = NotAPathPolicy;

    fn from_str(text: &str) -> Result<Self, NotAPathPolicy> {
        let named = Self::ALL.into_iter().find(|policy| policy.name() == text);
        named.ok_or_else(|| NotAPathPolicy(text.to_owned()))
    }
}

/// Answers [`Verb::Paths`](super::Verb::Paths).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// Destinations to which there is a way, by their hashes.
    pub paths: Vec<Path>,
    /// Where to go on, as `after`, if there are more than fit one line.
    pub next: Option<String>,
}

/// A destination and the chosen way there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    /// The destination's hash; a NEXUS node's id.
    pub destination: String,
    /// Whether it is a NEXUS node, which can be written to.
    pub node: bool,
    /// How many hops it is away.
    pub hops: u8,
    /// The interface's name.
    pub interface: String,
    /// The neighbour that carries it: its node id, or its identity hash where it speaks in clear; none if the destination
    /// is the neighbour.
    pub via: Option<String>,
    /// What the way charges and how good it is, where that is known.
    pub cost: Option<Cost>,
    /// How many of a hundred packets were proved of late; none if nothing is known.
    pub reliability_percent: Option<u8>,
    /// How many other ways are known, usable or not.
    pub others: u64,
    /// Its announce's emission, in Unix seconds.
    pub emission: u64,
    /// Seconds since it was heard.
    pub age_s: u64,
    /// Seconds until the way counts as stale, unless it is used or said again; 0 if it does.
    #[serde(default)]
    pub expires_in_s: u64,
}

/// A path's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// µNXS for 1,024 bytes; none if unknown.
    pub unxs_per_kib: Option<u64>,
    /// The largest one-way latency of any hop, in milliseconds.
    pub worst_latency_ms: u16,
    /// The smallest bandwidth on the way, in bits per second; 0 if unknown.
    pub bottleneck_bps: u64,
}

/// Answers [`Verb::Path`](super::Verb::Path): everything that is known of the ways to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// The destination's hash.
    pub destination: String,
    /// Whether it is a NEXUS node, which can be written to.
    pub node: bool,
    /// Its newest verified emission, in Unix seconds.
    pub emission: u64,
    /// Seconds since that was heard.
    pub age_s: u64,
    /// The policy that was asked about, or holds if nobody says otherwise.
    pub policy: PathPolicy,
    /// Every way, at most four: the chosen one first, then those that may be used, the best first.
    pub ways: Vec<Way>,
}

/// A way to a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The neighbour: its node id, or its identity hash where it speaks in clear; none if that is not known.
    pub via: Option<String>,
    /// Whether the neighbour is the destination.
    pub last: bool,
    /// The interface's name.
    pub interface: String,
    /// What the neighbour said.
    pub said: Quote,
    /// The same with the hop to the neighbour.
    pub total: Quote,
    /// How many of a hundred packets were proved of late; none if nothing is known.
    pub reliability_percent: Option<u8>,
    /// Of which emission that was said, in Unix seconds,
    pub emission: u64,
    /// and of which generation of its costs.
    pub generation: u8,
    /// Seconds since it was said last.
    pub age_s: u64,
    /// Seconds until it counts as stale; 0 if it does.
    pub expires_in_s: u64,
    /// Whether packets may go that way, and if not, why.
    pub standing: Standing,
    /// How it does by each policy, in ten-thousandths: the least is best. Empty if it does not compete.
    pub scores: BTreeMap<PathPolicy, u16>,
    /// The policies that choose it.
    pub chosen_by: BTreeSet<PathPolicy>,
}

/// What somebody says of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// µNXS for 1,024 bytes; none if unknown.
    pub unxs_per_kib: Option<u64>,
    /// The largest one-way latency of any hop, in milliseconds.
    pub worst_latency_ms: u16,
    /// The smallest bandwidth on the way, in bits per second; 0 if unknown.
    pub bottleneck_bps: u64,
    /// Hops.
    pub hops: u8,
}

/// The least that somebody said of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// µNXS for 1,024 bytes; none if unknown.
    pub unxs_per_kib: Option<u64>,
    /// Hops.
    pub hops: u8,
}

/// Whether packets may go a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// They may.
    Usable,
    /// They may where there is no other: nobody said it of late.
    Stale,
    /// They may where there is no other: its neighbour does not answer.
    Doubted,
    /// They may where there is no other: packets and probes that went that way were not proved.
    Distrusted,
    /// Not: it may lead back here. Its neighbour said `said` where this node said `limit`.
    Infeasible {
        /// The least that the neighbour said.
        said: Said,
        /// The least that this node said.
        limit: Said,
    },
    /// Not: it may lead back here. It is of costs that are older than those that this node spoke of.
    Outdated,
    /// Not: it is longer than a packet may travel.
    TooLong,
    /// Not: its neighbour is gone.
    Gone,
    /// Not yet: it was judged before what is known of it changed.
    Unjudged,
    /// What this program does not know.
    #[serde(other)]
    Unknown,
}

impl Standing {
    /// Whether packets may go that way.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Usable | Self::Stale | Self::Doubted | Self::Distrusted)
    }
}

/// Answers [`Verb::DropPaths`](super::Verb::DropPaths): they are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// How many ways there were, those that could not be used among them.
    pub ways: u64,
}

/// Answers [`Verb::FindPath`](super::Verb::FindPath): there is a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// How many hops it is.
    pub hops: u8,
    /// How long it was looked for, in milliseconds; 0 if it was known.
    pub after_ms: u64,
}

/// Answers [`Verb::Trace`](super::Verb::Trace).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traced {
    /// How often it was asked.
    pub attempts: u32,
    /// From the attempt that was answered to the answer, in microseconds.
    pub round_trip_us: u64,
    /// Over how many hops the question came there, by the destination's word.
    pub hops_there: u8,
    /// Over how many hops the answer came here.
    pub hops_back: u8,
    /// The destination's clock, in Unix milliseconds; none if it has none.
    pub clock_ms: Option<u64>,
    /// What the destination knows of its way here, by its word; none if it knows none.
    pub way_back: Option<Quote>,
}

/// Where a way begins, as events say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The neighbour: its node id, or its identity hash where it speaks in clear; none if that is not known.
    pub via: Option<String>,
    /// The interface's name.
    pub interface: String,
    /// How many hops it is to the destination.
    pub hops: u8,
}
