//! The machine's network interfaces, as far as discovery wants them.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use crate::drivers::networks::Network;
use crate::drivers::networks::all;

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
