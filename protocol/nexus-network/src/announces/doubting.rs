//! Paths in doubt: a next hop that takes packets and proves none is probed, and then not used while there is any other.
//!
//! A run of packets without a proof is a reason to look, no more: an application may prove nothing. What decides are probes, which
//! the destination's node proves with its key, and which go by the path that is doubted whatever else is chosen.
//! Source: spec/network.md#paths-in-doubt.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use nexus_crypto::{DestinationHash, IdentityHash, NameHash, NodeId};
use nexus_machine::{Bucket, Cx, Duration, Instant, Sink};
use nexus_wire::nexus::path_cost::CostCode;

use super::neighbours::Neighbouring;
use super::{Announces, Effect, Recipient, Timer, count};
use crate::links::LinkId;
use crate::routes::{NextHop, RoutingEntry, Stage, Stance};

/// A path that never proved anything is looked at after so many packets without a proof,
const UNPROVED_AT_FIRST: u8 = 3;
/// and one that did after so many.
const UNPROVED: u8 = 8;
/// Such a path is distrusted after so many lost probes at least, by the same distinction,
const LOST_AT_FIRST: u8 = 6;
const LOST: u8 = 12;
/// and after as many as a path that works loses once in a hundred times, if all its hops lose as much as its first; where that is more than
/// this, nothing can be told.
const LOST_MOST: u8 = 48;
/// Their proofs are waited for as long as this for each hop that the path is said to have, so that whoever is nearest to the cause
/// looks first,
const PATIENCE: Duration = Duration::from_secs(2);
/// but for no more than so many.
const PATIENT_HOPS: u64 = 8;
/// From one probe of a path to the next, and where it begins with a slow link.
const SPACING: Duration = Duration::from_secs(1);
const SLOW_SPACING: Duration = Duration::from_secs(30);
/// From one probe of any path to the next, and how many at once.
const PROBE_EVERY: Duration = Duration::from_secs(2);
const PROBES_AT_ONCE: u32 = 12;
/// A path that is distrusted is probed again after this long, doubled each time that this is in vain,
const HOLD: Duration = Duration::from_secs(60);
/// so often; one that ever proved something, and may have lost its probes as it loses packets, less often.
const DOUBLINGS: u8 = 6;
const DOUBLINGS_PROVED: u8 = 2;
/// A path whose probes were proved, or cannot be, is left alone for so long.
const PEACE: Duration = Duration::from_secs(600);
/// Paths in doubt. At the bound no other is looked at.
const DOUBTS: usize = 256;

/// What became of paths in doubt. Counted, never reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Doubts {
    /// Runs of packets without a proof that were looked at.
    pub suspected: u64,
    /// Probes that were sent.
    pub probes: u64,
    /// Probes that were proved.
    pub proved: u64,
    /// Paths that were distrusted, each time that they were.
    pub distrusted: u64,
}

/// A path, by where it leads and who the next hop is: that outlives a link.
type PathKey = (DestinationHash, IdentityHash);

/// A path that is looked at.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    stage: DoubtStage,
    /// When something is to be done about it.
    due: Instant,
    /// How often it was distrusted, one time after the other.
    times: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DoubtStage {
    /// Packets went unproved: their proofs may be late.
    Suspected,
    /// Probes are on their way.
    Probed {
        /// The number of the first one; those behind it count up.
        first: u64,
        /// How many were sent.
        sent: u8,
        /// How many have to be lost.
        of: u8,
    },
    /// No probe came back.
    Distrusted,
    /// One did; or nobody could be probed.
    LeftAlone,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Doubting {
    doubts: BTreeMap<PathKey, Doubt>,
    next_number: u64,
    probes: Bucket,
    counts: Doubts,
}

impl Doubting {
    pub(super) fn new() -> Self {
        let probes = Bucket::new(PROBE_EVERY, PROBES_AT_ONCE);
        Self { doubts: BTreeMap::new(), next_number: 0, probes, counts: Doubts::default() }
    }

    fn of(&self, destination: DestinationHash) -> impl Iterator<Item = (&PathKey, &Doubt)> {
        let first = (destination, IdentityHash([0; 16]));
        self.doubts.range(first..).take_while(move |((of, _), _)| *of == destination)
    }

    pub(super) const MEMORY_BOUND: usize =
        DOUBTS * (2 * size_of::<(PathKey, Doubt)>() + 4 * size_of::<(Timer, Instant)>() + 64);
}

/// Where a probe goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// By which link.
    pub link: LinkId,
    /// Whether its peer is the destination.
    pub stage: Stage,
    /// What that peer asks for it.
    pub quoted: CostCode,
}

impl Announces {
    /// What became of paths in doubt.
    #[must_use]
    pub const fn doubts(&self) -> &Doubts {
        &self.doubting.counts
    }

    /// A packet went by the path over `link`, which so many before it did not come back from: it is looked at once its proof is late.
    pub(super) fn suspect(&mut self, now: Instant, destination: DestinationHash, link: LinkId) {
        let Some(other) = self.links.get(link) else { return };
        let key = (destination, other.peer);
        let next_hop = NextHop::Link { iface: other.iface, link };
        if self.doubting.doubts.contains_key(&key) || self.doubting.doubts.len() >= DOUBTS {
            return;
        }
        let Some(entry) = self.routes.get(&destination, next_hop) else { return };
        let hops = u64::from(entry.said().hops.next().0).min(PATIENT_HOPS);
        let patience = PATIENCE.max(other.spacing()).times(hops);
        count(&mut self.doubting.counts.suspected);
        self.set_doubt(key, Doubt { stage: DoubtStage::Suspected, due: now.after(patience), times: 0 });
    }

    /// It is time to do something about paths to `destination`.
    pub(super) fn look_at_doubts(
        &mut self,
        cx: Cx,
        destination: DestinationHash,
        out: &mut impl Sink<Effect>,
    ) {
        let due: Vec<(PathKey, Doubt)> = self
            .doubting
            .of(destination)
            .filter(|(_, doubt)| doubt.due <= cx.now)
            .map(|(key, doubt)| (*key, *doubt))
            .collect();
        for (key, doubt) in due {
            self.look_at(cx, key, doubt, out);
        }
        self.set_doubt_timer(destination);
    }

    fn look_at(&mut self, cx: Cx, key: PathKey, doubt: Doubt, out: &mut impl Sink<Effect>) {
        let Some(entry) = self.doubted(key) else {
            // The path is gone, and has not come back.
            self.doubting.doubts.remove(&key);
            return;
        };
        match doubt.stage {
            DoubtStage::Suspected if entry.unproved() < threshold(&entry) => {
                self.doubting.doubts.remove(&key);
            }
            DoubtStage::Suspected if !self.can_be_probed(&key.0) => self.leave_alone(cx, key, out),
            DoubtStage::Suspected | DoubtStage::Distrusted => {
                let least = if entry.was_proved() { LOST } else { LOST_AT_FIRST };
                let Some(of) = self.telling(&entry).map(|telling| telling.max(least)) else {
                    return self.leave_alone(cx, key, out);
                };
                let first = self.doubting.next_number;
                // The numbers of its probes are nobody else's.
                self.doubting.next_number = first.saturating_add(LOST_MOST.into());
                let stage = DoubtStage::Probed { first, sent: 0, of };
                self.probe(cx, key, Doubt { stage, ..doubt }, out);
            }
            DoubtStage::Probed { first, sent, of } if sent >= of => match self.telling(&entry) {
                // It turned out meanwhile that more is lost there than seemed.
                None => self.leave_alone(cx, key, out),
                Some(telling) if telling > of => {
                    let stage = DoubtStage::Probed { first, sent, of: telling };
                    self.probe(cx, key, Doubt { stage, ..doubt }, out);
                }
                Some(_) => self.distrust(cx, key, doubt, out),
            },
            DoubtStage::Probed { .. } => self.probe(cx, key, doubt, out),
            DoubtStage::LeftAlone => {
                self.doubting.doubts.remove(&key);
                if let Some(entry) = self.doubted_mut(key) {
                    // What goes unproved from here on counts.
                    entry.forgive();
                }
            }
        }
    }

    /// How many probes in a row a path that works loses once in a hundred times at most; none if that is too many.
    fn telling(&self, entry: &RoutingEntry) -> Option<u8> {
        let link = entry.next_hop().link().and_then(|link| self.links.get(link));
        let answered = link.and_then(|link| link.reliability).unwrap_or(u8::MAX);
        lost_once_in_a_hundred(answered, entry.said().hops.next().0)
    }

    /// Sends the next probe of a path, as soon as one may be sent.
    fn probe(&mut self, cx: Cx, key: PathKey, doubt: Doubt, out: &mut impl Sink<Effect>) {
        let DoubtStage::Probed { first, sent, of } = doubt.stage else { return };
        let spacing = self.spacing_of(key);
        let Some(known) = self.known.get(&key.0) else { return };
        if !self.doubting.probes.take(cx.now) {
            return self.set_doubt(key, Doubt { due: cx.now.after(PROBE_EVERY), ..doubt });
        }
        let recipient = Box::new(Recipient { public: known.public, ratchet: known.ratchet });
        let number = first.saturating_add(sent.into());
        count(&mut self.doubting.counts.probes);
        let stage = DoubtStage::Probed { first, sent: sent.saturating_add(1), of };
        self.set_doubt(key, Doubt { stage, due: cx.now.after(spacing), ..doubt });
        out.push(Effect::Probe { number, node: NodeId(*key.0.as_bytes()), recipient });
    }

    /// Where the probe of that number goes: by the path that it is of, whatever else is chosen.
    #[must_use]
    pub fn trial(&self, number: u64) -> Option<Trial> {
        let key = self.doubt_of(number)?;
        let entry = self.doubted(key)?;
        let link = entry.next_hop().link()?;
        Some(Trial { link, stage: entry.stage(), quoted: entry.said().cumulative_cost })
    }

    /// The probe of that number was proved by whom it went to.
    pub(super) fn probe_proved(&mut self, cx: Cx, number: u64, out: &mut impl Sink<Effect>) {
        let Some(key) = self.doubt_of(number) else { return };
        count(&mut self.doubting.counts.proved);
        if let Some(entry) = self.doubted_mut(key) {
            entry.proved();
        }
        self.leave_alone(cx, key, out);
    }

    fn distrust(&mut self, cx: Cx, key: PathKey, doubt: Doubt, out: &mut impl Sink<Effect>) {
        count(&mut self.doubting.counts.distrusted);
        let hold = HOLD.max(self.spacing_of(key).times(4));
        let was_proved = self.doubted(key).is_some_and(|entry| entry.was_proved());
        let doublings = if was_proved { DOUBLINGS_PROVED } else { DOUBLINGS };
        let due = cx.now.after(hold.times(1_u64.wrapping_shl(doubt.times.min(doublings).into())));
        let times = doubt.times.saturating_add(1);
        self.set_doubt(key, Doubt { stage: DoubtStage::Distrusted, due, times });
        let is_lossy = matches!(doubt.stage, DoubtStage::Probed { of, .. } if of > LOST_AT_FIRST);
        if let Some(entry) = self.doubted_mut(key) {
            entry.distrust();
            if is_lossy {
                entry.excuse();
            }
        }
        self.reconsider(cx, &key.0, Stance::Open, out);
    }

    /// Nothing is held against a path any more: it proved something, or nobody could tell it from one that works. Who was distrusted while its first
    /// hop seemed better than it is would never be probed again.
    fn leave_alone(&mut self, cx: Cx, key: PathKey, out: &mut impl Sink<Effect>) {
        let due = cx.now.after(PEACE);
        self.set_doubt(key, Doubt { stage: DoubtStage::LeftAlone, due, times: 0 });
        let was_distrusted = self.doubted_mut(key).is_some_and(|entry| {
            let before = entry.is_distrusted();
            entry.trust();
            before
        });
        if was_distrusted {
            self.reconsider(cx, &key.0, Stance::Open, out);
        }
    }

    /// A path over a neighbour is learnt: what was held against it before, with another link perhaps, still is.
    pub(super) fn remember_doubt(&mut self, destination: DestinationHash, next_hop: NextHop) {
        if self.doubting.doubts.is_empty() {
            return;
        }
        let Some(peer) = next_hop.link().and_then(|link| self.links.get(link)).map(|other| other.peer) else {
            return;
        };
        let doubt = self.doubting.doubts.get(&(destination, peer));
        let is_distrusted =
            doubt.is_some_and(|doubt| doubt.times > 0 && doubt.stage != DoubtStage::LeftAlone);
        if is_distrusted && let Some(entry) = self.routes.get_mut(&destination, next_hop) {
            entry.distrust();
        }
    }

    /// The neighbour of a path says another emission: if the path is distrusted it is probed now, whatever it waits for. Frames that were lost when
    /// it was probed last need not be lost any more, and nobody says emissions more often than the destination makes them.
    pub(super) fn doubt_again(&mut self, now: Instant, destination: DestinationHash, next_hop: NextHop) {
        let peer = next_hop.link().and_then(|link| self.links.get(link)).map(|other| other.peer);
        let Some(key) = peer.map(|peer| (destination, peer)) else { return };
        let doubt = self.doubting.doubts.get(&key).copied();
        if let Some(doubt) = doubt.filter(|doubt| doubt.stage == DoubtStage::Distrusted) {
            self.set_doubt(key, Doubt { due: doubt.due.min(now.after(PATIENCE)), ..doubt });
        }
    }

    /// Whether the destination is a node's own, which answers probes.
    fn can_be_probed(&self, destination: &DestinationHash) -> bool {
        self.known.get(destination).is_some_and(|known| {
            DestinationHash::of(NameHash::NEXUS_NODE, known.public.hash()) == *destination
        })
    }

    fn spacing_of(&self, key: PathKey) -> Duration {
        let link = self.doubted(key).and_then(|entry| entry.next_hop().link());
        link.and_then(|link| self.links.get(link)).map_or(SPACING, Neighbouring::spacing)
    }

    fn doubt_of(&self, number: u64) -> Option<PathKey> {
        let is_it = |doubt: &Doubt| match doubt.stage {
            DoubtStage::Probed { first, sent, .. } => {
                number.checked_sub(first).is_some_and(|offset| offset < sent.into())
            }
            DoubtStage::Suspected | DoubtStage::Distrusted | DoubtStage::LeftAlone => false,
        };
        self.doubting.doubts.iter().find(|(_, doubt)| is_it(doubt)).map(|(key, _)| *key)
    }

    fn next_hop_of(&self, key: PathKey) -> Option<NextHop> {
        let is_its = |next_hop: &NextHop| {
            next_hop.link().and_then(|link| self.links.get(link)).is_some_and(|other| other.peer == key.1)
        };
        self.routes.paths(&key.0).map(RoutingEntry::next_hop).find(is_its)
    }

    fn doubted(&self, key: PathKey) -> Option<RoutingEntry> {
        self.routes.get(&key.0, self.next_hop_of(key)?).copied()
    }

    fn doubted_mut(&mut self, key: PathKey) -> Option<&mut RoutingEntry> {
        let next_hop = self.next_hop_of(key)?;
        self.routes.get_mut(&key.0, next_hop)
    }

    fn set_doubt(&mut self, key: PathKey, doubt: Doubt) {
        self.doubting.doubts.insert(key, doubt);
        self.set_doubt_timer(key.0);
    }

    fn set_doubt_timer(&mut self, destination: DestinationHash) {
        match self.doubting.of(destination).map(|(_, doubt)| doubt.due).min() {
            Some(due) => self.deadlines.set(Timer::Doubt(destination), due),
            None => self.deadlines.cancel(Timer::Doubt(destination)),
        }
    }
}

impl Neighbouring {
    /// From one probe over the link to the next.
    fn spacing(&self) -> Duration {
        if self.is_dear() { SLOW_SPACING } else { SPACING }
    }
}

/// How many in a row are lost once in a hundred times at most where `answered` of 255 come there and back on each of so many hops; none if
/// that is more than [`LOST_MOST`].
fn lost_once_in_a_hundred(answered: u8, hops: u8) -> Option<u8> {
    const ONE: u32 = 1 << 16;
    let part = |whole: u32, of: u32| whole.saturating_mul(of) / 255;
    let answered = u32::from(answered);
    let back = (0..hops).fold(ONE, |back, _| part(back, answered));
    let mut all_lost = u64::from(ONE);
    for count in 1..=LOST_MOST {
        all_lost = all_lost.saturating_mul(ONE.saturating_sub(back).into()) >> 16;
        if all_lost.saturating_mul(100) <= u64::from(ONE) {
            return Some(count);
        }
    }
    None
}

/// After how many packets without a proof a path is looked at.
const fn threshold(entry: &RoutingEntry) -> u8 {
    if entry.was_proved() { UNPROVED } else { UNPROVED_AT_FIRST }
}

/// Whether the packet that just went makes it so many.
pub(super) const fn is_suspect(entry: &RoutingEntry) -> bool {
    entry.unproved() == threshold(entry) && !entry.is_distrusted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_a_path_loses_the_more_probes_tell_until_none_do() {
        assert_eq!(lost_once_in_a_hundred(255, 20), Some(1), "nothing is lost");
        // 30 % each way: 0.49 come back over one hop. ln 0.01 / ln 0.51 = 6.8.
        let all = [1, 2, 3, 4].map(|hops| lost_once_in_a_hundred(125, hops));
        assert_eq!(all, [Some(7), Some(17), Some(37), None]);
        assert_eq!(lost_once_in_a_hundred(0, 1), None);
    }
}
