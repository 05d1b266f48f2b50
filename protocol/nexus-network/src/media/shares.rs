//! What each neighbour had of an interface, and what all of them may have. Spec: spec/network.md#shares.

use alloc::vec::Vec;

use nexus_machine::{Duration, Instant};
use nexus_wire::nexus::control::Severity;

use super::flow::{Class, Feeder, Weight};
use super::status::Held;
use crate::interface::Profile;

/// From this nominal rate on, in bits per second, a medium is taken to say itself how much it carries: by when its driver is ready.
const READINESS_BPS: u64 = 10_000_000;
/// How much work may be saved up, in parts of a second.
const SAVED_PARTS: u64 = 10;
/// What a neighbour had is kept in such parts of a unit of work, so that weights divide it.
const FINE: u64 = 1_024;
/// So many neighbours that wait for nothing are remembered.
const IDLE: usize = 64;
const MICRO: u64 = 1_000_000;

/// What frames take of a medium: microseconds at its nominal rate; bits where that is unknown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work(pub(super) Profile);

impl Work {
    pub(super) fn of(&self, bytes: usize) -> u64 {
        match self.0.bandwidth_bps {
            0 => u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8),
            _ => self.0.airtime(bytes).as_micros(),
        }
    }

    pub(super) fn longest(&self) -> u64 {
        self.of(self.0.frame_size.into())
    }

    /// How much a medium that was measured to carry so many bits per second does in a second.
    pub(super) fn per_second(&self, measured_bps: u64) -> u64 {
        match self.0.bandwidth_bps {
            0 => measured_bps,
            nominal => proportion(MICRO, measured_bps, nominal),
        }
    }

    /// In bits per second.
    pub(super) fn as_bps(&self, per_second: u64) -> u64 {
        match self.0.bandwidth_bps {
            0 => per_second,
            nominal => proportion(nominal, per_second, MICRO),
        }
    }
}

/// `whole × part / of`.
pub(super) fn proportion(whole: u64, part: u64, of: u64) -> u64 {
    let scaled = u128::from(whole).saturating_mul(part.into()).checked_div(of.into()).unwrap_or(0);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// A bucket of work that fills at a rate. What is in it is in millionths of a unit of work, and may be owed: a frame leaves while
/// there is anything in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Units of work per second.
    rate: u64,
    level: i64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(now: Instant, rate: u64) -> Self {
        let mut bucket = Self { rate, level: 0, at: now };
        bucket.level = bucket.capacity();
        bucket
    }

    fn capacity(&self) -> i64 {
        signed((self.rate / SAVED_PARTS).max(1).saturating_mul(MICRO))
    }

    pub(super) const fn rate(&self) -> u64 {
        self.rate
    }

    pub(super) fn set_rate(&mut self, now: Instant, rate: u64) {
        self.fill(now);
        self.rate = rate;
        self.level = self.level.min(self.capacity());
    }

    fn fill(&mut self, now: Instant) {
        let fresh = now.since(self.at).as_micros().saturating_mul(self.rate);
        self.at = self.at.max(now);
        self.level = self.level.saturating_add(signed(fresh)).min(self.capacity());
    }

    /// When something may leave that may owe so much work before: at once, if that is not after `now`.
    pub(super) fn ready_at(&mut self, now: Instant, credit: u64) -> Instant {
        self.fill(now);
        let level = self.level.saturating_add(signed(credit.saturating_mul(MICRO)));
        if level > 0 {
            return now;
        }
        let lacking = level.unsigned_abs().saturating_add(1);
        lacking
            .checked_div(self.rate)
            .map_or(Instant::NEVER, |wait| now.after(Duration::from_micros(wait.saturating_add(1))))
    }

    pub(super) fn take(&mut self, work: u64) {
        self.level = self.level.saturating_sub(signed(work.saturating_mul(MICRO)));
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What all neighbours together may have of an interface: nine tenths of what it was measured to carry. None where the medium says itself
/// how much that is.
pub(super) fn budget(now: Instant, work: &Work, measured_bps: u64) -> Option<Bucket> {
    let nominal = work.0.bandwidth_bps;
    let is_paced = nominal > 0 && nominal < READINESS_BPS;
    is_paced.then(|| Bucket::new(now, budgeted(work, measured_bps)))
}

/// Nine tenths of what an interface was measured to carry.
pub(super) fn budgeted(work: &Work, measured_bps: u64) -> u64 {
    // A medium that seems to stand still is tried all the same, or nobody would learn that it does not.
    proportion(work.per_second(measured_bps), 9, 10).max(MICRO / 64)
}

/// What one neighbour had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) from: Feeder,
    pub(super) weight: Weight,
    /// Work by weight, fine, since whenever.
    had: u64,
    /// The same of real time alone; what lies before the floor counts as if it was there.
    urgent: u64,
    pub(super) held: Held,
    /// When it may be told of congestion again, and what it was told.
    pub(super) tell_at: Instant,
    pub(super) told: Severity,
}

/// A frame that waits no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) class: Class,
    pub(super) bytes: usize,
    /// What it takes of the medium; nothing if it was dropped.
    pub(super) work: u64,
}

/// What neighbours had. Those of which nothing waits are forgotten once they owe nothing.
#[derive(Debug, Default)]
pub(super) struct Shares {
    all: Vec<Share>,
    /// What the neighbour had that had least of those who wait: whoever comes anew begins there.
    floor: u64,
}

impl Shares {
    /// What they may hold on the heap where so many frames may wait.
    pub(super) const fn memory_bound(frames: usize) -> usize {
        frames.saturating_add(IDLE).saturating_mul(size_of::<[Share; 2]>())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Share> {
        self.all.iter()
    }

    pub(super) fn get(&self, from: Feeder) -> Option<&Share> {
        self.all.iter().find(|share| share.from == from)
    }

    pub(super) fn get_mut(&mut self, from: Feeder) -> Option<&mut Share> {
        self.all.iter_mut().find(|share| share.from == from)
    }

    /// Something of a neighbour waits. `depth` is how far one may be ahead of others.
    pub(super) fn join(&mut self, from: Feeder, weight: Weight, bytes: usize, depth: u64) {
        let floor = self.floor;
        let start = floor.saturating_sub(depth);
        if let Some(share) = self.get_mut(from) {
            if share.held.frames == 0 {
                share.had = share.had.max(start);
            }
            share.weight = weight;
            share.held.add(bytes);
            return;
        }
        let mut held = Held::default();
        held.add(bytes);
        let (tell_at, told) = (Instant::BOOT, Severity::NONE);
        self.all.push(Share { from, weight, had: floor, urgent: floor, held, tell_at, told });
    }

    /// A frame of a neighbour waits no more; `work` is what it takes of the medium, nothing if it was dropped. `depth` is how far one may be
    /// ahead of others.
    pub(super) fn leave(&mut self, now: Instant, from: Feeder, frame: Leaving, depth: u64) {
        let Leaving { class, bytes, work } = frame;
        if work > 0 {
            let least = self.least();
            self.floor = self.floor.max(least);
        }
        let start = self.floor.saturating_sub(depth);
        let Some(share) = self.get_mut(from) else { return };
        share.held.take(bytes);
        let fine = work.saturating_mul(FINE).checked_div(share.weight.get().into()).unwrap_or(0);
        share.had = share.had.saturating_add(fine);
        if class == Class::RealTime {
            share.urgent = share.urgent.max(start).saturating_add(fine);
        }
        if share.held.frames == 0 {
            self.forget(now);
        }
    }

    fn least(&self) -> u64 {
        let waiting = self.all.iter().filter(|share| share.held.frames > 0);
        waiting.map(|share| share.had).min().unwrap_or(self.floor)
    }

    /// What nobody would miss, and what there is no room for.
    fn forget(&mut self, now: Instant) {
        let floor = self.floor;
        self.all.retain(|share| share.held.frames > 0 || share.had > floor || share.tell_at > now);
        let idle = self.all.iter().filter(|share| share.held.frames == 0).count();
        if idle > IDLE {
            let owing = |(_, share): &(usize, &Share)| share.had;
            let idlers = self.all.iter().enumerate().filter(|(_, share)| share.held.frames == 0);
            if let Some((place, _)) = idlers.min_by_key(owing) {
                self.all.swap_remove(place);
            }
        }
    }

    /// What counts against a neighbour where it is the turn of a class. Its real time is held to what it had of real time: what it had of less
    /// urgent work comes off the less urgent work that it has yet.
    pub(super) fn had(&self, from: Feeder, class: Class, depth: u64) -> u64 {
        let start = self.floor.saturating_sub(depth);
        self.get(from).map_or(self.floor, |share| match class {
            Class::RealTime => share.urgent.max(start).min(share.had),
            Class::Interactive | Class::Standard | Class::Bulk => share.had,
        })
    }

    /// Who holds most, by weight; a newcomer's bytes count.
    pub(super) fn heaviest(&self, newcomer: Option<(Feeder, Weight, usize)>) -> Option<(Feeder, u64)> {
        let by_weight = |share: &Share| {
            let more = newcomer.filter(|(from, ..)| *from == share.from).map_or(0, |(.., bytes)| bytes);
            let bytes = u64::try_from(share.held.bytes.saturating_add(more)).unwrap_or(u64::MAX);
            bytes.saturating_mul(FINE).checked_div(share.weight.get().into()).unwrap_or(0)
        };
        let waiting = self.all.iter().filter(|share| share.held.frames > 0);
        waiting.map(|share| (share.from, by_weight(share))).max_by_key(|(_, weight)| *weight)
    }

    /// Whether a neighbour holds more of `all` that waits than so many halves of its share.
    pub(super) fn holds_halves(&self, from: Feeder, halves: u64, all: Held) -> bool {
        let wide = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let waiting = self.all.iter().filter(|share| share.held.frames > 0);
        let weights = waiting.fold(0_u64, |sum, share| sum.saturating_add(share.weight.get().into()));
        self.get(from).is_some_and(|share| {
            let due = wide(all.bytes).saturating_mul(u64::from(share.weight.get()).saturating_mul(halves));
            wide(share.held.bytes).saturating_mul(weights.saturating_mul(2)) >= due
        })
    }
}

/// How far one neighbour may be ahead of another before it waits, fine.
pub(super) fn depth(work: &Work) -> u64 {
    let saved = match work.0.bandwidth_bps {
        0 => 0,
        _ => MICRO / SAVED_PARTS,
    };
    saved.max(work.longest()).saturating_mul(FINE)
}
