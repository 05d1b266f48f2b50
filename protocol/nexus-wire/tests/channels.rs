//! Channels' formats: their laws, what they mean, and `spec/vectors/channels.json`.
//!
//! `NEXUS_WRITE_VECTORS=1` writes the vectors anew.
#![allow(
    clippy::disallowed_methods,
    reason = "vectors are files, and whether to write them is the developer's word"
)]

use std::path::PathBuf;

use nexus_crypto::SigningKey;
use nexus_testkit::format::{hex, obeys_the_laws};
use nexus_testkit::formats::channels::{ALL, SEEDS};
use nexus_testkit::formats::named;
use nexus_wire::Fault;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelState, SettlementRecord};
use nexus_wire::nexus::channel_messages::{Cosign, StateFlags};
use serde_json::{Value, json};

type Fields = &'static [(&'static str, usize)];

const STATE: Fields = &[
    ("channel_id", 16),
    ("party_a", 16),
    ("party_b", 16),
    ("balance_a", 8),
    ("balance_b", 8),
    ("sequence", 8),
    ("sig_a", 64),
    ("sig_b", 64),
];
const RECORD: Fields = &[
    ("channel_id", 16),
    ("party_a", 16),
    ("party_b", 16),
    ("paid_a", 8),
    ("paid_b", 8),
    ("final_sequence", 8),
    ("sig_a", 64),
    ("sig_b", 64),
];
const OPEN: Fields = &[("slot", 1), ("nonce", 16), ("line", 8), ("deposit", 8), ("vrf_key", 32)];
const ACCEPT: Fields =
    &[("slot", 1), ("nonce", 16), ("line", 8), ("deposit", 8), ("vrf_key", 32), ("sig", 64)];
const PROPOSAL: Fields = &[("base_sequence", 8), ("sequence", 8), ("sig", 64)];
const COSIGNS: [Fields; 3] = [
    &[("slot", 1), ("sequence", 8), ("sig", 64)],
    &[("slot", 1), ("sequence", 8), ("sig", 64), ("CLAIM", 85)],
    &[("slot", 1), ("sequence", 8), ("sig", 64), ("CLAIM", 165)],
];
const REFUSE: Fields = &[("slot", 1), ("sequence", 8), ("code", 1)];
const FIGURES: Fields = &[("slot", 1), ("final_sequence", 8), ("paid_a", 8), ("paid_b", 8), ("sig", 64)];
const CLOSE: Fields =
    &[("slot", 1), ("final_sequence", 8), ("paid_a", 8), ("paid_b", 8), ("sig", 64), ("stage", 1)];
const SETTLED: Fields = &[("slot", 1), ("settlement record", 200)];
const LATEST: Fields =
    &[("slot", 1), ("flags", 1), ("highest_a", 8), ("highest_b", 8), ("channel state", 200)];

fn fields_of(format: &str, sample: usize) -> Fields {
    match format {
        "channel-state" => STATE,
        "settlement-record" => RECORD,
        "channel-open" => OPEN,
        "channel-accept" => ACCEPT,
        "channel-proposal" => PROPOSAL,
        "channel-cosign" => COSIGNS[sample],
        "channel-refuse" => REFUSE,
        "channel-settle" => FIGURES,
        "channel-close" => CLOSE,
        "channel-settled" => SETTLED,
        "channel-latest" => LATEST,
        unknown => panic!("{unknown} has no list of fields"),
    }
}

fn cut(fields: Fields, mut bytes: &[u8]) -> Vec<Value> {
    let cut = fields
        .iter()
        .map(|(name, len)| {
            let (field, rest) = bytes.split_at(*len);
            bytes = rest;
            json!([name, hex(field)])
        })
        .collect();
    assert!(bytes.is_empty(), "{} bytes belong to no field of {fields:?}", bytes.len());
    cut
}

fn sample(format: &str) -> Vec<u8> {
    (named(format).samples)().swap_remove(0)
}

#[test]
fn every_format_of_channels_obeys_the_laws() {
    ALL.iter().for_each(obeys_the_laws);
}

#[test]
fn the_vectors_of_channels_hold() {
    let vectors: Vec<_> = ALL
        .iter()
        .flat_map(|format| {
            (format.samples)().into_iter().enumerate().map(|(number, sample)| {
                let fields = cut(fields_of(format.name, number), &sample);
                json!({ "name": format.name, "fields": fields, "hex": hex(&sample) })
            })
        })
        .collect();
    let record = sample("settlement-record");
    let made = json!({
        "source": "spec/economy.md",
        "seeds of the keys that sign: a, b": SEEDS.map(|seed| hex(&seed)),
        "settlement_hash of the record": hex(&SettlementRecord::decode(&record).unwrap().body.settlement_hash()),
        "vectors": vectors,
    });
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/channels.json");
    if std::env::var("NEXUS_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&made).expect("a value is JSON");
        std::fs::write(&path, text + "\n").expect("the vectors can be written");
    }
    let text = std::fs::read_to_string(&path).expect("the vectors are committed");
    assert!(
        serde_json::from_str::<Value>(&text).unwrap() == made,
        "channels.json is not what this code makes"
    );
}

#[test]
fn a_state_verifies_as_a_state_and_as_nothing_else() {
    let [key_a, key_b] = SEEDS.map(|seed| SigningKey::from_seed(&seed).public());
    let bytes = sample("channel-state");
    let state = ChannelState::decode(&bytes).unwrap();
    state.body.signed(|message| {
        assert!(key_a.verify(message, &state.sig_a).is_ok() && key_b.verify(message, &state.sig_b).is_ok());
        assert!(key_b.verify(message, &state.sig_a).is_err());
    });
    let bytes = sample("settlement-record");
    let record = SettlementRecord::decode(&bytes).unwrap();
    record.body.signed(|message| assert!(key_a.verify(message, &record.sig_a).is_ok()));
    record.body.signed_as_close(|message| assert!(key_a.verify(message, &record.sig_a).is_err()));
}

#[test]
fn parties_in_the_wrong_order_or_the_same_twice_are_refused() {
    let mut bytes = sample("channel-state");
    bytes.copy_within(16..32, 32);
    assert_eq!(
        ChannelState::decode(&bytes).map_err(|error| (error.field, error.fault)),
        Err(("party_b", Fault::Value))
    );
    bytes[16] = 0xff;
    assert!(ChannelState::decode(&bytes).is_err());
}

#[test]
fn what_a_cosign_carries_is_a_claim_of_its_own_channel() {
    let with_claim = (named("channel-cosign").samples)().swap_remove(1);
    assert_eq!(Cosign::decode(&with_claim).unwrap().carried.len(), 85);
    let mut of_another = with_claim;
    of_another[73] ^= 1;
    assert!(Cosign::decode(&of_another).is_err());
    let both = StateFlags::RESUMED.and(StateFlags::ANSWER);
    assert!(both.has(StateFlags::ANSWER) && !both.has(StateFlags::DISPUTED) && both.has(StateFlags::PLAIN));
}
