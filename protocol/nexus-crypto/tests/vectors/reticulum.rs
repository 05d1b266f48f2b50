//! What was measured on stock Reticulum.

use nexus_crypto::hash::sha256;
use nexus_crypto::hkdf::hkdf_sha256;
use nexus_crypto::single::{self, OpenedWith, WithoutRatchet};
use nexus_crypto::{DestinationHash, IdentityPublic, NameHash, ReticulumIdentity, Signature};
use nexus_testkit::format::{hex, unhex};
use serde_json::Value;

const VECTORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/reticulum.json"));

#[test]
fn identities_names_and_destinations_are_reticulums() {
    let vectors = vectors();
    let identity = identity(&vectors["identity"]["private"]);
    assert_eq!(identity.public().to_string(), text(&vectors["identity"]["public"]));
    assert_eq!(identity.hash().to_string(), text(&vectors["identity"]["identity_hash"]));
    for vector in list(&vectors["names"]) {
        let name = NameHash::of(text(&vector["name"]));
        assert_eq!(name.to_string(), text(&vector["name_hash"]));
        let destination = DestinationHash::of(name, identity.hash());
        assert_eq!(destination.to_string(), text(&vector["destination_hash"]));
    }
    let plain = vectors["plain_destinations"].as_object().expect("an object");
    assert!(!plain.is_empty());
    for (name, destination) in plain {
        assert_eq!(DestinationHash::plain(NameHash::of(name)).to_string(), text(destination));
    }
}

#[test]
fn key_derivation_is_reticulums_beyond_255_blocks_too() {
    for vector in list(&vectors()["hkdf"]) {
        let length = usize::try_from(vector["length"].as_u64().expect("a number")).unwrap();
        let mut output = vec![0; length];
        hkdf_sha256(&bytes(&vector["ikm"]), &bytes(&vector["salt"]), &[], &mut output);
        let (expected, from) = match vector.get("out") {
            Some(out) => (bytes(out), 0),
            None => (bytes(&vector["out_tail"]), length - 32),
        };
        assert_eq!(hex(&output[from..]), hex(&expected));
    }
}

#[test]
fn what_stock_nodes_encrypted_opens() {
    for vector in list(&vectors()["single"]) {
        let identity = identity(&vector["recipient_private"]);
        let ciphertext = bytes(&vector["ciphertext"]);
        let opened = single::decrypt(&identity, [], WithoutRatchet::Accepted, &ciphertext).unwrap();
        assert_eq!(
            (hex(&opened.plaintext), opened.with),
            (text(&vector["plaintext"]).into(), OpenedWith::Identity)
        );
        assert_eq!(ciphertext.len(), single::single_length(opened.plaintext.len()));
    }
}

/// Flags, hops, destination and context are the first 19 bytes, the announce follows.
#[test]
fn what_stock_nodes_announced_verifies_and_a_changed_byte_does_not() {
    for vector in list(&vectors()["announces"]) {
        let packet = bytes(&vector["packet"]);
        let (destination, payload) = (&packet[2..18], &packet[19..]);
        let after_signature = 84 + text(&vector["ratchet"]).len() / 2;
        let (front, rest) = payload.split_at(after_signature);
        let (signature, app_data) = rest.split_at(64);
        let public = IdentityPublic(front[..64].try_into().unwrap());
        let signature = Signature(signature.try_into().unwrap());
        let verifying = public.verifying();
        assert_eq!(verifying.verify_untagged(&[destination, front, app_data], &signature), Ok(()));
        let name = NameHash(front[64..74].try_into().unwrap());
        assert_eq!(DestinationHash::of(name, public.hash()).0, destination);
        let mut changed = app_data.to_vec();
        changed[0] ^= 1;
        assert!(verifying.verify_untagged(&[destination, front, &changed], &signature).is_err());
    }
}

/// A whole frame of an interface with an access code, made of what this crate offers: the key, the code, the mask.
#[test]
fn an_interface_access_code_is_made_of_our_derivation_and_our_signature() {
    let vector = &vectors()["ifac"];
    let hash_of = |name: &str| sha256(&[text(&vector[name]).as_bytes()]);
    let origin = sha256(&[&hash_of("netname"), &hash_of("passphrase")]);
    let salt = unhex("adf54d882c9a9b80771eb4995d702d4a3e733391b2a0f53f416d9f907e55cff8");
    let mut key = [0; 64];
    hkdf_sha256(&origin, &salt, &[], &mut key);
    assert_eq!(hex(&key), text(&vector["key"]));

    let packet = bytes(&vector["packet"]);
    let size = usize::try_from(vector["size"].as_u64().expect("a number")).unwrap();
    let signature = ReticulumIdentity::from_private_blob(&key).sign_untagged(&[&packet]);
    let code = &signature.as_bytes()[64 - size..];
    let mut frame = [&[packet[0] | 0x80, packet[1]], code, &packet[2..]].concat();
    let mut mask = vec![0; frame.len()];
    hkdf_sha256(code, &key, &[], &mut mask);
    for (at, byte) in frame.iter_mut().enumerate().filter(|(at, _)| !(2..2 + size).contains(at)) {
        *byte ^= mask[at];
    }
    frame[0] |= 0x80;
    assert_eq!(hex(&frame), text(&vector["on_wire"]));
}

fn vectors() -> Value {
    serde_json::from_str(VECTORS).expect("the vectors are JSON")
}

fn list(value: &Value) -> &[Value] {
    let list = value.as_array().expect("a list");
    assert!(!list.is_empty(), "no vectors prove nothing");
    list
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn bytes(value: &Value) -> Vec<u8> {
    unhex(text(value))
}

fn identity(private: &Value) -> ReticulumIdentity {
    ReticulumIdentity::from_private_blob(&bytes(private).try_into().expect("64 bytes"))
}
