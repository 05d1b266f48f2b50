//! What must survive, in an embedded database under one directory.
//!
//! A ticket is one transaction, synced before it is acknowledged: after a crash it is there whole or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexus_economy::channels::LOG;
use nexus_economy::ledger::organ::READ_ON_DEMAND;
use nexus_machine::{Snapshot, TableId, Write};
use redb::{
    Database, ReadOnlyDatabase, ReadableDatabase, ReadableTable as _, TableDefinition, WriteTransaction,
};
use thiserror::Error;

/// The database within its directory.
pub(crate) const FILE: &str = "state.redb";
/// Table number and key → value.
const VALUES: TableDefinition<'_, (u8, &[u8]), &[u8]> = TableDefinition::new("values");
/// One entry: the schema's version.
const SCHEMA: TableDefinition<'_, &str, u32> = TableDefinition::new("schema");
/// How much of the database is kept in memory at most, in bytes: everything is read once, at the start, and little is
/// written at a time. (Left to itself it would take up to a gigabyte.)
const CACHE_BYTES: usize = 1024 * 1024;
/// The version that this program writes.
const VERSION: u32 = 1;

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It was written by a later version of this program.
    #[error(
        "{path} was written by a later version of NEXUS (schema {found}, this program knows {VERSION}): update this program"
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
    },
    /// The database cannot be opened or written.
    #[error("the store {path} cannot be used: {cause}")]
    Database {
        /// The store's file.
        path: PathBuf,
        /// What the database says.
        cause: Box<redb::Error>,
    },
    /// The directory cannot be made.
    #[error("the directory {path} cannot be made: {cause}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}

/// An open store. Only one process can hold it.
#[derive(Debug)]
pub struct Store {
    database: Arc<Database>,
    path: PathBuf,
}

/// Reads what is durable while the store is in use.
#[derive(Clone, Debug)]
pub struct Reader {
    database: Arc<Database>,
    path: PathBuf,
}

/// Takes a store from one schema version to the next.
type Upgrade = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// The schema that a program knows: one upgrade for each version before its own.
#[derive(Clone, Copy, Debug)]
struct Schema {
    version: u32,
    /// The first takes version 1 to version 2.
    upgrades: &'static [Upgrade],
}

/// Version 1 is the first: no store of an older one was ever written.
const SCHEMA_OF_THIS_PROGRAM: Schema = Schema { version: VERSION, upgrades: &[] };

impl Store {
    /// Opens or creates the store in `directory`, upgrades it if it is of an older version, and reads what is durable.
    pub fn open(directory: &Path) -> Result<(Self, Snapshot), StoreError> {
        Self::open_as(directory, SCHEMA_OF_THIS_PROGRAM)
    }

    fn open_as(directory: &Path, schema: Schema) -> Result<(Self, Snapshot), StoreError> {
        std::fs::create_dir_all(directory)
            .map_err(|cause| StoreError::Directory { path: directory.to_owned(), cause })?;
        let path = directory.join(FILE);
        let refused =
            |cause: redb::Error| StoreError::Database { path: path.clone(), cause: Box::new(cause) };
        if !path.exists() {
            create(directory, &path, schema).map_err(refused)?;
        }
        // Opened for writing, a store is tidied up by the database: one of a later version is left as it is.
        if let Some(found) = version_at_rest(&path)
            && found > schema.version
        {
            return Err(StoreError::Newer { path, found });
        }
        let opened = Database::builder().set_cache_size(CACHE_BYTES).open(&path);
        let database = opened.map_err(|cause| refused(cause.into()))?;
        let store = Self { database: Arc::new(database), path: path.clone() };
        let found = store.version().map_err(refused)?;
        if found > schema.version {
            return Err(StoreError::Newer { path, found });
        }
        store.upgrade(found, schema).map_err(refused)?;
        let snapshot = store.reader().start()?;
        Ok((store, snapshot))
    }

    /// Reads beside whoever writes.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { database: Arc::clone(&self.database), path: self.path.clone() }
    }

    /// Makes `writes` durable, all or none.
    pub fn apply(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.commit(writes).map_err(|cause| self.database_error(cause))
    }

    fn version(&self) -> Result<u32, redb::Error> {
        version_in(&*self.database)
    }

    /// All steps in one transaction: after a crash the store is of the old version or of the later one.
    fn upgrade(&self, found: u32, schema: Schema) -> Result<(), redb::Error> {
        if found == schema.version {
            return Ok(());
        }
        let transaction = self.database.begin_write()?;
        let done = usize::try_from(found.saturating_sub(1)).unwrap_or(usize::MAX);
        for upgrade in schema.upgrades.iter().skip(done) {
            upgrade(&transaction)?;
        }
        transaction.open_table(SCHEMA)?.insert("version", schema.version)?;
        transaction.commit()?;
        Ok(())
    }

    fn commit(&self, writes: &[Write]) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut values = transaction.open_table(VALUES)?;
            for Write { table, key, value } in writes {
                match value {
                    Some(value) => values.insert((table.0, key.as_slice()), value.as_slice())?,
                    None => values.remove((table.0, key.as_slice()))?,
                };
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn database_error(&self, cause: redb::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), cause: Box::new(cause) }
    }
}

impl Reader {
    /// All that is durable at one moment.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.read(|_| true).map_err(|cause| self.refused(cause))
    }

    /// All that is durable at one moment, but for what a node reads when it needs it, and for the logs of channels, which grow.
    pub fn start(&self) -> Result<Snapshot, StoreError> {
        let is_read = |table| !READ_ON_DEMAND.contains(&table) && table != LOG;
        self.read(is_read).map_err(|cause| self.refused(cause))
    }

    /// What lies in a table under keys that begin so, in their order, one value after another.
    pub fn each(
        &self,
        table: TableId,
        prefix: &[u8],
        mut what: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        let mut read = || -> Result<(), redb::Error> {
            let values = self.database.begin_read()?.open_table(VALUES)?;
            for entry in values.range((table.0, prefix)..)? {
                let (key, value) = entry?;
                let (of, key) = key.value();
                if of != table.0 || !key.starts_with(prefix) {
                    break;
                }
                what(value.value()).map_err(redb::Error::Io)?;
            }
            Ok(())
        };
        read().map_err(|cause| self.refused(cause))
    }

    /// What lies under a key.
    pub fn value(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let get = || -> Result<Option<Vec<u8>>, redb::Error> {
            let values = self.database.begin_read()?.open_table(VALUES)?;
            Ok(values.get((table.0, key))?.map(|value| value.value().to_vec()))
        };
        get().map_err(|cause| self.refused(cause))
    }

    fn refused(&self, cause: redb::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), cause: Box::new(cause) }
    }

    fn read(&self, is_read: impl Fn(TableId) -> bool) -> Result<Snapshot, redb::Error> {
        let mut snapshot = Snapshot::empty();
        for entry in self.database.begin_read()?.open_table(VALUES)?.iter()? {
            let (key, value) = entry?;
            let (table, key) = key.value();
            if !is_read(TableId(table)) {
                continue;
            }
            snapshot.apply(Write::set(TableId(table), key, value.value().to_vec()));
        }
        Ok(snapshot)
    }
}

/// The version of a store that was closed in order; none if it was not, or is in use.
fn version_at_rest(path: &Path) -> Option<u32> {
    version_in(&ReadOnlyDatabase::open(path).ok()?).ok()
}

fn version_in(database: &impl ReadableDatabase) -> Result<u32, redb::Error> {
    let schema = database.begin_read()?.open_table(SCHEMA)?;
    let version = schema.get("version")?.map(|version| version.value());
    Ok(version.unwrap_or(VERSION))
}

/// Makes an empty store beside its place and moves it there when it is whole: what a full disk cut short is never opened.
fn create(directory: &Path, path: &Path, schema: Schema) -> Result<(), redb::Error> {
    let beside = directory.join("state.redb.new");
    if beside.exists() {
        std::fs::remove_file(&beside).map_err(redb::Error::Io)?;
    }
    let made = initialise(&beside, schema);
    if made.is_err() {
        let _left_for_the_next_start = std::fs::remove_file(&beside);
        return made;
    }
    std::fs::rename(&beside, path).and_then(|()| File::open(directory)?.sync_all()).map_err(redb::Error::Io)
}

fn initialise(path: &Path, schema: Schema) -> Result<(), redb::Error> {
    let database = Database::create(path)?;
    let transaction = database.begin_write()?;
    transaction.open_table(SCHEMA)?.insert("version", schema.version)?;
    transaction.open_table(VALUES)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_applied_is_there_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let (store, snapshot) = Store::open(directory.path()).unwrap();
        assert_eq!(snapshot, Snapshot::empty());
        store
            .apply(&[
                Write::set(TableId(1), b"a", b"1".to_vec()),
                Write::set(TableId(2), b"a", b"2".to_vec()),
            ])
            .unwrap();
        store.apply(&[Write::delete(TableId(1), b"a"), Write::set(TableId(1), b"b", b"3".to_vec())]).unwrap();
        drop(store);
        let (_, snapshot) = Store::open(directory.path()).unwrap();
        let values: Vec<_> = snapshot.iter().collect();
        assert_eq!(values, [(TableId(1), &b"b"[..], &b"3"[..]), (TableId(2), &b"a"[..], &b"2"[..])]);
    }

    #[test]
    fn a_store_of_a_later_version_is_refused_with_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        let transaction = store.database.begin_write().unwrap();
        transaction.open_table(SCHEMA).unwrap().insert("version", VERSION + 1).unwrap();
        transaction.commit().unwrap();
        drop(store);
        let refusal = Store::open(directory.path()).unwrap_err().to_string();
        assert!(refusal.contains("later version of NEXUS (schema 2, this program knows 1)"), "{refusal}");
    }

    #[test]
    fn a_store_of_an_older_version_is_upgraded_step_by_step_and_keeps_its_values() {
        fn note(transaction: &WriteTransaction, step: &[u8]) -> Result<(), redb::Error> {
            transaction.open_table(VALUES)?.insert((9, step), &b"done"[..])?;
            Ok(())
        }
        const LATER: Schema =
            Schema { version: 3, upgrades: &[|step| note(step, b"to 2"), |step| note(step, b"to 3")] };
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        store.apply(&[Write::set(TableId(1), b"a", b"1".to_vec())]).unwrap();
        drop(store);
        let (store, snapshot) = Store::open_as(directory.path(), LATER).unwrap();
        assert_eq!(store.version().unwrap(), 3);
        let values: Vec<_> = snapshot.iter().map(|(table, key, _)| (table.0, key)).collect();
        assert_eq!(values, [(1, &b"a"[..]), (9, b"to 2"), (9, b"to 3")]);
        store.apply(&[Write::delete(TableId(9), b"to 2")]).unwrap();
        drop(store);
        let (_, snapshot) = Store::open_as(directory.path(), LATER).unwrap();
        assert_eq!(snapshot.iter().count(), 2, "no step is done twice");
    }

    #[test]
    fn what_was_cut_short_while_it_was_made_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("state.redb.new"), b"redb\x1a half").unwrap();
        let (store, snapshot) = Store::open(directory.path()).unwrap();
        assert_eq!(snapshot, Snapshot::empty());
        assert!(!directory.path().join("state.redb.new").exists());
        drop(store);
    }

    #[test]
    fn logs_of_channels_are_read_on_their_own_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        let key = |channel: u8, sequence: u64| [&[channel; 16][..], &sequence.to_be_bytes()].concat();
        for sequence in [300, 2, 70_000] {
            store.apply(&[Write::set(LOG, &key(7, sequence), sequence.to_le_bytes().to_vec())]).unwrap();
        }
        store.apply(&[Write::set(LOG, &key(8, 1), vec![0; 8])]).unwrap();
        store.apply(&[Write::set(TableId(LOG.0 + 1), &[7; 16], vec![0; 8])]).unwrap();
        let mut read = Vec::new();
        let each = |value: &[u8]| {
            read.push(u64::from_le_bytes(value.try_into().unwrap()));
            Ok(())
        };
        store.reader().each(LOG, &[7; 16], each).unwrap();
        assert_eq!(read, [2, 300, 70_000]);
        assert_eq!(store.reader().start().unwrap().scan(LOG).count(), 0, "a node does not hold them");
        assert_eq!(store.reader().snapshot().unwrap().scan(LOG).count(), 4, "a backup does");
    }

    #[test]
    fn a_second_process_cannot_open_it() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Store::open(directory.path()).unwrap();
        let refusal = Store::open(directory.path()).unwrap_err().to_string();
        assert!(refusal.contains("cannot be used"), "{refusal}");
    }
}
