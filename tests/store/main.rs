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

use taipan::ext::store::{MemoryStore, Store, StoreError};

/// Where stores can be opened by name.
pub trait Place {
    /// Opens the store with this name, or makes it.
    fn open(&self, name: &str) -> Result<Box<dyn Store>, StoreError>;

    /// Whether a store is still there after it was closed.
    fn keeps(&self) -> bool;
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
