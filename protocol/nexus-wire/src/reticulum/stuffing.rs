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
        let plain = |byte: &u8| *byte != self.delimiter && *byte != self.escape;
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            let run = rest.iter().take_while(|byte| plain(byte)).count();
            if let Some((plain, special)) = rest.split_at_checked(run).filter(|_| run > 0) {
                writer.put(plain)?;
                rest = special;
                continue;
            }
            let code = if *byte == self.delimiter { self.escaped_delimiter } else { self.escaped_escape };
            writer.put(&[self.escape, code])?;
            rest = behind;
        }
        Ok(())
    }

    /// How many bytes [`Stuffing::put`] appends.
    pub(super) fn len(self, bytes: &[u8]) -> usize {
        let escaped = bytes.iter().filter(|byte| **byte == self.delimiter || **byte == self.escape).count();
        bytes.len().saturating_add(escaped)
    }
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
        while let Some((byte, rest)) = stream.split_first() {
            *stream = rest;
            self.take(*byte);
            if self.handed_out {
                return Some(&self.frame);
            }
        }
        None
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
            State::Inside => self.append(byte),
            State::Escaped if byte == self.stuffing.escaped_delimiter => self.append(self.stuffing.delimiter),
            State::Escaped if byte == self.stuffing.escaped_escape => self.append(self.stuffing.escape),
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

    fn append(&mut self, byte: u8) {
        if self.frame.len() >= self.max_len {
            self.dropped.oversize = self.dropped.oversize.saturating_add(1);
            self.state = State::Hunting;
        } else {
            self.frame.push(byte);
            self.state = State::Inside;
        }
    }
}
