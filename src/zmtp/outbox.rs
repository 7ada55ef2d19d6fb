//! Encoded bytes of one connection that were not written yet.
//!
//! What it is not: a socket, or a bound: whoever fills it looks at [`Outbox::bytes`] and [`Outbox::messages`] first.
//! The bytes belong to the connection and not to a future, so a cancelled send or write loses nothing.
//!
//! ```text
//!   encoder -> [ h b h b h b .. ] [ h ] [ body, shared ] [ h b h b .. ] -> io_slices / first_chunk -> kernel
//!               ^written            header |  >= 8 KiB, no copy    ^ tail, appended to
//! ```
//! Invariants: a frame below 8 KiB lies with its header in one chunk; a larger one is a shared chunk right behind the
//! chunk that ends with its header; the whole ends with the end of a message or command.

pub(super) mod reclaim;

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use super::wire::{MAX_HEADER, MORE, header_len, push_header};
use crate::message::Frame;

/// Most bytes of a contiguous chunk.
const CHUNK: usize = 64 * 1024;
/// Bodies from this size on are not copied: their own iovec costs less than the copy.
const SHARE_MIN: usize = 8 * 1024;
/// First allocation of a chunk that follows no full one, in bytes.
const FIRST_CHUNK: usize = 512;

/// Bytes on their way to the wire, with the messages they are.
#[derive(Default)]
pub struct Outbox {
    /// Full chunks, the oldest first.
    queue: VecDeque<Chunk>,
    /// The chunk that is being filled, behind all others.
    tail: Vec<u8>,
    tail_messages: usize,
    tail_starts_mid: bool,
    /// Bytes of the first chunk that were written.
    written: usize,
    /// Bytes and messages of the queue, the tail not counted: the hot path touches the tail alone.
    queued_bytes: usize,
    queued_messages: usize,
    spare: Option<Vec<u8>>,
    /// Whether the last frame had MORE; only true between two frames of one message.
    ends_mid: bool,
    sealed: bool,
    subscription_messages: bool,
}

struct Chunk {
    data: Data,
    /// How many messages end in it.
    messages: usize,
    /// Whether a message began in an earlier chunk and goes on in this one.
    starts_mid: bool,
}

enum Data {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Data {
    fn as_slice(&self) -> &[u8] {
        match self {
            Data::Own(bytes) => bytes,
            Data::Shared(bytes) => bytes,
        }
    }
}

impl Outbox {
    /// An empty outbox, without any allocation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether everything was written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Bytes not written yet.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.queued_bytes + self.tail.len() - self.written
    }

    /// Messages not written yet. Counted by chunk: messages of a chunk that is partly written all count.
    #[inline]
    pub fn messages(&self) -> usize {
        self.queued_messages + self.tail_messages
    }

    /// Fills `slices` with what is to be written, in order, and says how many it filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let chunks = self.queue.iter().map(|chunk| chunk.data.as_slice());
        let tail = std::iter::once(self.tail.as_slice());
        let mut skip = self.written;
        let mut count = 0;
        for chunk in chunks.chain(tail).filter(|chunk| !chunk.is_empty()) {
            let Some(slice) = slices.get_mut(count) else {
                break;
            };
            *slice = IoSlice::new(&chunk[skip..]);
            skip = 0;
            count += 1;
        }
        count
    }

    /// The first contiguous bytes to be written; empty when there are none.
    pub fn first_chunk(&self) -> &[u8] {
        let chunk = match self.queue.front() {
            Some(chunk) => chunk.data.as_slice(),
            None => &self.tail,
        };
        &chunk[self.written..]
    }

    /// Whether [`Outbox::first_chunk`] is all there is, and a plain write does.
    pub fn is_contiguous(&self) -> bool {
        self.queue.is_empty() || (self.queue.len() == 1 && self.tail.is_empty())
    }

    /// Says that the first `n` bytes were written.
    pub fn advance(&mut self, n: usize) {
        self.written += n.min(self.bytes());
        while let Some(chunk) = self.queue.front() {
            let len = chunk.data.as_slice().len();
            if self.written < len {
                return;
            }
            self.written -= len;
            self.queued_bytes -= len;
            self.queued_messages -= chunk.messages;
            if let Some(Chunk {
                data: Data::Own(buffer),
                ..
            }) = self.queue.pop_front()
            {
                self.recycle(buffer);
            }
        }
        if self.written == self.tail.len() {
            self.clear_tail();
        }
    }

    /// Hands a buffer back for a pool, if there is nothing to write. An idle connection should keep none.
    pub fn take_idle_buffer(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() {
            return None;
        }
        let tail = std::mem::take(&mut self.tail);
        let spare = self.spare.take();
        self.queue = VecDeque::new();
        let large = |buffer: &Vec<u8>| buffer.capacity() >= CHUNK;
        Some(tail).filter(large).or(spare)
    }

    /// Gives a buffer from a pool. It is dropped when it is small or the outbox has a spare one.
    pub fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        if self.tail.capacity() == 0 {
            self.tail = buffer;
        } else {
            self.recycle(buffer);
        }
    }

    /// Appends a message that was encoded before ([`Encoder::plain`](super::Encoder::plain)): whole, and not for
    /// sealed connections.
    pub fn push_encoded(&mut self, message: &Bytes) {
        if message.len() >= SHARE_MIN {
            self.push_shared(message.clone(), 1, false);
            return;
        }
        self.make_room(message.len(), false);
        self.tail.extend_from_slice(message);
        self.tail_messages += 1;
    }

    /// Appends a message of one frame.
    #[inline]
    pub(super) fn push_single(&mut self, frame: &Frame) {
        let body = frame.as_slice();
        let used = self.tail.len();
        if body.len() <= 255 && self.tail.capacity() - used >= 2 + body.len() && used < CHUNK {
            self.tail.extend_from_slice(&[0, body.len() as u8]);
            self.tail.extend_from_slice(body);
            self.tail_messages += 1;
        } else {
            self.push_frame(0, frame);
        }
    }

    /// Appends one frame of a message; [`MORE`] in `flags` means that the caller appends the next one.
    #[inline(never)]
    pub(super) fn push_frame(&mut self, flags: u8, frame: &Frame) {
        let ends = usize::from(flags & MORE == 0);
        let mid = self.ends_mid;
        self.ends_mid = ends == 0;
        match frame.shared() {
            Some(body) if body.len() >= SHARE_MIN => {
                self.push_header(flags, body.len(), mid);
                self.push_shared(body.clone(), ends, true);
            }
            _ => {
                let body = frame.as_slice();
                self.make_room(header_len(body.len()) + body.len(), mid);
                self.push_header(flags, body.len(), mid);
                self.tail.extend_from_slice(body);
                self.tail_messages += ends;
            }
        }
    }

    /// Appends the frame of a sealed body, taken out of `body`; `messages` is 1 for the last frame of one.
    pub(super) fn push_sealed(&mut self, body: &mut Vec<u8>, messages: usize) {
        self.sealed = true;
        if body.len() >= SHARE_MIN {
            self.push_header(0, body.len(), false);
            self.push_shared(Bytes::from(std::mem::take(body)), messages, true);
            return;
        }
        self.make_room(MAX_HEADER + body.len(), false);
        self.push_header(0, body.len(), false);
        self.tail.extend_from_slice(body);
        self.tail_messages += messages;
    }

    /// Appends what `write` writes: whole command frames.
    pub(super) fn push_command(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.make_room(FIRST_CHUNK, false);
        write(&mut self.tail);
    }

    /// Remembers that this connection subscribes with messages, for [`Outbox::reclaim`].
    pub(super) fn note_subscription_messages(&mut self) {
        self.subscription_messages = true;
    }

    fn push_header(&mut self, flags: u8, size: usize, mid: bool) {
        self.make_room(MAX_HEADER, mid);
        push_header(flags, size, &mut self.tail);
    }

    /// Queues shared bytes behind the tail; `starts_mid` when their header ends the tail.
    fn push_shared(&mut self, body: Bytes, messages: usize, starts_mid: bool) {
        self.close_tail(self.ends_mid);
        self.queued_bytes += body.len();
        self.queued_messages += messages;
        self.queue.push_back(Chunk {
            data: Data::Shared(body),
            messages,
            starts_mid,
        });
    }

    /// Makes sure that `need` more bytes fit in the tail; `mid` says whether a message goes on there.
    fn make_room(&mut self, need: usize, mid: bool) {
        let full = !self.tail.is_empty() && self.tail.len() + need > CHUNK;
        if full {
            self.close_tail(mid);
        }
        if self.tail.capacity() == 0 {
            let first = if full { CHUNK } else { FIRST_CHUNK.max(need) };
            self.tail = self
                .spare
                .take()
                .unwrap_or_else(|| Vec::with_capacity(first));
        }
    }

    /// Queues the tail; the next one starts inside a message if `mid`.
    fn close_tail(&mut self, mid: bool) {
        if !self.tail.is_empty() {
            self.queued_bytes += self.tail.len();
            self.queued_messages += self.tail_messages;
            self.queue.push_back(Chunk {
                data: Data::Own(std::mem::take(&mut self.tail)),
                messages: std::mem::take(&mut self.tail_messages),
                starts_mid: self.tail_starts_mid,
            });
        }
        self.tail_starts_mid = mid;
    }

    fn clear_tail(&mut self) {
        self.tail.clear();
        self.tail_messages = 0;
        self.tail_starts_mid = false;
        self.written = 0;
    }

    fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.is_none() && buffer.capacity() >= CHUNK {
            buffer.clear();
            self.spare = Some(buffer);
        }
    }
}
