//! All paths at a glance, and what each of them is chosen for: a view for whoever watches. Source: spec/network.md#routes.

use nexus_crypto::{DestinationHash, IdentityHash};

use super::Announces;
use crate::interface::InterfaceId;
use crate::routes::{PathPolicy, RoutingEntry};

/// A path in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where it leads.
    pub destination: DestinationHash,
    /// Who the next hop is, if it is reached over a link that is up.
    pub next_hop: Option<IdentityHash>,
    /// Where the path begins.
    pub iface: InterfaceId,
    entry: RoutingEntry,
}

impl Choice {
    /// Whether packets may go that way: no loop can come of it.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.entry.is_usable()
    }

    /// Whether it is what `policy` chose, of those policies for which the choice is kept.
    #[must_use]
    pub fn is_chosen_by(&self, policy: PathPolicy) -> bool {
        policy.number().is_some_and(|number| self.entry.wins(number))
    }
}

impl Announces {
    /// All paths to all destinations, in an order that is the same in every run.
    pub fn choices(&self) -> impl Iterator<Item = Choice> {
        self.routes.iter().map(|entry| {
            let next_hop = entry.next_hop();
            let peer = next_hop.link().and_then(|link| self.links.get(link)).map(|other| other.peer);
            Choice {
                destination: entry.destination(),
                next_hop: peer,
                iface: next_hop.iface(),
                entry: *entry,
            }
        })
    }
}
