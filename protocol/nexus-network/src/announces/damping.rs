//! Damping: a neighbour whose word was told on, and that takes it back again and again so that nothing else may be used, is told on no more
//! for a while.
//!
//! What this node says of a path binds it: having told a cheap one, it may not use a dearer one of the same generation. Whoever says a cheap
//! path and takes it back could keep it without any way from one generation to the next. Source: spec/network.md#damping.

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{BoundedMap, Cx, Duration, Inserted, Instant, MapOverflow, Sink};

use super::{Announces, Effect, Timer};
use crate::links::LinkId;
use crate::routes::{NextHop, RoutingEntry, Stance};

/// What was taken back so often is held against a neighbour: once may be a link that failed.
const FORGIVEN: u8 = 2;
/// For so long after the first time that is too often, doubled with each,
const HOLD: Duration = Duration::from_secs(20);
/// so often.
const DOUBLINGS: u8 = 5;
/// If nothing is taken back for so long, or twice the hold if that is more, all is forgotten.
const MEMORY: Duration = Duration::from_secs(120);
/// Of how many paths it is remembered.
const PATHS: usize = 256;

/// How often a neighbour took a path back.
#[derive(Clone, Copy, Debug)]
struct Retraction {
    times: u8,
    last: Instant,
    held_until: Instant,
}

/// All of them, by destination and neighbour.
#[derive(Debug)]
pub(super) struct Damping(BoundedMap<(DestinationHash, IdentityHash), Retraction>);

impl Damping {
    pub(super) const MEMORY_BOUND: usize = PATHS
        * (8 * size_of::<(DestinationHash, IdentityHash, Retraction, u64)>()
            + 4 * size_of::<(Timer, Instant)>());

    pub(super) const fn new() -> Self {
        Self(BoundedMap::new(PATHS, MapOverflow::EvictLeastRecent))
    }

    /// Whether something is held against a neighbour's path.
    fn holds(&self, destination: &DestinationHash, peer: IdentityHash, now: Instant) -> bool {
        self.0.get(&(*destination, peer)).is_some_and(|retraction| retraction.held_until > now)
    }
}

impl Announces {
    /// The peer of `link` took back a path that this node told on, and nothing that is left may be used.
    pub(super) fn note_retraction(&mut self, now: Instant, destination: DestinationHash, link: LinkId) {
        let Some(peer) = self.links.get(link).map(|other| other.peer) else { return };
        let key = (destination, peer);
        let before = self.damping.0.get(&key).copied().filter(|before| {
            let remembered = MEMORY.max(before.held_until.since(before.last).times(2));
            now.since(before.last) < remembered
        });
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let held_until = match times.checked_sub(FORGIVEN.saturating_add(1)) {
            None => now,
            Some(doubled) => now.after(HOLD.times(1_u64.wrapping_shl(doubled.min(DOUBLINGS).into()))),
        };
        // What was taken back longest ago makes room.
        let _displaced: Inserted<_, _> =
            self.damping.0.insert(key, Retraction { times, last: now, held_until });
    }

    /// A neighbour's path is learnt: if something is held against it, it comes behind all others, and is told to nobody, until that is over.
    pub(super) fn damp(&mut self, now: Instant, destination: DestinationHash, next_hop: NextHop) {
        let peer = next_hop.link().and_then(|link| self.links.get(link)).map(|other| other.peer);
        let Some(peer) = peer.filter(|peer| self.damping.holds(&destination, *peer, now)) else { return };
        if let Some(entry) = self.routes.get_mut(&destination, next_hop) {
            entry.distrust();
        }
        if let Some(retraction) = self.damping.0.get(&(destination, peer)) {
            self.deadlines.set(Timer::Damp(destination), retraction.held_until);
        }
    }

    /// What was held against paths to `destination` may be over.
    pub(super) fn undamp(&mut self, cx: Cx, destination: DestinationHash, out: &mut impl Sink<Effect>) {
        let mut next: Option<Instant> = None;
        let held: alloc::vec::Vec<NextHop> = self
            .routes
            .paths(&destination)
            .filter(|entry| entry.is_distrusted())
            .map(RoutingEntry::next_hop)
            .collect();
        for next_hop in held {
            let peer = next_hop.link().and_then(|link| self.links.get(link)).map(|other| other.peer);
            let Some(retraction) = peer.and_then(|peer| self.damping.0.get(&(destination, peer))).copied()
            else {
                continue;
            };
            if retraction.held_until > cx.now {
                next = Some(next.map_or(retraction.held_until, |next| next.min(retraction.held_until)));
                continue;
            }
            if let Some(entry) = self.routes.get_mut(&destination, next_hop) {
                entry.trust();
            }
            // It may be distrusted for packets that it swallowed.
            self.remember_doubt(destination, next_hop);
        }
        if let Some(next) = next {
            self.deadlines.set(Timer::Damp(destination), next);
        }
        self.reconsider(cx, &destination, Stance::Open, out);
    }
}
