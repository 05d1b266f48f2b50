//! Under which numbers the tables of this organ keep a packet.

use nexus_machine::random::chacha20_block;
use nexus_wire::reticulum::TruncatedPacketHash;

/// Makes names. Nobody without the key can look for two packets that are taken for one, or aim at a bucket.
#[derive(Debug)]
pub(super) struct Naming([u8; 32]);

/// A packet, by its hash and by two numbers that follow from it: made once for each, since that is what costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) packet: TruncatedPacketHash,
    /// Says which bucket, among however many there are.
    bucket: u64,
    /// Stands for the packet within a bucket; never zero.
    pub(super) print: u64,
}

impl Naming {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The cipher's block function, of which the packet's hash is counter and nonce.
    pub(super) fn name(&self, packet: TruncatedPacketHash) -> Name {
        let [c0, c1, c2, c3, nonce @ ..] = packet.0;
        let block = chacha20_block(&self.0, u32::from_le_bytes([c0, c1, c2, c3]), &nonce);
        let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, ..] = block;
        let bucket = u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]);
        let print = u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
        Name { packet, bucket, print: print.max(1) }
    }
}

impl Name {
    /// Its bucket, one of `0..count`; 0 if there are none.
    pub(super) fn bucket(&self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        usize::try_from(self.bucket.checked_rem(count).unwrap_or(0)).unwrap_or(0)
    }
}

#[cfg(test)]
impl From<TruncatedPacketHash> for Name {
    fn from(packet: TruncatedPacketHash) -> Self {
        Naming::new([7; 32]).name(packet)
    }
}
