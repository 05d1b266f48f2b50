//! The handshakes of links, made from fixed seeds. `NEXUS_WRITE_VECTORS=1` writes the file instead of comparing.

use nexus_crypto::noise::{AwaitingFinish, AwaitingRekeyAck, AwaitingReply, Established, answer_rekey};
use nexus_crypto::{IdentitySeed, NodeIdentity};
use nexus_machine::{Seed, Stream};
use nexus_testkit::format::hex;
use serde_json::{Value, json};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/noise.json");
const WRITTEN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/noise.json"));

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "vectors are files, and whether to write them is the developer's word"
)]
fn the_handshakes_in_the_spec_are_what_this_code_makes() {
    let made = serde_json::to_string_pretty(&vectors()).expect("vectors are JSON") + "\n";
    if std::env::var_os("NEXUS_WRITE_VECTORS").is_some() {
        std::fs::write(PATH, &made).expect("the spec can be written");
    } else {
        assert_eq!(made, WRITTEN);
    }
}

fn vectors() -> Value {
    let (link, binding) = link();
    json!({
        "source": "Made by protocol/nexus-crypto/tests/vectors/noise.rs; cross-checked as spec/crypto.md#vectors says",
        "link": link,
        "rekey": rekey(&binding),
    })
}

/// A link's handshake, and its channel binding.
fn link() -> (Value, [u8; 32]) {
    let (initiator, responder) = (identity(0x11), identity(0x22));
    // Message 1's first 7 bytes: version 1 of kind 1, session 0x1234, target 0xa1b2c3d4.
    let prologue = [b"NEXUS link 1".as_slice(), &[0x91, 0x34, 0x12, 0xd4, 0xc3, 0xb2, 0xa1]].concat();
    let (reply_payload, finish_payload) =
        ([0x11, 3, 0, 0x88, 0xdc, 0x05, 0x78, 0x56], [0x10, 1, 0, 0x80, 0xf4, 1]);

    let waiting = AwaitingReply::begin(&initiator, &prologue, &mut stream(0x33));
    let first = waiting.ephemeral();
    let (answered, reply) =
        AwaitingFinish::reply(&responder, &prologue, &first, &reply_payload, &mut stream(0x44))
            .expect("message 1 is good");
    let (finish, ours) = waiting.read(&initiator, &reply).expect("message 2 is good").accept(&finish_payload);
    let theirs = answered.finish(&responder, &finish).expect("message 3 is good").established;
    assert_eq!(keys(&ours), keys(&Established { send: theirs.receive, receive: theirs.send, ..theirs }));
    let vector = json!({
        "protocol": "Noise_XX_25519_ChaChaPoly_BLAKE2b",
        "initiator_seed": hex(initiator.seed().expose()),
        "initiator_static_public": hex(initiator.public().exchange().as_bytes()),
        "responder_seed": hex(responder.seed().expose()),
        "responder_static_public": hex(responder.public().exchange().as_bytes()),
        "initiator_ephemeral_secret": hex(&stream(0x33).bytes::<32>()),
        "responder_ephemeral_secret": hex(&stream(0x44).bytes::<32>()),
        "prologue": hex(&prologue),
        "reply_payload": hex(&reply_payload),
        "finish_payload": hex(&finish_payload),
        "first": hex(first.as_bytes()),
        "reply": hex(&reply),
        "finish": hex(&finish),
        "initiator": keys(&ours),
    });
    (vector, ours.channel_binding.0)
}

fn rekey(binding: &[u8; 32]) -> Value {
    let prologue = [b"NEXUS rekey 1".as_slice(), binding].concat();
    let waiting = AwaitingRekeyAck::offer(&prologue, &mut stream(0x55));
    let offer = waiting.ephemeral();
    let (ack, theirs) = answer_rekey(&prologue, &offer, &mut stream(0x66)).expect("the offer is good");
    let ours = waiting.finish(&ack).expect("the answer is good");
    assert_eq!(keys(&ours), keys(&Established { send: theirs.receive, receive: theirs.send, ..theirs }));
    json!({
        "protocol": "Noise_NN_25519_ChaChaPoly_BLAKE2b",
        "initiator_ephemeral_secret": hex(&stream(0x55).bytes::<32>()),
        "responder_ephemeral_secret": hex(&stream(0x66).bytes::<32>()),
        "prologue": hex(&prologue),
        "offer": hex(offer.as_bytes()),
        "ack": hex(&ack),
        "initiator": keys(&ours),
    })
}

fn keys(established: &Established) -> Value {
    json!({
        "send": hex(established.send.expose()),
        "receive": hex(established.receive.expose()),
        "channel_binding": hex(established.channel_binding.as_bytes()),
    })
}

fn identity(byte: u8) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes([byte; 32]))
}

/// Its first 32 bytes are the ephemeral secret.
fn stream(byte: u8) -> Stream {
    Seed::new([byte; 32]).fork("noise vector")
}
