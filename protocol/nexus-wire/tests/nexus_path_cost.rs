//! Path-cost arithmetic against big integers: every code, every boundary, the rounding and the relay's update.
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows is a failing test")]

use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::{Seed, Stream};
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Draw, Generation, Hop, HopCount, LatencyMs};
use num_bigint::BigUint;
use proptest::prelude::*;

/// `round(16 × log2(n))`: the length of n^32 in bits, halved. Exact, because no power n^32 is an odd power of two.
fn nearest_sixteenth(n: &BigUint) -> u64 {
    n.pow(32).bits() / 2
}

/// `round(8 × log2(n))`, likewise.
fn nearest_eighth(n: &BigUint) -> u64 {
    n.pow(16).bits() / 2
}

/// `round(2^(code/steps))`: twice the power, rounded down, tells the half.
fn power(code: u16, steps: u32) -> BigUint {
    let doubled = (BigUint::from(1_u8) << (u32::from(code) + steps)).nth_root(steps);
    (doubled + 1_u8) >> 1
}

fn n(price: u64) -> BigUint {
    BigUint::from(price) + 1_u8
}

fn all_codes() -> impl Iterator<Item = PriceCode> {
    (0..=u16::MAX).filter_map(PriceCode::new)
}

#[test]
fn every_boundary_between_codes_is_exact() {
    for code in 0..1024_u16 {
        // The smallest n that lies beyond 2^((2 code + 1)/32).
        let beyond = (BigUint::from(1_u8) << (2 * u32::from(code) + 1)).nth_root(32) + 1_u8;
        for candidate in [&beyond - 1_u8, beyond.clone(), &beyond + 1_u8] {
            let Ok(price) = u64::try_from(&candidate - 1_u8) else { continue };
            let oracle = nearest_sixteenth(&candidate);
            assert_eq!(u64::from(PriceCode::nearest(price).get()), oracle, "price {price}");
        }
        assert!(nearest_sixteenth(&beyond) > u64::from(code));
        assert!(nearest_sixteenth(&(beyond - 1_u8)) <= u64::from(code));
    }
    assert_eq!((PriceCode::nearest(0), PriceCode::nearest(u64::MAX)), (PriceCode::FREE, PriceCode::MAX));
}

#[test]
fn every_code_decodes_to_the_nearest_integer() {
    for code in all_codes() {
        assert_eq!(n(code.price()), power(code.get(), 16), "{code:?}");
    }
}

#[test]
fn a_code_exists_exactly_if_some_price_encodes_to_it() {
    let mut existing = vec![0];
    for code in 0..1024_u16 {
        let beyond = (BigUint::from(1_u8) << (2 * u32::from(code) + 1)).nth_root(32) + 1_u8;
        existing.push(u16::try_from(nearest_sixteenth(&beyond)).unwrap());
    }
    existing.dedup();
    assert_eq!(all_codes().map(PriceCode::get).collect::<Vec<_>>(), existing);
    assert!((1..16).all(|code| PriceCode::new(code).is_none()));
    assert_eq!(CostCode::from_wire(0xffff), Some(CostCode::Unknown));
    assert!((1025..0xffff).all(|code| CostCode::from_wire(code).is_none()));
}

#[test]
fn every_code_survives_its_own_price_and_prices_rise_with_codes() {
    let mut previous: Option<PriceCode> = None;
    for code in all_codes() {
        assert_eq!(PriceCode::nearest(code.price()), code);
        assert_eq!(code.lower(), previous);
        if let Some(previous) = previous {
            assert!(previous.price() < code.price());
            assert_eq!(previous.upper(), Some(code));
        }
        previous = Some(code);
    }
    assert_eq!(previous, Some(PriceCode::MAX));
    assert_eq!((PriceCode::MAX.upper(), PriceCode::MAX.price()), (None, u64::MAX));
}

#[test]
fn every_bandwidth_boundary_is_exact_and_everything_beyond_4_gbps_is_one_code() {
    for code in 0..255_u8 {
        let beyond = (BigUint::from(1_u8) << (2 * u32::from(code) + 1)).nth_root(16) + 1_u8;
        for candidate in [&beyond - 1_u8, beyond.clone(), &beyond + 1_u8] {
            let bps = u64::try_from(&candidate).unwrap();
            let oracle = nearest_eighth(&candidate).min(255);
            assert_eq!(u64::from(BandwidthCode::nearest(bps).0), oracle, "{bps} bit/s");
        }
    }
    for code in 1..=255 {
        assert_eq!(BandwidthCode(code).bps().map(BigUint::from), Some(power(u16::from(code), 8)));
    }
    assert_eq!(BandwidthCode::nearest(4_000_000_000), BandwidthCode::MAX);
    assert_eq!(BandwidthCode::nearest(u64::MAX), BandwidthCode::MAX);
    assert_eq!((BandwidthCode::nearest(0), BandwidthCode::nearest(1)), (BandwidthCode(0), BandwidthCode(0)));
}

/// Uniform over magnitudes, so that small prices are met as often as large ones.
fn price() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(price, shift)| price >> shift)
}

proptest! {
    #[test]
    fn encoding_agrees_with_big_integers(price in price()) {
        prop_assert_eq!(u64::from(PriceCode::nearest(price).get()), nearest_sixteenth(&n(price)));
        if price > 0 {
            let oracle = nearest_eighth(&BigUint::from(price)).min(255);
            prop_assert_eq!(u64::from(BandwidthCode::nearest(price).0), oracle);
        }
    }

    #[test]
    fn rounding_chooses_between_the_neighbours_as_the_draw_says(price in price(), draw in any::<u64>()) {
        let low = all_codes().take_while(|code| code.price() <= price).last().unwrap();
        let rounded = PriceCode::rounded_without_bias(price, || draw);
        if low.price() == price {
            prop_assert_eq!(rounded, low);
        } else {
            let high = low.upper().unwrap();
            let drawn = BigUint::from(draw) * (high.price() - low.price());
            let upper = drawn < BigUint::from(price - low.price()) << 64;
            prop_assert_eq!(rounded, if upper { high } else { low });
        }
    }

    #[test]
    fn a_price_that_a_code_stands_for_never_changes(price in price(), draw in any::<u64>()) {
        let code = PriceCode::nearest(price);
        prop_assert_eq!(PriceCode::rounded_without_bias(code.price(), || draw), code);
    }

    #[test]
    fn what_is_worst_so_far_stays_worst(latency in any::<u16>(), own in any::<u16>(), a in any::<u8>(), b in any::<u8>()) {
        let hop = Hop { price: 0, latency: LatencyMs(own), bandwidth: BandwidthCode(b) };
        let cost = CompactPathCost {
            worst_latency: LatencyMs(latency), bottleneck: BandwidthCode(a), ..CompactPathCost::ORIGIN
        };
        let relayed = cost.relayed(&hop, &draw(&mut stream()));
        prop_assert_eq!(relayed.worst_latency.0, latency.max(own));
        prop_assert_eq!(relayed.bottleneck.0, if a == 0 { b } else if b == 0 { a } else { a.min(b) });
    }
}

fn stream() -> Stream {
    Seed::new([7; 32]).fork("path cost tests")
}

fn draw(random: &mut Stream) -> Draw {
    Draw {
        destination: DestinationHash(random.bytes()),
        random_hash: random.bytes(),
        generation: Generation::FIRST,
        relay: NodeId(random.bytes()),
    }
}

fn hop(price: u64) -> Hop {
    Hop { price, latency: LatencyMs(1), bandwidth: BandwidthCode::MAX }
}

fn at_cost(code: PriceCode) -> CompactPathCost {
    CompactPathCost { cumulative_cost: CostCode::Known(code), ..CompactPathCost::ORIGIN }
}

#[test]
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "statistics of a test")]
fn over_many_draws_the_mean_of_a_rounded_sum_is_the_sum() {
    let mut random = stream();
    for (base, added) in
        [(0, 1), (0, 4), (1_000, 3), (1_000, 37), (123_456_789, 1_000_000), (1 << 60, 1 << 50)]
    {
        let base = PriceCode::nearest(base);
        let sum = base.price() + added;
        let (draws, mut upper) = (40_000, 0_u32);
        let low = PriceCode::rounded_without_bias(sum, || u64::MAX);
        let high = PriceCode::rounded_without_bias(sum, || 0);
        for _ in 0..draws {
            let relayed = at_cost(base).relayed(&hop(added), &draw(&mut random)).cumulative_cost;
            upper += u32::from(relayed != CostCode::Known(low));
            assert!(relayed == CostCode::Known(low) || relayed == CostCode::Known(high));
        }
        if low == high {
            assert_eq!(sum, low.price());
            continue;
        }
        let chance = (sum - low.price()) as f64 / (high.price() - low.price()) as f64;
        let (mean, sigma) = (f64::from(draws) * chance, (f64::from(draws) * chance * (1.0 - chance)).sqrt());
        assert!(
            (f64::from(upper) - mean).abs() <= 5.0 * sigma,
            "{sum}: {upper} of {draws}, not {mean} ± {sigma}"
        );
    }
}

#[test]
#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "statistics of a test")]
fn ten_small_hops_add_up_without_drift() {
    let mut random = stream();
    let (paths, hops, each, start) = (20_000_u32, 10_u32, 7_u64, PriceCode::nearest(10_000));
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..paths {
        let end = (0..hops).fold(at_cost(start), |cost, _| cost.relayed(&hop(each), &draw(&mut random)));
        let added = end.cumulative_cost.price().unwrap() as f64 - start.price() as f64;
        sum += added;
        squares += added * added;
    }
    let mean = sum / f64::from(paths);
    let sigma = ((squares / f64::from(paths) - mean * mean) / f64::from(paths)).sqrt();
    let truth = f64::from(hops) * each as f64;
    assert!((mean - truth).abs() <= 5.0 * sigma, "{mean} instead of {truth}, σ of the mean {sigma}");
}

#[test]
fn a_sum_beyond_u64_saturates_at_the_highest_price() {
    let relayed = at_cost(PriceCode::MAX).relayed(&hop(u64::MAX), &draw(&mut stream()));
    assert_eq!(relayed.cumulative_cost, CostCode::Known(PriceCode::MAX));
    let far = CompactPathCost { hops: HopCount(255), ..relayed };
    assert_eq!(far.relayed(&hop(0), &draw(&mut stream())).hops, HopCount(255));
    assert_eq!(LatencyMs::saturating(70_000), LatencyMs(u16::MAX));
}

#[test]
fn an_unknown_cost_stays_unknown_and_an_unknown_bandwidth_says_nothing() {
    let unknown = CompactPathCost { cumulative_cost: CostCode::Unknown, ..CompactPathCost::ORIGIN };
    let relayed = unknown.relayed(&hop(5), &draw(&mut stream()));
    assert_eq!((relayed.cumulative_cost, relayed.cumulative_cost.price()), (CostCode::Unknown, None));
    assert_eq!((relayed.bottleneck, relayed.hops), (BandwidthCode::MAX, HopCount(1)));
    assert!(CostCode::Known(PriceCode::MAX) < CostCode::Unknown, "unknown is the last choice");
}

#[test]
fn a_draw_depends_on_every_one_of_its_inputs() {
    let first = draw(&mut stream());
    let others = [
        Draw { destination: DestinationHash([0; 16]), ..first },
        Draw { random_hash: [0; 10], ..first },
        Draw { generation: Generation::LAST, ..first },
        Draw { relay: NodeId([0; 16]), ..first },
    ];
    assert!(others.iter().all(|other| other.value() != first.value()));
    assert_eq!((Generation::LAST.next(), Generation::new(64)), (None, None));
}

#[test]
fn a_relay_update_allocates_nothing() {
    let draw = draw(&mut stream());
    let (_, peak) = nexus_testkit::heap::peak_of(|| CompactPathCost::ORIGIN.relayed(&hop(1_234_567), &draw));
    assert_eq!(peak, 0);
}
