//! Key files on disk: made once, never overwritten, refused when others may read them. What is in them is
//! `nexus_secure::at_rest`'s part. Spec: spec/node.md#key-files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nexus_crypto::IdentitySeed;
use nexus_secure::at_rest::{self, CannotOpen};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::host::{HostError, entropy};
use crate::passphrase::{PassphraseError, Source};
use crate::state_dir::OTHERS;

/// More than any key file has.
const MAX_LEN: u64 = 4_096;

/// Why a key file cannot be read or made.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// It is not there.
    #[error("there is no key file {0}")]
    Missing(PathBuf),
    /// Others may read it.
    #[error("the key file {path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is there already.
    #[error("{0} is there already, and a key file is never overwritten")]
    Exists(PathBuf),
    /// The system refuses.
    #[error("the key file {path} cannot be {action}: {cause}")]
    System {
        /// The file.
        path: PathBuf,
        /// What was to be done, as a participle.
        action: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// Its content gives no identity.
    #[error("{path}: {cause}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: CannotOpen,
    },
    /// The passphrase that it needs was not given.
    #[error("the key file {path} is locked, and {cause}")]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: PassphraseError,
    },
    /// What was written beside it does not read back as the same identity.
    #[error("what was written beside the key file {0} does not read back: the file is as it was")]
    NotVerified(PathBuf),
    /// It is not the line that it should be.
    #[error("{0} is not a line `rpc_key = ` and hexadecimal digits: remove it, and a new one is made")]
    NotALine(PathBuf),
    /// No key can be made.
    #[error(transparent)]
    Entropy(#[from] HostError),
}

/// The bytes of a key file, if nobody else may read it. Erased when dropped.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
    let refused = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => KeyStoreError::Missing(path.to_owned()),
        _ => KeyStoreError::System { path: path.to_owned(), action: "read", cause },
    };
    let file = File::open(path).map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(KeyStoreError::Exposed { path: path.to_owned(), mode });
    }
    // Room from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len().min(MAX_LEN).try_into().unwrap_or(0)));
    file.take(MAX_LEN).read_to_end(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

/// Makes a key file: written to a temporary file for its owner alone, synced, and linked to its name, which fails if the name
/// is taken. After a crash there is a whole key file or none.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), KeyStoreError> {
    let refused = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AlreadyExists => KeyStoreError::Exists(path.to_owned()),
        _ => KeyStoreError::System { path: path.to_owned(), action: "made", cause },
    };
    let beside = Beside::of(path)?;
    beside
        .fill(bytes)
        .and_then(|()| fs::hard_link(&beside.0, path))
        .and_then(|()| sync_directory(path))
        .map_err(refused)
}

/// Puts another form of the identity `seed` in the place of the key file `path`: written beside it, synced, read back as `reads`
/// says, then renamed over it. Whatever fails, the file that was there is as it was.
pub fn replace(
    path: &Path,
    bytes: &[u8],
    reads: impl FnOnce(&[u8]) -> Result<IdentitySeed, CannotOpen>,
    seed: &IdentitySeed,
) -> Result<(), KeyStoreError> {
    let refused = |cause| KeyStoreError::System { path: path.to_owned(), action: "replaced", cause };
    // Through a symbolic link its target is replaced, not the link.
    let path = path.canonicalize().map_err(refused)?;
    let beside = Beside::of(&path)?;
    beside.fill(bytes).map_err(refused)?;
    match reads(&read(&beside.0)?) {
        Ok(found) if found == *seed => {}
        Ok(_) | Err(_) => return Err(KeyStoreError::NotVerified(path)),
    }
    fs::rename(&beside.0, &path).and_then(|()| sync_directory(&path)).map_err(refused)
}

/// A temporary file beside another; removed when dropped, if it still has its name.
struct Beside(PathBuf);

impl Beside {
    fn of(path: &Path) -> Result<Self, KeyStoreError> {
        let [a, b, c, d, ..] = entropy()?;
        Ok(Self(path.with_file_name(format!(".key-{:08x}.tmp", u32::from_le_bytes([a, b, c, d])))))
    }

    fn fill(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0)?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _gone_or_left_behind = fs::remove_file(&self.0);
    }
}

/// Makes a name durable, not only the bytes under it.
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// The identity in a key file. A passphrase is asked of its source only if the file is locked.
pub fn open(path: &Path, passphrase: &Source) -> Result<IdentitySeed, KeyStoreError> {
    let content = |cause| KeyStoreError::Content { path: path.to_owned(), cause };
    let bytes = read(path)?;
    match at_rest::open(&bytes, None) {
        Ok(seed) => Ok(seed),
        Err(CannotOpen::Locked) => {
            let passphrase = passphrase
                .read(&format!("Passphrase of {}: ", path.display()))
                .map_err(|cause| KeyStoreError::Passphrase { path: path.to_owned(), cause })?;
            at_rest::open(&bytes, Some(&passphrase)).map_err(content)
        }
        Err(cause) => Err(content(cause)),
    }
}

/// The identity in a key file, which is made with a fresh seed if it is not there.
pub fn open_or_make(path: &Path, passphrase: &Source) -> Result<(IdentitySeed, Found), KeyStoreError> {
    match open(path, passphrase) {
        Ok(seed) => Ok((seed, Found::Before)),
        Err(KeyStoreError::Missing(_)) => {
            let seed = IdentitySeed::from_bytes(entropy()?);
            create(path, &at_rest::plain(&seed))?;
            Ok((seed, Found::MadeNow))
        }
        Err(refusal) => Err(refusal),
    }
}

/// Whether a key file was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was there.
    Before,
    /// It was made.
    MadeNow,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        let (made, found) = open_or_make(&path, &Source::None).unwrap();
        assert_eq!(found, Found::MadeNow);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let (again, found) = open_or_make(&path, &Source::None).unwrap();
        assert_eq!((again.expose(), found), (made.expose(), Found::Before));
        assert!(matches!(create(&path, b"other"), Err(KeyStoreError::Exists(_))));
        assert_eq!(open(&path, &Source::None).unwrap().expose(), made.expose());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused_with_the_command_that_mends_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        create(&path, &at_rest::plain(&IdentitySeed::from_bytes([7; 32]))).unwrap();
        for mode in [0o640, 0o604, 0o610, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refusal = open(&path, &Source::None).unwrap_err().to_string();
            assert!(refusal.contains(&format!("(mode {mode:04o}): run `chmod 600 ")), "{refusal}");
        }
    }

    #[test]
    fn what_is_no_key_file_is_named_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        create(&path, b"not a key").unwrap();
        let refusal = open_or_make(&path, &Source::None).unwrap_err().to_string();
        assert!(refusal.contains("identity.key: this is not a key file"), "{refusal}");
        assert_eq!(fs::read(&path).unwrap(), b"not a key");
    }

    #[test]
    fn another_form_takes_the_place_only_if_it_reads_back_as_the_same_identity() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity.key");
        let (seed, other) = (IdentitySeed::from_bytes([7; 32]), IdentitySeed::from_bytes([8; 32]));
        create(&path, &at_rest::plain(&seed)).unwrap();
        let plain = |bytes: &[u8]| at_rest::open(bytes, None);
        let refusal = replace(&path, &at_rest::plain(&other), plain, &seed).unwrap_err();
        assert!(matches!(refusal, KeyStoreError::NotVerified(_)), "{refusal}");
        let refusal = replace(&path, b"torn", plain, &seed).unwrap_err();
        assert!(matches!(refusal, KeyStoreError::NotVerified(_)), "{refusal}");
        assert!(open(&path, &Source::None).unwrap() == seed);
        replace(&path, &at_rest::plain(&seed), plain, &seed).unwrap();
        assert!(open(&path, &Source::None).unwrap() == seed);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
