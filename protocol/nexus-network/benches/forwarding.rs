//! What forwarding one packet costs: hash, duplicate filter, path, way back, header.

use std::collections::VecDeque;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nexus_crypto::{IdentitySeed, NameHash, NodeIdentity};
use nexus_machine::{Cx, Instant, Key, Machine as _, Seed, Snapshot};
use nexus_network::announces::{self, Announces, Fare};
use nexus_network::forwarding::{self, Decision, Forwarding};
use nexus_network::tally::{Passage, Reckoning};
use nexus_network::{AppData, Hop, InterfaceId, Leaving, LinkId, Tally};
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::path_cost::{CompactPathCost, CostCode, Hop as CostOfHop, LatencyMs};
use nexus_wire::nexus::traffic::Class;
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::{MTU, RandomHash};

const LEFT: LinkId = LinkId(Key { slot: 0, generation: 0 });
const RIGHT: LinkId = LinkId(Key { slot: 1, generation: 0 });
const FREE: (Class, PriceCode) = (Class::Standard, PriceCode::FREE);

/// What counting adds to a packet: where it comes, and where it leaves.
fn tally(bench: &mut Criterion) {
    let mut tally = Tally::new(1_024);
    for slot in 0..1_024 {
        let node = identity_of(u64::from(slot));
        tally.link_up(LinkId(Key { slot, generation: 0 }), node);
        tally.reckon(node, Reckoning::Counted { limit: u64::MAX, mark: u64::MAX });
    }
    let code = PriceCode::nearest(20);
    let fare = Fare { quoted: CostCode::FREE, asked: CostCode::Known(code) };
    let mut group = bench.benchmark_group("tally");
    group.throughput(Throughput::Elements(1));
    let mut slot = 0_u16;
    group.bench_function("take", |bencher| {
        bencher.iter(|| {
            slot = slot.wrapping_add(1) & 1_023;
            let link = LinkId(Key { slot, generation: 0 });
            let passage = Passage { link, stated: black_box(code), bytes: 200 };
            tally.take(Instant::BOOT, &passage, fare, || Some(code))
        });
    });
    group.bench_function("sent", |bencher| {
        bencher.iter(|| {
            slot = slot.wrapping_add(1) & 1_023;
            let link = LinkId(Key { slot, generation: 0 });
            let stated = tally.price(link, black_box(CostCode::Known(code)));
            tally.sent(link, stated, 200);
        });
    });
    group.finish();
}

fn identity_of(number: u64) -> nexus_crypto::NodeId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    nexus_crypto::NodeId(id)
}

fn from_link(bench: &mut Criterion) {
    let mut announces = knowing_the_far_one();
    let seed = Seed::new([5; 32]);
    let own = identity(1).public().hash();
    let mut organ = Forwarding::new(own, forwarding::Limits::default(), &Snapshot::empty(), &seed);
    let mut tally = Tally::new(16);
    let cx = Cx::at(Instant::BOOT);
    let mut group = bench.benchmark_group("forwarding/from-link");
    for len in [200_usize, 484] {
        group.throughput(Throughput::Bytes(u64::try_from(len).expect("a few hundred")));
        let mut number = 0_u64;
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            bencher.iter_batched_ref(
                || {
                    number += 1;
                    packet(len, number)
                },
                |packet| {
                    let decision =
                        organ.from_link(cx, LEFT, FREE, black_box(packet), &mut announces, &mut tally);
                    let leaving = Leaving { to: Hop::Link(RIGHT), transport: None, quoted: CostCode::FREE };
                    assert_eq!(decision, Decision::Forward(leaving));
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// In transport, as links carry it; another one each time.
fn packet(len: usize, number: u64) -> Vec<u8> {
    let mut packet = vec![0; len];
    packet[0] = 0x50;
    packet[2..18].copy_from_slice(identity(9).node_id().as_bytes());
    packet[19..27].copy_from_slice(&number.to_le_bytes());
    packet
}

fn knowing_the_far_one() -> Announces {
    let (limits, snapshot) = (announces::Limits::default(), Snapshot::empty());
    let mut organ = Announces::new(identity(1), AppData::default(), limits, &snapshot, &Seed::new([5; 32]));
    let mut tell = |input| {
        organ.handle(Cx::at(Instant::BOOT), input, &mut VecDeque::<announces::Effect>::new());
    };
    for (link, peer) in [(LEFT, 2), (RIGHT, 3)] {
        let hop = CostOfHop { price: 0, latency: LatencyMs(1), bandwidth: BandwidthCode::UNKNOWN };
        let peer = identity(peer).public().hash();
        tell(announces::Input::LinkUp { link, iface: InterfaceId(0), peer, hop });
    }
    for n in 9..109 {
        let mut packet = announce_of(n);
        packet[1] = 3;
        let cost = CompactPathCost::ORIGIN;
        tell(announces::Input::HeardOnLink { link: RIGHT, cost, packet });
    }
    organ
}

fn announce_of(n: u8) -> Vec<u8> {
    let identity = identity(n);
    let claim = Claim {
        public: *identity.public().identity(),
        name: NameHash::NEXUS_NODE,
        random_hash: RandomHash::new([1, 2, 3, 4, 5], 1_700_000_000),
        ratchet: None,
        app_data: b"N\x01",
    };
    let announce = claim.sign(identity.as_reticulum());
    announce.encode(Occasion::Periodic, &mut [0; MTU]).expect("it is short").to_vec()
}

fn identity(n: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([n; 32]))
}

criterion_group!(benches, tally, from_link);
criterion_main!(benches);
