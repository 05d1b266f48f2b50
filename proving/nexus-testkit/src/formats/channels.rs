//! Channels' formats (spec/economy.md), with samples of every shape.
//!
//! The samples are fixed, and their signatures are real: `spec/vectors/channels.json` is made from them.

use nexus_crypto::{Message, NodeId, Signature, SigningKey};
use nexus_wire::nexus::Layout;
use nexus_wire::nexus::channel::{
    ChannelBody, ChannelId, ChannelNonce, ChannelState, SettlementBody, SettlementRecord,
};
use nexus_wire::nexus::channel_messages::{
    Accept, ChannelSlot, Close, CloseStage, Cosign, Figures, LatestState, Offer, Open, Proposal, Refuse,
    RefuseCode, Settle, Settled, StateFlags,
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
    format!(ChannelState, || vec![bytes(&state(7))], |len| len == 200),
    format!(SettlementRecord, || vec![bytes(&record())], |len| len == 200),
    format!(Open, || vec![bytes(&Open { slot: SLOT, offer: offer(0xa0) })], |len| len == 65),
    format!(
        Accept,
        || vec![bytes(&Accept { slot: SLOT, offer: offer(0xb0), sig: state(0).sig_b })],
        |len| len == 129
    ),
    format!(Proposal, || vec![bytes(&proposal())], |len| len == 80),
    format!(Cosign, cosigns, |len| [73, 158, 238].contains(&len)),
    format!(Refuse, || vec![bytes(&refuse())], |len| len == 10),
    format!(Settle, || vec![bytes(&Settle(figures(SettlementBody::signed)))], |len| len == 89),
    format!(Settled, || vec![bytes(&Settled { slot: SLOT, record: record() })], |len| len == 201),
    format!(LatestState, || vec![bytes(&latest())], |len| len == 218),
    format!(Close, closes, |len| len == 90),
];

/// The secret seeds of the two who sign the samples; the lower id's comes first.
pub const SEEDS: [[u8; 32]; 2] = [[0xaa; 32], [0xbb; 32]];

const PARTY_A: NodeId = NodeId([0x0a; 16]);
const PARTY_B: NodeId = NodeId([0x0b; 16]);
const NONCES: [ChannelNonce; 2] = [ChannelNonce([0xa0; 16]), ChannelNonce([0xb0; 16])];
const SLOT: ChannelSlot = ChannelSlot(1);

fn encode<'a>(value: &impl Layout<'a>) -> Result<Vec<u8>, nexus_wire::EncodeError> {
    let mut buffer = vec![0xa5; value.encoded_len()];
    let written = value.encode(&mut buffer)?.len();
    assert_eq!(written, buffer.len(), "a value is as long as it says");
    Ok(buffer)
}

fn bytes<'a>(value: &impl Layout<'a>) -> Vec<u8> {
    encode(value).expect("a sample can be encoded")
}

/// Both parties' signatures on one message.
fn signed(message: &Message<'_>) -> [Signature; 2] {
    SEEDS.map(|seed| SigningKey::from_seed(&seed).sign(message))
}

fn channel() -> ChannelId {
    let [nonce_a, nonce_b] = NONCES;
    ChannelId::of(PARTY_A, PARTY_B, nonce_a, nonce_b)
}

fn body(sequence: u64) -> ChannelBody {
    ChannelBody {
        channel: channel(),
        party_a: PARTY_A,
        party_b: PARTY_B,
        balance_a: 1_000_000 - sequence,
        balance_b: 2_000_000 + sequence,
        sequence,
    }
}

fn state(sequence: u64) -> ChannelState {
    let body = body(sequence);
    let [sig_a, sig_b] = body.signed(signed);
    ChannelState { body, sig_a, sig_b }
}

fn settlement() -> SettlementBody {
    SettlementBody {
        channel: channel(),
        party_a: PARTY_A,
        party_b: PARTY_B,
        paid_a: 7,
        paid_b: 0,
        final_sequence: 7,
    }
}

fn record() -> SettlementRecord {
    let body = settlement();
    let [sig_a, sig_b] = body.signed(signed);
    SettlementRecord { body, sig_a, sig_b }
}

fn figures(sign: impl Fn(&SettlementBody, fn(&Message<'_>) -> [Signature; 2]) -> [Signature; 2]) -> Figures {
    let body = settlement();
    let [sig, _] = sign(&body, signed);
    Figures { slot: SLOT, final_sequence: body.final_sequence, paid_a: body.paid_a, paid_b: body.paid_b, sig }
}

fn offer(first: u8) -> Offer<'static> {
    let (nonce, vrf_key) = if first == 0xa0 { (NONCES[0], &[0x1a; 32]) } else { (NONCES[1], &[0x1b; 32]) };
    Offer { nonce, line: 1_000_000, deposit: 500_000, vrf_key }
}

fn proposal() -> Proposal {
    let next = state(9);
    Proposal { base_sequence: 7, sequence: next.body.sequence, sig: next.sig_b }
}

/// With nothing, with a claim, and with one that has a proof.
fn cosigns() -> Vec<Vec<u8>> {
    let state = state(7);
    let mut claim = vec![SLOT.0, 1, 0, 4, 0];
    claim.extend(bytes(&proposal()));
    let proved = [&claim[..], &[0x9f; 80]].concat();
    [&[][..], &claim, &proved]
        .map(|carried| {
            bytes(&Cosign { slot: SLOT, sequence: state.body.sequence, sig: state.sig_a, carried })
        })
        .to_vec()
}

fn refuse() -> Refuse {
    Refuse { slot: SLOT, sequence: 9, code: RefuseCode::FUNDS }
}

fn latest() -> LatestState {
    LatestState {
        slot: SLOT,
        flags: StateFlags::RESUMED.and(StateFlags::ANSWER),
        highest_a: 6,
        highest_b: 7,
        state: state(7),
    }
}

fn closes() -> Vec<Vec<u8>> {
    let figures = figures(SettlementBody::signed_as_close);
    [CloseStage::Proposed, CloseStage::Agreed].map(|stage| bytes(&Close { figures, stage })).to_vec()
}
