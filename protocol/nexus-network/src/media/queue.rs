//! What waits for an interface: news of destinations behind everything else.
//!
//! After a partition the nodes of a slow channel have minutes of announces to tell each other. What links need is short and
//! overdue after a few seconds, and packets have somebody who waits for them; an announce has not. Where all is in one line,
//! handshakes are given up by one side while the other's answer waits behind announces. Spec:
//! spec/network.md#medium-access.

use alloc::collections::VecDeque;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedQueue, Pushed, QueueOverflow};

use super::{Frame, Limits};

/// After so many others in a row it is the turn of news: under any load they have a share.
const OTHERS: u8 = 3;

/// The frames that wait for one interface.
#[derive(Debug)]
pub(super) struct Queue {
    frames: BoundedQueue<Frame>,
    /// How many others left since news were last let through, while there were news.
    others: u8,
}

impl Queue {
    pub(super) const fn new(limits: Limits) -> Self {
        let frames = BoundedQueue::new(limits.frames, limits.bytes, QueueOverflow::DropOldest);
        Self { frames, others: 0 }
    }

    pub(super) fn push(&mut self, frame: Frame) -> Pushed<Frame> {
        let weight = frame.bytes.len();
        self.frames.push(frame, weight)
    }

    /// Whose turn it is.
    pub(super) fn front(&self) -> Option<&Frame> {
        self.frames.iter().find(|frame| self.is_next(frame)).or_else(|| self.frames.front())
    }

    /// Takes the frame whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Frame> {
        let news_next = self.others >= OTHERS;
        let next =
            self.frames.pop_first(|frame| frame.is_news() == news_next).or_else(|| self.frames.pop())?;
        let is_passed = !next.is_news() && self.frames.iter().any(Frame::is_news);
        self.others = if is_passed { self.others.saturating_add(1) } else { 0 };
        Some(next)
    }

    fn is_next(&self, frame: &Frame) -> bool {
        frame.is_news() == (self.others >= OTHERS)
    }

    /// Takes out what is about a destination.
    pub(super) fn recall(&mut self, about: DestinationHash) -> VecDeque<Frame> {
        self.frames.take_out(|frame| frame.about == Some(about))
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

impl Frame {
    /// Whether it tells of a destination.
    const fn is_news(&self) -> bool {
        self.about.is_some()
    }
}
