//! What waits for an interface: news of destinations and of stores behind everything else.
//!
//! After a partition the nodes of a slow channel have minutes of announces to tell each other. What links need is short and
//! overdue after a few seconds, and packets have somebody who waits for them; an announce has not. Where all is in one line,
//! handshakes are given up by one side while the other's answer waits behind announces. Spec:
//! spec/network.md#medium-access.

use alloc::collections::VecDeque;

use nexus_crypto::DestinationHash;
use nexus_machine::{BoundedQueue, Pushed, QueueOverflow};

use super::{Frame, Limits, Load};

/// After so many others in a row it is the turn of news: under any load they have a share.
const OTHERS: u8 = 3;

/// The frames that wait for one interface.
#[derive(Debug)]
pub(super) struct Queue {
    frames: BoundedQueue<Frame>,
    /// How many of them are news: a line of one kind is not searched.
    news: usize,
    /// How many others left since news were last let through, while there were news.
    others: u8,
}

impl Queue {
    pub(super) const fn new(limits: Limits) -> Self {
        let frames = BoundedQueue::new(limits.frames, limits.bytes, QueueOverflow::DropOldest);
        Self { frames, news: 0, others: 0 }
    }

    pub(super) fn push(&mut self, frame: Frame) -> Pushed<Frame> {
        let (weight, news) = (frame.bytes.len(), usize::from(frame.is_news()));
        let pushed = self.frames.push(frame, weight);
        match &pushed {
            Pushed::Queued => self.news = self.news.saturating_add(news),
            Pushed::Displaced(older) => {
                self.news = self.news.saturating_add(news).saturating_sub(news_among(older));
            }
            Pushed::Refused(_) => {}
        }
        pushed
    }

    /// Whether a frame need not wait: nobody does before it, and it would be taken. Then it counts as one that waited.
    pub(super) fn lets_pass(&mut self, frame: &Frame) -> bool {
        let passes = self.frames.is_empty() && self.frames.admits(frame.bytes.len());
        if passes {
            self.others = 0;
        }
        passes
    }

    /// Whose turn it is.
    pub(super) fn front(&self) -> Option<&Frame> {
        match self.turn() {
            None => self.frames.front(),
            Some(is_news) => self.frames.iter().find(|frame| frame.is_news() == is_news),
        }
    }

    /// Takes the frame whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Frame> {
        let next = match self.turn() {
            None => self.frames.pop(),
            Some(is_news) => self.frames.pop_first(|frame| frame.is_news() == is_news),
        }?;
        self.news = self.news.saturating_sub(usize::from(next.is_news()));
        self.others = if next.is_news() || self.news == 0 { 0 } else { self.others.saturating_add(1) };
        Some(next)
    }

    /// Of which kind the next frame is, if both are there.
    fn turn(&self) -> Option<bool> {
        let both = self.news > 0 && self.news < self.frames.len();
        both.then_some(self.others >= OTHERS)
    }

    /// Takes out what is about a destination.
    pub(super) fn recall(&mut self, about: DestinationHash) -> VecDeque<Frame> {
        let recalled = self.frames.take_out(|frame| frame.about == Some(about));
        self.news = self.news.saturating_sub(recalled.len());
        recalled
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

impl Frame {
    /// Whether it tells of a destination, or of what stores hold: nobody waits for it.
    const fn is_news(&self) -> bool {
        self.about.is_some() || matches!(self.load, Load::Gossip(_))
    }
}

fn news_among<'f>(frames: impl IntoIterator<Item = &'f Frame>) -> usize {
    frames.into_iter().filter(|frame| frame.is_news()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::InterfaceId;
    use crate::media::Flow;

    /// Whatever is put in, displaced, taken and recalled: the count is that of the frames.
    #[test]
    fn the_news_in_a_queue_are_counted_right() {
        let mut random = nexus_machine::Seed::new([4; 32]).fork("queue");
        let mut queue = Queue::new(Limits { frames: 6, bytes: 40, ..Limits::default() });
        let mut most = 0;
        for _ in 0..10_000 {
            let about = random.chance(1, 2).then(|| DestinationHash([u8::from(random.chance(1, 2)); 16]));
            match random.below(5) {
                0..=2 => {
                    let len = usize::try_from(random.below(50)).expect("small");
                    let bytes = alloc::vec![0; len];
                    let _counted_elsewhere = queue.push(Frame {
                        iface: InterfaceId(0),
                        to: None,
                        bytes,
                        about,
                        load: Load::Traffic,
                        flow: Flow::OWN,
                        under: None,
                    });
                }
                3 => {
                    let front = queue.front().cloned();
                    assert_eq!(queue.pop(), front);
                }
                _ => {
                    let _recalled = queue.recall(DestinationHash([0; 16]));
                }
            }
            assert_eq!(queue.news, news_among(queue.frames.iter()));
            most = most.max(queue.news);
        }
        assert!(most > 3, "{most}");
    }
}
