//! What arrived before: which packets, so that a replay is dropped, and which requests, so that another attempt at one is
//! acknowledged and not shown again. A part of [`super::Correspondence`]. Spec: spec/secure.md#replays.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use nexus_crypto::RatchetId;
use nexus_crypto::hash::{blake3, truncate};
use nexus_machine::{BoundedMap, Inserted, MapOverflow, MemoryBound, Snapshot, Write};

use super::{EphemeralPublic, REPLAYS};
use crate::ratchets::KEPT;

/// What a packet is known by: `BLAKE3(enc)[..8]`.
pub(super) type EncId = [u8; 8];
/// What a request is known by.
pub(super) type Fingerprint = [u8; 16];

pub(super) fn enc_id(enc: &EphemeralPublic) -> EncId {
    truncate(&blake3(&[enc.as_bytes()]))
}

/// How many packets are remembered that need not be remembered for ever: of probes, and of repeated requests.
const FOR_A_WHILE: usize = 1_024;
/// Ratchets of which anything is remembered: those kept, and those whose retirement is under way.
const RATCHETS: usize = KEPT + 4;

#[derive(Debug)]
pub(super) struct Memory {
    of_ratchets: BTreeMap<RatchetId, BTreeMap<EncId, Fingerprint>>,
    requests: BTreeSet<Fingerprint>,
    for_a_while: BoundedMap<EncId, ()>,
    /// Retired: what is remembered of them is to be deleted.
    retired: BTreeSet<RatchetId>,
    per_ratchet: usize,
}

impl Memory {
    /// What was durable. What belongs to none of the ratchets in `live` is to be deleted.
    pub(super) fn restore(
        snapshot: &Snapshot,
        per_ratchet: usize,
        live: impl Iterator<Item = RatchetId>,
    ) -> Self {
        let mut memory = Self {
            of_ratchets: BTreeMap::new(),
            requests: BTreeSet::new(),
            for_a_while: BoundedMap::new(FOR_A_WHILE, MapOverflow::EvictLeastRecent),
            retired: BTreeSet::new(),
            per_ratchet,
        };
        let live: BTreeSet<RatchetId> = live.collect();
        for (key, value) in snapshot.scan(REPLAYS) {
            let Some((ratchet, enc)) = key.split_first_chunk() else { continue };
            let (ratchet, Ok(enc), Ok(fingerprint)) =
                (RatchetId(*ratchet), EncId::try_from(enc), Fingerprint::try_from(value))
            else {
                continue;
            };
            memory.keep(&ratchet, enc, fingerprint);
            if !live.contains(&ratchet) {
                memory.retired.insert(ratchet);
            }
        }
        memory
    }

    /// Whether this packet arrived before.
    pub(super) fn holds(&self, enc: EncId) -> bool {
        self.for_a_while.contains(&enc) || self.of_ratchets.values().any(|packets| packets.contains_key(&enc))
    }

    /// Whether this request arrived before.
    pub(super) fn knows(&self, fingerprint: &Fingerprint) -> bool {
        self.requests.contains(fingerprint)
    }

    /// Whether one more packet sealed to `ratchet` can be remembered.
    pub(super) fn has_room(&self, ratchet: &RatchetId) -> bool {
        match self.of_ratchets.get(ratchet) {
            Some(packets) => packets.len() < self.per_ratchet && !self.retired.contains(ratchet),
            None => self.of_ratchets.len() < RATCHETS && self.per_ratchet > 0,
        }
    }

    /// Remembers a packet for as long as its ratchet lives, once the write is durable.
    pub(super) fn remember(&mut self, ratchet: &RatchetId, enc: EncId, fingerprint: Fingerprint) -> Write {
        self.keep(ratchet, enc, fingerprint);
        Write::set(REPLAYS, &key(ratchet, enc), fingerprint.to_vec())
    }

    fn keep(&mut self, ratchet: &RatchetId, enc: EncId, fingerprint: Fingerprint) {
        self.of_ratchets.entry(*ratchet).or_default().insert(enc, fingerprint);
        self.requests.insert(fingerprint);
    }

    /// Remembers a packet in memory alone, until as many others came.
    pub(super) fn remember_for_a_while(&mut self, enc: EncId) {
        match self.for_a_while.insert(enc, ()) {
            // Its repetition costs an answer or a proof, no more.
            Inserted::Fresh | Inserted::Replaced(()) | Inserted::Evicted(..) | Inserted::Refused(()) => {}
        }
    }

    /// Nothing is opened with `ratchet` again.
    pub(super) fn retire(&mut self, ratchet: RatchetId) {
        if self.of_ratchets.contains_key(&ratchet) {
            self.retired.insert(ratchet);
        }
    }

    /// Forgets what belongs to one retired ratchet, if there is one; what to delete.
    pub(super) fn clear_one(&mut self) -> Option<Vec<Write>> {
        let ratchet = self.retired.pop_first()?;
        let packets = self.of_ratchets.remove(&ratchet).unwrap_or_default();
        for fingerprint in packets.values() {
            self.requests.remove(fingerprint);
        }
        Some(packets.keys().map(|enc| Write::delete(REPLAYS, &key(&ratchet, *enc))).collect())
    }
}

fn key(ratchet: &RatchetId, enc: EncId) -> Vec<u8> {
    [ratchet.as_bytes().as_slice(), &enc].concat()
}

impl MemoryBound for Memory {
    fn memory_bound(&self) -> usize {
        // Nodes of trees are at least half full, and have a header.
        let entry = 3_usize.saturating_mul(size_of::<(EncId, Fingerprint, Fingerprint)>()).saturating_add(64);
        let ratchets = RATCHETS.saturating_mul(self.per_ratchet.saturating_add(12)).saturating_mul(entry);
        let retired = RATCHETS.saturating_mul(256);
        ratchets.saturating_add(retired).saturating_add(FOR_A_WHILE.saturating_mul(160))
    }
}
