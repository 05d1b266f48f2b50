//! The machine's network interfaces, as far as discovery wants them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) index: u32,
    pub(super) addresses: Vec<IpAddr>,
    name: String,
    is_loopback: bool,
}

impl Network {
    /// The address that IPv4 multicast leaves from.
    pub(super) fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        })
    }
}

/// The suitable interfaces, as they were last looked up.
#[derive(Debug)]
pub(super) struct Networks {
    /// Only those of these names, if there are any.
    chosen: Vec<String>,
    /// Only those with this address, unless it stands for all.
    local: IpAddr,
    found: Mutex<Arc<[Network]>>,
}

impl Networks {
    pub(super) fn new(chosen: &[String], local: IpAddr) -> Self {
        let networks = Self { chosen: chosen.to_vec(), local, found: Mutex::new(Arc::new([])) };
        networks.look_up();
        networks
    }

    /// Those last found.
    pub(super) fn found(&self) -> Arc<[Network]> {
        Arc::clone(&self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks again: networks come and go while a node runs.
    pub(super) fn look_up(&self) -> Arc<[Network]> {
        let mut all = all();
        all.retain(|network| {
            (self.chosen.is_empty() || self.chosen.contains(&network.name))
                && (self.local.is_unspecified() || network.addresses.contains(&self.local))
        });
        // Loopback finds the nodes of a machine without a network; with one, they meet there.
        if all.iter().any(|network| !network.is_loopback) {
            all.retain(|network| !network.is_loopback);
        }
        let found: Arc<[Network]> = all.into();
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&found);
        found
    }

    /// Whether `address` is this machine's on one of them.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.found().iter().any(|network| network.addresses.contains(&address))
    }
}

/// All that are up and carry multicast, and loopback, which does so for IPv4 without saying it.
fn all() -> Vec<Network> {
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
