//! What a host sets up.

use nexus_network::lora::Modulation;
use nexus_wire::reticulum::rnode::{AirtimeLimit, Hertz, Setting};

use crate::channel::Channel;

/// The most that a radio chip of this kind gives: Semtech SX1262 data sheet, section 1.
const TX_POWER_MAX_DBM: u8 = 22;

/// What was set since the modem started.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Settings {
    frequency_hz: u32,
    bandwidth_hz: u32,
    tx_power_dbm: u8,
    spreading_factor: u8,
    coding_rate: u8,
    short_limit: u16,
    long_limit: u16,
}

impl Settings {
    /// The channel, once everything was set and is in the modulation's range.
    pub(super) fn channel(&self) -> Option<Channel> {
        let modulation = Modulation::new(self.bandwidth_hz, self.spreading_factor, self.coding_rate)?;
        let channel =
            Channel { frequency: Hertz(self.frequency_hz), modulation, power_dbm: self.tx_power_dbm };
        (self.frequency_hz > 0).then_some(channel)
    }

    /// Short and long.
    pub(super) const fn limits(&self) -> [AirtimeLimit; 2] {
        [AirtimeLimit(self.short_limit), AirtimeLimit(self.long_limit)]
    }

    /// Sets what was asked for as far as the radio can, and tells what is set. What it cannot leaves things as they are: so a
    /// value outside every range asks what is set. `None` for the radio's state, which is not kept here.
    pub(super) fn apply(&mut self, asked: Setting) -> Option<Setting> {
        Some(match asked {
            Setting::Frequency(Hertz(hertz)) => {
                self.frequency_hz = if hertz > 0 { hertz } else { self.frequency_hz };
                Setting::Frequency(Hertz(self.frequency_hz))
            }
            Setting::Bandwidth(Hertz(hertz)) => {
                self.bandwidth_hz = if hertz > 0 { hertz } else { self.bandwidth_hz };
                Setting::Bandwidth(Hertz(self.bandwidth_hz))
            }
            Setting::TxPower(dbm) => {
                self.tx_power_dbm = if dbm < u8::MAX { dbm.min(TX_POWER_MAX_DBM) } else { self.tx_power_dbm };
                Setting::TxPower(self.tx_power_dbm)
            }
            Setting::SpreadingFactor(bits) => {
                self.spreading_factor = if (5..=12).contains(&bits) { bits } else { self.spreading_factor };
                Setting::SpreadingFactor(self.spreading_factor)
            }
            Setting::CodingRate(denominator) => {
                self.coding_rate =
                    if (5..=8).contains(&denominator) { denominator } else { self.coding_rate };
                Setting::CodingRate(self.coding_rate)
            }
            Setting::ShortAirtimeLimit(limit) => {
                self.short_limit = limit.0;
                Setting::ShortAirtimeLimit(limit)
            }
            Setting::LongAirtimeLimit(limit) => {
                self.long_limit = limit.0;
                Setting::LongAirtimeLimit(limit)
            }
            Setting::RadioState(_) => return None,
        })
    }
}
