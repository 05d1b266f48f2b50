//! Path costs and every NEXUS format, one measurement each under a stable name.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nexus_crypto::{DestinationHash, NodeId};
use nexus_testkit::formats;
use nexus_wire::Writer;
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::announce::Extension;
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::control::{
    Ack, BroadcastKey, BroadcastKeyAck, Congestion, Ping, Pong, Rekey, RekeyAck, Signature,
};
use nexus_wire::nexus::cost::{CostAcks, CostBlock, CostList, CostRecord, CostRequest};
use nexus_wire::nexus::end_to_end::Envelope;
use nexus_wire::nexus::frame::{Beacon, Cookie, Finish, First, Frame, Reply, Sealed};
use nexus_wire::nexus::gossip::{Done, Items, Request, Summary};
use nexus_wire::nexus::handshake::{LinkPayload, ReplyPayload};
use nexus_wire::nexus::key_file::KeyFile;
use nexus_wire::nexus::message::Messages;
use nexus_wire::nexus::path_cost::{CompactPathCost, Draw, Generation, Hop, LatencyMs};
use nexus_wire::nexus::traffic::{Announce, Fragment, Packet};

fn path_cost(bench: &mut Criterion) {
    let price = 123_456_789;
    let code = PriceCode::nearest(price);
    bench.bench_function("path-cost/encode", |bencher| {
        bencher.iter(|| PriceCode::nearest(black_box(price)));
    });
    bench.bench_function("path-cost/decode", |bencher| bencher.iter(|| black_box(code).price()));
    let hop = Hop { price, latency: LatencyMs(20), bandwidth: BandwidthCode::nearest(1_000_000) };
    let draw = Draw {
        destination: DestinationHash([1; 16]),
        random_hash: [2; 10],
        generation: Generation::FIRST,
        relay: NodeId([3; 16]),
    };
    let cost = CompactPathCost::ORIGIN.relayed(&hop, &draw);
    bench.bench_function("path-cost/relay-update", |bencher| {
        bencher.iter(|| black_box(cost).relayed(black_box(&hop), black_box(&draw)));
    });
}

/// The first sample of the registered format called `name`.
fn sample(name: &str) -> Vec<u8> {
    let format = formats::nexus::ALL.iter().find(|format| format.name == name).expect("it is registered");
    (format.samples)().swap_remove(0)
}

/// Measures `decode/<format>` and `encode/<format>` of each type.
macro_rules! codecs {
    ($bench:ident: $($kind:ident),* $(,)?) => {$({
        let name = <$kind as Layout<'static>>::NAME;
        let bytes = sample(name);
        $bench.bench_function(&format!("decode/{name}"), |bencher| {
            bencher.iter(|| black_box($kind::decode(black_box(&bytes))).is_ok());
        });
        let value = $kind::decode(&bytes).expect("a sample decodes");
        let mut buffer = vec![0; bytes.len()];
        $bench.bench_function(&format!("encode/{name}"), |bencher| {
            bencher.iter(|| black_box(black_box(&value).encode(black_box(&mut buffer))).is_ok());
        });
    })*};
}

fn every_format(bench: &mut Criterion) {
    codecs!(bench: KeyFile, Extension, CompactPathCost, CostBlock, CostRecord, First, Reply, Finish, Sealed, Cookie,
        Beacon, Frame, LinkPayload, ReplyPayload, Packet, Announce, Fragment, Ping, Pong, CostList, Rekey, RekeyAck,
        BroadcastKey, BroadcastKeyAck, Ack, CostRequest, CostAcks, Signature, Summary, Request, Items, Done, Congestion,
        Envelope);
    let plaintext = sample("messages");
    bench.bench_function("decode/messages", |bencher| {
        bencher.iter(|| Messages::new(black_box(&plaintext)).filter_map(Result::ok).map(black_box).count());
    });
    let messages: Vec<_> = Messages::new(&plaintext).filter_map(Result::ok).collect();
    let mut buffer = vec![0; plaintext.len()];
    bench.bench_function("encode/messages", |bencher| {
        bencher.iter(|| {
            let mut out = Writer::new(black_box(&mut buffer));
            messages.iter().try_for_each(|message| message.write(&mut out)).is_ok()
        });
    });
}

criterion_group!(benches, path_cost, every_format);
criterion_main!(benches);
