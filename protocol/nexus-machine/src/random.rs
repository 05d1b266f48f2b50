//! Randomness that is reproducible: one seed in, forked down by name.
//!
//! A node is constructed with 32 bytes of entropy. Every organ gets its own [`Stream`], forked by the organ's name, so
//! that one more draw in gossip does not change a run of routing. The host refreshes streams with fresh entropy before
//! keys are made ([`Stream::refresh`]). Neither seeds nor streams are ever printed.
//!
//! The generator is the ChaCha20 block function (RFC 8439 §2.3) with fast key erasure: each refill of the pool replaces
//! the key first, so that a captured state reveals nothing drawn before. It is written here because this crate stands
//! below `nexus-crypto` and because thirty lines with the RFC's vectors are smaller than any dependency;
//! `nexus-crypto` tests it against the library's ChaCha20. Source: spec/machine.md#randomness.

use core::fmt;
use core::num::NonZero;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 bytes from which all randomness of one construction follows. Erased when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes 32 bytes of entropy. In production they come from the operating system or a hardware generator.
    #[must_use]
    pub const fn new(entropy: [u8; 32]) -> Self {
        Self(entropy)
    }

    /// The stream for the organ called `name`. Two names never share a stream, whatever their lengths.
    #[must_use]
    pub fn fork(&self, name: &str) -> Stream {
        Stream::with_key(derive(&self.0, Purpose::Fork, name.as_bytes()))
    }

    /// The seed for a part that forks further (a layer, a simulated node).
    #[must_use]
    pub fn fork_seed(&self, name: &str) -> Self {
        Self(derive(&self.0, Purpose::ForkSeed, name.as_bytes()))
    }

    /// The seed for the part called `name` with the number `index`: node 7 of a world, run 12 of a swarm.
    #[must_use]
    pub fn fork_index(&self, name: &str, index: u64) -> Self {
        let named = derive(&self.0, Purpose::ForkSeed, name.as_bytes());
        Self(derive(&named, Purpose::Index, &index.to_le_bytes()))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// How many bytes one refill makes: three blocks, of which the first 32 bytes become the next key.
const REFILL: usize = 3 * BLOCK;
const BLOCK: usize = 64;
const POOL: usize = REFILL - 32;

/// An endless, reproducible stream of random bytes. Erased when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Stream {
    key: [u8; 32],
    pool: [u8; POOL],
    /// How many bytes of the pool are used up.
    used: usize,
}

impl Stream {
    const fn with_key(key: [u8; 32]) -> Self {
        Self { key, pool: [0; POOL], used: POOL }
    }

    /// Mixes fresh entropy in. The stream is unpredictable afterwards if either the old state or `entropy` was, and what
    /// was drawn before cannot be computed from what comes after.
    pub fn refresh(&mut self, entropy: &[u8; 32]) {
        let mut from_old = derive(&self.key, Purpose::Refresh, &[]);
        let mut from_fresh = derive(entropy, Purpose::Refresh, &[]);
        for (key, (old, fresh)) in self.key.iter_mut().zip(from_old.iter().zip(&from_fresh)) {
            *key = old ^ fresh;
        }
        from_old.zeroize();
        from_fresh.zeroize();
        self.pool.zeroize();
        self.used = POOL;
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.byte();
        }
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A uniform u32.
    #[must_use]
    pub fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }

    /// A uniform u64.
    #[must_use]
    pub fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// A uniform number below `bound`, without bias; 0 if `bound` is 0 or 1.
    #[must_use]
    pub fn below(&mut self, bound: u64) -> u64 {
        let Some(bound) = NonZero::new(bound) else { return 0 };
        // Draws at or above the largest multiple of `bound` are thrown away (at most half of them on average).
        let excess = (u64::MAX % bound).wrapping_add(1) % bound;
        let last_fair = u64::MAX.wrapping_sub(excess);
        loop {
            let draw = self.next_u64();
            if draw <= last_fair {
                return draw % bound;
            }
        }
    }

    /// True with probability `numerator / denominator`; never if the denominator is 0.
    #[must_use]
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator && denominator > 0
    }

    fn byte(&mut self) -> u8 {
        if self.used >= POOL {
            self.refill();
        }
        let Some(byte) = self.pool.get_mut(self.used) else { unreachable!("a refilled pool is not used up") };
        self.used = self.used.saturating_add(1);
        // What was handed out is erased, so that a captured pool reveals only the future.
        core::mem::take(byte)
    }

    fn refill(&mut self) {
        let mut made = [0; REFILL];
        for (counter, block) in (0..).zip(made.chunks_exact_mut(BLOCK)) {
            block.copy_from_slice(&chacha20_block(&self.key, counter, &nonce(Purpose::Draw, 0)));
        }
        let (key, pool) = made.split_at(32);
        self.key.copy_from_slice(key);
        self.pool.copy_from_slice(pool);
        made.zeroize();
        self.used = 0;
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(hidden)")
    }
}

/// What a block is made for: no two purposes share a nonce under one key.
#[derive(Clone, Copy)]
enum Purpose {
    Draw = 1,
    Fork = 2,
    ForkSeed = 3,
    Index = 4,
    Refresh = 5,
    Absorb = 6,
}

/// The purpose in the first four bytes, the number in the other eight.
const fn nonce(purpose: Purpose, number: u64) -> [u8; 12] {
    #[expect(clippy::as_conversions, reason = "a field-less enum's own discriminant")]
    let purpose = (purpose as u32).to_le_bytes();
    let mut nonce = [0; 12];
    let (front, back) = nonce.split_at_mut(4);
    front.copy_from_slice(&purpose);
    back.copy_from_slice(&number.to_le_bytes());
    nonce
}

/// A key for `label`, from `key`: a cascade of ChaCha20 blocks over the label's length, then its bytes, eight at a time.
/// The encoding is prefix-free (the length comes first), so different labels give independent keys.
fn derive(key: &[u8; 32], purpose: Purpose, label: &[u8]) -> [u8; 32] {
    let mut derived = half_block(key, &nonce(purpose, u64::try_from(label.len()).unwrap_or(u64::MAX)));
    for chunk in label.chunks(8) {
        let mut number = [0; 8];
        for (to, from) in number.iter_mut().zip(chunk) {
            *to = *from;
        }
        derived = half_block(&derived, &nonce(Purpose::Absorb, u64::from_le_bytes(number)));
    }
    derived
}

fn half_block(key: &[u8; 32], nonce: &[u8; 12]) -> [u8; 32] {
    let mut block = chacha20_block(key, 0, nonce);
    let mut half = [0; 32];
    for (to, from) in half.iter_mut().zip(&block) {
        *to = *from;
    }
    block.zeroize();
    half
}

/// The ChaCha20 block function, RFC 8439 §2.3: 64 bytes from a key, a block counter and a nonce.
#[must_use]
pub fn chacha20_block(key: &[u8; 32], counter: u32, nonce: &[u8; 12]) -> [u8; 64] {
    const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
    let mut words = key.chunks_exact(4).chain(nonce.chunks_exact(4)).map(|word| match word {
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => unreachable!("chunks_exact(4) yields four bytes"),
    });
    let mut initial = [0_u32; 16];
    for (position, word) in initial.iter_mut().enumerate() {
        *word = match position {
            0..=3 => CONSTANTS.get(position).copied().unwrap_or_default(),
            12 => counter,
            _ => words.next().unwrap_or_default(),
        };
    }
    let mut state = initial;
    for _ in 0..10 {
        state = double_round(state);
    }
    let mut block = [0; 64];
    for (bytes, (word, start)) in block.chunks_exact_mut(4).zip(state.iter().zip(&initial)) {
        bytes.copy_from_slice(&word.wrapping_add(*start).to_le_bytes());
    }
    block
}

#[expect(clippy::many_single_char_names, reason = "the names of RFC 8439")]
/// Four column rounds and four diagonal rounds (RFC 8439 §2.3).
const fn double_round(s: [u32; 16]) -> [u32; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = s;
    let (a, e, i, m) = quarter_round(a, e, i, m);
    let (b, f, j, n) = quarter_round(b, f, j, n);
    let (c, g, k, o) = quarter_round(c, g, k, o);
    let (d, h, l, p) = quarter_round(d, h, l, p);
    let (a, f, k, p) = quarter_round(a, f, k, p);
    let (b, g, l, m) = quarter_round(b, g, l, m);
    let (c, h, i, n) = quarter_round(c, h, i, n);
    let (d, e, j, o) = quarter_round(d, e, j, o);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// RFC 8439 §2.1.
const fn quarter_round(a: u32, b: u32, c: u32, d: u32) -> (u32, u32, u32, u32) {
    let a = a.wrapping_add(b);
    let d = (d ^ a).rotate_left(16);
    let c = c.wrapping_add(d);
    let b = (b ^ c).rotate_left(12);
    let a = a.wrapping_add(b);
    let d = (d ^ a).rotate_left(8);
    let c = c.wrapping_add(d);
    let b = (b ^ c).rotate_left(7);
    (a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn the_block_function_gives_the_vector_of_rfc_8439_2_3_2() {
        let key: [u8; 32] = core::array::from_fn(|n| u8::try_from(n).unwrap());
        let nonce = [0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0];
        let block = chacha20_block(&key, 1, &nonce);
        assert_eq!(
            block[..16],
            [0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4]
        );
        assert_eq!(
            block[48..],
            [0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e]
        );
    }

    #[test]
    fn same_seed_same_stream_and_another_name_another_stream() {
        let seed = Seed::new([7; 32]);
        let draw = |name| seed.fork(name).bytes::<32>();
        assert_eq!(draw("gossip"), draw("gossip"));
        assert_ne!(draw("gossip"), draw("routing"));
        assert_ne!(draw("a"), draw("a\0"), "names that differ by padding only are different names");
        assert_ne!(draw("longer than eight"), draw("longer than eighz"));
        assert_ne!(
            seed.fork_index("node", 1).fork("x").next_u64(),
            seed.fork_index("node", 2).fork("x").next_u64()
        );
        assert_ne!(seed.fork_seed("x").0, seed.fork_index("x", 0).0);
    }

    #[test]
    fn how_bytes_are_asked_for_does_not_change_the_stream() {
        let (mut one, mut other) = (Seed::new([1; 32]).fork("x"), Seed::new([1; 32]).fork("x"));
        let whole: [u8; 600] = one.bytes();
        let mut pieces = [0; 600];
        for piece in pieces.chunks_mut(7) {
            other.fill(piece);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn fresh_entropy_changes_what_comes_and_the_old_state_still_counts() {
        let (mut a, mut b, mut c) =
            (Seed::new([1; 32]).fork("x"), Seed::new([2; 32]).fork("x"), Seed::new([1; 32]).fork("x"));
        a.refresh(&[9; 32]);
        b.refresh(&[9; 32]);
        let (from_a, from_c) = (a.next_u64(), c.next_u64());
        assert_ne!(from_a, from_c, "entropy changes the stream");
        assert_ne!(from_a, b.next_u64(), "the old state is not thrown away");
        let mut again = Seed::new([1; 32]).fork("x");
        again.refresh(&[9; 32]);
        assert_eq!(again.next_u64(), from_a, "and all of it is reproducible");
    }

    #[test]
    fn what_was_drawn_is_erased_from_the_pool() {
        let mut stream = Seed::new([3; 32]).fork("x");
        let drawn: [u8; 24] = stream.bytes();
        assert!(!stream.pool.windows(8).any(|window| drawn.windows(8).any(|piece| piece == window)));
        assert_ne!(stream.key, Seed::new([3; 32]).fork("x").key, "the key was replaced at the refill");
    }

    #[test]
    fn bounded_draws_stay_below_their_bound_and_reach_every_value() {
        let mut stream = Seed::new([4; 32]).fork("x");
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(stream.below(10)).unwrap()] += 1;
        }
        // 10,000 draws over 10 values: 1,000 ± 30 each; eight standard deviations never happen by chance.
        assert!(seen.iter().all(|count| (760..1240).contains(count)), "{seen:?}");
        assert_eq!((stream.below(0), stream.below(1)), (0, 0));
        assert!(stream.below(u64::MAX) < u64::MAX);
        assert!(!stream.chance(1, 0) && !stream.chance(0, 5) && stream.chance(5, 5));
    }

    #[test]
    fn neither_seed_nor_stream_prints_itself() {
        let seed = Seed::new([0xab; 32]);
        assert_eq!(format!("{seed:?} {:?}", seed.fork("x")), "Seed(hidden) Stream(hidden)");
    }
}
