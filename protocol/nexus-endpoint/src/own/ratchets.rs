//! What is durable of a destination: its last emission, and its ratchets.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, RatchetPublic, RatchetSecret};
use nexus_machine::{Snapshot, Stream, TableId, Write};

use crate::limits::Limits;

/// The table of emissions: key: destination; value: the last emission time, Unix seconds, u64 little-endian.
const EMISSIONS: TableId = TableId(16);
/// The table of ratchets: key: destination ‖ number u64 big-endian, counting up; value: made at, Unix seconds u64 little-endian (0 if no
/// clock was known) ‖ secret 32.
const RATCHETS: TableId = TableId(17);

/// How long a ratchet is the newest, at least, in seconds: it rotates with the next announce.
const ROTATION_S: u64 = 30 * 60;

/// What is durable of a destination.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) emitted_at: u64,
    /// The number of the next ratchet.
    next: u64,
    /// Oldest first.
    ratchets: VecDeque<Kept>,
}

/// A ratchet.
#[derive(Debug)]
pub(super) struct Kept {
    number: u64,
    made_s: u64,
    secret: RatchetSecret,
}

/// What is durable of so many destinations as may be had.
pub(super) fn stored(limits: Limits, snapshot: &Snapshot) -> BTreeMap<DestinationHash, Stored> {
    let emission = |(key, value): (&[u8], &[u8])| {
        let emitted_at = u64::from_le_bytes(value.try_into().ok()?);
        Some((DestinationHash(key.try_into().ok()?), Stored { emitted_at, ..Stored::default() }))
    };
    let mut all: BTreeMap<_, _> =
        snapshot.scan(EMISSIONS).filter_map(emission).take(limits.services).collect();
    for (destination, kept) in snapshot.scan(RATCHETS).filter_map(|(key, value)| Kept::read(key, value)) {
        let Some(stored) = all.get_mut(&destination) else { continue };
        stored.next = kept.number.saturating_add(1);
        if stored.ratchets.len() >= limits.ratchets {
            stored.ratchets.pop_front();
        }
        stored.ratchets.push_back(kept);
    }
    all
}

impl Stored {
    /// The time of the next emission: that of the clock, or a second after the last one.
    pub(super) fn emit(&mut self, unix_s: Option<u64>) -> u64 {
        self.emitted_at = unix_s.unwrap_or(0).max(self.emitted_at.saturating_add(1));
        self.emitted_at
    }

    /// A fresh ratchet, if one is due.
    pub(super) fn rotate(&mut self, unix_s: Option<u64>, random: &mut Stream) -> Option<Kept> {
        let made_s = unix_s.unwrap_or(0);
        let is_due = self.newest().is_none_or(|newest| made_s.saturating_sub(newest.made_s) >= ROTATION_S);
        is_due.then(|| {
            let number = self.next;
            self.next = number.saturating_add(1);
            Kept { number, made_s, secret: RatchetSecret::generate(random) }
        })
    }

    /// What is to be durable before an emission leaves. Ratchets beyond the bound are given up, the oldest first.
    pub(super) fn writes(
        &mut self,
        destination: &DestinationHash,
        fresh: Option<&Kept>,
        most: usize,
    ) -> Vec<Write> {
        let emitted_at = self.emitted_at.to_le_bytes().to_vec();
        let mut writes = Vec::from([Write::set(EMISSIONS, destination.as_bytes(), emitted_at)]);
        if let Some(fresh) = fresh {
            writes.push(fresh.write(destination));
            if self.ratchets.len() >= most
                && let Some(oldest) = self.ratchets.pop_front()
            {
                writes.push(Write::delete(RATCHETS, &Kept::key(destination, oldest.number)));
            }
        }
        writes
    }

    pub(super) fn keep(&mut self, fresh: Option<Kept>) {
        self.ratchets.extend(fresh);
    }

    pub(super) fn newest(&self) -> Option<&Kept> {
        self.ratchets.back()
    }

    /// Newest first.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &RatchetSecret> {
        self.ratchets.iter().rev().map(|kept| &kept.secret)
    }

    /// What deletes it.
    pub(super) fn forget(&self, destination: &DestinationHash) -> Vec<Write> {
        let ratchets =
            self.ratchets.iter().map(|kept| Write::delete(RATCHETS, &Kept::key(destination, kept.number)));
        ratchets.chain([Write::delete(EMISSIONS, destination.as_bytes())]).collect()
    }
}

impl Kept {
    pub(super) fn public(&self) -> RatchetPublic {
        self.secret.public()
    }

    fn read(key: &[u8], value: &[u8]) -> Option<(DestinationHash, Self)> {
        let (destination, number) = key.split_first_chunk::<16>()?;
        let (made_s, secret) = value.split_first_chunk::<8>()?;
        let number = u64::from_be_bytes(number.try_into().ok()?);
        let secret = RatchetSecret::from_bytes(secret.try_into().ok()?);
        Some((DestinationHash(*destination), Self { number, made_s: u64::from_le_bytes(*made_s), secret }))
    }

    fn key(destination: &DestinationHash, number: u64) -> Vec<u8> {
        [&destination.as_bytes()[..], &number.to_be_bytes()].concat()
    }

    fn write(&self, destination: &DestinationHash) -> Write {
        let value = [&self.made_s.to_le_bytes()[..], self.secret.expose()].concat();
        Write::set(RATCHETS, &Self::key(destination, self.number), value)
    }
}
