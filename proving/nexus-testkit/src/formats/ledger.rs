//! The ledger's formats (spec/economy.md), with samples of every shape.
//!
//! The samples are fixed, their signatures are real and so are the nodes' ids: `spec/vectors/ledger.json` is made from them.

use nexus_crypto::{Message, NodeId, NodePublic, Signature, SigningKey};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::channel::{ChannelBody, ChannelId, ChannelState, SettlementBody};
use nexus_wire::nexus::course::Course;
use nexus_wire::nexus::evidence::{Evidence, Party};
use nexus_wire::nexus::genesis::{Genesis, Terms};
use nexus_wire::nexus::ledger::{
    Certificate, CloseOrder, ClosedBy, GenesisId, OpenBody, OpenOrder, Order, OrderHash, RefusalCode,
    Statement, WitnessIndex, attested,
};

use crate::format::{Format, reencode_with};

macro_rules! format {
    ($kind:ident, $samples:expr, $possible_length:expr) => {
        Format {
            name: <$kind as Layout<'static>>::NAME,
            reencode: |bytes| reencode_with(bytes, $kind::decode, |value| encode(value)),
            samples: $samples,
            possible_length: $possible_length,
        }
    };
}

/// All of them, in the order of the spec.
pub static ALL: &[Format] = &[
    format!(Genesis, || vec![genesis(0), genesis(3)], |len| len > 46),
    format!(Order, orders, |len| [125, 138, 202].contains(&len)),
    format!(Course, courses, |len| len == Course::LEN),
    format!(Statement, statements, |len| len == 34 || len == 98),
    format!(Certificate, certificates, |len| (106..=496).contains(&len) && (len - 41) % 65 == 0),
    format!(Evidence, evidence, |len| [218, 229, 230].contains(&len)),
];

/// The secret seeds of the samples' two parties.
pub const SEEDS: [[u8; 32]; 2] = [[0xaa; 32], [0xbb; 32]];
/// Those of its witnesses, in the order of their keys.
pub const WITNESS_SEEDS: [[u8; 32]; 4] = [[0xc1; 32], [0xc2; 32], [0xc3; 32], [0xc4; 32]];

const CHANNEL: ChannelId = ChannelId([0xcc; 16]);

/// The id of the node with this seed.
///
/// # Panics
/// Never: a key made from a seed keeps the rules of nodes.
#[must_use]
pub fn node_of(seed: &[u8; 32]) -> NodeId {
    let key = SigningKey::from_seed(seed).public();
    NodePublic::of_verifying(key).expect("an honest key keeps the rules").node_id()
}

fn encode<'a>(value: &impl Layout<'a>) -> Result<Vec<u8>, nexus_wire::EncodeError> {
    let mut buffer = vec![0xa5; value.encoded_len()];
    let written = value.encode(&mut buffer)?.len();
    assert_eq!(written, buffer.len(), "a value is as long as it says");
    Ok(buffer)
}

fn bytes<'a>(value: &impl Layout<'a>) -> Vec<u8> {
    encode(value).expect("a sample can be encoded")
}

fn sign(seed: &[u8; 32]) -> impl Fn(&Message<'_>) -> Signature + Copy {
    let seed = *seed;
    move |message| SigningKey::from_seed(&seed).sign(message)
}

/// The witnesses' keys, ascending.
fn witness_keys() -> [[u8; 32]; 4] {
    let keys = WITNESS_SEEDS.map(|seed| SigningKey::from_seed(&seed).public().0);
    assert!(keys.is_sorted(), "{keys:02x?}");
    keys
}

fn genesis(signers: u8) -> Vec<u8> {
    let mut accounts = SEEDS.map(|seed| node_of(&seed).0).map(|node| account(&node, 1_000_000));
    accounts.sort_unstable();
    let witnesses = witness_keys();
    let terms = Terms {
        name: "vectors",
        minimum_deposit: 1_000,
        opens_per_day: 1_440,
        quorum: 3,
        witnesses: &witnesses,
        accounts: &accounts,
    };
    let id = Genesis::new(terms, &[]).expect("good terms").id();
    let signatures: Vec<_> = (0..signers)
        .map(|index| {
            let seed = &WITNESS_SEEDS[usize::from(index)];
            Certificate::line(WitnessIndex(index), &Genesis::signed(&id, sign(seed)))
        })
        .collect();
    bytes(&Genesis::new(terms, &signatures).expect("good terms"))
}

fn account(node: &[u8; 16], micros: u64) -> [u8; 24] {
    let mut line = [0; 24];
    line[..16].copy_from_slice(node);
    line[16..].copy_from_slice(&micros.to_le_bytes());
    line
}

/// The id of the samples' genesis.
///
/// # Panics
/// Never: the sample is one.
#[must_use]
pub fn genesis_id() -> GenesisId {
    Genesis::decode(&genesis(3)).expect("a sample").id()
}

fn open_body(deposit: u64) -> OpenBody {
    let [owner, peer] = SEEDS.map(|seed| node_of(&seed));
    OpenBody { owner, order: 1, deposit, channel: CHANNEL, peer }
}

fn parties() -> [[u8; 32]; 2] {
    let mut seeds = SEEDS;
    seeds.sort_unstable_by_key(node_of);
    seeds
}

fn close_body() -> SettlementBody {
    let [party_a, party_b] = parties().map(|seed| node_of(&seed));
    SettlementBody { channel: CHANNEL, party_a, party_b, paid_a: 700, paid_b: 20, final_sequence: 9 }
}

fn orders() -> Vec<Vec<u8>> {
    let (open, close) = (open_body(5_000), close_body());
    let signature = open.signed(&genesis_id(), sign(&SEEDS[0]));
    let [a, b] = parties().map(|seed| close.signed_as_close(sign(&seed)));
    let closed = |signatures| Order::Close(CloseOrder { body: close, signatures });
    vec![
        bytes(&Order::Open(OpenOrder { body: open, signature })),
        bytes(&closed(ClosedBy::A(a))),
        bytes(&closed(ClosedBy::B(b))),
        bytes(&closed(ClosedBy::Both(a, b))),
    ]
}

fn courses() -> Vec<Vec<u8>> {
    let [party_a, party_b] = parties().map(|seed| node_of(&seed));
    let state = |balance_a, sequence| {
        let balance_b = 3_000 - balance_a;
        let body = ChannelBody { channel: CHANNEL, party_a, party_b, balance_a, balance_b, sequence };
        let [sig_a, sig_b] = parties().map(|seed| body.signed(sign(&seed)));
        ChannelState { body, sig_a, sig_b }
    };
    let course = |last| Course::new(state(2_000, 0), last).expect("states of one channel");
    vec![bytes(&course(state(1_400, 12))), bytes(&course(state(2_000, 0)))]
}

fn order_hash() -> OrderHash {
    open_body(5_000).hash(&genesis_id())
}

fn statements() -> Vec<Vec<u8>> {
    let signature = attested(&genesis_id(), &order_hash(), sign(&WITNESS_SEEDS[2]));
    let statement = Statement { order: order_hash(), witness: WitnessIndex(2), says: Ok(signature) };
    vec![bytes(&statement), bytes(&Statement { says: Err(RefusalCode(3)), ..statement })]
}

fn certificates() -> Vec<Vec<u8>> {
    let lines: Vec<_> = [0_u8, 2, 3]
        .into_iter()
        .map(|index| {
            let seed = &WITNESS_SEEDS[usize::from(index)];
            Certificate::line(WitnessIndex(index), &attested(&genesis_id(), &order_hash(), sign(seed)))
        })
        .collect();
    let longest: Vec<_> =
        (1..8).map(|index| Certificate::line(WitnessIndex(index), &Signature([0x51; 64]))).collect();
    [lines, longest]
        .iter()
        .map(|lines| bytes(&Certificate::new(&genesis_id(), order_hash(), lines).expect("ascending")))
        .collect()
}

fn evidence() -> Vec<Vec<u8>> {
    let [party_a, party_b] = parties().map(|seed| node_of(&seed));
    let state =
        |balance_a| ChannelBody { channel: CHANNEL, party_a, party_b, balance_a, balance_b: 5, sequence: 8 };
    let states = [state(10), state(11)].map(|body| (body, body.signed(sign(&parties()[1]))));
    let open = |deposit| {
        let body = open_body(deposit);
        (body, body.signed(&genesis_id(), sign(&SEEDS[0])))
    };
    let attested = |deposit| {
        let body = open_body(deposit);
        (body, attested(&genesis_id(), &body.hash(&genesis_id()), sign(&WITNESS_SEEDS[1])))
    };
    [
        Evidence::of_states(Party::B, states),
        Evidence::of_orders([open(6_000), open(5_000)]),
        Evidence::of_witness(WitnessIndex(1), [attested(5_000), attested(6_000)]),
    ]
    .into_iter()
    .map(|evidence| bytes(&evidence.expect("two bodies under one number")))
    .collect()
}
