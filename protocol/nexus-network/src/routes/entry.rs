//! One path in the table: 64 bytes.

use nexus_crypto::DestinationHash;
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Generation, Hop, HopCount, LatencyMs};
use nexus_wire::reticulum::RandomHash;

use super::choice::Approach;
use super::distance::{Edition, Metric, metric};
use super::policy::{KEPT, Merits};
use super::table::NOWHERE;
use crate::interface::InterfaceId;
use crate::links::LinkId;

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NextHop {
    /// Over a link.
    Link {
        /// Where it runs.
        iface: InterfaceId,
        /// Which.
        link: LinkId,
    },
    /// In clear: whoever was heard there.
    Clear(InterfaceId),
}

impl NextHop {
    /// The link, if it is one.
    #[must_use]
    pub const fn link(self) -> Option<LinkId> {
        match self {
            Self::Link { link, .. } => Some(link),
            Self::Clear(_) => None,
        }
    }

    /// The interface.
    #[must_use]
    pub const fn iface(self) -> InterfaceId {
        match self {
            Self::Link { iface, .. } | Self::Clear(iface) => iface,
        }
    }
}

/// What makes a path: what a neighbour said of a destination, and the hop to that neighbour.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Where it leads.
    pub destination: DestinationHash,
    /// Of which emission it was said.
    pub random_hash: RandomHash,
    /// Of which generation of its costs.
    pub generation: Generation,
    /// What was said.
    pub said: CompactPathCost,
    /// By whom.
    pub next_hop: NextHop,
    /// What was said, with the hop to the neighbour added and rounded.
    pub cost: CostCode,
    /// Whether the neighbour is the destination.
    pub stage: Stage,
}

/// How far along a path its next hop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is the destination: nobody is asked to carry a packet on.
    Last,
    /// There are others behind it.
    Relay,
}

/// Whether packets may go by a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A loop might come of it, or there is no next hop.
    Unusable,
    /// They may.
    Usable,
    /// They may, and nobody is told of it: its next hop may not be there.
    Doubted,
}

/// One path to a destination. Times are seconds since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutingEntry {
    destination: DestinationHash,
    random_hash: [u8; 10],
    generation: u8,
    next_hop: NextHop,
    said_cost: u16,
    said_latency: u16,
    said_bottleneck: u8,
    said_hops: u8,
    /// The least that the neighbour said of this edition: what it says later takes nothing back.
    least_cost: u16,
    least_hops: u8,
    /// Cost with the hop to the neighbour.
    cost: u16,
    /// 0 unknown, 1 never proved, 255 always.
    reliability: u8,
    /// The same when the candidates were judged last.
    judged: u8,
    flags: u8,
    /// How many packets went since the last proof, and what came of that.
    proofs: u8,
    updated: u32,
    expires: u32,
    used: u32,
    /// The next entry in the bucket.
    pub(super) next: u32,
}

const _: () = assert!(size_of::<RoutingEntry>() <= 64, "spec/network.md#routes");

/// A bit for each policy of which the winner is kept.
const WINS: u8 = (1 << KEPT) - 1;
const USABLE: u8 = 1 << 4;
const LAST: u8 = 1 << 5;
const FREE: u8 = 1 << 6;
const DOUBTED: u8 = 1 << 7;

/// Of `proofs`: so many packets are counted,
const UNPROVED: u8 = 0x3f;
/// whether one was ever proved,
const PROVED: u8 = 1 << 6;
/// and whether probes were not.
const DISTRUSTED: u8 = 1 << 7;

/// Each packet counts so much, of 256.
const RELIABILITY_STEP: u16 = 16;
/// What is chosen is chosen anew when a reliability changed by so much.
const RELIABILITY_CHANGE: u8 = 48;

impl RoutingEntry {
    pub(super) fn new(claim: &Claim, now_s: u32, life_s: u32) -> Self {
        let Claim { destination, random_hash, generation, said, next_hop, cost, stage } = claim;
        let (least_cost, least_hops) = metric(*said);
        Self {
            destination: *destination,
            random_hash: *random_hash.as_bytes(),
            generation: generation.get(),
            next_hop: *next_hop,
            said_cost: said.cumulative_cost.to_wire(),
            said_latency: said.worst_latency.0,
            said_bottleneck: said.bottleneck.0,
            said_hops: said.hops.0,
            least_cost,
            least_hops,
            cost: cost.to_wire(),
            reliability: 0,
            judged: 0,
            flags: match stage {
                Stage::Last => LAST,
                Stage::Relay => 0,
            },
            proofs: 0,
            updated: now_s,
            expires: now_s.saturating_add(life_s),
            used: now_s,
            next: NOWHERE,
        }
    }

    /// Takes over what the same neighbour says later. What it said of the same edition before still binds it.
    pub(super) fn renewed(self, later: Self) -> Self {
        let least =
            if self.edition() == later.edition() { self.least().min(later.least()) } else { later.least() };
        let flags = (self.flags & (WINS | USABLE | DOUBTED)) | (later.flags & LAST);
        let Self { reliability, judged, proofs, used, next, .. } = self;
        Self {
            least_cost: least.0,
            least_hops: least.1,
            flags,
            reliability,
            judged,
            proofs,
            used,
            next,
            ..later
        }
    }

    /// Where it leads.
    #[must_use]
    pub const fn destination(&self) -> DestinationHash {
        self.destination
    }

    /// Where it begins.
    #[must_use]
    pub const fn next_hop(&self) -> NextHop {
        self.next_hop
    }

    /// The emission of which it was said.
    #[must_use]
    pub const fn random_hash(&self) -> RandomHash {
        RandomHash::from_bytes(self.random_hash)
    }

    /// The edition of which it was said.
    #[must_use]
    pub fn edition(&self) -> Edition {
        Edition { emitted_at: self.random_hash().emitted_at(), generation: self.generation() }
    }

    /// Which generation of the emission's costs.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation::new(self.generation).expect("it was one when it was written")
    }

    /// Whether the next hop is the destination.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        if self.flags & LAST == 0 { Stage::Relay } else { Stage::Last }
    }

    /// How many of 255 packets were proved of late; none if nothing is known.
    #[must_use]
    pub const fn reliability(&self) -> Option<u8> {
        if self.reliability == 0 { None } else { Some(self.reliability) }
    }

    /// Whether packets may go that way: no loop can come of it.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.flags & USABLE != 0
    }

    /// Whether its next hop may not be there: nothing but such paths is withdrawn, and used all the same.
    #[must_use]
    pub const fn is_doubted(&self) -> bool {
        self.flags & DOUBTED != 0
    }

    /// Whether nobody said it for so long that it is kept for want of better only.
    #[must_use]
    pub const fn is_stale(&self, now_s: u32) -> bool {
        self.expires < now_s
    }

    /// Seconds since boot when it was said last.
    #[must_use]
    pub const fn updated_s(&self) -> u32 {
        self.updated
    }

    /// Seconds since boot from which on it is stale.
    #[must_use]
    pub const fn expires_s(&self) -> u32 {
        self.expires
    }

    /// What the neighbour said.
    #[must_use]
    pub fn said(&self) -> CompactPathCost {
        CompactPathCost {
            cumulative_cost: code(self.said_cost),
            worst_latency: LatencyMs(self.said_latency),
            bottleneck: BandwidthCode(self.said_bottleneck),
            hops: HopCount(self.said_hops),
        }
    }

    /// What it costs with `hop`, the one to the neighbour.
    #[must_use]
    pub fn total(&self, hop: &Hop) -> CompactPathCost {
        let said = self.said();
        CompactPathCost {
            cumulative_cost: code(self.cost),
            worst_latency: said.worst_latency.max(hop.latency),
            bottleneck: said.bottleneck.narrower(hop.bandwidth),
            hops: said.hops.next(),
        }
    }

    /// What it costs with the hop to the neighbour.
    pub(crate) fn asked(&self) -> CostCode {
        code(self.cost)
    }

    pub(super) const fn least(&self) -> Metric {
        (self.least_cost, self.least_hops)
    }

    /// Cost and hops, the hop to the neighbour included.
    pub(super) const fn metric(&self) -> Metric {
        (self.cost, self.said_hops.saturating_add(1))
    }

    /// What it is judged by; without a way to the neighbour, by what that one said.
    pub(super) fn merits(&self, approach: Option<&Approach>) -> Merits {
        let cost = code(self.cost).price();
        let latency_ms = self.said_latency.max(approach.map_or(0, |approach| approach.hop.latency.0));
        let first_hop = approach.and_then(|approach| approach.reliability);
        Merits { cost, latency_ms, reliability: no_more_than(self.reliability(), first_hop) }
    }

    pub(crate) const fn set_cost(&mut self, cost: CostCode) {
        self.cost = cost.to_wire();
    }

    pub(super) const fn set_next_hop(&mut self, next_hop: NextHop) {
        self.next_hop = next_hop;
    }

    /// A packet went that way: it is unproved until its proof comes.
    pub(crate) fn sent(&mut self) {
        let before = if self.reliability == 0 { 128 } else { u16::from(self.reliability) };
        let after = before.saturating_sub(before.saturating_mul(RELIABILITY_STEP) / 256);
        self.reliability = u8::try_from(after).unwrap_or(u8::MAX).max(1);
        if self.unproved() < UNPROVED {
            self.proofs = self.proofs.saturating_add(1);
        }
    }

    /// The proof of a packet came back.
    pub(crate) fn proved(&mut self) {
        let after = u16::from(self.reliability).saturating_add(RELIABILITY_STEP);
        self.reliability = u8::try_from(after).unwrap_or(u8::MAX);
        self.proofs = (self.proofs & DISTRUSTED) | PROVED;
    }

    /// How many packets went that way since the last proof; 63 if more did.
    pub(crate) const fn unproved(&self) -> u8 {
        self.proofs & UNPROVED
    }

    /// Whether a packet that went that way was ever proved.
    pub(crate) const fn was_proved(&self) -> bool {
        self.proofs & PROVED != 0
    }

    /// Packets that were not proved so far do not count.
    pub(crate) const fn forgive(&mut self) {
        self.proofs &= !UNPROVED;
    }

    /// Whether probes of it were lost: nothing goes that way while there is another.
    #[must_use]
    pub const fn is_distrusted(&self) -> bool {
        self.proofs & DISTRUSTED != 0
    }

    pub(crate) const fn distrust(&mut self) {
        self.proofs |= DISTRUSTED;
    }

    /// It loses so much that nothing need have been proved of it: it is treated as if something was.
    pub(crate) const fn excuse(&mut self) {
        self.proofs |= PROVED;
    }

    pub(crate) const fn trust(&mut self) {
        self.proofs &= !DISTRUSTED;
    }

    /// Whether it became so much more or less reliable that the candidates are to be judged anew.
    pub(crate) const fn is_to_be_judged(&self) -> bool {
        self.reliability.abs_diff(self.judged) >= RELIABILITY_CHANGE
    }

    pub(crate) const fn use_at(&mut self, now_s: u32) {
        self.used = now_s;
    }

    pub(crate) const fn used(&self) -> u32 {
        self.used
    }

    pub(crate) const fn wins(&self, policy: u8) -> bool {
        self.flags & (1 << policy) != 0
    }

    /// Sets whether it is usable, and of which policies it is the best.
    pub(super) const fn judge(&mut self, standing: Standing, wins: u8) {
        let standing = match standing {
            Standing::Unusable => 0,
            Standing::Usable => USABLE,
            Standing::Doubted => USABLE | DOUBTED,
        };
        self.flags = (self.flags & !(USABLE | DOUBTED | WINS)) | standing | (wins & WINS);
        self.judged = self.reliability;
    }

    pub(super) const fn free(&mut self, next: u32) {
        self.flags = FREE;
        self.next = next;
    }

    pub(super) const fn is_free(&self) -> bool {
        self.flags & FREE != 0
    }
}

/// A path is not more reliable than its first hop. Of what lies behind that nothing is known before a proof: half of it.
fn no_more_than(path: Option<u8>, first_hop: Option<u8>) -> Option<u8> {
    match (path, first_hop) {
        (Some(path), Some(first_hop)) => Some(path.min(first_hop)),
        (None, Some(first_hop)) => Some((first_hop / 2).saturating_add(first_hop & 1).max(1)),
        (path, None) => path,
    }
}

fn code(wire: u16) -> CostCode {
    CostCode::from_wire(wire).expect("it was a code when it was written")
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::claim;
    use super::*;

    #[test]
    fn what_a_neighbour_takes_back_within_an_edition_still_binds_it() {
        let first = RoutingEntry::new(&claim(1, 1, 10), 0, 100);
        let raised = first.renewed(RoutingEntry::new(&claim(1, 1, 90), 5, 100));
        assert_eq!(raised.said(), claim(1, 1, 90).said);
        assert_eq!(raised.least(), first.least());
        let next = Claim { generation: Generation::new(1).unwrap(), ..claim(1, 1, 90) };
        let begun = raised.renewed(RoutingEntry::new(&next, 5, 100));
        assert_eq!(begun.least(), metric(next.said), "another edition, another word");
        assert_eq!((begun.updated_s(), begun.is_stale(105), begun.is_stale(106)), (5, false, true));
    }

    #[test]
    fn reliability_follows_the_share_of_packets_that_are_proved() {
        let settled = |proved_of_four: u32| {
            let mut entry = RoutingEntry::new(&claim(1, 1, 10), 0, 100);
            for n in 0..400 {
                entry.sent();
                if n % 4 < proved_of_four {
                    entry.proved();
                }
            }
            entry.reliability().unwrap()
        };
        assert_eq!(RoutingEntry::new(&claim(1, 1, 10), 0, 100).reliability(), None);
        assert!(settled(4) > 235, "{}", settled(4));
        assert!((100..156).contains(&settled(2)), "{}", settled(2));
        assert!(settled(0) < 20, "{}", settled(0));
    }
}
