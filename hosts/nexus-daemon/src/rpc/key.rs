//! The keys that programs share with this node: one in its configuration; else one that is made once and kept in the state directory, and those
//! that programs of the same user derive.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use nexus_crypto::{SharedKey, hash};
use zeroize::Zeroizing;

use crate::host::entropy;
use crate::key_store::{self, KeyStoreError};

/// What stands before it in a program's configuration.
const PREFIX: &str = "rpc_key = ";
/// The fewest and the most bytes of a key.
const LEN: std::ops::RangeInclusive<usize> = 16..=64;

/// Where programs keep what is theirs, unless they are told otherwise: for the whole machine,
const OF_MACHINE: &str = "/etc/reticulum";
/// and below a user's home.
const OF_USER: [&str; 2] = [".config/reticulum", ".reticulum"];
/// What a program that has no `rpc_key` derives it from, there, and how long that is.
const SECRET: &str = "storage/transport_identity";
const SECRET_LEN: usize = 64;

/// Whose word counts.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    own: SharedKey,
    /// Files of secrets from which programs derive a key, whether they are there or not: whoever can read one is the program's user.
    secrets: Vec<PathBuf>,
}

impl Keys {
    /// This key alone.
    pub(crate) const fn only(own: SharedKey) -> Self {
        Self { own, secrets: Vec::new() }
    }

    /// This key, and those that programs derive in the places where they look by default, for the user with this home.
    pub(crate) fn and_derived(own: SharedKey, home: Option<OsString>) -> Self {
        let home = home.filter(|home| !home.is_empty()).map(PathBuf::from);
        let below_home = home.iter().flat_map(|home| OF_USER.map(|place| home.join(place)));
        let places = below_home.chain([PathBuf::from(OF_MACHINE)]);
        Self { own, secrets: places.map(|place| place.join(SECRET)).collect() }
    }

    /// Each, the node's own first. Files are looked at anew: programs make theirs when they start.
    pub(crate) fn all(&self) -> impl Iterator<Item = SharedKey> {
        std::iter::once(self.own.clone()).chain(self.secrets.iter().filter_map(|file| derived(file)))
    }
}

/// The key that a program derives from its secret; none if there is no such file that this process may read.
fn derived(file: &Path) -> Option<SharedKey> {
    let file = File::open(file).ok()?;
    let is_it = file.metadata().ok()?.is_file();
    let mut secret = Zeroizing::new([0; SECRET_LEN + 1]);
    let mut len = 0;
    let mut reader = file.take(u64::try_from(secret.len()).ok()?);
    while let Some(room) = secret.get_mut(len..).filter(|room| is_it && !room.is_empty()) {
        match reader.read(room).ok()? {
            0 => break,
            read => len += read,
        }
    }
    let secret = secret.get(..len).filter(|secret| secret.len() == SECRET_LEN)?;
    Some(SharedKey::from_bytes(hash::sha256(&[secret]).to_vec()))
}

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
    fn keys_of_programs_of_the_same_user_are_derived_from_what_they_keep_as_soon_as_it_is_there() {
        let home = tempfile::tempdir().unwrap();
        let own = SharedKey::from_bytes(vec![1; 32]);
        let keys = Keys::and_derived(own.clone(), Some(home.path().into()));
        let before = keys.all().count();
        let storage = home.path().join(".reticulum/storage");
        std::fs::create_dir_all(&storage).unwrap();
        for len in [0, 63, 65] {
            std::fs::write(storage.join("transport_identity"), vec![7; len]).unwrap();
            assert_eq!(keys.all().count(), before, "{len} bytes are no identity");
        }
        std::fs::write(storage.join("transport_identity"), [7; 64]).unwrap();
        let all: Vec<SharedKey> = keys.all().collect();
        assert_eq!((all.len(), &all[0]), (before + 1, &own));
        assert!(all.contains(&SharedKey::from_bytes(hash::sha256(&[&[7; 64]]).to_vec())));
        assert_eq!(Keys::only(own).all().count(), 1);
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
