//! What is told of what waits for interfaces, and how urgent a packet is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How urgent a packet is, here and at each relay. Spec: spec/network.md#queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PacketClass {
    /// Worthless after half a second.
    RealTime,
    /// Somebody waits for it: what is taken if nobody says.
    Interactive,
    /// Everything else.
    Standard,
    /// Whenever there is room.
    Bulk,
}

impl PacketClass {
    /// All of them, most urgent first.
    pub const ALL: [Self; 4] = [Self::RealTime, Self::Interactive, Self::Standard, Self::Bulk];

    /// How it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RealTime => "real_time",
            Self::Interactive => "interactive",
            Self::Standard => "standard",
            Self::Bulk => "bulk",
        }
    }
}

impl fmt::Display for PacketClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is no class of packets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no class of packets: say \"real_time\", \"interactive\", \"standard\" or \"bulk\"")]
pub struct NotAClass(String);

impl FromStr for PacketClass {
    type Err = NotAClass;

    fn from_str(text: &str) -> Result<Self, NotAClass> {
        let named = Self::ALL.into_iter().find(|class| class.name() == text);
        named.ok_or_else(|| NotAClass(text.to_owned()))
    }
}

impl From<PacketClass> for nexus_network::Class {
    fn from(class: PacketClass) -> Self {
        match class {
            PacketClass::RealTime => Self::RealTime,
            PacketClass::Interactive => Self::Interactive,
            PacketClass::Standard => Self::Standard,
            PacketClass::Bulk => Self::Bulk,
        }
    }
}

/// Answers [`Verb::Queues`](super::Verb::Queues).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Each interface that is up.
    pub interfaces: Vec<Queue>,
}

/// What waits for an interface, and what became of what waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub interface: String,
    /// How much traffic may wait.
    pub room: Held,
    /// What waits of what links need.
    pub control: Held,
    /// What waits of announces and gossip.
    pub news: Held,
    /// Traffic, by class.
    pub classes: BTreeMap<String, ClassOfQueue>,
    /// Whose traffic waits, or had more than its share of late.
    pub sharers: Vec<Sharer>,
    /// Neighbours that asked for less.
    pub pressed: Vec<Pressed>,
    /// How often neighbours were told to send less, by severity.
    pub told: BTreeMap<String, u64>,
    /// By how much the price is raised because the queue is full, in percent of the base price.
    pub price_raised_percent: u64,
    /// Frames that did not leave, by cause. Causes that did not occur are missing.
    pub drops: BTreeMap<String, u64>,
}

/// Frames and their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Held {
    /// Frames.
    pub frames: u64,
    /// Bytes, before they are sealed.
    pub bytes: u64,
}

/// One class of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClassOfQueue {
    /// What waits.
    pub waiting: Held,
    /// Frames that left.
    pub left: u64,
    /// Their bytes, sealed.
    pub left_bytes: u64,
    /// How long those that left waited, on average.
    pub waited_mean_us: u64,
    /// How long they waited together.
    pub waited_us: u64,
    /// The longest that one waited.
    pub waited_longest_us: u64,
    /// Frames that were dropped because they waited longer than their class is of use.
    pub late: u64,
}

/// A neighbour whose packets go out by an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharer {
    /// The neighbour's node id; null for this node itself, and for whoever is on an interface in clear.
    pub peer: Option<String>,
    /// The interface by which its packets come; null for this node itself.
    pub interface: Option<String>,
    /// How much of the interface it has, relative to others.
    pub weight: u16,
    /// What waits of it.
    pub waiting: Held,
}

/// A neighbour that said it is congested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressed {
    /// Its node id.
    pub peer: Option<String>,
    /// `moderate`, `severe` or `saturated`.
    pub severity: String,
    /// What it may still be sent of what is not real time, in bits per second.
    pub limit_bps: u64,
}
