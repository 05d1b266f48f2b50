//! How much the endpoint may hold.

/// How much an [`Endpoint`](crate::Endpoint) may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Own destinations. So many are also remembered with their ratchets while they are not served.
    pub services: usize,
    /// Ratchets kept for each of them, 32 bytes and their times.
    pub ratchets: usize,
    /// Destinations of others that are remembered, up to 600 bytes each.
    pub peers: usize,
    /// Destinations that are looked for at once.
    pub wanted: usize,
    /// What waits for each of those.
    pub errands: usize,
    /// Packets whose proofs are waited for, outside of links.
    pub unproved: usize,
    /// Links, those included that are asked for and not answered yet, up to 12,000 bytes each.
    pub links: usize,
    /// Links on which resources pass at the same time, each up to [`TRANSFERS_BOUND`](crate::links::TRANSFERS_BOUND) bytes.
    pub transfers: usize,
    /// Links whose channels are open at the same time, each up to [`CHANNEL_BOUND`](crate::links::CHANNEL_BOUND) bytes.
    pub channels: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self {
            services: 16,
            ratchets: 512,
            peers: 256,
            wanted: 32,
            errands: 16,
            unproved: 256,
            links: 64,
            transfers: 8,
            channels: 16,
        }
    }
}

/// What an ordered map of so many entries of this size takes: its nodes hold eleven, and may be less than half full.
pub(crate) const fn tree(entries: usize, size: usize) -> usize {
    let node = size.saturating_mul(11).saturating_add(128);
    entries.div_ceil(4).saturating_add(2).saturating_mul(node)
}
