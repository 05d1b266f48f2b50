//! Addresses and names as types: all are a few bytes of a hash, none may stand for another.

use crate::hash::sha256_truncated;

/// A public array of bytes as a type of its own: compared, ordered and printed as bytes, in lower-case hexadecimal.
///
/// ```
/// nexus_crypto::fixed_bytes! {
///     /// What names a letter.
///     LetterId, 2
/// }
/// assert_eq!(LetterId([0xab, 1]).to_string(), "ab01");
/// ```
#[macro_export]
macro_rules! fixed_bytes {
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

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

fixed_bytes! {
    /// Where a packet goes: `SHA-256(name_hash ‖ identity_hash)[..16]`. Source: spec/reticulum.md#destinations.
    DestinationHash, 16
}
fixed_bytes! {
    /// Who owns a key pair: `SHA-256(X25519 public ‖ Ed25519 public)[..16]`. A Reticulum transport id is the
    /// identity hash of the relay. Source: spec/reticulum.md#identity.
    IdentityHash, 16
}
fixed_bytes! {
    /// A NEXUS node's address: the destination hash of the name `nexus.node`. Orders as a byte string, which is
    /// the order of its big-endian u128. Source: spec/crypto.md#identity.
    NodeId, 16
}
fixed_bytes! {
    /// What a destination is called: `SHA-256("app.aspect")[..10]`. Source: spec/reticulum.md#destinations.
    NameHash, 10
}
fixed_bytes! {
    /// Which ratchet: `SHA-256(ratchet public)[..10]`. Source: spec/crypto.md#exchange.
    RatchetId, 10
}

impl NameHash {
    /// `nexus.node`: every NEXUS node's own destination.
    pub const NEXUS_NODE: Self = Self([0xb4, 0x07, 0x2a, 0x97, 0xfb, 0x16, 0x27, 0x81, 0x9b, 0x15]);
    /// `lxmf.delivery`: where Reticulum's messengers receive.
    pub const LXMF_DELIVERY: Self = Self([0x6e, 0xc6, 0x0b, 0xc3, 0x18, 0xe2, 0xc0, 0xf0, 0xd9, 0x08]);

    /// The hash of a full dotted name: `app.aspect`, `app.aspect.aspect`. Reticulum forbids dots inside a part, which
    /// a joined name cannot show: whoever joins parts looks at them first.
    #[must_use]
    pub fn of(full_name: &str) -> Self {
        Self(sha256_truncated(&[full_name.as_bytes()]))
    }
}

impl DestinationHash {
    /// Where path requests go, a PLAIN destination: `rnstransport.path.request`.
    pub const PATH_REQUEST: Self = Self([
        0x6b, 0x9f, 0x66, 0x01, 0x4d, 0x98, 0x53, 0xfa, 0xab, 0x22, 0x0f, 0xba, 0x47, 0xd0, 0x27, 0x61,
    ]);
    /// Where tunnels are announced, a PLAIN destination: `rnstransport.tunnel.synthesize`.
    pub const TUNNEL_SYNTHESIZE: Self = Self([
        0x91, 0xbf, 0x09, 0x10, 0x26, 0x7b, 0x59, 0xb0, 0xe8, 0x64, 0xe0, 0xd4, 0xc9, 0x16, 0x02, 0xca,
    ]);

    /// The destination that `identity` owns under `name`.
    #[must_use]
    pub fn of(name: NameHash, identity: IdentityHash) -> Self {
        Self(sha256_truncated(&[&name.0, &identity.0]))
    }

    /// The PLAIN destination of `name`: nobody owns it and nothing sent to it is encrypted.
    #[must_use]
    pub fn plain(name: NameHash) -> Self {
        Self(sha256_truncated(&[&name.0]))
    }
}

impl NodeId {
    /// The address of the node whose identity is `identity`: its destination `nexus.node`.
    #[must_use]
    pub fn of(identity: IdentityHash) -> Self {
        Self(DestinationHash::of(NameHash::NEXUS_NODE, identity).0)
    }

    /// The position on the address ring.
    #[must_use]
    pub const fn ring_position(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl From<NodeId> for DestinationHash {
    /// Every node id is the destination hash of `nexus.node`; the converse does not hold.
    fn from(node: NodeId) -> Self {
        Self(node.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn well_known_names_are_the_hashes_of_their_names() {
        assert_eq!(NameHash::of("nexus.node"), NameHash::NEXUS_NODE);
        assert_eq!(NameHash::of("lxmf.delivery"), NameHash::LXMF_DELIVERY);
        let plain = |name| DestinationHash::plain(NameHash::of(name));
        assert_eq!(plain("rnstransport.path.request"), DestinationHash::PATH_REQUEST);
        assert_eq!(plain("rnstransport.tunnel.synthesize"), DestinationHash::TUNNEL_SYNTHESIZE);
    }

    #[test]
    fn ids_print_as_hex_and_order_as_ring_positions() {
        let (low, high) = (NodeId([0; 16]), NodeId([0xff; 16]));
        assert_eq!(format!("{}", NameHash([0xab; 10])), "abababababababababab");
        assert!(low < high && low.ring_position() < high.ring_position());
    }
}
