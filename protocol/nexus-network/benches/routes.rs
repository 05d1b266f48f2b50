//! What the table of paths costs: a look-up, a choice, a path more, room for one more in a full table, and all that one link reaches.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nexus_crypto::DestinationHash;
use nexus_machine::{Key, Seed};
use nexus_network::routes::{Approach, Bounds, Claim, NextHop, Put, Stage, Stance, Table};
use nexus_network::{InterfaceId, LinkId, PathPolicy, Trust};
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Generation, Hop, LatencyMs};
use nexus_wire::reticulum::RandomHash;

const SIZES: [u32; 2] = [1_000, 1_000_000];

fn look_up(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("routes/look-up");
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        let table = full(size);
        let mut n = 0_u32;
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                n = n.wrapping_add(7_919) % size;
                assert!(table.paths(black_box(&address(n))).next().is_some());
            });
        });
    }
    group.finish();
}

/// What a packet asks, of four candidates: the kept winner; the best but for the way back, if that is the winner's. And what is judged
/// when something is said of one of them.
fn choose(bench: &mut Criterion) {
    for size in SIZES {
        let (mut table, destinations) = (of_four_each(size), size / 4);
        let mut group = bench.benchmark_group("routes/choice");
        group.throughput(Throughput::Elements(1));
        for (name, except) in [("winner", None), ("but-for-one", Some(link(0)))] {
            let mut n = 0_u32;
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| {
                    n = n.wrapping_add(7_919) % destinations;
                    let best = table.best(black_box(&address(n)), PathPolicy::Cheapest, except, reached);
                    assert!(best.is_some());
                });
            });
        }
        let mut n = 0_u32;
        group.bench_function(BenchmarkId::new("judged", size), |bencher| {
            bencher.iter(|| {
                n = n.wrapping_add(7_919) % destinations;
                table.assess(black_box(&address(n)), &Bounds::default(), 0, Stance::Steady, reached)
            });
        });
        group.finish();
    }
}

/// Whatever goes over one of 64 links, by its chain: what the loss of the link costs first.
fn over(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("routes/over-one-link");
    for size in SIZES {
        let capacity = usize::try_from(size).expect("it fits");
        let mut table = Table::new(capacity, &mut Seed::new([3; 32]).fork("bench"));
        for n in 0..size {
            let slot = u16::try_from(n % 64).expect("it is below 64");
            table.put(&Claim { next_hop: over_link(slot), ..claim(n) }, n, 9_000);
        }
        let reached = table.over(over_link(0)).len();
        group.throughput(Throughput::Elements(u64::try_from(reached).expect("it fits")));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| table.over(black_box(over_link(0))).len());
        });
    }
    group.finish();
}

fn insert(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("routes/insert");
    for size in SIZES {
        group.throughput(Throughput::Elements(size.into()));
        group.sample_size(10);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| bencher.iter(|| full(size)));
    }
    group.finish();
}

fn evict(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("routes/evict");
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        let (mut table, mut n) = (full(size), size);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                n = n.wrapping_add(1);
                assert!(matches!(table.put(&claim(n), n, 9_000), Put::Evicted(_)));
            });
        });
    }
    group.finish();
}

fn full(size: u32) -> Table {
    let capacity = usize::try_from(size).expect("it fits");
    let mut table = Table::new(capacity, &mut Seed::new([3; 32]).fork("bench"));
    (0..size).for_each(|n| assert_eq!(table.put(&claim(n), n, 9_000), Put::Held));
    table
}

/// Four paths to each destination, judged.
fn of_four_each(size: u32) -> Table {
    let capacity = usize::try_from(size).expect("it fits");
    let mut table = Table::new(capacity, &mut Seed::new([3; 32]).fork("bench"));
    for n in 0..size / 4 {
        for slot in 0..4 {
            assert_eq!(table.put(&Claim { next_hop: over_link(slot), ..claim(n) }, n, 9_000), Put::Held);
        }
        table.assess(&address(n), &Bounds::default(), 0, Stance::Open, reached);
    }
    table
}

/// All links are as good, so that the lowest wins.
fn reached(next_hop: NextHop) -> Option<Approach> {
    let hop = Hop { price: 0, latency: LatencyMs(1), bandwidth: BandwidthCode::UNKNOWN };
    next_hop.link().map(|_| Approach { hop, trust: Trust::Sure, reliability: None })
}

fn over_link(slot: u16) -> NextHop {
    NextHop::Link { iface: InterfaceId(0), link: link(slot) }
}

const fn link(slot: u16) -> LinkId {
    LinkId(Key { slot, generation: 0 })
}

fn claim(n: u32) -> Claim {
    Claim {
        destination: address(n),
        random_hash: RandomHash::new([0; 5], 1_700_000_000),
        generation: Generation::FIRST,
        said: CompactPathCost::ORIGIN,
        next_hop: over_link(1),
        cost: CostCode::FREE,
        stage: Stage::Relay,
    }
}

fn address(n: u32) -> DestinationHash {
    let mut address = [7; 16];
    address[..4].copy_from_slice(&n.to_le_bytes());
    DestinationHash(address)
}

criterion_group!(benches, look_up, choose, insert, evict, over);
criterion_main!(benches);
