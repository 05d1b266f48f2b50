//! What can be seen of a run from outside: the raw material of traces, logs and judges.

use nexus_air::Transmission;
use nexus_machine::{Duration, Instant, Snapshot, Ticket};
use nexus_network::announces::Choice;
use nexus_network::{Opened, Tapping};
use nexus_node::{Input, Output};

use crate::clock::WorldTime;
use crate::schedule::Action;

/// One node of a world, numbered from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeIndex(pub u32);

/// One medium of a world, numbered from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MediumIndex(pub u32);

impl NodeIndex {
    /// The node's place in a list of all nodes.
    #[must_use]
    pub fn place(self) -> usize {
        usize::try_from(self.0).expect("an index of a list in memory")
    }
}

impl MediumIndex {
    /// The medium's place in a list of all media.
    #[must_use]
    pub fn place(self) -> usize {
        usize::try_from(self.0).expect("an index of a list in memory")
    }
}

/// One thing that happened, when, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// When, in world time.
    pub at: WorldTime,
    /// What.
    pub what: What<'a>,
}

/// What can happen.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// Something happened at a node.
    Node {
        /// Which.
        node: NodeIndex,
        /// How many times it was started before.
        incarnation: u32,
        /// What.
        act: Act<'a>,
    },
    /// A frame did not arrive as it was sent.
    Marred {
        /// The medium that carried it.
        medium: MediumIndex,
        /// Who would have heard it.
        receiver: NodeIndex,
        /// What became of it.
        damage: Damage,
    },
    /// A radio's transmission is over.
    Aired {
        /// The channel.
        medium: MediumIndex,
        /// Whose radio sent it.
        sender: NodeIndex,
        /// How that was tuned.
        channel: nexus_air::Channel,
        /// How long its signal was on the air.
        airtime: Duration,
        /// What was sent, the modem's header first: a whole frame, or half of one.
        bytes: &'a [u8],
    },
    /// The schedule changed the world.
    Scheduled(&'a Action),
}

/// What a node did or had done to it.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// It was started from what its disk held.
    Booted {
        /// What was read back.
        snapshot: &'a Snapshot,
        /// Whether that is what the disk held last.
        disk: Provenance,
    },
    /// It stopped between two outputs, without a word.
    Crashed,
    /// It was given an input.
    Given {
        /// What its monotonic clock showed.
        now: Instant,
        /// The input.
        input: &'a Input,
    },
    /// Its `handle_timeout` was called.
    Woken {
        /// What its monotonic clock showed.
        now: Instant,
        /// The deadline that it had stated.
        due: Option<Instant>,
    },
    /// The outputs of a wake-up were drained.
    Rested {
        /// What its monotonic clock showed at the wake-up.
        now: Instant,
        /// The deadline that it states after it.
        due: Option<Instant>,
    },
    /// An output was taken from it.
    Took(&'a Output),
    /// Its disk made the writes of all tickets up to this one durable.
    Durable(Ticket),
}

/// Which moment a disk's contents are from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Provenance {
    /// Every synced write is there.
    Kept,
    /// An image of an earlier moment was put in its place.
    Stale,
}

/// What a medium does to a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// Lost on the way.
    Lost,
    /// The receiver's modem was transmitting, was busy with another transmission, or was tuned in too late.
    Deaf,
    /// The sender's modem lost its power in the middle.
    BrokenOff,
    /// Half of a frame waited in the receiver's modem, and another frame took its place.
    Displaced,
    /// Another transmission on a half-duplex medium overlapped it.
    Collided,
    /// Sender and receiver were in different parts of a partition.
    Partitioned,
    /// This direction was cut.
    Cut,
    /// The receiver's interface was down, or the receiver was.
    Unheard,
    /// It arrived with bits flipped.
    Corrupted,
    /// It arrived short of its end.
    Truncated,
    /// It arrived twice.
    Duplicated,
    /// It was held back, so that later ones may overtake it.
    Delayed,
    /// There was no room for it where frames wait for the medium.
    Overflowed,
    /// The receiver was too far away.
    OutOfRange,
}

/// The end of a radio's transmission.
#[derive(Clone, Copy, Debug)]
pub struct Landing<'a> {
    /// When.
    pub at: WorldTime,
    /// The channel.
    pub medium: MediumIndex,
    /// The nodes on it, in the order of their radios.
    pub nodes: &'a [NodeIndex],
    /// All about it.
    pub transmission: &'a Transmission,
}

/// The end of a frame on a medium that is no radio channel.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// When.
    pub at: WorldTime,
    /// The medium.
    pub medium: MediumIndex,
    /// Who sent it.
    pub sender: NodeIndex,
    /// How long it kept what serves its port busy, in nanoseconds: not for how long it waited.
    pub busy_ns: u64,
    /// The frame, as it was sent.
    pub bytes: &'a [u8],
}

/// Somebody who watches a run and cannot influence it.
pub trait Observer {
    /// Takes note of one observation. They come in the order in which things happened.
    fn observe(&mut self, observation: &Observation<'_>);
    /// Takes note of a radio's transmission and of what became of it at each radio in reach. What is observed says the same, but for
    /// who was in reach, which in a landscape nobody tells.
    fn landed(&mut self, _landing: &Landing<'_>) {}
    /// Takes note of a frame that is over on a medium that is no radio channel. No observation and not part of the trace: it follows
    /// from what was observed before.
    fn crossed(&mut self, _crossing: &Crossing<'_>) {}
    /// Whether it wants to see what links carry, opened. It is asked at the beginning.
    fn wants_opened(&self) -> Tapping {
        Tapping::Shut
    }
    /// Takes note of what a node's frame says. No observation and not part of the trace: it says nothing that the frame itself
    /// does not.
    fn opened(&mut self, _at: WorldTime, _node: NodeIndex, _opened: &Opened) {}
    /// What of nodes it wants to see. It is asked at the beginning.
    fn watches_routes(&self) -> Watching {
        Watching::Nothing
    }
    /// Takes note of all paths that a node holds, after it had an input or woke and its outputs were taken. No observation and not part
    /// of the trace.
    fn chose(&mut self, _at: WorldTime, _node: NodeIndex, _all: &[Choice]) {}
    /// Takes note of how many keys a node holds, likewise.
    fn holds(&mut self, _at: WorldTime, _node: NodeIndex, _keys: usize) {}
}

/// Whether an observer looks into nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Watching {
    /// It does not.
    Nothing,
    /// At how many keys they hold.
    Keys,
    /// At that, and at the paths that they hold.
    Routes,
}

/// An observer that decides whether a run was right.
pub trait Judge: Observer {
    /// What it is called in reports.
    fn name(&self) -> &'static str;
    /// What it thinks of all that it saw until the end of the run.
    fn verdict(&self) -> Verdict;
}

/// What a judge thinks of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing was wrong.
    Passed,
    /// Something was.
    Failed(Failure),
}

/// The first thing that was wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// When it happened.
    pub at: WorldTime,
    /// What happened, in one sentence.
    pub reason: String,
}

/// Keeps the first failure: what follows from it is seldom worth reading.
#[derive(Clone, Debug, Default)]
pub struct Finding(Option<Failure>);

impl Finding {
    /// Takes note of a failure, if it is the first.
    pub fn fail(&mut self, at: WorldTime, reason: impl FnOnce() -> String) {
        self.0.get_or_insert_with(|| Failure { at, reason: reason() });
    }

    /// The verdict that follows.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.0.clone().map_or(Verdict::Passed, Verdict::Failed)
    }
}
