//! How much the organ may hold.

use super::super::intake;
use super::super::sparse;
use super::super::witness;

/// How much the organ may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Channels in the books.
    pub entries: u32,
    /// Items that are shown as long as they are the latest; older ones come round in pages, half as many at a time.
    pub shown: usize,
    /// Nodes of whose misconduct proof is kept.
    pub convicted: usize,
    /// What is read from disk at a time.
    pub reading: usize,
    /// What waits for its turn, or for something that lacks.
    pub intake: intake::Limits,
    /// What a witness keeps.
    pub witness: witness::Limits,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self {
            entries: 4_000_000,
            shown: 8_192,
            convicted: 4_096,
            reading: 512,
            intake: intake::Limits::default(),
            witness: witness::Limits::default(),
        }
    }
}

impl Limits {
    /// For a node with little memory, that follows some accounts alone.
    #[must_use]
    pub const fn sparse() -> Self {
        Self {
            entries: sparse::ENTRIES,
            shown: 64,
            convicted: 16,
            reading: 16,
            intake: intake::Limits { neighbours: 8, queued: 16, held: 32, keys: 64, turn: 4 },
            witness: witness::Limits { asked: 0, waiting: 0, signed: 0 },
        }
    }
}
