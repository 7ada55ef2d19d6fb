//! What one commit changes.

use std::collections::BTreeMap;
use std::collections::btree_map;

use bytes::Bytes;

/// Rows to write and to remove, applied together or not at all.
///
/// The last word on a key counts. Iterates in the order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    rows: BTreeMap<Vec<u8>, Option<Bytes>>,
    bytes: usize,
}

impl Changes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a row, whether it exists or not.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Bytes>) {
        self.set(key.into(), Some(value.into()));
    }

    /// Removes a row, if it exists.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) {
        self.set(key.into(), None);
    }

    fn set(&mut self, key: Vec<u8>, value: Option<Bytes>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        self.rows.insert(key, value);
    }

    /// Applies `later` on top of these.
    pub fn merge(&mut self, later: Changes) {
        self.bytes += later.bytes;
        if self.rows.is_empty() {
            self.rows = later.rows;
        } else {
            self.rows.extend(later.rows);
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Keys that change.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// About how many bytes it takes: those of all keys and values that were given.
    pub fn byte_len(&self) -> usize {
        self.bytes
    }

    /// The changes in the order of their keys: `Some` writes, `None` removes.
    pub fn iter(&self) -> btree_map::Iter<'_, Vec<u8>, Option<Bytes>> {
        self.rows.iter()
    }
}

impl<'a> IntoIterator for &'a Changes {
    type Item = (&'a Vec<u8>, &'a Option<Bytes>);
    type IntoIter = btree_map::Iter<'a, Vec<u8>, Option<Bytes>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
