//! What is known of a neighbour: what it said, what it was told, what it is owed.

use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;

use nexus_machine::{BoundedMap, Bucket, Duration, Inserted, Instant, MapOverflow};
use nexus_wire::nexus::gossip::{ItemId, StateHash, StoreId};

use super::allowance::Pace;
use super::summary::Comparison;
use super::{Extent, Limits};
use crate::interface::InterfaceId;
use crate::links::LinkId;
use crate::media::Tier;

/// From one item of a neighbour that is judged to the next,
const JUDGED: Duration = Duration::from_millis(20);
/// and how many are judged at once.
const JUDGED_AT_ONCE: u32 = 1_024;
/// For a bad item none of the neighbour's is judged for so long: as long as 32 others take.
const BAD: Duration = Duration::from_millis(640);
/// From one item that is said to a neighbour to the next: less than half of what it judges,
const SAID: Duration = Duration::from_millis(50);
/// and how many are said at once.
const SAID_AT_ONCE: u32 = 448;
/// Items that are said at once, at most.
const BATCH: u64 = 32;
/// The same for who keeps a part of a store and has little room for what it is to look at,
const BATCH_TO_PART: u64 = 8;
/// how many are said at once there,
const TO_PART_AT_ONCE: u32 = 16;
/// and from one to the next. Who passes them on does so twice as fast, so that nothing is let go of before it went on.
const SAID_TO_PART: Duration = Duration::from_millis(100);
/// From one requested item to the next,
const REQUESTED: Duration = Duration::from_millis(500);
/// and how many are answered at once.
const REQUESTED_AT_ONCE: u32 = 128;
/// From one message of a neighbour's summaries that is compared with all that is held to the next,
const COMPARED: Duration = Duration::from_secs(2);
/// and how many are compared at once.
const COMPARED_AT_ONCE: u32 = 96;
/// From one summary of a store to the next, of eight messages at most, so that a neighbour compares them all,
const SUMMARISED: Duration = Duration::from_secs(20);
/// and how many are said at once.
const SUMMARISED_AT_ONCE: u32 = 6;
/// Frames of gossip that wait for a medium on one link, at most.
const WAITING: u32 = 2;
/// An item that a neighbour was sent and does not hold is taken for lost so often,
const LOST: u8 = 2;
/// and then is sent again after twice the time, so many times at most: the neighbour does not keep it.
const DOUBLINGS: u8 = 7;

/// Where one of two keeps a part of a store they compare all of it in every so many rounds.
pub(super) const PARTS: u64 = 16;

/// What a comparison holds on the heap, in bytes: the symbols that were heard, in a list that may be twice as long.
const COMPARISON: usize = 2 * 2_048 * (size_of::<u64>() + size_of::<u16>());

/// A linked neighbour.
#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) iface: InterfaceId,
    /// The longest frame that both sides take, in bytes.
    pub(super) max_frame: usize,
    /// The rounds that were had with it.
    pub(super) round: u32,
    pub(super) round_at: Option<Instant>,
    pub(super) talks: BTreeMap<StoreId, Talk>,
    pub(super) owed: Owed,
    pub(super) sent: SentLog,
    /// Its items that may be judged.
    judged: Bucket,
    /// Until then none is judged, because others were bad.
    ignored_until: Instant,
    /// Items that it may be sent.
    said: Bucket,
    /// Whether it said that it keeps a part of a store.
    keeps_part: bool,
    /// Items that it may ask for.
    requested: Bucket,
    /// Messages of its summaries that may be compared with what is held.
    compared: Bucket,
    /// Frames that were said and have not left.
    waiting: u32,
    said_at: Instant,
}

/// What is said with a neighbour about one store.
#[derive(Debug)]
pub(super) struct Talk {
    /// The state that it said last.
    pub(super) theirs: Option<StateHash>,
    /// The state that it was told last, and when.
    pub(super) said: Option<(StateHash, Instant)>,
    /// Where the store's clock stood when both agreed.
    pub(super) basis: Option<u64>,
    /// How often news were pushed, and nothing came of it.
    pub(super) pushes: u8,
    /// How often the store was summarised, and nothing came of it.
    pub(super) fruitless: u8,
    /// How often something was said since the neighbour last spoke of the store.
    pub(super) unanswered: u8,
    /// Whether the state is to be said behind what is owed.
    pub(super) closes: bool,
    /// A newcomer is owed everything that came before this age.
    pub(super) rest: Option<u64>,
    /// How what differs is found.
    pub(super) comparison: Comparison,
    /// Where the store's clock stood when the neighbour was told what came, where one of both keeps a part of the store.
    pub(super) told: u64,
    /// How often the store was summarised there.
    pub(super) summarised: u8,
    /// Summaries that may be made.
    pub(super) summaries: Bucket,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            theirs: None,
            said: None,
            basis: None,
            pushes: 0,
            fruitless: 0,
            unanswered: 0,
            closes: false,
            rest: None,
            comparison: Comparison::new(),
            told: 0,
            summarised: 0,
            summaries: Bucket::new(SUMMARISED, SUMMARISED_AT_ONCE),
        }
    }
}

impl Neighbour {
    pub(super) fn new(iface: InterfaceId, max_frame: usize, limits: Limits, now: Instant) -> Self {
        Self {
            iface,
            max_frame,
            round: 0,
            round_at: None,
            talks: BTreeMap::new(),
            owed: Owed { items: BTreeSet::new(), capacity: limits.owed },
            sent: SentLog { items: BoundedMap::new(limits.sent, MapOverflow::EvictLeastRecent) },
            judged: Bucket::new(JUDGED, JUDGED_AT_ONCE),
            ignored_until: Instant::BOOT,
            said: Bucket::new(SAID, SAID_AT_ONCE),
            keeps_part: false,
            requested: Bucket::new(REQUESTED, REQUESTED_AT_ONCE),
            compared: Bucket::new(COMPARED, COMPARED_AT_ONCE),
            waiting: 0,
            said_at: now,
        }
    }

    pub(super) const fn begin_round(&mut self, now: Instant) {
        self.round = self.round.wrapping_add(1);
        self.round_at = Some(now);
        self.waiting = 0;
    }

    /// Whether what was said of late waits for the medium. What was said a round ago and did not leave is given up.
    pub(super) fn is_waiting(&self, now: Instant, round: Duration) -> bool {
        self.waiting > 0 && now.since(self.said_at) < round
    }

    /// Whether as much waits as may.
    pub(super) const fn is_full(&self) -> bool {
        self.waiting >= WAITING
    }

    /// A frame is said.
    pub(super) const fn say(&mut self, now: Instant) {
        self.waiting = self.waiting.saturating_add(1);
        self.said_at = now;
    }

    /// A frame left.
    pub(super) const fn left(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Whether one more of its items may be judged.
    pub(super) fn may_have_judged(&mut self, now: Instant) -> bool {
        now >= self.ignored_until && self.judged.take(now)
    }

    /// So many of its items were bad: for a while none is judged.
    pub(super) fn was_bad(&mut self, now: Instant, items: usize) {
        let while_of = BAD.times(u64::try_from(items).unwrap_or(u64::MAX));
        self.ignored_until = self.ignored_until.max(now).after(while_of);
    }

    /// It said that it keeps a part of a store: it is sent no more than it has room to look at.
    pub(super) fn note_part(&mut self, now: Instant, own: Extent) {
        if !core::mem::replace(&mut self.keeps_part, true) {
            let every = if own == Extent::Passing { SAID } else { SAID_TO_PART };
            self.said = Bucket::new(every, TO_PART_AT_ONCE);
            // What was said before is not looked at yet.
            let _ = self.said.take_many(now, TO_PART_AT_ONCE.into());
        }
    }

    /// Items that are said to it at once, at most.
    pub(super) const fn batch(&self) -> u64 {
        if self.keeps_part { BATCH_TO_PART } else { BATCH }
    }

    /// When one more batch of items may be said to it; at once if that is past.
    pub(super) fn next_batch_at(&self) -> Instant {
        self.said.holds_at(self.batch())
    }

    /// Whether so many items may be said to it, at most a batch.
    pub(super) fn may_be_said(&mut self, now: Instant, items: usize) -> bool {
        self.said.take_many(now, u64::try_from(items).unwrap_or(u64::MAX))
    }

    /// Whether it may ask for one more item.
    pub(super) fn may_request(&mut self, now: Instant) -> bool {
        self.requested.take(now)
    }

    /// Whether one more message of a summary may be compared with what is held.
    pub(super) fn may_be_compared(&mut self, now: Instant) -> bool {
        self.compared.take(now)
    }

    /// Whether the state of a store is said behind the items that were just taken.
    pub(super) fn closes_behind(&self, store: StoreId) -> bool {
        self.talks.get(&store).is_some_and(|talk| talk.closes) && self.owed.of(store).next().is_none()
    }

    /// What one takes, in bytes, its entry in an ordered map included, whose nodes may be half empty.
    pub(super) fn memory_bound(limits: Limits, stores: usize) -> usize {
        const PER_STORE: usize = 4 * size_of::<(StoreId, Talk)>() + COMPARISON;
        const PER_OWED: usize = 4 * size_of::<OwedItem>();
        const PER_SENT: usize = 6 * (size_of::<(u64, Sent)>() + 24);
        const ITSELF: usize = 4 * size_of::<(LinkId, Neighbour)>() + 2_048;
        ITSELF
            .saturating_add(stores.saturating_mul(PER_STORE))
            .saturating_add(limits.owed.saturating_add(1).saturating_mul(PER_OWED))
            .saturating_add(limits.sent.saturating_mul(PER_SENT))
    }
}

/// Items that a neighbour lacks: of the most urgent tier first, in a tier newest first.
#[derive(Debug)]
pub(super) struct Owed {
    items: BTreeSet<OwedItem>,
    capacity: usize,
}

type OwedItem = (Tier, Reverse<u64>, StoreId, ItemId);

impl Owed {
    /// One more. Beyond the capacity the last go: they are owed again when the neighbour says so.
    pub(super) fn add(&mut self, tier: Tier, age: u64, store: StoreId, id: ItemId) {
        self.items.insert((tier, Reverse(age), store, id));
        if self.items.len() > self.capacity {
            self.items.pop_last();
        }
    }

    /// The store of which something of that tier is owed first.
    pub(super) fn first_of(&self, tier: Tier) -> Option<StoreId> {
        self.items.iter().find(|(of, ..)| *of == tier).map(|(_, _, store, _)| *store)
    }

    /// What is owed of a store, first things first.
    pub(super) fn of(&self, store: StoreId) -> impl Iterator<Item = (u64, ItemId)> {
        let of_it = self.items.iter().filter(move |(_, _, of, _)| *of == store);
        of_it.map(|(_, Reverse(age), _, id)| (*age, *id))
    }

    pub(super) fn remove(&mut self, tier: Tier, age: u64, store: StoreId, id: ItemId) {
        self.items.remove(&(tier, Reverse(age), store, id));
    }

    pub(super) fn forget(&mut self, store: StoreId) {
        self.items.retain(|(_, _, of, _)| *of != store);
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}

/// What a neighbour was sent, or is known to hold.
#[derive(Debug)]
pub(super) struct SentLog {
    /// By the first bytes of their ids.
    items: BoundedMap<u64, Sent>,
}

/// When an item was sent last, and how many times; or that the neighbour has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Times { at: Instant, times: u8 },
    Held { at: Instant },
}

impl SentLog {
    /// Whether the neighbour said the item itself, or said that it has it.
    pub(super) fn is_held(&self, id: &ItemId) -> bool {
        matches!(self.items.get(&short(id)), Some(Sent::Held { .. }))
    }

    /// Whether the item may be sent to a neighbour that keeps a part of a store, and does not say which.
    pub(super) fn may_send_to_part(&self, now: Instant, pace: Pace, id: &ItemId) -> bool {
        match self.items.get(&short(id)) {
            None => true,
            Some(Sent::Times { at, times: 1 }) => now.since(*at) >= pace.round().times(PARTS),
            Some(Sent::Times { .. } | Sent::Held { .. }) => false,
        }
    }

    /// Whether the item may be sent to a neighbour that asks for it: not if it was a moment ago.
    pub(super) fn may_repeat(&self, now: Instant, pace: Pace, id: &ItemId) -> bool {
        match self.items.get(&short(id)) {
            None => true,
            Some(Sent::Times { at, .. } | Sent::Held { at }) => now.since(*at) >= half(pace),
        }
    }

    /// Whether the item may be sent: not again before the neighbour can have said that it lacks it, and later each time.
    pub(super) fn may_send(&self, now: Instant, pace: Pace, id: &ItemId) -> bool {
        match self.items.get(&short(id)) {
            None => true,
            Some(Sent::Times { at, times: ..=LOST }) => now.since(*at) >= pace.answered().min(half(pace)),
            Some(Sent::Times { at, times }) => {
                let doublings = u32::from(times.saturating_sub(LOST).min(DOUBLINGS));
                now.since(*at) >= half(pace).times(2_u64.saturating_pow(doublings))
            }
            Some(Sent::Held { at }) => now.since(*at) >= half(pace),
        }
    }

    pub(super) fn note_sent(&mut self, now: Instant, id: &ItemId) {
        let times = match self.items.get(&short(id)) {
            Some(Sent::Times { times, .. }) => times.saturating_add(1),
            Some(Sent::Held { .. }) | None => 1,
        };
        self.put(id, Sent::Times { at: now, times });
    }

    pub(super) fn note_held(&mut self, now: Instant, id: &ItemId) {
        self.put(id, Sent::Held { at: now });
    }

    fn put(&mut self, id: &ItemId, sent: Sent) {
        match self.items.insert(short(id), sent) {
            // What is forgotten may be sent once more than it has to be.
            Inserted::Fresh | Inserted::Replaced(_) | Inserted::Evicted(..) | Inserted::Refused(_) => {}
        }
    }
}

/// Half of a round.
const fn half(pace: Pace) -> Duration {
    Duration::from_micros(pace.round().as_micros() / 2)
}

/// By what an item is remembered: whoever finds another id that begins so keeps it from one neighbour for a while.
fn short(id: &ItemId) -> u64 {
    id.0.first_chunk().map_or(0, |head| u64::from_le_bytes(*head))
}
