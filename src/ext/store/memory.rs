//! A store in this process's memory.

use std::collections::BTreeMap;
use std::ops::Range;

use super::changes::Changes;
use super::contract::{Durability, Limit, Order, Progress, Row, Store};
use super::error::StoreError;

/// A store that lives as long as its value.
///
/// For messages that must survive links but not the process, and for tests. `Clone` copies all rows.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
    capacity: Option<usize>,
}

impl MemoryStore {
    /// An empty one without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that takes so many bytes of keys and values, and then is [`StoreError::Full`].
    pub fn with_capacity(bytes: usize) -> Self {
        MemoryStore {
            capacity: Some(bytes),
            ..Self::default()
        }
    }

    /// Bytes of all keys and values.
    pub fn byte_len(&self) -> usize {
        self.bytes
    }

    /// The size after these changes.
    fn size_with(&self, changes: &Changes) -> usize {
        changes.iter().fold(self.bytes, |bytes, (key, value)| {
            let before = self.rows.get(key).map_or(0, |old| key.len() + old.len());
            let after = value.as_ref().map_or(0, |value| key.len() + value.len());
            bytes - before + after
        })
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let bytes = self.size_with(changes);
        if let Some(capacity) = self.capacity
            && bytes > capacity
            && bytes > self.bytes
        {
            return Err(StoreError::Full(format!("{bytes} of {capacity} bytes")));
        }
        for (key, value) in changes {
            match value {
                Some(value) => self.rows.insert(key.clone(), value.to_vec()),
                None => self.rows.remove(key),
            };
        }
        self.bytes = bytes;
        Ok(())
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.get(key).cloned())
    }

    fn scan(
        &mut self,
        range: Range<&[u8]>,
        order: Order,
        limit: Limit,
    ) -> Result<Vec<Row>, StoreError> {
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let mut left = limit;
        let fits = |(key, value): &(&Vec<u8>, &Vec<u8>)| {
            let size = key.len() + value.len();
            let fits = left.rows > 0 && (size <= left.bytes || left == limit);
            left.rows = left.rows.saturating_sub(1);
            left.bytes = left.bytes.saturating_sub(size);
            fits
        };
        let rows = self.rows.range::<[u8], _>((
            std::ops::Bound::Included(range.start),
            std::ops::Bound::Excluded(range.end),
        ));
        let owned = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        Ok(match order {
            Order::Forward => rows.take_while(fits).map(owned).collect(),
            Order::Backward => rows.rev().take_while(fits).map(owned).collect(),
        })
    }

    fn durability(&self) -> Durability {
        Durability::Process
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn verify(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
        let rows = self.rows.len() as u64;
        progress(Progress::new(rows, Some(rows)));
        Ok(())
    }

    fn name(&self) -> String {
        "memory".into()
    }
}
