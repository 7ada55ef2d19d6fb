//! What every store promises, case by case.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use taipan::ext::store::{Changes, Durability, Limit, Order, Row, StoreError};

use crate::{ALL, END, Place, contents, oracle, puts, value};

type Case = (&'static str, fn(&dyn Place));

const CASES: &[Case] = &[
    ("rows are put, read, overwritten, deleted", rows),
    ("what is not there is not there", nothing),
    ("scans go both ways", both_ways),
    ("ranges include their start and not their end", half_open),
    ("scans stop after so many rows", limited_rows),
    ("scans stop before so many bytes", limited_bytes),
    ("a scan of many rows has them all", many),
    ("keys are any bytes", binary_keys),
    ("keys are up to 1 KiB", long_keys),
    ("values are of any size", sizes),
    ("the last word on a key counts", last_word),
    ("a large batch is one batch", large),
    ("rows are there after reopening", reopened),
    ("a second store is locked out", locked),
    ("verify reads everything", verified),
    ("a store says what it is", described),
    ("a store does what a map does", oracle::as_a_map),
];

/// Runs all cases and names those that fail.
pub fn all(place: &dyn Place) {
    let failed = CASES.iter().filter(|(name, case)| {
        println!("case: {name}");
        catch_unwind(AssertUnwindSafe(|| case(place))).is_err()
    });
    let failed: Vec<&str> = failed.map(|(name, _)| *name).collect();
    assert!(failed.is_empty(), "failed: {failed:?}");
}

fn keys(rows: &[Row]) -> Vec<&[u8]> {
    rows.iter().map(|(key, _)| key.as_slice()).collect()
}

fn rows(place: &dyn Place) {
    let mut store = place.open("rows").unwrap();
    store
        .commit(&puts([(b"a".as_slice(), b"1".as_slice()), (b"b", b"2")]))
        .unwrap();
    assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(store.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    let mut changes = puts([(b"a".as_slice(), b"another".as_slice())]);
    changes.delete(&b"b"[..]);
    changes.delete(&b"never"[..]);
    store.commit(&changes).unwrap();
    assert_eq!(store.get(b"a").unwrap().as_deref(), Some(&b"another"[..]));
    assert_eq!(store.get(b"b").unwrap(), None);
    store.commit(&Changes::new()).unwrap();
    assert_eq!(
        contents(&mut *store),
        [(b"a".to_vec(), b"another".to_vec())]
    );
}

fn nothing(place: &dyn Place) {
    let mut store = place.open("nothing").unwrap();
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!(store.get(b"").unwrap(), None);
    assert!(contents(&mut *store).is_empty());
    assert!(
        store
            .scan(b"".."\0".as_bytes(), Order::Backward, ALL)
            .unwrap()
            .is_empty()
    );
    let mut changes = Changes::new();
    changes.delete(&b"a"[..]);
    store.commit(&changes).unwrap();
    assert!(contents(&mut *store).is_empty());
}

fn both_ways(place: &dyn Place) {
    let mut store = place.open("both ways").unwrap();
    let sorted: [&[u8]; 6] = [b"\0", b"a", b"a\0", b"aa", b"b", b"\xff"];
    store
        .commit(&puts(sorted.iter().rev().map(|key| (*key, *key))))
        .unwrap();
    let rows = store.scan(b""..END, Order::Forward, ALL).unwrap();
    assert_eq!(keys(&rows), sorted);
    assert!(rows.iter().all(|(key, value)| key == value));
    let mut rows = store.scan(b""..END, Order::Backward, ALL).unwrap();
    rows.reverse();
    assert_eq!(keys(&rows), sorted);
}

fn half_open(place: &dyn Place) {
    let mut store = place.open("half open").unwrap();
    let all: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
    store
        .commit(&puts(all.map(|key| (key, b"".as_slice()))))
        .unwrap();
    let mut scan = |start: &[u8], end: &[u8]| {
        let rows = store.scan(start..end, Order::Forward, ALL).unwrap();
        let mut back = store.scan(start..end, Order::Backward, ALL).unwrap();
        back.reverse();
        assert_eq!(rows, back);
        rows.into_iter().flat_map(|(key, _)| key).collect()
    };
    let mut found = |start: &[u8], end: &[u8]| -> Vec<u8> { scan(start, end) };
    assert_eq!(found(b"b", b"d"), b"bc");
    assert_eq!(found(b"b", b"d\0"), b"bcd");
    assert_eq!(found(b"a\0", b"c"), b"b");
    assert_eq!(found(b"", b"a"), b"");
    assert_eq!(found(b"b", b"b"), b"");
    assert_eq!(found(b"c", b"a"), b"");
    assert_eq!(found(b"e", END), b"");
}

fn limited_rows(place: &dyn Place) {
    let mut store = place.open("limited rows").unwrap();
    let all: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
    store
        .commit(&puts(all.map(|key| (key, b"value".as_slice()))))
        .unwrap();
    for rows in 0..6 {
        let limit = Limit::rows(rows);
        let taken = rows.min(4);
        let read = store.scan(b""..END, Order::Forward, limit).unwrap();
        assert_eq!(keys(&read), &all[..taken]);
        let mut read = store.scan(b""..END, Order::Backward, limit).unwrap();
        read.reverse();
        assert_eq!(keys(&read), &all[4 - taken..]);
    }
}

fn limited_bytes(place: &dyn Place) {
    let mut store = place.open("limited bytes").unwrap();
    // Rows of 100, 10, 10 and 100 bytes.
    let rows: [(&[u8], &[u8]); 4] = [
        (b"a", &[1; 99]),
        (b"b", &[2; 9]),
        (b"c", &[3; 9]),
        (b"d", &[4; 99]),
    ];
    store.commit(&puts(rows)).unwrap();
    let mut count = |start: &[u8], order, bytes| {
        let limit = Limit { rows: 10, bytes };
        store.scan(start..END, order, limit).unwrap().len()
    };
    for order in [Order::Forward, Order::Backward] {
        let counts = [0, 1, 100, 109, 110, 120, 219, 220].map(|bytes| count(b"", order, bytes));
        assert_eq!(counts, [1, 1, 1, 1, 2, 3, 3, 4], "{order:?}");
    }
    let counts = [0, 10, 19, 20, 119, 120].map(|bytes| count(b"b", Order::Forward, bytes));
    assert_eq!(counts, [1, 1, 1, 2, 2, 3]);
    // A row that does not fit ends the scan, even if the one after it would.
    assert_eq!(count(b"c", Order::Forward, 50), 1);
    assert_eq!(count(b"e", Order::Forward, 0), 0);
}

fn many(place: &dyn Place) {
    let mut store = place.open("many").unwrap();
    // More than a few answers of any engine.
    let rows: Vec<Row> = (0..5_000_u32)
        .map(|number| (number.to_be_bytes().to_vec(), value(number as usize, 20)))
        .collect();
    store
        .commit(&puts(
            rows.iter().map(|(key, value)| (&key[..], &value[..])),
        ))
        .unwrap();
    assert_eq!(contents(&mut *store), rows);
    let mut back = store.scan(b""..END, Order::Backward, ALL).unwrap();
    back.reverse();
    assert_eq!(back, rows);
    for (rows, bytes, read) in [
        (1_024, usize::MAX, 1_024),
        (1_025, usize::MAX, 1_025),
        (3_000, usize::MAX, 3_000),
        (5_000, 24 * 2_500 + 23, 2_500),
        (5_000, 24 * 1_024, 1_024),
    ] {
        let limit = Limit { rows, bytes };
        let scanned = store.scan(b""..END, Order::Forward, limit).unwrap();
        assert_eq!(scanned.len(), read);
        let scanned = store.scan(b""..END, Order::Backward, limit).unwrap();
        assert_eq!(scanned.len(), read);
    }
}

fn binary_keys(place: &dyn Place) {
    let mut store = place.open("binary keys").unwrap();
    let mut all: Vec<Vec<u8>> = (0..=255_u8).map(|byte| vec![byte]).collect();
    all.extend([vec![0, 0], vec![0, 255], vec![255, 0], vec![255, 255]]);
    all.extend([b"'; drop table rows; --".to_vec(), b"\\x00".to_vec()]);
    all.sort();
    store
        .commit(&puts(all.iter().map(|key| (&key[..], &key[..]))))
        .unwrap();
    let rows = contents(&mut *store);
    assert_eq!(keys(&rows), all);
    for key in &all {
        assert_eq!(store.get(key).unwrap().as_ref(), Some(key));
    }
}

fn long_keys(place: &dyn Place) {
    let mut store = place.open("long keys").unwrap();
    let mut all: Vec<Vec<u8>> = (0..50).map(|seed| value(seed * 2 + 1, 1024)).collect();
    // Those that differ in their last byte, and those that compress to nothing.
    all.extend((0..3).map(|last| [&[7; 1023][..], &[last]].concat()));
    all.extend([vec![0; 1024], vec![255; 1024]]);
    all.sort();
    store
        .commit(&puts(all.iter().map(|key| (&key[..], &key[..100]))))
        .unwrap();
    assert_eq!(keys(&contents(&mut *store)), all);
    for key in &all {
        assert_eq!(store.get(key).unwrap().as_deref(), Some(&key[..100]));
    }
}

fn sizes(place: &dyn Place) {
    let mut store = place.open("sizes").unwrap();
    let sizes = [
        0,
        1,
        100,
        995,
        1_000,
        1_010,
        2_000,
        4_000,
        4_096,
        5_000,
        65_535,
        65_536,
        100_000,
        1 << 20,
        8 << 20,
    ];
    for (seed, size) in sizes.into_iter().enumerate() {
        let bytes = value(seed, size);
        let key = (size as u32).to_be_bytes();
        store.commit(&puts([(&key[..], &bytes[..])])).unwrap();
        assert!(store.get(&key).unwrap().as_ref() == Some(&bytes), "{size}");
    }
    let rows = contents(&mut *store);
    assert_eq!(rows.len(), sizes.len());
    for (seed, (_, read)) in rows.iter().enumerate() {
        assert!(*read == value(seed, sizes[seed]), "{}", sizes[seed]);
    }
    // From large to small and back.
    let key = (8_u32 << 20).to_be_bytes();
    store.commit(&puts([(&key[..], b"".as_slice())])).unwrap();
    assert_eq!(store.get(&key).unwrap(), Some(Vec::new()));
    let limit = Limit { rows: 10, bytes: 1 };
    let rows = store.scan(&key..END, Order::Forward, limit).unwrap();
    assert_eq!(rows, [(key.to_vec(), Vec::new())]);
}

fn last_word(place: &dyn Place) {
    let mut store = place.open("last word").unwrap();
    let mut changes = Changes::new();
    changes.put(&b"put"[..], &b"1"[..]);
    changes.put(&b"put"[..], &b"2"[..]);
    changes.put(&b"deleted"[..], &b"1"[..]);
    changes.delete(&b"deleted"[..]);
    changes.delete(&b"put again"[..]);
    changes.put(&b"put again"[..], &b"3"[..]);
    store.commit(&changes).unwrap();
    let rows = contents(&mut *store);
    assert_eq!(
        rows,
        [
            (b"put".to_vec(), b"2".to_vec()),
            (b"put again".to_vec(), b"3".to_vec())
        ]
    );
}

fn large(place: &dyn Place) {
    let mut store = place.open("large").unwrap();
    let rows: BTreeMap<Vec<u8>, Vec<u8>> = (0..20_000_usize)
        .map(|number| (value(number * 2 + 1, 16), value(number, number % 300)))
        .collect();
    store
        .commit(&puts(
            rows.iter().map(|(key, value)| (&key[..], &value[..])),
        ))
        .unwrap();
    assert!(contents(&mut *store).into_iter().eq(rows.clone()));
    // Half of them go, and the other half changes.
    let mut changes = Changes::new();
    for (number, key) in rows.keys().enumerate() {
        match number % 2 {
            0 => changes.delete(key.clone()),
            _ => changes.put(key.clone(), &b"changed"[..]),
        }
    }
    store.commit(&changes).unwrap();
    let left = contents(&mut *store);
    assert_eq!(left.len(), 10_000);
    assert!(left.iter().all(|(_, value)| value == b"changed"));
}

fn reopened(place: &dyn Place) {
    if !place.keeps() {
        return;
    }
    let bytes = value(1, 100_000);
    for round in 0..5_u8 {
        let mut store = place.open("reopened").unwrap();
        let rows = contents(&mut *store);
        assert_eq!(rows.len(), usize::from(round));
        assert!(rows.iter().all(|(_, value)| *value == bytes));
        store
            .commit(&puts([(&[round + 1][..], &bytes[..])]))
            .unwrap();
    }
}

fn locked(place: &dyn Place) {
    if !place.keeps() {
        return;
    }
    let mut first = place.open("locked").unwrap();
    let second = |what: &str| match place.open("locked") {
        Err(StoreError::Locked(_)) => {}
        other => panic!("{what}: {:?}", other.map(|store| store.name())),
    };
    second("while nothing was done");
    first
        .commit(&puts([(b"a".as_slice(), b"1".as_slice())]))
        .unwrap();
    second("after a commit");
    second("and again");
    first
        .commit(&puts([(b"a".as_slice(), b"2".as_slice())]))
        .unwrap();
    drop(first);
    let mut next = place.open("locked").unwrap();
    assert_eq!(next.get(b"a").unwrap().as_deref(), Some(&b"2"[..]));
}

fn verified(place: &dyn Place) {
    let mut store = place.open("verified").unwrap();
    let rows: Vec<Row> = (0..3_000_u32)
        .map(|number| (number.to_be_bytes().to_vec(), value(number as usize, 3_000)))
        .collect();
    store
        .commit(&puts(
            rows.iter().map(|(key, value)| (&key[..], &value[..])),
        ))
        .unwrap();
    let mut told = Vec::new();
    store.verify(&mut |progress| told.push(progress)).unwrap();
    assert!(told.is_sorted_by_key(|progress| progress.done), "{told:?}");
    let last = told.last().expect("progress");
    assert_eq!(Some(last.done), last.of);
    assert!(told.iter().all(|progress| progress.of == last.of));
    assert_eq!(contents(&mut *store), rows);
}

fn described(place: &dyn Place) {
    let mut store = place.open("described").unwrap();
    assert!(!store.name().is_empty());
    assert_eq!(
        store.durability() == Durability::Process,
        !place.keeps(),
        "{:?}",
        store.durability()
    );
    store.sync().unwrap();
    store
        .commit(&puts([(b"a".as_slice(), b"1".as_slice())]))
        .unwrap();
    store.sync().unwrap();
}
