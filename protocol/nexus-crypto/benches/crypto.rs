//! What our doors cost, beside the bare libraries behind them. Ids are stable: `aead-seal/484/nexus`.

use std::hint::black_box;

use chacha20poly1305::{AeadInOut as _, ChaCha20Poly1305, KeyInit as _};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nexus_crypto::sign::verify_batch;
use nexus_crypto::{
    AeadKey, DomainTag, EphemeralSecret, IdentitySeed, Message, NodeIdentity, NodePublic, Nonce,
    RatchetSecret, RecipientPublic, RecipientSecret, SigningKey, VrfSecret, hpke, single,
};
use nexus_machine::{Seed, Stream};

/// A small control message, a typical packet, NEXUS's largest own frame, an Ethernet frame.
const SIZES: [usize; 4] = [64, 200, 484, 1_400];
const BATCH: usize = 256;
const KEY: [u8; 32] = [7; 32];
const HEAD: [u8; 7] = [0x94, 1, 2, 3, 4, 5, 6];

fn signatures(c: &mut Criterion) {
    let mut group = c.benchmark_group("ed25519");
    let key = SigningKey::from_seed(&KEY);
    let content = [0x5a; 72];
    let parts = [content.as_slice()];
    let message = Message::new(DomainTag::CHANNEL, &parts).expect("88 bytes");
    let (tagged, untagged) = (key.sign(&message), key.sign_untagged(&parts));
    let public = key.public();
    group.bench_function("sign", |b| b.iter(|| key.sign(black_box(&message))));
    group.bench_function("verify-zip215", |b| b.iter(|| public.verify(black_box(&message), &tagged)));
    group.bench_function("verify-untagged", |b| {
        b.iter(|| public.verify_untagged(black_box(&parts), &untagged));
    });

    let signed: Vec<_> = (0..BATCH)
        .map(|number| {
            let key =
                SigningKey::generate(&mut Seed::new(KEY).fork_index("signer", number as u64).fork("key"));
            (key.public(), message, key.sign(&message))
        })
        .collect();
    let mut random = stream();
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(BenchmarkId::new("verify-batch", BATCH), |b| {
        b.iter(|| verify_batch(signed.iter().copied(), &mut random));
    });
    group.finish();
}

fn exchange(c: &mut Criterion) {
    let mut random = stream();
    let ratchet = RatchetSecret::generate(&mut random);
    let ephemeral = EphemeralSecret::generate(&mut random).public();
    c.bench_function("x25519/agree", |b| b.iter(|| ratchet.agree(black_box(&ephemeral))));
    c.bench_function("x25519/generate", |b| b.iter(|| EphemeralSecret::generate(&mut random).public()));
}

fn aead_seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("aead-seal");
    let ours = AeadKey::from_bytes(KEY);
    let bare = ChaCha20Poly1305::new(&KEY.into());
    for size in SIZES {
        let mut buffer = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{size}/nexus")), |b| {
            b.iter(|| ours.seal_in_place(Nonce::counter(1), &HEAD, black_box(&mut buffer)));
        });
        group.bench_function(BenchmarkId::from_parameter(format!("{size}/bare-rustcrypto")), |b| {
            let nonce = (*Nonce::counter(1).as_bytes()).into();
            b.iter(|| bare.encrypt_inout_detached(&nonce, &HEAD, black_box(buffer.as_mut_slice()).into()));
        });
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        group.bench_function(BenchmarkId::from_parameter(format!("{size}/bare-ring")), |b| {
            let key = bare_ring::key();
            b.iter(|| bare_ring::seal(&key, black_box(&mut buffer)));
        });
    }
    group.finish();
}

fn aead_open(c: &mut Criterion) {
    let mut group = c.benchmark_group("aead-open");
    let ours = AeadKey::from_bytes(KEY);
    let bare = ChaCha20Poly1305::new(&KEY.into());
    for size in SIZES {
        let mut sealed = vec![0x5a; size];
        let tag = ours.seal_in_place(Nonce::counter(1), &HEAD, &mut sealed);
        let fresh = || sealed.clone();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{size}/nexus")), |b| {
            let open = |buffer: &mut Vec<u8>| ours.open_in_place(Nonce::counter(1), &HEAD, buffer, &tag);
            b.iter_batched_ref(fresh, open, BatchSize::SmallInput);
        });
        group.bench_function(BenchmarkId::from_parameter(format!("{size}/bare-rustcrypto")), |b| {
            let nonce = (*Nonce::counter(1).as_bytes()).into();
            let open = |buffer: &mut Vec<u8>| {
                bare.decrypt_inout_detached(&nonce, &HEAD, buffer.as_mut_slice().into(), &tag.0.into())
            };
            b.iter_batched_ref(fresh, open, BatchSize::SmallInput);
        });
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        group.bench_function(BenchmarkId::from_parameter(format!("{size}/bare-ring")), |b| {
            let key = bare_ring::key();
            let open = |buffer: &mut Vec<u8>| bare_ring::open(&key, buffer, tag.0);
            b.iter_batched_ref(fresh, open, BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn end_to_end(c: &mut Criterion) {
    let mut random = stream();
    let ratchet = RatchetSecret::generate(&mut random);
    let public = ratchet.public();
    let (to, with) = (RecipientPublic::Ratchet(&public), RecipientSecret::Ratchet(&ratchet));
    let info = [0x11; 27];
    let mut sealed = [0x5a; 200];
    let (enc, tag) =
        hpke::seal_in_place(to, &info, &[], &mut sealed, &mut random).expect("a ratchet's own key");
    c.bench_function("hpke/seal/200", |b| {
        let mut buffer = [0x5a; 200];
        b.iter(|| hpke::seal_in_place(to, &info, &[], black_box(&mut buffer), &mut random));
    });
    c.bench_function("hpke/open/200", |b| {
        let open = |buffer: &mut [u8; 200]| hpke::open_in_place(with, &enc, &info, &[], buffer, &tag);
        b.iter_batched_ref(|| sealed, open, BatchSize::SmallInput);
    });
    let node = NodeIdentity::from_seed(IdentitySeed::from_bytes(KEY));
    c.bench_function("single/encrypt/200", |b| {
        b.iter(|| single::encrypt(node.public().hash(), to, black_box(&[0x5a; 200]), &mut random));
    });
}

fn identities(c: &mut Criterion) {
    let node = NodeIdentity::from_seed(IdentitySeed::from_bytes(KEY));
    let public = node.public();
    c.bench_function("identity/check", |b| b.iter(|| NodePublic::check(black_box(*public.identity()))));
    c.bench_function("identity/recover", |b| {
        b.iter(|| NodePublic::recover(black_box(&public.exchange()), public.sign()));
    });
    c.bench_function("identity/from-seed", |b| {
        b.iter(|| NodeIdentity::from_seed(IdentitySeed::from_bytes(black_box(KEY))));
    });
}

fn draws(c: &mut Criterion) {
    let secret = VrfSecret::from_seed(&KEY);
    let alpha = [0x5a; 66];
    let (public, (proof, _)) = (secret.public(), secret.prove(&alpha));
    c.bench_function("vrf/output", |b| b.iter(|| secret.output(black_box(&alpha))));
    c.bench_function("vrf/prove", |b| b.iter(|| secret.prove(black_box(&alpha))));
    c.bench_function("vrf/verify", |b| b.iter(|| public.verify(black_box(&alpha), &proof)));
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod bare_ring {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

    pub(super) fn key() -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &super::KEY).expect("32 bytes"))
    }

    fn nonce() -> Nonce {
        Nonce::assume_unique_for_key(*super::Nonce::counter(1).as_bytes())
    }

    pub(super) fn seal(key: &LessSafeKey, buffer: &mut [u8]) -> Tag {
        let sealed = key.seal_in_place_separate_tag(nonce(), Aad::from(super::HEAD), buffer);
        sealed.expect("a short buffer")
    }

    pub(super) fn open(key: &LessSafeKey, buffer: &mut [u8], tag: [u8; 16]) -> bool {
        key.open_in_place_separate_tag(nonce(), Aad::from(super::HEAD), Tag::from(tag), buffer, 0..).is_ok()
    }
}

fn stream() -> Stream {
    Seed::new(KEY).fork("bench")
}

criterion_group!(benches, signatures, exchange, aead_seal, aead_open, end_to_end, identities, draws);
criterion_main!(benches);
