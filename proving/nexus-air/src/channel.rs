//! How a radio is tuned, and what arrives of another's power.

use nexus_network::lora::Modulation;
use nexus_wire::reticulum::rnode::{Hertz, QuarterDecibels};

/// A radio by its number on the air, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RadioId(pub u16);

impl RadioId {
    /// Its place in a list of all radios.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// How a radio is tuned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Channel {
    /// The carrier frequency.
    pub frequency: Hertz,
    /// Bandwidth, spreading factor, coding rate.
    pub modulation: Modulation,
    /// The transmission power, in dBm.
    pub power_dbm: u8,
}

/// What arrives at one radio of what another sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal {
    /// Its strength, in dBm.
    pub rssi_dbm: i16,
    /// Its distance from the noise.
    pub snr: QuarterDecibels,
}

impl Signal {
    /// That of a neighbour in sight: -70 dBm, 8 dB above the noise.
    pub const GOOD: Self = Self { rssi_dbm: -70, snr: QuarterDecibels(32) };
}
