//! The one queue of a world: what happens next, and what happens first of all that happens at the same moment.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::clock::WorldTime;

/// Events by time; those of the same moment in the order in which they were put in. Nothing else decides an order, so
/// two runs never differ.
#[derive(Debug)]
pub struct EventQueue<E> {
    heap: BinaryHeap<Entry<E>>,
    next_number: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: WorldTime,
    number: u64,
    event: E,
}

impl<E> EventQueue<E> {
    /// An empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self { heap: BinaryHeap::new(), next_number: 0 }
    }

    /// `event` happens at `at`.
    pub fn push(&mut self, at: WorldTime, event: E) {
        self.heap.push(Entry { at, number: self.next_number, event });
        self.next_number += 1;
    }

    /// Takes the first event that happens at or before `until`.
    pub fn pop_until(&mut self, until: WorldTime) -> Option<(WorldTime, E)> {
        if self.heap.peek()?.at > until {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Ord for Entry<E> {
    /// The greatest of a heap comes out first: the earliest, then the lowest number.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Duration;

    #[test]
    fn events_come_by_time_and_ties_in_the_order_of_their_making() {
        let at = |micros| WorldTime::from_start(Duration::from_micros(micros));
        let mut queue = EventQueue::new();
        for (time, event) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b'), (9, 'e')] {
            queue.push(at(time), event);
        }
        let order: String = std::iter::from_fn(|| queue.pop_until(at(5)).map(|(_, event)| event)).collect();
        assert_eq!(order, "abcd");
        assert_eq!(queue.pop_until(at(8)), None);
        assert_eq!(queue.pop_until(at(9)), Some((at(9), 'e')));
    }
}
