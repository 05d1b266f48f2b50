//! What must survive, in an embedded database under one directory.
//!
//! A ticket is one transaction, synced before it is acknowledged: after a crash it is there whole or not at all.

use std::path::{Path, PathBuf};

use nexus_machine::{Snapshot, TableId, Write};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use thiserror::Error;

/// The database within its directory.
pub(crate) const FILE: &str = "state.redb";
/// Table number and key → value.
const VALUES: TableDefinition<'_, (u8, &[u8]), &[u8]> = TableDefinition::new("values");
/// One entry: the schema's version.
const SCHEMA: TableDefinition<'_, &str, u32> = TableDefinition::new("schema");
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
    database: Database,
    path: PathBuf,
}

impl Store {
    /// Opens or creates the store in `directory` and reads what is durable.
    pub fn open(directory: &Path) -> Result<(Self, Snapshot), StoreError> {
        std::fs::create_dir_all(directory)
            .map_err(|cause| StoreError::Directory { path: directory.to_owned(), cause })?;
        let path = directory.join(FILE);
        let opened = Database::create(&path).map_err(redb::Error::from);
        let store = match opened {
            Ok(database) => Self { database, path },
            Err(cause) => return Err(StoreError::Database { path, cause: Box::new(cause) }),
        };
        let found = store.schema().map_err(|cause| store.database_error(cause))?;
        if found > VERSION {
            return Err(StoreError::Newer { path: store.path, found });
        }
        let snapshot = store.read().map_err(|cause| store.database_error(cause))?;
        Ok((store, snapshot))
    }

    /// Makes `writes` durable, all or none.
    pub fn apply(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.commit(writes).map_err(|cause| self.database_error(cause))
    }

    /// The schema's version, written if the store is new.
    fn schema(&self) -> Result<u32, redb::Error> {
        let transaction = self.database.begin_write()?;
        let version = {
            let mut schema = transaction.open_table(SCHEMA)?;
            let found = schema.get("version")?.map(|version| version.value());
            if found.is_none() {
                schema.insert("version", VERSION)?;
            }
            transaction.open_table(VALUES)?;
            found.unwrap_or(VERSION)
        };
        transaction.commit()?;
        Ok(version)
    }

    fn read(&self) -> Result<Snapshot, redb::Error> {
        let mut snapshot = Snapshot::empty();
        for entry in self.database.begin_read()?.open_table(VALUES)?.iter()? {
            let (key, value) = entry?;
            let (table, key) = key.value();
            snapshot.apply(Write::set(TableId(table), key, value.value().to_vec()));
        }
        Ok(snapshot)
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
    fn a_second_process_cannot_open_it() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Store::open(directory.path()).unwrap();
        let refusal = Store::open(directory.path()).unwrap_err().to_string();
        assert!(refusal.contains("cannot be used"), "{refusal}");
    }
}
