//! First messages that wait to be answered on a shared channel: one is taken at random when the budget allows, so that
//! whoever sends many has no more than their share. Spec: spec/network.md#floods.

use alloc::vec::Vec;

use nexus_machine::{Duration, Instant, Stream};
use nexus_wire::nexus::frame::First;

use super::answering::FirstHash;

/// Messages that wait on one interface; at the bound a random one makes room.
pub(super) const WAITING: usize = 16;

/// The messages that wait on one interface.
#[derive(Debug)]
pub(super) struct Waiting {
    /// How long whoever sent one waits for its answer.
    patience: Duration,
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    name: FirstHash,
    bytes: [u8; First::LEN],
    received_at: Instant,
}

/// What became of the messages when one more came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// All wait.
    Waits,
    /// One was pushed out.
    Displaced,
}

impl Waiting {
    /// What one may hold on the heap, in bytes.
    pub(super) const MEMORY_BOUND: usize = 2 * WAITING * size_of::<Message>();

    /// Nobody waits.
    pub(super) const fn new(patience: Duration) -> Self {
        Self { patience, messages: Vec::new() }
    }

    pub(super) fn put(
        &mut self,
        now: Instant,
        name: FirstHash,
        bytes: [u8; First::LEN],
        random: &mut Stream,
    ) -> Put {
        self.expire(now);
        let message = Message { name, bytes, received_at: now };
        if let Some(again) = self.messages.iter_mut().find(|waiting| waiting.name == name) {
            *again = message;
            return Put::Waits;
        }
        if self.messages.len() < WAITING {
            self.messages.push(message);
            return Put::Waits;
        }
        if let Some(displaced) = self.place(random).and_then(|at| self.messages.get_mut(at)) {
            *displaced = message;
        }
        Put::Displaced
    }

    /// Takes one at random, and when it came.
    pub(super) fn take(
        &mut self,
        now: Instant,
        random: &mut Stream,
    ) -> Option<(FirstHash, [u8; First::LEN])> {
        self.expire(now);
        let at = self.place(random)?;
        let message = self.messages.swap_remove(at);
        Some((message.name, message.bytes))
    }

    /// Whether nobody waits any more.
    pub(super) fn is_empty(&mut self, now: Instant) -> bool {
        self.expire(now);
        self.messages.is_empty()
    }

    pub(super) fn forget_all(&mut self) {
        self.messages = Vec::new();
    }

    fn place(&self, random: &mut Stream) -> Option<usize> {
        let count = u64::try_from(self.messages.len()).unwrap_or(u64::MAX);
        if count == 0 { None } else { usize::try_from(random.below(count)).ok() }
    }

    fn expire(&mut self, now: Instant) {
        let patience = self.patience;
        self.messages.retain(|message| message.received_at.after(patience) > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_machine::Seed;

    fn at(seconds: u64) -> Instant {
        Instant::BOOT.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_repeated_message_waits_once_and_one_whose_sender_gave_up_not_at_all() {
        let (mut waiting, mut random) = (Waiting::new(Duration::from_secs(30)), Seed::new([1; 32]).fork("w"));
        assert_eq!(waiting.put(at(0), [1; 16], [1; First::LEN], &mut random), Put::Waits);
        assert_eq!(waiting.put(at(20), [1; 16], [1; First::LEN], &mut random), Put::Waits);
        assert!(!waiting.is_empty(at(49)) && waiting.is_empty(at(50)), "from its last repetition on");
        assert_eq!(waiting.take(at(50), &mut random), None);
    }

    #[test]
    fn at_the_bound_a_random_one_makes_room() {
        let mut random = Seed::new([2; 32]).fork("w");
        let mut survived = 0;
        for _ in 0..200 {
            let mut waiting = Waiting::new(Duration::from_secs(30));
            for n in 0..32 {
                let put = waiting.put(at(0), [n; 16], [n; First::LEN], &mut random);
                assert_eq!(put == Put::Displaced, usize::from(n) >= WAITING);
            }
            assert_eq!(waiting.messages.len(), WAITING);
            survived += u32::from(waiting.messages.iter().any(|message| message.name == [0; 16]));
        }
        assert!(
            (30..110).contains(&survived),
            "a third of the first survive sixteen more: {survived} of 200"
        );
    }
}
