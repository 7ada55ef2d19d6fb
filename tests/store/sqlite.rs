//! SQLite: the contract, and what its options say.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taipan::ext::store::{
    Changes, Check, Durability, Progress, SqliteStore, Store, StoreError, Sync,
};

use crate::{Place, contents, contract, puts, value};

/// A folder that goes with its value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("taipan-store-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Files {
    folder: Folder,
    sync: Sync,
}

impl Place for Files {
    fn open(&self, name: &str) -> Result<Box<dyn Store>, StoreError> {
        let store = SqliteStore::builder(self.folder.file(name)).sync(self.sync);
        Ok(Box::new(store.open()?))
    }

    fn keeps(&self) -> bool {
        true
    }
}

#[test]
fn sqlite_keeps_the_contract() {
    contract::all(&Files {
        folder: Folder::new(),
        sync: Sync::EveryCommit,
    });
}

#[test]
fn sqlite_keeps_the_contract_without_waiting_for_the_disk() {
    contract::all(&Files {
        folder: Folder::new(),
        sync: Sync::Every(Duration::from_secs(1)),
    });
}

#[test]
fn its_durability_is_what_was_asked_for() {
    let folder = Folder::new();
    let second = Duration::from_secs(1);
    for (sync, durability) in [
        (Sync::EveryCommit, Durability::Disk),
        (Sync::Every(second), Durability::Machine(Some(second))),
        (Sync::Never, Durability::Machine(None)),
    ] {
        let path = folder.file("store");
        let store = SqliteStore::builder(&path).sync(sync).open().unwrap();
        assert_eq!(store.durability(), durability);
        assert_eq!(store.name(), format!("sqlite:{}", path.display()));
    }
}

#[test]
fn nothing_is_made_unless_it_is_wanted() {
    let folder = Folder::new();
    let path = folder.file("store");
    match SqliteStore::builder(&path).create(false).open() {
        Err(StoreError::Failed(error)) => {
            let error = error
                .downcast_ref::<std::io::Error>()
                .expect("of the system");
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
        other => panic!("{other:?}"),
    }
    assert!(!path.exists());
    SqliteStore::open(&path).unwrap();
    SqliteStore::builder(&path).create(false).open().unwrap();
    // No draft and no log stay behind.
    let names: Vec<_> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["store"]);
}

#[test]
fn a_path_is_a_path_whatever_it_means_to_sqlite() {
    for path in [":memory:", "file:none?mode=memory", ""] {
        let opened = SqliteStore::builder(path).create(false).open();
        assert!(matches!(opened, Err(StoreError::Failed(_))), "{opened:?}");
    }
    let folder = Folder::new();
    let odd = folder.file("file:a ?mode=memory&'\"; %20");
    let mut store = SqliteStore::open(&odd).unwrap();
    store.commit(&puts([(&b"a"[..], &b"1"[..])])).unwrap();
    drop(store);
    assert!(size(&odd) > 0);
    assert_eq!(contents(&mut SqliteStore::open(&odd).unwrap()).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_store_is_that_store() {
    let folder = Folder::new();
    let (path, link) = (folder.file("store"), folder.file("link"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut store = SqliteStore::open(&path).unwrap();
    store.commit(&puts([(&b"a"[..], &b"1"[..])])).unwrap();
    let second = SqliteStore::open(&link);
    assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
    drop(store);
    let mut store = SqliteStore::open(&link).unwrap();
    assert_eq!(contents(&mut store).len(), 1);
    store.sync().unwrap();
}

#[test]
fn one_of_many_that_come_first_has_it() {
    let folder = Folder::new();
    for round in 0..20 {
        let path = folder.file(&format!("store {round}"));
        let opened: Vec<_> = std::thread::scope(|scope| {
            let come = || scope.spawn(|| SqliteStore::open(&path));
            let comers: Vec<_> = (0..4).map(|_| come()).collect();
            let opened = comers.into_iter().map(|comer| comer.join().unwrap());
            opened.collect()
        });
        for result in &opened {
            assert!(
                matches!(result, Ok(_) | Err(StoreError::Locked(_))),
                "{result:?}"
            );
        }
        assert_eq!(opened.iter().filter(|result| result.is_ok()).count(), 1);
    }
}

#[test]
fn the_check_tells_how_far_it_is() {
    let folder = Folder::new();
    let path = folder.file("store");
    let mut store = SqliteStore::open(&path).unwrap();
    let mut changes = Changes::new();
    for number in 0..40_000_usize {
        changes.put(number.to_be_bytes(), value(number, 150));
    }
    store.commit(&changes).unwrap();
    drop(store);
    for check in [Check::None, Check::Quick, Check::Full] {
        let told = Arc::new(Mutex::new(Vec::<Progress>::new()));
        let telling = Arc::clone(&told);
        let opened = SqliteStore::builder(&path)
            .check(check)
            .on_progress(move |progress| telling.lock().unwrap().push(progress))
            .open();
        opened.unwrap();
        let told = told.lock().unwrap();
        if check == Check::None {
            assert!(told.is_empty());
            continue;
        }
        assert!(told.len() > 3, "{check:?}: {told:?}");
        assert!(told.is_sorted_by_key(|progress| progress.done));
        let last = told.last().unwrap();
        assert_eq!(Some(last.done), last.of);
    }
}

#[test]
fn a_full_store_goes_on_after_deletes() {
    let folder = Folder::new();
    let path = folder.file("store");
    let most = 4 << 20;
    let open = || SqliteStore::builder(&path).max_bytes(most).open().unwrap();
    let mut store = open();
    let bytes = value(1, 100_000);
    let row = |number: u8| puts([(&[number][..], &bytes[..])]);
    let full = |result| match result {
        Err(StoreError::Full(what)) => assert!(what.contains("store"), "{what}"),
        other => panic!("{other:?}"),
    };
    let mut there = 0;
    loop {
        match store.commit(&row(there)) {
            Ok(()) => there += 1,
            result => break full(result),
        }
        assert!(there < 100, "never full");
    }
    assert!(there > 30, "{there}");
    full(store.commit(&row(there)));
    // A batch that is too large leaves nothing.
    let mut batch = Changes::new();
    for number in 0..there {
        batch.delete([number]);
    }
    for number in 0..60 {
        batch.put([100 + number], bytes.clone());
    }
    full(store.commit(&batch));
    assert_eq!(contents(&mut store).len(), usize::from(there));
    for number in 0..there {
        assert!(store.get(&[number]).unwrap().as_ref() == Some(&bytes));
    }
    drop(store);
    let mut store = open();
    full(store.commit(&row(there)));
    let mut deleted = Changes::new();
    deleted.delete([0]);
    deleted.delete([1]);
    store.commit(&deleted).unwrap();
    store.commit(&row(there)).unwrap();
    drop(store);
    assert!(size(&path) <= most);
}

#[test]
fn the_log_does_not_grow_for_ever() {
    let folder = Folder::new();
    let path = folder.file("store");
    let mut store = SqliteStore::builder(&path)
        .sync(Sync::Never)
        .open()
        .unwrap();
    // Never the same bytes: SQLite writes no page that stays as it is.
    let some = |seed: usize| value(seed * 2 + 1, 1 << 20);
    let put = |store: &mut SqliteStore, number: usize| {
        let key = [(number % 8) as u8];
        store
            .commit(&puts([(&key[..], &some(number)[..])]))
            .unwrap();
    };
    for number in 0..200 {
        put(&mut store, number);
    }
    let log = size(&folder.file("store-wal"));
    assert!((16 << 20..32 << 20).contains(&log), "{log}");
    assert!(size(&path) <= 32 << 20);
    // One large commit makes it large; the next one cuts it.
    let mut large = Changes::new();
    for number in 0..100_u8 {
        large.put([number], some(1000 + usize::from(number)));
    }
    store.commit(&large).unwrap();
    assert!(size(&folder.file("store-wal")) >= 100 << 20);
    put(&mut store, 0);
    let log = size(&folder.file("store-wal"));
    assert!(log <= 64 << 20, "{log}");
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}
