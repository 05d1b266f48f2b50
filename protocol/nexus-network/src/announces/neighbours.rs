//! The links as the announces see them: what a hop costs, how much a neighbour may have verified, and how far it was told.

use alloc::collections::{BTreeMap, VecDeque};

use nexus_crypto::{DestinationHash, IdentityHash, NodeId};
use nexus_machine::{BoundedMap, Bucket, Duration, Inserted, Instant, MapOverflow};
use nexus_wire::nexus::path_cost::Hop;

use super::costs::{PENDING, Pending};
use super::finding::{TAKEN_AT_ONCE, TAKEN_EVERY};
use super::known::{Place, Via};
use crate::interface::InterfaceId;
use crate::links::{LinkId, Trust};

/// One link.
#[derive(Debug)]
pub(super) struct Neighbouring {
    pub(super) iface: InterfaceId,
    pub(super) peer: IdentityHash,
    pub(super) hop: Hop,
    /// How far the peer is believed to be there,
    pub(super) trust: Trust,
    /// and how many of 255 frames it answers, if that is known.
    pub(super) reliability: Option<u8>,
    pub(super) up_at: Instant,
    /// How far the peer was told of what was known when the link came up.
    pub(super) told: Option<Place>,
    /// How often it was told all of that again.
    pub(super) told_again: u8,
    /// Since when the peer hears broadcasts, if it does.
    pub(super) hears_since: Option<Instant>,
    /// Which emission of this node's own it was told over its link; 0 if none.
    pub(super) own_told: u64,
    /// What it said of emissions that are not known.
    pub(super) pending: VecDeque<Pending>,
    /// Its address on the ring.
    pub(super) place: u128,
    verifications: Bucket,
    requests: Bucket,
    /// When what was said of paths on request is made good.
    spent_until: Instant,
    /// Until when it is congested.
    pub(super) spared_until: Instant,
    pub(super) carrier: Carrier,
}

/// What carries a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// A medium.
    Medium,
    /// A Reticulum link across stock nodes: what they say in clear may be known at its other end.
    Crossing,
}

/// Links slower than this, or of unknown bandwidth, are spoken on less eagerly.
const FAST_BPS: u64 = 1_000_000;
/// Links that are no faster are as slow as a radio, whose fastest setting carries so much: they are told once, since to say everything three times
/// would take too much of them.
const SLOW_BPS: u64 = 60_000;
/// Below this many bits per second probes are rare, and searches short.
const DEAR_BPS: u64 = 100_000;
/// Telling spends at most this share of a link's bandwidth, in percent.
const SHARE_PERCENT: u64 = 3;
/// One announce a second in any case: a link that cannot carry that is no link.
const SLOWEST_TELLING: Duration = Duration::from_secs(1);
/// A peer has this many verified a second, and more: see [`VERIFICATION`].
const FASTEST_TELLING: Duration = Duration::from_millis(25);
/// How many requests or answers may be said at once to one neighbour.
const REQUESTS_AT_ONCE: u64 = 8;
/// On fast links it is as many as the share of this long has room for.
const SAVED_AT_LEAST: Duration = Duration::from_millis(100);
/// The same neighbour is told again of the same destination after this long.
const CORRECTION_INTERVAL: Duration = Duration::from_secs(10);

impl Neighbouring {
    pub(super) fn new(iface: InterfaceId, peer: IdentityHash, hop: Hop, now: Instant) -> Self {
        let verifications = Bucket::new(VERIFICATION, VERIFICATIONS);
        Self {
            iface,
            peer,
            hop,
            trust: Trust::Sure,
            reliability: None,
            up_at: now,
            told: None,
            told_again: 0,
            hears_since: None,
            own_told: 0,
            pending: VecDeque::new(),
            place: u128::from_be_bytes(*DestinationHash::from(NodeId::of(peer)).as_bytes()),
            verifications,
            requests: Bucket::new(TAKEN_EVERY, TAKEN_AT_ONCE),
            spent_until: Instant::BOOT,
            spared_until: Instant::BOOT,
            carrier: Carrier::Medium,
        }
    }

    pub(super) fn is_fast(&self) -> bool {
        self.hop.bandwidth.bps().is_some_and(|bps| bps > FAST_BPS)
    }

    /// Whether what is said to it is said again: on a cable that loses frames nobody else says it. Where one frame is heard by many others
    /// see to that. At the other end of a crossing mostly the costs alone are news, and that they are is learnt from what is
    /// acknowledged, however slow it is.
    pub(super) fn is_told_again(&self) -> bool {
        self.is_crossing() || self.hop.bandwidth.bps().is_some_and(|bps| bps > SLOW_BPS)
    }

    pub(super) fn is_crossing(&self) -> bool {
        self.carrier == Carrier::Crossing
    }

    /// Whether the peer may have one more announce verified, which is then spent.
    pub(super) fn may_have_verified(&mut self, now: Instant) -> bool {
        self.verifications.take(now)
    }

    /// Whether it is a radio, or as slow as one.
    pub(super) fn is_slow(&self) -> bool {
        self.hop.bandwidth.bps().is_some_and(|bps| bps <= SLOW_BPS)
    }

    /// Whether probes and steps of a search are dear there.
    pub(super) fn is_dear(&self) -> bool {
        self.hop.bandwidth.bps().is_some_and(|bps| bps < DEAR_BPS)
    }

    /// Whether one more path request of the peer is taken, which is then spent.
    pub(super) fn may_request(&mut self, now: Instant) -> bool {
        self.requests.take(now)
    }

    /// From when on `len` bytes may be said of paths on request; at once if that is past.
    pub(super) fn requests_from(&self, len: usize) -> Instant {
        let at_once = self.interval_of_share(len).times(REQUESTS_AT_ONCE).max(SAVED_AT_LEAST);
        self.spent_until.before(at_once)
    }

    pub(super) fn spend_on_request(&mut self, now: Instant, len: usize) {
        self.spent_until = self.spent_until.max(now).after(self.interval_of_share(len));
    }

    /// How long `len` bytes take in the share of the bandwidth that announces have.
    fn interval_of_share(&self, len: usize) -> Duration {
        let Some(bps) = self.hop.bandwidth.bps().filter(|bps| *bps > 0) else { return SLOWEST_TELLING };
        let bits = u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(8);
        let hundred_seconds = bits.saturating_mul(100_000_000);
        let budget = bps.saturating_mul(SHARE_PERCENT).max(1);
        Duration::from_micros(hundred_seconds.checked_div(budget).unwrap_or(u64::MAX))
    }

    /// How long to wait after `len` bytes before telling of the next destination.
    pub(super) fn telling_interval(&self, len: usize) -> Duration {
        self.interval_of_share(len).clamp(FASTEST_TELLING, SLOWEST_TELLING)
    }
}

/// From one signature of a neighbour that is verified to the next,
const VERIFICATION: Duration = Duration::from_millis(20);
/// and how many are verified at once.
const VERIFICATIONS: u32 = 200;

/// All links, at most a stated number.
#[derive(Debug)]
pub(super) struct Neighbours {
    links: BTreeMap<LinkId, Neighbouring>,
    capacity: usize,
    /// Who was told of what it did not know, and when.
    corrected: BoundedMap<(LinkId, DestinationHash), Instant>,
}

/// Corrections remembered. More than this many within their interval are not made.
const CORRECTIONS: usize = 256;

impl Neighbours {
    pub(super) const fn new(capacity: usize) -> Self {
        let corrected = BoundedMap::new(CORRECTIONS, MapOverflow::RefuseNew);
        Self { links: BTreeMap::new(), capacity, corrected }
    }

    /// False if there is no room for it.
    pub(super) fn up(&mut self, link: LinkId, neighbouring: Neighbouring) -> bool {
        if self.links.len() >= self.capacity && !self.links.contains_key(&link) {
            return false;
        }
        self.links.insert(link, neighbouring);
        true
    }

    /// Returns another link with the same peer, if there is one.
    pub(super) fn down(&mut self, link: LinkId) -> Option<(LinkId, InterfaceId)> {
        let gone = self.links.remove(&link)?;
        let same = self.links.iter().rev().find(|(_, other)| other.peer == gone.peer);
        same.map(|(link, other)| (*link, other.iface))
    }

    pub(super) fn get(&self, link: LinkId) -> Option<&Neighbouring> {
        self.links.get(&link)
    }

    pub(super) fn get_mut(&mut self, link: LinkId) -> Option<&mut Neighbouring> {
        self.links.get_mut(&link)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Neighbouring)> {
        self.links.iter().map(|(link, neighbouring)| (*link, neighbouring))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut Neighbouring)> {
        self.links.iter_mut().map(|(link, neighbouring)| (*link, neighbouring))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether `via` leads to whom `link` leads to.
    pub(super) fn leads_to_same(&self, via: Via, link: LinkId) -> bool {
        let peer = |link| self.links.get(&link).map(|neighbouring| neighbouring.peer);
        via.link().is_some_and(|other| other == link || (peer(other).is_some() && peer(other) == peer(link)))
    }

    /// Whether to tell `link` what it does not know of `destination`; remembered if so.
    pub(super) fn may_correct(&mut self, link: LinkId, destination: DestinationHash, now: Instant) -> bool {
        let stale = |at: &Instant| now.since(*at) >= CORRECTION_INTERVAL;
        while self.corrected.least_recent().is_some_and(|(_, at)| stale(at)) {
            self.corrected.pop_least_recent();
        }
        !self.corrected.contains(&(link, destination))
            && !matches!(self.corrected.insert((link, destination), now), Inserted::Refused(_))
    }

    pub(super) const fn memory_bound(&self) -> usize {
        // Its deadline included.
        const PER_LINK: usize =
            2 * (size_of::<(LinkId, Neighbouring)>() + 224) + 2 * PENDING * size_of::<Pending>();
        const PER_CORRECTION: usize = 4 * (size_of::<(LinkId, DestinationHash, Instant, u64)>() + 32);
        self.capacity
            .saturating_mul(PER_LINK)
            .saturating_add(CORRECTIONS.saturating_mul(PER_CORRECTION))
            .saturating_add(8_192)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Key;
    use nexus_wire::nexus::code::BandwidthCode;
    use nexus_wire::nexus::path_cost::LatencyMs;

    #[test]
    fn telling_spends_three_percent_of_the_bandwidth_within_its_bounds() {
        let wait = |bps| neighbouring(bps).telling_interval(300);
        assert_eq!(wait(0), SLOWEST_TELLING, "unknown");
        assert_eq!(wait(1_000), SLOWEST_TELLING);
        assert_eq!(wait(1_000_000_000), FASTEST_TELLING);
        // 2,400 bits at 3 % of about a megabit: 80 ms.
        assert!((70..90).contains(&wait(1_000_000).as_millis()), "{:?}", wait(1_000_000));
        assert!(neighbouring(10_000_000).is_fast() && !neighbouring(500_000).is_fast());
        assert!(!neighbouring(0).is_fast());
        assert!(neighbouring(50_000).is_slow() && neighbouring(50_000).is_dear());
        assert!(!neighbouring(64_000).is_slow(), "no radio: a question there does not wait for minutes");
        assert!(neighbouring(64_000).is_dear() && !neighbouring(128_000).is_dear());
    }

    #[test]
    fn an_allowance_lasts_for_its_burst_and_comes_back_at_its_rate() {
        let mut link = neighbouring(0);
        let second = Instant::BOOT.after(Duration::from_secs(1));
        let spent = |link: &mut Neighbouring, now| (0..1_000).filter(|_| link.may_have_verified(now)).count();
        assert_eq!(spent(&mut link, Instant::BOOT), 200);
        assert_eq!(spent(&mut link, second), 50);
    }

    #[test]
    fn the_same_neighbour_is_corrected_once_per_interval_and_destination() {
        let mut all = Neighbours::new(4);
        let [one, other] = [0, 1].map(|slot| LinkId(Key { slot, generation: 0 }));
        let destination = DestinationHash([1; 16]);
        assert!(all.may_correct(one, destination, Instant::BOOT));
        assert!(!all.may_correct(one, destination, Instant::BOOT.after(Duration::from_secs(9))));
        assert!(all.may_correct(other, destination, Instant::BOOT.after(Duration::from_secs(9))));
        assert!(all.may_correct(one, destination, Instant::BOOT.after(Duration::from_secs(10))));
    }

    fn neighbouring(bps: u64) -> Neighbouring {
        let hop = Hop { price: 0, latency: LatencyMs(1), bandwidth: BandwidthCode::nearest(bps) };
        Neighbouring::new(InterfaceId(0), IdentityHash([7; 16]), hop, Instant::BOOT)
    }
}
