//! What waits for an interface, and whose turn it is.
//!
//! Three kinds of lines: what links need, traffic by class and neighbour, and news of destinations and stores, which have nobody who
//! waits for them. After a partition the nodes of a slow channel have minutes of announces to tell each other; where all is in one line,
//! handshakes are given up by one side while the other's answer waits behind announces. Invariant: what waits is bounded in frames and
//! bytes, and whoever has most of it is the one who loses at the bound. Spec: spec/network.md#queues.

mod choosing;
mod flows;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use nexus_crypto::DestinationHash;
use nexus_machine::{Duration, Instant};

use super::flow::{CLASSES, Class, Feeder, Then, Weight, patience, rank};
use super::lines::{Line, Store, Waiter};
use super::pieces::Pieces;
use super::shares::{Leaving, Shares, Work, depth};
use super::status::{ClassStatus, Held};
use super::{Frame, Limits, Load};

use choosing::BULK_PARTS;
pub(super) use choosing::{Choice, Gate};
pub(super) use flows::LineName;
use flows::Lines;

/// As much traffic may wait as the interface carries in this time,
const ROOM: u64 = 10;
/// but so many of the longest frames at least.
const ROOM_FRAMES: usize = 8;

/// The frames that wait for one interface.
#[derive(Debug)]
pub(super) struct Queue {
    store: Store,
    control: Line,
    news: Line,
    flows: Vec<Lines>,
    pub(super) shares: Shares,
    traffic: Held,
    total: Held,
    pub(super) classes: [ClassStatus; CLASSES.len()],
    /// How many others left since news were last let through, while there were news.
    others: u8,
    /// What bulk may take before more urgent traffic, because that had the rest.
    bulk_credit: u64,
    turns: u64,
    /// The line of a message of which a piece has left.
    bound: Option<LineName>,
    /// What is left of a message that was cut as it left.
    pieces: Pieces,
    work: Work,
    limits: Limits,
    room: Held,
}

/// What did not get in, or had to make room.
#[derive(Debug, Default)]
pub(super) struct Displaced {
    /// What was within its neighbour's share.
    pub(super) full: VecDeque<Frame>,
    /// What was beyond it.
    pub(super) over_share: VecDeque<Frame>,
}

impl Queue {
    pub(super) fn new(limits: Limits, work: Work, bps: u64) -> Self {
        let mut queue = Self {
            store: Store::default(),
            control: Line::default(),
            news: Line::default(),
            flows: Vec::new(),
            shares: Shares::default(),
            traffic: Held::default(),
            total: Held::default(),
            classes: [ClassStatus::default(); CLASSES.len()],
            others: 0,
            bulk_credit: 0,
            turns: 0,
            bound: None,
            pieces: Pieces::default(),
            work,
            limits,
            room: Held::default(),
        };
        queue.make_room_for(bps);
        queue
    }

    /// What it may hold on the heap, in bytes.
    pub(super) fn memory_bound(limits: Limits) -> usize {
        let each = Store::PER_FRAME.saturating_add(size_of::<[Lines; 2]>());
        let frames = limits.frames.saturating_mul(each);
        let beside = Shares::memory_bound(limits.frames).saturating_add(Pieces::MEMORY_BOUND);
        limits.bytes.saturating_add(frames).saturating_add(beside)
    }

    /// The interface was measured to carry so many bits per second; 0 if nothing is known.
    pub(super) fn make_room_for(&mut self, bps: u64) {
        let longest = usize::from(self.work.0.frame_size).saturating_mul(ROOM_FRAMES);
        let carried = usize::try_from(bps.saturating_mul(ROOM) / 8).unwrap_or(usize::MAX);
        let bytes = if bps == 0 { usize::MAX } else { carried.max(longest) };
        self.room = Held { frames: self.limits.frames, bytes: bytes.min(self.limits.bytes) };
    }

    pub(super) const fn room(&self) -> Held {
        self.room
    }

    pub(super) const fn traffic(&self) -> Held {
        self.traffic
    }

    pub(super) const fn control(&self) -> Held {
        self.control.held()
    }

    pub(super) const fn news(&self) -> Held {
        self.news.held()
    }

    pub(super) fn len(&self) -> usize {
        self.total.frames.saturating_add(self.pieces.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total.frames == 0 && self.pieces.is_empty()
    }

    /// How much of the room for traffic is taken, in 65,536ths.
    pub(super) fn fullness(&self) -> u32 {
        let part = |held: usize, room: usize| {
            let full = held.saturating_mul(1 << 16).checked_div(room).unwrap_or(0);
            u32::try_from(full).unwrap_or(u32::MAX)
        };
        part(self.traffic.bytes, self.room.bytes).max(part(self.traffic.frames, self.room.frames))
    }

    /// The frames of announces.
    pub(super) fn announces(&self) -> impl Iterator<Item = &Frame> {
        let all = self.store.iter(&self.news).chain(self.store.iter(&self.control));
        all.filter(|frame| frame.load == Load::Announces)
    }

    /// What waits, by class.
    pub(super) fn waiting(&self, class: Class) -> Held {
        self.flows.iter().fold(Held::default(), |sum, flow| {
            let held = flow.line(class).held();
            Held {
                frames: sum.frames.saturating_add(held.frames),
                bytes: sum.bytes.saturating_add(held.bytes),
            }
        })
    }

    /// Whether a frame need not wait: nobody does before it, and it would be taken. Then it counts as one that waited.
    pub(super) fn lets_pass(&mut self, now: Instant, frame: &Frame) -> bool {
        let passes = self.is_empty() && self.limits.frames > 0 && frame.bytes.len() <= self.limits.bytes;
        if passes {
            self.others = 0;
            self.binds(frame, LineName::of(frame));
            if frame.is_queued_traffic() {
                self.pieces.note(now, frame.flow.class);
            }
        }
        passes
    }

    /// A frame of a line leaves: if it is a piece, the next of its line is the next of its message.
    const fn binds(&mut self, frame: &Frame, line: LineName) {
        self.bound = match frame.flow.then {
            Then::Anything => None,
            Then::ItsNext => Some(line),
        };
    }

    /// A frame left that did not wait, or did.
    pub(super) fn left(&mut self, class: Class, bytes: usize, waited: Duration) {
        if let Some(status) = self.classes.get_mut(rank(class)) {
            status.left = status.left.saturating_add(1);
            status.left_bytes = status.left_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
            status.waited = status.waited.plus(waited);
            status.longest = status.longest.max(waited);
        }
    }

    /// A frame waits from here on; what has to make room is returned, or the frame itself.
    pub(super) fn push(&mut self, now: Instant, frame: Frame, weight: Weight) -> Displaced {
        let mut displaced = Displaced::default();
        let bytes = frame.bytes.len();
        let is_traffic = frame.is_queued_traffic();
        let most = if is_traffic { self.room.bytes } else { self.limits.bytes };
        if self.limits.frames == 0 || bytes > most {
            displaced.full.push_back(frame);
            return displaced;
        }
        if self.lacks_room(is_traffic, bytes) {
            self.expire(now);
        }
        let newcomer = is_traffic.then_some((frame.flow.from, weight, bytes));
        while self.lacks_room(is_traffic, bytes) {
            let loser = self.loser(newcomer);
            if let Some(LineName::Traffic { from, class, .. }) = loser
                && is_traffic
                && from == frame.flow.from
                && class < frame.flow.class
                && !(frame.flow.class == Class::Bulk && self.spares_bulk(from))
            {
                // Nothing of it is less urgent than the newcomer.
                self.count_displaced(frame, &mut displaced);
                return displaced;
            }
            let lost = loser.map(|line| self.drop_first(now, line)).unwrap_or_default();
            if lost.is_empty() {
                displaced.full.push_back(frame);
                return displaced;
            }
            for frame in lost {
                self.count_displaced(frame, &mut displaced);
            }
        }
        self.insert(now, frame, weight);
        displaced
    }

    fn lacks_room(&self, is_traffic: bool, bytes: usize) -> bool {
        let lacks = |held: Held, room: Held| {
            held.frames >= room.frames || held.bytes.saturating_add(bytes) > room.bytes
        };
        let all = Held { frames: self.limits.frames, bytes: self.limits.bytes };
        lacks(self.total, all) || is_traffic && lacks(self.traffic, self.room)
    }

    fn insert(&mut self, now: Instant, frame: Frame, weight: Weight) {
        let bytes = frame.bytes.len();
        self.total.add(bytes);
        match LineName::of(&frame) {
            LineName::Control => self.store.push(&mut self.control, frame, now),
            LineName::News => self.store.push(&mut self.news, frame, now),
            LineName::Pieces => {}
            LineName::Traffic { from, to, class } => {
                self.pieces.note(now, class);
                self.traffic.add(bytes);
                self.shares.join(from, weight, bytes, depth(&self.work));
                let place = self.flows.iter().position(|flow| flow.is(from, to));
                let place = place.unwrap_or_else(|| {
                    self.flows.push(Lines { from, to, by_class: Default::default(), turn: 0 });
                    self.flows.len().saturating_sub(1)
                });
                if let Some(flow) = self.flows.get_mut(place) {
                    self.store.push(flow.line_mut(class), frame, now);
                }
            }
        }
    }

    /// Who loses a frame at the bound: whoever has most, and of that what is least urgent, and oldest.
    fn loser(&self, newcomer: Option<(Feeder, Weight, usize)>) -> Option<LineName> {
        let wide = |held: Held| u64::try_from(held.bytes).unwrap_or(u64::MAX).saturating_mul(1_024);
        let heaviest = self.shares.heaviest(newcomer);
        let by_traffic = heaviest.and_then(|(from, weight)| Some((self.least_urgent(from)?, weight)));
        let others = [(LineName::Control, self.control.held()), (LineName::News, self.news.held())];
        let by_others = others.into_iter().filter(|(_, held)| held.frames > 0);
        // Traffic that has no room as traffic has to make it by itself.
        let within_traffic = newcomer.is_some_and(|(.., bytes)| {
            self.traffic.frames >= self.room.frames
                || self.traffic.bytes.saturating_add(bytes) > self.room.bytes
        });
        if within_traffic && by_traffic.is_some() {
            return by_traffic.map(|(line, _)| line);
        }
        let all = by_others.map(|(line, held)| (line, wide(held))).chain(by_traffic);
        all.max_by_key(|(_, weight)| *weight).map(|(line, _)| line)
    }

    /// Of what a neighbour brought the line of the least urgent, whose first has waited longest.
    fn least_urgent(&self, from: Feeder) -> Option<LineName> {
        let is_spared = |class: Class| class == Class::Bulk && self.spares_bulk(from);
        let by_need = CLASSES.into_iter().rev().filter(|class| !is_spared(*class));
        by_need.chain([Class::Bulk]).find_map(|class| {
            let lines = self.flows.iter().filter(|flow| flow.from == from);
            let first = |flow: &&Lines| self.store.first(flow.line(class)).map(|first| first.since);
            let oldest = lines.filter(|flow| !flow.line(class).is_empty()).min_by_key(first)?;
            Some(LineName::Traffic { from, to: oldest.to, class })
        })
    }

    /// Whether bulk has so little of what waits of a neighbour that it is what keeps its tenth alive.
    fn spares_bulk(&self, from: Feeder) -> bool {
        let of_it = self.flows.iter().filter(|flow| flow.from == from);
        let bulk = of_it.fold(0_usize, |sum, flow| sum.saturating_add(flow.line(Class::Bulk).held().frames));
        let parts = usize::try_from(BULK_PARTS).unwrap_or(usize::MAX);
        self.shares.get(from).is_some_and(|share| bulk.saturating_mul(parts) <= share.held.frames)
    }

    fn count_displaced(&self, frame: Frame, displaced: &mut Displaced) {
        let is_beyond = frame.is_queued_traffic()
            && self.shares.iter().filter(|share| share.held.frames > 0).count() > 1
            && self.shares.holds_halves(frame.flow.from, 3, self.traffic);
        if is_beyond { displaced.over_share.push_back(frame) } else { displaced.full.push_back(frame) }
    }

    /// Drops what has waited for so long that it is of no use.
    fn expire(&mut self, now: Instant) {
        if self.traffic.frames == 0 {
            return;
        }
        for class in CLASSES {
            let Some(patience) = patience(class) else { continue };
            for place in 0..self.flows.len() {
                while let Some(flow) = self.flows.get_mut(place) {
                    let (from, line) = (flow.from, flow.line_mut(class));
                    let first = self.store.first(line);
                    if first.is_none_or(|first| now < first.since.after(patience)) {
                        break;
                    }
                    let late = self.store.pop(line);
                    let bytes = late.map_or(0, |late| late.frame.bytes.len());
                    self.forget_waiting(now, from, Leaving { class, bytes, work: 0 });
                    if let Some(status) = self.classes.get_mut(rank(class)) {
                        status.late = status.late.saturating_add(1);
                    }
                }
            }
        }
        self.flows.retain(|flow| !flow.is_empty());
    }

    fn forget_waiting(&mut self, now: Instant, from: Feeder, frame: Leaving) {
        self.total.take(frame.bytes);
        self.traffic.take(frame.bytes);
        self.shares.leave(now, from, frame, depth(&self.work));
    }

    /// The first of a line does not leave after all, and what is left of its message neither.
    pub(super) fn drop_first(&mut self, now: Instant, line: LineName) -> VecDeque<Frame> {
        if line == LineName::Pieces {
            return core::iter::from_fn(|| self.pieces.pop()).collect();
        }
        let mut dropped = VecDeque::new();
        while let Some(Waiter { frame, .. }) = self.remove(now, line, 0) {
            let then = frame.flow.then;
            dropped.push_back(frame);
            if then == Then::Anything {
                break;
            }
        }
        self.bound = self.bound.filter(|bound| *bound != line);
        dropped
    }

    /// Takes out the first of a line, which had so much of the medium.
    fn remove(&mut self, now: Instant, line: LineName, work: u64) -> Option<Waiter> {
        match line {
            LineName::Pieces => None,
            LineName::Control | LineName::News => {
                let waiter = match line {
                    LineName::News => self.store.pop(&mut self.news),
                    LineName::Control | LineName::Traffic { .. } | LineName::Pieces => {
                        self.store.pop(&mut self.control)
                    }
                }?;
                self.total.take(waiter.frame.bytes.len());
                Some(waiter)
            }
            LineName::Traffic { from, to, class } => {
                self.turns = self.turns.saturating_add(1);
                let place = self.flows.iter().position(|flow| flow.is(from, to))?;
                let flow = self.flows.get_mut(place)?;
                flow.turn = self.turns;
                let waiter = self.store.pop(flow.line_mut(class))?;
                if flow.is_empty() {
                    self.flows.swap_remove(place);
                }
                let bytes = waiter.frame.bytes.len();
                self.forget_waiting(now, from, Leaving { class, bytes, work });
                Some(waiter)
            }
        }
    }

    fn line(&self, name: LineName) -> Option<&Line> {
        match name {
            LineName::Pieces => None,
            LineName::Control => Some(&self.control),
            LineName::News => Some(&self.news),
            LineName::Traffic { from, to, class } => {
                let flow = self.flows.iter().find(|flow| flow.is(from, to))?;
                Some(flow.line(class))
            }
        }
    }

    /// Takes out what is about a destination.
    pub(super) fn recall(&mut self, about: DestinationHash) -> VecDeque<Frame> {
        let mut recalled = VecDeque::new();
        if !self.store.iter(&self.news).any(|frame| frame.about == Some(about)) {
            return recalled;
        }
        let mut kept = Line::default();
        while let Some(Waiter { frame, since, .. }) = self.store.pop(&mut self.news) {
            if frame.about == Some(about) {
                self.total.take(frame.bytes.len());
                recalled.push_back(frame);
            } else {
                self.store.push(&mut kept, frame, since);
            }
        }
        self.news = kept;
        recalled
    }
}
