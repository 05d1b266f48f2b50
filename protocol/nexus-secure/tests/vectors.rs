//! `spec/vectors/end_to_end.json` is what this code makes, and stays so.
//!
//! `NEXUS_WRITE_VECTORS=1` writes it anew.
#![allow(
    clippy::disallowed_methods,
    reason = "vectors are files, and whether to write them is the developer's word"
)]

use nexus_crypto::exchange::{RecipientPublic, RecipientSecret};
use nexus_crypto::{IdentitySeed, NodeId, NodeIdentity, RatchetSecret};
use nexus_machine::Seed;
use nexus_network::Class;
use nexus_secure::envelope::{Letter, SealedPacket, seal, verify};
use nexus_testkit::format::{hex, unhex};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::end_to_end::{Envelope, Service};
use nexus_wire::reticulum::{Packet, Payload as _, Proof};
use serde_json::{Value, json};

const AUTHOR: [u8; 32] = [0x11; 32];
const RECIPIENT: [u8; 32] = [0x22; 32];
const RATCHET: [u8; 32] = [0x33; 32];

#[test]
fn complete_envelopes_are_what_the_vectors_say() {
    let (author, recipient) = (identity(AUTHOR), identity(RECIPIENT));
    let ratchet = RatchetSecret::from_bytes(&RATCHET);
    let (ratchet_public, exchange) = (ratchet.public(), recipient.public().exchange());
    let message =
        Letter { service: Service::MESSAGE, reply_to: None, request_id: 0x0403_0201, body: b"hello" };
    let nonce = [0x55; 8];
    let reply_to = Some(author.node_id());
    let ping = Letter { service: Service::PING, reply_to, request_id: 0x0807_0605, body: &nonce };
    let made = json!({
        "source": "spec/wire.md#end-to-end",
        "author_seed": hex(&AUTHOR),
        "recipient_seed": hex(&RECIPIENT),
        "ratchet_secret": hex(&RATCHET),
        "author": author.node_id().to_string(),
        "recipient": recipient.node_id().to_string(),
        "signed message to the ratchet":
            envelope(&message, RecipientPublic::Ratchet(&ratchet_public), Some(&author)),
        "probe to the identity": envelope(&ping, RecipientPublic::Identity(&exchange), None),
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/end_to_end.json");
    if std::env::var("NEXUS_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&made).expect("a value is JSON");
        std::fs::write(path, text + "\n").expect("the vectors can be written");
    }
    let text = std::fs::read_to_string(path).expect("the vectors are committed");
    let committed: Value = serde_json::from_str(&text).expect("vectors are JSON");
    assert_eq!(committed, made, "see this test's first lines");
}

#[test]
fn the_committed_packets_open_and_their_signature_holds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/end_to_end.json");
    let text = std::fs::read_to_string(path).expect("the vectors are committed");
    let vectors: Value = serde_json::from_str(&text).expect("vectors are JSON");
    let (author, recipient) = (identity(AUTHOR), identity(RECIPIENT));
    let ratchet = RatchetSecret::from_bytes(&RATCHET);
    let open = |vector: &Value, key: RecipientSecret<'_>| {
        let bytes = unhex(vector["packet"].as_str().unwrap());
        let sealed =
            SealedPacket::read(&Packet::decode(&bytes).unwrap(), &recipient.node_id(), Class::Standard)
                .unwrap();
        let plaintext = sealed.open(key).expect("it is sealed to this key");
        assert_eq!(hex(&plaintext), vector["plaintext"].as_str().unwrap());
        (sealed, plaintext)
    };
    let exchange = recipient.as_reticulum().exchange();
    open(&vectors["probe to the identity"], RecipientSecret::Identity(exchange));
    let (sealed, plaintext) =
        open(&vectors["signed message to the ratchet"], RecipientSecret::Ratchet(&ratchet));
    let said = Envelope::decode(&plaintext).unwrap();
    assert_eq!(verify(&said, &plaintext, &sealed.enc, &recipient.node_id(), author.public()), Ok(()));
}

/// A sealed letter with all that led to it, and the proof of its arrival.
fn envelope(letter: &Letter<'_>, key: RecipientPublic<'_>, author: Option<&NodeIdentity>) -> Value {
    let recipient = identity(RECIPIENT);
    let to: NodeId = recipient.node_id();
    let seed = Seed::new([0x44; 32]);
    // The key material is the first that sealing draws.
    let material: [u8; 32] = seed.fork("vector").bytes();
    let bytes = seal(letter, &to, key, author, &mut seed.fork("vector")).expect("it is short");
    let packet = Packet::decode(&bytes).expect("it was just made");
    let sealed = SealedPacket::read(&packet, &to, Class::Standard).expect("it is to this node");
    let ratchet = RatchetSecret::from_bytes(&RATCHET);
    let plaintext = match key {
        RecipientPublic::Ratchet(_) => sealed.open(RecipientSecret::Ratchet(&ratchet)),
        RecipientPublic::Identity(_) => {
            sealed.open(RecipientSecret::Identity(recipient.as_reticulum().exchange()))
        }
    };
    let plaintext = plaintext.expect("it was just sealed");
    let said = Envelope::decode(&plaintext).expect("it was just sealed");
    let (before, after) = said.around_signature(&plaintext).expect("it was just sealed");
    let signed = author.map(|_| {
        let tag = [b"nexus/e2e/v1".as_slice(), &[0; 4]].concat();
        hex(&[&tag, sealed.enc.as_bytes().as_slice(), to.as_bytes(), before, after].concat())
    });
    let mut buffer = [0; 200];
    let proof = Proof::implicit(&packet.hash(), recipient.as_reticulum());
    let proof = proof.encode(&mut buffer).expect("a proof is short");
    json!({
        "ephemeral_key_material": hex(&material),
        "enc": sealed.enc.to_string(),
        "signed": signed,
        "plaintext": hex(&plaintext),
        "packet": hex(&bytes),
        "packet_hash": packet.hash().to_string(),
        "proof": hex(proof),
    })
}

fn identity(seed: [u8; 32]) -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes(seed))
}
