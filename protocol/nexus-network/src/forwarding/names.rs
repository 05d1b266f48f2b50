//! Under which numbers the tables of this organ keep a packet.

use nexus_wire::reticulum::TruncatedPacketHash;

use crate::hashing::HashKey;

/// Makes names. Nobody without the key can look for two packets that are taken for one, or aim at a bucket.
#[derive(Debug)]
pub(super) struct Naming(HashKey);

/// A packet, by two numbers that follow from its hash: made once for each, since that is what costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    /// Says which bucket, among however many there are.
    bucket: u64,
    /// Stands for the packet within a bucket; never zero.
    pub(super) print: u64,
}

impl Naming {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self(HashKey::new(key))
    }

    /// What the names follow from, secret as they are.
    pub(super) fn key(&self) -> &[u8; 16] {
        self.0.bytes()
    }

    /// Under which numbers a packet is kept.
    pub(super) fn name(&self, packet: TruncatedPacketHash) -> Name {
        let [bucket, print] = self.0.two_hashes(&packet.0);
        Name { bucket, print: print.max(1) }
    }
}

impl Name {
    /// Its bucket, one of `0..count`; 0 if there are none.
    pub(super) fn bucket(&self, count: usize) -> usize {
        // The share of all numbers that lies below it, of the count: a multiplication costs less than a division.
        let count = u128::try_from(count).unwrap_or(u128::MAX);
        usize::try_from(u128::from(self.bucket).wrapping_mul(count).wrapping_shr(64)).unwrap_or(0)
    }
}

#[cfg(test)]
impl From<TruncatedPacketHash> for Name {
    fn from(packet: TruncatedPacketHash) -> Self {
        Naming::new([7; 16]).name(packet)
    }
}
