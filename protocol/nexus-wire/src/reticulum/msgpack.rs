//! As much of `MessagePack` as Reticulum's endpoints say. Source: spec/reticulum.md#messagepack.
//!
//! Numbers of 64 bits stay bits: the core calculates without floats.

use alloc::vec::Vec;

use nexus_machine::Duration;

use crate::codec::{DecodeError, Fault, Reader};

/// How deep values may lie in values.
const DEPTH_MAX: u8 = 16;
const MICROS_IN_SECOND: u128 = 1_000_000;
/// Where the exponent of a float begins, its bias, and the bit above its fraction.
const FRACTION_BITS: u32 = 52;
const BIAS: u32 = 1_023;

/// A float of 64 bits, by its bits: times, as endpoints say them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Float(pub u64);

impl Float {
    /// So many seconds as the float next below.
    #[must_use]
    pub fn of(time: Duration) -> Self {
        let micros = u128::from(time.as_micros());
        let Some(highest) = micros.checked_ilog2() else { return Self(0) };
        // As a fixed-point number with as many bits behind the point as there is room for.
        let point = 127_u32.saturating_sub(highest);
        let fixed = (micros << point).checked_div(MICROS_IN_SECOND).unwrap_or(0);
        let top = fixed.checked_ilog2().unwrap_or(0);
        let aligned = fixed >> top.saturating_sub(FRACTION_BITS);
        let fraction = u64::try_from(aligned & ((1 << FRACTION_BITS) - 1)).unwrap_or(0);
        let exponent = u64::from(top.saturating_add(BIAS).saturating_sub(point));
        Self(exponent << FRACTION_BITS | fraction)
    }

    /// The time of so many seconds, rounded down to microseconds; none of what is negative, no number or beyond the end of time.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        let exponent = u32::try_from(self.0 >> FRACTION_BITS).ok()?;
        if self.0 == 0 {
            return Some(Duration::ZERO);
        }
        if exponent >= BIAS.saturating_add(64) {
            return None;
        }
        let mantissa = u128::from(self.0 & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS);
        let micros = mantissa.saturating_mul(MICROS_IN_SECOND);
        let point = BIAS.saturating_add(FRACTION_BITS);
        let micros = if exponent >= point {
            micros.checked_shl(exponent.saturating_sub(point))?
        } else {
            micros.checked_shr(point.saturating_sub(exponent)).unwrap_or(0)
        };
        u64::try_from(micros).ok().map(Duration::from_micros)
    }
}

/// Writes values, each in its shortest form.
#[derive(Clone, Debug, Default)]
pub struct Packer(Vec<u8>);

impl Packer {
    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Nothing.
    #[must_use]
    pub fn nil(mut self) -> Self {
        self.0.push(0xc0);
        self
    }

    /// An integer.
    #[must_use]
    pub fn uint(mut self, number: u64) -> Self {
        let [.., b4, b5, b6, b7] = number.to_be_bytes();
        match number {
            0..=0x7f => self.0.push(b7),
            0x80..=0xff => self.0.extend_from_slice(&[0xcc, b7]),
            0x100..=0xffff => self.0.extend_from_slice(&[0xcd, b6, b7]),
            0x1_0000..=0xffff_ffff => self.0.extend_from_slice(&[0xce, b4, b5, b6, b7]),
            0x1_0000_0000.. => {
                self.0.push(0xcf);
                self.0.extend_from_slice(&number.to_be_bytes());
            }
        }
        self
    }

    /// A float.
    #[must_use]
    pub fn float(mut self, number: Float) -> Self {
        self.0.push(0xcb);
        self.0.extend_from_slice(&number.0.to_be_bytes());
        self
    }

    /// Bytes.
    #[must_use]
    pub fn bin(mut self, bytes: &[u8]) -> Self {
        self.length(bytes.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)]);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.length(text.len(), Some((0xa0, 31)), [Some(0xd9), Some(0xda), Some(0xdb)]);
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// The head of so many values in order, which follow.
    #[must_use]
    pub fn array(mut self, len: usize) -> Self {
        self.length(len, Some((0x90, 15)), [None, Some(0xdc), Some(0xdd)]);
        self
    }

    /// The head of so many pairs of a name and a value, which follow.
    #[must_use]
    pub fn map(mut self, len: usize) -> Self {
        self.length(len, Some((0x80, 15)), [None, Some(0xde), Some(0xdf)]);
        self
    }

    /// A value that is written already.
    #[must_use]
    pub fn value(mut self, packed: &[u8]) -> Self {
        self.0.extend_from_slice(packed);
        self
    }

    /// The length of a kind: within the first byte, or behind a byte for 8, 16 and 32 bits.
    fn length(&mut self, len: usize, fix: Option<(u8, usize)>, wide: [Option<u8>; 3]) {
        if let Some((base, most)) = fix
            && len <= most
        {
            return self.0.push(base | u8::try_from(len).unwrap_or(0));
        }
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let [b0, b1, b2, b3] = len.to_be_bytes();
        match (len, wide) {
            (0..=0xff, [Some(kind), ..]) => self.0.extend_from_slice(&[kind, b3]),
            (0..=0xffff, [_, Some(kind), _]) => self.0.extend_from_slice(&[kind, b2, b3]),
            (_, [.., Some(kind)]) => self.0.extend_from_slice(&[kind, b0, b1, b2, b3]),
            (_, [.., None]) => {}
        }
    }
}

/// Reads values, in whatever form they were written.
#[derive(Clone, Debug)]
pub struct Unpacker<'a>(Reader<'a>);

impl<'a> Unpacker<'a> {
    /// A reader at the start of `bytes`, which are taken to be a `format`.
    #[must_use]
    pub const fn new(format: &'static str, bytes: &'a [u8]) -> Self {
        Self(Reader::new(format, bytes))
    }

    /// The error that `field` of this format has a value that is not allowed.
    #[must_use]
    pub const fn refused(&self, field: &'static str) -> DecodeError {
        self.0.error(field, Fault::Value)
    }

    /// What is not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.0.clone().rest()
    }

    /// Ends the reading after `last_field`: nothing may be left over.
    pub const fn finish(self, last_field: &'static str) -> Result<(), DecodeError> {
        self.0.finish(last_field)
    }

    /// An integer that is not negative.
    pub fn uint(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        Ok(match self.0.u8(field)? {
            small @ 0..=0x7f => u64::from(small),
            0xcc => u64::from(self.0.u8(field)?),
            0xcd => u64::from(self.0.u16_be(field)?),
            0xce => u64::from(self.0.u32_be(field)?),
            0xcf => u64::from_be_bytes(self.0.array(field)?),
            _ => return Err(self.refused(field)),
        })
    }

    /// A float of 64 bits.
    pub fn float(&mut self, field: &'static str) -> Result<Float, DecodeError> {
        match self.0.u8(field)? {
            0xcb => self.0.array(field).map(|bytes| Float(u64::from_be_bytes(bytes))),
            _ => Err(self.refused(field)),
        }
    }

    /// Bytes.
    pub fn bin(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = match self.0.u8(field)? {
            0xc4 => u32::from(self.0.u8(field)?),
            0xc5 => u32::from(self.0.u16_be(field)?),
            0xc6 => self.0.u32_be(field)?,
            _ => return Err(self.refused(field)),
        };
        self.take(field, len)
    }

    /// So many bytes.
    pub fn bin_array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        self.bin(field)?.try_into().map_err(|_| self.0.error(field, Fault::Length))
    }

    /// Text, as its bytes.
    pub fn text(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let len = match self.0.u8(field)? {
            short @ 0xa0..=0xbf => u32::from(short & 0x1f),
            0xd9 => u32::from(self.0.u8(field)?),
            0xda => u32::from(self.0.u16_be(field)?),
            0xdb => self.0.u32_be(field)?,
            _ => return Err(self.refused(field)),
        };
        self.take(field, len)
    }

    /// How many values follow in order.
    pub fn array(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(match self.0.u8(field)? {
            few @ 0x90..=0x9f => u32::from(few & 0x0f),
            0xdc => u32::from(self.0.u16_be(field)?),
            0xdd => self.0.u32_be(field)?,
            _ => return Err(self.refused(field)),
        })
    }

    /// How many pairs of a name and a value follow.
    pub fn map(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(match self.0.u8(field)? {
            few @ 0x80..=0x8f => u32::from(few & 0x0f),
            0xde => u32::from(self.0.u16_be(field)?),
            0xdf => self.0.u32_be(field)?,
            _ => return Err(self.refused(field)),
        })
    }

    /// Takes a nil, if the next value is one.
    pub fn nil(&mut self) -> bool {
        let mut ahead = self.0.clone();
        let is_nil = ahead.u8("nil") == Ok(0xc0);
        if is_nil {
            self.0 = ahead;
        }
        is_nil
    }

    /// The next value of any kind, as it is written.
    pub fn value(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let before = self.0.clone();
        self.skip(field, DEPTH_MAX)?;
        let len = before.remaining().saturating_sub(self.0.remaining());
        let mut before = before;
        before.take(field, len)
    }

    fn skip(&mut self, field: &'static str, depth: u8) -> Result<(), DecodeError> {
        let Some(deeper) = depth.checked_sub(1) else { return Err(self.refused(field)) };
        let kind = self.0.u8(field)?;
        let (bytes, values) = match kind {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (0, 0),
            0x80..=0x8f => (0, u32::from(kind & 0x0f).saturating_mul(2)),
            0x90..=0x9f => (0, u32::from(kind & 0x0f)),
            0xa0..=0xbf => (u32::from(kind & 0x1f), 0),
            0xc1 => return Err(self.refused(field)),
            0xc4 | 0xd9 => (u32::from(self.0.u8(field)?), 0),
            0xc5 | 0xda => (u32::from(self.0.u16_be(field)?), 0),
            0xc6 | 0xdb => (self.0.u32_be(field)?, 0),
            0xc7 => (u32::from(self.0.u8(field)?).saturating_add(1), 0),
            0xc8 => (u32::from(self.0.u16_be(field)?).saturating_add(1), 0),
            0xc9 => (self.0.u32_be(field)?.saturating_add(1), 0),
            0xcc | 0xd0 => (1, 0),
            0xcd | 0xd1 | 0xd4 => (2, 0),
            0xca | 0xce | 0xd2 => (4, 0),
            0xcb | 0xcf | 0xd3 => (8, 0),
            0xd5 => (3, 0),
            0xd6 => (5, 0),
            0xd7 => (9, 0),
            0xd8 => (17, 0),
            0xdc => (0, u32::from(self.0.u16_be(field)?)),
            0xdd => (0, self.0.u32_be(field)?),
            0xde => (0, u32::from(self.0.u16_be(field)?).saturating_mul(2)),
            0xdf => (0, self.0.u32_be(field)?.saturating_mul(2)),
        };
        self.take(field, bytes)?;
        for _ in 0..values {
            self.skip(field, deeper)?;
        }
        Ok(())
    }

    fn take(&mut self, field: &'static str, len: u32) -> Result<&'a [u8], DecodeError> {
        self.0.take(field, usize::try_from(len).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::cast_precision_loss, reason = "the quotient is rounded too")]
    fn a_time_is_the_float_that_others_write() {
        let of = |micros| f64::from_bits(Float::of(Duration::from_micros(micros)).0);
        for micros in [0, 1, 250_000, 1_000_000, 1_500_000, 1_795_375_240_123_456, u64::MAX] {
            let seconds = of(micros);
            let exact = micros as f64 / 1e6;
            assert!((seconds - exact).abs() <= exact * 1e-15, "{micros}: {seconds} {exact}");
        }
    }

    #[test]
    fn a_float_is_read_as_a_time_or_refused() {
        let micros = |seconds: f64| Float(seconds.to_bits()).duration().map(Duration::as_micros);
        assert_eq!(micros(0.0), Some(0));
        assert_eq!(micros(0.5), Some(500_000));
        assert_eq!(micros(1e-9), Some(0));
        assert_eq!(micros(1_795_375_240.25), Some(1_795_375_240_250_000));
        for odd in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 1e14] {
            assert_eq!(micros(odd), None, "{odd}");
        }
        assert_eq!(micros(f64::MIN_POSITIVE), Some(0));
    }

    #[test]
    fn what_is_written_is_read_in_its_shortest_form() {
        for number in [0, 127, 128, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX] {
            let packed = Packer::default().uint(number).into_bytes();
            let mut unpacker = Unpacker::new("test", &packed);
            assert_eq!(unpacker.uint("number"), Ok(number));
            unpacker.finish("number").unwrap();
        }
        for len in [0, 31, 32, 255, 256, 65_535, 65_536] {
            let bytes = alloc::vec![7; len];
            let text = alloc::string::String::from_utf8(bytes.clone()).unwrap();
            let packed = Packer::default().array(2).bin(&bytes).text(&text).into_bytes();
            let mut unpacker = Unpacker::new("test", &packed);
            assert_eq!(unpacker.clone().value("all"), Ok(&packed[..]));
            assert_eq!(unpacker.array("all"), Ok(2));
            assert_eq!(unpacker.bin("bytes"), Ok(&bytes[..]));
            assert_eq!(unpacker.text("text"), Ok(&bytes[..]));
            unpacker.finish("text").unwrap();
        }
    }

    #[test]
    fn values_in_values_have_a_depth() {
        let nested = |depth: usize| [&alloc::vec![0x91; depth][..], &[0xc0]].concat();
        assert!(Unpacker::new("test", &nested(15)).value("deep").is_ok());
        assert!(Unpacker::new("test", &nested(16)).value("deep").is_err());
        assert!(Unpacker::new("test", &[0xdd, 0xff, 0xff, 0xff, 0xff]).value("long").is_err());
    }
}
