//! Who meets, and how they say it. Spec: `spec/reticulum.md#auto-interface`.

use std::net::Ipv6Addr;

use nexus_crypto::hash::sha256;

/// What nodes have in common that meet. Those that differ in anything do not hear each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub id: String,
    /// How far the multicast goes.
    pub scope: Scope,
    /// What kind of address it goes to.
    pub lifetime: Lifetime,
    /// The port of beacons for everybody; those for one peer go to the next one.
    pub discovery_port: u16,
    /// The port of frames.
    pub data_port: u16,
}

/// How far multicast goes. Source: RFC 4291, section 2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One network.
    Link,
    /// What its administrator says.
    Admin,
    /// A site.
    Site,
    /// An organisation.
    Organisation,
    /// Everywhere.
    Global,
}

/// The kind of a multicast address. Source: RFC 4291, section 2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Assigned by nobody.
    Temporary,
    /// Assigned by the numbering authority; this one is not, and some networks carry no other.
    Permanent,
}

/// A beacon's bytes.
pub(super) const BEACON_LEN: usize = 32;

impl Group {
    /// The name of the group in which stock nodes are.
    pub const ID: &str = "reticulum";
    /// Where stock nodes have their beacons.
    pub const DISCOVERY_PORT: u16 = 29_716;
    /// Where stock nodes have their frames.
    pub const DATA_PORT: u16 = 42_671;

    /// The multicast address.
    #[must_use]
    pub fn address(&self) -> Ipv6Addr {
        let hash = sha256(&[self.id.as_bytes()]);
        let scope = match self.scope {
            Scope::Link => 0x2,
            Scope::Admin => 0x4,
            Scope::Site => 0x5,
            Scope::Organisation => 0x8,
            Scope::Global => 0xE,
        };
        let lifetime = match self.lifetime {
            Lifetime::Temporary => 0x10,
            Lifetime::Permanent => 0x00,
        };
        let mut octets = [0; 16];
        octets[0] = 0xFF;
        octets[1] = lifetime | scope;
        octets[4..].copy_from_slice(&hash[2..14]);
        octets.into()
    }

    /// The port of beacons for one peer.
    #[must_use]
    pub const fn reverse_port(&self) -> u16 {
        self.discovery_port.wrapping_add(1)
    }

    /// What a node at `address` says.
    #[must_use]
    pub(super) fn beacon(&self, address: Ipv6Addr) -> [u8; BEACON_LEN] {
        sha256(&[self.id.as_bytes(), address.to_string().as_bytes()])
    }
}

impl Default for Group {
    fn default() -> Self {
        Self {
            id: Self::ID.to_owned(),
            scope: Scope::Link,
            lifetime: Lifetime::Temporary,
            discovery_port: Self::DISCOVERY_PORT,
            data_port: Self::DATA_PORT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_stock_nodes_has_the_address_that_they_join() {
        let address: Ipv6Addr = "ff12:0:d70b:fb1c:16e4:5e39:485e:31e1".parse().unwrap();
        assert_eq!(Group::default().address(), address);
    }

    #[test]
    fn scope_and_lifetime_are_digits_of_the_address() {
        for (scope, lifetime, begins) in [
            (Scope::Link, Lifetime::Permanent, 0xFF02),
            (Scope::Admin, Lifetime::Temporary, 0xFF14),
            (Scope::Site, Lifetime::Temporary, 0xFF15),
            (Scope::Organisation, Lifetime::Permanent, 0xFF08),
            (Scope::Global, Lifetime::Temporary, 0xFF1E),
        ] {
            let group = Group { scope, lifetime, ..Group::default() };
            assert_eq!(group.address().segments()[0], begins);
            assert_eq!(group.address().segments()[1..], Group::default().address().segments()[1..]);
        }
    }

    /// As rns 1.5.7 said it at this address.
    #[test]
    fn a_beacon_is_what_a_stock_node_says_at_the_same_address() {
        let address = "fe80::60c5:3dff:feee:fb52".parse().unwrap();
        let said = b"\x96\x17\xa8\x44\xdd\x1c\x1d\xe2\x91\x40\x39\x04\x04\x64\x0a\x9e\x7e\x29\x5c\x8f\x9a\x11\x38\x54\x84\x8f\x39\xfd\xff\x5f\xb5\x9a";
        assert_eq!(&Group::default().beacon(address), said);
        let other = Group { id: "other".to_owned(), ..Group::default() };
        assert_ne!(&other.beacon(address), said);
        assert_ne!(Group::default().beacon("fe80::1".parse().unwrap()), *said);
    }
}
