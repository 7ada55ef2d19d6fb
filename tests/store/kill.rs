//! SQLite: processes that are killed while they commit, and processes that hold a file.
//!
//! The other process is this test binary, started again with one test to run and told by its environment what to do.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use taipan::ext::store::{Changes, Limit, Order, SqliteStore, Store, StoreError, Sync};

use crate::sqlite::Folder;
use crate::{contents, value};

const PATH: &str = "TAIPAN_STORE_CHILD";
const SYNC: &str = "TAIPAN_STORE_CHILD_SYNC";

/// Rows of a batch.
const BATCH: u64 = 10;

/// Batches that are kept.
const KEPT: u64 = 50;

fn key(batch: u64, row: u64) -> Vec<u8> {
    [batch.to_be_bytes(), row.to_be_bytes()].concat()
}

fn bytes(batch: u64, row: u64) -> Vec<u8> {
    value((batch * BATCH + row) as usize, (row * 700) as usize)
}

fn batch_of(key: &[u8]) -> u64 {
    u64::from_be_bytes(key[..8].try_into().expect("a key"))
}

/// What the other process does; nothing, if this is not it.
#[test]
fn as_another_process() {
    let Ok(path) = std::env::var(PATH) else {
        return;
    };
    let sync = match std::env::var(SYNC).as_deref() {
        Ok("never") => Sync::Never,
        _ => Sync::EveryCommit,
    };
    let mut store = match SqliteStore::builder(path).sync(sync).open() {
        Err(StoreError::Locked(_)) => return println!("locked"),
        opened => opened.unwrap(),
    };
    let last = store
        .scan(b""..&[0xFF; 17], Order::Backward, Limit::rows(1))
        .unwrap();
    let first = last.first().map_or(0, |(key, _)| batch_of(key) + 1);
    for batch in first.. {
        let mut changes = Changes::new();
        for row in 0..BATCH {
            changes.put(key(batch, row), bytes(batch, row));
            if batch >= KEPT {
                changes.delete(key(batch - KEPT, row));
            }
        }
        store.commit(&changes).unwrap();
        // Past the harness, which would keep it until the end.
        let mut out = std::io::stdout().lock();
        if writeln!(out, "batch {batch}")
            .and_then(|()| out.flush())
            .is_err()
        {
            return;
        }
    }
}

/// Another process that commits to a file, and what it says.
struct Other {
    process: Child,
    says: BufReader<ChildStdout>,
}

impl Other {
    fn start(path: &Path, sync: &str) -> Other {
        let mut process = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "kill::as_another_process", "--nocapture"])
            .env(PATH, path)
            .env(SYNC, sync)
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let says = BufReader::new(process.stdout.take().expect("its output"));
        Other { process, says }
    }

    /// The next batch that it has committed, until there is no next one.
    fn next(&mut self) -> Option<u64> {
        let mut line = String::new();
        while self.says.read_line(&mut line).expect("its output") > 0 {
            // A line that is cut short was never said.
            let whole = line.strip_suffix('\n');
            if let Some(batch) = whole.and_then(|line| line.strip_prefix("batch ")) {
                return Some(batch.parse().expect("a number"));
            }
            line.clear();
        }
        None
    }

    /// Kills it (SIGKILL); the last batch that it has reported.
    fn kill(mut self) -> Option<u64> {
        self.process.kill().expect("killed");
        let last = std::iter::from_fn(|| self.next()).last();
        self.process.wait().expect("ended");
        last
    }
}

fn killed_while_committing(sync: &str) {
    let folder = Folder::new();
    let path = folder.file("store");
    for round in 0..8_u64 {
        let mut other = Other::start(&path, sync);
        let mut reported = 0;
        // A little, and up to several rounds of the log.
        for _ in 0..1 + round * round * 20 {
            reported = other.next().expect("it goes on until it is killed");
        }
        let reported = other.kill().unwrap_or(reported);
        let mut store = SqliteStore::open(&path).unwrap();
        store.verify(&mut |_| {}).unwrap();
        let rows = contents(&mut store);
        let last = rows.last().map(|(key, _)| batch_of(key)).expect("rows");
        // One more may have been committed without a word.
        assert!(
            (reported..=reported + 1).contains(&last),
            "{reported} {last}"
        );
        let first = (last + 1).saturating_sub(KEPT);
        let expected = (first..=last)
            .flat_map(|batch| (0..BATCH).map(move |row| (key(batch, row), bytes(batch, row))));
        assert!(rows.into_iter().eq(expected), "round {round}");
    }
}

#[test]
fn what_was_committed_survives_the_process() {
    killed_while_committing("every");
}

#[test]
fn what_was_committed_survives_the_process_without_waiting_for_the_disk() {
    killed_while_committing("never");
}

#[test]
fn another_process_has_the_lock_until_it_ends() {
    let folder = Folder::new();
    let path = folder.file("store");
    let mut other = Other::start(&path, "never");
    other.next().expect("it commits");
    for _ in 0..3 {
        let second = SqliteStore::open(&path);
        assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
        other.next().expect("it goes on");
    }
    other.kill();
    let mut store = SqliteStore::open(&path).unwrap();
    assert!(!contents(&mut store).is_empty());
}

#[test]
fn a_refused_store_of_this_process_does_not_give_up_the_lock() {
    let folder = Folder::new();
    let path = folder.file("store");
    let store = SqliteStore::open(&path).unwrap();
    // Systems forget the locks of a process when it closes any of its handles of the file.
    assert!(matches!(
        SqliteStore::open(&path),
        Err(StoreError::Locked(_))
    ));
    let mut other = Other::start(&path, "never");
    assert_eq!(other.next(), None, "the other process has it too");
    other.process.wait().expect("ended");
    drop(store);
    let mut other = Other::start(&path, "never");
    other.next().expect("it commits");
    other.kill();
}
