//! The contract between an organ and whoever drives it.

use alloc::collections::VecDeque;

use crate::context::Cx;
use crate::time::Instant;

/// Where a machine puts what it wants done.
///
/// A parent's queue is a sink for any child whose effects convert into the parent's own; in a unit test the sink
/// is a plain `VecDeque`.
pub trait Sink<E> {
    /// Takes one effect. Order is kept.
    fn push(&mut self, effect: E);
}

impl<E, Parent: From<E>> Sink<E> for VecDeque<Parent> {
    fn push(&mut self, effect: E) {
        self.push_back(Parent::from(effect));
    }
}

/// One protocol, without I/O: private state, inputs in, effects out, deadlines stated.
///
/// A machine knows no sibling. The laws it obeys (`nexus-testkit`, and `spec/machine.md#laws`):
///
/// 1. handling a timeout at its deadline moves the deadline forward or clears it;
/// 2. an early timeout is harmless;
/// 3. same seed and same inputs, same effects;
/// 4. no input panics, however malformed;
/// 5. memory stays under the declared [`MemoryBound`].
pub trait Machine {
    /// What it can be told.
    type Input;
    /// What it can want.
    type Effect;

    /// Takes one input, now.
    fn handle(&mut self, cx: Cx, input: Self::Input, out: &mut impl Sink<Self::Effect>);

    /// Does what is due at `cx.now`. Called at any time; does nothing that is not due.
    fn handle_timeout(&mut self, cx: Cx, out: &mut impl Sink<Self::Effect>);

    /// When it wants [`Machine::handle_timeout`] next; `None` if nothing waits.
    fn next_timeout(&self) -> Option<Instant>;
}

/// The most heap that a machine may hold, as it was constructed.
pub trait MemoryBound {
    /// An upper bound in bytes on the heap that this value holds between calls, its own size excluded.
    fn memory_bound(&self) -> usize;
}

/// The earliest of several deadlines: what a parent answers for its children.
pub fn earliest(deadlines: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct ChildEffect(u8);
    #[derive(Debug, PartialEq)]
    enum ParentEffect {
        Child(ChildEffect),
    }
    impl From<ChildEffect> for ParentEffect {
        fn from(effect: ChildEffect) -> Self {
            Self::Child(effect)
        }
    }

    #[test]
    fn a_parents_queue_takes_its_childs_effects_in_order() {
        let mut queue: VecDeque<ParentEffect> = VecDeque::new();
        Sink::push(&mut queue, ChildEffect(1));
        Sink::push(&mut queue, ChildEffect(2));
        assert_eq!(queue, [ParentEffect::Child(ChildEffect(1)), ParentEffect::Child(ChildEffect(2))]);
    }

    #[test]
    fn the_earliest_deadline_wins_and_none_is_never() {
        let (soon, late) = (Instant::from_micros(1), Instant::from_micros(2));
        assert_eq!(earliest([None, Some(late), Some(soon)]), Some(soon));
        assert_eq!(earliest([None, None]), None);
    }
}
