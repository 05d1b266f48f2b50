//! Hashes that name packets, links and tunnels. Source: spec/reticulum.md#packet-hash.

use nexus_crypto::hash::truncate;
use nexus_crypto::{DestinationHash, fixed_bytes};

fixed_bytes! {
    /// What names a packet wherever it is seen: the same before and after every hop and header rewrite.
    PacketHash, 32
}
fixed_bytes! {
    /// The first 16 bytes of a packet hash: the destination of a proof for that packet.
    TruncatedPacketHash, 16
}
fixed_bytes! {
    /// What names a link, on all its hops: the hash of its request. Source: spec/reticulum.md#link-request.
    LinkId, 16
}
fixed_bytes! {
    /// What names a tunnel across reconnections. Source: spec/reticulum.md#tunnel.
    TunnelId, 32
}

impl PacketHash {
    /// The form in which proofs and reverse tables name the packet.
    #[must_use]
    pub fn truncated(&self) -> TruncatedPacketHash {
        TruncatedPacketHash(truncate(&self.0))
    }
}

impl From<LinkId> for DestinationHash {
    /// Packets of a link carry its id where others carry a destination hash.
    fn from(link: LinkId) -> Self {
        Self(link.0)
    }
}

impl From<TruncatedPacketHash> for DestinationHash {
    /// Proofs carry the proved packet's hash where others carry a destination hash.
    fn from(proved: TruncatedPacketHash) -> Self {
        Self(proved.0)
    }
}
