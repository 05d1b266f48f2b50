//! What applications send: messages, telemetry, speech, volumes.
//!
//! Everything goes as messages of the node's one service, because that is what its API has: speech too, with one attempt for each
//! packet, and in their class: `crate::load` has streams of every class.
//! Spec: spec/simulation.md#traffic.

#[cfg(test)]
mod tests;

use nexus_crypto::NodeId;
use nexus_machine::{Duration, Seed, Stream};
use nexus_node::{Authorship, Command, Content, Outgoing};

use crate::chance::exponential;
use crate::clock::WorldTime;
use crate::observation::NodeIndex;

/// One demand on the network. Its number in the scenario names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    /// From when on.
    pub from: WorldTime,
    /// Until when: nothing is offered at this moment or later.
    pub until: WorldTime,
    /// What.
    pub demand: Demand,
}

/// What is demanded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Demand {
    /// Texts between random pairs, a Poisson process.
    Messages {
        /// Who writes to whom: at least two.
        among: Vec<NodeIndex>,
        /// Between two messages of anybody, on average.
        apart: Duration,
        /// The shortest text and the longest, in bytes.
        bytes: (u16, u16),
        /// For how long each is tried.
        lifetime: Duration,
    },
    /// Readings at equal distances.
    Telemetry {
        /// Who measures.
        source: NodeIndex,
        /// Who collects.
        sink: NodeIndex,
        /// Between two readings; the first comes at random within the first of these.
        every: Duration,
        /// The length of a reading.
        bytes: u16,
        /// For how long each is tried.
        lifetime: Duration,
    },
    /// Packets of speech at equal distances, in spurts and pauses of exponential length.
    Voice {
        /// Who speaks.
        from: NodeIndex,
        /// Who listens.
        to: NodeIndex,
        /// Between two packets of a spurt.
        packet: Duration,
        /// The codec's bytes in a packet.
        bytes: u16,
        /// On average.
        spurt: Duration,
        /// On average.
        pause: Duration,
    },
    /// A volume, in the longest pieces, so many at once. What is given up is offered again.
    Bulk {
        /// Whence.
        from: NodeIndex,
        /// Whither.
        to: NodeIndex,
        /// In bytes.
        volume: u64,
        /// How many pieces are on their way at once.
        at_once: u8,
        /// For how long each is tried.
        lifetime: Duration,
    },
}

/// What stands before each text: which flow it is of, and its number there, as eight printable characters.
pub const LABEL: usize = 8;

/// One text of one flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Parcel {
    /// The flow's number in the scenario.
    pub flow: u16,
    /// Its number in the flow.
    pub number: u32,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .";

impl Parcel {
    /// The handle under which it is sent: unique in a run.
    #[must_use]
    pub fn handle(self) -> u64 {
        u64::from(self.flow) << 32 | u64::from(self.number)
    }

    /// That of a handle, or none if no parcel has it.
    #[must_use]
    pub fn of_handle(handle: u64) -> Option<Self> {
        let flow = u16::try_from(handle >> 32).ok()?;
        Some(Self { flow, number: u32::try_from(handle & u64::from(u32::MAX)).ok()? })
    }

    /// Its text: the label, then printable characters by chance up to `length` bytes.
    pub(crate) fn text(self, length: u16, random: &mut Stream) -> Vec<u8> {
        let digits = (0..8).map(|place| (self.handle() >> (42 - 6 * place)) & 63);
        let noise = (LABEL..usize::from(length)).map(|_| u64::from(random.bytes::<1>()[0] & 63));
        let places = digits.chain(noise).map(|digit| usize::try_from(digit).expect("six bits"));
        places.map(|place| ALPHABET[place]).collect()
    }

    /// That of a text that arrived, or none if it has no label.
    #[must_use]
    pub fn of_text(text: &[u8]) -> Option<Self> {
        let digit = |byte: &u8| ALPHABET.iter().position(|known| known == byte);
        let handle = text
            .get(..LABEL)?
            .iter()
            .try_fold(0, |sum: u64, byte| Some(sum << 6 | u64::try_from(digit(byte)?).expect("six bits")))?;
        Self::of_handle(handle)
    }
}

/// Something to be sent, and by whom.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Who is asked to send it.
    pub from: NodeIndex,
    /// What the node is told.
    pub command: Command,
}

/// A flow at work: says what it offers and when it is to be asked again.
#[derive(Debug)]
pub struct Source {
    flow: u16,
    next_number: u32,
    /// Of speech: when the spurt ends.
    spurt_ends: WorldTime,
    /// Of a volume: how much is not on its way, nor there.
    unsent: u64,
    /// Of a volume: how many pieces are on their way.
    on_their_way: u8,
    random: Stream,
}

impl Source {
    /// That of the flow with this number.
    #[must_use]
    pub fn new(number: usize, flow: &Flow, seed: &Seed) -> Self {
        let unsent = match flow.demand {
            Demand::Bulk { volume, .. } => volume,
            Demand::Messages { .. } | Demand::Telemetry { .. } | Demand::Voice { .. } => 0,
        };
        let flow = u16::try_from(number).expect("a world has fewer than 2¹⁶ flows");
        let random = seed.fork_index("flow", flow.into()).fork("traffic");
        Self { flow, next_number: 0, spurt_ends: WorldTime::START, unsent, on_their_way: 0, random }
    }

    /// When it has something to offer first.
    pub fn begins(&mut self, flow: &Flow) -> WorldTime {
        match &flow.demand {
            Demand::Messages { apart, .. } => flow.from.after(exponential(&mut self.random, *apart)),
            Demand::Telemetry { every, .. } => {
                let phase = self.random.below(every.as_micros().max(1));
                flow.from.after(Duration::from_micros(phase))
            }
            Demand::Voice { pause, spurt, .. } => {
                let begins = flow.from.after(exponential(&mut self.random, *pause));
                self.spurt_ends = begins.after(exponential(&mut self.random, *spurt));
                begins
            }
            Demand::Bulk { .. } => flow.from,
        }
    }

    /// What it offers at `now`, a moment that it named, and the next one; none if it offers no more by itself.
    pub fn due(&mut self, now: WorldTime, flow: &Flow, ids: &[NodeId]) -> (Vec<Offer>, Option<WorldTime>) {
        let (offers, next) = match &flow.demand {
            Demand::Messages { among, apart, bytes, lifetime } => {
                let (from, to) = self.pair(among);
                let (shortest, longest) = *bytes;
                let length = shortest + self.below(u64::from(longest.saturating_sub(shortest)) + 1);
                let offer = self.offer(from, ids[to.place()], length, *lifetime, Authorship::Signed);
                (vec![offer], now.after(exponential(&mut self.random, *apart)))
            }
            Demand::Telemetry { source, sink, every, bytes, lifetime } => {
                let offer = self.offer(*source, ids[sink.place()], *bytes, *lifetime, Authorship::Signed);
                (vec![offer], now.after(*every))
            }
            Demand::Voice { from, to, packet, bytes, spurt, pause } => {
                let length = bytes.saturating_add(u16::try_from(LABEL).expect("eight"));
                let offer = self.offer(*from, ids[to.place()], length, Duration::ZERO, Authorship::Anonymous);
                let mut next = now.after(*packet);
                if next >= self.spurt_ends {
                    next = self.spurt_ends.max(next).after(exponential(&mut self.random, *pause));
                    self.spurt_ends = next.after(exponential(&mut self.random, *spurt));
                }
                (vec![offer], next)
            }
            Demand::Bulk { from, to, at_once, lifetime, .. } => {
                let mut offers = Vec::new();
                while self.on_their_way < *at_once && self.unsent > 0 {
                    self.unsent = self.unsent.saturating_sub(PIECE.into());
                    self.on_their_way += 1;
                    offers.push(self.offer(*from, ids[to.place()], PIECE, *lifetime, Authorship::Signed));
                }
                return (offers, None);
            }
        };
        (offers, (next < flow.until).then_some(next))
    }

    /// Something of it came to its end at `now`. When it is to be asked for more, if it is a volume: of what was given up it takes a
    /// rest, so that a way that is not there is not asked for without end.
    pub fn ended(&mut self, now: WorldTime, flow: &Flow, fate: Fate) -> Option<WorldTime> {
        if !matches!(flow.demand, Demand::Bulk { .. }) {
            return None;
        }
        self.on_their_way = self.on_their_way.saturating_sub(1);
        Some(match fate {
            Fate::Arrived => now,
            Fate::Lost => {
                self.unsent = self.unsent.saturating_add(PIECE.into());
                now.after(REST)
            }
        })
    }

    /// Its node stopped, and with it whoever waited for receipts there. When it is to be asked for more, if it is a volume.
    pub fn cut_off(&mut self, now: WorldTime, flow: &Flow) -> Option<WorldTime> {
        let on_their_way = std::mem::take(&mut self.on_their_way);
        self.unsent = self.unsent.saturating_add(u64::from(PIECE) * u64::from(on_their_way));
        matches!(flow.demand, Demand::Bulk { .. }).then(|| now.after(REST))
    }

    fn offer(
        &mut self,
        from: NodeIndex,
        to: NodeId,
        length: u16,
        lifetime: Duration,
        authorship: Authorship,
    ) -> Offer {
        let parcel = Parcel { flow: self.flow, number: self.next_number };
        self.next_number = self.next_number.wrapping_add(1);
        let text = parcel.text(length, &mut self.random);
        let content = Content::Message { text, authorship };
        let outgoing = Outgoing { handle: parcel.handle(), to, content, lifetime, policy: None, class: None };
        Offer { from, command: Command::Send(outgoing) }
    }

    fn pair(&mut self, among: &[NodeIndex]) -> (NodeIndex, NodeIndex) {
        let count = u64::try_from(among.len()).expect("a length fits u64");
        let from = self.random.below(count);
        let to = (from + 1 + self.random.below(count.saturating_sub(1).max(1))) % count;
        let at = |place: u64| among[usize::try_from(place).expect("below a length")];
        (at(from), at(to))
    }

    fn below(&mut self, bound: u64) -> u16 {
        u16::try_from(self.random.below(bound)).expect("below the span of two u16")
    }
}

/// The longest text, in bytes: what a piece of a volume carries, its label included.
pub const PIECE: u16 = 326;
const _: () = assert!(Content::MAX_TEXT == 326, "a piece is as long as a text may be");

/// How long a volume waits after a piece was given up, or its node was found down.
pub const REST: Duration = Duration::from_secs(1);

/// What became of something that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Its receipt came.
    Arrived,
    /// It was given up.
    Lost,
}

impl Demand {
    /// Which node is asked to send, if it is always the same.
    #[must_use]
    pub const fn sender(&self) -> Option<NodeIndex> {
        match self {
            Self::Messages { .. } => None,
            Self::Telemetry { source: from, .. } | Self::Voice { from, .. } | Self::Bulk { from, .. } => {
                Some(*from)
            }
        }
    }
}
