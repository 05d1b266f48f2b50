//! What needs no curve: hashes, the core's randomness, key derivation, authenticated encryption.

use nexus_crypto::aead::{AeadKey, Nonce, Tag};
use nexus_crypto::hash;
use nexus_crypto::hkdf::hkdf_sha256;
use nexus_machine::{Seed, Stream};

/// Lengths of sealed messages, in bytes: around the blocks of ChaCha20 (64) and Poly1305 (16), around the groups of
/// blocks that vector units take at once, and what packets have.
const SEALED_LENGTHS: [usize; 21] = [
    0,
    1,
    15,
    16,
    17,
    63,
    64,
    65,
    127,
    128,
    129,
    255,
    256,
    257,
    484,
    500,
    511,
    512,
    513,
    1_400,
    LONGEST_SEALED,
];
const LONGEST_SEALED: usize = 4_096;

/// Lengths of derived keys, in bytes; the last passes the point where HKDF's one-byte counter wraps.
const DERIVED_LENGTHS: [usize; 8] = [1, 31, 32, 33, 64, 255, 1_000, LONGEST_DERIVED];
const LONGEST_DERIVED: usize = 8_300;

/// A BLAKE3 chain over both hashes on inputs of 0 to 299 bytes.
#[must_use]
pub fn hash_digest() -> [u8; 32] {
    let mut random = Seed::new([0xc1; 32]).fork("hashes");
    let mut input = [0; 300];
    random.fill(&mut input);
    let mut digest = [0; 32];
    for len in 0..input.len() {
        let (front, _) = input.split_at(len);
        digest = hash::blake3(&[&digest, &hash::sha256(&[front]), &hash::blake3(&[front])]);
    }
    digest
}

/// A BLAKE3 chain over every way to draw from a [`Stream`], with its seed forked and its state refreshed in between.
#[must_use]
pub fn stream_digest() -> [u8; 32] {
    let seed = Seed::new([0xc2; 32]);
    let mut digest = [0; 32];
    for node in 0..64 {
        let mut random = seed.fork_index("node", node).fork("stream");
        for bound in [0, 1, 2, 10, 1 << 40, u64::MAX] {
            let fair = random.below(bound);
            let chance = random.chance(1, bound);
            let word = random.next_u32();
            let bytes: [u8; 45] = random.bytes();
            digest = hash::blake3(&[
                &digest,
                &fair.to_le_bytes(),
                &[u8::from(chance)],
                &word.to_le_bytes(),
                &random.next_u64().to_le_bytes(),
                &bytes,
            ]);
            random.refresh(&digest);
        }
    }
    digest
}

/// A BLAKE3 chain over keys derived by HKDF-SHA256, with and without salt and info.
#[must_use]
pub fn hkdf_digest() -> [u8; 32] {
    let mut random = Seed::new([0xc3; 32]).fork("hkdf");
    let mut digest = [0; 32];
    let mut output = [0; LONGEST_DERIVED];
    for len in DERIVED_LENGTHS {
        let (output, _) = output.split_at_mut(len);
        let (material, salt, info): ([u8; 32], [u8; 80], [u8; 20]) =
            (random.bytes(), random.bytes(), random.bytes());
        hkdf_sha256(&material, &salt, &info, output);
        digest = hash::blake3(&[&digest, output]);
        hkdf_sha256(&material, &[], &[], output);
        digest = hash::blake3(&[&digest, output]);
    }
    digest
}

/// A BLAKE3 chain over sealed messages of many lengths. Each is opened again; changed by one bit, it is refused.
///
/// # Panics
/// If what was sealed does not open, or what was changed does.
#[must_use]
pub fn aead_digest() -> [u8; 32] {
    let mut random = Seed::new([0xc4; 32]).fork("aead");
    let mut digest = [0; 32];
    let (mut plaintext, mut buffer) = ([0; LONGEST_SEALED], [0; LONGEST_SEALED]);
    for (counter, len) in (0..).zip(SEALED_LENGTHS) {
        let (plaintext, _) = plaintext.split_at_mut(len);
        let (buffer, _) = buffer.split_at_mut(len);
        random.fill(plaintext);
        buffer.copy_from_slice(plaintext);
        let key = AeadKey::from_bytes(random.bytes());
        let nonce = if random.chance(1, 2) { Nonce::random(&mut random) } else { Nonce::counter(counter) };
        let associated: [u8; 35] = random.bytes();
        let (associated, _) = associated.split_at(below(&mut random, associated.len()));
        let tag = key.seal_in_place(nonce, associated, buffer);
        digest = hash::blake3(&[&digest, nonce.as_bytes(), buffer, tag.as_bytes()]);
        key.open_in_place(nonce, associated, buffer, &tag).expect("what was sealed opens");
        assert!(buffer == plaintext, "what was opened is what was sealed");
        let tag = with_a_bit_flipped(tag, &mut random);
        assert!(
            key.open_in_place(nonce, associated, buffer, &tag).is_err(),
            "what was not sealed is refused"
        );
        digest = hash::blake3(&[&digest, buffer]);
    }
    digest
}

fn with_a_bit_flipped(Tag(mut tag): Tag, random: &mut Stream) -> Tag {
    tag[below(random, Tag::LEN)] ^= 1 << random.below(8);
    Tag(tag)
}

fn below(random: &mut Stream, bound: usize) -> usize {
    let bound = u64::try_from(bound).expect("a length fits u64");
    usize::try_from(random.below(bound)).expect("below a length")
}
