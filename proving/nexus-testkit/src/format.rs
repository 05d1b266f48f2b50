//! The laws of a byte format, stated once.
//!
//! A format under test is a function that decodes bytes and encodes the result again. From that alone follow the laws:
//!
//! 1. a sample decodes and encodes back to the same bytes (round trip);
//! 2. whatever decodes, encodes back to the same bytes (one value, one encoding: no aliases);
//! 3. every length that the format calls impossible is refused;
//! 4. a sample with any one bit flipped, cut anywhere or extended neither panics nor breaks law 2;
//! 5. the same for arbitrary bytes.

use core::fmt::{Debug, Write as _};

use nexus_machine::{Seed, Stream};

/// One byte format under test.
#[derive(Clone, Copy)]
pub struct Format {
    /// The format's name in the spec, its fuzz target and its vectors: `announce`, `cost-record`.
    pub name: &'static str,
    /// Decodes all of the bytes and encodes the value again; the error as text.
    pub reencode: fn(&[u8]) -> Result<Vec<u8>, String>,
    /// Encodings of valid values, at least one of each shape.
    pub samples: fn() -> Vec<Vec<u8>>,
    /// Whether a value of this format can have this length.
    pub possible_length: fn(usize) -> bool,
}

/// Turns a typed decoder and encoder into what [`Format::reencode`] wants.
///
/// # Panics
/// If a value that was decoded cannot be encoded: a law of its own.
pub fn reencode_with<'a, T, D: Debug, E: Debug>(
    bytes: &'a [u8],
    decode: impl FnOnce(&'a [u8]) -> Result<T, D>,
    encode: impl FnOnce(&T) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, String> {
    let value = decode(bytes).map_err(|error| format!("{error:?}"))?;
    Ok(encode(&value).expect("a value that was decoded can be encoded"))
}

/// Holds a format to all its laws.
///
/// # Panics
/// With the format's name, the bytes and the law that broke.
pub fn obeys_the_laws(format: &Format) {
    let samples = (format.samples)();
    assert!(!samples.is_empty(), "{}: a format without samples proves nothing", format.name);
    for sample in &samples {
        round_trip(format, sample);
        impossible_lengths_are_refused(format, sample);
        flips_cuts_and_extensions(format, sample);
    }
    arbitrary_bytes(format, &samples, 2_000);
}

/// What a fuzz target does with one input: laws 2 and 3.
///
/// # Panics
/// With the format's name and the bytes, if a law is broken.
pub fn fuzz_one(format: &Format, bytes: &[u8]) {
    if let Ok(again) = (format.reencode)(bytes) {
        assert!(again == bytes, "{}: {} decodes but encodes as {}", format.name, hex(bytes), hex(&again));
    }
    assert!(
        (format.possible_length)(bytes.len()) || (format.reencode)(bytes).is_err(),
        "{}: {} bytes were accepted",
        format.name,
        bytes.len()
    );
}

fn round_trip(format: &Format, sample: &[u8]) {
    let again = (format.reencode)(sample)
        .unwrap_or_else(|error| panic!("{}: sample {} is refused: {error}", format.name, hex(sample)));
    assert!(again == sample, "{}: sample {} came back as {}", format.name, hex(sample), hex(&again));
}

fn impossible_lengths_are_refused(format: &Format, sample: &[u8]) {
    for length in 0..=sample.len() + 600 {
        if (format.possible_length)(length) {
            continue;
        }
        let mut bytes = sample.to_vec();
        bytes.resize(length, 0xa5);
        assert!(
            (format.reencode)(&bytes).is_err(),
            "{}: an impossible length of {length} bytes is accepted",
            format.name
        );
    }
}

fn flips_cuts_and_extensions(format: &Format, sample: &[u8]) {
    for length in 0..sample.len() {
        fuzz_one(format, &sample[..length]);
    }
    for bit in 0..sample.len() * 8 {
        let mut flipped = sample.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fuzz_one(format, &flipped);
    }
    for extra in 1..=40 {
        let mut longer = sample.to_vec();
        longer.resize(sample.len() + extra, 0xa5);
        fuzz_one(format, &longer);
    }
    fuzz_one(format, &vec![0xa5; sample.len()]);
    fuzz_one(format, &vec![0x00; sample.len()]);
    fuzz_one(format, &vec![0xff; sample.len()]);
}

/// Arbitrary bytes and mutated samples, the same on every run.
pub fn arbitrary_bytes(format: &Format, samples: &[Vec<u8>], runs: u32) {
    let mut random = Seed::new([0x5a; 32]).fork(format.name);
    for _ in 0..runs {
        fuzz_one(format, &mutated(&mut random, samples));
    }
}

fn mutated(random: &mut Stream, samples: &[Vec<u8>]) -> Vec<u8> {
    let pick = |random: &mut Stream, bound: usize| {
        usize::try_from(random.below(u64::try_from(bound).expect("usize fits u64"))).expect("below a usize")
    };
    let mut bytes = if random.chance(1, 3) {
        let mut bytes = vec![0; pick(random, 700)];
        random.fill(&mut bytes);
        bytes
    } else {
        samples[pick(random, samples.len())].clone()
    };
    for _ in 0..pick(random, 5) {
        let at = pick(random, bytes.len() + 1);
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, u8::try_from(random.below(256)).expect("below 256")),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            _ if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).expect("below 256"),
            _ => {}
        }
    }
    bytes
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes any text");
    }
    text
}

/// The bytes that hexadecimal text stands for.
///
/// # Panics
/// On anything else: it reads vectors, not input.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "an odd number of hexadecimal digits: {text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("a vector is hexadecimal"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(bytes: &[u8]) -> Result<Vec<u8>, String> {
        <[u8; 2]>::try_from(bytes).map(Vec::from).map_err(|_| "length".to_owned())
    }

    #[test]
    fn a_sound_format_passes() {
        obeys_the_laws(&Format {
            name: "pair",
            reencode: pair,
            samples: || vec![vec![1, 2]],
            possible_length: |length| length == 2,
        });
    }

    #[test]
    #[should_panic(expected = "decodes but encodes as")]
    fn a_format_with_aliases_is_caught() {
        obeys_the_laws(&Format {
            name: "lossy",
            reencode: |bytes| pair(bytes).map(|pair| vec![pair[0] & 0x7f, pair[1]]),
            samples: || vec![vec![1, 2]],
            possible_length: |length| length == 2,
        });
    }

    #[test]
    #[should_panic(expected = "impossible length of 3")]
    fn a_format_that_ignores_trailing_bytes_is_caught() {
        obeys_the_laws(&Format {
            name: "generous",
            reencode: |bytes| bytes.get(..2).map(|_| bytes.to_vec()).ok_or_else(String::new),
            samples: || vec![vec![1, 2]],
            possible_length: |length| length == 2,
        });
    }
}
