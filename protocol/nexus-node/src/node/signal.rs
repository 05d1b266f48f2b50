//! What the layers say to each other.

/// What the layers say.
#[derive(Debug)]
pub(crate) enum Signal {
    Network(nexus_network::Effect),
    Secure(nexus_secure::Effect),
    Endpoint(nexus_endpoint::Effect),
    Lxmf(nexus_endpoint::lxmf::Effect),
    Crossings(nexus_endpoint::crossings::Effect),
    Economy(nexus_economy::layer::Effect),
    Ledger(nexus_economy::ledger::organ::Effect),
    Purse(nexus_economy::ledger::purse::Effect),
}

impl From<nexus_economy::layer::Effect> for Signal {
    fn from(effect: nexus_economy::layer::Effect) -> Self {
        Self::Economy(effect)
    }
}

impl From<nexus_economy::ledger::organ::Effect> for Signal {
    fn from(effect: nexus_economy::ledger::organ::Effect) -> Self {
        Self::Ledger(effect)
    }
}

impl From<nexus_economy::ledger::purse::Effect> for Signal {
    fn from(effect: nexus_economy::ledger::purse::Effect) -> Self {
        Self::Purse(effect)
    }
}

impl From<nexus_endpoint::lxmf::Effect> for Signal {
    fn from(effect: nexus_endpoint::lxmf::Effect) -> Self {
        Self::Lxmf(effect)
    }
}

impl From<nexus_endpoint::crossings::Effect> for Signal {
    fn from(effect: nexus_endpoint::crossings::Effect) -> Self {
        Self::Crossings(effect)
    }
}

impl From<nexus_endpoint::Effect> for Signal {
    fn from(effect: nexus_endpoint::Effect) -> Self {
        Self::Endpoint(effect)
    }
}

impl From<nexus_network::Effect> for Signal {
    fn from(effect: nexus_network::Effect) -> Self {
        Self::Network(effect)
    }
}

impl From<nexus_secure::Effect> for Signal {
    fn from(effect: nexus_secure::Effect) -> Self {
        Self::Secure(effect)
    }
}
