//! What is best: cost, latency and reliability, weighed in fixed point, the same on every target.
//!
//! `score = β·cost + γ·latency + δ·(1 − reliability)`, each on its decoded value as a share of the largest among the candidates; the
//! least wins. The distance on the ring is the same for all candidates for a known destination and drops out; for an unknown one it
//! says whom to ask: `α·ring distance + β·cost + γ·latency` of each neighbour.
//! Source: spec/network.md#routes, spec/network.md#path-requests.

use nexus_wire::nexus::traffic::Class;

/// By what a path is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathPolicy {
    /// What costs least.
    Cheapest,
    /// What takes the least time.
    Fastest,
    /// What was proved most often.
    MostReliable,
    /// These weights.
    Balanced(Weights),
}

/// Weights as shares of 65,536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// α: of the distance on the ring from a neighbour to a destination to which no path is known.
    pub ring: u16,
    /// β: of the cost.
    pub cost: u16,
    /// γ: of the worst latency of any hop.
    pub latency: u16,
    /// δ: of what reliability lacks to certainty.
    pub unreliability: u16,
}

const TENTH: u16 = 6_554;
const EIGHT_TENTHS: u16 = 52_429;

impl Weights {
    /// What [`PathPolicy::Balanced`] means if nobody says otherwise: four, three and three tenths.
    pub const DEFAULT: Self = Self { ring: TENTH, cost: 26_214, latency: 19_661, unreliability: 19_661 };
    const CHEAPEST: Self = Self { ring: TENTH, cost: EIGHT_TENTHS, latency: TENTH, unreliability: 0 };
    const FASTEST: Self = Self { ring: TENTH, cost: TENTH, latency: EIGHT_TENTHS, unreliability: 0 };
    const MOST_RELIABLE: Self =
        Self { ring: TENTH, cost: TENTH, latency: TENTH, unreliability: EIGHT_TENTHS };
}

impl Default for PathPolicy {
    fn default() -> Self {
        Self::Balanced(Weights::DEFAULT)
    }
}

/// Prices that differ by no more than this part are about the same: codes are 4.4 % apart.
const BAND: u64 = 16;

/// For how many policies the winner is kept.
pub(super) const KEPT: u8 = 4;
/// Those policies, by their numbers.
pub(super) const KEPT_POLICIES: [PathPolicy; 4] = [
    PathPolicy::Cheapest,
    PathPolicy::Fastest,
    PathPolicy::MostReliable,
    PathPolicy::Balanced(Weights::DEFAULT),
];

impl PathPolicy {
    /// By what a relay chooses for a packet of this class.
    #[must_use]
    pub fn of_class(class: Class) -> Self {
        match class {
            Class::RealTime => Self::Fastest,
            Class::Interactive => Self::default(),
            Class::Standard | Class::Bulk => Self::Cheapest,
        }
    }

    /// Whether a candidate competes, where the least price is `least`: by all policies but [`PathPolicy::Cheapest`] all do.
    pub(super) fn admits(self, merits: &Merits, least: Option<u64>) -> bool {
        match self {
            Self::Cheapest => least.is_none_or(|least| merits.price() <= least.saturating_add(least / BAND)),
            Self::Fastest | Self::MostReliable | Self::Balanced(_) => true,
        }
    }

    const fn weights(self) -> Weights {
        match self {
            Self::Cheapest => Weights::CHEAPEST,
            Self::Fastest => Weights::FASTEST,
            Self::MostReliable => Weights::MOST_RELIABLE,
            Self::Balanced(weights) => weights,
        }
    }

    /// Under which number its winner is kept; none of weights that somebody chose.
    pub(crate) fn number(self) -> Option<u8> {
        match self {
            Self::Cheapest => Some(0),
            Self::Fastest => Some(1),
            Self::MostReliable => Some(2),
            Self::Balanced(weights) => (weights == Weights::DEFAULT).then_some(3),
        }
    }
}

/// What a path is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merits {
    /// µNXS per 1,024 bytes, unless unknown.
    pub cost: Option<u64>,
    /// The largest one-way latency of any hop.
    pub latency_ms: u16,
    /// How many of 255 packets arrive, unless unknown.
    pub reliability: Option<u8>,
}

impl Merits {
    /// The price; what is unknown is as dear as can be.
    pub(super) fn price(&self) -> u64 {
        self.cost.unwrap_or(u64::MAX)
    }
}

/// The largest of each among a set of candidates.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Largest {
    cost: u64,
    latency_ms: u16,
}

impl Largest {
    pub(super) fn with(self, merits: &Merits) -> Self {
        Self {
            cost: self.cost.max(merits.cost.unwrap_or(0)),
            latency_ms: self.latency_ms.max(merits.latency_ms),
        }
    }
}

/// A latency counts as a share of this at least: what differs by less is the same machine on another day, and is not told on either.
const TELLING_MS: u16 = 5;
/// One, in Q0.16.
const ONE: u64 = 1 << 16;

/// `part` of `whole` in Q0.16, of nothing nothing.
fn share(part: u64, whole: u64) -> u64 {
    let scaled = u128::from(part) << 16;
    let share = scaled.checked_div(u128::from(whole)).unwrap_or(0);
    u64::try_from(share).unwrap_or(ONE).min(ONE)
}

/// The score of a candidate in Q0.16: the least is best.
pub(super) fn score(policy: PathPolicy, merits: &Merits, largest: &Largest) -> u32 {
    let Weights { ring: _, cost, latency, unreliability } = policy.weights();
    // What is not known may be as dear as the dearest, and as likely to arrive as not.
    let cost_share = merits.cost.map_or(ONE, |price| share(price, largest.cost));
    let latency_share = share(merits.latency_ms.into(), largest.latency_ms.max(TELLING_MS).into());
    let lacking =
        merits.reliability.map_or(ONE / 2, |reliability| share((u8::MAX ^ reliability).into(), 255));
    weigh([(cost, cost_share), (latency, latency_share), (unreliability, lacking)])
}

/// The sum of shares by their weights, in Q0.16.
fn weigh(shares: [(u16, u64); 3]) -> u32 {
    let sum = shares
        .into_iter()
        .fold(0_u64, |sum, (weight, share)| sum.saturating_add(u64::from(weight).saturating_mul(share)));
    u32::try_from(sum >> 16).unwrap_or(u32::MAX)
}

/// What a neighbour is judged by who is to be asked for a destination that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// From its address to the destination, see [`ring_distance`].
    pub ring: u128,
    /// What this node charges for the hop, in µNXS per 1,024 bytes.
    pub cost: u64,
    /// The hop's one-way latency.
    pub latency_ms: u16,
}

/// From one address to another on the ring of all 2¹²⁸, the shorter way round.
#[must_use]
pub const fn ring_distance(one: u128, other: u128) -> u128 {
    let way = one.wrapping_sub(other);
    let back = way.wrapping_neg();
    if way < back { way } else { back }
}

/// The largest of each among the neighbours that might be asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LargestProspect {
    ring: u64,
    cost: u64,
    latency_ms: u16,
}

impl LargestProspect {
    pub(crate) fn with(self, prospect: &Prospect) -> Self {
        Self {
            ring: self.ring.max(upper_half(prospect.ring)),
            cost: self.cost.max(prospect.cost),
            latency_ms: self.latency_ms.max(prospect.latency_ms),
        }
    }
}

/// Distances that differ below this half tell nobody apart: sixteen bits of a share are left.
fn upper_half(ring: u128) -> u64 {
    u64::try_from(ring >> 64).unwrap_or(u64::MAX)
}

/// The score of a neighbour in Q0.16: the least is asked first.
pub(crate) fn score_of_prospect(policy: PathPolicy, prospect: &Prospect, largest: &LargestProspect) -> u32 {
    let Weights { ring, cost, latency, unreliability: _ } = policy.weights();
    weigh([
        (ring, share(upper_half(prospect.ring), largest.ring)),
        (cost, share(prospect.cost, largest.cost)),
        (latency, share(prospect.latency_ms.into(), largest.latency_ms.into())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_prefers_what_it_is_named_for() {
        let cheap = merits(100, 900, Some(100));
        let fast = merits(900, 20, Some(100));
        let sure = merits(900, 900, Some(250));
        let middling = merits(450, 300, Some(200));
        let best = |policy| {
            let all = [cheap, fast, sure, middling];
            let largest = all.iter().fold(Largest::default(), Largest::with);
            (0..4).min_by_key(|n| score(policy, &all[*n], &largest)).unwrap()
        };
        let policies =
            [PathPolicy::Cheapest, PathPolicy::Fastest, PathPolicy::MostReliable, PathPolicy::default()];
        assert_eq!(policies.map(best), [0, 1, 2, 3]);
    }

    #[test]
    fn scores_are_shares_of_the_largest_in_sixteen_bits() {
        let largest =
            [merits(200, 10, None), merits(100, 40, None)].iter().fold(Largest::default(), Largest::with);
        let cheapest = |cost, latency| score(PathPolicy::Cheapest, &merits(cost, latency, None), &largest);
        // 0.8 · 1 + 0.1 · 0.25, and 0.8 · 0.5 + 0.1 · 1.
        assert_eq!((cheapest(200, 10), cheapest(100, 40)), (54_067, 32_768));
        let unknown = Merits { cost: None, ..merits(0, 0, None) };
        assert_eq!(score(PathPolicy::Cheapest, &unknown, &largest), 52_429, "as dear as the dearest");
        let dear = merits(u64::MAX, u16::MAX, Some(255));
        assert_eq!(score(PathPolicy::default(), &dear, &Largest::default().with(&dear)), 45_875);
    }

    #[test]
    fn where_all_is_free_the_cost_says_nothing() {
        let free = merits(0, 5, None);
        assert_eq!(score(PathPolicy::Cheapest, &free, &Largest::default().with(&free)), 6_554);
    }

    #[test]
    fn the_ring_is_measured_the_shorter_way_round() {
        assert_eq!(ring_distance(5, 3), 2);
        assert_eq!(ring_distance(3, 5), 2);
        assert_eq!(ring_distance(u128::MAX, 1), 2, "across zero");
        assert_eq!(ring_distance(0, 1 << 127), 1 << 127, "the far side");
    }

    #[test]
    fn for_an_unknown_destination_the_nearest_on_the_ring_is_asked_among_equals() {
        let prospect = |ring: u128, cost, latency_ms| Prospect { ring: ring << 100, cost, latency_ms };
        let best = |policy, all: [Prospect; 3]| {
            let largest = all.iter().fold(LargestProspect::default(), LargestProspect::with);
            (0..3).min_by_key(|n| score_of_prospect(policy, &all[*n], &largest)).unwrap()
        };
        let alike = [prospect(900, 0, 20), prospect(40, 0, 20), prospect(500, 0, 20)];
        for policy in KEPT_POLICIES {
            assert_eq!(best(policy, alike), 1);
        }
        let unlike = [prospect(40, 1_000, 20), prospect(60, 10, 20), prospect(50, 1_000, 400)];
        assert_eq!(best(PathPolicy::Cheapest, unlike), 1, "but the cost counts for more");
        let near = prospect(1 << 27, 500, 100);
        let largest = LargestProspect::default().with(&near);
        // 0.1 + 0.1 + 0.8, each of the largest.
        assert_eq!(score_of_prospect(PathPolicy::Fastest, &near, &largest), 65_537);
    }

    fn merits(cost: u64, latency_ms: u16, reliability: Option<u8>) -> Merits {
        Merits { cost: Some(cost), latency_ms, reliability }
    }
}
