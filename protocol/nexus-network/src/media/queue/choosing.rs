//! Whose turn it is.

use alloc::collections::BTreeMap;

use nexus_machine::Instant;

use super::super::Frame;
use super::super::flow::{CLASSES, Class, Then};
use super::super::lines::Waiter;
use super::super::pressure::Pressure;
use super::super::shares::{Bucket, depth};
use crate::links::LinkId;

use super::{LineName, Lines, Queue};

/// What may leave before what left is paid for.
const URGENT: [Class; 1] = [Class::RealTime];
/// After so many others in a row it is the turn of news: under any load they have a share.
const OTHERS: u8 = 3;
/// Bulk has one part of so many of what traffic takes of the medium, whatever else waits: a little more than the tenth that it is owed, as packets that
/// share a frame are counted apart where they arrive.
pub(super) const BULK_PARTS: u64 = 9;

/// What may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Choice {
    /// The first of this line.
    Next(LineName),
    /// Nothing before then.
    Later(Instant),
    /// Nothing waits.
    Nothing,
}

/// What holds traffic back.
pub(in super::super) struct Gate<'g> {
    /// What all may have together.
    pub(in super::super) budget: Option<&'g mut Bucket>,
    /// Which neighbours asked for less.
    pub(in super::super) pressure: &'g mut BTreeMap<LinkId, Pressure>,
}

impl Queue {
    /// Whose turn it is.
    pub(in super::super) fn choose(&mut self, now: Instant, gate: &mut Gate<'_>) -> Choice {
        self.expire(now);
        if self.is_empty() {
            return Choice::Nothing;
        }
        if !self.pieces.is_empty() {
            return Choice::Next(self.passes_pieces(now, gate).unwrap_or(LineName::Pieces));
        }
        if let Some(bound) = self.bound.filter(|bound| self.line(*bound).is_some_and(|line| !line.is_empty()))
        {
            return Choice::Next(bound);
        }
        if !self.news.is_empty() && self.others >= OTHERS {
            return Choice::Next(LineName::News);
        }
        if !self.control.is_empty() {
            return Choice::Next(LineName::Control);
        }
        match self.choose_traffic(now, gate, &CLASSES) {
            Choice::Next(line) => Choice::Next(line),
            Choice::Later(_) | Choice::Nothing if !self.news.is_empty() => Choice::Next(LineName::News),
            Choice::Later(at) => Choice::Later(at),
            Choice::Nothing => Choice::Nothing,
        }
    }

    /// What leaves between two pieces of a message: real time that is no piece of another, as long as the message may wait.
    fn passes_pieces(&mut self, now: Instant, gate: &mut Gate<'_>) -> Option<LineName> {
        if !self.pieces.lets_pass(now) {
            return None;
        }
        let Choice::Next(line) = self.choose_traffic(now, gate, &URGENT) else { return None };
        self.first(line).filter(|first| first.flow.then == Then::Anything).map(|_| line)
    }

    /// Whose turn it is of traffic of these classes.
    fn choose_traffic(&mut self, now: Instant, gate: &mut Gate<'_>, mut classes: &[Class]) -> Choice {
        if self.traffic.frames == 0 {
            return Choice::Nothing;
        }
        let mut later = Instant::NEVER;
        if let Some(budget) = &mut gate.budget {
            let ready = budget.ready_at(now, 0);
            // What waits for half a second at most does not wait until a long frame before it is paid for.
            let urgent = budget.ready_at(now, self.work.longest());
            if urgent > now {
                return Choice::Later(urgent);
            }
            if ready > now {
                (later, classes) = (ready, &URGENT);
            }
        }
        let (flows, pressure) = (&self.flows, &mut *gate.pressure);
        let mut may_go = |flow: &Lines, class: Class| {
            if flow.line(class).is_empty() {
                return false;
            }
            let ready = flow.to.and_then(|to| pressure.get_mut(&to)).map(|held| held.ready_at(now, class));
            let ready = ready.unwrap_or(now);
            later = if ready > now { later.min(ready) } else { later };
            ready <= now
        };
        let depth = depth(&self.work);
        let had = |flow: &Lines, class: Class| self.shares.had(flow.from, class, depth);
        let mut least = None;
        for flow in flows {
            if CLASSES.into_iter().any(|class| may_go(flow, class)) {
                least = Some(least.unwrap_or(u64::MAX).min(had(flow, Class::Bulk)));
            }
        }
        let Some(least) = least else { return Choice::Later(later) };
        let within = least.saturating_add(depth);
        let mut best = |class: Class| {
            let able = flows.iter().filter(|flow| had(flow, class) <= within && may_go(flow, class));
            let next = able.min_by_key(|flow| (had(flow, class), flow.turn))?;
            Some(LineName::Traffic { from: next.from, to: next.to, class })
        };
        // Whose speech is well within its share does not wait for what bulk is owed: that is left to it all the same.
        let speech = best(Class::RealTime).filter(|line| {
            let LineName::Traffic { from, .. } = line else { return false };
            self.shares.had(*from, Class::RealTime, depth).saturating_add(depth / 2) <= least
        });
        if let Some(line) = speech {
            return Choice::Next(line);
        }
        let owed = best(Class::Bulk).filter(|bulk| {
            let first = self.line(*bulk).and_then(|line| self.store.first(line));
            first.is_some_and(|first| self.work.of(first.frame.len_on_medium()) <= self.bulk_credit)
        });
        // What bulk has earned is not what real time may borrow.
        let may_borrow = owed.is_none();
        let owed = owed.filter(|_| classes.contains(&Class::Bulk));
        let classes = if may_borrow || classes.contains(&Class::Bulk) { classes } else { &[] };
        match owed.or_else(|| classes.iter().copied().find_map(best)) {
            Some(line) => Choice::Next(line),
            None => Choice::Later(later),
        }
    }

    /// The first of a line.
    pub(in super::super) fn first(&self, line: LineName) -> Option<&Frame> {
        if line == LineName::Pieces {
            return self.pieces.first();
        }
        self.line(line).and_then(|line| self.store.first(line)).map(|first| &first.frame)
    }

    /// The first of a line leaves, or of it what may leave at once.
    pub(in super::super) fn take(
        &mut self,
        now: Instant,
        line: LineName,
        gate: &mut Gate<'_>,
    ) -> Option<Frame> {
        if line == LineName::Pieces {
            let piece = self.pieces.pop()?;
            if let Some(budget) = gate.budget.as_mut() {
                budget.take(self.work.of(piece.len_on_medium()));
            }
            return Some(piece);
        }
        let work = self.first(line).map_or(0, |frame| self.work.of(frame.len_on_medium()));
        let is_news = line == LineName::News;
        let Waiter { frame, since, .. } = self.remove(now, line, work)?;
        self.others = if is_news || self.news.is_empty() { 0 } else { self.others.saturating_add(1) };
        // Between pieces of a message that was cut the line that is bound stays what it is: none.
        self.binds(&frame, line);
        let LineName::Traffic { to, class, .. } = line else { return Some(frame) };
        self.left(class, frame.len_on_medium(), now.since(since));
        let (frame, more) = self.pieces.cut(now, frame, &self.work);
        if let Some(budget) = gate.budget.as_mut() {
            // Each piece is paid for as it leaves: what goes between need not wait for the others'.
            budget.take(self.work.of(frame.len_on_medium()));
        }
        let work = work.saturating_add(more);
        if let Some(held) = to.and_then(|to| gate.pressure.get_mut(&to)) {
            held.take(class, work);
        }
        self.credit_bulk(class, work);
        Some(frame)
    }

    /// Bulk earns while it waits what others take, and pays with what it takes.
    fn credit_bulk(&mut self, class: Class, work: u64) {
        let waits = self.flows.iter().any(|flow| !flow.line(Class::Bulk).is_empty());
        self.bulk_credit = match (class, waits) {
            (Class::Bulk, true) => self.bulk_credit.saturating_sub(work),
            (Class::RealTime | Class::Interactive | Class::Standard, true) => {
                let earned = work.checked_div(BULK_PARTS.saturating_sub(1)).unwrap_or(0);
                let credit = self.bulk_credit.saturating_add(earned.saturating_add(1));
                // One frame that it is owed, and one that it earns while speech passes that one.
                credit.min(self.work.longest().saturating_mul(2))
            }
            (_, false) => 0,
        };
    }
}
