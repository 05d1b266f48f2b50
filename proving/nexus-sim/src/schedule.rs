//! What is done to a world from outside, and when: faults, their ends, and commands.

use nexus_machine::Duration;
use nexus_network::InterfaceId;
use nexus_node::Command;

use crate::clock::WorldTime;
use crate::observation::{MediumIndex, NodeIndex, Provenance};

/// Something done to a world at a moment of the schedule.
#[derive(Clone, Debug)]
pub enum Action {
    /// Each medium loses, doubles, delays and damages frames like this from here on.
    Disturb(MediumIndex, LinkFaults),
    /// Nodes of different groups hear nothing of each other, on any medium. One group per node.
    Partition(Vec<u8>),
    /// The partition ends.
    Heal,
    /// On this medium the second node hears nothing of the first.
    Cut(Direction),
    /// The cut ends.
    Mend(Direction),
    /// A node stops at once and starts again later.
    Crash {
        /// Which.
        node: NodeIndex,
        /// How long it is down.
        down_for: Duration,
        /// Whether its disk is as it was, or an earlier image of it ([`Action::TakeImage`]) takes its place.
        disk: Provenance,
    },
    /// A node stops right after its `outputs`-th output of the whole run (from 1), and starts again later.
    CrashAfter {
        /// Which.
        node: NodeIndex,
        /// After how many outputs.
        outputs: u64,
        /// How long it is down.
        down_for: Duration,
    },
    /// An interface goes down and loses what waits for it.
    InterfaceDown(NodeIndex, InterfaceId),
    /// An interface comes up.
    InterfaceUp(NodeIndex, InterfaceId),
    /// A wall clock is set forward (or back, if negative) by so many seconds.
    ClockJump(NodeIndex, i64),
    /// A node's machine is suspended for so long: it hears nothing, does nothing, and its monotonic clock stands still. Its wall clock
    /// is read when it goes on.
    Sleep(NodeIndex, Duration),
    /// A node's host has no entropy to give.
    Starve(NodeIndex),
    /// A node's host has entropy again, and gives what was asked for meanwhile.
    Feed(NodeIndex),
    /// A disk fills up: nothing becomes durable.
    FillDisk(NodeIndex),
    /// A full disk has space again.
    FreeDisk(NodeIndex),
    /// An image of what is durable is taken, for a later crash to restore.
    TakeImage(NodeIndex),
    /// A node's `handle_timeout` is called though nothing need be due.
    WakeEarly(NodeIndex),
    /// A node is given a command.
    Tell(NodeIndex, Command),
    /// On a medium with addresses, a node's address changes: what is sent to the old one reaches nobody.
    MoveAddress(MediumIndex, NodeIndex),
    /// A stranger puts a frame on a medium for one node to hear. Nothing happens to it on its way.
    Inject {
        /// On which medium.
        medium: MediumIndex,
        /// Who hears it.
        to: NodeIndex,
        /// What.
        bytes: Vec<u8>,
    },
    /// All faults end: media carry everything, interfaces are up, disks have space. Nodes that are down come back as
    /// scheduled.
    Calm,
}

/// One direction of a medium.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Direction {
    /// On which medium.
    pub medium: MediumIndex,
    /// Who is not heard.
    pub from: NodeIndex,
    /// By whom.
    pub to: NodeIndex,
}

/// How a medium treats frames. Probabilities are parts per million, drawn for each receiver of each frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkFaults {
    /// Not delivered.
    pub loss_ppm: u32,
    /// Delivered twice.
    pub duplicate_ppm: u32,
    /// Held back by up to [`LinkFaults::hold`], while later frames pass.
    pub reorder_ppm: u32,
    /// One to eight bits flipped, after the medium's own checksum.
    pub corrupt_ppm: u32,
    /// Cut at any byte.
    pub truncate_ppm: u32,
    /// The most by which every frame is delayed beyond the medium's own delay, in order.
    pub jitter: Duration,
    /// The most by which a reordered or duplicated frame is held back.
    pub hold: Duration,
}

impl LinkFaults {
    /// Everything arrives, in order, as it was sent.
    pub const NONE: Self = Self {
        loss_ppm: 0,
        duplicate_ppm: 0,
        reorder_ppm: 0,
        corrupt_ppm: 0,
        truncate_ppm: 0,
        jitter: Duration::ZERO,
        hold: Duration::ZERO,
    };
}

/// Actions with their moments. Those of one moment happen in the order of the list.
pub type Schedule = Vec<(WorldTime, Action)>;
