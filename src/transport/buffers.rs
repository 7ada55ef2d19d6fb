//! Spare I/O buffers of a thread.
//!
//! A connection holds a buffer only while it has bytes in it, so ten thousand idle connections hold
//! none, and a busy one finds its buffer warm.

use std::cell::RefCell;

/// Buffers a thread keeps; more are freed. 4 x 64 KiB.
const KEPT: usize = 4;
/// Larger ones are freed: they belonged to one large message.
const LARGEST_KEPT: usize = 256 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A warm buffer, empty but with capacity, if the thread has one.
#[inline]
pub(super) fn take() -> Option<Vec<u8>> {
    SPARE
        .try_with(|spare| spare.borrow_mut().pop())
        .ok()
        .flatten()
}

/// Hands a buffer back.
#[inline]
pub(super) fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() > LARGEST_KEPT {
        return;
    }
    let _ = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < KEPT {
            buffer.clear();
            spare.push(buffer);
        }
    });
}
