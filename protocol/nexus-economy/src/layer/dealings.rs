//! What stands between lottery and channels for each linked neighbour: what was counted, and the win that is on its way.

use nexus_crypto::{NodeId, VerifyingKey};
use nexus_machine::{Duration, Instant, Write};

use super::{ByPeer, Traffic};
use crate::channels::account::{Ticket, Win};
use crate::lottery::PathView;

/// A channel is offered to a neighbour no oftener than this: one that does not want it says so each time.
const OFFER_REST: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
struct Dealing {
    /// Its key, while there is a link.
    key: Option<VerifyingKey>,
    traffic: Option<Traffic>,
    /// What the lottery wants proposed, until the channel decided about it.
    claimed: Option<(Win, Write)>,
    offered: Option<Instant>,
}

/// One dealing for each neighbour.
#[derive(Debug)]
pub(super) struct Dealings {
    by_peer: ByPeer<Dealing>,
    most: usize,
    /// Messages that could not be read.
    unread: u64,
}

impl Dealings {
    pub(super) fn new(neighbours: u16) -> Self {
        Self { by_peer: ByPeer::new(), most: usize::from(neighbours), unread: 0 }
    }

    fn of(&mut self, peer: NodeId) -> Option<&mut Dealing> {
        if self.by_peer.len() >= self.most && !self.by_peer.contains_key(&peer) {
            return None;
        }
        Some(self.by_peer.entry(peer).or_default())
    }

    /// A message could not be read.
    pub(super) const fn unread(&mut self) {
        self.unread = self.unread.saturating_add(1);
    }

    /// How many could not.
    pub(super) const fn unread_count(&self) -> u64 {
        self.unread
    }

    /// So much was counted with a neighbour.
    pub(super) fn count(&mut self, peer: NodeId, traffic: Traffic) {
        if let Some(dealing) = self.of(peer) {
            dealing.traffic = Some(traffic);
        }
    }

    pub(super) fn traffic(&self, peer: &NodeId) -> Option<Traffic> {
        self.by_peer.get(peer)?.traffic
    }

    pub(super) fn link_up(&mut self, peer: NodeId, key: VerifyingKey) {
        if let Some(dealing) = self.of(peer) {
            dealing.key = Some(key);
        }
    }

    /// What the way to a linked neighbour is like.
    pub(super) fn way(&self, peer: &NodeId) -> Option<(VerifyingKey, PathView)> {
        let dealing = self.by_peer.get(peer)?;
        Some((dealing.key?, dealing.traffic?.path))
    }

    /// No link is left. A win that is on its way stays: the channel keeps it.
    pub(super) fn link_down(&mut self, peer: &NodeId) {
        let ended = self.by_peer.get_mut(peer).is_some_and(|dealing| {
            (dealing.offered, dealing.key) = (None, None);
            dealing.claimed.is_none()
        });
        if ended {
            self.by_peer.remove(peer);
        }
    }

    /// Whether a neighbour is to be offered a channel now.
    pub(super) fn offer(&mut self, now: Instant, peer: NodeId) -> bool {
        let Some(dealing) = self.of(peer) else { return false };
        let rests = dealing.offered.is_some_and(|at| now.since(at) < OFFER_REST);
        if !rests {
            dealing.offered = Some(now);
        }
        !rests
    }

    /// The lottery has a win, and waits for what becomes of it.
    pub(super) fn claim(&mut self, peer: NodeId, win: Win, stored: Write) {
        if let Some(dealing) = self.of(peer) {
            dealing.claimed = Some((win, stored));
        }
    }

    /// The channel decided about a win. Whether it is the one for which the lottery waits: one from before a restart is not.
    pub(super) fn decided(&mut self, peer: &NodeId, ticket: &Ticket) -> bool {
        let Some(dealing) = self.by_peer.get_mut(peer) else { return false };
        dealing.claimed.take_if(|(win, _)| win.ticket == *ticket).is_some()
    }

    /// The win that the channel was not ready for.
    pub(super) fn waiting(&self, peer: &NodeId) -> Option<(Win, Write)> {
        self.by_peer.get(peer)?.claimed.clone()
    }

    /// What was won under terms that are void is not claimed.
    pub(super) fn forget(&mut self, peer: &NodeId) {
        if let Some(dealing) = self.by_peer.get_mut(peer) {
            dealing.claimed = None;
        }
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Nodes of a tree are half full at least; a write has a key and a few terms.
        self.most.saturating_mul(size_of::<(NodeId, Dealing)>().saturating_mul(2).saturating_add(512))
    }
}
