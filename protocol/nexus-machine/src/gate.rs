//! Durability as an effect that is awaited.
//!
//! What must survive a crash leaves the node as a write with a [`Ticket`]; what depends on it (a signature, a
//! token, an acknowledgement) waits in the organ's [`Gate`] until the host says that the write is durable.

use alloc::collections::VecDeque;

use crate::machine::Sink;

/// One write, node-wide and monotonic. The host completes tickets in order and acknowledges "through n".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Ticket(pub u64);

impl Ticket {
    /// The ticket after this one, saturating.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Effects held back until the write they depend on is durable: first in, first out, because completions come
/// in order. A part of an organ, not an organ.
///
/// Numbers are local to the gate: the node maps its tickets to them, so an organ knows no other writer. The
/// capacity bounds what may wait; at the bound [`Gate::hold`] refuses, and the organ must not make the write (it
/// may retry when the gate has opened).
#[derive(Debug)]
pub struct Gate<E> {
    held: VecDeque<(u64, E)>,
    last: u64,
    capacity: usize,
}

/// A gate that is full returns the effect it did not take.
#[derive(Debug, PartialEq, Eq)]
pub struct GateFull<E>(pub E);

impl<E> Gate<E> {
    /// A gate behind which at most `capacity` effects wait.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { held: VecDeque::with_capacity(capacity), last: 0, capacity }
    }

    /// Holds `then` until the write that carries the returned number is durable.
    ///
    /// # Errors
    /// [`GateFull`] with the effect if `capacity` effects wait already.
    pub fn hold(&mut self, then: E) -> Result<u64, GateFull<E>> {
        if self.held.len() >= self.capacity {
            return Err(GateFull(then));
        }
        self.last = self.last.saturating_add(1);
        self.held.push_back((self.last, then));
        Ok(self.last)
    }

    /// Lets out, in order, all that waited for writes up to and including number `through`.
    pub fn release(&mut self, through: u64, out: &mut impl Sink<E>) {
        while let Some((_, effect)) = self.held.pop_front_if(|(number, _)| *number <= through) {
            out.push(effect);
        }
    }

    /// How many effects wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_before_its_write_is_durable_and_order_is_kept() {
        let mut gate = Gate::new(3);
        let mut out: VecDeque<char> = VecDeque::new();
        let (a, b) = (gate.hold('a').unwrap(), gate.hold('b').unwrap());
        let c = gate.hold('c').unwrap();
        gate.release(a - 1, &mut out);
        assert!(out.is_empty());
        gate.release(b, &mut out);
        assert_eq!(out, ['a', 'b']);
        gate.release(c, &mut out);
        gate.release(c, &mut out);
        assert_eq!(out, ['a', 'b', 'c']);
    }

    #[test]
    fn a_full_gate_hands_the_effect_back() {
        let mut gate = Gate::new(1);
        gate.hold('a').unwrap();
        assert_eq!(gate.hold('b'), Err(GateFull('b')));
        assert_eq!(gate.waiting(), 1);
    }
}
