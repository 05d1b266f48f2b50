//! In clear, among stock nodes: what is believed there, passed on, asked and answered.
//!
//! Stock nodes keep the first copy of each emission that they hear, whatever way it came, and count hops. Invariants:
//!
//! * of each emission a stock neighbour hears one path: one hop count, and the next hop that packets from there go by;
//! * an announce is passed on the sooner the less its path costs, so that stock nodes take the cheaper of two ways;
//! * others' announces take no more than a fiftieth of an interface, the nearest first, and nothing older than the newest known leaves;
//! * what strangers announce in a burst, or too often, is held or kept back: nothing here grows with it.
//!
//! Source: spec/reticulum.md#in-clear.

mod answering;
mod binding;
mod ingress;
mod moving;
mod outbox;
mod pricing;
mod programs;
mod rates;
mod rebroadcasting;
mod remembering;
mod requesting;
mod timing;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash};
use nexus_machine::{BoundedMap, Bucket, Duration, Inserted, Instant, MapOverflow, Snapshot};
use nexus_wire::nexus::code::BandwidthCode;
use nexus_wire::nexus::path_cost::{CompactPathCost, Hop, HopCount, LatencyMs};
use nexus_wire::reticulum::{Hops, MTU, RandomHash};

use super::{Announces, Limits};
use crate::interface::{InterfaceId, Profile, Role};
use crate::routes::NextHop;

pub use binding::SAID_IN_CLEAR;
use binding::Sayings;
use ingress::Ingress;
pub use moving::TunnelCount;
use moving::Tunnels;
use outbox::Outbox;
use rates::Rates;
use rebroadcasting::Rebroadcast;
use remembering::Memory;
pub(super) use remembering::Noted;
pub use remembering::PATHS_IN_CLEAR;
use requesting::Requests;

/// From one path request that is taken on an interface to the next, and how many at once.
const REQUEST_EVERY: Duration = Duration::from_millis(100);
const REQUESTS_AT_ONCE: u32 = 64;

/// An interface in `reticulum` mode.
#[derive(Debug)]
pub(super) struct Medium {
    pub(super) profile: Profile,
    /// What a hop there costs: nobody is paid, but it takes its time.
    pub(super) hop: Hop,
    /// What it carries under load, in bits per second; 0 if unknown.
    bps: u64,
    outbox: Outbox,
    ingress: Ingress,
    requests: Bucket,
}

/// Who said an emission first on an interface in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClearHop {
    pub(super) random_hash: RandomHash,
    /// The relay; none if its originator was heard itself.
    pub(super) transport: Option<IdentityHash>,
    /// How many hops it came, the last one included.
    pub(super) hops: Hops,
    /// How long a packet takes to the destination, as links that it proved show; none if there was no link.
    pub(super) latency: Option<LatencyMs>,
}

impl ClearHop {
    /// Whether nobody is asked to carry a packet on.
    pub(super) const fn is_last(&self) -> bool {
        self.transport.is_none() || self.hops.get() <= 1
    }
}

/// The path of an emission that stock neighbours were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) random_hash: RandomHash,
    pub(super) hops: Hops,
    pub(super) over: NextHop,
}

/// What waits at an interface in `reticulum` mode, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Announces of others that wait to be said there.
    pub queued: usize,
    /// Announces of destinations that nobody knew, which came too fast and are held.
    pub held: usize,
}

/// What is known of what is in clear.
#[derive(Debug)]
pub(super) struct Clear {
    hops: BoundedMap<(DestinationHash, InterfaceId), ClearHop>,
    rebroadcasts: BoundedMap<DestinationHash, Rebroadcast>,
    rates: Rates,
    requests: Requests,
    tunnels: Tunnels,
    memory: Memory,
    sayings: Sayings,
    /// The interfaces that are crossings.
    crossings: BTreeSet<InterfaceId>,
}

impl Clear {
    pub(super) fn new(limits: &Limits, snapshot: &Snapshot) -> Self {
        Self {
            hops: BoundedMap::new(limits.paths, MapOverflow::EvictLeastRecent),
            rebroadcasts: BoundedMap::new(limits.known, MapOverflow::RefuseNew),
            rates: Rates::new(limits.known),
            requests: Requests::new(limits.known),
            tunnels: Tunnels::default(),
            memory: Memory::resume(limits.known, snapshot),
            sayings: Sayings::resume(limits.known, snapshot),
            crossings: BTreeSet::new(),
        }
    }

    /// An interface is no crossing, or none any more.
    pub(super) fn is_no_crossing(&mut self, iface: InterfaceId) {
        self.crossings.remove(&iface);
    }

    /// Who is to carry packets for `destination` on, on an interface.
    pub(super) fn hop(&self, destination: &DestinationHash, iface: InterfaceId) -> Option<&ClearHop> {
        self.hops.get(&(*destination, iface))
    }

    fn set_hop(&mut self, destination: DestinationHash, iface: InterfaceId, hop: ClearHop) {
        // Whoever was heard longest ago makes room: packets do not find that way until it is heard again.
        let _displaced: Inserted<_, _> = self.hops.insert((destination, iface), hop);
    }

    pub(super) fn memory_bound(&self) -> usize {
        // A bounded map is two ordered maps, whose nodes may be half empty; a deadline is in two more.
        const PER_HOP: usize = 4 * (size_of::<((DestinationHash, InterfaceId), ClearHop, u64)>() + 32);
        const PER_REBROADCAST: usize = 8 * size_of::<(super::Timer, Rebroadcast, u64)>() + 128;
        self.hops
            .capacity()
            .saturating_mul(PER_HOP)
            .saturating_add(self.rebroadcasts.capacity().saturating_mul(PER_REBROADCAST))
            .saturating_add(self.rates.memory_bound())
            .saturating_add(self.requests.memory_bound())
            .saturating_add(Tunnels::MEMORY_BOUND)
            .saturating_add(self.memory.memory_bound())
            .saturating_add(self.sayings.memory_bound())
            .saturating_add(256_usize.saturating_mul(Medium::MEMORY_BOUND))
    }
}

impl Medium {
    const MEMORY_BOUND: usize = size_of::<Self>() * 2 + Outbox::MEMORY_BOUND + Ingress::MEMORY_BOUND + 256;

    pub(super) fn new(profile: &Profile, now: Instant) -> Self {
        let mut medium = Self {
            profile: *profile,
            hop: Hop { price: 0, latency: LatencyMs(0), bandwidth: BandwidthCode::UNKNOWN },
            bps: 0,
            outbox: Outbox::default(),
            ingress: Ingress::new(now),
            requests: Bucket::new(REQUEST_EVERY, REQUESTS_AT_ONCE),
        };
        medium.carries(profile.bandwidth_bps);
        medium
    }

    /// It carries so many bits per second: the longest packet takes so long to come.
    pub(super) fn carries(&mut self, bps: u64) {
        self.bps = bps;
        let latency = LatencyMs::saturating(self.time_of(MTU).as_millis());
        self.hop = Hop { price: 0, latency, bandwidth: BandwidthCode::nearest(bps) };
    }

    /// How long a frame of so many bytes occupies it under load; no time at all if that is unknown.
    fn time_of(&self, bytes: usize) -> Duration {
        let nominal = self.profile.time_on_medium(bytes).as_micros();
        let micros = match self.profile.bandwidth_bps {
            0 => u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8_000_000).checked_div(self.bps),
            rate => nominal.saturating_mul(rate.div_ceil(1_000)).checked_div(self.bps.div_ceil(1_000)),
        };
        Duration::from_micros(micros.unwrap_or(0))
    }

    /// What a path costs of which so many hops were said here. A stock segment is one edge, as long as the hops that its header counts, and
    /// takes as long as was measured; without a measure as long as if all its hops were like this one.
    pub(super) fn cost_in(&self, hops: HopCount, measured: Option<LatencyMs>) -> CompactPathCost {
        let alike = u64::from(self.hop.latency.0).saturating_mul(u64::from(hops.0).saturating_add(1));
        let worst_latency = match measured {
            Some(measured) => measured.max(self.hop.latency),
            None => LatencyMs::saturating(alike),
        };
        CompactPathCost { hops, worst_latency, bottleneck: self.hop.bandwidth, ..CompactPathCost::ORIGIN }
    }

    /// For how long a path that was heard here lasts, unless it is used or heard again.
    pub(super) const fn path_life(&self) -> Duration {
        const HOUR: u64 = 3_600;
        match self.profile.role {
            Role::AccessPoint => Duration::from_secs(24 * HOUR),
            Role::Roaming => Duration::from_secs(6 * HOUR),
            Role::Full
            | Role::PointToPoint
            | Role::Boundary
            | Role::Gateway
            | Role::Internal
            | Role::Local => Duration::from_secs(7 * 24 * HOUR),
        }
    }
}

impl Announces {
    /// When announces were passed on in clear, of each destination the last six; oldest first.
    pub fn passed_on(&self) -> impl Iterator<Item = (DestinationHash, Vec<Instant>)> {
        self.clear.rates.passed()
    }

    /// What waits at an interface; none if it is not in `reticulum` mode, or down.
    #[must_use]
    pub fn waiting_in_clear(&self, iface: InterfaceId) -> Option<Waiting> {
        let medium = self.interfaces.get(&iface)?;
        Some(Waiting { queued: medium.outbox.len(), held: medium.ingress.len() })
    }

    /// Remembers who said an emission in clear. The first copy on an interface counts, as it does for stock nodes: whether this is it, or the
    /// path of the first is lost.
    pub(super) fn is_first_in_clear(
        &mut self,
        destination: DestinationHash,
        iface: InterfaceId,
        hop: ClearHop,
    ) -> bool {
        let before = self.clear.hop(&destination, iface);
        let is_repeated = before
            .is_some_and(|before| before.random_hash == hop.random_hash && before.transport != hop.transport);
        let entry = self.routes.get(&destination, NextHop::Clear(iface));
        let is_good =
            entry.is_some_and(|entry| entry.random_hash() == hop.random_hash && !entry.is_distrusted());
        if is_repeated && is_good {
            return false;
        }
        self.clear.set_hop(destination, iface, hop);
        self.note_for_disk(destination, Noted::Learnt);
        true
    }
}
