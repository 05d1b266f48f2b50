//! What an RNode tells its host.

use super::{Firmware, Rssi, Setting, Snr, expect};
use crate::codec::{DecodeError, EncodeError, Reader};
use crate::reticulum::kiss::{Command, Frame};

/// What [`FromDevice::Detected`] carries.
const DETECT_RESPONSE: u8 = 0x46;

/// What went wrong in the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceError(pub u8);

impl DeviceError {
    /// The radio could not be set up.
    pub const RADIO_INIT: Self = Self(0x01);
    /// A packet could not be transmitted.
    pub const TX_FAILED: Self = Self(0x02);
    /// The stored configuration is locked or unreadable.
    pub const EEPROM: Self = Self(0x03);
    /// The modem's queue is full: the packet was lost.
    pub const QUEUE_FULL: Self = Self(0x04);
    /// The modem is out of memory.
    pub const MEMORY_LOW: Self = Self(0x05);
    /// The radio chip does not answer.
    pub const MODEM_TIMEOUT: Self = Self(0x06);
}

/// A message from the modem to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromDevice<'a> {
    /// This is an RNode.
    Detected,
    /// Its firmware. Older than [`Firmware::OLDEST`] is not usable.
    Firmware(Firmware),
    /// Its platform.
    Platform(u8),
    /// Its microcontroller.
    Mcu(u8),
    /// What it really set.
    Echo(Setting),
    /// A packet that it received.
    Data(&'a [u8]),
    /// How many packets it received.
    Received(u32),
    /// How many packets it sent.
    Sent(u32),
    /// The strength of the packet that follows.
    Rssi(Rssi),
    /// The signal-to-noise ratio of the packet that follows.
    Snr(Snr),
    /// It takes another packet, whatever it adds to saying so.
    Ready(&'a [u8]),
    /// Something went wrong.
    Error(DeviceError),
    /// Statistics whose content is the firmware's own, and commands that this implementation does not know.
    Other(Frame<'a>),
}

impl<'a> FromDevice<'a> {
    /// Reads what a modem sent.
    pub fn decode(frame: Frame<'a>) -> Result<Self, DecodeError> {
        if let Some(setting) = Setting::decode(&frame)? {
            return Ok(Self::Echo(setting));
        }
        let mut reader = Reader::new("RNode message", frame.data);
        let message = match frame.command {
            Command::DATA => return Ok(Self::Data(frame.data)),
            Command::READY => return Ok(Self::Ready(frame.data)),
            Command::DETECT => {
                return expect(&frame, "RNode message", &[DETECT_RESPONSE]).map(|()| Self::Detected);
            }
            Command::FIRMWARE => Self::Firmware(Firmware {
                major: reader.u8("major version")?,
                minor: reader.u8("minor version")?,
            }),
            Command::PLATFORM => Self::Platform(reader.u8("platform")?),
            Command::MCU => Self::Mcu(reader.u8("microcontroller")?),
            Command::STAT_RECEIVED => Self::Received(reader.u32_be("packets")?),
            Command::STAT_SENT => Self::Sent(reader.u32_be("packets")?),
            Command::STAT_RSSI => Self::Rssi(Rssi(reader.u8("strength")?)),
            Command::STAT_SNR => Self::Snr(Snr(reader.u8("ratio")?)),
            Command::ERROR => Self::Error(DeviceError(reader.u8("error")?)),
            _ => return Ok(Self::Other(frame)),
        };
        reader.finish("value")?;
        Ok(message)
    }

    /// Writes the message as a KISS frame: what a virtual modem does.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        let put = |command, data: &[u8], buffer: &'b mut [u8]| Frame { command, data }.encode(buffer);
        match self {
            Self::Detected => put(Command::DETECT, &[DETECT_RESPONSE], buffer),
            Self::Firmware(version) => put(Command::FIRMWARE, &[version.major, version.minor], buffer),
            Self::Platform(platform) => put(Command::PLATFORM, &[*platform], buffer),
            Self::Mcu(mcu) => put(Command::MCU, &[*mcu], buffer),
            Self::Echo(setting) => setting.encode(buffer),
            Self::Data(data) => put(Command::DATA, data, buffer),
            Self::Received(packets) => put(Command::STAT_RECEIVED, &packets.to_be_bytes(), buffer),
            Self::Sent(packets) => put(Command::STAT_SENT, &packets.to_be_bytes(), buffer),
            Self::Rssi(strength) => put(Command::STAT_RSSI, &[strength.0], buffer),
            Self::Snr(ratio) => put(Command::STAT_SNR, &[ratio.0], buffer),
            Self::Ready(content) => put(Command::READY, content, buffer),
            Self::Error(error) => put(Command::ERROR, &[error.0], buffer),
            Self::Other(frame) => frame.encode(buffer),
        }
    }
}
