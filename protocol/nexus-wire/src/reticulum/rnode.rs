//! The host protocol of an RNode: what a host and a radio modem tell each other in KISS frames.
//! Source: spec/reticulum.md#rnode.
//!
//! A host detects the modem, sets the radio up, compares what the modem echoes with what it asked for, and switches the
//! radio on. From then on both sides send [`Command::DATA`]. Numbers are big-endian.

mod from_device;
mod measured;
mod to_device;
mod units;

pub use from_device::{DeviceError, FromDevice};
pub use measured::{Battery, BatteryState, ChannelSound, ChannelTime, Temperature};
pub use to_device::{DETECT_SEQUENCE, ToDevice};
pub use units::{AirtimeLimit, Firmware, Hertz, QuarterDecibels, Rssi, Snr, bitrate_bps};

use super::kiss::{Command, Frame};
use crate::codec::{DecodeError, EncodeError, Fault, Reader};

impl Command {
    /// The carrier frequency.
    pub const FREQUENCY: Self = Self(0x01);
    /// The channel's bandwidth.
    pub const BANDWIDTH: Self = Self(0x02);
    /// The transmission power.
    pub const TX_POWER: Self = Self(0x03);
    /// The spreading factor.
    pub const SPREADING_FACTOR: Self = Self(0x04);
    /// The coding rate.
    pub const CODING_RATE: Self = Self(0x05);
    /// Whether the radio is on.
    pub const RADIO_STATE: Self = Self(0x06);
    /// Asks whether this is an RNode.
    pub const DETECT: Self = Self(0x08);
    /// The host leaves.
    pub const LEAVE: Self = Self(0x0a);
    /// How much of a short window the modem may transmit.
    pub const SHORT_AIRTIME_LIMIT: Self = Self(0x0b);
    /// How much of a long window the modem may transmit.
    pub const LONG_AIRTIME_LIMIT: Self = Self(0x0c);
    /// The modem takes another packet.
    pub const READY: Self = Self(0x0f);
    /// Packets received so far.
    pub const STAT_RECEIVED: Self = Self(0x21);
    /// Packets sent so far.
    pub const STAT_SENT: Self = Self(0x22);
    /// The signal strength of the packet that follows.
    pub const STAT_RSSI: Self = Self(0x23);
    /// The signal-to-noise ratio of the packet that follows.
    pub const STAT_SNR: Self = Self(0x24);
    /// How busy the channel is.
    pub const STAT_CHANNEL_TIME: Self = Self(0x25);
    /// What follows from the radio's settings: symbol times and the like.
    pub const STAT_PHY_PARAMETERS: Self = Self(0x26);
    /// The battery.
    pub const STAT_BATTERY: Self = Self(0x27);
    /// The temperature of its processor.
    pub const STAT_TEMPERATURE: Self = Self(0x29);
    /// How the modem takes the channel.
    pub const STAT_CSMA: Self = Self(0x28);
    /// The platform that the modem is built on.
    pub const PLATFORM: Self = Self(0x48);
    /// The modem's microcontroller.
    pub const MCU: Self = Self(0x49);
    /// The modem's firmware version.
    pub const FIRMWARE: Self = Self(0x50);
    /// The modem restarts.
    pub const RESET: Self = Self(0x55);
    /// Something went wrong in the modem.
    pub const ERROR: Self = Self(0x90);
}

/// One setting of the radio. The host sets it, the modem echoes what it really set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The carrier frequency.
    Frequency(Hertz),
    /// The channel's bandwidth.
    Bandwidth(Hertz),
    /// The transmission power, in dBm.
    TxPower(u8),
    /// Bits per symbol, 5 to 12.
    SpreadingFactor(u8),
    /// The denominator of the coding rate 4/5 to 4/8.
    CodingRate(u8),
    /// Whether the radio is on.
    RadioState(RadioState),
    /// How much of a short window the modem may transmit.
    ShortAirtimeLimit(AirtimeLimit),
    /// How much of a long window the modem may transmit.
    LongAirtimeLimit(AirtimeLimit),
}

/// Whether the radio is on, as one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RadioState(pub u8);

impl RadioState {
    /// Off: the radio may be set up.
    pub const OFF: Self = Self(0x00);
    /// On: packets go both ways.
    pub const ON: Self = Self(0x01);
}

impl Setting {
    /// How far a frequency's echo may be from what was asked: the synthesiser's steps.
    const FREQUENCY_TOLERANCE_HZ: u32 = 100;

    /// Whether `echo`, what the modem says that it set, is what was asked for. A frequency may be off by 100 Hz.
    #[must_use]
    pub fn is_met_by(&self, echo: &Self) -> bool {
        match (self, echo) {
            (Self::Frequency(asked), Self::Frequency(set)) => {
                asked.0.abs_diff(set.0) <= Self::FREQUENCY_TOLERANCE_HZ
            }
            (asked, set) => asked == set,
        }
    }

    /// Reads the setting in `frame`; `None` if its command sets nothing.
    fn decode(frame: &Frame<'_>) -> Result<Option<Self>, DecodeError> {
        let mut reader = Reader::new("RNode setting", frame.data);
        let setting = match frame.command {
            Command::FREQUENCY => Self::Frequency(Hertz(reader.u32_be("frequency")?)),
            Command::BANDWIDTH => Self::Bandwidth(Hertz(reader.u32_be("bandwidth")?)),
            Command::TX_POWER => Self::TxPower(reader.u8("power")?),
            Command::SPREADING_FACTOR => Self::SpreadingFactor(reader.u8("spreading factor")?),
            Command::CODING_RATE => Self::CodingRate(reader.u8("coding rate")?),
            Command::RADIO_STATE => Self::RadioState(RadioState(reader.u8("radio state")?)),
            Command::SHORT_AIRTIME_LIMIT => Self::ShortAirtimeLimit(AirtimeLimit(reader.u16_be("limit")?)),
            Command::LONG_AIRTIME_LIMIT => Self::LongAirtimeLimit(AirtimeLimit(reader.u16_be("limit")?)),
            _ => return Ok(None),
        };
        reader.finish("value")?;
        Ok(Some(setting))
    }

    fn encode(self, buffer: &mut [u8]) -> Result<&mut [u8], EncodeError> {
        fn put<'b>(command: Command, data: &[u8], buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
            Frame { command, data }.encode(buffer)
        }
        match self {
            Self::Frequency(value) => put(Command::FREQUENCY, &value.0.to_be_bytes(), buffer),
            Self::Bandwidth(value) => put(Command::BANDWIDTH, &value.0.to_be_bytes(), buffer),
            Self::TxPower(value) => put(Command::TX_POWER, &[value], buffer),
            Self::SpreadingFactor(value) => put(Command::SPREADING_FACTOR, &[value], buffer),
            Self::CodingRate(value) => put(Command::CODING_RATE, &[value], buffer),
            Self::RadioState(value) => put(Command::RADIO_STATE, &[value.0], buffer),
            Self::ShortAirtimeLimit(value) => {
                put(Command::SHORT_AIRTIME_LIMIT, &value.0.to_be_bytes(), buffer)
            }
            Self::LongAirtimeLimit(value) => put(Command::LONG_AIRTIME_LIMIT, &value.0.to_be_bytes(), buffer),
        }
    }
}

/// Refuses data behind a command that has a fixed content.
fn expect(frame: &Frame<'_>, format: &'static str, content: &[u8]) -> Result<(), DecodeError> {
    if frame.data == content {
        return Ok(());
    }
    let fault = if frame.data.len() == content.len() { Fault::Value } else { Fault::Length };
    Err(DecodeError { format, field: "content", fault })
}
