//! The pool: who has which bytes, where slices lie, and what becomes of chunks that outlive their link.

use std::slice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{descriptors, maps};
use crate::shm::pool::{Borrower, Chunk, PeerPool, PeerSlice, Place, Pool};

const PAGE: usize = 4096;

fn pool(pages: usize) -> Arc<Pool> {
    Pool::create(pages * PAGE).expect("a pool")
}

/// The pool as a peer maps it.
fn peer_of(pool: &Pool) -> Arc<PeerPool> {
    let fd = rustix::io::fcntl_dupfd_cloexec(pool.fd(), 0).expect("a second descriptor");
    PeerPool::adopt(fd, pool.len() as u64, 1 << 30).expect("a good pool")
}

fn slice_at(peer: &Arc<PeerPool>, place: Place) -> PeerSlice {
    peer.slice(place.offset, place.len)
        .expect("within the pool")
}

#[test]
fn sizes_are_rounded_up_to_pages() {
    let pool = Pool::create(PAGE + 1).expect("a pool");
    assert_eq!((pool.len(), pool.free_bytes()), (2 * PAGE, 2 * PAGE));
    let chunk = pool.take(PAGE + 1).expect("two pages");
    assert_eq!((chunk.len(), pool.free_bytes()), (PAGE + 1, 0));
    assert!(Pool::create(0).is_err());
    assert!(Pool::create(usize::MAX).is_err());
}

#[test]
fn what_is_written_can_be_read_at_its_place() {
    let pool = pool(16);
    let peer = peer_of(&pool);
    let _first = pool.take(1).expect("a page");
    let mut chunk = pool.take(10_000).expect("three pages");
    chunk.fill(7);
    chunk[9_999] = 8;
    let place = pool.place_of(&chunk).expect("a place");
    assert_eq!((place.offset, place.len), (PAGE as u64, 10_000));
    let slice = slice_at(&peer, place);
    assert_eq!((slice.len(), slice.to_vec()), (10_000, chunk.to_vec()));
    // SAFETY: nobody writes the chunk from here on.
    assert_eq!(unsafe { slice.as_bytes() }, &chunk[..]);
    drop((peer, pool));
    assert_eq!(slice.to_vec()[9_998..], [7, 8], "the slice keeps the map");
}

#[test]
fn chunks_are_told_from_their_predecessors() {
    let pool = pool(4);
    let first = pool.take(PAGE).expect("a page");
    let old = pool.place_of(&first).expect("a place");
    drop(first);
    let second = pool.take(PAGE).expect("a page");
    let new = pool.place_of(&second).expect("a place");
    assert_eq!((old.chunk, old.offset), (new.chunk, new.offset));
    assert_ne!(old.generation, new.generation);
    let third = pool.take(PAGE).expect("a page");
    let other = pool.place_of(&third).expect("a place");
    assert_ne!(other.chunk, new.chunk);
}

#[test]
fn an_exhausted_pool_says_no_until_something_comes_back() {
    let pool = pool(4);
    assert!(pool.take(0).is_none() && pool.take(4 * PAGE + 1).is_none());
    assert!(pool.take(usize::MAX).is_none());
    let all = pool.take(4 * PAGE).expect("the whole pool");
    assert_eq!((pool.live_chunks(), pool.free_bytes()), (1, 0));
    assert!(pool.take(1).is_none());
    drop(all);
    assert_eq!((pool.live_chunks(), pool.free_bytes()), (0, 4 * PAGE));
    let chunks: Vec<Chunk> = (0..4).map_while(|_| pool.take(PAGE)).collect();
    assert_eq!((chunks.len(), pool.live_chunks()), (4, 4));
    assert!(pool.take(1).is_none());
}

#[test]
fn a_shorter_chunk_gives_back_its_end() {
    let pool = pool(8);
    let mut chunk = pool.take(8 * PAGE).expect("the whole pool");
    chunk[0] = 42;
    chunk.truncate(9 * PAGE);
    assert_eq!((chunk.len(), pool.free_bytes()), (8 * PAGE, 0));
    chunk.truncate(2 * PAGE + 1);
    assert_eq!((chunk.len(), pool.free_bytes()), (2 * PAGE + 1, 5 * PAGE));
    chunk.truncate(2 * PAGE);
    chunk.truncate(10);
    assert_eq!((&chunk[..1], chunk.len()), (&[42][..], 10));
    assert_eq!(pool.place_of(&chunk).map(|place| place.len), Some(10));
    chunk.truncate(0);
    assert_eq!((chunk.len(), pool.free_bytes()), (0, 7 * PAGE));
    assert_eq!(pool.place_of(&chunk), None);
    drop(chunk);
    assert_eq!((pool.live_chunks(), pool.free_bytes()), (0, 8 * PAGE));
}

#[test]
fn parts_of_chunks_have_places_and_nothing_else_has() {
    let (ours, other) = (pool(8), pool(8));
    let _first = ours.take(PAGE).expect("a page");
    let chunk = ours.take(2 * PAGE).expect("two pages");
    let whole = ours.place_of(&chunk).expect("a place");
    for (from, to) in [(0, 1), (1, 8192), (4095, 4097), (8191, 8192), (100, 5000)] {
        let part = Place {
            offset: whole.offset + from as u64,
            len: (to - from) as u64,
            ..whole
        };
        assert_eq!(ours.place_of(&chunk[from..to]), Some(part));
    }
    assert_eq!(ours.place_of(&chunk[5..5]), None);
    assert_eq!(ours.place_of(&[]), None);
    assert_eq!(ours.place_of(b"elsewhere"), None);
    assert_eq!(other.place_of(&chunk), None);
}

#[test]
fn slices_beyond_a_chunk_have_no_place() {
    let pool = pool(8);
    let mut chunks: Vec<Chunk> = (0..4).map_while(|_| pool.take(2 * PAGE)).collect();
    chunks.remove(2);
    let base = chunks[0].as_ptr();
    let place = |from: usize, len: usize| {
        // SAFETY: mapped memory that nobody writes during the test; no safe code makes such slices.
        let slice = unsafe { slice::from_raw_parts(base.wrapping_add(from), len) };
        pool.place_of(slice)
    };
    assert!(place(2 * PAGE - 1, 1).is_some());
    assert_eq!(place(2 * PAGE - 1, 2), None, "into the next chunk");
    assert_eq!(place(0, 8 * PAGE), None, "all of them");
    assert_eq!(place(4 * PAGE - 1, 2), None, "into a gap");
    assert_eq!(place(4 * PAGE, 1), None, "in the gap");
    assert_eq!(place(6 * PAGE - 1, 2), None, "out of the gap");
    assert!(place(6 * PAGE, 2 * PAGE).is_some());
}

#[test]
fn peers_slice_within_the_pool_only() {
    let pool = pool(2);
    let peer = peer_of(&pool);
    let len = pool.len() as u64;
    assert_eq!(peer.slice(0, len).map(|slice| slice.len()), Some(2 * PAGE));
    assert_eq!(
        peer.slice(len - 1, 1).map(|slice| slice.to_vec()),
        Some(vec![0])
    );
    assert_eq!(peer.slice(len, 0).map(|slice| slice.to_vec()), Some(vec![]));
    for (offset, len) in [
        (0, len + 1),
        (len, 1),
        (len + 1, 0),
        (1, u64::MAX),
        (u64::MAX, 1),
    ] {
        assert!(peer.slice(offset, len).is_none(), "{offset} + {len}");
    }
}

/// A chunk that somebody borrows until the flag says otherwise.
struct Borrowed {
    _chunk: Chunk,
    settled: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    /// Comes back to the pool while it is asked, as real ones do.
    pool: Weak<Pool>,
}

impl Borrower for Borrowed {
    fn settle(&mut self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(pool) = self.pool.upgrade() {
            pool.settle();
            assert!(pool.live_chunks() > 0);
        }
        self.settled.load(Ordering::Relaxed)
    }
}

fn borrower(pool: &Arc<Pool>, len: usize) -> (Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (settled, asked) = (Arc::default(), Arc::default());
    let borrower = Borrowed {
        _chunk: pool.take(len).expect("room"),
        settled: Arc::clone(&settled),
        asked: Arc::clone(&asked),
        pool: Arc::downgrade(pool),
    };
    pool.add_borrower(Box::new(borrower));
    (settled, asked)
}

#[test]
fn borrowers_keep_their_chunks_until_they_are_settled() {
    let pool = pool(4);
    let (first, _) = borrower(&pool, PAGE);
    let (second, asked) = borrower(&pool, PAGE);
    pool.settle();
    assert_eq!((pool.live_chunks(), asked.load(Ordering::Relaxed)), (2, 1));
    first.store(true, Ordering::Relaxed);
    pool.settle();
    assert_eq!((pool.live_chunks(), pool.free_bytes()), (1, 3 * PAGE));
    second.store(true, Ordering::Relaxed);
    pool.settle();
    assert_eq!((pool.live_chunks(), pool.free_bytes()), (0, 4 * PAGE));
}

#[test]
fn borrowers_are_asked_once_when_the_pool_is_exhausted() {
    let pool = pool(4);
    let (settled, asked) = borrower(&pool, 4 * PAGE);
    assert!(pool.take(PAGE).is_none());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    settled.store(true, Ordering::Relaxed);
    let chunk = pool.take(PAGE).expect("what the borrower had");
    assert!(pool.take(5 * PAGE).is_none(), "never, so nobody is asked");
    assert_eq!((pool.live_chunks(), asked.load(Ordering::Relaxed)), (1, 2));
    drop(chunk);
    let (_, asked) = borrower(&pool, PAGE);
    assert!(pool.take(PAGE).is_some());
    assert_eq!(asked.load(Ordering::Relaxed), 0, "there was room");
}

#[test]
fn a_pool_ends_with_its_borrowers_and_not_before_its_chunks() {
    let name = "taipan-pool-end";
    let pool = Pool::named(name, 4 * PAGE).expect("a pool");
    let peer = peer_of(&pool);
    let (_never, _) = borrower(&pool, PAGE);
    let mut chunk = pool.take(PAGE).expect("a page");
    drop(pool);
    assert_eq!((descriptors(name), maps(name)), (0, 2));
    chunk.fill(3);
    let slice = peer.slice(PAGE as u64, 1).expect("within the pool");
    assert_eq!(slice.to_vec(), [3]);
    drop((chunk, peer));
    assert_eq!(maps(name), 1, "the slice's");
    drop(slice);
    assert_eq!(maps(name), 0);
}

#[test]
fn threads_do_not_get_the_same_bytes() {
    let pool = pool(32);
    let (threads, rounds) = (4_u8, 2000);
    thread::scope(|scope| {
        for mark in 1..=threads {
            let pool = &pool;
            scope.spawn(move || {
                let mut held = Vec::new();
                for round in 0..rounds {
                    if let Some(mut chunk) = pool.take(1 + round * 37 % (5 * PAGE)) {
                        chunk.fill(mark);
                        held.push(chunk);
                    }
                    if held.len() > 3 {
                        let chunk = held.swap_remove(round % 4);
                        assert!(chunk.iter().all(|byte| *byte == mark));
                    }
                }
            });
        }
    });
    assert_eq!((pool.live_chunks(), pool.free_bytes()), (0, 32 * PAGE));
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    Truncate(Index, usize),
    Drop(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let len = 0..6 * PAGE;
    prop_oneof![
        3 => len.clone().prop_map(Step::Take),
        1 => (any::<Index>(), len).prop_map(|(which, len)| Step::Truncate(which, len)),
        2 => any::<Index>().prop_map(Step::Drop),
    ]
}

/// The chunks as the oracle knows them, each filled with a byte of its own.
#[derive(Default)]
struct Held(Vec<(Chunk, usize, u8)>);

impl Held {
    fn pages(&self) -> usize {
        let pages = |(_, len, _): &(Chunk, usize, u8)| len.max(&1).div_ceil(PAGE);
        self.0.iter().map(pages).sum()
    }

    /// Whether every chunk is where it was, as long and as full, and none lies on another.
    fn intact(&self, pool: &Pool) -> bool {
        let whole = |(chunk, len, mark): &(Chunk, usize, u8)| {
            chunk.len() == *len && chunk.iter().all(|byte| byte == mark)
        };
        let places = self.0.iter().filter_map(|(chunk, ..)| pool.place_of(chunk));
        let mut places: Vec<Place> = places.collect();
        places.sort_by_key(|place| place.offset);
        let apart = |two: &[Place]| two[0].offset + two[0].len <= two[1].offset;
        self.0.iter().all(whole) && places.windows(2).all(apart)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn chunks_never_overlap_and_all_come_back(steps in prop::collection::vec(step(), 0..60)) {
        let total = 16;
        let pool = pool(total);
        let mut held = Held::default();
        for (mark, step) in (1..).zip(steps) {
            match step {
                Step::Take(len) => {
                    if let Some(mut chunk) = pool.take(len) {
                        prop_assert_eq!(chunk.len(), len);
                        chunk.fill(mark);
                        held.0.push((chunk, len, mark));
                    }
                }
                Step::Truncate(..) | Step::Drop(_) if held.0.is_empty() => {}
                Step::Truncate(which, len) => {
                    let at = which.index(held.0.len());
                    let (chunk, known, _) = &mut held.0[at];
                    chunk.truncate(len);
                    *known = len.min(*known);
                }
                Step::Drop(which) => drop(held.0.swap_remove(which.index(held.0.len()))),
            }
            prop_assert!(held.intact(&pool));
            prop_assert_eq!(pool.live_chunks(), held.0.len());
            prop_assert_eq!(pool.free_bytes(), (total - held.pages()) * PAGE);
        }
        drop(held);
        prop_assert_eq!((pool.live_chunks(), pool.free_bytes()), (0, total * PAGE));
        prop_assert!(pool.take(total * PAGE).is_some());
    }
}
