//! The pool of a socket: memory for large messages that its local peers read in place.
//!
//! ```text
//!   Pool ── memfd, sent to every peer          PeerPool ── the same file, mapped read-only over there
//!    │ take        │ place_of                      │ slice
//!    ▼             ▼                               ▼
//!   Chunk (ours)  Place ── sent in a record ──►  PeerSlice (theirs, may change while they read it)
//! ```
//!
//! Not here: who still borrows what. A chunk is free when it is dropped; whoever sent its place to a peer keeps it
//! until that peer has given it back.
//!
//! Invariants:
//! - which pages are whose is written on our heap alone. The peer sees bytes and has no say;
//! - live chunks do not overlap, and a chunk's memory is written through its one owner only;
//! - ids are used again, each time with the next generation, so what comes back late for an older chunk is told
//!   from the younger one (until 2^32 chunks later);
//! - no borrower is asked or dropped while a lock is held, because dropping chunks comes back here.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::copy;
use super::error::ShmError;
use super::map::Mapping;
use super::memfd::{PeerSegment, Segment};
use super::pages::Pages;

/// What chunks are rounded up to. On most machines a page of memory.
const PAGE: usize = 4096;

/// Who borrows chunks: the peer of a link, or of one that has ended while the peer may still be reading.
pub(crate) trait Borrower: Send {
    /// Takes in what was given back. Whether nothing is and will be borrowed any more; then it is dropped.
    fn settle(&mut self) -> bool;
}

/// Where in its sender's pool a message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The chunk it lies in.
    pub(crate) chunk: u32,
    /// Which of the chunks that had this number.
    pub(crate) generation: u32,
    /// From the start of the pool, in bytes.
    pub(crate) offset: u64,
    /// In bytes, at least one.
    pub(crate) len: u64,
}

/// A socket's pool.
///
/// Dropping it drops its borrowers and closes the descriptor; the memory stays for the chunks that are left, and for
/// peers, who have maps of their own.
pub(crate) struct Pool {
    segment: Segment,
    store: Arc<Store>,
    borrowers: Mutex<Vec<Box<dyn Borrower>>>,
}

/// What chunks need of their pool. Apart from it, because an borrower that the pool owns may hold chunks.
struct Store {
    map: Arc<Mapping>,
    books: Mutex<Books>,
}

/// Which pages are whose.
struct Books {
    pages: Pages,
    slots: Vec<Slot>,
    vacant: Vec<u32>,
    /// First page and number of each live chunk.
    live: BTreeMap<u32, u32>,
}

/// What goes with the number of a chunk.
struct Slot {
    generation: u32,
    begin: u32,
    pages: u32,
}

/// A piece of the pool, as writable as a `Vec` until it is shared. Goes back to the pool when dropped.
pub(crate) struct Chunk {
    store: Arc<Store>,
    id: u32,
    begin: NonNull<u8>,
    len: usize,
}

/// The pool of a peer, mapped read-only.
#[derive(Debug)]
pub(crate) struct PeerPool {
    segment: PeerSegment,
}

/// A piece of a peer's pool. Keeps the map alive, but not the content: what the sender's rules say about when it may
/// be written again is for the sender to keep.
#[derive(Clone, Debug)]
pub(crate) struct PeerSlice {
    _pool: Arc<PeerPool>,
    begin: NonNull<u8>,
    len: usize,
}

impl Pool {
    /// A pool of so many bytes, rounded up to pages. They cost memory when they are first used, and from then on.
    pub(crate) fn create(bytes: usize) -> Result<Arc<Pool>, ShmError> {
        Self::named("taipan-pool", bytes)
    }

    pub(super) fn named(name: &str, bytes: usize) -> Result<Arc<Pool>, ShmError> {
        let unit = rustix::param::page_size().max(PAGE);
        let len = bytes
            .checked_next_multiple_of(unit)
            .ok_or(ShmError::BadParameter("a pool fits into the address space"))?;
        let count = u32::try_from(len / PAGE)
            .map_err(|_| ShmError::BadParameter("a pool is at most 16 TiB"))?;
        let segment = Segment::create(name, len, None)?;
        let books = Books {
            pages: Pages::new(count),
            slots: Vec::new(),
            vacant: Vec::new(),
            live: BTreeMap::new(),
        };
        let store = Store {
            map: segment.map().clone(),
            books: Mutex::new(books),
        };
        Ok(Arc::new(Pool {
            segment,
            store: Arc::new(store),
            borrowers: Mutex::default(),
        }))
    }

    /// What each new peer gets.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.segment
            .fd()
            .expect("only `close_fd` takes it away, which nobody calls here")
    }

    /// The bytes of the pool.
    pub(crate) fn len(&self) -> usize {
        self.segment.len()
    }

    /// A chunk of `len` bytes, of whatever content; `None` if there is no room for it, or if `len` is 0.
    pub(crate) fn take(&self, len: usize) -> Option<Chunk> {
        if len == 0 || len > self.len() {
            return None;
        }
        self.try_take(len).or_else(|| {
            self.settle();
            self.try_take(len)
        })
    }

    fn try_take(&self, len: usize) -> Option<Chunk> {
        let (id, page) = lock(&self.store.books).enter(pages_for(len)?)?;
        // SAFETY: the pages that were entered lie within the map, which holds more than `page` of them.
        let begin = unsafe { self.store.map.base().add(page as usize * PAGE) };
        Some(Chunk {
            store: self.store.clone(),
            id,
            begin,
            len,
        })
    }

    /// The place of a slice of a chunk of this pool; `None` for any other slice, and for an empty one.
    pub(crate) fn place_of(&self, bytes: &[u8]) -> Option<Place> {
        // Most slices are from somewhere else, and are found out without the lock.
        let base = self.store.map.base().as_ptr().addr();
        let offset = bytes.as_ptr().addr().checked_sub(base)?;
        if bytes.is_empty() || offset >= self.len() {
            return None;
        }
        let (chunk, generation) = lock(&self.store.books).holder(offset, bytes.len())?;
        Some(Place {
            chunk,
            generation,
            offset: offset as u64,
            len: bytes.len() as u64,
        })
    }

    /// Has a peer asked for what it gives back whenever the pool is exhausted.
    pub(crate) fn add_borrower(&self, borrower: Box<dyn Borrower>) {
        lock(&self.borrowers).push(borrower);
    }

    /// Asks all borrowers, and drops those that are settled.
    pub(crate) fn settle(&self) {
        let mut borrowers = std::mem::take(&mut *lock(&self.borrowers));
        if borrowers.is_empty() {
            return;
        }
        borrowers.retain_mut(|borrower| !borrower.settle());
        lock(&self.borrowers).append(&mut borrowers);
    }

    /// The bytes that nobody has, in one piece or many.
    pub(crate) fn free_bytes(&self) -> usize {
        lock(&self.store.books).pages.free() as usize * PAGE
    }

    /// How many chunks there are.
    pub(crate) fn live_chunks(&self) -> usize {
        lock(&self.store.books).live.len()
    }
}

impl Books {
    /// Finds pages for a new chunk; its number and its first page.
    fn enter(&mut self, pages: u32) -> Option<(u32, u32)> {
        let begin = self.pages.take(pages)?;
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                begin: 0,
                pages: 0,
            });
            // There are no more chunks than pages.
            self.slots.len() as u32 - 1
        });
        let slot = &mut self.slots[id as usize];
        slot.generation = slot.generation.wrapping_add(1);
        (slot.begin, slot.pages) = (begin, pages);
        self.live.insert(begin, id);
        Some((id, begin))
    }

    /// The live chunk in which all of some bytes lie, and its generation.
    fn holder(&self, offset: usize, len: usize) -> Option<(u32, u32)> {
        let page = u32::try_from(offset / PAGE).ok()?;
        let (begin, id) = self.live.range(..=page).next_back()?;
        let slot = &self.slots[*id as usize];
        let end = (*begin as usize + slot.pages as usize) * PAGE;
        (offset.checked_add(len)? <= end).then_some((*id, slot.generation))
    }

    /// Takes away the pages of a chunk behind the first few.
    fn shrink(&mut self, id: u32, pages: u32) {
        let slot = &mut self.slots[id as usize];
        if pages < slot.pages {
            self.pages.give_back(slot.begin + pages, slot.pages - pages);
            slot.pages = pages;
        }
    }

    fn leave(&mut self, id: u32) {
        let slot = &self.slots[id as usize];
        self.live.remove(&slot.begin);
        self.pages.give_back(slot.begin, slot.pages);
        self.vacant.push(id);
    }
}

/// The lock, even if a thread has panicked with it: nothing here panics half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `None` if they cannot be counted, and so cannot be there.
fn pages_for(len: usize) -> Option<u32> {
    u32::try_from(len.div_ceil(PAGE)).ok()
}

// SAFETY: a chunk owns its bytes as a `Vec` does; nothing about them belongs to a thread.
unsafe impl Send for Chunk {}
// SAFETY: through a shared chunk its bytes can only be read.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// Keeps the first `len` bytes (all, if there are fewer) and gives back the pages behind them.
    pub(crate) fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.len = len;
        // A chunk without a page would be no chunk.
        if let Some(pages) = pages_for(len.max(1)) {
            lock(&self.store.books).shrink(self.id, pages);
        }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` mapped bytes (zero at first, so never uninitialised) that belong to this chunk alone; the store
        // keeps the map. Peers can only read them, and only the chunk's owner, who lends it to us, can write them.
        unsafe { slice::from_raw_parts(self.begin.as_ptr(), self.len) }
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above. That peers may read at the same time is their affair: they do it through volatile reads, in
        // maps of their own.
        unsafe { slice::from_raw_parts_mut(self.begin.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        lock(&self.store.books).leave(self.id);
    }
}

impl PeerPool {
    /// Maps the pool of a peer; see [`PeerSegment::adopt`].
    pub(crate) fn adopt(
        fd: OwnedFd,
        announced: u64,
        limit: u64,
    ) -> Result<Arc<PeerPool>, ShmError> {
        let segment = PeerSegment::adopt(fd, announced, limit, None)?;
        Ok(Arc::new(PeerPool { segment }))
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.segment.len()
    }

    /// A piece of it; `None` if it is not all within the pool.
    pub(crate) fn slice(self: &Arc<Self>, offset: u64, len: u64) -> Option<PeerSlice> {
        let end = offset.checked_add(len)?;
        if end > self.segment.len() as u64 {
            return None;
        }
        // SAFETY: `offset` is at most the length of the map.
        let begin = unsafe { self.segment.map().base().add(offset as usize) };
        Some(PeerSlice {
            _pool: self.clone(),
            begin,
            len: len as usize,
        })
    }
}

// SAFETY: the memory is mapped as long as the slice lives, whichever thread has it, and never written from here.
unsafe impl Send for PeerSlice {}
// SAFETY: as above; all reads are copies that bear with writers.
unsafe impl Sync for PeerSlice {}

impl PeerSlice {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A copy of what is there now.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        // SAFETY: `slice` checked that so many bytes are mapped, and `_pool` keeps them so.
        unsafe { copy::copy_to_vec(self.begin.as_ptr(), self.len) }
    }

    /// The bytes in place.
    ///
    /// # Safety
    ///
    /// The process at the other end must not write these bytes while the reference lives. Nothing enforces that: only
    /// that process can write them, and it is trusted to leave a chunk alone until it was given back. The kernel
    /// does hold off everybody else, other peers of the same pool included.
    pub(crate) unsafe fn as_bytes(&self) -> &[u8] {
        // SAFETY: `slice` checked that so many bytes are mapped, and `_pool` keeps them so; the caller vouches for
        // their standing still.
        unsafe { slice::from_raw_parts(self.begin.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_poisoned_lock_is_still_used() {
        let pool = Pool::named("taipan-poison", PAGE).expect("a pool");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _books = lock(&pool.store.books);
            let _borrowers = lock(&pool.borrowers);
            panic!("on purpose");
        }));
        assert!(panicked.is_err() && pool.store.books.is_poisoned());
        let chunk = pool.take(1).expect("room for one byte");
        assert_eq!((pool.live_chunks(), pool.free_bytes()), (1, 0));
        drop(chunk);
        pool.settle();
        assert_eq!((pool.live_chunks(), pool.free_bytes()), (0, PAGE));
    }
}
