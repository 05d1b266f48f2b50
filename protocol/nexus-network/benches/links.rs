//! What links cost: a handshake, sealing and opening a frame beside the bare AEAD, and the whole way of a relayed packet beside the
//! cryptography in it.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock; the core does not"
)]

#[allow(dead_code, reason = "the test that a relayed packet costs no memory uses the rest")]
mod joined;

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration as Span, Instant as Clock};

use criterion::{
    BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use nexus_crypto::hash::sha256;
use nexus_crypto::{AeadKey, Nonce, Tag};
use nexus_machine::{Cx, Duration, Instant, Machine as _, Seed};
use nexus_network::links::{Input, Limits, Links, Policy};
use nexus_network::{Endpoint, Profile, Reach};
use nexus_wire::nexus::frame::HEADER_LEN;

use joined::{
    BURST, ClearRelay, LEFT, Neighbour, Relay, exchange, far, identity, linked, profile, to_the_far_node,
};

/// Plaintext lengths, in bytes.
const LENGTHS: [usize; 3] = [64, 200, 484];
/// Frames made ready at a time: few enough to stay in the cache.
const READY: BatchSize = BatchSize::NumIterations(64);

fn handshakes(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("handshake");
    group.throughput(Throughput::Elements(1));
    group.bench_function("both-sides", |bencher| {
        bencher.iter_batched_ref(
            about_to_link,
            |(cx, one, other)| {
                one.wakes(*cx);
                exchange(*cx, one, other);
                assert!(one.link.is_some() && other.link.is_some());
            },
            BatchSize::NumIterations(16),
        );
    });
    group.bench_function("responder", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Span::ZERO;
            for _ in 0..rounds {
                let (cx, mut one, mut other) = about_to_link();
                one.wakes(cx);
                while other.link.is_none() {
                    let frame = one.sent.pop_front().expect("a handshake goes on until both are linked");
                    let began = Clock::now();
                    other.hears(cx, frame);
                    spent += began.elapsed();
                    while let Some(frame) = other.sent.pop_front() {
                        one.hears(cx, frame);
                    }
                }
            }
            spent
        });
    });
    group.finish();
}

/// Two organs of which the first is due to send message 1, and the second is not.
fn about_to_link() -> (Cx, Neighbour, Neighbour) {
    let (mut one, mut other) = (Neighbour::new(1), Neighbour::new(2));
    let mut cx = Cx::at(Instant::BOOT);
    one.up(cx);
    other.up(cx);
    one.sent.clear();
    other.sent.clear();
    while one.links.next_timeout().is_none_or(|at| at > cx.now) {
        cx = Cx::at(cx.now.after(Duration::from_millis(10)));
    }
    (cx, one, other)
}

fn sealing(bench: &mut Criterion) {
    let (cx, mut one, _) = linked();
    let key = AeadKey::from_bytes([7; 32]);
    let mut group = bench.benchmark_group("link/seal");
    for len in LENGTHS {
        group.throughput(Throughput::Bytes(u64::try_from(len).expect("a few hundred")));
        let mut frame = one.frame(&message(len));
        group.bench_function(BenchmarkId::new(len.to_string(), "organ"), |bencher| {
            let mut effects: VecDeque<nexus_network::links::Effect> = VecDeque::new();
            bencher.iter(|| {
                frame.bytes.truncate(HEADER_LEN + len);
                // What was sealed in place is no message any more, and could by chance look like an offer of keys.
                frame.bytes[HEADER_LEN] = 0x81;
                one.links.seal(cx, black_box(&mut frame), &mut effects).expect("the link may send");
            });
        });
        let (mut buffer, mut counter) = (message(len), 0);
        group.bench_function(BenchmarkId::new(len.to_string(), "aead"), |bencher| {
            bencher.iter(|| {
                counter += 1;
                key.seal_in_place(Nonce::counter(counter), &[0; HEADER_LEN], black_box(&mut buffer))
            });
        });
    }
    group.finish();
}

fn opening(bench: &mut Criterion) {
    let (cx, mut one, mut other) = linked();
    let key = AeadKey::from_bytes([7; 32]);
    let mut group = bench.benchmark_group("link/open");
    for len in LENGTHS {
        group.throughput(Throughput::Bytes(u64::try_from(len).expect("a few hundred")));
        let message = message(len);
        group.bench_function(BenchmarkId::new(len.to_string(), "organ"), |bencher| {
            bencher.iter_batched(
                || one.sealed(cx, &message),
                |frame| other.hears_one(cx, black_box(frame)).expect("it is authentic"),
                READY,
            );
        });
        let mut counter = 0;
        group.bench_function(BenchmarkId::new(len.to_string(), "aead"), |bencher| {
            bencher.iter_batched(
                || {
                    counter += 1;
                    let (mut bytes, nonce) = (message.clone(), Nonce::counter(counter));
                    let tag = key.seal_in_place(nonce, &[0; HEADER_LEN], &mut bytes);
                    (bytes, nonce, tag)
                },
                |(mut bytes, nonce, tag): (Vec<u8>, Nonce, Tag)| {
                    key.open_in_place(nonce, &[0; HEADER_LEN], black_box(&mut bytes), &tag)
                        .expect("it is authentic");
                    bytes
                },
                READY,
            );
        });
    }
    group.finish();
}

/// A message that runs to the frame's end, `len` bytes with its kind.
fn message(len: usize) -> Vec<u8> {
    let mut message = vec![0; len];
    message[0] = 0x81;
    message
}

/// The whole way of a packet through a relay, beside what no relay goes without: the frame opened and sealed, and the packet's hash.
fn relaying(bench: &mut Criterion) {
    let relay = std::cell::RefCell::new(Relay::new());
    let mut group = bench.benchmark_group("relay");
    // Many short samples: their median is that of the machine when nobody else is at work on it.
    group.sample_size(1_000).sampling_mode(SamplingMode::Flat).nresamples(2_000);
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("484", "layer"), |bencher| {
        bencher.iter_batched(
            || relay.borrow_mut().arriving(484),
            |frame| relay.borrow_mut().relays(black_box(frame)),
            READY,
        );
    });
    // The same where all but one of eight wait for the driver: what classes and shares cost is the difference.
    group.throughput(Throughput::Elements(u64::try_from(BURST).expect("a few")));
    group.bench_function(BenchmarkId::new("484", "queued"), |bencher| {
        let mut left = Vec::with_capacity(BURST);
        bencher.iter_batched(
            || std::array::from_fn(|_| relay.borrow_mut().arriving(484)),
            |frames| {
                relay.borrow_mut().relays_at_once(black_box(frames), &mut left);
                left.clear();
            },
            READY,
        );
    });
    group.throughput(Throughput::Elements(1));
    // Of 200 bytes of payload, beside the same between links, and the hash alone.
    group.bench_function(BenchmarkId::new("200", "layer"), |bencher| {
        bencher.iter_batched(
            || relay.borrow_mut().arriving(219),
            |frame| relay.borrow_mut().relays(black_box(frame)),
            READY,
        );
    });
    let clear = std::cell::RefCell::new(ClearRelay::new());
    group.bench_function(BenchmarkId::new("200", "clear"), |bencher| {
        bencher.iter_batched(
            || clear.borrow_mut().arriving(200),
            |packet| clear.borrow_mut().relays(black_box(packet)),
            READY,
        );
    });
    group.bench_function(BenchmarkId::new("200", "hash"), |bencher| {
        bencher.iter_batched(
            || clear.borrow_mut().arriving(200),
            |packet| sha256(&[&packet[..1], black_box(&packet[18..])]),
            READY,
        );
    });
    let [one, other] = [1, 2].map(|n| AeadKey::from_bytes([n; 32]));
    let mut counter = 0;
    group.bench_function(BenchmarkId::new("484", "floor"), |bencher| {
        bencher.iter_batched(
            || {
                counter += 1;
                let (mut bytes, nonce) = (to_the_far_node(&far(), 484, counter), Nonce::counter(counter));
                let tag = one.seal_in_place(nonce, &[0; HEADER_LEN], &mut bytes);
                (bytes, nonce, tag)
            },
            |(mut bytes, nonce, tag): (Vec<u8>, Nonce, Tag)| {
                one.open_in_place(nonce, &[0; HEADER_LEN], black_box(&mut bytes), &tag)
                    .expect("it is authentic");
                // Behind the message's head; what is hashed of a packet leaves out its hops.
                black_box(sha256(&[&bytes[3..4], &bytes[5..]]));
                let tag = other.seal_in_place(nonce, &[0; HEADER_LEN], black_box(&mut bytes));
                (bytes, tag)
            },
            READY,
        );
    });
    group.finish();
}

/// What a first message with a key that nobody has costs whoever hears it: one within the rate, which is answered; one beyond it on
/// a medium with addresses, which gets a cookie; one beyond it elsewhere.
fn flooded(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("flooded");
    group.throughput(Throughput::Elements(1));
    for (name, reach, pause_ms) in [
        ("answered", Reach::PointToPoint, 500),
        ("cookie", Reach::Addressed, 0),
        ("refused", Reach::PointToPoint, 0),
    ] {
        let limits = Limits::default();
        let mut links = Links::new(identity(1), Policy::Anyone, limits, &Seed::new([1; 32]));
        let mut effects: VecDeque<nexus_network::links::Effect> = VecDeque::new();
        let mut now = Instant::BOOT;
        links.handle(Cx::at(now), Input::Up(LEFT, Profile { reach, ..profile() }), &mut effects);
        let from = (reach == Reach::Addressed).then(|| Endpoint::new(&[9; 18]).expect("eighteen bytes fit"));
        let mut random = Seed::new([2; 32]).fork("flood");
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Span::ZERO;
                for _ in 0..rounds {
                    now = now.after(Duration::from_millis(pause_ms));
                    links.handle_timeout(Cx::at(now), &mut effects);
                    let first = [&[0x91, 1, 2, 0, 0, 0, 0][..], &random.bytes::<32>()].concat();
                    let began = Clock::now();
                    links.receive(Cx::at(now), LEFT, from, black_box(first), &mut effects);
                    spent += began.elapsed();
                    effects.clear();
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, handshakes, sealing, opening, relaying, flooded);
criterion_main!(benches);
