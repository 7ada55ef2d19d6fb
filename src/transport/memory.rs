//! The memory a socket shares with its local peers: made when it is first needed, one for all of them.
//!
//! Where there is no shared memory a loan is an ordinary buffer and nothing else is left of this file.

use std::fmt;
use std::ops::{Deref, DerefMut};

#[cfg(target_os = "linux")]
use bytes::Bytes;

use crate::config::{PoolExhausted, SharedMemory};
use crate::message::{Frame, Message};

#[cfg(target_os = "linux")]
pub(crate) use pooled::Memory;
#[cfg(not(target_os = "linux"))]
pub(crate) use unpooled::Memory;

/// A buffer to write a message's payload in, from [`Socket::loan`](crate::Socket::loan).
///
/// It lies in the memory that the socket shares with its local peers, so that sending it copies nothing: make it a
/// [`Message`] or a [`Frame`] and send that, on this socket, as often as you like. Dropped, it goes back. It holds
/// whatever was written there before: fill all of it.
pub struct Loan(Buffer);

enum Buffer {
    #[cfg(target_os = "linux")]
    Shared(crate::shm::Chunk),
    Own(Vec<u8>),
}

impl Loan {
    /// Cuts the buffer to its first `len` bytes; nothing happens if it is no longer than that.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            Buffer::Shared(chunk) => chunk.truncate(len),
            Buffer::Own(bytes) => bytes.truncate(len),
        }
    }

    /// Whether it lies in shared memory; else it is an ordinary buffer, copied when it is sent to a local peer.
    pub fn is_shared(&self) -> bool {
        !matches!(self.0, Buffer::Own(_))
    }
}

impl Deref for Loan {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            #[cfg(target_os = "linux")]
            Buffer::Shared(chunk) => chunk,
            Buffer::Own(bytes) => bytes,
        }
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            Buffer::Shared(chunk) => chunk,
            Buffer::Own(bytes) => bytes,
        }
    }
}

impl From<Loan> for Frame {
    fn from(loan: Loan) -> Frame {
        match loan.0 {
            #[cfg(target_os = "linux")]
            Buffer::Shared(chunk) => Frame::from(Bytes::from_owner(chunk)),
            Buffer::Own(bytes) => Frame::from(bytes),
        }
    }
}

impl From<Loan> for Message {
    fn from(loan: Loan) -> Message {
        Message::from(Frame::from(loan))
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan")
            .field("len", &self.len())
            .field("shared", &self.is_shared())
            .finish()
    }
}

/// The memory of a socket from which large messages are read in place; see [`SocketStats::pool`](crate::SocketStats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Its size in bytes.
    pub bytes: usize,
    /// Bytes that nobody holds.
    pub free: usize,
    /// Pieces of it that are held: loans, messages under way, and what peers have not given back.
    pub chunks: usize,
    /// Payloads that were copied into it because they did not lie there: one for each large message that was not
    /// loaned, whatever the number of peers.
    pub copies: u64,
    /// Large payloads for which it had no room, a peer each time: they went through the ring, or waited.
    pub exhausted: u64,
}

/// The pool has no room for a loan, and [`PoolExhausted::Wait`] rules ordinary buffers out. Try again when peers
/// have given memory back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoanExhausted {
    /// The bytes that were asked for.
    pub len: usize,
}

impl fmt::Display for LoanExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pool has no {} bytes free just now", self.len)
    }
}

impl std::error::Error for LoanExhausted {}

impl Memory {
    /// A buffer of `len` bytes; in the pool, unless that is exhausted and the options allow an ordinary one, or it is
    /// too small for this length anyway.
    pub(crate) fn loan(&self, len: usize, options: &SharedMemory) -> Result<Loan, LoanExhausted> {
        if let Some(loan) = self.shared_loan(len, options) {
            return Ok(loan);
        }
        let could_wait = (1..=self.size(options)).contains(&len);
        if could_wait && options.exhausted == PoolExhausted::Wait {
            return Err(LoanExhausted { len });
        }
        Ok(Loan(Buffer::Own(vec![0; len])))
    }
}

#[cfg(target_os = "linux")]
mod pooled {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::{Arc, OnceLock};

    use bytes::Bytes;
    use parking_lot::Mutex;

    use super::{Buffer, Loan, PoolStats};
    use crate::config::SharedMemory;
    use crate::shm::{Pool, ShmError};

    /// Large payloads of one message whose copies all peers share; of more each peer gets its own.
    const MOST_COPIES: usize = 64;

    /// A socket's pool of chunks, if it has one yet. Clones stand for the same pool.
    #[derive(Clone, Default)]
    pub(crate) struct Memory {
        shared: Arc<Shared>,
    }

    #[derive(Default)]
    struct Shared {
        pool: OnceLock<Result<Arc<Pool>, ShmError>>,
        /// The large payloads of the message at hand, and their copies in chunks: a publisher's peers share them.
        copied: Mutex<Vec<(Bytes, Bytes)>>,
        /// Whether there are any, for those who would only forget them.
        has_copies: AtomicBool,
        copies: AtomicU64,
        exhausted: AtomicU64,
    }

    impl Memory {
        /// The pool, made at the first call with `bytes`; `None` for a socket without one (0 bytes).
        pub(crate) fn pool(&self, bytes: usize) -> Option<Result<Arc<Pool>, ShmError>> {
            let pool = &self.shared.pool;
            (bytes > 0).then(|| pool.get_or_init(|| Pool::create(bytes)).clone())
        }

        /// The pool as it is now, if it was made.
        pub(crate) fn stats(&self) -> Option<PoolStats> {
            let pool = self.shared.pool.get()?.as_ref().ok()?;
            Some(PoolStats {
                bytes: pool.len(),
                free: pool.free_bytes(),
                chunks: pool.live_chunks(),
                copies: self.shared.copies.load(Ordering::Relaxed),
                exhausted: self.shared.exhausted.load(Ordering::Relaxed),
            })
        }

        /// Bytes of the pool; 0 without one.
        pub(super) fn size(&self, options: &SharedMemory) -> usize {
            match self.pool(options.pool_bytes) {
                Some(Ok(pool)) => pool.len(),
                _ => 0,
            }
        }

        pub(super) fn shared_loan(&self, len: usize, options: &SharedMemory) -> Option<Loan> {
            if !options.enabled {
                return None;
            }
            let chunk = self.pool(options.pool_bytes)?.ok()?.take(len)?;
            Some(Loan(Buffer::Shared(chunk)))
        }

        /// The payload in a chunk: the copy made for another peer a moment ago, or a new one, which is kept for the
        /// next peer if the same payload may be asked for `again`; `None` if the pool is exhausted. Not kept in vain:
        /// a payload that is freed at once leaves its memory, warm, to the next.
        pub(in crate::transport) fn copy(
            &self,
            pool: &Arc<Pool>,
            payload: &Bytes,
            again: bool,
        ) -> Option<Bytes> {
            let mut copies = self.shared.copied.lock();
            let known = copies.iter().find(|(source, _)| {
                source.as_ptr() == payload.as_ptr() && source.len() == payload.len()
            });
            if let Some((_, copy)) = known {
                return Some(copy.clone());
            }
            let Some(mut chunk) = pool.take(payload.len()) else {
                self.shared.exhausted.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            self.shared.copies.fetch_add(1, Ordering::Relaxed);
            chunk.copy_from_slice(payload);
            let copy = Bytes::from_owner(chunk);
            if again && copies.len() < MOST_COPIES {
                copies.push((payload.clone(), copy.clone()));
                self.shared.has_copies.store(true, Ordering::Relaxed);
            }
            Some(copy)
        }

        /// The message whose payloads were copied was handed to all that get it.
        #[inline]
        pub(crate) fn forget_copies(&self) {
            if self.shared.has_copies.load(Ordering::Relaxed) {
                self.shared.has_copies.store(false, Ordering::Relaxed);
                let copies = std::mem::take(&mut *self.shared.copied.lock());
                drop(copies);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod unpooled {
    use super::{Loan, PoolStats};
    use crate::config::SharedMemory;

    /// No memory is shared on this system.
    #[derive(Clone, Default)]
    pub(crate) struct Memory;

    impl Memory {
        pub(crate) fn stats(&self) -> Option<PoolStats> {
            None
        }

        pub(super) fn size(&self, _options: &SharedMemory) -> usize {
            0
        }

        pub(super) fn shared_loan(&self, _len: usize, _options: &SharedMemory) -> Option<Loan> {
            None
        }

        pub(crate) fn forget_copies(&self) {}
    }
}
