//! What can go wrong with a store, and whose fault it is.

use std::error::Error;
use std::fmt;

/// Why a store did not do what it was asked for. Nothing of what was asked has happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room left: a full disk, or the limit of the store.
    Full(String),
    /// Another process, or another value of this one, has it open.
    Locked(String),
    /// What is there is damaged, or is no store at all. It was left as it is.
    Corrupt(String),
    /// Made by another version of this library.
    Version {
        /// The version of what is there.
        found: u64,
        /// The version that this library reads and writes.
        known: u64,
    },
    /// The server of the store cannot be reached (any more).
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The system or the engine refused, for another reason.
    Failed(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Full(what) => write!(f, "no room: {what}"),
            StoreError::Locked(what) => write!(f, "in use by another: {what}"),
            StoreError::Corrupt(what) => write!(f, "damaged: {what}"),
            StoreError::Version { found, known } => {
                write!(
                    f,
                    "made by another version: format {found}, {known} is known"
                )
            }
            StoreError::Unavailable(error) => write!(f, "not reachable: {error}"),
            StoreError::Failed(error) => write!(f, "failed: {error}"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StoreError::Unavailable(error) | StoreError::Failed(error) => Some(&**error),
            _ => None,
        }
    }
}
