//! How much the organ may hold, and the heap that this takes at most.

use nexus_machine::{Instant, MemoryBound};

use super::answering::Answering;
use super::dials::{Dial, Place as DialPlace};
use super::link::Link;
use super::opening::Opening;
use super::sessions::Sessions;
use super::strangers::Strangers;
use super::waiting::Waiting;
use super::{Interface, Links, STRUCK, TAGS, Timer};

/// How much the organ may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Links; at the bound newcomers are refused.
    pub links: u16,
    /// Handshakes that others began; at the bound a random one makes room.
    pub answering: usize,
    /// Handshakes that this node began at the same time; at the bound further ones wait.
    pub opening: usize,
    /// Peers to keep a link with, those at the other end of cables included; at the bound further ones are refused.
    pub dials: usize,
    /// Interfaces; further ones are not used.
    pub interfaces: usize,
}

impl Default for Limits {
    /// For a host.
    fn default() -> Self {
        Self { links: 1_024, answering: 1_024, opening: 256, dials: 512, interfaces: 256 }
    }
}

impl MemoryBound for Links {
    fn memory_bound(&self) -> usize {
        const PER_LINK: usize = Link::MEMORY_BOUND + 4 * size_of::<Link>() + 512;
        const PER_DIAL: usize = 4 * size_of::<(DialPlace, Dial)>();
        const PER_INTERFACE: usize =
            4 * size_of::<Interface>() + Strangers::MEMORY_BOUND + Waiting::MEMORY_BOUND;
        const PER_TIMER: usize = 6 * size_of::<(Instant, Timer)>();
        let Limits { links, answering, opening, dials, interfaces } = self.limits;
        let links = usize::from(links);
        // Nodes of ordered maps may be half empty; a timer stands in two maps, one of which may be twice as long as needed.
        let timers = links
            .saturating_add(answering)
            .saturating_add(opening)
            .saturating_add(dials)
            .saturating_add(interfaces.saturating_mul(3))
            .saturating_add(32)
            .saturating_mul(PER_TIMER);
        let sessions = links.saturating_mul(4).saturating_add(answering).saturating_add(opening);
        links
            .saturating_mul(PER_LINK)
            .saturating_add(answering.saturating_mul(Answering::MEMORY_BOUND))
            .saturating_add(opening.saturating_mul(Opening::MEMORY_BOUND))
            .saturating_add(dials.saturating_mul(PER_DIAL))
            .saturating_add(interfaces.saturating_mul(PER_INTERFACE))
            .saturating_add(TAGS.saturating_mul(256))
            .saturating_add(STRUCK.saturating_mul(320))
            .saturating_add(timers)
            .saturating_add(Sessions::memory_bound(sessions, interfaces))
            .saturating_add(self.tap.memory_bound())
    }
}
