//! Hashes that name packets, links and tunnels. Source: spec/reticulum.md#packet-hash.

use core::fmt;

use nexus_crypto::DestinationHash;
use nexus_crypto::hash::truncate;

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Its length on the wire, in bytes.
            pub const LEN: usize = $len;

            /// The raw bytes, in the order of the wire.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(")")
            }
        }
    };
}

hash_type! {
    /// What names a packet wherever it is seen: the same before and after every hop and header rewrite.
    PacketHash, 32
}
hash_type! {
    /// The first 16 bytes of a packet hash: the destination of a proof for that packet.
    TruncatedPacketHash, 16
}
hash_type! {
    /// What names a link, on all its hops: the hash of its request. Source: spec/reticulum.md#link-request.
    LinkId, 16
}
hash_type! {
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
