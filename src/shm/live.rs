//! The live page of a segment: the words that both sides look at, each written by the segment's owner alone.
//!
//! ```text
//!   0x000 tail        bytes published in the owner's ring          one block of 128 bytes each, so that a write
//!   0x008 closed      1 once the owner publishes nothing more      to one never takes another out of a cache
//!   0x080 head        bytes of the peer's ring that were consumed
//!   0x088 messages    whole messages among them
//!   0x090 bytes       their payload
//!   0x100 rx_sleep    odd: the owner sleeps and wants to be rung when something is published
//!   0x180 tx_sleep    odd: the owner sleeps and wants to be rung when there is room:
//!   0x188 wake_head     when head has come so far,
//!   0x190 wake_messages or messages so far,
//!   0x198 wake_bytes    or bytes so far, or when all was read
//!   0x200 returned    chunks of the peer's pool that were given back
//! ```
//!
//! Positions count bytes (or entries) since the link began and never wrap. `docs/shared-memory.md` has the tables.
//!
//! A page of the peer's is mapped read-only, where Rust allows relaxed loads alone; the fence after them makes
//! them acquire. With `--cfg taipan_loom` the page is an array on the heap that loom watches.

/// Bytes in front of the ring in a segment: the live page, then the return ring.
pub(crate) const SEGMENT_HEAD: usize = 0x10000;
/// Where the return ring begins.
pub(super) const RETURNS_AT: usize = 0x8000;
/// Entries of the return ring, 8 bytes each.
pub(crate) const RETURNS: u64 = ((SEGMENT_HEAD - RETURNS_AT) / 8) as u64;

/// A word of the live page: its place in words.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(super) enum Slot {
    Tail = 0,
    Closed = 1,
    Head = 0x80 / 8,
    Messages = 0x88 / 8,
    Bytes = 0x90 / 8,
    RxSleep = 0x100 / 8,
    TxSleep = 0x180 / 8,
    WakeHead = 0x188 / 8,
    WakeMessages = 0x190 / 8,
    WakeBytes = 0x198 / 8,
    Returned = 0x200 / 8,
}

#[cfg(not(taipan_loom))]
pub(super) use real::{Live, Mutex, fence};

#[cfg(taipan_loom)]
pub(super) use model::{Live, Mutex, fence};

#[cfg(not(taipan_loom))]
mod real {
    use std::ptr::NonNull;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(in crate::shm) use std::sync::Mutex;
    pub(in crate::shm) use std::sync::atomic::fence;

    use super::{RETURNS, RETURNS_AT, Slot};
    use crate::shm::map::Mapping;

    /// One side's live page and return ring.
    #[derive(Clone)]
    pub(in crate::shm) struct Live {
        base: NonNull<u8>,
        /// Keeps the memory mapped.
        _map: Arc<Mapping>,
    }

    // SAFETY: the memory is only touched through atomics, and mapped for as long as the value lives.
    unsafe impl Send for Live {}
    // SAFETY: as above.
    unsafe impl Sync for Live {}

    impl Live {
        /// The page at the start of a segment, which is at least `SEGMENT_HEAD` bytes long (checked when it was
        /// made or adopted).
        pub(in crate::shm) fn new(map: &Arc<Mapping>) -> Self {
            assert!(map.len() >= super::SEGMENT_HEAD, "a segment has a head");
            Live {
                base: map.base(),
                _map: map.clone(),
            }
        }

        #[inline]
        fn at(&self, offset: usize) -> &AtomicU64 {
            // SAFETY: `offset` is below SEGMENT_HEAD, which is mapped.
            let word = unsafe { self.base.add(offset) }.cast::<u64>();
            // SAFETY: aligned, because pages are and offsets are multiples of 8; mapped as long as `self` lives;
            // all accesses of this process to the word are atomic. A page of the peer's is only loaded from.
            unsafe { AtomicU64::from_ptr(word.as_ptr()) }
        }

        /// A word of ours or of the peer's, without order.
        #[inline]
        pub(in crate::shm) fn peek(&self, slot: Slot) -> u64 {
            self.at(slot as usize * 8).load(Ordering::Relaxed)
        }

        /// A word; what its writer did before is visible afterwards.
        #[inline]
        pub(in crate::shm) fn load(&self, slot: Slot) -> u64 {
            let value = self.peek(slot);
            fence(Ordering::Acquire);
            value
        }

        /// Writes a word of our own page.
        #[inline]
        pub(in crate::shm) fn store(&self, slot: Slot, value: u64, order: Ordering) {
            self.at(slot as usize * 8).store(value, order);
        }

        fn entry(&self, index: u64) -> &AtomicU64 {
            self.at(RETURNS_AT + (index % RETURNS) as usize * 8)
        }

        pub(in crate::shm) fn load_entry(&self, index: u64) -> u64 {
            self.entry(index).load(Ordering::Relaxed)
        }

        pub(in crate::shm) fn store_entry(&self, index: u64, value: u64) {
            self.entry(index).store(value, Ordering::Relaxed);
        }
    }
}

#[cfg(taipan_loom)]
mod model {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    pub(in crate::shm) use loom::sync::Mutex;
    pub(in crate::shm) use loom::sync::atomic::fence;

    use super::Slot;

    /// The words that exist, closely packed: loom watches each.
    const WORDS: [Slot; 11] = [
        Slot::Tail,
        Slot::Closed,
        Slot::Head,
        Slot::Messages,
        Slot::Bytes,
        Slot::RxSleep,
        Slot::TxSleep,
        Slot::WakeHead,
        Slot::WakeMessages,
        Slot::WakeBytes,
        Slot::Returned,
    ];
    /// A return ring of two entries is small enough to explore.
    pub(in crate::shm) const ENTRIES: u64 = 2;

    /// See the real one.
    #[derive(Clone)]
    pub(in crate::shm) struct Live {
        words: Arc<Vec<AtomicU64>>,
        entries: Arc<Vec<AtomicU64>>,
    }

    impl Live {
        pub(in crate::shm) fn model() -> Self {
            let zeros = |count: usize| Arc::new((0..count).map(|_| AtomicU64::new(0)).collect());
            Live {
                words: zeros(WORDS.len()),
                entries: zeros(ENTRIES as usize),
            }
        }

        pub(in crate::shm) fn peek(&self, slot: Slot) -> u64 {
            self.word(slot).load(Ordering::Relaxed)
        }

        pub(in crate::shm) fn load(&self, slot: Slot) -> u64 {
            let value = self.peek(slot);
            fence(Ordering::Acquire);
            value
        }

        pub(in crate::shm) fn store(&self, slot: Slot, value: u64, order: Ordering) {
            self.word(slot).store(value, order);
        }

        fn word(&self, slot: Slot) -> &AtomicU64 {
            let place = WORDS
                .iter()
                .position(|known| *known as usize == slot as usize);
            &self.words[place.expect("a known word")]
        }

        pub(in crate::shm) fn load_entry(&self, index: u64) -> u64 {
            self.entries[(index % ENTRIES) as usize].load(Ordering::Relaxed)
        }

        pub(in crate::shm) fn store_entry(&self, index: u64, value: u64) {
            self.entries[(index % ENTRIES) as usize].store(value, Ordering::Relaxed);
        }
    }
}
