//! What a host tells an RNode.

use super::{Setting, expect};
use crate::codec::{DecodeError, EncodeError};
use crate::reticulum::kiss::{Command, Frame};

/// What [`ToDevice::Detect`] carries.
const DETECT_REQUEST: u8 = 0x73;
/// What [`ToDevice::Leave`] carries.
const LEAVE_REQUEST: u8 = 0xff;
/// What [`ToDevice::Reset`] carries, so that noise on the line resets nothing.
const RESET_REQUEST: u8 = 0xf8;
/// What a question carries.
const QUESTION: u8 = 0x00;

/// What a host sends first: is there an RNode, with which firmware, on which platform and microcontroller.
/// Delimiters are shared between frames.
pub const DETECT_SEQUENCE: [u8; 13] =
    [0xc0, 0x08, DETECT_REQUEST, 0xc0, 0x50, QUESTION, 0xc0, 0x48, QUESTION, 0xc0, 0x49, QUESTION, 0xc0];

/// A message from the host to the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToDevice<'a> {
    /// Is this an RNode?
    Detect,
    /// Which firmware?
    AskFirmware,
    /// Which platform?
    AskPlatform,
    /// Which microcontroller?
    AskMcu,
    /// Set this.
    Set(Setting),
    /// Transmit this packet.
    Data(&'a [u8]),
    /// The host goes away.
    Leave,
    /// Restart.
    Reset,
    /// A command that this implementation does not know.
    Other(Frame<'a>),
}

impl<'a> ToDevice<'a> {
    /// Reads what a host sent: what a virtual modem does.
    pub fn decode(frame: Frame<'a>) -> Result<Self, DecodeError> {
        if let Some(setting) = Setting::decode(&frame)? {
            return Ok(Self::Set(setting));
        }
        let fixed = |value, content| expect(&frame, "RNode request", &[content]).map(|()| value);
        match frame.command {
            Command::DATA => Ok(Self::Data(frame.data)),
            Command::DETECT => fixed(Self::Detect, DETECT_REQUEST),
            Command::FIRMWARE => fixed(Self::AskFirmware, QUESTION),
            Command::PLATFORM => fixed(Self::AskPlatform, QUESTION),
            Command::MCU => fixed(Self::AskMcu, QUESTION),
            Command::LEAVE => fixed(Self::Leave, LEAVE_REQUEST),
            Command::RESET => fixed(Self::Reset, RESET_REQUEST),
            _ => Ok(Self::Other(frame)),
        }
    }

    /// Writes the message as a KISS frame.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        match self {
            Self::Detect => Frame { command: Command::DETECT, data: &[DETECT_REQUEST] }.encode(buffer),
            Self::AskFirmware => Frame { command: Command::FIRMWARE, data: &[QUESTION] }.encode(buffer),
            Self::AskPlatform => Frame { command: Command::PLATFORM, data: &[QUESTION] }.encode(buffer),
            Self::AskMcu => Frame { command: Command::MCU, data: &[QUESTION] }.encode(buffer),
            Self::Set(setting) => setting.encode(buffer),
            Self::Data(data) => Frame { command: Command::DATA, data }.encode(buffer),
            Self::Leave => Frame { command: Command::LEAVE, data: &[LEAVE_REQUEST] }.encode(buffer),
            Self::Reset => Frame { command: Command::RESET, data: &[RESET_REQUEST] }.encode(buffer),
            Self::Other(frame) => frame.encode(buffer),
        }
    }
}
