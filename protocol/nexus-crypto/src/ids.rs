//! Addresses and names as types: all are a few bytes of a hash, none may stand for another.

use core::fmt;

macro_rules! id {
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

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

id! {
    /// Where a packet goes: `SHA-256(name_hash ‖ identity_hash)[..16]`. Source: spec/reticulum.md#destinations.
    DestinationHash, 16
}
id! {
    /// Who owns a key pair: `SHA-256(X25519 public ‖ Ed25519 public)[..16]`. A Reticulum transport id is the
    /// identity hash of the relay. Source: spec/reticulum.md#identity.
    IdentityHash, 16
}
id! {
    /// A NEXUS node's address: the destination hash of the name `nexus.node`. Orders as a byte string, which is
    /// the order of its big-endian u128. Source: spec/crypto.md#identity.
    NodeId, 16
}
id! {
    /// What a destination is called: `SHA-256("app.aspect")[..10]`. Source: spec/reticulum.md#destinations.
    NameHash, 10
}

impl NodeId {
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
    fn ids_print_as_hex_and_order_as_ring_positions() {
        let (low, high) = (NodeId([0; 16]), NodeId([0xff; 16]));
        assert_eq!(format!("{}", NameHash([0xab; 10])), "abababababababababab");
        assert!(low < high && low.ring_position() < high.ring_position());
    }
}
