//! Stamps: work that a message pays with. Source: spec/lxmf.md#stamps.
//!
//! The work is done in slices, so that nothing else waits for long, and in 200 bytes of memory: of the long block that is hashed
//! with each trial, the state of the hash is kept and not the block.

use core::fmt;

use nexus_crypto::hash::{Sha256Prefix, sha256};
use nexus_crypto::hkdf::hkdf_sha256;
use nexus_machine::Stream;
use nexus_wire::reticulum::msgpack::Packer;

/// A stamp, in bytes.
pub const STAMP_LEN: usize = 32;
/// A round of the block, in bytes.
const ROUND_LEN: usize = 256;
/// A slice of work is so many rounds, or so many trials: a millisecond or so of a host.
const ROUNDS_IN_SLICE: u32 = 32;
const TRIALS_IN_SLICE: u32 = 1_024;

/// How long the block is that the work is over: what tells the uses of stamps apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// For the recipient of a message: 3,000 rounds over its id.
    Delivery,
    /// For a propagation node: 1,000 rounds over the transient id.
    Propagation,
}

impl Use {
    const fn rounds(self) -> u32 {
        match self {
            Self::Delivery => 3_000,
            Self::Propagation => 1_000,
        }
    }
}

/// A block being hashed.
#[derive(Clone)]
struct Block {
    material: [u8; 32],
    rounds: u32,
    done: u32,
    prefix: Sha256Prefix,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block {{ {} of {} rounds }}", self.done, self.rounds)
    }
}

impl Block {
    fn new(purpose: Use, material: [u8; 32]) -> Self {
        Self { material, rounds: purpose.rounds(), done: 0, prefix: Sha256Prefix::default() }
    }

    const fn is_done(&self) -> bool {
        self.done >= self.rounds
    }

    /// A slice of it.
    fn work(&mut self) {
        let end = self.done.saturating_add(ROUNDS_IN_SLICE).min(self.rounds);
        for round in self.done..end {
            let number = Packer::default().uint(u64::from(round)).into_bytes();
            let salt = sha256(&[&self.material, &number]);
            let mut expanded = [0; ROUND_LEN];
            hkdf_sha256(&self.material, &salt, &[], &mut expanded);
            self.prefix.absorb(&expanded);
        }
        self.done = end;
    }

    fn value(&self, stamp: &[u8]) -> u32 {
        leading_zeros(&self.prefix.with_end(stamp))
    }
}

/// A stamp being made.
#[derive(Clone, Debug)]
pub struct Making {
    block: Block,
    cost: u8,
    /// The trial: random but for its last eight bytes, which count.
    trial: [u8; STAMP_LEN],
    number: u64,
}

impl Making {
    /// One of `cost` for the message of that id.
    #[must_use]
    pub fn new(purpose: Use, id: [u8; 32], cost: u8, random: &mut Stream) -> Self {
        Self { block: Block::new(purpose, id), cost, trial: random.bytes(), number: 0 }
    }

    /// A slice of the work; the stamp, if that was the last.
    pub fn work(&mut self) -> Option<[u8; STAMP_LEN]> {
        if !self.block.is_done() {
            self.block.work();
            return None;
        }
        for _ in 0..TRIALS_IN_SLICE {
            if let Some(end) = self.trial.last_chunk_mut() {
                *end = self.number.to_be_bytes();
            }
            self.number = self.number.wrapping_add(1);
            if self.block.value(&self.trial) >= u32::from(self.cost) {
                return Some(self.trial);
            }
        }
        None
    }
}

/// A stamp being looked at.
#[derive(Clone, Debug)]
pub struct Checking {
    block: Block,
    stamp: [u8; STAMP_LEN],
}

impl Checking {
    /// The stamp of the message of that id.
    #[must_use]
    pub fn new(purpose: Use, id: [u8; 32], stamp: [u8; STAMP_LEN]) -> Self {
        Self { block: Block::new(purpose, id), stamp }
    }

    /// A slice of the work; the stamp's value, if that was the last: it pays any cost up to that.
    pub fn work(&mut self) -> Option<u32> {
        if self.block.is_done() {
            return Some(self.block.value(&self.stamp));
        }
        self.block.work();
        None
    }
}

/// With how many zero bits a hash begins.
fn leading_zeros(hash: &[u8; 32]) -> u32 {
    let zeros = hash.iter().take_while(|byte| **byte == 0).count();
    let rest = hash.get(zeros).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zeros).unwrap_or(32).saturating_mul(8).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use nexus_machine::Seed;
    use nexus_testkit::format::unhex;
    use serde_json::Value;

    #[test]
    fn stamps_of_the_published_package_have_the_value_that_it_says() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../../spec/vectors/lxmf.json")).unwrap();
        let bytes = |value: &Value| unhex(value.as_str().unwrap());
        let (mut looked_at, id) = (0, |value: &Value| <[u8; 32]>::try_from(bytes(value)).unwrap());
        for (list, packed, purpose) in
            [("messages", "packed", Use::Delivery), ("uploads", "upload", Use::Propagation)]
        {
            for one in vectors[list].as_array().unwrap() {
                let Some(value) = one["stamp_value"].as_u64() else { continue };
                let stamp = *bytes(&one[packed]).last_chunk().unwrap();
                assert_eq!(
                    value_of(Checking::new(purpose, id(&one["id"]), stamp)),
                    u32::try_from(value).unwrap()
                );
                looked_at += 1;
            }
        }
        assert!(looked_at > 4);
    }

    #[test]
    fn a_stamp_that_is_made_pays_its_cost_for_its_message_and_use_alone() {
        let mut random = Seed::new([1; 32]).fork("stamps");
        let mut making = Making::new(Use::Propagation, [5; 32], 10, &mut random);
        let mut slices = 0;
        let stamp = loop {
            slices += 1;
            if let Some(stamp) = making.work() {
                break stamp;
            }
        };
        assert!(slices > 1_000 / ROUNDS_IN_SLICE, "it is done in slices: {slices}");
        assert!(value_of(Checking::new(Use::Propagation, [5; 32], stamp)) >= 10);
        assert!(value_of(Checking::new(Use::Propagation, [6; 32], stamp)) < 10);
        assert!(value_of(Checking::new(Use::Delivery, [5; 32], stamp)) < 10);
    }

    #[test]
    fn zero_bits_are_counted() {
        let hash = |bytes: &[u8]| {
            let mut hash = [0; 32];
            hash[..bytes.len()].copy_from_slice(bytes);
            hash
        };
        let counted: Vec<_> =
            [&[0x80][..], &[0x01], &[0, 0x40], &[]].map(|start| leading_zeros(&hash(start))).into();
        assert_eq!(counted, [0, 7, 9, 256]);
    }

    fn value_of(mut checking: Checking) -> u32 {
        loop {
            if let Some(value) = checking.work() {
                return value;
            }
        }
    }
}
