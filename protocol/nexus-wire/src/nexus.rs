//! NEXUS's own formats: little-endian, fixed fields, nothing self-describing. Spec: `spec/wire.md`.
//!
//! | module | what lies in it |
//! |---|---|
//! | [`code`] | prices and bandwidths as logarithmic codes, exact in integers |
//! | [`path_cost`] | the cost of a path, and what a relay adds to it |
//! | [`cost`] | how path costs travel: block, record, list, request |
//! | [`announce`] | what a NEXUS announce says in its signed application data |
//! | [`frame`] | link frames, from the first handshake message to the beacon |
//! | [`handshake`] | what the handshake carries, and what binds it |
//! | [`message`] | messages in a frame's plaintext: reading and writing them |
//! | [`traffic`], [`control`], [`gossip`] | the bodies of those messages |
//! | [`lottery`] | what two neighbours say about paying a relay |
//! | [`key_file`] | an identity at rest |
//! | [`ledger`], [`evidence`], [`genesis`] | orders and what witnesses say of them, proofs of misconduct, where the books begin |
//! | [`recording`] | what stands before frames and plaintexts in a recording |
//! | [`channel`], [`channel_messages`] | accounts between neighbours, and what is said about them |
//! | [`end_to_end`] | what an end-to-end packet says once it is opened |

pub mod announce;
pub mod carried;
pub mod channel;
pub mod channel_messages;
pub mod code;
pub mod control;
pub mod cost;
pub mod course;
pub mod end_to_end;
pub mod evidence;
pub mod frame;
pub mod genesis;
pub mod gossip;
pub mod handshake;
pub mod key_file;
pub mod ledger;
pub mod lottery;
pub mod message;
pub mod path_cost;
pub mod recording;
pub mod trace;
pub mod traffic;

use crate::codec::{DecodeError, EncodeError, Fault, Reader, Writer};

/// A value with exactly one encoding: what is read writes back to the same bytes, and nothing else reads as it.
///
/// Implementors are views that borrow from the bytes read, or plain values; neither allocates.
pub trait Layout<'a>: Sized {
    /// The format's name, as its errors, vectors and fuzz target call it.
    const NAME: &'static str;

    /// Reads the value from where `reader` stands. A value without a length of its own takes all that is left.
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Appends the encoding to `out`.
    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// How many bytes [`Layout::write`] appends.
    fn encoded_len(&self) -> usize;

    /// Takes all of `bytes` as one value: nothing may be left over.
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Self::NAME, bytes);
        let value = Self::read(&mut reader)?;
        reader.finish("last field")?;
        Ok(value)
    }

    /// Writes the value into the front of `buffer` and returns the bytes written.
    fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b mut [u8], EncodeError> {
        let mut out = Writer::new(buffer);
        self.write(&mut out)?;
        Ok(out.finish())
    }
}

/// All that `reader` has left, taken: the last field of a value without a length of its own.
fn take_rest<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a [u8], DecodeError> {
    reader.take(field, reader.remaining())
}

/// Nothing if `holds`, else the error that `field` has `fault`.
fn require(holds: bool, reader: &Reader<'_>, field: &'static str, fault: Fault) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(reader.error(field, fault)) }
}
