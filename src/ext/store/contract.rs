//! What a store promises.

use std::ops::Range;
use std::time::Duration;

use super::changes::Changes;
use super::error::StoreError;

/// A row: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// What an `Ok` of [`Store::commit`] is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Gone with the process.
    Process,
    /// Survives the process, kill -9 included; survives the machine from the next [`Store::sync`] on, for which whoever owns
    /// the store calls at least so often. `None`: never.
    Machine(Option<Duration>),
    /// On disk, whatever happens to process or machine.
    Disk,
}

/// In which order [`Store::scan`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key on.
    Forward,
    /// From the largest key back.
    Backward,
}

/// How much [`Store::scan`] reads at most. It reads one row, whatever its size, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Rows.
    pub rows: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl Limit {
    /// So many rows of any size.
    pub fn rows(rows: usize) -> Self {
        Limit {
            rows,
            bytes: usize::MAX,
        }
    }
}

/// How far long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Units done: rows, or pages of a file.
    pub done: u64,
    /// Units in all, if that is known.
    pub of: Option<u64>,
}

impl Progress {
    /// So far.
    pub fn new(done: u64, of: Option<u64>) -> Self {
        Progress { done, of }
    }
}

/// An ordered map from bytes to bytes with atomic batches.
///
/// Keys compare as bytes, are at most 1 KiB long and never empty; values are at most 512 MiB long and may be empty. One owner
/// at a time: opening a store that another process (or another value of this one) has open fails with
/// [`StoreError::Locked`]. Calls may block, and come from one thread at a time, not always the same.
pub trait Store: Send + 'static {
    /// Applies all changes or, with an error, none. What `Ok` is worth is said by [`durability`](Self::durability).
    ///
    /// After an error the store goes on: the same changes may be committed again later.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] when there is no room; whatever else became of the engine.
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError>;

    /// One value.
    ///
    /// # Errors
    ///
    /// Whatever became of the engine.
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Rows whose keys are in the range (start included, end not), up to a limit.
    ///
    /// # Errors
    ///
    /// Whatever became of the engine.
    fn scan(
        &mut self,
        range: Range<&[u8]>,
        order: Order,
        limit: Limit,
    ) -> Result<Vec<Row>, StoreError>;

    /// What a commit guarantees.
    fn durability(&self) -> Durability;

    /// Everything that was committed is on disk afterwards, if this store can do that at all.
    ///
    /// # Errors
    ///
    /// Whatever became of the engine.
    fn sync(&mut self) -> Result<(), StoreError>;

    /// Reads everything and checks what the engine can check; tells now and then how far it is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] with what was found.
    fn verify(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError>;

    /// What it is and where, for people.
    fn name(&self) -> String;
}
