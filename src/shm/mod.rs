//! Shared memory between two processes: segments, rings and chunks, and all the unsafe code of the library.
//!
//! What it is not: a protocol for getting the memory across (`transport/upgrade.rs`), or a lane
//! (`transport/shared.rs`). It knows bytes and record kinds, no messages.
//!
//! Invariants:
//! - every shared word has one writer: each side writes its own segments and maps the peer's read-only;
//! - what is read from the peer's memory is read once into a local, checked, and the local is used;
//! - nothing here makes a reference to memory that the peer can write, except where trust is asked for by name.

mod area;
mod bell;
mod channel;
mod copy;
mod error;
mod live;
mod map;
mod memfd;
mod pages;
mod pool;
mod ring;
#[cfg(feature = "internals")]
mod scribble;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use bell::{Bell, Signal};
pub(crate) use channel::Channel;
pub(crate) use error::{ShmError, Violation};
pub(crate) use live::{RETURNS, SEGMENT_HEAD};
pub(crate) use memfd::{PeerSegment, Segment};
pub(crate) use pool::{Borrower, Chunk, PeerPool, Place, Pool};
pub(crate) use ring::{Consumer, Producer, Record, RecordKind, Tally, record_len};
#[cfg(feature = "internals")]
pub(crate) use scribble::scribble;
pub(crate) use view::{Returner, Returns, Ticket, View, ticket};
