//! How much [`super::Correspondence`] holds, and what it turned away.

/// How much the organ may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How much may be on its way at once; what is more is refused as busy.
    pub outgoing: usize,
    /// How many messages are kept; the oldest goes.
    pub inbox: usize,
    /// How many messages are remembered of each ratchet; then the ratchet is retired.
    pub remembered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { outgoing: 64, inbox: 1_024, remembered: 4_096 }
    }
}

/// What arrived and was not taken. Counted, never reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Refusals {
    /// No packet, not end to end, or not to this node; or its plaintext is no envelope.
    pub malformed: u64,
    /// Sealed to none of this node's keys that were tried, or changed on its way.
    pub unopened: u64,
    /// A message sealed to the identity's key: without forward secrecy it is not taken.
    pub unprotected: u64,
    /// A packet that arrived before.
    pub replayed: u64,
    /// Not signed by whom it names.
    pub forged: u64,
    /// A proof or an answer of nothing that is on its way, or not by its recipient.
    pub unproved: u64,
    /// For a service that this node does not have.
    pub unknown: u64,
    /// More than the disk, the memory of a ratchet or the allowance for answers takes; its sender tries again.
    pub busy: u64,
}
