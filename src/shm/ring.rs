//! One direction of a link: records in a ring of bytes, one writer, one reader, nobody trusts anybody.
//!
//! ```text
//!   Producer  put, put, ... publish ──► tail        Consumer  next, advance ... release ──► head
//!             free = capacity - (tail - head)                 there is something if tail != head
//! ```
//!
//! A record is a header word (`len u32 | kind u8 | flags u8 | 0 u16`), the payload and padding to 8 bytes. The
//! writer puts records where nobody looks and publishes many at once; each side keeps a copy of the other's
//! position and looks at it anew only when the copy is used up.
//!
//! Waking: whoever sleeps says so with an odd number in a word of its own, then looks once more. Whoever publishes
//! looks at that word afterwards. The two fences in between make sure that at least one of them sees the other;
//! each odd number is rung for once at most. A writer that waits for room also says how much is worth waking it for;
//! a reader that has read all wakes it in any case.
//!
//! Invariants of the reader: a position of the peer's is read once and must lie between what was known and what
//! is possible; a length is checked against what was published; nothing of the peer's is used as an index
//! unchecked. What does not fit is a [`Violation`], which ends the link.

use std::sync::atomic::Ordering;

use super::area::{OwnArea, PeerArea};
use super::error::Violation;
use super::live::{Live, Slot, fence};

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RecordKind {
    /// A frame of a message, or its last piece.
    Frame = 0,
    /// A frame that lies in a chunk of the pool.
    Chunk = 1,
    /// A subscription.
    Subscribe = 2,
    /// A subscription taken back.
    Cancel = 3,
    /// A part of a frame too large for the ring; more of it follows.
    Piece = 4,
}

impl RecordKind {
    fn of(byte: u8) -> Option<Self> {
        [
            RecordKind::Frame,
            RecordKind::Chunk,
            RecordKind::Subscribe,
            RecordKind::Cancel,
            RecordKind::Piece,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// More frames of the same message follow.
const MORE: u8 = 1;

/// The bytes a record takes up in the ring.
#[inline]
pub(crate) const fn record_len(payload: usize) -> usize {
    8 + payload.next_multiple_of(8)
}

/// Whole messages and their payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    #[inline]
    pub(crate) fn count(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// A word by which one side says that it sleeps.
#[derive(Default)]
struct Sleep {
    episode: u64,
}

impl Sleep {
    fn is_announced(&self) -> bool {
        self.episode % 2 == 1
    }

    /// Says that its owner sleeps; what is looked at afterwards is looked at after the peer could see it.
    fn announce(&mut self, own: &Live, word: Slot) {
        if !self.is_announced() {
            self.episode += 1;
            // Release: whoever sees it sees what is wanted too.
            own.store(word, self.episode, Ordering::Release);
        }
        // Pairs with the fence in `due`.
        fence(Ordering::SeqCst);
    }

    fn end(&mut self, own: &Live, word: Slot) {
        if self.is_announced() {
            self.episode += 1;
            own.store(word, self.episode, Ordering::Relaxed);
        }
    }
}

/// The last episode of the peer's sleep that was rung for.
#[derive(Default)]
pub(super) struct Rung(u64);

impl Rung {
    /// Whether the peer sleeps and has not been rung for it. To be asked after publishing.
    #[inline]
    pub(super) fn due(&mut self, peer: &Live, word: Slot) -> bool {
        // Pairs with the fence in `announce`: either we see the announcement, or its owner what we published.
        fence(Ordering::SeqCst);
        self.due_by_chance(peer, word)
    }

    /// As `due`, but may miss an announcement made just now: only for those who ask again soon.
    #[inline]
    fn due_by_chance(&mut self, peer: &Live, word: Slot) -> bool {
        let episode = peer.peek(word);
        let due = episode % 2 == 1 && episode != self.0;
        if due {
            self.0 = episode;
        }
        due
    }
}

/// The writing end.
pub(crate) struct Producer {
    area: OwnArea,
    own: Live,
    peer: Live,
    tail: u64,
    published: u64,
    /// Published when the peer's sleep was looked at with certainty.
    looked: u64,
    head: u64,
    /// What was put into the ring; counted by the owner of the producer.
    pub(crate) sent: Tally,
    taken: Tally,
    sleep: Sleep,
    rung: Rung,
}

impl Producer {
    pub(super) fn new(area: OwnArea, own: Live, peer: Live) -> Self {
        Producer {
            area,
            own,
            peer,
            tail: 0,
            published: 0,
            looked: 0,
            head: 0,
            sent: Tally::default(),
            taken: Tally::default(),
            sleep: Sleep::default(),
            rung: Rung::default(),
        }
    }

    /// The bytes the ring holds.
    pub(crate) fn capacity(&self) -> usize {
        self.area.capacity() as usize
    }

    /// Bytes that are free, as far as is known.
    #[inline]
    pub(crate) fn free(&self) -> usize {
        (self.area.capacity() - (self.tail - self.head)) as usize
    }

    /// Whether `len` bytes are free; asks the peer's position only if they did not seem to be.
    ///
    /// # Errors
    /// The peer's position is impossible.
    #[inline]
    pub(crate) fn fits(&mut self, len: usize) -> Result<bool, Violation> {
        if self.free() >= len {
            return Ok(true);
        }
        self.refresh()?;
        Ok(self.free() >= len)
    }

    /// Messages and bytes that were put into the ring and not consumed, as far as is known.
    #[inline]
    pub(crate) fn waiting(&self) -> Tally {
        Tally {
            messages: self.sent.messages - self.taken.messages,
            bytes: self.sent.bytes - self.taken.bytes,
        }
    }

    /// Looks how far the peer is.
    ///
    /// # Errors
    /// Its position lies before what it said last, or behind what was published; its counts likewise.
    pub(crate) fn refresh(&mut self) -> Result<(), Violation> {
        let head = self.peer.load(Slot::Head);
        if head < self.head || head > self.published || !head.is_multiple_of(8) {
            return Err(Violation("an impossible position in the ring it reads"));
        }
        // Stored before the head, so at least what belongs to it.
        let messages = self.peer.peek(Slot::Messages);
        let bytes = self.peer.peek(Slot::Bytes);
        let possible = |value: u64, known: u64, most: u64| (known..=most).contains(&value);
        if !possible(messages, self.taken.messages, self.sent.messages)
            || !possible(bytes, self.taken.bytes, self.sent.bytes)
        {
            return Err(Violation("an impossible count of what it has read"));
        }
        self.head = head;
        self.taken = Tally { messages, bytes };
        Ok(())
    }

    /// Puts a record behind the others, for which [`fits`](Self::fits) has found room. It is not published yet.
    #[inline]
    pub(crate) fn put(&mut self, kind: RecordKind, more: bool, payload: &[u8]) {
        let len = record_len(payload.len());
        assert!(len <= self.free(), "asked for before");
        let flags = if more { MORE } else { 0 };
        let header = payload.len() as u64 | u64::from(kind as u8) << 32 | u64::from(flags) << 40;
        self.area.write(self.tail, header, payload);
        self.tail += len as u64;
    }

    /// Bytes that were put and not published.
    #[inline]
    pub(crate) fn unpublished(&self) -> usize {
        (self.tail - self.published) as usize
    }

    /// Lets the peer see all records. Says whether the peer seems to sleep and must be rung; one that falls asleep
    /// at this moment is found by the next [`publish_and_look`](Self::publish_and_look).
    #[inline]
    pub(crate) fn publish(&mut self) -> bool {
        if self.published == self.tail {
            return false;
        }
        self.published = self.tail;
        // Pairs with the acquire load of the consumer: the records before it are visible.
        self.own.store(Slot::Tail, self.tail, Ordering::Release);
        self.rung.due_by_chance(&self.peer, Slot::RxSleep)
    }

    /// As [`publish`](Self::publish), and certain about a peer that falls asleep.
    #[inline]
    pub(crate) fn publish_and_look(&mut self) -> bool {
        let due = self.publish();
        if self.looked == self.published {
            // A bell for nothing would only end the peer's sleep.
            return due;
        }
        self.looked = self.published;
        self.rung.due(&self.peer, Slot::RxSleep) || due
    }

    /// Announces that this side sleeps until the peer has consumed a quarter of the ring, or `wanted` (in messages
    /// and bytes from the start of the link), or all there is. Look for room once more afterwards.
    pub(crate) fn announce_sleep(&mut self, wanted: Tally) {
        if !self.sleep.is_announced() {
            let head = self.head + self.area.capacity() / 4;
            self.own.store(Slot::WakeHead, head, Ordering::Relaxed);
            self.own
                .store(Slot::WakeMessages, wanted.messages, Ordering::Relaxed);
            self.own
                .store(Slot::WakeBytes, wanted.bytes, Ordering::Relaxed);
        }
        self.sleep.announce(&self.own, Slot::TxSleep);
    }

    /// What the peer has consumed, as far as is known.
    pub(crate) fn taken(&self) -> Tally {
        self.taken
    }

    /// This side is awake.
    pub(crate) fn end_sleep(&mut self) {
        self.sleep.end(&self.own, Slot::TxSleep);
    }

    /// Publishes what is left and says that nothing follows.
    pub(crate) fn close(&mut self) {
        self.publish();
        self.own.store(Slot::Closed, 1, Ordering::Release);
    }
}

/// A record at the reading end. What it says was checked; its payload may still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) more: bool,
    pub(crate) len: usize,
}

/// The reading end.
pub(crate) struct Consumer {
    area: PeerArea,
    own: Live,
    peer: Live,
    head: u64,
    released: u64,
    tail: u64,
    /// What was consumed; counted by the owner of the consumer.
    pub(crate) taken: Tally,
    sleep: Sleep,
    rung: Rung,
}

impl Consumer {
    pub(super) fn new(area: PeerArea, own: Live, peer: Live) -> Self {
        Consumer {
            area,
            own,
            peer,
            head: 0,
            released: 0,
            tail: 0,
            taken: Tally::default(),
            sleep: Sleep::default(),
            rung: Rung::default(),
        }
    }

    /// The bytes the ring holds.
    pub(crate) fn capacity(&self) -> usize {
        self.area.capacity() as usize
    }

    /// Whether there is a record; looks at the peer's position if none is known of.
    ///
    /// # Errors
    /// The peer's position is impossible.
    #[inline]
    pub(crate) fn has_record(&mut self) -> Result<bool, Violation> {
        if self.tail != self.head {
            return Ok(true);
        }
        let tail = self.peer.load(Slot::Tail);
        if tail < self.tail || tail - self.head > self.area.capacity() || !tail.is_multiple_of(8) {
            return Err(Violation("an impossible position in the ring it writes"));
        }
        self.tail = tail;
        Ok(tail != self.head)
    }

    /// Whether it is known that there are further records.
    #[inline]
    pub(crate) fn is_behind(&self) -> bool {
        self.tail != self.head
    }

    /// The next record, which stays until [`advance`](Self::advance).
    ///
    /// # Errors
    /// The peer's position is impossible, or what it wrote is no record.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Record>, Violation> {
        if !self.has_record()? {
            return Ok(None);
        }
        let header = self.area.word(self.head);
        let len = header as u32 as usize;
        let flags = (header >> 40) as u8;
        let Some(kind) = RecordKind::of((header >> 32) as u8) else {
            return Err(Violation("a record of an unknown kind"));
        };
        // In 64 bits, for the sake of the longest one where a `usize` has 32.
        if 8 + (len as u64).next_multiple_of(8) > self.tail - self.head {
            return Err(Violation("a record longer than what was published"));
        }
        if header >> 48 != 0 || flags & !MORE != 0 {
            return Err(Violation("a record with unknown flags"));
        }
        Ok(Some(Record {
            kind,
            more: flags & MORE != 0,
            len,
        }))
    }

    /// The first 64 bytes of the record's payload; behind its end they mean nothing.
    #[inline]
    pub(crate) fn window(&self) -> [u8; 64] {
        self.area.window(self.head + 8)
    }

    /// A copy of the record's payload.
    #[inline]
    pub(crate) fn to_vec(&self, record: Record) -> Vec<u8> {
        self.area.to_vec(self.head + 8, record.len)
    }

    /// Appends a copy of the record's payload.
    pub(crate) fn append(&self, record: Record, into: &mut Vec<u8>) {
        self.area.append(self.head + 8, record.len, into);
    }

    /// Goes on behind the record that [`next`](Self::next) gave.
    #[inline]
    pub(crate) fn advance(&mut self, record: Record) {
        self.head += record_len(record.len) as u64;
    }

    /// Gives back the room of what was consumed. Says whether the writer sleeps for it and must be rung; one that
    /// falls asleep at this moment is found by the next [`release_and_look`](Self::release_and_look).
    #[inline]
    pub(crate) fn release(&mut self) -> bool {
        self.store_progress();
        let episode = self.peer.peek(Slot::TxSleep);
        episode % 2 == 1 && self.is_wanted() && self.rung.due(&self.peer, Slot::TxSleep)
    }

    /// As [`release`](Self::release), for a reader that goes no further: whatever the writer waits for, it is not
    /// going to get more, and it is not overlooked.
    pub(crate) fn release_and_look(&mut self) -> bool {
        self.store_progress();
        self.rung.due(&self.peer, Slot::TxSleep)
    }

    #[inline]
    fn store_progress(&mut self) {
        if self.released == self.head {
            return;
        }
        self.released = self.head;
        self.own
            .store(Slot::Messages, self.taken.messages, Ordering::Relaxed);
        self.own
            .store(Slot::Bytes, self.taken.bytes, Ordering::Relaxed);
        // Pairs with the acquire load of the producer: it writes over the records only after we have read them.
        self.own.store(Slot::Head, self.head, Ordering::Release);
    }

    /// Whether the writer, which sleeps, wants to be rung for as much as was consumed.
    #[cold]
    fn is_wanted(&self) -> bool {
        fence(Ordering::Acquire);
        self.head >= self.peer.peek(Slot::WakeHead)
            || self.taken.messages >= self.peer.peek(Slot::WakeMessages)
            || self.taken.bytes >= self.peer.peek(Slot::WakeBytes)
    }

    /// Announces that this side sleeps until something is published; look once more afterwards.
    pub(crate) fn announce_sleep(&mut self) {
        self.sleep.announce(&self.own, Slot::RxSleep);
    }

    /// This side is awake.
    pub(crate) fn end_sleep(&mut self) {
        self.sleep.end(&self.own, Slot::RxSleep);
    }

    /// Whether the peer has said that it publishes nothing more. What it had published is to be read first, so
    /// look for a record once more after this.
    pub(crate) fn is_closed(&self) -> bool {
        self.peer.load(Slot::Closed) != 0
    }
}
