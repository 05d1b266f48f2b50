//! Path costs, which every relay on a path computes for itself and all have to agree on.

use nexus_crypto::hash;
use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::{Seed, Stream};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Draw, Generation, Hop, HopCount, LatencyMs};

/// How many relay updates [`path_cost_digest`] is made of.
pub const UPDATES: u32 = 100_000;

/// A BLAKE3 chain over `updates` relay updates with pseudo-random inputs of every magnitude.
///
/// `digest = BLAKE3(digest ‖ cost before ‖ cost after ‖ price of the cost after u64 ‖ the hop's bandwidth code u8)`,
/// from 32 zero bytes on. The inputs come from the stream "path cost" forked from the seed of 32 bytes `c0`; how many
/// bytes each takes is what this function does.
#[must_use]
pub fn path_cost_digest(updates: u32) -> [u8; 32] {
    let mut random = Seed::new([0xc0; 32]).fork("path cost");
    let mut digest = [0; 32];
    for _ in 0..updates {
        let (before, hop, draw) = (any_cost(&mut random), any_hop(&mut random), any_draw(&mut random));
        let after = before.relayed(&hop, &draw);
        digest = hash::blake3(&[
            &digest,
            &encoded(before),
            &encoded(after),
            &after.cumulative_cost.price().unwrap_or(u64::MAX).to_le_bytes(),
            &[hop.bandwidth.0],
        ]);
    }
    digest
}

/// Uniform over the magnitudes rather than over the values.
fn any_magnitude(random: &mut Stream) -> u64 {
    let shift = u32::try_from(random.below(64)).expect("below 64");
    random.next_u64() >> shift
}

fn any_cost(random: &mut Stream) -> CompactPathCost {
    let price = any_magnitude(random);
    let cumulative_cost =
        if random.chance(1, 64) { CostCode::Unknown } else { CostCode::Known(PriceCode::nearest(price)) };
    let [bottleneck, hops] = random.bytes();
    CompactPathCost {
        cumulative_cost,
        worst_latency: LatencyMs::saturating(any_magnitude(random)),
        bottleneck: BandwidthCode(bottleneck),
        hops: HopCount(hops),
    }
}

fn any_hop(random: &mut Stream) -> Hop {
    Hop {
        price: any_magnitude(random),
        latency: LatencyMs::saturating(any_magnitude(random)),
        bandwidth: BandwidthCode::nearest(any_magnitude(random)),
    }
}

fn any_draw(random: &mut Stream) -> Draw {
    let generation = u8::try_from(random.below(64)).expect("below 64");
    Draw {
        destination: DestinationHash(random.bytes()),
        random_hash: random.bytes(),
        generation: Generation::new(generation).expect("below 64"),
        relay: NodeId(random.bytes()),
    }
}

fn encoded(cost: CompactPathCost) -> [u8; CompactPathCost::LEN] {
    let mut bytes = [0; CompactPathCost::LEN];
    cost.encode(&mut bytes).expect("a path cost has exactly this length");
    bytes
}
