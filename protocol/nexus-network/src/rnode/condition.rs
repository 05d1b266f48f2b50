//! How things are with a radio, in words.

use core::fmt;

use nexus_wire::reticulum::rnode::{AirtimeLimit, DeviceError, Firmware, RadioState, Setting};
use thiserror::Error;

use crate::interface::DutyCycle;
use crate::region::Megahertz;

/// How things are with a radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is no port.
    Unplugged,
    /// It is asked whether it is an RNode.
    Detecting,
    /// It is one. Nobody chose a region and a duty cycle, so it stays silent.
    NoChannel,
    /// Its settings are being made.
    SettingUp,
    /// It is on.
    On,
    /// It restarted by itself, and is set up again.
    Restarted,
    /// Something is wrong; it is tried again.
    Faulty(Fault),
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unplugged => f.write_str("not plugged in"),
            Self::Detecting => f.write_str("being looked for"),
            Self::NoChannel => f.write_str(
                "silent until the configuration says `region` (such as \"EU868\") and `duty_cycle` (such as \"1 %\")",
            ),
            Self::SettingUp => f.write_str("being set up"),
            Self::On => f.write_str("on"),
            Self::Restarted => f.write_str("restarted by itself, and being set up again"),
            Self::Faulty(fault) => write!(f, "off, and tried again every half minute: {fault}"),
        }
    }
}

/// What is wrong with a radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Nothing answered.
    #[error("nothing answers there as an RNode does")]
    Silent,
    /// It answered half.
    #[error("the RNode does not say which firmware it has")]
    NoFirmware,
    /// It does not speak this protocol.
    #[error(
        "the RNode's firmware is {}.{}, and {}.{} or later is needed: update it",
        .0.major, .0.minor, Firmware::OLDEST.major, Firmware::OLDEST.minor
    )]
    OldFirmware(Firmware),
    /// A setting was not echoed in time.
    #[error("the RNode does not confirm {}", Told(*.0))]
    Unconfirmed(Setting),
    /// A setting was echoed as another.
    #[error("the RNode was asked for {}, and set {}", Told(*asked), Told(*set))]
    Otherwise {
        /// What was asked.
        asked: Setting,
        /// What it says that it set.
        set: Setting,
    },
    /// It says so itself.
    #[error("the RNode reports that {}", meaning(*.0))]
    Modem(DeviceError),
}

const fn meaning(error: DeviceError) -> &'static str {
    match error {
        DeviceError::RADIO_INIT => "its radio cannot be set up",
        DeviceError::TX_FAILED => "it cannot transmit",
        DeviceError::EEPROM => "its stored configuration is locked or unreadable",
        DeviceError::QUEUE_FULL => "its queue is full",
        DeviceError::MEMORY_LOW => "it is out of memory",
        DeviceError::MODEM_TIMEOUT => "its radio chip does not answer",
        _ => "something is wrong that this program has no words for",
    }
}

/// A setting in words.
#[derive(Clone, Copy, Debug)]
struct Told(Setting);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Setting::Frequency(hertz) => write!(f, "a frequency of {}", Megahertz(hertz.0)),
            Setting::Bandwidth(hertz) => write!(f, "a bandwidth of {} Hz", hertz.0),
            Setting::TxPower(dbm) => write!(f, "a power of {dbm} dBm"),
            Setting::SpreadingFactor(factor) => write!(f, "spreading factor {factor}"),
            Setting::CodingRate(rate) => write!(f, "coding rate 4/{rate}"),
            Setting::RadioState(RadioState::OFF) => f.write_str("a radio that is off"),
            Setting::RadioState(RadioState::ON) => f.write_str("a radio that is on"),
            Setting::RadioState(RadioState(state)) => write!(f, "radio state {state}"),
            Setting::ShortAirtimeLimit(limit) => write!(f, "{} in a short window", Limit(limit)),
            Setting::LongAirtimeLimit(limit) => write!(f, "{} in a long window", Limit(limit)),
        }
    }
}

/// An airtime limit in words.
struct Limit(AirtimeLimit);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.0, DutyCycle::new(self.0.0)) {
            (0, _) => f.write_str("no airtime limit"),
            (_, Some(share)) => write!(f, "an airtime limit of {share}"),
            (more, None) => write!(f, "an airtime limit of {more} hundredths of a percent"),
        }
    }
}
