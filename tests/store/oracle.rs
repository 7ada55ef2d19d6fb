//! Thousands of random operations, compared with those on a map.

use std::collections::BTreeMap;
use std::ops::Bound;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use taipan::ext::store::{Changes, Limit, Order, Row};

use crate::{Place, contents, value};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store answers as a map does. The seed is printed; `TAIPAN_SEED` sets it.
pub fn as_a_map(place: &dyn Place) {
    let seed = std::env::var("TAIPAN_SEED").map_or_else(
        |_| rand::random(),
        |seed| seed.parse().expect("TAIPAN_SEED is a number"),
    );
    println!("TAIPAN_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut map = Map::new();
    let mut store = place.open("as a map").unwrap();
    for step in 0..3_000 {
        match random.random_range(0..10) {
            0..4 => {
                let changes = changes(&mut random);
                store.commit(&changes).unwrap();
                for (key, value) in &changes {
                    match value {
                        Some(value) => map.insert(key.clone(), value.to_vec()),
                        None => map.remove(key),
                    };
                }
            }
            4..6 => {
                let key = key(&mut random);
                let read = store.get(&key).unwrap();
                assert_eq!(read.as_ref(), map.get(&key), "step {step}");
            }
            6..9 => {
                let (start, end) = (key(&mut random), key(&mut random));
                let order = match random.random() {
                    true => Order::Forward,
                    false => Order::Backward,
                };
                let limit = limit(&mut random);
                let read = store.scan(&start..&end, order, limit).unwrap();
                assert_eq!(
                    read,
                    expected(&map, &start, &end, order, limit),
                    "step {step}"
                );
            }
            _ if place.keeps() && random.random_ratio(1, 10) => {
                drop(store);
                store = place.open("as a map").unwrap();
            }
            _ => {}
        }
    }
    assert!(contents(&mut *store).into_iter().eq(map));
}

/// From few letters, so that keys meet again.
fn key(random: &mut StdRng) -> Vec<u8> {
    let letters = [0, 1, b'a', 0xFE, 0xFF];
    let len = random.random_range(1..=4);
    (0..len)
        .map(|_| letters[random.random_range(0..letters.len())])
        .collect()
}

fn changes(random: &mut StdRng) -> Changes {
    let mut changes = Changes::new();
    for _ in 0..random.random_range(0..20) {
        let key = key(random);
        if random.random_ratio(2, 5) {
            changes.delete(key);
        } else {
            let len = match random.random_range(0..20) {
                0 => random.random_range(0..20_000),
                1..4 => random.random_range(0..2_000),
                _ => random.random_range(0..100),
            };
            changes.put(key, value(random.random_range(0..1 << 30), len));
        }
    }
    changes
}

fn limit(random: &mut StdRng) -> Limit {
    let mut up_to = |most: usize| match random.random_range(0..3) {
        0 => usize::MAX,
        _ => random.random_range(0..most),
    };
    Limit {
        rows: up_to(50),
        bytes: up_to(5_000),
    }
}

fn expected(map: &Map, start: &[u8], end: &[u8], order: Order, limit: Limit) -> Vec<Row> {
    if start >= end {
        return Vec::new();
    }
    let range = map.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
    let mut rows: Vec<Row> = range
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if order == Order::Backward {
        rows.reverse();
    }
    let mut bytes = 0_usize;
    let fitting = rows.iter().take(limit.rows).enumerate();
    let fitting = fitting.take_while(|(at, (key, value))| {
        bytes += key.len() + value.len();
        *at == 0 || bytes <= limit.bytes
    });
    let count = fitting.count();
    rows.truncate(count);
    rows
}
