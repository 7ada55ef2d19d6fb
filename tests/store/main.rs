//! Stores: one suite for what every store promises, and for each engine what it alone has to stand.
//!
//! PostgreSQL is a real server: the one that `TAIPAN_POSTGRES` names, or one that `.ci/postgres` starts for these tests.

mod cluster;
mod contract;
mod damage;
mod kill;
mod oracle;
mod postgres;
mod sqlite;

use taipan::ext::store::{Changes, Limit, MemoryStore, Order, Row, Store, StoreError};

/// No limit.
pub const ALL: Limit = Limit {
    rows: usize::MAX,
    bytes: usize::MAX,
};

/// After all keys that the cases use.
pub const END: &[u8] = &[0xFF; 1025];

/// Where stores can be opened by name.
pub trait Place {
    /// Opens the store with this name, or makes it.
    fn open(&self, name: &str) -> Result<Box<dyn Store>, StoreError>;

    /// Whether a store is still there after it was closed.
    fn keeps(&self) -> bool;
}

/// Changes that write these rows.
pub fn puts<'a>(rows: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Changes {
    let mut changes = Changes::new();
    for (key, value) in rows {
        changes.put(key, value.to_vec());
    }
    changes
}

/// All rows.
pub fn contents(store: &mut dyn Store) -> Vec<Row> {
    store.scan(b""..END, Order::Forward, ALL).unwrap()
}

/// A value that is like no other one.
pub fn value(seed: usize, len: usize) -> Vec<u8> {
    let mut state = seed as u64 | 1;
    let mut value = Vec::with_capacity(len + 8);
    while value.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        value.extend_from_slice(&state.to_le_bytes());
    }
    value.truncate(len);
    value
}

struct Memory;

impl Place for Memory {
    fn open(&self, _: &str) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(MemoryStore::new()))
    }

    fn keeps(&self) -> bool {
        false
    }
}

#[test]
fn memory_keeps_the_contract() {
    contract::all(&Memory);
}
