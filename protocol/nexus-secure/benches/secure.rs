//! What an end-to-end message costs its two ends: sealing, opening with the newest ratchet and with the oldest, and looking at
//! the signature.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nexus_crypto::exchange::{RecipientPublic, RecipientSecret};
use nexus_crypto::{IdentitySeed, NodeIdentity, RatchetSecret};
use nexus_machine::{Cx, Instant, Machine as _, Seed, Snapshot, Write};
use nexus_secure::envelope::{Letter, SealedPacket, seal, verify};
use nexus_secure::ratchets::{self, RATCHETS, Ratchets};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::end_to_end::{Envelope, Service};
use nexus_wire::reticulum::Packet;

const TEXT: [u8; 200] = [0x5a; 200];

fn envelopes(c: &mut Criterion) {
    let mut random = Seed::new([1; 32]).fork("bench");
    let [author, recipient] =
        [[2; 32], [3; 32]].map(|seed| NodeIdentity::from_seed(IdentitySeed::from_bytes(seed)));
    let to = recipient.node_id();
    let ratchet = RatchetSecret::generate(&mut random);
    let public = ratchet.public();
    let key = RecipientPublic::Ratchet(&public);
    let letter = Letter { service: Service::MESSAGE, reply_to: None, request_id: 1, body: &TEXT };
    for (name, author) in [("anonymous", None), ("signed", Some(&author))] {
        c.bench_function(&format!("envelope/seal-{name}/200"), |b| {
            b.iter(|| seal(black_box(&letter), &to, key, author, &mut random).expect("it fits"));
        });
    }
    let bytes = seal(&letter, &to, key, Some(&author), &mut random).expect("it fits");
    let sealed =
        SealedPacket::read(&Packet::decode(&bytes).expect("a packet"), &to, nexus_network::Class::Standard)
            .expect("to this node");
    c.bench_function("envelope/open/200", |b| {
        b.iter(|| black_box(&sealed).open(RecipientSecret::Ratchet(&ratchet)).expect("it opens"));
    });
    let plaintext = sealed.open(RecipientSecret::Ratchet(&ratchet)).expect("it opens");
    c.bench_function("envelope/verify/200", |b| {
        b.iter(|| {
            let envelope = Envelope::decode(black_box(&plaintext)).expect("an envelope");
            verify(&envelope, &plaintext, &sealed.enc, &to, author.public()).expect("it is signed");
        });
    });
    c.bench_function("envelope/search-31-ratchets/200", |b| {
        let mut store = Snapshot::empty();
        for number in 0..31_u8 {
            let value = [&[0; 8][..], &[number.saturating_add(1); 32]].concat();
            store.apply(Write::set(RATCHETS, &u64::from(number).to_be_bytes(), value));
        }
        let mut organ = Ratchets::new(&store, &Seed::new([4; 32]));
        let mut seconds = 0;
        b.iter(|| {
            // A second for each, so that the search is always allowed.
            seconds += 1;
            let cx = Cx::at(Instant::from_micros(seconds * 1_000_000));
            let mut out = std::collections::VecDeque::<ratchets::Effect>::new();
            organ.handle(cx, ratchets::Input::Open(sealed.clone()), &mut out);
            assert!(
                matches!(out.pop_front(), Some(ratchets::Effect::Unopened(_))),
                "it is sealed to another"
            );
        });
    });
}

criterion_group!(benches, envelopes);
criterion_main!(benches);
