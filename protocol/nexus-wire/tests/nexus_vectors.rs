//! `spec/vectors/wire.json` and `spec/vectors/path_cost.json` are what this code makes, and stay so.
//!
//! `NEXUS_WRITE_VECTORS=1` writes them anew.
#![allow(
    clippy::disallowed_methods,
    reason = "vectors are files, and whether to write them is the developer's word"
)]

use std::path::PathBuf;

use nexus_crypto::{DestinationHash, NodeId};
use nexus_selfcheck::path_cost::{UPDATES, path_cost_digest};
use nexus_selfcheck::symmetric::hash_digest;
use nexus_testkit::format::hex;
use nexus_testkit::formats::nexus;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::code::{BandwidthCode, PriceCode};
use nexus_wire::nexus::path_cost::{CompactPathCost, Draw, Generation, Hop, LatencyMs};
use serde_json::{Value, json};

/// Compares `made` with the committed file, or writes it if asked to.
fn hold(file: &str, made: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(file);
    if std::env::var("NEXUS_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(made).expect("a value is JSON");
        std::fs::write(&path, text + "\n").expect("the vectors can be written");
    }
    let text = std::fs::read_to_string(&path).expect("the vectors are committed");
    let committed: Value = serde_json::from_str(&text).expect("vectors are JSON");
    assert!(committed == *made, "{file} is not what this code makes; see this test's first lines");
}

/// The fields of a format's samples: name and length in bytes, `0` for all that is left. One list for all samples, or
/// one for each.
type Fields = &'static [(&'static str, usize)];

const REST: usize = 0;

fn fields_of(format: &str) -> &'static [Fields] {
    match format {
        "key-file" => &[&PLAIN_KEY, &LOCKED_KEY],
        "announce-extension" => &[&[("magic", 1), ("version", 1), ("TLVs", REST)]],
        "compact-path-cost" => &[&COST],
        "cost-block" => &[&[("magic", 1), ("version", 1), ("compact_path_cost", 6)]],
        "cost-record" => {
            &[&[("destination", 16), ("random_hash", 10), ("compact_path_cost", 6), ("flags", 1)]]
        }
        "cost-list" => &[&[("record", 33), ("record", 33)], &[("record", 33)]],
        "first" => &[
            &[("head", 1), ("session", 2), ("target", 4), ("e", 32)],
            &[("head", 1), ("session", 2), ("target", 4), ("e", 32), ("cookie", 16)],
        ],
        "reply" => &[&[("head", 1), ("session", 2), ("noise", 104)]],
        "finish" => &[&[("head", 1), ("session", 2), ("noise", 70)]],
        "cookie" => &[&[("head", 1), ("session", 2), ("cookie", 16)]],
        "beacon" => &[&[("head", 1), ("tag", 4), ("flags", 1)]],
        "sealed" => {
            &[&[("head", 1), ("session or key_id", 2), ("counter", 4), ("ciphertext, tag[16]", REST)]]
        }
        "frame" => &[&[("head", 1), ("rest", REST)]],
        "link-payload" => &[&LINK],
        "reply-payload" => &[&[("link-payload", 6), ("session", 2)]],
        "messages" => &[&[("messages", REST)]],
        "packet-message" => &[&[("class and price code", 2), ("packet", REST)]],
        "announce-message" => &[&[("cost-block", 8), ("packet", REST)]],
        "fragment" => &[&[("index and count", 1), ("piece", REST)]],
        "carried" => &[&[("counter", 4), ("messages", REST)]],
        "trace-answer" => &[
            &[("nonce", 8), ("clock_ms", 8), ("hops", 1)],
            &[("nonce", 8), ("clock_ms", 8), ("hops", 1), ("compact_path_cost", 6)],
        ],
        "ping" | "pong" => &[&[("token", 4), ("clock_ms", 8)]],
        "rekey" => &[&[("session", 2), ("e", 32)]],
        "rekey-ack" => &[&[("session", 2), ("noise", 48)]],
        "broadcast-key" => &[&[("key_id", 2), ("key", 32), ("next_counter", 4), ("beacon_tag", 4)]],
        "broadcast-key-ack" => &[&[("key_id", 2)]],
        "ack" => &[&[("highest", 4), ("bitmap", 4)]],
        "cost-request" => &[&[("destination", 16)]],
        "cost-acks" => &[&[("line", 20), ("line", 20)], &[("line", 20)]],
        "signature" => &[&[("signature", 64)]],
        "summary" => &[&SUMMARY, &SUMMARY, &SUMMARY_SKETCH],
        "request" => &[&[("store", 1), ("n", 1), ("id", 32), ("id", 32)]],
        "items" => &[&[("store", 1), ("len", 2), ("item", 10), ("len", 2), ("item", 6)]],
        "done" => &[&[("store", 1), ("state_hash", 16)]],
        "congestion" => &[&[("severity and scope", 1), ("drain_ms", 2)]],
        "terms" => &[&TERMS],
        "due" => &[
            &[("slot", 1), ("terms", 1), ("window", 2), ("held", 2), ("token", 16)],
            &[("slot", 1), ("terms", 1), ("window", 2)],
        ],
        "token" => &[&[("slot", 1), ("terms", 1), ("window", 2), ("token", 16)]],
        "claim" => &[&PROVED_CLAIM, &CLAIM],
        "end-to-end" => &[
            &[("service", 2), ("flags", 1), ("request_id", 4)],
            &[
                ("service", 2),
                ("flags", 1),
                ("reply", 16),
                ("sender", 16),
                ("signature", 64),
                ("request_id", 4),
                ("body", REST),
            ],
            &[("service", 2), ("flags", 1), ("sender", 16), ("signature", 64), ("request_id", 4)],
        ],
        "recorded-frame" => &[&RECORDED_FRAME, &RECORDED_FROM],
        "recorded-messages" => &[&RECORDED_MESSAGES],
        unknown => panic!("the fields of {unknown} are not listed"),
    }
}

const TERMS: [(&str, usize); 9] = [
    ("channel_id", 16),
    ("number", 4),
    ("anchor", 16),
    ("window", 8),
    ("reward", 8),
    ("length", 2),
    ("signature", 64),
    ("before", 2),
    ("before_token", 16),
];
const CLAIM: [(&str, usize); 6] =
    [("slot", 1), ("from", 2), ("to", 2), ("base_sequence", 8), ("sequence", 8), ("signature", 64)];
const PROVED_CLAIM: [(&str, usize); 7] = [
    ("slot", 1),
    ("from", 2),
    ("to", 2),
    ("base_sequence", 8),
    ("sequence", 8),
    ("signature", 64),
    ("proof", 80),
];
const RECORDED_FRAME: [(&str, usize); 5] =
    [("version", 1), ("interface", 1), ("direction", 1), ("endpoint length", 1), ("frame", REST)];
const RECORDED_FROM: [(&str, usize); 6] = [
    ("version", 1),
    ("interface", 1),
    ("direction", 1),
    ("endpoint length", 1),
    ("endpoint", 18),
    ("frame", REST),
];
const RECORDED_MESSAGES: [(&str, usize); 8] = [
    ("version", 1),
    ("interface", 1),
    ("direction", 1),
    ("peer", 16),
    ("head", 1),
    ("session or key_id", 2),
    ("counter", 4),
    ("messages", REST),
];
const PLAIN_KEY: [(&str, usize); 4] = [("magic", 2), ("version", 1), ("kdf", 1), ("seed", 32)];
const LOCKED_KEY: [(&str, usize); 10] = [
    ("magic", 2),
    ("version", 1),
    ("kdf", 1),
    ("m_KiB", 4),
    ("t", 1),
    ("p", 1),
    ("salt", 16),
    ("nonce", 12),
    ("ciphertext", 32),
    ("tag", 16),
];
const COST: [(&str, usize); 4] =
    [("cumulative_cost", 2), ("worst_latency_ms", 2), ("bottleneck_bps", 1), ("hop_count", 1)];
const LINK: [(&str, usize); 4] = [("flags", 1), ("capabilities", 2), ("bandwidth", 1), ("max_frame", 2)];
const SUMMARY: [(&str, usize); 8] = [
    ("store", 1),
    ("round", 4),
    ("state_hash", 16),
    ("count", 4),
    ("salt", 4),
    ("slice", 1),
    ("form and slices", 1),
    ("filter", REST),
];
const SUMMARY_SKETCH: [(&str, usize); 10] = [
    ("store", 1),
    ("round", 4),
    ("state_hash", 16),
    ("count", 4),
    ("salt", 4),
    ("slice", 1),
    ("form and slices", 1),
    ("start", 2),
    ("symbol", 8),
    ("symbol", 8),
];

/// The bytes cut into their fields, in the order of the wire. Panics unless they are used up.
fn cut(fields: Fields, mut bytes: &[u8]) -> Vec<Value> {
    let cut = fields
        .iter()
        .map(|(name, len)| {
            let len = if *len == REST { bytes.len() } else { *len };
            let (field, rest) = bytes.split_at(len);
            bytes = rest;
            json!([name, hex(field)])
        })
        .collect();
    assert!(bytes.is_empty(), "{} bytes belong to no field of {fields:?}", bytes.len());
    cut
}

#[test]
fn the_vectors_of_the_formats_hold() {
    let mut vectors = Vec::new();
    for format in nexus::ALL {
        let shapes = fields_of(format.name);
        for (number, sample) in (format.samples)().iter().enumerate() {
            let fields = cut(shapes.get(number).unwrap_or(&shapes[0]), sample);
            vectors.push(json!({ "name": format.name, "fields": fields, "hex": hex(sample) }));
        }
    }
    hold("wire.json", &json!({ "source": "spec/wire.md", "vectors": vectors }));
}

/// The smallest price that encodes to `code`, by bisection.
fn first_price(code: PriceCode) -> u64 {
    let (mut low, mut high) = (code.lower().map_or(0, PriceCode::price), code.price());
    while low < high {
        let middle = low.midpoint(high);
        if PriceCode::nearest(middle) < code { low = middle.saturating_add(1) } else { high = middle }
    }
    low
}

fn relay_updates() -> Vec<Value> {
    let mut cost = CompactPathCost::ORIGIN;
    (1..=12_u8)
        .map(|step| {
            let before = cost;
            let price = 3_u64.pow(u32::from(step) * 3);
            let bandwidth = BandwidthCode::nearest(1_000_000_000 >> step);
            let hop = Hop { price, latency: LatencyMs(u16::from(step)), bandwidth };
            let draw = Draw {
                destination: DestinationHash([0xd0; 16]),
                random_hash: [0xa0; 10],
                generation: Generation::new(step).expect("at most 63"),
                relay: NodeId([step; 16]),
            };
            cost = before.relayed(&hop, &draw);
            json!({
                "before": hex(before.encode(&mut [0; 6]).expect("6 bytes")),
                "hop": { "price": price.to_string(), "latency_ms": hop.latency.0, "bandwidth_code": hop.bandwidth.0 },
                "destination": hex(draw.destination.as_bytes()),
                "random_hash": hex(&draw.random_hash),
                "generation": step,
                "relay": hex(draw.relay.as_bytes()),
                "draw": draw.value().to_string(),
                "after": hex(cost.encode(&mut [0; 6]).expect("6 bytes")),
            })
        })
        .collect()
}

#[test]
fn the_vectors_of_path_costs_hold() {
    let codes: Vec<_> = (0..=1024)
        .filter_map(PriceCode::new)
        .map(|code| json!([code.get(), first_price(code).to_string(), code.price().to_string()]))
        .collect();
    let bandwidths: Vec<_> =
        (1..=255).map(|code| json!([code, BandwidthCode(code).bps().map(|bps| bps.to_string())])).collect();
    let digest = path_cost_digest(UPDATES);
    hold(
        "path_cost.json",
        &json!({
            "source": "spec/wire.md#path-cost",
            "price_codes: code, smallest price that encodes to it, price that it decodes to": codes,
            "bandwidth_codes: code, bits per second that it decodes to": bandwidths,
            "relay_updates": relay_updates(),
            "digest": { "updates": UPDATES, "blake3": hex(&digest) },
            "hash_digest": hex(&hash_digest()),
        }),
    );
}
