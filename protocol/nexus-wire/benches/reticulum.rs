//! What Reticulum's formats cost to read, to write and to rewrite.
#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped ends the bench")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nexus_crypto::{IdentityHash, NameHash};
use nexus_testkit::format::Format;
use nexus_testkit::formats::reticulum::{ALL, identity, stock_announces};
use nexus_wire::reticulum::announce::{Claim, Occasion};
use nexus_wire::reticulum::ifac::{Ifac, Membership, TagLen};
use nexus_wire::reticulum::kiss::{self, Command};
use nexus_wire::reticulum::relay::HEADROOM;
use nexus_wire::reticulum::{
    Announce, LinkProof, LinkRequest, MTU, Packet, PacketMut, PathRequest, Payload, Proof, RandomHash,
    TunnelSynthesis, hdlc,
};

/// A format's first sample.
fn sample(name: &str) -> Vec<u8> {
    let format: &Format = ALL.iter().find(|format| format.name == name).expect("a registered format");
    (format.samples)().remove(0)
}

/// Decoding and encoding of one payload format, packet header included.
macro_rules! payload {
    ($criterion:ident, $name:literal, $payload:ident) => {
        let bytes = sample($name);
        let packet = Packet::decode(&bytes).unwrap();
        let value = $payload::from_packet(&packet).unwrap();
        $criterion.bench_function(concat!("decode/", $name), |bencher| {
            bencher.iter(|| $payload::from_packet(&Packet::decode(black_box(&bytes)).unwrap()).unwrap());
        });
        $criterion.bench_function(concat!("encode/", $name), |bencher| {
            let mut buffer = [0; MTU];
            bencher.iter(|| value.encode_behind(black_box(&packet), black_box(&mut buffer)).unwrap().len());
        });
    };
}

fn formats(criterion: &mut Criterion) {
    let bytes = sample("packet");
    criterion.bench_function("decode/packet", |bencher| {
        bencher.iter(|| Packet::decode(black_box(&bytes)).unwrap());
    });
    let packet = Packet::decode(&bytes).unwrap();
    criterion.bench_function("encode/packet", |bencher| {
        let mut buffer = [0; MTU];
        bencher.iter(|| black_box(&packet).encode(black_box(&mut buffer)).unwrap().len());
    });
    payload!(criterion, "announce", Announce);
    payload!(criterion, "proof", Proof);
    payload!(criterion, "link-request", LinkRequest);
    payload!(criterion, "link-proof", LinkProof);
    payload!(criterion, "path-request", PathRequest);
    payload!(criterion, "tunnel-synthesis", TunnelSynthesis);
}

fn signatures(criterion: &mut Criterion) {
    let identity = identity();
    let random_hash = RandomHash::new([1; 5], 1_700_000_000);
    let (public, name) = (*identity.public(), NameHash::NEXUS_NODE);
    criterion.bench_function("sign/announce", |bencher| {
        let mut buffer = [0; MTU];
        bencher.iter(|| {
            let claim = Claim { public, name, random_hash, ratchet: None, app_data: black_box(b"4e01") };
            claim.sign(&identity).encode(Occasion::Periodic, &mut buffer).unwrap().len()
        });
    });
    let bytes = sample("announce");
    let announce = Announce::from_packet(&Packet::decode(&bytes).unwrap()).unwrap();
    criterion.bench_function("verify/announce", |bencher| {
        bencher.iter(|| black_box(&announce).verify().unwrap());
    });
}

fn relaying(criterion: &mut Criterion) {
    let largest = stock_announces().remove(2);
    let packet = Packet::decode(&largest).unwrap();
    criterion.bench_function("packet-hash/484", |bencher| bencher.iter(|| black_box(&packet).hash()));
    let next_hop = IdentityHash([7; 16]);
    let mut buffer = [&[0; HEADROOM][..], &sample("packet")].concat();
    criterion.bench_function("relay-rewrite/h1-to-h2-and-back", |bencher| {
        bencher.iter(|| {
            let packet = PacketMut::insert_transport(black_box(&mut buffer), next_hop).unwrap();
            packet.strip_transport().unwrap().into_bytes().len()
        });
    });
    let mut in_transport = sample("packet");
    in_transport.splice(2..2, [7; 16]);
    in_transport[0] = 0x50;
    criterion.bench_function("relay-rewrite/h2-to-h2", |bencher| {
        bencher.iter(|| {
            let mut packet = PacketMut::new(black_box(&mut in_transport)).unwrap();
            packet.set_hops(nexus_wire::reticulum::Hops::ZERO);
            packet.count_hop().unwrap();
            packet.replace_transport(next_hop).unwrap();
        });
    });
}

fn access_codes(criterion: &mut Criterion) {
    let ifac = Ifac::new(Membership::Name("bench"), TagLen::WIDE);
    let packet = [0x11; MTU];
    criterion.bench_function("ifac/seal-and-open-500", |bencher| {
        let mut frame = [0; MTU + 16];
        bencher.iter(|| {
            frame[16..].copy_from_slice(black_box(&packet));
            ifac.seal(&mut frame).unwrap();
            ifac.open(&mut frame).unwrap().len()
        });
    });
}

fn framing(criterion: &mut Criterion) {
    let frame: Vec<u8> = (0..=255).cycle().take(500).collect();
    let mut hdlc_buffer = vec![0; hdlc::encoded_len(&frame)];
    criterion.bench_function("hdlc/encode-500", |bencher| {
        bencher.iter(|| hdlc::encode(black_box(&frame), black_box(&mut hdlc_buffer)).unwrap().len());
    });
    hdlc::encode(&frame, &mut hdlc_buffer).unwrap();
    let mut deframer = hdlc::Deframer::new(MTU);
    criterion.bench_function("hdlc/decode-500", |bencher| {
        bencher.iter(|| deframer.next_frame(&mut black_box(hdlc_buffer.as_slice())).unwrap().len());
    });
    let kiss_frame = kiss::Frame { command: Command::DATA, data: &frame };
    let mut kiss_buffer = vec![0; kiss_frame.encoded_len()];
    criterion.bench_function("kiss/encode-500", |bencher| {
        bencher.iter(|| black_box(&kiss_frame).encode(black_box(&mut kiss_buffer)).unwrap().len());
    });
    kiss_frame.encode(&mut kiss_buffer).unwrap();
    let mut deframer = kiss::Deframer::new(MTU);
    criterion.bench_function("kiss/decode-500", |bencher| {
        bencher.iter(|| deframer.next_frame(&mut black_box(kiss_buffer.as_slice())).unwrap().data.len());
    });
}

criterion_group!(benches, formats, signatures, relaying, access_codes, framing);
criterion_main!(benches);
