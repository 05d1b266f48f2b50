//! An identity's seed as a line for paper: Bech32m (BIP 350) over the 32 bytes, in groups of four characters.
//!
//! Any four wrong characters are noticed, wherever they stand. Spec: spec/secure.md#paper-form.

use nexus_crypto::IdentitySeed;
use thiserror::Error;
use zeroize::Zeroizing;

/// What the line begins with: it says what this is, and which version of it.
const PREFIX: &str = "nxkey";
/// The characters that stand for 0 to 31: without 1, b, i and o, which paper confuses.
const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Characters that carry the seed: 260 bits, of which the last four are zero.
const DATA: usize = 52;
/// Characters of the checksum.
const CHECKSUM: usize = 6;
/// Characters of a whole line, blanks not counted.
const LENGTH: usize = PREFIX.len() + 1 + DATA + CHECKSUM;
/// What the checksum of a right line comes to (BIP 350).
const BECH32M: u32 = 0x2bc8_30a3;

/// Why a line is no seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotAPaperKey {
    #[error("a key on paper begins with `nxkey1`")]
    Prefix,
    #[error(
        "a key on paper has {LENGTH} characters, blanks not counted; these are {0}: something is missing or too much"
    )]
    Length(usize),
    #[error("`{0}` does not occur in a key on paper: look at it again")]
    Character(char),
    #[error("some characters are wrong: compare with the paper again, group by group")]
    Checksum,
}

/// The line for `seed`, in groups of four. Erased when dropped.
pub(crate) fn encode(seed: &IdentitySeed) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(2 * LENGTH));
    let values = values(seed.expose());
    let checksum = checksum(&values);
    let symbols = values.iter().chain(&checksum).map(|value| char::from(ALPHABET[usize::from(*value)]));
    for (at, symbol) in PREFIX.chars().chain(['1']).chain(symbols).enumerate() {
        if at > 0 && at % 4 == 0 {
            line.push(' ');
        }
        line.push(symbol);
    }
    line
}

/// The seed of a line. Blanks, line ends and hyphens do not count, lines that begin with `#` neither; capitals are as good.
pub(crate) fn decode(text: &str) -> Result<IdentitySeed, NotAPaperKey> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(LENGTH));
    let written = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::chars);
    let mut length = 0;
    for symbol in written.filter(|symbol| !symbol.is_whitespace() && *symbol != '-') {
        length += 1;
        if symbols.len() < LENGTH {
            symbols.push(symbol.to_ascii_lowercase());
        }
    }
    if !PREFIX.chars().chain(['1']).eq(symbols.iter().copied().take(PREFIX.len() + 1)) {
        return Err(NotAPaperKey::Prefix);
    }
    let mut values = Zeroizing::new([0; DATA + CHECKSUM]);
    for (value, symbol) in values.iter_mut().zip(&symbols[PREFIX.len() + 1..]) {
        *value = value_of(*symbol).ok_or(NotAPaperKey::Character(*symbol))?;
    }
    if length != LENGTH {
        return Err(NotAPaperKey::Length(length));
    }
    if polymod(&values[..]) != BECH32M {
        return Err(NotAPaperKey::Checksum);
    }
    seed(values.first_chunk().expect("the data come first")).ok_or(NotAPaperKey::Checksum)
}

fn value_of(symbol: char) -> Option<u8> {
    let at = ALPHABET.iter().position(|known| char::from(*known) == symbol)?;
    u8::try_from(at).ok()
}

/// The seed in groups of five bits, the highest first.
fn values(seed: &[u8; 32]) -> Zeroizing<[u8; DATA]> {
    let mut values = Zeroizing::new([0; DATA]);
    for bit in 0..256 {
        let set = seed[bit / 8] >> (7 - bit % 8) & 1;
        values[bit / 5] |= set << (4 - bit % 5);
    }
    values
}

/// The converse; none if a bit beyond the seed is set.
fn seed(values: &[u8; DATA]) -> Option<IdentitySeed> {
    let mut bytes = Zeroizing::new([0; 32]);
    for bit in 0..5 * DATA {
        let set = values[bit / 5] >> (4 - bit % 5) & 1;
        match bytes.get_mut(bit / 8) {
            Some(byte) => *byte |= set << (7 - bit % 8),
            None if set == 0 => {}
            None => return None,
        }
    }
    Some(IdentitySeed::from_bytes(*bytes))
}

fn checksum(values: &[u8; DATA]) -> [u8; CHECKSUM] {
    let mut whole = Zeroizing::new([0; DATA + CHECKSUM]);
    whole[..DATA].copy_from_slice(values);
    let rest = polymod(&whole[..]) ^ BECH32M;
    std::array::from_fn(|at| u8::try_from(rest >> (5 * (CHECKSUM - 1 - at)) & 31).expect("five bits fit"))
}

/// The remainder of the prefix and `values` by the code's generator (BIP 173).
fn polymod(values: &[u8]) -> u32 {
    remainder(PREFIX, values)
}

fn remainder(prefix: &str, values: &[u8]) -> u32 {
    let high = prefix.bytes().map(|symbol| symbol >> 5);
    let low = prefix.bytes().map(|symbol| symbol & 31);
    let mut rest: u32 = 1;
    for value in high.chain([0]).chain(low).chain(values.iter().copied()) {
        let top = rest >> 25;
        rest = (rest & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, generator) in
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].into_iter().enumerate()
        {
            if top >> bit & 1 == 1 {
                rest ^= generator;
            }
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_crypto::NodeIdentity;
    use serde_json::{Value, json};

    const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/paper_key.json");

    #[test]
    fn the_vectors_are_what_is_written_and_read() {
        let seeds = [[0; 32], [0xff; 32], std::array::from_fn(|at| u8::try_from(at).unwrap())];
        let made: Vec<Value> = seeds
            .map(|bytes| {
                let seed = IdentitySeed::from_bytes(bytes);
                let paper = encode(&seed).to_string();
                let hex = nexus_crypto::VrfPublicKey(bytes).to_string();
                json!({"seed": hex, "paper": paper, "node": NodeIdentity::from_seed(seed).node_id().to_string()})
            })
            .to_vec();
        if std::env::var_os("NEXUS_WRITE_VECTORS").is_some() {
            std::fs::write(VECTORS, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        }
        let kept: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(VECTORS).unwrap()).unwrap();
        assert_eq!(made, kept);
        for (vector, bytes) in kept.iter().zip(seeds) {
            assert_eq!(decode(vector["paper"].as_str().unwrap()).unwrap().expose(), &bytes);
        }
    }

    #[test]
    fn the_checksum_is_bip_350s() {
        // Its valid strings "A1LQFN3A" and "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx".
        for (prefix, data) in [("a", "lqfn3a"), ("abcdef", "l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx")] {
            let values: Vec<u8> = data.chars().map(|symbol| value_of(symbol).unwrap()).collect();
            assert_eq!(remainder(prefix, &values), BECH32M, "{prefix}1{data}");
        }
    }

    #[test]
    fn no_single_wrong_character_and_no_swap_is_taken_for_right() {
        let line: Vec<char> =
            encode(&IdentitySeed::from_bytes([0x5a; 32])).replace(' ', "").chars().collect();
        for at in 0..line.len() {
            for wrong in (' '..='~').filter(|wrong| wrong.to_ascii_lowercase() != line[at]) {
                let mut changed = line.clone();
                changed[at] = wrong;
                assert!(decode(&changed.iter().collect::<String>()).is_err(), "{wrong} at {at}");
            }
            let mut shorter = line.clone();
            shorter.remove(at);
            assert!(decode(&shorter.iter().collect::<String>()).is_err(), "without {at}");
            if at + 1 < line.len() && line[at] != line[at + 1] {
                let mut swapped = line.clone();
                swapped.swap(at, at + 1);
                assert!(decode(&swapped.iter().collect::<String>()).is_err(), "swapped at {at}");
            }
        }
    }

    #[test]
    fn it_is_read_as_people_write_it() {
        let line = encode(&IdentitySeed::from_bytes([0x5a; 32]));
        let written = format!("# my key\n  {}\n", line.to_uppercase().replace(' ', "-\n"));
        assert_eq!(decode(&written).unwrap().expose(), &[0x5a; 32]);
        assert_eq!(line.split(' ').map(str::len).collect::<Vec<_>>(), [4; 16]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let line = encode(&IdentitySeed::from_bytes([0x5a; 32]));
        assert_eq!(decode("").unwrap_err(), NotAPaperKey::Prefix);
        assert_eq!(decode(&line.replacen("nx", "bc", 1)).unwrap_err(), NotAPaperKey::Prefix);
        assert_eq!(decode(&format!("{}q", *line)).unwrap_err(), NotAPaperKey::Length(LENGTH + 1));
        assert_eq!(decode(&line[..20]).unwrap_err(), NotAPaperKey::Length(16));
        assert_eq!(
            decode(&format!("{}b", &line[..line.len() - 1])).unwrap_err(),
            NotAPaperKey::Character('b')
        );
        let last = if line.ends_with('q') { "p" } else { "q" };
        assert_eq!(
            decode(&format!("{}{last}", &line[..line.len() - 1])).unwrap_err(),
            NotAPaperKey::Checksum
        );
    }
}
