//! Whether a file is what it was when it was written.

use std::path::Path;
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;

use super::super::contract::Progress;
use super::super::error::StoreError;
use super::fault::fault;
use super::row_sum::row_sum;

/// Steps of SQLite between two reports. While it checks pages a step is one page, without those that hold only the rest of a
/// large value; then it looks at each row, in some steps more.
const STEPS: u32 = 256;

/// SQLite's own check of the pages; with `full` also that the index and the rows agree, and then the sums of all rows.
pub(super) fn check(
    connection: &mut Connection,
    path: &Path,
    full: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), StoreError> {
    let pages = count(connection, "PRAGMA page_count").map_err(|error| fault(path, error))?;
    let of = Some(if full { 2 * pages } else { pages });
    let what = if full {
        "PRAGMA integrity_check(1)"
    } else {
        "PRAGMA quick_check(1)"
    };
    let found = ask(connection, what, &mut |steps| {
        progress(Progress::new(steps.min(pages), of));
    });
    let found = found.map_err(|error| fault(path, error))?;
    if found != "ok" {
        return Err(StoreError::Corrupt(format!("{}: {found}", path.display())));
    }
    progress(Progress::new(pages, of));
    if full {
        let size = count(connection, "PRAGMA page_size").map_err(|error| fault(path, error))?;
        sums(connection, path, &mut |bytes| {
            progress(Progress::new(pages + (bytes / size).min(pages), of));
        })?;
        progress(Progress::new(2 * pages, of));
    }
    Ok(())
}

fn count(connection: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    connection.query_row(pragma, [], |row| row.get(0))
}

/// Runs a check on a thread of its own, because SQLite reports only to what may outlive this call.
fn ask(
    connection: &mut Connection,
    pragma: &str,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<String> {
    let (report, reports) = mpsc::channel();
    thread::scope(|scope| {
        let answer = scope.spawn(move || {
            let mut steps = 0;
            let step = move || {
                steps += u64::from(STEPS);
                // Nobody listens any more: the callback has panicked, and the check ends here.
                report.send(steps).is_err()
            };
            connection.progress_handler(STEPS.cast_signed(), Some(step));
            let answer = connection.query_row(pragma, [], |row| row.get(0));
            connection.progress_handler(0, None::<fn() -> bool>);
            answer
        });
        for steps in reports {
            progress(steps);
        }
        match answer.join() {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Compares the sums of all rows; reports the bytes of keys and values that were read.
fn sums(
    connection: &Connection,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(), StoreError> {
    let mut read = || -> rusqlite::Result<Result<(), StoreError>> {
        let mut statement = connection.prepare("SELECT key, sum, value FROM rows")?;
        let mut rows = statement.query([])?;
        let (mut bytes, mut told) = (0, 0);
        while let Some(row) = rows.next()? {
            let (key, value) = (row.get_ref(0)?.as_blob()?, row.get_ref(2)?.as_blob()?);
            if row_sum(key, value) != row.get::<_, i64>(1)? {
                return Ok(Err(changed(path, key)));
            }
            bytes += (key.len() + value.len()) as u64;
            if bytes - told >= 1 << 22 {
                told = bytes;
                progress(bytes);
            }
        }
        Ok(Ok(()))
    };
    read().map_err(|error| fault(path, error))?
}

/// The error for a row that is not as it was written.
pub(super) fn changed(path: &Path, key: &[u8]) -> StoreError {
    StoreError::Corrupt(format!(
        "{}: the row {} is not as it was written",
        path.display(),
        key.escape_ascii()
    ))
}
