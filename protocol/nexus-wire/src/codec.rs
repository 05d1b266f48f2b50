//! A cursor over bytes to read and one to write: bounds are checked once, here, and an error names the field.

use thiserror::Error;

/// Bytes that are not the format they were taken for: the sender's fault, never ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{format}.{field}: {fault}")]
pub struct DecodeError {
    /// The format that was expected, as the spec calls it.
    pub format: &'static str,
    /// The field at which the bytes stopped making sense.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The bytes end before the field does.
    #[error("the bytes end inside it")]
    Truncated,
    /// Bytes are left over after the last field.
    #[error("bytes are left over after it")]
    TrailingBytes,
    /// A length that this format cannot have.
    #[error("an impossible length")]
    Length,
    /// A value that this format does not allow.
    #[error("a value that is not allowed")]
    Value,
    /// A version that this implementation does not speak.
    #[error("an unsupported version")]
    Version,
}

/// A value that does not fit the buffer or the format: our fault, met before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The output buffer is too small.
    #[error("the buffer is too small for the encoded value")]
    BufferTooSmall,
    /// A part is longer than its length field or the format's limit.
    #[error("a field is longer than the format allows")]
    FieldTooLong,
}

/// Reads fixed fields from the front of a byte slice. Holds the name of the format for its errors.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    format: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`, which are taken to be a `format`.
    #[must_use]
    pub const fn new(format: &'static str, bytes: &'a [u8]) -> Self {
        Self { format, rest: bytes }
    }

    /// The error that `field` of this format has `fault`.
    #[must_use]
    pub const fn error(&self, field: &'static str, fault: Fault) -> DecodeError {
        DecodeError { format: self.format, field, fault }
    }

    /// How many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(self.error(field, Fault::Truncated))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes, as an array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        self.array_ref(field).copied()
    }

    /// The next `N` bytes, where they lie.
    pub fn array_ref<const N: usize>(&mut self, field: &'static str) -> Result<&'a [u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(self.error(field, Fault::Truncated))?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(u8::from_le_bytes)
    }

    /// The next two bytes, little-endian (NEXUS).
    pub fn u16_le(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// The next four bytes, little-endian (NEXUS).
    pub fn u32_le(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// The next eight bytes, little-endian (NEXUS).
    pub fn u64_le(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// The next two bytes, big-endian (Reticulum, RNode).
    pub fn u16_be(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// The next four bytes, big-endian (Reticulum, RNode).
    pub fn u32_be(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// All that is left.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Ends the reading after `last_field`: nothing may be left over.
    pub const fn finish(self, last_field: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(last_field, Fault::TrailingBytes)) }
    }
}

/// Writes fixed fields into a caller's buffer, from the front. Allocates nothing.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    written: usize,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `buffer`.
    #[must_use]
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, written: 0 }
    }

    /// Appends `bytes`.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let end = self.written.checked_add(bytes.len()).ok_or(EncodeError::BufferTooSmall)?;
        self.buffer.get_mut(self.written..end).ok_or(EncodeError::BufferTooSmall)?.copy_from_slice(bytes);
        self.written = end;
        Ok(())
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> Result<(), EncodeError> {
        self.put(&[value])
    }

    /// Appends two bytes, little-endian (NEXUS).
    pub fn u16_le(&mut self, value: u16) -> Result<(), EncodeError> {
        self.put(&value.to_le_bytes())
    }

    /// Appends four bytes, little-endian (NEXUS).
    pub fn u32_le(&mut self, value: u32) -> Result<(), EncodeError> {
        self.put(&value.to_le_bytes())
    }

    /// Appends eight bytes, little-endian (NEXUS).
    pub fn u64_le(&mut self, value: u64) -> Result<(), EncodeError> {
        self.put(&value.to_le_bytes())
    }

    /// Appends two bytes, big-endian (Reticulum, RNode).
    pub fn u16_be(&mut self, value: u16) -> Result<(), EncodeError> {
        self.put(&value.to_be_bytes())
    }

    /// Appends four bytes, big-endian (Reticulum, RNode).
    pub fn u32_be(&mut self, value: u32) -> Result<(), EncodeError> {
        self.put(&value.to_be_bytes())
    }

    /// How many bytes were written.
    #[must_use]
    pub const fn written(&self) -> usize {
        self.written
    }

    /// What was written, ending the borrow of the rest.
    #[must_use]
    pub fn finish(self) -> &'a mut [u8] {
        self.buffer.get_mut(..self.written).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn an_error_names_the_format_and_the_field() {
        let mut reader = Reader::new("announce", &[1, 2, 3]);
        assert_eq!(reader.u16_be("hops"), Ok(0x0102));
        let error = reader.u16_be("random hash").unwrap_err();
        assert_eq!(error.to_string(), "announce.random hash: the bytes end inside it");
        assert_eq!(reader.remaining(), 1, "a failed read takes nothing");
        assert_eq!(reader.finish("random hash").unwrap_err().fault, Fault::TrailingBytes);
    }

    #[test]
    fn a_writer_never_passes_its_buffer() {
        let mut buffer = [0; 3];
        let mut writer = Writer::new(&mut buffer);
        writer.u16_le(0x0201).unwrap();
        assert_eq!(writer.u16_le(0), Err(EncodeError::BufferTooSmall));
        writer.u8(3).unwrap();
        assert_eq!(writer.finish(), [1, 2, 3]);
    }
}
