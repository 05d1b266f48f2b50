//! What waits for a lookup. A part of [`super::Correspondence`].

use nexus_crypto::{NodeId, RatchetId};
use nexus_machine::{BoundedMap, Inserted, MapOverflow, MemoryBound};

use nexus_network::Class;
use nexus_wire::nexus::path_cost::HopCount;

use super::{EphemeralPublic, MAX_PLAINTEXT, PacketHash, Plaintext};
use crate::contract::Note;

/// What goes on when a node was looked up.
#[derive(Debug)]
pub(super) enum Errand {
    /// An attempt is sealed.
    Attempt { handle: u64 },
    /// A probe is answered.
    Answer { to: NodeId, request_id: u32, class: Class, probe: Probe },
    /// A note is sealed.
    Note(Note),
    /// A signature is verified.
    Judge(Unjudged),
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Probe {
    Ping { nonce: [u8; 8] },
    Trace { nonce: [u8; 8], hops: HopCount },
}

/// A message whose sender is not settled.
#[derive(Debug)]
pub(super) struct Unjudged {
    /// The ratchet that it was sealed to.
    pub(super) with: RatchetId,
    pub(super) hash: PacketHash,
    pub(super) enc: EphemeralPublic,
    pub(super) class: Class,
    pub(super) plaintext: Plaintext,
}

/// How many errands of others may wait. The one that began first is given up: its sender tries again.
const OF_OTHERS: usize = 16;

#[derive(Debug)]
pub(super) struct Errands {
    waiting: BoundedMap<u64, Errand>,
    next: u64,
}

impl Errands {
    pub(super) const fn new(outgoing: usize) -> Self {
        let room = outgoing.saturating_add(OF_OTHERS);
        Self { waiting: BoundedMap::new(room, MapOverflow::EvictLeastRecent), next: 0 }
    }

    /// The token by which the errand is taken up again.
    pub(super) fn begin(&mut self, errand: Errand) -> u64 {
        self.next = self.next.saturating_add(1);
        match self.waiting.insert(self.next, errand) {
            // Whoever gave up an errand is not told: attempts have their deadline, and what others sent is sent again.
            Inserted::Fresh | Inserted::Replaced(_) | Inserted::Evicted(..) | Inserted::Refused(_) => {
                self.next
            }
        }
    }

    pub(super) fn end(&mut self, token: u64) -> Option<Errand> {
        self.waiting.remove(&token)
    }
}

impl MemoryBound for Errands {
    fn memory_bound(&self) -> usize {
        // Two maps of nodes that are at least half full, and the plaintexts.
        let each =
            size_of::<(u64, Errand)>().saturating_mul(3).saturating_add(128).saturating_add(MAX_PLAINTEXT);
        self.waiting.capacity().saturating_add(12).saturating_mul(each)
    }
}
