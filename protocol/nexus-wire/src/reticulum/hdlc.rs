//! HDLC-like framing of byte streams: TCP, serial, pipes. Source: spec/reticulum.md#hdlc.
//!
//! `7E` frame `7E`; inside, `7D 5E` stands for `7E` and `7D 5D` for `7D`. One `7E` may close a frame and open the next.

use super::stuffing::{DroppedFrames, Stuffing, Unstuffer};
use crate::codec::{EncodeError, Writer};

const STUFFING: Stuffing =
    Stuffing { delimiter: 0x7e, escape: 0x7d, escaped_delimiter: 0x5e, escaped_escape: 0x5d };

/// Length of `frame` on the stream, in bytes: at most twice its own, and two.
#[must_use]
pub fn encoded_len(frame: &[u8]) -> usize {
    STUFFING.len(frame).saturating_add(2)
}

/// Writes `frame` with its delimiters to the front of `buffer` and returns what goes to the stream.
pub fn encode<'b>(frame: &[u8], buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
    let mut writer = Writer::new(buffer);
    writer.u8(STUFFING.delimiter)?;
    STUFFING.put(frame, &mut writer)?;
    writer.u8(STUFFING.delimiter)?;
    Ok(writer.finish())
}

/// Takes frames out of a stream that arrives in any pieces.
///
/// ```
/// let mut deframer = nexus_wire::reticulum::hdlc::Deframer::new(500);
/// let mut stream: &[u8] = &[0xff, 0x7e, 0x01, 0x7d, 0x5e, 0x7e, 0x02];
/// assert_eq!(deframer.next_frame(&mut stream), Some(&[0x01, 0x7e][..]));
/// assert_eq!(deframer.next_frame(&mut stream), None);
/// ```
#[derive(Clone, Debug)]
pub struct Deframer(Unstuffer);

impl Deframer {
    /// At the start of a stream, for frames of at most `max_len` bytes: all that it ever holds.
    #[must_use]
    pub fn new(max_len: usize) -> Self {
        Self(Unstuffer::new(STUFFING, max_len))
    }

    /// Takes bytes off the front of `stream` until a frame is complete; `None` when they are used up. To be called
    /// until it says so.
    pub fn next_frame(&mut self, stream: &mut &[u8]) -> Option<&[u8]> {
        self.0.next_frame(stream)
    }

    /// What was dropped so far.
    #[must_use]
    pub const fn dropped(&self) -> DroppedFrames {
        self.0.dropped()
    }
}
