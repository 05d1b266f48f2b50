//! With whom a node links.

use alloc::collections::BTreeSet;

use nexus_crypto::NodeId;

/// With whom a node links. Source: spec/network.md#policy.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// With anybody who proves a node's identity.
    #[default]
    Anyone,
    /// With these only: an allow list, or those who are trusted.
    Only(BTreeSet<NodeId>),
    /// With anybody but these.
    AllBut(BTreeSet<NodeId>),
}

impl Policy {
    /// Whether a link with `peer` is wanted.
    #[must_use]
    pub fn allows(&self, peer: &NodeId) -> bool {
        match self {
            Self::Anyone => true,
            Self::Only(these) => these.contains(peer),
            Self::AllBut(these) => !these.contains(peer),
        }
    }
}
