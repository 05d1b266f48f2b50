//! How much the organ may hold, and what it counts instead of answering.

/// How much the organ may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Destinations known.
    pub known: usize,
    /// Announces of others that wait to be passed on.
    pub relays: usize,
    /// Links.
    pub links: usize,
    /// Paths.
    pub paths: usize,
    /// Bytes of announces kept for those who come later.
    pub cache_bytes: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { known: 4_096, relays: 512, links: 256, paths: 16_384, cache_bytes: 1 << 20 }
    }
}

/// What was heard and not believed or not kept. Counted, never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Refusals {
    /// On an interface that is not in `reticulum` mode, or not up; on a link that is not up.
    pub closed: u64,
    /// Not an announce, or not the bytes of one.
    pub malformed: u64,
    /// Not newer than what is known of its destination: repeated, or replayed.
    pub stale: u64,
    /// The destination is not that of the key and name, or the signature does not verify.
    pub forged: u64,
    /// The destination is pinned to another key.
    pub other_key: u64,
    /// Longer than relays can carry.
    pub too_long: u64,
    /// Passed on too late or not at all: too many waited.
    pub crowded: u64,
    /// Not passed on: the neighbour that brought them brings too many destinations that were never heard of.
    pub withheld: u64,
    /// More than one neighbour may have verified in that time.
    pub hasty: u64,
    /// Links of which nothing is said or heard: there are too many.
    pub links: u64,
    /// Heard in clear, and held for later: too many came of whom nobody knew.
    pub held: u64,
    /// The same, and there was no room to hold them.
    pub flooded: u64,
    /// Not passed on in clear: their destinations announce too often.
    pub too_often: u64,
    /// Not said on an interface in clear: too much waited there, or it waited too long.
    pub unsaid: u64,
    /// This node's own words, heard in clear.
    pub echoes: u64,
    /// Path requests and tunnels in clear that somebody passed on: they are for those in range.
    pub far: u64,
}
