//! Chunks across the link: views of the peer's, and the ring by which they are given back.
//!
//! ```text
//!   sender   keeps the chunk alive, puts its place into the byte ring ──►  receiver  View
//!            forgets the chunk  ◄── entry in the receiver's return ring ──           dropped, anywhere
//! ```
//!
//! A view may be dropped in any order and by any thread, so the return ring has a lock of this process around its
//! one writer. It cannot overflow: the sender lends at most as many chunks as it has entries, and one that lends
//! more loses its own returns, nothing else.
//!
//! A view also keeps our end of the Unix socket open. As long as it is open the sender knows that something may
//! be borrowed, even after the link has ended.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::bell::{Bell, Signal};
use super::error::Violation;
use super::live::{Live, Mutex, RETURNS, Slot};
use super::pool::PeerSlice;
use super::ring::Rung;

/// A chunk as it is named on the return ring.
pub(crate) type Ticket = u64;

/// Chunk and generation in one word.
pub(crate) fn ticket(chunk: u32, generation: u32) -> Ticket {
    u64::from(chunk) | u64::from(generation) << 32
}

/// Gives chunks back to the peer.
pub(crate) struct Returner {
    bell: Arc<Bell>,
    own: Live,
    peer: Live,
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Writer {
    tail: u64,
    rung: Rung,
}

impl Returner {
    pub(super) fn new(bell: Arc<Bell>, own: Live, peer: Live) -> Self {
        Returner {
            bell,
            own,
            peer,
            writer: Mutex::default(),
        }
    }

    /// Says that the peer's chunk is not needed any more.
    pub(crate) fn give_back(&self, ticket: Ticket) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.own.store_entry(writer.tail, ticket);
        writer.tail += 1;
        // Pairs with the acquire load in `Returns::next`: the entry is visible, and our reading of the chunk done.
        self.own
            .store(Slot::Returned, writer.tail, Ordering::Release);
        if writer.rung.due(&self.peer, Slot::TxSleep) {
            self.bell.send(Signal::Bell);
        }
    }
}

/// The bytes of a chunk of the peer's, borrowed until dropped.
///
/// Whoever reads them trusts the peer not to write there meanwhile: a view is made for peers that are trusted only.
pub(crate) struct View {
    slice: PeerSlice,
    ticket: Ticket,
    returner: Arc<Returner>,
}

impl View {
    /// A view of a slice that the peer lent under a ticket.
    pub(crate) fn new(slice: PeerSlice, ticket: Ticket, returner: Arc<Returner>) -> Self {
        View {
            slice,
            ticket,
            returner,
        }
    }
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: views are made only for peers that the user's options trust not to write to a chunk they have
        // lent; that the memory stays mapped and large enough needs no trust.
        unsafe { self.slice.as_bytes() }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.returner.give_back(self.ticket);
    }
}

/// The peer's return ring, as the owner of the chunks reads it.
pub(crate) struct Returns {
    peer: Live,
    head: u64,
    tail: u64,
}

impl Returns {
    pub(super) fn new(peer: Live) -> Self {
        Returns {
            peer,
            head: 0,
            tail: 0,
        }
    }

    /// The next chunk that was given back; whether it was lent at all is for the caller to check.
    ///
    /// # Errors
    /// The peer's position is impossible.
    pub(crate) fn next(&mut self) -> Result<Option<Ticket>, Violation> {
        if self.head == self.tail {
            let tail = self.peer.load(Slot::Returned);
            if tail < self.tail || tail - self.head > RETURNS {
                return Err(Violation("an impossible position in its return ring"));
            }
            self.tail = tail;
            if tail == self.head {
                return Ok(None);
            }
        }
        let ticket = self.peer.load_entry(self.head);
        self.head += 1;
        Ok(Some(ticket))
    }
}
