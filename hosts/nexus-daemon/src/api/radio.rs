//! What is told of a radio.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A radio. What its modem did not say is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Radio {
    /// `unplugged`, `detecting`, `no_channel`, `setting_up`, `on`, `restarted` or `faulty`.
    pub state: String,
    /// The modem's firmware.
    pub firmware: Option<String>,
    /// Its channel; null until the operator chose a region and a duty cycle.
    pub channel: Option<RadioChannel>,
    /// The strength of the last frame, in dBm.
    pub rssi_dbm: Option<i16>,
    /// That of some eight frames.
    pub rssi_average_dbm: Option<i16>,
    /// How far the last frame was above the noise, in quarters of a decibel.
    pub snr_quarter_db: Option<i16>,
    /// The same of some eight frames.
    pub snr_average_quarter_db: Option<i16>,
    /// How busy the channel is.
    pub load: Option<RadioLoad>,
    /// What the channel sounds like while nobody sends, in dBm.
    pub noise_floor_dbm: Option<i16>,
    /// How full the modem's battery is.
    pub battery_percent: Option<u8>,
    /// How warm the modem's processor is.
    pub temperature_celsius: Option<i16>,
    /// What was counted, by what it is; what did not occur is left out.
    pub counters: BTreeMap<String, u64>,
}

/// The channel of a radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RadioChannel {
    /// The carrier.
    pub frequency_hz: u32,
    /// The width.
    pub bandwidth_hz: u32,
    /// Bits per symbol.
    pub spreading_factor: u8,
    /// The denominator of the coding rate.
    pub coding_rate: u8,
    /// What the radio gives its antenna.
    pub tx_power_dbm: u8,
    /// How much of any hour it may transmit, in hundredths of a percent.
    pub duty_cycle_bp: u16,
}

/// How busy a channel is, in hundredths of a percent of a short and of a long window, as the modem has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RadioLoad {
    /// What this radio transmitted of the short window.
    pub airtime_short_bp: u16,
    /// And of the long one.
    pub airtime_long_bp: u16,
    /// What of the short window the channel was in use, by whomever.
    pub channel_short_bp: u16,
    /// And of the long one.
    pub channel_long_bp: u16,
}
