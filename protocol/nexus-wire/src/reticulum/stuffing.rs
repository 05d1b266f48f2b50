//! Byte stuffing: what HDLC and KISS have in common. Source: spec/reticulum.md#framing.

use alloc::vec::Vec;

use crate::codec::{EncodeError, Writer};

/// Which bytes delimit and which stand in for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuffing {
    /// Ends a frame and begins the next.
    pub(super) delimiter: u8,
    /// Announces that the next byte stands for another.
    pub(super) escape: u8,
    /// Stands for the delimiter.
    pub(super) escaped_delimiter: u8,
    /// Stands for the escape.
    pub(super) escaped_escape: u8,
}

impl Stuffing {
    /// Appends `bytes` with delimiters and escapes replaced.
    pub(super) fn put(self, bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let mut rest = bytes;
        loop {
            let (plain, behind) = self.split_plain(rest);
            writer.put(plain)?;
            let Some((byte, behind)) = behind.split_first() else { return Ok(()) };
            if let Some(stand_in) = self.stand_in(*byte) {
                writer.put(&[self.escape, stand_in])?;
            }
            rest = behind;
        }
    }

    /// How many bytes [`Stuffing::put`] appends.
    pub(super) fn len(self, bytes: &[u8]) -> usize {
        let escaped = bytes.iter().filter(|byte| self.stand_in(**byte).is_some()).count();
        bytes.len().saturating_add(escaped)
    }

    /// The bytes before the first delimiter or escape, and the rest: eight at a time, for most stand for themselves.
    fn split_plain(self, bytes: &[u8]) -> (&[u8], &[u8]) {
        let (delimiter, escape) = (in_every_byte(self.delimiter), in_every_byte(self.escape));
        let mut at = 0_usize;
        let mut rest = bytes;
        while let Some((word, behind)) = rest.split_first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let special = zero_bytes(word ^ delimiter) | zero_bytes(word ^ escape);
            if special != 0 {
                // The first is marked exactly: only what stands behind it may be marked in error.
                let within = usize::try_from(special.trailing_zeros() / 8).unwrap_or(0);
                return bytes.split_at_checked(at.saturating_add(within)).unwrap_or((bytes, &[]));
            }
            at = at.saturating_add(8);
            rest = behind;
        }
        let within = rest.iter().position(|byte| self.stand_in(*byte).is_some()).unwrap_or(rest.len());
        bytes.split_at_checked(at.saturating_add(within)).unwrap_or((bytes, &[]))
    }

    /// What follows the escape in place of `byte`, if it cannot stand in a frame itself.
    const fn stand_in(self, byte: u8) -> Option<u8> {
        if byte == self.delimiter {
            Some(self.escaped_delimiter)
        } else if byte == self.escape {
            Some(self.escaped_escape)
        } else {
            None
        }
    }
}

/// A word of eight times this byte.
const fn in_every_byte(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks the top bit of the first byte that is zero, counted from the low end, perhaps of others behind it, and of none
/// if none is zero.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(in_every_byte(0x01)) & !word & in_every_byte(0x80)
}

/// What a stream cost in frames that could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DroppedFrames {
    /// Longer than the interface carries.
    pub oversize: u64,
    /// An escape followed by what stands for nothing.
    pub malformed: u64,
}

/// Takes frames out of a stream, however its bytes are cut into pieces.
///
/// Holds at most one frame of the stated length. Whatever goes wrong, the next delimiter begins afresh.
#[derive(Clone, Debug)]
pub(super) struct Unstuffer {
    stuffing: Stuffing,
    frame: Vec<u8>,
    max_len: usize,
    state: State,
    /// What `frame` holds was handed out: it makes room before anything else is taken.
    handed_out: bool,
    dropped: DroppedFrames,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// What comes belongs to no frame, up to the next delimiter.
    Hunting,
    /// Within a frame, perhaps at its start.
    Inside,
    /// Within a frame, behind an escape.
    Escaped,
}

impl Unstuffer {
    /// At the start of a stream, for frames of at most `max_len` bytes.
    pub(super) fn new(stuffing: Stuffing, max_len: usize) -> Self {
        Self {
            stuffing,
            frame: Vec::with_capacity(max_len),
            max_len,
            state: State::Hunting,
            handed_out: false,
            dropped: DroppedFrames::default(),
        }
    }

    /// Takes bytes off the front of `stream` until a frame is complete. `None` when they are used up.
    pub(super) fn next_frame(&mut self, stream: &mut &[u8]) -> Option<&[u8]> {
        if core::mem::take(&mut self.handed_out) {
            self.frame.clear();
        }
        loop {
            self.take_plain(stream);
            let (byte, rest) = stream.split_first()?;
            *stream = rest;
            self.take(*byte);
            if self.handed_out {
                return Some(&self.frame);
            }
        }
    }

    /// Takes what stands for itself at the front of `stream`.
    fn take_plain(&mut self, stream: &mut &[u8]) {
        if self.state == State::Escaped {
            return;
        }
        let (plain, rest) = self.stuffing.split_plain(stream);
        *stream = rest;
        if self.state == State::Inside {
            self.append(plain);
        }
    }

    /// What was dropped so far.
    pub(super) const fn dropped(&self) -> DroppedFrames {
        self.dropped
    }

    fn take(&mut self, byte: u8) {
        if byte == self.stuffing.delimiter {
            return self.delimit();
        }
        match self.state {
            State::Hunting => {}
            State::Inside if byte == self.stuffing.escape => self.state = State::Escaped,
            State::Inside => self.append(&[byte]),
            State::Escaped if byte == self.stuffing.escaped_delimiter => {
                self.append(&[self.stuffing.delimiter]);
            }
            State::Escaped if byte == self.stuffing.escaped_escape => self.append(&[self.stuffing.escape]),
            State::Escaped => {
                self.count_malformed();
                self.state = State::Hunting;
            }
        }
    }

    /// An empty frame is nothing: delimiters may follow each other, as padding or as a keepalive.
    fn delimit(&mut self) {
        match self.state {
            State::Inside if !self.frame.is_empty() => self.handed_out = true,
            State::Escaped => {
                self.count_malformed();
                self.frame.clear();
            }
            State::Hunting | State::Inside => self.frame.clear(),
        }
        self.state = State::Inside;
    }

    fn count_malformed(&mut self) {
        self.dropped.malformed = self.dropped.malformed.saturating_add(1);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.frame.len().saturating_add(bytes.len()) > self.max_len {
            self.dropped.oversize = self.dropped.oversize.saturating_add(1);
            self.state = State::Hunting;
        } else {
            self.frame.extend_from_slice(bytes);
            self.state = State::Inside;
        }
    }
}
