//! The key that programs share with this node: in its configuration, else made once and kept in the state directory.

use std::fmt::Write as _;
use std::path::Path;

use nexus_crypto::SharedKey;
use zeroize::Zeroizing;

use crate::host::entropy;
use crate::key_store::{self, KeyStoreError};

/// What stands before it in a program's configuration.
const PREFIX: &str = "rpc_key = ";
/// The fewest and the most bytes of a key.
const LEN: std::ops::RangeInclusive<usize> = 16..=64;

/// A key as it is written: 32 to 128 hexadecimal digits.
pub(crate) fn parse(text: &str) -> Option<SharedKey> {
    if !text.len().is_multiple_of(2) || !LEN.contains(&(text.len() / 2)) || !text.is_ascii() {
        return None;
    }
    let digits = |at: usize| text.get(at..at + 2).filter(|pair| !pair.starts_with('+'));
    let byte = |at| u8::from_str_radix(digits(at)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().map(SharedKey::from_bytes)
}

/// Reads the key that `file` has as a line of a program's configuration; makes it if there is no such file.
pub(crate) fn open_or_make(file: &Path) -> Result<SharedKey, KeyStoreError> {
    match key_store::read(file) {
        Ok(line) => {
            let text = std::str::from_utf8(&line).ok();
            let key = text.and_then(|text| parse(text.trim_end().strip_prefix(PREFIX)?));
            key.ok_or_else(|| KeyStoreError::NotALine(file.to_owned()))
        }
        Err(KeyStoreError::Missing(_)) => {
            let key = SharedKey::from_bytes(entropy()?.to_vec());
            key_store::create(file, line(&key).as_bytes())?;
            Ok(key)
        }
        Err(refusal) => Err(refusal),
    }
}

/// The line of a program's configuration.
fn line(key: &SharedKey) -> Zeroizing<String> {
    // Room from the start: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * key.expose().len() + 1));
    text.push_str(PREFIX);
    for byte in key.expose() {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_read_again() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("rpc_key");
        let made = open_or_make(&file).unwrap();
        assert_eq!(made.expose().len(), 32);
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(open_or_make(&file).unwrap(), made);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(parse(text.strip_prefix("rpc_key = ").unwrap().trim_end()), Some(made));
        std::fs::write(&file, "rpc_key = 12\n").unwrap();
        assert!(open_or_make(&file).unwrap_err().to_string().contains("rpc_key = "));
    }

    #[test]
    fn a_key_is_written_in_whole_bytes_of_hexadecimal_digits() {
        assert_eq!(parse(&"0f".repeat(16)), Some(SharedKey::from_bytes(vec![15; 16])));
        assert_eq!(parse(&"F0".repeat(64)), Some(SharedKey::from_bytes(vec![240; 64])));
        let wrong = [
            "0f".repeat(15),
            "0f".repeat(65),
            "0".repeat(33),
            "+f".repeat(16),
            "gg".repeat(16),
            "é".repeat(16),
        ];
        for text in &wrong {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
