//! What can be seen of a queue. Spec: spec/network.md#queues.

use alloc::vec::Vec;

use nexus_machine::Duration;
use nexus_wire::nexus::control::Severity;

use super::flow::{Class, Feeder, Weight, rank};
use crate::links::LinkId;

/// What waits for an interface, and what became of what waited.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct QueueStatus {
    /// How much traffic may wait.
    pub room: Held,
    /// How much traffic waits.
    pub traffic: Held,
    /// What links need, and questions for paths.
    pub control: Held,
    /// Announces and gossip.
    pub news: Held,
    /// By class, most urgent first; see [`QueueStatus::class`].
    pub classes: [ClassStatus; 4],
    /// Whose traffic waits, or left of late.
    pub sharers: Vec<Sharer>,
    /// Neighbours behind links of this interface that asked for less.
    pub pressed: Vec<Pressed>,
    /// By how much the price is raised, in 65,536ths of the base price.
    pub surge: u32,
    /// How often neighbours were told to send less, by severity: moderate, severe, saturated.
    pub told: [u64; 3],
}

impl QueueStatus {
    /// One class.
    #[must_use]
    pub fn class(&self, class: Class) -> ClassStatus {
        self.classes.get(rank(class)).copied().unwrap_or_default()
    }
}

/// Frames, and their bytes before they are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Held {
    /// Frames.
    pub frames: usize,
    /// Bytes.
    pub bytes: usize,
}

/// One class of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClassStatus {
    /// What waits.
    pub waiting: Held,
    /// Frames that left since the interface was first up.
    pub left: u64,
    /// Their bytes, sealed.
    pub left_bytes: u64,
    /// How long all that left waited, together.
    pub waited: Duration,
    /// The longest that one waited.
    pub longest: Duration,
    /// Frames that were dropped because they waited longer than their class is of use.
    pub late: u64,
}

/// A neighbour whose packets go out by an interface, or this node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharer {
    /// Who.
    pub from: Feeder,
    /// How much of the interface is its own, relative to others.
    pub weight: Weight,
    /// What of it waits.
    pub waiting: Held,
}

/// A neighbour that said it is congested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressed {
    /// Over which link.
    pub link: LinkId,
    /// How much of that is in force.
    pub severity: Severity,
    /// What may still be sent to it, in bits per second.
    pub limit_bps: u64,
}
