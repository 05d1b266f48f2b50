//! What the table of paths costs: a look-up, a path more, and room for one more in a full table.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nexus_crypto::DestinationHash;
use nexus_machine::{Key, Seed};
use nexus_network::routes::{Claim, NextHop, Put, Stage, Table};
use nexus_network::{InterfaceId, LinkId};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Generation};
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

fn claim(n: u32) -> Claim {
    Claim {
        destination: address(n),
        random_hash: RandomHash::new([0; 5], 1_700_000_000),
        generation: Generation::FIRST,
        said: CompactPathCost::ORIGIN,
        next_hop: NextHop::Link { iface: InterfaceId(0), link: LinkId(Key { slot: 1, generation: 0 }) },
        cost: CostCode::FREE,
        stage: Stage::Relay,
    }
}

fn address(n: u32) -> DestinationHash {
    let mut address = [7; 16];
    address[..4].copy_from_slice(&n.to_le_bytes());
    DestinationHash(address)
}

criterion_group!(benches, look_up, insert, evict);
criterion_main!(benches);
