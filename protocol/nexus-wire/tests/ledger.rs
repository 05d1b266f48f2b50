//! The ledger's formats: their laws, what they mean, and `spec/vectors/ledger.json`.
//!
//! `NEXUS_WRITE_VECTORS=1` writes the vectors anew.
#![allow(
    clippy::disallowed_methods,
    reason = "vectors are files, and whether to write them is the developer's word"
)]

use std::path::PathBuf;

use nexus_crypto::{NodeId, Signature, SigningKey};
use nexus_testkit::format::{hex, obeys_the_laws};
use nexus_testkit::formats::ledger::{ALL, SEEDS, WITNESS_SEEDS, genesis_id, node_of};
use nexus_testkit::formats::named;
use nexus_wire::Fault;
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::evidence::Evidence;
use nexus_wire::nexus::genesis::{Genesis, Terms};
use nexus_wire::nexus::ledger::{Certificate, Order, OrderHash, Statement, WitnessIndex, attested};
use serde_json::{Value, json};

type Fields = &'static [(&'static str, usize)];

const REST: usize = 0;

const OPEN: Fields = &[
    ("kind", 1),
    ("owner", 16),
    ("order", 4),
    ("deposit", 8),
    ("channel_id", 16),
    ("peer", 16),
    ("sig", 64),
];
const CLOSE_BY_ONE: Fields = &[("kind", 1), ("settlement body", 72), ("signers", 1), ("sig", 64)];
const CLOSE_BY_BOTH: Fields =
    &[("kind", 1), ("settlement body", 72), ("signers", 1), ("sig_a", 64), ("sig_b", 64)];
const COURSE: Fields = &[
    ("kind", 1),
    ("channel_id", 16),
    ("party_a", 16),
    ("party_b", 16),
    ("(balance_a, balance_b, sequence, sig_a, sig_b) twice", 304),
];
const SIGNED: Fields = &[("order", 32), ("witness", 1), ("code", 1), ("sig", 64)];
const REFUSED: Fields = &[("order", 32), ("witness", 1), ("code", 1)];
const CERTIFICATE: Fields = &[("kind", 1), ("genesis", 8), ("order", 32), ("(witness, sig[64]) each", REST)];
const STATES: Fields = &[
    ("kind", 1),
    ("channel_id", 16),
    ("party_a", 16),
    ("party_b", 16),
    ("sequence", 8),
    ("accused", 1),
    ("balance_a", 8),
    ("balance_b", 8),
    ("sig", 64),
    ("balance_a", 8),
    ("balance_b", 8),
    ("sig", 64),
];
const ORDERS: Fields =
    &[("kind", 1), ("owner", 16), ("order", 4), ("(deposit, channel_id, peer, sig) twice", 208)];
const ATTESTED: Fields = &[
    ("kind", 1),
    ("witness", 1),
    ("owner", 16),
    ("order", 4),
    ("(deposit, channel_id, peer, sig) twice", 208),
];
const GENESIS: Fields = &[
    ("magic", 2),
    ("version", 1),
    ("name's length", 1),
    ("name", 7),
    ("minimum_deposit", 8),
    ("opens_per_day", 4),
    ("quorum", 1),
    ("witnesses", 1),
    ("keys", 128),
    ("accounts", 4),
    ("(node, amount) each", 48),
    ("(witness, sig[64]) each", REST),
];

fn fields_of(format: &str, sample: usize) -> Fields {
    match format {
        "genesis" => GENESIS,
        "order" => [OPEN, CLOSE_BY_ONE, CLOSE_BY_ONE, CLOSE_BY_BOTH][sample],
        "course" => COURSE,
        "witness" => [SIGNED, REFUSED][sample],
        "certificate" => CERTIFICATE,
        "evidence" => [STATES, ORDERS, ATTESTED][sample],
        unknown => panic!("{unknown} has no list of fields"),
    }
}

fn cut(fields: Fields, mut bytes: &[u8]) -> Vec<Value> {
    let cut = fields
        .iter()
        .map(|(name, len)| {
            let (field, rest) = bytes.split_at(if *len == REST { bytes.len() } else { *len });
            bytes = rest;
            json!([name, hex(field)])
        })
        .collect();
    assert!(bytes.is_empty(), "{} bytes belong to no field of {fields:?}", bytes.len());
    cut
}

fn samples(format: &str) -> Vec<Vec<u8>> {
    (named(format).samples)()
}

#[test]
fn every_format_of_the_ledger_obeys_the_laws() {
    ALL.iter().for_each(obeys_the_laws);
}

#[test]
fn the_vectors_of_the_ledger_hold() {
    let vectors: Vec<_> = ALL
        .iter()
        .flat_map(|format| {
            (format.samples)().into_iter().enumerate().map(|(number, sample)| {
                let fields = cut(fields_of(format.name, number), &sample);
                json!({ "name": format.name, "fields": fields, "hex": hex(&sample) })
            })
        })
        .collect();
    let names: Vec<_> = samples("order")
        .iter()
        .map(|order| hex(&Order::decode(order).expect("a sample").hash(&genesis_id()).0))
        .collect();
    let made = json!({
        "source": "spec/economy.md",
        "seeds of the parties": SEEDS.map(|seed| hex(&seed)),
        "seeds of the witnesses": WITNESS_SEEDS.map(|seed| hex(&seed)),
        "id of the genesis": hex(&genesis_id().0),
        "names of the orders": names,
        "name of evidence against the first party": hex(&Evidence::id_against(&node_of(&SEEDS[0])).0),
        "vectors": vectors,
    });
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors/ledger.json");
    if std::env::var("NEXUS_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&made).expect("a value is JSON");
        std::fs::write(&path, text + "\n").expect("the vectors can be written");
    }
    let text = std::fs::read_to_string(&path).expect("the vectors are committed");
    let committed: Value = serde_json::from_str(&text).expect("vectors are JSON");
    assert!(committed == made, "ledger.json is not what this code makes; see this test's first lines");
}

#[test]
fn a_genesis_is_a_draft_until_a_quorum_has_signed_it() {
    let [draft, signed] = samples("genesis").try_into().expect("two");
    let (draft, whole) = (Genesis::decode(&draft).unwrap(), Genesis::decode(&signed).unwrap());
    assert_eq!(draft.id(), whole.id(), "signatures are not part of it");
    assert!(!draft.is_signed() && whole.is_signed());
    let mut forged = signed.clone();
    let last = forged.len() - 20;
    forged[last] ^= 1;
    assert!(!Genesis::decode(&forged).unwrap().is_signed());
    assert_eq!(whole.accounts().map(|(_, amount)| amount).sum::<u64>(), 2_000_000);
    let key = SigningKey::from_seed(&WITNESS_SEEDS[3]).public();
    assert_eq!((whole.witness(WitnessIndex(3)), whole.witness(WitnessIndex(4))), (Some(key), None));
}

#[test]
fn a_quorum_shares_an_honest_witness_with_every_other_and_fits_an_item() {
    let smallest: Vec<_> =
        (1..=11).map(|count| (1..=count).find(|quorum| Terms::is_quorum(*quorum, count))).collect();
    let least = |quorum| Some(quorum);
    assert_eq!(smallest[..10], [1, 2, 2, 3, 4, 4, 5, 6, 6, 7].map(least));
    assert_eq!(smallest[10], None, "eight signatures are more than an item holds");
}

#[test]
fn a_genesis_that_breaks_a_rule_is_refused_at_the_field() {
    let sample = samples("genesis").swap_remove(0);
    let fault = |at: usize, value: u8| {
        let mut bytes = sample.clone();
        bytes[at] = value;
        let error = Genesis::decode(&bytes).expect_err("refused");
        (error.field, error.fault)
    };
    assert_eq!(fault(0, b'X'), ("magic", Fault::Value));
    assert_eq!(fault(2, 2), ("version", Fault::Version));
    assert_eq!(fault(23, 2), ("quorum", Fault::Value));
    assert_eq!(fault(25, 0xff), ("witnesses", Fault::Value));
    // The upper byte of the first amount: both together are more than a u64 holds.
    let mut overflowing = sample.clone();
    for at in [157 + 23, 157 + 47] {
        overflowing[at] = 0xff;
    }
    assert_eq!(Genesis::decode(&overflowing).expect_err("refused").field, "amount");
}

#[test]
fn what_is_signed_for_one_genesis_is_not_for_another() {
    let Order::Open(order) = Order::decode(&samples("order")[0]).unwrap() else { panic!("an order to open") };
    let (own, mut foreign) = (genesis_id(), genesis_id());
    foreign.0[31] ^= 1;
    let key = SigningKey::from_seed(&SEEDS[0]).public();
    assert!(order.body.signed(&own, |message| key.verify(message, &order.signature)).is_ok());
    assert!(order.body.signed(&foreign, |message| key.verify(message, &order.signature)).is_err());
    assert_ne!(order.body.hash(&own), order.body.hash(&foreign));
    let witness = SigningKey::from_seed(&WITNESS_SEEDS[2]).public();
    let statement = Statement::decode(&samples("witness")[0]).unwrap();
    let signature = statement.says.expect("signed");
    assert!(attested(&own, &statement.order, |message| witness.verify(message, &signature)).is_ok());
    assert!(attested(&foreign, &statement.order, |message| witness.verify(message, &signature)).is_err());
    foreign.0[0] ^= 1;
    let bytes = samples("certificate").swap_remove(0);
    let certificate = Certificate::decode(&bytes).unwrap();
    assert!(certificate.is_of(&own) && !certificate.is_of(&foreign));
}

#[test]
fn seven_of_ten_signatures_make_a_certificate_of_496_bytes_and_eight_make_none() {
    let line = |index| Certificate::line(WitnessIndex(index), &Signature([1; 64]));
    let lines: Vec<_> = (0..8).map(line).collect();
    let certificate = Certificate::new(&genesis_id(), OrderHash([2; 32]), &lines[..7]).expect("seven");
    assert_eq!(certificate.encoded_len(), 496);
    assert_eq!(certificate.signatures().map(|(index, _)| index.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    for bad in [&lines[..], &[], &[line(1), line(1)], &[line(2), line(1)]] {
        assert!(Certificate::new(&genesis_id(), OrderHash([2; 32]), bad).is_none());
    }
}

#[test]
fn two_bodies_convict_only_if_they_differ_under_one_number() {
    let Evidence::Orders([one, other]) = Evidence::decode(&samples("evidence")[1]).unwrap() else {
        panic!("orders")
    };
    assert!(
        Evidence::of_orders([one, one]).is_none(),
        "the same body is no misconduct, whatever its signatures"
    );
    let mut later = other;
    later.0.order = 2;
    assert!(Evidence::of_orders([one, later]).is_none());
    let mut anothers = other;
    anothers.0.owner = NodeId([9; 16]);
    assert!(Evidence::of_orders([one, anothers]).is_none());
    assert_eq!(Evidence::of_orders([one, other]), Evidence::of_orders([other, one]));
    let mut turned = samples("evidence").swap_remove(1);
    turned[21..].rotate_left(104);
    assert_eq!(Evidence::decode(&turned).expect_err("one encoding").field, "bodies");
}
