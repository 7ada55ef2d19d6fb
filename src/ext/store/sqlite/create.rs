//! A new file, whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OpenFlags};

use super::super::error::StoreError;
use super::fault::fault;

/// Marks a file as a store of this library: "taip".
pub(super) const APPLICATION: u32 = 0x7461_6970;

/// The layout of the rows that this library reads and writes.
pub(super) const FORMAT: u32 = 1;

/// Bytes of a page.
pub(super) const PAGE: u64 = 8192;

/// A path as SQLite sees it: it puts the log beside the file itself, not beside a link to it. And an absolute one, because some
/// relative ones (`:memory:`, `file:...`) mean no file to it.
pub(super) fn resolved(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(path),
        found => found,
    }
}

/// The path with more at its end.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes an empty store, unless there is a file already.
///
/// SQLite takes a file without a byte for a new database, and so an accident for a beginning. Here a file gets its name when
/// it is complete, and one without a byte is damage. Nobody sees it half made either: not a second process that comes at the
/// same moment, not the next run after this one was killed.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let draft = beside(path, &format!(".new-{}-{number}", std::process::id()));
    let made = remove(&draft)
        .and_then(|()| fill(&draft))
        .and_then(|()| publish(&draft, path));
    let removed = remove(&draft);
    made.and(removed)
}

fn remove(draft: &Path) -> Result<(), StoreError> {
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(system(error)),
        _ => Ok(()),
    }
}

fn fill(draft: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // The journal in memory: a draft that was cut short is thrown away, not repaired.
    let batch = format!(
        "PRAGMA page_size = {PAGE};
         PRAGMA journal_mode = MEMORY;
         PRAGMA synchronous = FULL;
         BEGIN;
         PRAGMA application_id = {APPLICATION};
         PRAGMA user_version = {FORMAT};
         CREATE TABLE rows(key BLOB NOT NULL UNIQUE, sum INTEGER NOT NULL, value BLOB NOT NULL);
         COMMIT;
         PRAGMA journal_mode = WAL;"
    );
    Connection::open_with_flags(draft, flags)
        .and_then(|connection| {
            connection.execute_batch(&batch)?;
            connection.close().map_err(|(_, error)| error)
        })
        .map_err(|error| fault(draft, error))
}

fn publish(draft: &Path, path: &Path) -> Result<(), StoreError> {
    // A link, unlike a rename, never replaces a file that came meanwhile.
    match fs::hard_link(draft, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        // Not every file system has links.
        Err(_) if !path.exists() => fs::rename(draft, path).map_err(system)?,
        Err(error) => return Err(system(error)),
    }
    sync_folder(path)
}

/// Puts the names in the folder of a file on disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(system)
}

/// An error of the system.
pub(super) fn system(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full(error.to_string())
        }
        _ => StoreError::Failed(Box::new(error)),
    }
}
