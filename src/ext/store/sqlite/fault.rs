//! What SQLite's errors mean to the owner of a store.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use super::super::error::StoreError;

/// Free space below which an error of input or output is put down to a full disk, in bytes. SQLite itself tells a full disk
/// only when writing; elsewhere (truncating, syncing) it is one error among many.
const NO_SPACE: u64 = 1 << 16;

/// The error of a store at a path.
pub(super) fn fault(path: &Path, error: Error) -> StoreError {
    let at = |what: String| format!("{}: {what}", path.display());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(at(error.to_string())),
        Some(ErrorCode::SystemIoFailure) if disk_is_full(path) => {
            StoreError::Full(at(error.to_string()))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Locked(path.display().to_string())
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt(at(error.to_string()))
        }
        _ => StoreError::Failed(Box::new(error)),
    }
}

fn disk_is_full(path: &Path) -> bool {
    rustix::fs::statvfs(path)
        .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < NO_SPACE)
}
