//! The machine's network interfaces.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) is_loopback: bool,
}

impl Network {
    /// The address that IPv4 multicast leaves from.
    pub(super) fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        })
    }

    /// Its addresses that mean something on its own network only.
    pub(super) fn link_local(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.addresses.iter().filter_map(|address| match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => Some(*address),
            IpAddr::V6(_) | IpAddr::V4(_) => None,
        })
    }
}

/// All that are up and carry multicast, and loopback, which does so for IPv4 without saying it.
pub(super) fn all() -> Vec<Network> {
    let mut networks: BTreeMap<String, Network> = BTreeMap::new();
    let Ok(addresses) = getifaddrs() else { return Vec::new() };
    for entry in addresses {
        let is_loopback = entry.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        let carries = is_loopback || entry.flags.contains(InterfaceFlags::IFF_MULTICAST);
        let Some(address) = entry.address.filter(|_| carries && entry.flags.contains(InterfaceFlags::IFF_UP))
        else {
            continue;
        };
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let v6 = address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()));
        let Some(address) = v4.or(v6) else { continue };
        let name = entry.interface_name;
        let Ok(index) = if_nametoindex(name.as_str()) else { continue };
        let network = Network { index, addresses: Vec::new(), name: name.clone(), is_loopback };
        networks.entry(name).or_insert(network).addresses.push(address);
    }
    networks.into_values().collect()
}
