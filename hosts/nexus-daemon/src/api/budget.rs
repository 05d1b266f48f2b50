//! What is told of what interfaces had on their media, and for what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Answers [`Verb::Budget`](super::Verb::Budget).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Each interface.
    pub interfaces: Vec<Metered>,
}

/// What an interface had on its medium. Loads are `traffic`, `links`, `announces`, `gossip_routing`, `gossip_payment`,
/// `gossip_services` and `gossip_social`; those of which nothing left may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metered {
    /// Its name.
    pub interface: String,
    /// What it carries under load, in bits per second, as it was measured; 0 if unknown.
    pub measured_bps: u64,
    /// What announces and gossip may take of that together, in millionths.
    pub limit_ppm: u64,
    /// The last ten minutes, and at most ten seconds more.
    pub ten_minutes: Span,
    /// The last hour, and at most a minute more.
    pub hour: Span,
    /// Since the daemon started, by load.
    pub total: BTreeMap<String, Sum>,
}

/// A stretch of time that ends at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// What announces and gossip took together, in millionths of what the interface carries; null if that is unknown.
    pub together_ppm: Option<u64>,
    /// By load.
    pub loads: BTreeMap<String, Share>,
}

/// What one load had in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Bytes on the medium, framing included.
    pub bytes: u64,
    /// For how long they occupied it, at its nominal rate.
    pub airtime_us: u64,
    /// In millionths of what the interface carries; null if that is unknown.
    pub share_ppm: Option<u64>,
}

/// What one load had since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Frames.
    pub frames: u64,
    /// Bytes on the medium, framing included.
    pub bytes: u64,
    /// For how long they occupied it, at its nominal rate.
    pub airtime_us: u64,
}
