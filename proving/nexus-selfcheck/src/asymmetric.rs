//! What needs the curve: identities, agreements, signatures through each door, announces.

use nexus_crypto::sign::verify_batch;
use nexus_crypto::{
    DomainTag, EphemeralPublic, EphemeralSecret, IdentitySeed, Message, NameHash, NodeIdentity, NodePublic,
    RatchetSecret, Signature, VerifyingKey, hash,
};
use nexus_machine::{Seed, Stream};
use nexus_wire::reticulum::announce::{Announce, Claim, Occasion, RELAYABLE_LEN};
use nexus_wire::reticulum::{Packet, RandomHash};

/// How many identities are made.
const IDENTITIES: u64 = 12;

/// Lengths of the application's data in announces, in bytes; the last is the longest beside a ratchet.
const APP_DATA_LENGTHS: [usize; 4] = [0, 1, 100, 285];

/// A BLAKE3 chain over identities: every key and address that follows from a seed, and what each agrees on with an
/// ephemeral key. Each is held to NEXUS's rules, and recovered from its X25519 half.
///
/// # Panics
/// If an identity breaks the rules or is not recovered, or if two sides agree on different secrets.
#[must_use]
pub fn identity_digest() -> [u8; 32] {
    let mut random = Seed::new([0xc5; 32]).fork("identities");
    let mut digest = [0; 32];
    for _ in 0..IDENTITIES {
        let node = NodeIdentity::from_seed(IdentitySeed::generate(&mut random));
        let public = node.public();
        assert_eq!(
            NodePublic::check(*public.identity()).as_ref(),
            Ok(public),
            "an own identity keeps the rules"
        );
        let recovered = NodePublic::recover(&public.exchange(), public.sign());
        assert_eq!(recovered.as_ref(), Ok(public), "an identity is recovered from its X25519 half");
        digest = hash::blake3(&[
            &digest,
            public.identity().as_bytes(),
            public.hash().as_bytes(),
            public.node_id().as_bytes(),
            node.vrf_public().as_bytes(),
            node.as_reticulum().to_private_blob().as_ref(),
            &agreed(&node, &mut random),
        ]);
    }
    digest
}

fn agreed(node: &NodeIdentity, random: &mut Stream) -> [u8; 32] {
    let ephemeral = EphemeralSecret::generate(random);
    let public: EphemeralPublic = ephemeral.public();
    let theirs = ephemeral.agree(&node.public().exchange()).expect("an honest key has no small order");
    let ours = node.as_reticulum().exchange().agree(&public).expect("an honest key has no small order");
    assert!(ours.expose() == theirs.expose(), "both sides agree on one secret");
    *ours.expose()
}

/// A BLAKE3 chain over signatures through both doors, each verified and, over another message, refused; then all at
/// once as a batch; then the verdicts of both doors on crafted signatures, on which replicas have to agree too.
///
/// # Panics
/// If a good signature is refused or a wrong one accepted.
#[must_use]
pub fn signature_digest() -> [u8; 32] {
    let mut random = Seed::new([0xc6; 32]).fork("signatures");
    let contents: [[u8; 100]; 4] = core::array::from_fn(|_| random.bytes());
    let parts = contents.each_ref().map(|content| [content.as_slice()]);
    let mut digest = [0; 32];
    let signed = parts.each_ref().map(|parts| {
        let node = NodeIdentity::from_seed(IdentitySeed::generate(&mut random));
        let (key, message) = (node.public().verifying(), tagged(DomainTag::STATE, parts));
        let signature = node.sign(&message);
        key.verify(&message, &signature).expect("an own signature verifies");
        assert!(key.verify(&tagged(DomainTag::KEY, parts), &signature).is_err(), "under its own tag only");
        let untagged = node.as_reticulum().sign_untagged(parts);
        key.verify_untagged(parts, &untagged).expect("an own signature verifies");
        assert!(key.verify_untagged(&[], &untagged).is_err(), "over its own message only");
        digest = hash::blake3(&[&digest, signature.as_bytes(), untagged.as_bytes()]);
        (key, message, signature)
    });
    verify_batch(signed, &mut random).expect("a batch of good signatures is good");
    hash::blake3(&[&digest, &verdicts_on_small_orders(tagged(DomainTag::STATE, &parts[0]), &parts[0])])
}

fn tagged<'a>(tag: DomainTag, parts: &'a [&'a [u8]]) -> Message<'a> {
    Message::new(tag, parts).expect("it is longer than 32 bytes")
}

/// Points of small order, as key and as `R`: canonical encodings of the neutral element, the point of order two and
/// those of order four, then second encodings of the first two: with y ≥ p, and with the sign of a zero.
fn small_orders() -> [[u8; 32]; 6] {
    let of = |first: u8, middle: u8, last: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    [
        of(0x01, 0x00, 0x00),
        of(0xec, 0xff, 0x7f),
        of(0x00, 0x00, 0x00),
        of(0x00, 0x00, 0x80),
        of(0xee, 0xff, 0x7f),
        of(0xec, 0xff, 0xff),
    ]
}

/// One byte for every key and `R` with s = 0: whether the untagged door lets it pass. ZIP 215 lets all of them.
fn verdicts_on_small_orders(message: Message<'_>, parts: &[&[u8]]) -> [u8; 36] {
    let points = small_orders();
    let pairs = points.iter().flat_map(|key| points.iter().map(move |r| (key, r)));
    let mut verdicts = [0; 36];
    for (verdict, (key, r)) in verdicts.iter_mut().zip(pairs) {
        let mut signature = [0; Signature::LEN];
        signature[..32].copy_from_slice(r);
        let (key, signature) = (VerifyingKey(*key), Signature(signature));
        key.verify(&message, &signature).expect("ZIP 215 multiplies small orders away");
        *verdict = u8::from(key.verify_untagged(parts, &signature).is_ok());
    }
    verdicts
}

/// A BLAKE3 chain over Reticulum announces, with and without ratchet. Each is read back and verified; changed by one
/// bit of what is signed, it is refused.
///
/// # Panics
/// If an announce does not encode, does not come back, does not verify, or does although it was changed.
#[must_use]
pub fn announce_digest() -> [u8; 32] {
    let mut random = Seed::new([0xc7; 32]).fork("announces");
    let node = NodeIdentity::from_seed(IdentitySeed::generate(&mut random));
    let mut digest = [0; 32];
    let app_data: [u8; 285] = random.bytes();
    for (unix_s, len) in (1_700_000_000..).zip(APP_DATA_LENGTHS) {
        let (app_data, _) = app_data.split_at(len);
        let claim = Claim {
            public: *node.public().identity(),
            name: NameHash::NEXUS_NODE,
            random_hash: RandomHash::new(random.bytes(), unix_s),
            ratchet: None,
            app_data,
        };
        let ratchet = Some(RatchetSecret::generate(&mut random).public());
        for claim in [claim, Claim { ratchet, ..claim }] {
            let announce = claim.sign(node.as_reticulum());
            let mut buffer = [0; RELAYABLE_LEN];
            let bytes = announce.encode(Occasion::Periodic, &mut buffer).expect("relays can carry it");
            assert_eq!(verified(bytes), Some(announce), "an own announce is believed");
            digest = hash::blake3(&[&digest, bytes]);
            bytes[40] ^= 1;
            assert_eq!(verified(bytes), None, "a changed public key is not believed");
        }
    }
    digest
}

fn verified(bytes: &[u8]) -> Option<Announce<'_>> {
    let packet = Packet::decode(bytes).ok()?;
    Announce::from_packet(&packet).ok().filter(|announce| announce.verify().is_ok())
}
