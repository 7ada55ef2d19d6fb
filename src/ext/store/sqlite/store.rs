//! The store itself: one table, one transaction for each commit.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::super::changes::Changes;
use super::super::contract::{Durability, Limit, Order, Progress, Row, Store};
use super::super::error::StoreError;
use super::check::{changed, check};
use super::create::{APPLICATION, FORMAT, PAGE, beside, create, resolved, sync_folder, system};
use super::fault::fault;
use super::options::{Check, Sync};
use super::row_sum::row_sum;

/// Pages in the log before they are carried over into the file: 16 MiB, so that a row which is written and soon removed
/// seldom goes further than the log.
const CHECKPOINT: u64 = (16 << 20) / PAGE;

/// Bytes that the log keeps of what one large commit made of it.
const LOG: u64 = 64 << 20;

/// KiB of pages in memory.
const CACHE: u64 = 16 << 10;

/// A store in a SQLite file, with its log (`PATH-wal`) beside it while it is open.
///
/// On a full disk every commit needs some room, also one that only deletes: it goes through the log.
///
/// One store has the file at a time; a second one, of this or another process, is [`StoreError::Locked`]. Each row carries a
/// sum, so that what is read is what was written or [`StoreError::Corrupt`].
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    name: String,
    sync: Sync,
    /// Open as long as the store. It is the log that is synced, never the file: closing a second handle of the file would
    /// give up SQLite's lock on it.
    log: File,
}

/// What a [`SqliteStore`] is opened with.
pub struct SqliteBuilder {
    path: PathBuf,
    sync: Sync,
    check: Check,
    create: bool,
    max_bytes: Option<u64>,
    on_progress: Option<Box<dyn FnMut(Progress) + Send>>,
}

/// Not `REPLACE`, which would move the row and change the index.
const PUT: &str = "INSERT INTO rows(key, sum, value) VALUES(?1, ?2, ?3)
    ON CONFLICT(key) DO UPDATE SET sum = excluded.sum, value = excluded.value";

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .field("sync", &self.sync)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SqliteBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteBuilder")
            .field("path", &self.path)
            .field("sync", &self.sync)
            .field("check", &self.check)
            .field("create", &self.create)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

impl SqliteBuilder {
    /// When commits go to the disk. Default: [`Sync::EveryCommit`].
    pub fn sync(mut self, sync: Sync) -> Self {
        self.sync = sync;
        self
    }

    /// What is checked while opening. Default: [`Check::Quick`].
    pub fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Whether a file is made when there is none. Default: yes.
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// The most bytes that the file may have, beyond which the store is [`StoreError::Full`]. The log comes on top: 16 MiB and
    /// the largest commit. A file that is larger already does not grow further. Default: no limit.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Told now and then how far the check is, in pages of the file. Called on the thread that opens.
    pub fn on_progress(mut self, progress: impl FnMut(Progress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(progress));
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another has it open. [`StoreError::Corrupt`] if there is a file that is no store, is empty or
    /// fails the check; it stays as it is. [`StoreError::Version`] if another version of this library made it.
    /// [`StoreError::Full`] if there is no room to make it. [`StoreError::Failed`] with an [`io::Error`] of kind
    /// [`NotFound`](io::ErrorKind::NotFound) if there is none and none is to be made.
    pub fn open(mut self) -> Result<SqliteStore, StoreError> {
        let name = format!("sqlite:{}", self.path.display());
        self.path = resolved(&self.path).map_err(system)?;
        let log = beside(&self.path, "-wal");
        self.find(&log)?;
        let mut connection = self.connect(&log)?;
        let mut silent = |_: Progress| {};
        let progress: &mut dyn FnMut(Progress) = match &mut self.on_progress {
            Some(told) => told,
            None => &mut silent,
        };
        match self.check {
            Check::None => {}
            Check::Quick => check(&mut connection, &self.path, false, progress)?,
            Check::Full => check(&mut connection, &self.path, true, progress)?,
        }
        let log = File::open(log).map_err(system)?;
        sync_folder(&self.path)?;
        Ok(SqliteStore {
            connection,
            path: self.path,
            name,
            sync: self.sync,
            log,
        })
    }

    /// Sees to it that there is a file, and that it can be one of ours.
    fn find(&self, log: &Path) -> Result<(), StoreError> {
        // The log first: while another makes the store, its file is there before its log.
        let logged = Self::size(log)?.unwrap_or(0) > 0;
        match Self::size(&self.path)? {
            None if logged => Err(self.corrupt("there is a log, but no file that it belongs to")),
            None if self.create => create(&self.path),
            None => Err(system(io::ErrorKind::NotFound.into())),
            Some(0) => Err(self.corrupt("the file is empty")),
            Some(_) => Ok(()),
        }
    }

    /// Bytes of a file. It is not opened: closing it would give up SQLite's lock.
    fn size(path: &Path) -> Result<Option<u64>, StoreError> {
        match fs::metadata(path) {
            Ok(file) => Ok(Some(file.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(system(error)),
        }
    }

    fn corrupt(&self, what: &str) -> StoreError {
        StoreError::Corrupt(format!("{}: {what}", self.path.display()))
    }

    /// Opens the file, takes the lock and sees whose file it is.
    fn connect(&self, log: &Path) -> Result<Connection, StoreError> {
        let fault = |error| fault(&self.path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(fault)?;
        connection.busy_timeout(Duration::ZERO).map_err(fault)?;
        // The lock before the first look: from then on there is no index of the log in shared memory either.
        connection
            .execute_batch("PRAGMA locking_mode = EXCLUSIVE;")
            .map_err(fault)?;
        let number = |pragma| {
            connection
                .query_row(pragma, [], |row| row.get::<_, i32>(0))
                .map(i32::cast_unsigned)
                .map_err(fault)
        };
        if number("PRAGMA application_id")? != APPLICATION {
            return Err(self.corrupt("not a store of this library"));
        }
        // A log with something in it may still have the rest of a file that ends within a page.
        let size = u64::from(number("PRAGMA page_size")?);
        let (log, file) = (Self::size(log)?, Self::size(&self.path)?);
        if log == Some(0) && file.is_some_and(|len| len % size != 0) {
            return Err(self.corrupt("the file ends within a page"));
        }
        let found = number("PRAGMA user_version")?;
        if found != FORMAT {
            return Err(StoreError::Version {
                found: found.into(),
                known: FORMAT.into(),
            });
        }
        if !connection.table_exists(None, "rows").map_err(fault)? {
            return Err(self.corrupt("its table is missing"));
        }
        self.tune(&connection).map_err(fault)?;
        Ok(connection)
    }

    fn tune(&self, connection: &Connection) -> rusqlite::Result<()> {
        let synchronous = match self.sync {
            Sync::EveryCommit => "FULL",
            // The log is synced before its pages go into the file, so that the file stays whole.
            Sync::Every(_) | Sync::Never => "NORMAL",
        };
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = {synchronous};
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;
             PRAGMA wal_autocheckpoint = {CHECKPOINT};
             PRAGMA journal_size_limit = {LOG};
             PRAGMA cache_size = -{CACHE};
             PRAGMA temp_store = MEMORY;"
        ))?;
        if let Some(bytes) = self.max_bytes {
            let size: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
            let pages = (bytes / size).clamp(1, u64::from(u32::MAX) - 1);
            connection.execute_batch(&format!("PRAGMA max_page_count = {pages};"))?;
        }
        // Takes the lock even where nothing was to be changed so far, and makes the log.
        connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK;")
    }
}

impl SqliteStore {
    /// Opens the store in a file, or makes it, with the defaults of [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// As [`SqliteBuilder::open`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::builder(path).open()
    }

    /// What to open it with.
    pub fn builder(path: impl Into<PathBuf>) -> SqliteBuilder {
        SqliteBuilder {
            path: path.into(),
            sync: Sync::default(),
            check: Check::default(),
            create: true,
            max_bytes: None,
            on_progress: None,
        }
    }

    /// Carries what is in the log over into the file, so that the log starts anew in the room that it has. Whether it does.
    ///
    /// On a full disk this is where deletes find room, as long as the file need not grow for what was in the log.
    fn carry_over(&self) -> bool {
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
            })
            .unwrap_or(false)
    }

    fn apply(&mut self, changes: &Changes) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = transaction.prepare_cached(PUT)?;
            let mut delete = transaction.prepare_cached("DELETE FROM rows WHERE key = ?1")?;
            for (key, value) in changes {
                match value {
                    Some(value) => put.execute((key, row_sum(key, value), &value[..]))?,
                    None => delete.execute((key,))?,
                };
            }
        }
        transaction.commit()
    }

    fn read(
        &self,
        range: Range<&[u8]>,
        order: Order,
        limit: Limit,
    ) -> rusqlite::Result<Result<Vec<Row>, StoreError>> {
        let mut statement = self.connection.prepare_cached(match order {
            Order::Forward => {
                "SELECT key, sum, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key"
            }
            Order::Backward => {
                "SELECT key, sum, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key DESC"
            }
        })?;
        let mut rows = statement.query((range.start, range.end))?;
        let (mut read, mut bytes) = (Vec::new(), 0_usize);
        while read.len() < limit.rows
            && let Some(row) = rows.next()?
        {
            let (key, value) = (row.get_ref(0)?.as_blob()?, row.get_ref(2)?.as_blob()?);
            bytes = bytes.saturating_add(key.len() + value.len());
            if bytes > limit.bytes && !read.is_empty() {
                break;
            }
            if row_sum(key, value) != row.get::<_, i64>(1)? {
                return Ok(Err(changed(&self.path, key)));
            }
            read.push((key.to_vec(), value.to_vec()));
        }
        Ok(Ok(read))
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        match self
            .apply(changes)
            .map_err(|error| fault(&self.path, error))
        {
            Err(StoreError::Full(_)) if self.carry_over() => self
                .apply(changes)
                .map_err(|error| fault(&self.path, error)),
            done => done,
        }
    }

    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self
            .connection
            .prepare_cached("SELECT sum, value FROM rows WHERE key = ?1")
            .and_then(|mut statement| {
                let row = |row: &rusqlite::Row| Ok((row.get(0)?, row.get(1)?));
                statement.query_row((key,), row).optional()
            });
        let row: Option<(i64, Vec<u8>)> = row.map_err(|error| fault(&self.path, error))?;
        row.map(|(sum, value)| {
            if row_sum(key, &value) == sum {
                Ok(value)
            } else {
                Err(changed(&self.path, key))
            }
        })
        .transpose()
    }

    fn scan(
        &mut self,
        range: Range<&[u8]>,
        order: Order,
        limit: Limit,
    ) -> Result<Vec<Row>, StoreError> {
        self.read(range, order, limit)
            .map_err(|error| fault(&self.path, error))?
    }

    fn durability(&self) -> Durability {
        match self.sync {
            Sync::EveryCommit => Durability::Disk,
            Sync::Every(often) => Durability::Machine(Some(often)),
            Sync::Never => Durability::Machine(None),
        }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.log.sync_data().map_err(system)
    }

    /// Reads everything twice: SQLite's check of pages and index, and the sums of all rows. Progress counts pages.
    fn verify(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
        check(&mut self.connection, &self.path, true, progress)
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
