//! NEXUS's own derivations, made from fixed seeds. `NEXUS_WRITE_VECTORS=1` writes the file instead of comparing.

use nexus_crypto::hash::{blake2b_128_keyed, blake3, blake3_keyed};
use nexus_crypto::passphrase::{Argon2Cost, stretch};
use nexus_crypto::{
    AeadKey, DestinationHash, DomainTag, EphemeralPublic, IdentitySeed, Message, NodeIdentity, Nonce,
    RatchetSecret, RecipientPublic, RecipientSecret, Signature, Tag, hpke,
};
use nexus_machine::Seed;
use nexus_testkit::format::{hex, unhex};
use serde_json::{Value, json};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/crypto.json");
const WRITTEN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/crypto.json"));

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "vectors are files, and whether to write them is the developer's word"
)]
fn the_vectors_in_the_spec_are_what_this_code_makes() {
    let made = serde_json::to_string_pretty(&vectors()).expect("vectors are JSON") + "\n";
    if std::env::var_os("NEXUS_WRITE_VECTORS").is_some() {
        std::fs::write(PATH, &made).expect("the spec can be written");
    } else {
        assert_eq!(made, WRITTEN);
    }
}

/// From the file alone, as another implementation would read it.
#[test]
fn the_written_message_opens_and_the_written_signature_verifies() {
    let written: Value = serde_json::from_str(WRITTEN).expect("the vectors are JSON");
    let field = |of: &str, name: &str| unhex(written[of][name].as_str().expect("a string"));
    let node = node();

    let ratchet = RatchetSecret::from_bytes(&field("hpke", "ratchet_secret").try_into().unwrap());
    let enc = EphemeralPublic(field("hpke", "enc").try_into().unwrap());
    let tag = Tag(field("hpke", "tag").try_into().unwrap());
    let mut buffer = field("hpke", "ciphertext");
    let (info, associated) = (field("hpke", "info"), field("hpke", "aad"));
    hpke::open_in_place(RecipientSecret::Ratchet(&ratchet), &enc, &info, &associated, &mut buffer, &tag)
        .unwrap();
    assert_eq!(buffer, field("hpke", "plaintext"));

    let signature = Signature(field("signature", "signature").try_into().unwrap());
    let content = field("signature", "content");
    let parts = [content.as_slice()];
    let message = Message::new(DomainTag::TERMS, &parts).unwrap();
    assert_eq!(node.public().verifying().verify(&message, &signature), Ok(()));
}

fn vectors() -> Value {
    json!({
        "source": "Made by protocol/nexus-crypto/tests/vectors/nexus.rs; cross-checked as spec/crypto.md#vectors says",
        "identity": identity(),
        "signature": signature(),
        "hpke": sealed(),
        "aead": aead(),
        "hashes": hashes(),
        "passphrase": passphrase(),
    })
}

fn node() -> NodeIdentity {
    NodeIdentity::from_seed(IdentitySeed::from_bytes(counting()))
}

fn identity() -> Value {
    let node = node();
    let stock = node.as_reticulum();
    json!({
        "seed": hex(node.seed().expose()),
        "x25519_secret_unclamped": hex(&stock.to_private_blob()[..32]),
        "x25519_public": hex(node.public().exchange().as_bytes()),
        "ed25519_public": hex(node.public().verifying().as_bytes()),
        "ed25519_sign_bit": node.public().verifying().0[31] >> 7,
        "identity_hash": node.public().hash().to_string(),
        "node_id": node.node_id().to_string(),
        "vrf_public": hex(node.vrf_public().as_bytes()),
    })
}

fn signature() -> Value {
    let content = b"thirty-three bytes of some terms.";
    let parts = [content.as_slice()];
    let message = Message::new(DomainTag::TERMS, &parts).expect("49 bytes");
    json!({
        "tag": hex(DomainTag::TERMS.as_bytes()),
        "content": hex(content),
        "signature": hex(node().sign(&message).as_bytes()),
        "untagged_signature": hex(node().as_reticulum().sign_untagged(&parts).as_bytes()),
    })
}

fn sealed() -> Value {
    let ratchet = RatchetSecret::from_bytes(&counting());
    let destination = DestinationHash::from(node().node_id());
    let info = [b"NEXUS e2e 1".as_slice(), destination.as_bytes()].concat();
    let (associated, plaintext) = ([0x00, 0x4e], b"hello mesh");
    let mut buffer = *plaintext;
    let mut random = Seed::new([0x5a; 32]).fork("hpke vector");
    let public = ratchet.public();
    let to = RecipientPublic::Ratchet(&public);
    let (enc, tag) =
        hpke::seal_in_place(to, &info, &associated, &mut buffer, &mut random).expect("a ratchet's own key");
    json!({
        "ratchet_secret": hex(ratchet.expose()),
        "ratchet_public": hex(public.as_bytes()),
        "ratchet_id": public.id().to_string(),
        "info": hex(&info),
        "aad": hex(&associated),
        "plaintext": hex(plaintext),
        "enc": hex(enc.as_bytes()),
        "ciphertext": hex(&buffer),
        "tag": hex(tag.as_bytes()),
    })
}

fn aead() -> Value {
    let key = AeadKey::from_bytes(counting());
    let (counter, associated, plaintext) = (0x0102_0304_u64, b"\x94\x01\x02\x04\x03\x02\x01", b"hello mesh");
    let mut buffer = *plaintext;
    let nonce = Nonce::counter(counter);
    let tag = key.seal_in_place(nonce, associated, &mut buffer);
    json!({
        "key": hex(key.expose()),
        "counter": counter,
        "nonce": hex(nonce.as_bytes()),
        "aad": hex(associated),
        "plaintext": hex(plaintext),
        "ciphertext": hex(&buffer),
        "tag": hex(tag.as_bytes()),
    })
}

fn hashes() -> Value {
    let key = counting();
    json!({
        "key": hex(&key),
        "message": hex(b"nexus"),
        "blake3": hex(&blake3(&[b"nexus"])),
        "blake3_keyed": hex(&blake3_keyed(&key, &[b"nexus"])),
        "blake2b_128_keyed": hex(&blake2b_128_keyed(&key, &[b"nexus"])),
    })
}

fn passphrase() -> Value {
    let cost = Argon2Cost::new(8_192, 2, 1).expect("within the bounds");
    let salt: [u8; 16] = *counting().first_chunk().expect("32 bytes begin with 16");
    json!({
        "passphrase": "correct horse",
        "salt": hex(&salt),
        "m_kib": cost.memory_kib(),
        "t": cost.passes(),
        "p": cost.lanes(),
        "key": hex(stretch(b"correct horse", &salt, cost).expect("8 MiB of memory").expose()),
    })
}

/// 00 01 02 … 1f.
fn counting() -> [u8; 32] {
    core::array::from_fn(|n| u8::try_from(n).expect("below 32"))
}
