//! Lines of waiting frames that share one store, so that a line that comes and goes asks nobody for memory.

use alloc::vec::Vec;

use nexus_machine::Instant;

use super::Frame;
use super::status::Held;

/// A frame that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) frame: Frame,
    pub(super) since: Instant,
    /// Behind it in its line.
    next: Option<usize>,
}

/// All frames that wait for one interface.
#[derive(Debug, Default)]
pub(super) struct Store {
    places: Vec<Option<Waiter>>,
    free: Vec<usize>,
}

/// One line, first come first served.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    first: Option<usize>,
    last: Option<usize>,
    held: Held,
}

impl Store {
    /// What one waiting frame takes at most beside its bytes: vectors grow by doubling.
    pub(super) const PER_FRAME: usize = 2 * (size_of::<Option<Waiter>>() + size_of::<usize>());

    pub(super) fn push(&mut self, line: &mut Line, frame: Frame, since: Instant) {
        line.held.add(frame.bytes.len());
        let waiter = Some(Waiter { frame, since, next: None });
        let place = self.free.pop().unwrap_or(self.places.len());
        match self.places.get_mut(place) {
            Some(free) => *free = waiter,
            None => self.places.push(waiter),
        }
        match line.last.and_then(|last| self.places.get_mut(last)).and_then(Option::as_mut) {
            Some(last) => last.next = Some(place),
            None => line.first = Some(place),
        }
        line.last = Some(place);
    }

    pub(super) fn first(&self, line: &Line) -> Option<&Waiter> {
        self.places.get(line.first?).and_then(Option::as_ref)
    }

    pub(super) fn pop(&mut self, line: &mut Line) -> Option<Waiter> {
        let place = line.first?;
        let waiter = self.places.get_mut(place).and_then(Option::take)?;
        self.free.push(place);
        line.first = waiter.next;
        if line.first.is_none() {
            line.last = None;
        }
        line.held.take(waiter.frame.bytes.len());
        Some(waiter)
    }

    pub(super) fn iter(&self, line: &Line) -> impl Iterator<Item = &Frame> {
        let at = |place: usize| self.places.get(place).and_then(Option::as_ref);
        let waiters = core::iter::successors(line.first.and_then(at), move |waiter| at(waiter.next?));
        waiters.map(|waiter| &waiter.frame)
    }
}

impl Line {
    pub(super) const fn held(&self) -> Held {
        self.held
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl Held {
    pub(super) const fn add(&mut self, bytes: usize) {
        self.frames = self.frames.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) const fn take(&mut self, bytes: usize) {
        self.frames = self.frames.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
