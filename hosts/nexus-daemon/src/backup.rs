//! A node in one file: its key file and what is durable, at one moment. Spec: spec/node.md#backup.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nexus_crypto::hash::blake3;
use nexus_machine::{Snapshot, TableId, Write};
use nexus_node::economy::channels::{CHANNELS, RESTORED};
use nexus_node::economy::lottery::LOTTERIES;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key_store::{self, KeyStoreError};
use crate::state_dir::{OTHERS, StateDir, StateDirError};
use crate::store::{Store, StoreError};

/// What a backup begins with: name and version.
const MAGIC: &[u8; 15] = b"NEXUS backup 1\n";
/// More than a node's state ever takes, in bytes.
const MAX_LEN: u64 = 1 << 30;
/// Bytes of a hash.
const HASH: usize = 32;

/// Why a backup cannot be made or restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The file is there already.
    #[error("{0} is there already, and a backup is never written over another file")]
    Exists(PathBuf),
    /// The system refuses.
    #[error("the backup {path} cannot be {action}: {cause}")]
    System {
        /// The file.
        path: PathBuf,
        /// What was to be done, as a participle.
        action: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// Others may read it.
    #[error("the backup {path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not a whole backup.
    #[error("{0} is no backup of a node, or is damaged")]
    Damaged(PathBuf),
    /// There is something to lose.
    #[error("{0} holds a node already: a backup is restored into an empty state directory only")]
    NotEmpty(PathBuf),
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateDirError),
}

/// Writes a backup to `file`, which must not exist.
pub fn write(file: &Path, key: &Path, snapshot: &Snapshot) -> Result<(), BackupError> {
    let bytes = encode(&key_store::read(key)?, snapshot);
    let refused = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
        _ => BackupError::System { path: file.to_owned(), action: "written", cause },
    };
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(refused)?;
    let written = out.write_all(&bytes).and_then(|()| out.sync_all());
    if written.is_err() {
        // Half a backup is worse than none: it looks like one.
        let _gone = fs::remove_file(file);
    }
    written.map_err(refused)
}

/// Restores `file` into `state`, which holds no node. Whoever calls holds the state's lock.
pub fn restore(file: &Path, state: &StateDir) -> Result<(), BackupError> {
    if state.key().exists() || state.store().exists() {
        return Err(BackupError::NotEmpty(state.path().to_owned()));
    }
    let (key, writes) = decode(&read(file)?).ok_or_else(|| BackupError::Damaged(file.to_owned()))?;
    // Complete beside its place, so that a crash or a full disk leaves no half of a node behind.
    let beside = state.path().join("restoring");
    let cannot = |cause| BackupError::System { path: file.to_owned(), action: "restored", cause };
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(cannot)?;
    }
    let (store, _) = Store::open(&beside)?;
    store.apply(&without_resurrection(writes))?;
    drop(store);
    fs::rename(beside.join(crate::store::FILE), state.store()).map_err(cannot)?;
    fs::remove_dir_all(&beside).map_err(cannot)?;
    key_store::create(&state.key(), &key)?;
    Ok(())
}

/// What is restored of a node that may have gone on since. What it signed meanwhile is not known here: every channel is marked, so that nothing is
/// done in it before the neighbour showed its state, and what was agreed of payments is forgotten, so that no secret is used twice.
fn without_resurrection(mut writes: Vec<Write>) -> Vec<Write> {
    writes.retain(|write| write.table != LOTTERIES && write.table != RESTORED);
    let channels = writes.iter().filter(|write| write.table == CHANNELS);
    let marks: Vec<Write> = channels.map(|write| Write::set(RESTORED, &write.key, Vec::new())).collect();
    writes.extend(marks);
    writes
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, BackupError> {
    let refused = |cause| BackupError::System { path: file.to_owned(), action: "read", cause };
    let opened = File::open(file).map_err(refused)?;
    let metadata = opened.metadata().map_err(refused)?;
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(BackupError::Exposed { path: file.to_owned(), mode });
    }
    let room = usize::try_from(metadata.len().min(MAX_LEN)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    opened.take(MAX_LEN).read_to_end(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

/// `MAGIC ‖ key file ‖ (table u8 ‖ key ‖ value)* ‖ BLAKE3 of all before`, each byte string with its length as u32.
fn encode(key: &[u8], snapshot: &Snapshot) -> Zeroizing<Vec<u8>> {
    let entries = || snapshot.iter();
    let room = MAGIC.len() + 4 + key.len() + HASH;
    let room = room + entries().map(|(_, key, value)| 9 + key.len() + value.len()).sum::<usize>();
    // Room from the start: a buffer that grows leaves copies of keys behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    bytes.extend_from_slice(MAGIC);
    put(&mut bytes, key);
    for (table, key, value) in entries() {
        bytes.push(table.0);
        put(&mut bytes, key);
        put(&mut bytes, value);
    }
    let hash = blake3(&[&bytes]);
    bytes.extend_from_slice(&hash);
    bytes
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("no value of a store reaches 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

fn decode(bytes: &[u8]) -> Option<(Zeroizing<Vec<u8>>, Vec<Write>)> {
    let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    if blake3(&[body]) != hash {
        return None;
    }
    let mut rest = body.strip_prefix(MAGIC)?;
    let key = Zeroizing::new(take(&mut rest)?.to_vec());
    let mut writes = Vec::new();
    while let Some((table, after)) = rest.split_first() {
        rest = after;
        let key = take(&mut rest)?;
        let value = take(&mut rest)?;
        writes.push(Write::set(TableId(*table), key, value.to_vec()));
    }
    Some((key, writes))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (bytes, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *rest = after;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexus_crypto::IdentitySeed;
    use nexus_secure::at_rest;

    fn state() -> (tempfile::TempDir, StateDir) {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::locate(Some(directory.path().join("state"))).unwrap();
        state.make().unwrap();
        (directory, state)
    }

    #[test]
    fn a_node_comes_back_from_its_backup_whole_and_into_an_empty_place_only() {
        let (directory, from) = state();
        key_store::create(&from.key(), &at_rest::plain(&IdentitySeed::from_bytes([7; 32]))).unwrap();
        let (store, _) = Store::open(from.path()).unwrap();
        let writes = [Write::set(TableId(1), b"a", b"1".to_vec()), Write::set(TableId(2), b"", Vec::new())];
        store.apply(&writes).unwrap();
        let file = directory.path().join("backup");
        write(&file, &from.key(), &store.reader().snapshot().unwrap()).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(write(&file, &from.key(), &Snapshot::empty()), Err(BackupError::Exists(_))));

        let (_other, to) = state();
        restore(&file, &to).unwrap();
        assert_eq!(*key_store::read(&to.key()).unwrap(), *key_store::read(&from.key()).unwrap());
        let (_, restored) = Store::open(to.path()).unwrap();
        assert_eq!(restored, store.reader().snapshot().unwrap());
        assert!(matches!(restore(&file, &to), Err(BackupError::NotEmpty(_))));
    }

    #[test]
    fn a_channel_from_a_backup_is_marked_and_what_was_agreed_of_payments_is_forgotten() {
        let (directory, from) = state();
        key_store::create(&from.key(), &at_rest::plain(&IdentitySeed::from_bytes([7; 32]))).unwrap();
        let (store, _) = Store::open(from.path()).unwrap();
        let channel = Write::set(CHANNELS, &[3; 16], b"account".to_vec());
        let writes = [channel, Write::set(LOTTERIES, &[3; 17], b"chain".to_vec())];
        store.apply(&writes).unwrap();
        let file = directory.path().join("backup");
        write(&file, &from.key(), &store.reader().snapshot().unwrap()).unwrap();
        let (_other, to) = state();
        restore(&file, &to).unwrap();
        let (_, restored) = Store::open(to.path()).unwrap();
        assert_eq!(restored.get(CHANNELS, &[3; 16]), Some(&b"account"[..]));
        assert_eq!(restored.get(RESTORED, &[3; 16]), Some(&b""[..]));
        assert_eq!(restored.scan(LOTTERIES).count(), 0);
    }

    #[test]
    fn a_damaged_backup_restores_nothing() {
        let mut snapshot = Snapshot::empty();
        snapshot.apply(Write::set(TableId(1), b"a", b"1".to_vec()));
        let whole = encode(b"key", &snapshot);
        assert!(decode(&whole).is_some());
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 1;
            assert!(decode(&damaged).is_none(), "byte {at}");
            assert!(decode(&whole[..at]).is_none(), "cut at {at}");
        }
    }
}
