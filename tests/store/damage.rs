//! SQLite: files that are damaged, or that others have made. They are refused and stay as they are.

use std::fs;
use std::path::Path;

use taipan::ext::store::{Changes, Check, Row, SqliteStore, Store, StoreError};

use crate::sqlite::Folder;
use crate::{contents, puts, value};

/// A store with rows of all sizes.
fn made(path: &Path) -> Vec<Row> {
    let rows: Vec<Row> = (0..200_usize)
        .map(|number| {
            let key = format!("key {number:04}").into_bytes();
            (key, value(number, number * number % 9_000))
        })
        .collect();
    let mut store = SqliteStore::open(path).unwrap();
    store
        .commit(&puts(
            rows.iter().map(|(key, value)| (&key[..], &value[..])),
        ))
        .unwrap();
    rows
}

#[track_caller]
fn corrupt(result: Result<SqliteStore, StoreError>) {
    assert!(matches!(result, Err(StoreError::Corrupt(_))), "{result:?}");
}

/// A file with these bytes is refused, again and again.
#[track_caller]
fn refused(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    for check in [Check::Quick, Check::Full, Check::Quick] {
        corrupt(SqliteStore::builder(path).check(check).open());
        assert!(fs::read(path).unwrap() == bytes, "it has changed");
    }
}

#[test]
fn a_file_cut_short_is_refused() {
    let folder = Folder::new();
    let path = folder.file("store");
    made(&path);
    let whole = fs::read(&path).unwrap();
    let len = whole.len();
    assert!(len > 100 * 4096);
    for left in [
        1,
        15,
        16,
        99,
        100,
        101,
        511,
        512,
        4095,
        4096,
        4097,
        8192,
        len / 2,
        len - 4096,
        len - 1,
    ] {
        println!("{left} of {len}");
        refused(&path, &whole[..left]);
    }
}

#[test]
fn an_empty_file_is_no_new_store() {
    let folder = Folder::new();
    let path = folder.file("store");
    refused(&path, b"");
    let opened = SqliteStore::builder(&path).check(Check::None).open();
    corrupt(opened);
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn garbage_is_refused() {
    let folder = Folder::new();
    let path = folder.file("store");
    refused(&path, b"not a database");
    refused(&path, &[0; 8192]);
    refused(&path, &value(1, 100_000));
    refused(
        &path,
        &[b"SQLite format 3\0", &value(1, 50_000)[..]].concat(),
    );
}

#[test]
fn a_log_without_its_file_is_refused() {
    let folder = Folder::new();
    let path = folder.file("store");
    let log = folder.file("store-wal");
    fs::write(&log, value(1, 10_000)).unwrap();
    corrupt(SqliteStore::open(&path));
    assert!(!path.exists());
    assert_eq!(fs::read(&log).unwrap(), value(1, 10_000));
}

/// Flips a byte and opens; reads if that succeeds.
fn flipped(path: &Path, whole: &[u8], at: usize) -> Result<Vec<Row>, StoreError> {
    let mut bytes = whole.to_vec();
    bytes[at] ^= 0x10;
    fs::write(path, &bytes).unwrap();
    let mut store = SqliteStore::open(path)?;
    store.verify(&mut |_| {})?;
    Ok(contents(&mut store))
}

#[test]
fn a_flipped_byte_is_found_or_is_none_of_a_row() {
    let folder = Folder::new();
    let path = folder.file("store");
    let rows = made(&path);
    let whole = fs::read(&path).unwrap();
    let mut found = 0;
    let places: Vec<usize> = (0..whole.len()).step_by(1013).collect();
    for at in &places {
        match flipped(&path, &whole, *at) {
            Err(_) => found += 1,
            Ok(read) => assert!(read == rows, "byte {at}: other rows"),
        }
    }
    println!("{found} of {} were found", places.len());
    assert!(found * 2 > places.len());
}

#[test]
fn a_flipped_byte_of_a_value_is_never_handed_out() {
    let folder = Folder::new();
    let path = folder.file("store");
    made(&path);
    let whole = fs::read(&path).unwrap();
    let (number, len) = (92, 92 * 92);
    let part = &value(number, len)[5_000..5_064];
    let at = whole.windows(64).position(|window| window == part).unwrap();
    assert!(matches!(
        flipped(&path, &whole, at),
        Err(StoreError::Corrupt(_))
    ));
    // The quick check does not read values: whoever reads the row finds out, and the others are as they were.
    let mut store = SqliteStore::open(&path).unwrap();
    let key = format!("key {number:04}");
    assert!(matches!(
        store.get(key.as_bytes()),
        Err(StoreError::Corrupt(_))
    ));
    let all = store.scan(
        b"".."l".as_bytes(),
        taipan::ext::store::Order::Forward,
        taipan::ext::store::Limit::rows(usize::MAX),
    );
    assert!(matches!(all, Err(StoreError::Corrupt(_))));
    assert!(store.get(b"key 0091").unwrap() == Some(value(91, 91 * 91)));
    drop(store);
    corrupt(SqliteStore::builder(&path).check(Check::Full).open());
}

#[test]
fn another_version_is_refused_by_name() {
    let folder = Folder::new();
    let path = folder.file("store");
    made(&path);
    let set = |version: u32| {
        let file = rusqlite::Connection::open(&path).unwrap();
        file.pragma_update(None, "user_version", version).unwrap();
    };
    set(7);
    match SqliteStore::open(&path) {
        Err(StoreError::Version { found: 7, known: 1 }) => {}
        other => panic!("{other:?}"),
    }
    set(1);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn the_database_of_another_is_refused() {
    let folder = Folder::new();
    let path = folder.file("theirs");
    for mode in ["DELETE", "WAL"] {
        let file = rusqlite::Connection::open(&path).unwrap();
        file.pragma_update(None, "journal_mode", mode).unwrap();
        file.execute_batch("CREATE TABLE IF NOT EXISTS rows(a); INSERT INTO rows VALUES(1);")
            .unwrap();
        drop(file);
        let bytes = fs::read(&path).unwrap();
        match SqliteStore::open(&path) {
            Err(StoreError::Corrupt(what)) => assert!(what.contains("not a store"), "{what}"),
            other => panic!("{other:?}"),
        }
        assert!(fs::read(&path).unwrap() == bytes, "it has changed");
    }
}

#[test]
fn a_table_that_is_gone_is_no_empty_store() {
    let folder = Folder::new();
    let path = folder.file("store");
    made(&path);
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch("DROP TABLE rows").unwrap();
    drop(file);
    match SqliteStore::open(&path) {
        Err(StoreError::Corrupt(_)) => {}
        Err(other) => panic!("{other:?}"),
        Ok(mut store) => {
            let mut changes = Changes::new();
            changes.put(&b"a"[..], &b"1"[..]);
            panic!("it was opened: {:?}", store.commit(&changes));
        }
    }
}
