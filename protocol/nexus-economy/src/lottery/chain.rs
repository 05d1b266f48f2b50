//! Chains of payment tokens: each is the hash of the one after it, so that one says all that came before.

use alloc::vec::Vec;

use nexus_crypto::DomainTag;
use nexus_crypto::hash::{blake3, truncate};
use nexus_wire::nexus::lottery::{Released, Token};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How many neighbouring tokens are kept once one was computed: their way from the root is long.
const KEPT: u16 = 64;

/// The token before this one.
fn before(token: &Token) -> Token {
    Token(truncate(&blake3(&[DomainTag::TOKEN.as_bytes(), &token.0])))
}

/// Whether `later` is on the chain of which `earlier` is known: as many hashes before it.
#[must_use]
pub(super) fn follows(earlier: &Released, later: &Released) -> bool {
    let Some(steps) = later.window.checked_sub(earlier.window) else { return false };
    (0..steps).fold(later.token, |token, _| before(&token)) == earlier.token
}

/// The tokens of the windows behind `after`, up to `last`, at most `count`; in their order.
#[must_use]
pub(super) fn between(after: u16, last: &Released, count: u16) -> Vec<Released> {
    let mut behind = Vec::new();
    let mut at = *last;
    while at.window > after {
        if at.window <= after.saturating_add(count) {
            behind.push(at);
        }
        at = Released { window: at.window.saturating_sub(1), token: before(&at.token) };
    }
    behind.reverse();
    behind
}

/// A payer's own chain. Erased when dropped, never printed.
#[derive(ZeroizeOnDrop)]
pub struct Chain {
    root: [u8; 32],
    #[zeroize(skip)]
    length: u16,
    /// Tokens of neighbouring windows, ascending.
    #[zeroize(skip)]
    kept: Vec<Released>,
}

impl Chain {
    /// The chain of `length` windows that grows out of a root. A root is fresh, and serves one chain.
    #[must_use]
    pub const fn new(root: [u8; 32], length: u16) -> Self {
        Self { root, length, kept: Vec::new() }
    }

    /// The root, to be stored.
    #[must_use]
    pub const fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// Token 0, which the terms name.
    #[must_use]
    pub fn anchor(&mut self) -> Token {
        self.token(0)
    }

    /// The token of window `number`, at most the length.
    #[must_use]
    pub fn token(&mut self, number: u16) -> Token {
        let number = number.min(self.length);
        if let Some(kept) = self.kept.iter().find(|kept| kept.window == number) {
            return kept.token;
        }
        let root = blake3(&[DomainTag::TOKEN.as_bytes(), &self.root]);
        let mut at = Released { window: self.length, token: Token(truncate(&root)) };
        self.kept.iter_mut().for_each(|kept| kept.token.0.zeroize());
        self.kept.clear();
        while at.window > number {
            if at.window < number.saturating_add(KEPT) {
                self.kept.push(at);
            }
            at = Released { window: at.window.saturating_sub(1), token: before(&at.token) };
        }
        self.kept.push(at);
        at.token
    }
}

impl core::fmt::Debug for Chain {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Chain(hidden)")
    }
}

/// The most heap that a chain holds, in bytes.
pub(super) const HEAP: usize = 2 * 64 * size_of::<Released>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_all_that_came_before_it() {
        let mut chain = Chain::new([7; 32], 300);
        let anchor = Released { window: 0, token: chain.anchor() };
        let at = |chain: &mut Chain, window| Released { window, token: chain.token(window) };
        let (first, far, last) = (at(&mut chain, 1), at(&mut chain, 200), at(&mut chain, 300));
        assert!(follows(&anchor, &first) && follows(&first, &far) && follows(&far, &last));
        assert!(!follows(&far, &first), "nothing goes back");
        assert!(!follows(&anchor, &Released { window: 201, ..far }));
        assert_eq!(at(&mut chain, 1), first, "kept or not, a token is the same");
    }

    #[test]
    fn what_lies_between_is_found_from_its_end_piece_by_piece() {
        let mut chain = Chain::new([7; 32], 300);
        let last = Released { window: 150, token: chain.token(150) };
        let mut after = 0;
        while after < 150 {
            let piece = between(after, &last, 64);
            for released in piece {
                assert_eq!(released.window, after + 1);
                assert_eq!(released.token, chain.token(released.window));
                after = released.window;
            }
        }
        assert!(between(150, &last, 64).is_empty());
    }

    #[test]
    fn a_chain_does_not_print_its_root() {
        assert_eq!(alloc::format!("{:?}", Chain::new([0xab; 32], 4)), "Chain(hidden)");
    }
}
