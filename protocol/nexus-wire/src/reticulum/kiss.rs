//! KISS framing of byte streams: radio modems, RNode or packet radio (TNC). Source: spec/reticulum.md#kiss.
//!
//! `C0` command data `C0`; inside, `DB DC` stands for `C0` and `DB DD` for `DB`. One `C0` may close a frame and open
//! the next.

use super::stuffing::{DroppedFrames, Stuffing, Unstuffer};
use crate::codec::{EncodeError, Writer};

const STUFFING: Stuffing =
    Stuffing { delimiter: 0xc0, escape: 0xdb, escaped_delimiter: 0xdc, escaped_escape: 0xdd };

/// The first byte of a KISS frame: what the frame is. An RNode uses all of it, a TNC the low nibble
/// (the high one is a port).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command(pub u8);

impl Command {
    /// A packet, either way.
    pub const DATA: Self = Self(0x00);
}

/// A frame as it lies on a KISS stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub command: Command,
    /// Its data.
    pub data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Length on the stream, in bytes: at most twice that of command and data, and two.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        STUFFING.len(&[self.command.0]).saturating_add(STUFFING.len(self.data)).saturating_add(2)
    }

    /// Writes the frame with its delimiters to the front of `buffer` and returns what goes to the stream.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        let mut writer = Writer::new(buffer);
        writer.u8(STUFFING.delimiter)?;
        STUFFING.put(&[self.command.0], &mut writer)?;
        STUFFING.put(self.data, &mut writer)?;
        writer.u8(STUFFING.delimiter)?;
        Ok(writer.finish())
    }

    fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.split_first().map(|(command, data)| Self { command: Command(*command), data })
    }
}

/// Takes frames out of a stream that arrives in any pieces.
#[derive(Clone, Debug)]
pub struct Deframer(Unstuffer);

impl Deframer {
    /// At the start of a stream, for frames of at most `max_len` bytes of data and the command: all that it ever holds.
    #[must_use]
    pub fn new(max_len: usize) -> Self {
        Self(Unstuffer::new(STUFFING, max_len.saturating_add(1)))
    }

    /// Takes bytes off the front of `stream` until a frame is complete; `None` when they are used up. To be called
    /// until it says so.
    pub fn next_frame(&mut self, stream: &mut &[u8]) -> Option<Frame<'_>> {
        self.0.next_frame(stream).and_then(Frame::of)
    }

    /// What was dropped so far.
    #[must_use]
    pub const fn dropped(&self) -> DroppedFrames {
        self.0.dropped()
    }
}

/// How a packet radio modem takes the channel. Times are in units of ten milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TncSetting {
    /// How long the carrier stands before the data.
    TxDelay(u8),
    /// The chance, out of 256 and minus one, to transmit in a free slot.
    Persistence(u8),
    /// How long a slot is.
    SlotTime(u8),
    /// How long the carrier stands after the data.
    TxTail(u8),
    /// The modem says when it is ready for the next frame.
    FlowControl,
}

impl TncSetting {
    /// Writes the setting as a KISS frame.
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        let (command, value) = match *self {
            Self::TxDelay(tens_of_ms) => (0x01, tens_of_ms),
            Self::Persistence(chance) => (0x02, chance),
            Self::SlotTime(tens_of_ms) => (0x03, tens_of_ms),
            Self::TxTail(tens_of_ms) => (0x04, tens_of_ms),
            Self::FlowControl => (0x0f, 0x01),
        };
        Frame { command: Command(command), data: &[value] }.encode(buffer)
    }
}
