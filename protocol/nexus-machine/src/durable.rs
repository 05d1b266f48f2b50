//! What leaves the core for the disk, and what comes back at the next start.
//!
//! The store is a handful of small tables of keys and values. A write replaces or deletes one value; the host applies the
//! writes of one ticket all or none, ticket by ticket in order. Source: spec/machine.md#durability.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

/// One table of the store. The numbers are part of the on-disk schema and are never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TableId(pub u8);

/// One value set or deleted. Values may be secret: they are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Write {
    /// The table.
    pub table: TableId,
    /// The key in the table.
    pub key: Vec<u8>,
    /// The value from now on; `None` deletes the key.
    pub value: Option<Vec<u8>>,
}

impl Write {
    /// Sets `key` to `value`.
    #[must_use]
    pub fn set(table: TableId, key: &[u8], value: Vec<u8>) -> Self {
        Self { table, key: key.to_vec(), value: Some(value) }
    }

    /// Deletes `key`.
    #[must_use]
    pub fn delete(table: TableId, key: &[u8]) -> Self {
        Self { table, key: key.to_vec(), value: None }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_ref().map(|value| alloc::format!("{} bytes", value.len()));
        f.debug_struct("Write")
            .field("table", &self.table.0)
            .field("key", &self.key)
            .field("value", &value)
            .finish()
    }
}

/// What was durable when the node was last stopped, as the host read it back: handed in at construction. Never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    values: BTreeMap<(TableId, Vec<u8>), Vec<u8>>,
}

impl Snapshot {
    /// A store that holds nothing: the first start.
    #[must_use]
    pub const fn empty() -> Self {
        Self { values: BTreeMap::new() }
    }

    /// Applies one write.
    pub fn apply(&mut self, write: Write) {
        match write.value {
            Some(value) => self.values.insert((write.table, write.key), value),
            None => self.values.remove(&(write.table, write.key)),
        };
    }

    /// The value of `key` in `table`.
    #[must_use]
    pub fn get(&self, table: TableId, key: &[u8]) -> Option<&[u8]> {
        self.values.get(&(table, key.to_vec())).map(Vec::as_slice)
    }

    /// Takes out all tables from this one on.
    #[must_use]
    pub fn split_off(&mut self, table: TableId) -> Self {
        Self { values: self.values.split_off(&(table, Vec::new())) }
    }

    /// All keys and values of `table`, by key.
    pub fn scan(&self, table: TableId) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.values
            .range((table, Vec::new())..)
            .take_while(move |((of, _), _)| *of == table)
            .map(|((_, key), value)| (key.as_slice(), value.as_slice()))
    }

    /// Everything, table by table, by key.
    pub fn iter(&self) -> impl Iterator<Item = (TableId, &[u8], &[u8])> {
        self.values.iter().map(|((table, key), value)| (*table, key.as_slice(), value.as_slice()))
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} values)", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn what_is_stored_is_never_printed() {
        let write = Write::set(TableId(3), &[1], alloc::vec![0xab; 32]);
        let printed = format!("{write:?}");
        assert_eq!(printed, "Write { table: 3, key: [1], value: Some(\"32 bytes\") }");
        let mut snapshot = Snapshot::empty();
        snapshot.apply(write);
        assert_eq!(format!("{snapshot:?}"), "Snapshot(1 values)");
    }

    #[test]
    fn a_snapshot_is_the_sum_of_its_writes_table_by_table() {
        let (one, two) = (TableId(1), TableId(2));
        let mut snapshot = Snapshot::empty();
        snapshot.apply(Write::set(one, b"b", b"first".to_vec()));
        snapshot.apply(Write::set(one, b"b", b"second".to_vec()));
        snapshot.apply(Write::set(one, b"a", b"x".to_vec()));
        snapshot.apply(Write::set(two, b"b", b"other".to_vec()));
        snapshot.apply(Write::delete(two, b"none"));
        assert_eq!(snapshot.get(one, b"b"), Some(&b"second"[..]));
        assert_eq!(
            snapshot.scan(one).collect::<Vec<_>>(),
            [(&b"a"[..], &b"x"[..]), (&b"b"[..], &b"second"[..])]
        );
        snapshot.apply(Write::delete(one, b"b"));
        assert_eq!(snapshot.iter().count(), 2);
        let rest = snapshot.split_off(two);
        assert_eq!((snapshot.iter().count(), rest.iter().count()), (1, 1));
        assert_eq!(rest.get(two, b"b"), Some(&b"other"[..]));
    }
}
