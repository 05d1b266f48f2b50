//! A bad medium: frames are lost, doubled, reordered and damaged, as a seed decides.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nexus_machine::{Seed, Stream};
use nexus_network::{Endpoint, InterfaceId};
use tokio::sync::oneshot;

use super::Tap;
use crate::driver::{Driver, Handed, News, Opening, PortId};

/// How often what goes wrong, each way and for each frame by itself, in per mille.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Faults {
    /// Decides which frames. The n-th interface of a medium meets the same fate with the same seed.
    pub seed: u64,
    /// Frames that vanish.
    pub loss: u16,
    /// Frames that come twice.
    pub duplication: u16,
    /// Frames that are overtaken by one to four that follow them. One that none follows stays away.
    pub reordering: u16,
    /// Frames of which one bit is flipped.
    pub corruption: u16,
    /// How much later frames arrive; those that leave do so at once.
    pub delay: Duration,
}

impl Faults {
    pub(super) const fn start(self) -> impl Tap {
        Injecting { faults: self, opened: 0, arriving: BTreeMap::new() }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, loss, duplication, reordering, corruption, delay } = self;
        let delay_ms = delay.as_millis();
        write!(
            f,
            "faults (loss {loss}, duplication {duplication}, reordering {reordering}, corruption {corruption} per \
             mille, delay {delay_ms} ms, seed {seed})"
        )
    }
}

struct Injecting {
    faults: Faults,
    opened: u64,
    arriving: BTreeMap<PortId, Injector>,
}

impl Tap for Injecting {
    fn opened(
        &mut self,
        port: PortId,
        opening: Opening,
    ) -> (Opening, Option<oneshot::Receiver<InterfaceId>>) {
        let leaving = Injector::new(self.faults, "leaving", self.opened);
        self.arriving.insert(port, Injector::new(self.faults, "arriving", self.opened));
        self.opened = self.opened.wrapping_add(1);
        let driver = Box::new(Spoiled { leaving: Mutex::new(leaving), inner: opening.driver });
        (Opening { driver, ..opening }, None)
    }

    fn said(&mut self, port: PortId, news: News, out: &mut Vec<News>) {
        match news {
            News::Received { from, frame } => match self.arriving.get_mut(&port) {
                Some(arriving) => {
                    arriving.pass(from, frame, |from, frame| out.push(News::Received { from, frame }));
                }
                None => out.push(News::Received { from, frame }),
            },
            News::Closed { why } => {
                self.arriving.remove(&port);
                out.push(News::Closed { why });
            }
            News::Opened(_)
            | News::Carrier(_)
            | News::Sent
            | News::Lost
            | News::Unusable(_)
            | News::Fault(_)
            | News::Radio(_) => out.push(news),
        }
    }
}

#[derive(Debug)]
struct Spoiled {
    leaving: Mutex<Injector>,
    inner: Box<dyn Driver>,
}

impl Driver for Spoiled {
    /// The answer is that of the last frame which went on. A doubled one is reported twice, of which the loop takes the
    /// first.
    fn transmit(&self, to: Option<Endpoint>, frame: Vec<u8>) -> Handed {
        let mut handed = Handed::Taken;
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.pass(to, frame, |to, frame| handed = self.inner.transmit(to, frame));
        handed
    }

    fn registered(&self, iface: InterfaceId) {
        self.inner.registered(iface);
    }
}

/// One direction of one interface.
#[derive(Debug)]
struct Injector {
    faults: Faults,
    chance: Stream,
    /// Frames that wait until so many others passed. At most four: a fifth is not held.
    held: Vec<(u64, Option<Endpoint>, Vec<u8>)>,
    counters: Counters,
}

/// What was done to frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Counters {
    lost: u64,
    doubled: u64,
    held: u64,
    damaged: u64,
}

/// How many frames may overtake one, and how many may be held.
const OVERTAKING: u64 = 4;

impl Injector {
    fn new(faults: Faults, direction: &str, number: u64) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&faults.seed.to_le_bytes());
        let chance = Seed::new(seed).fork_index(direction, number).fork("faults");
        Self { faults, chance, held: Vec::new(), counters: Counters::default() }
    }

    fn pass(
        &mut self,
        peer: Option<Endpoint>,
        mut frame: Vec<u8>,
        mut on: impl FnMut(Option<Endpoint>, Vec<u8>),
    ) {
        let mut happens = |per_mille: u16| self.chance.chance(u64::from(per_mille), 1_000);
        // Always the same number of draws, so that one rate does not change what another does.
        let (lost, doubled) = (happens(self.faults.loss), happens(self.faults.duplication));
        let (held, damaged) = (happens(self.faults.reordering), happens(self.faults.corruption));
        let (overtaking, which) = (1 + self.chance.below(OVERTAKING), self.chance.next_u64());
        if lost {
            self.counters.lost += 1;
        } else {
            if damaged && !frame.is_empty() {
                let bit = which % (frame.len() as u64 * 8);
                let byte = usize::try_from(bit / 8).expect("it is an index into the frame");
                frame[byte] ^= 1 << (bit % 8);
                self.counters.damaged += 1;
            }
            if held && (self.held.len() as u64) < OVERTAKING {
                self.counters.held += 1;
                // This one is counted below with those that pass.
                self.held.push((overtaking + 1, peer, frame));
            } else {
                if doubled {
                    self.counters.doubled += 1;
                    on(peer, frame.clone());
                }
                on(peer, frame);
            }
        }
        self.let_go(on);
    }

    /// Another frame came by: those that waited for it go on.
    fn let_go(&mut self, mut on: impl FnMut(Option<Endpoint>, Vec<u8>)) {
        for (left, _, _) in &mut self.held {
            *left -= 1;
        }
        for (_, peer, frame) in self.held.extract_if(.., |(left, _, _)| *left == 0) {
            on(peer, frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Faults =
        Faults { seed: 7, loss: 100, duplication: 50, reordering: 80, corruption: 20, delay: Duration::ZERO };

    #[test]
    fn the_same_seed_does_the_same_and_another_does_not() {
        let run = |faults| passed(faults, 10_000);
        assert_eq!(run(ALL), run(ALL));
        assert_ne!(run(ALL), run(Faults { seed: 8, ..ALL }));
    }

    #[test]
    fn rates_are_those_that_were_asked_for() {
        let (frames, counters) = passed(ALL, 100_000);
        assert!((9_700..10_300).contains(&counters.lost), "{counters:?}");
        // Of nine tenths that are not lost.
        assert!((4_000..4_700).contains(&counters.doubled), "{counters:?}");
        assert!((6_900..7_500).contains(&counters.held), "{counters:?}");
        assert!((1_650..1_950).contains(&counters.damaged), "{counters:?}");
        let missing = 100_000 - counters.lost + counters.doubled - frames.len() as u64;
        assert!(missing <= OVERTAKING, "only the last held ones stay away: {missing}");
    }

    #[test]
    fn without_faults_everything_passes_unchanged() {
        let (frames, counters) = passed(Faults { seed: 7, ..Faults::default() }, 1_000);
        assert_eq!(counters, Counters::default());
        assert!(frames.iter().zip(0u32..).all(|(frame, n)| *frame == n.to_le_bytes()));
        assert_eq!(frames.len(), 1_000);
    }

    #[test]
    fn a_held_frame_is_overtaken_by_at_most_four() {
        let (frames, _) = passed(Faults { seed: 7, reordering: 200, ..Faults::default() }, 10_000);
        let numbers: Vec<i64> =
            frames.iter().map(|frame| u32::from_le_bytes(frame[..].try_into().unwrap()).into()).collect();
        let mut newest = 0;
        let mut overtaken = 0;
        for number in numbers {
            overtaken += u64::from(number < newest);
            assert!(newest - number <= 4, "{number} after {newest}");
            newest = newest.max(number);
        }
        assert!(overtaken > 1_000, "{overtaken}");
    }

    #[test]
    fn damage_is_one_bit() {
        let (frames, counters) = passed(Faults { seed: 7, corruption: 1_000, ..Faults::default() }, 1_000);
        assert_eq!(counters.damaged, 1_000);
        for (frame, n) in frames.iter().zip(0u32..) {
            let found = u32::from_le_bytes(frame[..].try_into().unwrap());
            assert_eq!((found ^ n).count_ones(), 1);
        }
    }

    fn passed(faults: Faults, frames: u32) -> (Vec<Vec<u8>>, Counters) {
        let mut injector = Injector::new(faults, "leaving", 0);
        let mut out = Vec::new();
        for n in 0..frames {
            injector.pass(None, n.to_le_bytes().to_vec(), |_, frame| out.push(frame));
        }
        (out, injector.counters)
    }
}
