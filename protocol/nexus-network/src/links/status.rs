//! What can be seen of a link from outside.

use nexus_crypto::NodePublic;
use nexus_machine::{Duration, Instant};

use super::LinkId;
use crate::broadcast::Departure;
use crate::interface::{Endpoint, InterfaceId};

/// A link as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Its name in this process.
    pub id: LinkId,
    /// Where it runs.
    pub iface: InterfaceId,
    /// The peer's address, on media that have addresses.
    pub endpoint: Option<Endpoint>,
    /// Who the peer is.
    pub peer: NodePublic,
    /// When it came up.
    pub up_at: Instant,
    /// When something authentic was last heard.
    pub heard_at: Instant,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// How often its keys were replaced.
    pub rekeys: u32,
    /// What was sealed and sent.
    pub sent: Traffic,
    /// What arrived and was authentic.
    pub received: Traffic,
    /// Frames with packets that the peer acknowledged, on links where it does.
    pub acknowledged: u64,
    /// Those of which it does not say so.
    pub unacknowledged: u64,
    /// How far its peer is believed to be there.
    pub trust: Trust,
    /// How often that was doubted.
    pub doubts: u32,
    /// How many of 255 frames are answered; none if nothing is known.
    pub reliability: Option<u8>,
}

/// How far the peer of a link is believed to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// It is, or nothing was asked of it.
    Sure,
    /// Nothing was heard of it for three rounds.
    Quiet,
    /// It is heard again after it was doubted, not for long enough yet.
    Trial,
    /// It did not answer while traffic went to it, and nothing was heard of it since.
    Doubted,
}

/// Frames and bytes, framing of the medium not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Bytes of these frames.
    pub bytes: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.frames = self.frames.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// Why a link is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// Its interface went down.
    Interface,
    /// The peer did not answer any more.
    Silent,
    /// Another handshake with the same peer took its place.
    Replaced,
    /// The policy does not want this peer any more.
    Policy,
    /// Its key reached the end of its life, and no other was agreed upon.
    KeyExpired,
    /// The clocks parted: this machine may be running twice.
    ClocksParted,
    /// So many frames were sealed under its key that no counter is left.
    Exhausted,
}

impl Down {
    /// Whether the peer may go on hearing what is said to others.
    #[must_use]
    pub const fn departure(self) -> Departure {
        match self {
            Self::Policy => Departure::Expelled,
            Self::Interface
            | Self::Silent
            | Self::Replaced
            | Self::KeyExpired
            | Self::ClocksParted
            | Self::Exhausted => Departure::Left,
        }
    }
}
