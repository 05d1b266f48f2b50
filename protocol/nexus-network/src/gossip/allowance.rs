//! What gossip may take of a medium, in time on it.
//!
//! Two rules, both over time on the medium, all in. Each tier has a bucket that fills at its share and leaves to the tier below what it
//! cannot hold; and in no ten minutes gossip and announces together have more than a tenth. Announces have a budget of their own
//! ([`announces`](crate::announces)), which gossip leaves free whether it is used or not. Spec: spec/network.md#budget.

use alloc::collections::VecDeque;

use nexus_machine::{Duration, Instant};

use super::summary::Room;
use crate::interface::{Profile, Reach};
use crate::media::Tier;
use crate::overheard::{Carrier, Window};

/// The stretch of time over which a tenth is the most: ten rounds.
pub(super) const WINDOW: Duration = Duration::from_secs(600);
/// Gossip and announces together, of any [`WINDOW`]: 10 %.
const TOTAL: Duration = Duration::from_secs(60);
/// What announces may take of any [`WINDOW`]: 3 % of it, and what they save up in five minutes.
const ANNOUNCES: Duration = Duration::from_secs(27);
/// Where all hear all: what announces and gossip of all who are heard take of any [`WINDOW`] before gossip waits, a thirtieth,
const HEARD: Duration = Duration::from_secs(20);
/// and what those who are there may say of it together in any case, half a percent: nobody is silenced by whoever says too much.
const ASSURED: Duration = Duration::from_secs(3);
/// The shares of payment, services and social state, in percent.
const SHARES: [u64; 3] = [3, 2, 2];
/// What a medium is taken to carry of which nobody said anything, in bits per second: as much as an old telephone line.
const UNKNOWN_BPS: u64 = 64_000;
/// Below so many bits per second a byte is dear.
const SLOW_BPS: u64 = 10_000;
/// The stretches in which what left is counted: each in full as long as anything of it lies in the window.
const BIN: Duration = Duration::from_secs(10);
/// Buckets are filled at most so often, and nobody asks again sooner: what many links of one account earn in between would be
/// rounded to nothing each time.
const GRAIN: Duration = Duration::from_millis(1);
/// How many of them count, the current one included.
const BINS: u64 = 61;

/// What is known of a medium.
#[derive(Clone, Copy, Debug)]
pub(super) struct Medium {
    profile: Profile,
    /// What it carries, in bits per second.
    bps: u64,
}

/// How dear a byte is on a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    /// Less than 10 kbit/s.
    Slow,
    Fast,
}

impl Medium {
    pub(super) const fn new(profile: Profile) -> Self {
        let bps = if profile.bandwidth_bps == 0 { UNKNOWN_BPS } else { profile.bandwidth_bps };
        Self { profile, bps }
    }

    /// It was measured to carry so much.
    pub(super) fn carries(&mut self, bps: u64) {
        self.bps = bps.max(1);
    }

    pub(super) const fn reach(&self) -> Reach {
        self.profile.reach
    }

    pub(super) const fn pace(&self) -> Pace {
        match self.bps {
            ..SLOW_BPS => Pace::Slow,
            SLOW_BPS.. => Pace::Fast,
        }
    }

    /// How long a frame of `bytes` takes of what the medium carries under load.
    pub(super) fn time_of(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(self.profile.bytes_on_medium(bytes)).unwrap_or(u64::MAX).saturating_mul(8);
        let micros = match self.profile.bandwidth_bps {
            0 => bits.saturating_mul(1_000_000).checked_div(self.bps),
            _ => return self.loaded(self.profile.time_on_medium(bytes)),
        };
        Duration::from_micros(micros.unwrap_or(u64::MAX))
    }

    /// How long what takes so long at the nominal rate takes of what the medium carries under load.
    fn loaded(&self, airtime: Duration) -> Duration {
        let work = u128::from(airtime.as_micros()).saturating_mul(self.profile.bandwidth_bps.into());
        let micros = work.checked_div(self.bps.into()).and_then(|micros| u64::try_from(micros).ok());
        Duration::from_micros(micros.unwrap_or(u64::MAX))
    }

    /// The longest frame whose time is at most `time`, in bytes.
    fn longest_within(&self, time: Duration) -> usize {
        let (mut fits, mut too_long) = (0, usize::from(self.profile.frame_size).saturating_add(1));
        while too_long.saturating_sub(fits) > 1 {
            let middle = fits.midpoint(too_long);
            if self.time_of(middle) <= time { fits = middle } else { too_long = middle }
        }
        fits
    }
}

/// The account of a link; or, where all hear all, of an interface.
#[derive(Debug)]
pub(super) struct Account {
    medium: Medium,
    /// Among how many nodes the shares are divided, this one included.
    sharers: u64,
    /// What each tier may take, in hundredths of a microsecond.
    buckets: [u64; 3],
    filled_at: Instant,
    left: VecDeque<Bin>,
    /// What others said of announces and gossip where all hear all.
    others: Window,
    /// What was said and has not left.
    promised: Duration,
    promised_at: Instant,
}

/// What left in one stretch of time.
#[derive(Clone, Copy, Debug)]
struct Bin {
    number: u64,
    announces: Duration,
    gossip: Duration,
}

/// What left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Announces,
    Gossip,
}

impl Account {
    /// What one holds on the heap, in bytes.
    pub(super) const MEMORY_BOUND: usize = 128 * size_of::<Bin>() + Window::MEMORY_BOUND;

    /// An account that has saved nothing: whoever goes and comes again gains nothing by it.
    pub(super) fn new(medium: Medium, now: Instant) -> Self {
        Self {
            medium,
            sharers: 1,
            buckets: [0; 3],
            filled_at: now,
            left: VecDeque::new(),
            others: Window::default(),
            promised: Duration::ZERO,
            promised_at: now,
        }
    }

    pub(super) const fn set_medium(&mut self, medium: Medium) {
        self.medium = medium;
    }

    pub(super) fn set_sharers(&mut self, sharers: u64) {
        self.sharers = sharers.max(1);
    }

    /// Whether a frame of so many bytes may be said for a tier; none if it may, else when to ask again.
    pub(super) fn allows(&mut self, now: Instant, tier: Tier, bytes: usize) -> Result<(), Instant> {
        self.settle(now);
        let time = self.medium.time_of(bytes);
        let (at, wanted) = (place(tier), time.as_micros().saturating_mul(100));
        let held = self.buckets.get(at).copied().unwrap_or(0);
        if held < wanted {
            let missing = wanted.saturating_sub(held).saturating_mul(self.sharers);
            let share = SHARES.get(at).copied().unwrap_or(1);
            return Err(now.after(Duration::from_micros(missing.div_ceil(share)).max(GRAIN)));
        }
        // What tiers above may have saved up stays theirs.
        let reserved = (0..at).map(|above| self.most(above)).fold(0, u64::saturating_add) / 100;
        let (announces, gossip) = self.sums();
        let taken = gossip.plus(self.promised).plus(time).plus(Duration::from_micros(reserved));
        if taken > self.cap(announces) || !self.has_room(now, time) {
            return Err(now.after(BIN));
        }
        Ok(())
    }

    /// Others said so much of announces and gossip, at the nominal rate.
    pub(super) fn overhear(&mut self, now: Instant, airtime: Duration, by: Carrier) {
        self.others.add(now, airtime, by);
    }

    /// Where all hear all: whether what is heard there leaves room for so much, or this node said next to nothing.
    fn has_room(&self, now: Instant, time: Duration) -> bool {
        let others = self.others.sum(now, self.sharers);
        if self.medium.reach() != Reach::Shared || others == Duration::ZERO {
            return true;
        }
        let (announces, gossip) = self.sums();
        let own = gossip.plus(self.promised).plus(time);
        let assured = Duration::from_micros(ASSURED.as_micros().checked_div(self.sharers).unwrap_or(0));
        own <= assured.max(self.medium.time_of(LEAST_FRAME)) || others.plus(announces).plus(own) <= HEARD
    }

    /// How much a summary may say there.
    pub(super) const fn summary_room(&self) -> Room {
        Room::at(self.medium.bps)
    }

    /// The longest frame that a tier may ever say, in bytes.
    pub(super) fn longest(&self, tier: Tier) -> usize {
        let most = Duration::from_micros(self.most(place(tier)) / 100);
        self.medium.longest_within(most.min(self.cap(Duration::ZERO)))
    }

    /// A frame is said, which [`Account::allows`] allowed.
    pub(super) fn promise(&mut self, now: Instant, tier: Tier, bytes: usize) {
        let time = self.medium.time_of(bytes);
        if let Some(bucket) = self.buckets.get_mut(place(tier)) {
            *bucket = bucket.saturating_sub(time.as_micros().saturating_mul(100));
        }
        self.promised = self.promised.plus(time);
        self.promised_at = now;
    }

    /// A frame of so many bytes left.
    pub(super) fn leave(&mut self, now: Instant, kind: Kind, bytes: usize) {
        let time = self.medium.time_of(bytes);
        let number = number(now);
        if self.left.back().is_none_or(|bin| bin.number != number) {
            self.left.push_back(Bin { number, announces: Duration::ZERO, gossip: Duration::ZERO });
        }
        let Some(bin) = self.left.back_mut() else { return };
        match kind {
            Kind::Announces => bin.announces = bin.announces.plus(time),
            Kind::Gossip => {
                bin.gossip = bin.gossip.plus(time);
                self.promised = self.promised.minus(time);
                self.promised_at = now;
            }
        }
        self.forget(now);
    }

    /// What gossip may take of a window in which announces took so much.
    fn cap(&self, announces: Duration) -> Duration {
        // The last announce of a window may go over what announces have by its own length.
        let last = self.medium.time_of(usize::from(self.medium.profile.frame_size));
        let share = TOTAL.minus(ANNOUNCES).minus(last).as_micros().checked_div(self.sharers).unwrap_or(0);
        Duration::from_micros(share).min(TOTAL.minus(announces))
    }

    /// What a tier's bucket holds, in hundredths of a microsecond: a round's share, or a frame that carries anything at all.
    fn most(&self, at: usize) -> u64 {
        let round = self.medium.pace().round().as_micros();
        let share = SHARES.get(at).copied().unwrap_or(0).saturating_mul(round);
        let frame = self.medium.time_of(LEAST_FRAME).as_micros().saturating_mul(100);
        share.checked_div(self.sharers).unwrap_or(0).max(frame)
    }

    /// Fills the buckets, and gives up on what was said long ago and never left.
    fn settle(&mut self, now: Instant) {
        self.fill(now);
        if now.since(self.promised_at) > WINDOW {
            self.promised = Duration::ZERO;
        }
        self.forget(now);
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.since(self.filled_at);
        if passed < GRAIN {
            return;
        }
        let (mut flowing, passed) = (0_u64, passed.as_micros());
        self.filled_at = now;
        for (at, share) in SHARES.into_iter().enumerate() {
            let most = self.most(at);
            let fresh = passed.saturating_mul(share).checked_div(self.sharers).unwrap_or(0);
            let Some(bucket) = self.buckets.get_mut(at) else { return };
            let filled = bucket.saturating_add(fresh).saturating_add(flowing);
            *bucket = filled.min(most);
            flowing = filled.saturating_sub(most);
        }
    }

    fn forget(&mut self, now: Instant) {
        let number = number(now);
        while self.left.front().is_some_and(|bin| number.saturating_sub(bin.number) >= BINS) {
            self.left.pop_front();
        }
    }

    fn sums(&self) -> (Duration, Duration) {
        self.left.iter().fold((Duration::ZERO, Duration::ZERO), |(announces, gossip), bin| {
            (announces.plus(bin.announces), gossip.plus(bin.gossip))
        })
    }
}

/// A frame of so many bytes carries the smallest summary, or a key and that two stores agree.
const LEAST_FRAME: usize = 128;

impl Pace {
    /// What was said is answered within so long, or said again.
    pub(super) const fn answered(self) -> Duration {
        match self {
            Self::Fast => Duration::from_secs(10),
            Self::Slow => self.round(),
        }
    }

    /// From one round to the next.
    pub(super) const fn round(self) -> Duration {
        match self {
            Self::Fast => Duration::from_secs(60),
            Self::Slow => Duration::from_secs(300),
        }
    }
}

/// Which bucket a tier spends from: what routes is bounded as payment is.
const fn place(tier: Tier) -> usize {
    match tier {
        Tier::Routing | Tier::Payment => 0,
        Tier::Services => 1,
        Tier::Social => 2,
    }
}

fn number(at: Instant) -> u64 {
    at.as_micros().checked_div(BIN.as_micros()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
