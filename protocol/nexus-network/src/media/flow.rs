//! Whose packets wait, and how urgent they are. Spec: spec/network.md#queues.

use core::num::NonZeroU16;

use nexus_machine::Duration;
pub use nexus_wire::nexus::traffic::Class;

use crate::forwarding::Hop;
use crate::interface::InterfaceId;
use crate::links::LinkId;

/// In which line a frame waits. It means something for [`Load::Traffic`](super::Load::Traffic) only, but for [`Flow::then`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// How urgent it is: set by its sender, carried hop by hop.
    pub class: Class,
    /// Who brought it here.
    pub from: Feeder,
    /// What leaves behind it.
    pub then: Then,
}

impl Flow {
    /// What this node sends of its own, and nobody said more of.
    pub const OWN: Self = Self { class: Class::Standard, from: Feeder::Own, then: Then::Anything };
}

/// Who brings what waits for an interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Feeder {
    /// This node itself.
    Own,
    /// The neighbour at the other end of a link.
    Link(LinkId),
    /// Whoever is on an interface in clear: who that is nobody knows.
    Clear(InterfaceId),
}

impl From<Hop> for Feeder {
    fn from(hop: Hop) -> Self {
        match hop {
            Hop::Link(link) => Self::Link(link),
            Hop::Clear(iface) => Self::Clear(iface),
        }
    }
}

/// What leaves behind a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// Whatever has its turn.
    Anything,
    /// The next of its line: both are pieces of one message, which name each other by consecutive counters.
    ItsNext,
}

/// How many times as much of an interface a neighbour has as one of which nothing was said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Weight(NonZeroU16);

impl Weight {
    /// Everybody's, if nobody says otherwise.
    pub const ONE: Self = Self(NonZeroU16::MIN);

    /// So many times; none if that is 0.
    #[must_use]
    pub const fn new(times: u16) -> Option<Self> {
        match NonZeroU16::new(times) {
            Some(times) => Some(Self(times)),
            None => None,
        }
    }

    /// How many times.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// All classes, most urgent first.
pub const CLASSES: [Class; 4] = [Class::RealTime, Class::Interactive, Class::Standard, Class::Bulk];

/// After so long in a queue a packet of this class is of no use to anybody; none for what has no limit.
/// Source: spec/network.md#queues.
#[must_use]
pub const fn patience(class: Class) -> Option<Duration> {
    match class {
        Class::RealTime => Some(Duration::from_millis(500)),
        Class::Interactive => Some(Duration::from_secs(5)),
        Class::Standard => Some(Duration::from_secs(30)),
        Class::Bulk => None,
    }
}

/// Where a class stands in [`CLASSES`].
pub(super) const fn rank(class: Class) -> usize {
    match class {
        Class::RealTime => 0,
        Class::Interactive => 1,
        Class::Standard => 2,
        Class::Bulk => 3,
    }
}
