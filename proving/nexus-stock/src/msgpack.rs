//! As much of `MessagePack` as endpoints say on links. Source: spec/reticulum.md#on-a-link and <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use std::collections::BTreeMap;

/// How deep values may lie in values.
const DEPTH_MAX: usize = 8;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer; endpoints say no negative ones.
    Int(u64),
    /// A number of 64 bits.
    Float(f64),
    /// Bytes.
    Bin(Vec<u8>),
    /// Text.
    Text(String),
    /// Values in order.
    Array(Vec<Self>),
    /// Values by name.
    Map(BTreeMap<String, Self>),
}

/// How the length of a kind is written: within the first byte up to `fix.1`, or behind a byte for 8, 16 and 32 bits.
struct Lengths {
    fix: Option<(u8, usize)>,
    wide: [Option<u8>; 3],
}

const BIN: Lengths = Lengths { fix: None, wide: [Some(0xc4), Some(0xc5), Some(0xc6)] };
const TEXT: Lengths = Lengths { fix: Some((0xa0, 31)), wide: [Some(0xd9), Some(0xda), Some(0xdb)] };
const ARRAY: Lengths = Lengths { fix: Some((0x90, 15)), wide: [None, Some(0xdc), Some(0xdd)] };
const MAP: Lengths = Lengths { fix: Some((0x80, 15)), wide: [None, Some(0xde), Some(0xdf)] };

impl Value {
    /// Bytes of any length.
    #[must_use]
    pub fn bin(bytes: &[u8]) -> Self {
        Self::Bin(bytes.to_vec())
    }

    /// The bytes, if it is bytes.
    #[must_use]
    pub fn as_bin(&self) -> Option<&[u8]> {
        if let Self::Bin(bytes) = self { Some(bytes) } else { None }
    }

    /// The integer, if it is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<u64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// Its bytes, in the shortest form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// Reads the one value that `bytes` are; none if they are anything else.
    #[must_use]
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let value = take_value(&mut bytes, DEPTH_MAX)?;
        bytes.is_empty().then_some(value)
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.push(0xc0),
            Self::Bool(value) => out.push(0xc2 + u8::from(*value)),
            Self::Int(number) => put_int(*number, out),
            Self::Float(number) => {
                out.push(0xcb);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Bin(bytes) => {
                put_len(bytes.len(), &BIN, out);
                out.extend_from_slice(bytes);
            }
            Self::Text(text) => put_text(text, out),
            Self::Array(values) => {
                put_len(values.len(), &ARRAY, out);
                for value in values {
                    value.put(out);
                }
            }
            Self::Map(values) => {
                put_len(values.len(), &MAP, out);
                for (name, value) in values {
                    put_text(name, out);
                    value.put(out);
                }
            }
        }
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_len(text.len(), &TEXT, out);
    out.extend_from_slice(text.as_bytes());
}

fn put_int(number: u64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    match number {
        0..=0x7f => out.push(bytes[7]),
        0x80..=0xff => out.extend_from_slice(&[0xcc, bytes[7]]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&bytes);
        }
    }
}

fn put_len(len: usize, lengths: &Lengths, out: &mut Vec<u8>) {
    let bytes = u32::try_from(len).expect("nothing that endpoints say has 4 GB").to_be_bytes();
    let [eight, sixteen, thirty_two] = lengths.wide;
    match (lengths.fix, eight, sixteen, thirty_two) {
        (Some((first, max)), ..) if len <= max => out.push(first | bytes[3]),
        (_, Some(first), ..) if len <= 0xff => out.extend_from_slice(&[first, bytes[3]]),
        (_, _, Some(first), _) if len <= 0xffff => out.extend_from_slice(&[first, bytes[2], bytes[3]]),
        (_, _, _, first) => {
            out.extend(first);
            out.extend_from_slice(&bytes);
        }
    }
}

fn take_value(bytes: &mut &[u8], depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let first = take_int(bytes, 1)?;
    let kind = u8::try_from(first).ok()?;
    Some(match kind {
        0x00..=0x7f => Value::Int(first),
        0x80..=0x8f => take_map(bytes, first & 0x0f, depth)?,
        0x90..=0x9f => take_array(bytes, first & 0x0f, depth)?,
        0xa0..=0xbf => take_text(bytes, first & 0x1f)?,
        0xc0 => Value::Nil,
        0xc2 => Value::Bool(false),
        0xc3 => Value::Bool(true),
        0xcb => Value::Float(f64::from_bits(take_int(bytes, 8)?)),
        0xc4..=0xc6 => {
            let len = take_int(bytes, 1 << (kind - 0xc4))?;
            Value::bin(take(bytes, len)?)
        }
        0xcc..=0xcf => Value::Int(take_int(bytes, 1 << (kind - 0xcc))?),
        0xd9..=0xdb => {
            let len = take_int(bytes, 1 << (kind - 0xd9))?;
            take_text(bytes, len)?
        }
        0xdc..=0xdd => {
            let len = take_int(bytes, 2 << (kind - 0xdc))?;
            take_array(bytes, len, depth)?
        }
        0xde..=0xdf => {
            let len = take_int(bytes, 2 << (kind - 0xde))?;
            take_map(bytes, len, depth)?
        }
        _ => return None,
    })
}

fn take<'a>(bytes: &mut &'a [u8], len: u64) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
    *bytes = rest;
    Some(front)
}

fn take_int(bytes: &mut &[u8], len: u64) -> Option<u64> {
    Some(take(bytes, len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn take_text(bytes: &mut &[u8], len: u64) -> Option<Value> {
    String::from_utf8(take(bytes, len)?.to_vec()).ok().map(Value::Text)
}

fn take_array(bytes: &mut &[u8], len: u64, depth: usize) -> Option<Value> {
    (0..len).map(|_| take_value(bytes, depth)).collect::<Option<_>>().map(Value::Array)
}

fn take_map(bytes: &mut &[u8], len: u64, depth: usize) -> Option<Value> {
    let mut entry = || match take_value(bytes, depth)? {
        Value::Text(name) => Some((name, take_value(bytes, depth)?)),
        Value::Nil
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Bin(_)
        | Value::Array(_)
        | Value::Map(_) => None,
    };
    (0..len).map(|_| entry()).collect::<Option<_>>().map(Value::Map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let lengths = [0, 1, 15, 16, 31, 32, 255, 256, 70_000];
        let ints = [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, u64::from(u32::MAX), u64::MAX];
        let values = lengths
            .iter()
            .flat_map(|len| {
                let many = vec![Value::Nil; *len];
                let named = (0..*len).map(|at| (at.to_string(), Value::Bool(true))).collect();
                [
                    Value::Bin(vec![7; *len]),
                    Value::Text("x".repeat(*len)),
                    Value::Array(many),
                    Value::Map(named),
                ]
            })
            .chain(ints.map(Value::Int))
            .chain([Value::Float(0.25), Value::Bool(false)]);
        for value in values {
            assert_eq!(Value::decode(&value.encode()).as_ref(), Some(&value));
        }
    }

    #[test]
    fn what_is_cut_short_too_long_or_too_deep_is_refused() {
        let value = Value::Array(vec![Value::Float(1.5), Value::bin(&[1; 300]), Value::Text("x".to_owned())]);
        let bytes = value.encode();
        assert!((0..bytes.len()).all(|len| Value::decode(&bytes[..len]).is_none()));
        assert_eq!(Value::decode(&[bytes, vec![0]].concat()), None);
        assert!(Value::decode(&[&[0x91; 7][..], &[0xc0]].concat()).is_some());
        assert_eq!(Value::decode(&[&[0x91; 8][..], &[0xc0]].concat()), None);
    }
}
