//! The messages that arrived. A part of [`super::Correspondence`].

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, NodeId};
use nexus_machine::{MemoryBound, Snapshot, Write};

use super::memory::Fingerprint;
use super::{INBOX, WAITING_WRITES};
use crate::contract::{Foreign, Message, Sender};

/// A message, and what it is known by.
#[derive(Debug)]
pub(super) struct Kept {
    message: Message,
    fingerprint: Fingerprint,
}

#[derive(Debug)]
pub(super) struct Inbox {
    /// By number, oldest first; all durable.
    messages: VecDeque<Kept>,
    /// Those that wait for the disk.
    awaited: VecDeque<Fingerprint>,
    next_number: u64,
    limit: usize,
}

/// The key under which lies the number below which none is given: it outlives the messages, so that no number is reused.
const FLOOR: &[u8] = &[];

impl Inbox {
    pub(super) fn restore(snapshot: &Snapshot, limit: usize) -> Self {
        let mut messages: VecDeque<Kept> = snapshot.scan(INBOX).filter_map(Kept::from_store).collect();
        messages.drain(..messages.len().saturating_sub(limit));
        let floor = snapshot.get(INBOX, FLOOR).and_then(|value| value.try_into().ok());
        // The first is 1, so that "later than 0" is all.
        let after_last = messages.back().map_or(1, |last| last.message.number.saturating_add(1));
        let next_number = floor.map_or(1, u64::from_le_bytes).max(after_last);
        Self { messages, awaited: VecDeque::new(), next_number, limit }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().map(|kept| &kept.message)
    }

    /// Whether this request is among the messages.
    pub(super) fn contains(&self, fingerprint: &Fingerprint) -> bool {
        self.messages.iter().any(|kept| kept.fingerprint == *fingerprint)
    }

    /// Whether this request waits for the disk.
    pub(super) fn awaits(&self, fingerprint: &Fingerprint) -> bool {
        self.awaited.contains(fingerprint)
    }

    /// A message to be shown once the writes are durable; the oldest makes room.
    pub(super) fn admit(
        &mut self,
        sender: Sender,
        unix_s: u64,
        text: &[u8],
        fingerprint: Fingerprint,
    ) -> (Kept, Vec<Write>) {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        self.awaited.push_back(fingerprint);
        let kept = Kept { message: Message { number, sender, unix_s, text: text.to_vec() }, fingerprint };
        let mut writes = Vec::from([kept.to_store()]);
        let coming = self.messages.len().saturating_add(self.awaited.len());
        let surplus = coming.saturating_sub(self.limit);
        writes.extend(self.messages.iter().take(surplus).map(Kept::deletion));
        (kept, writes)
    }

    /// The message is durable.
    pub(super) fn show(&mut self, kept: Kept) -> Message {
        self.awaited.pop_front();
        let message = kept.message.clone();
        self.messages.push_back(kept);
        self.messages.drain(..self.messages.len().saturating_sub(self.limit));
        message
    }

    /// Forgets the messages up to number `through` that were shown; what to write, nothing if there are none.
    pub(super) fn forget(&mut self, through: u64) -> Vec<Write> {
        let old = self.messages.iter().take_while(|kept| kept.message.number <= through).count();
        let mut writes: Vec<Write> = self.messages.drain(..old).map(|kept| kept.deletion()).collect();
        if !writes.is_empty() {
            writes.push(Write::set(INBOX, FLOOR, self.next_number.to_le_bytes().to_vec()));
        }
        writes
    }
}

impl Kept {
    /// `unix_s u64 ‖ fingerprint 16 ‖ kind u8 ‖ [sender 16] ‖ text`.
    fn to_store(&self) -> Write {
        let Message { number, sender, unix_s, text } = &self.message;
        let (kind, node): (u8, &[u8]) = match sender {
            Sender::Anonymous => (0, &[]),
            Sender::Claimed(node) => (1, node.as_bytes()),
            Sender::Verified(node) => (2, node.as_bytes()),
            Sender::ForeignClaimed(address) => (3, address.as_bytes()),
            Sender::Foreign(address) => (4, address.as_bytes()),
        };
        let value = [&unix_s.to_le_bytes(), self.fingerprint.as_slice(), &[kind], node, text].concat();
        Write::set(INBOX, &number.to_be_bytes(), value)
    }

    /// A value of another shape is no message: it is passed over.
    fn from_store((key, value): (&[u8], &[u8])) -> Option<Self> {
        let number = u64::from_be_bytes(key.try_into().ok()?);
        let (unix_s, rest) = value.split_first_chunk()?;
        let (fingerprint, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first()?;
        let (sender, text) = match kind {
            0 => (Sender::Anonymous, rest),
            1 | 2 => {
                let (node, text) = rest.split_first_chunk()?;
                let node = NodeId(*node);
                (if *kind == 1 { Sender::Claimed(node) } else { Sender::Verified(node) }, text)
            }
            3 | 4 => {
                let (address, text) = rest.split_first_chunk()?;
                let address = DestinationHash(*address);
                let is_claimed = *kind == 3;
                (if is_claimed { Sender::ForeignClaimed(address) } else { Sender::Foreign(address) }, text)
            }
            _ => return None,
        };
        let message = Message { number, sender, unix_s: u64::from_le_bytes(*unix_s), text: text.to_vec() };
        Some(Self { message, fingerprint: *fingerprint })
    }

    fn deletion(&self) -> Write {
        Write::delete(INBOX, &self.message.number.to_be_bytes())
    }
}

impl MemoryBound for Inbox {
    fn memory_bound(&self) -> usize {
        // A ring doubles when it grows.
        let each = size_of::<Kept>().saturating_mul(2).saturating_add(Foreign::MAX_TEXT);
        let awaited = WAITING_WRITES.saturating_mul(2).saturating_mul(size_of::<Fingerprint>());
        self.limit.saturating_add(4).saturating_mul(each).saturating_add(awaited)
    }
}
