//! A socket as its context sees it, and what two sockets of one context tell each other when they meet.
//!
//! The context looks after sockets whose inside it does not know: it closes them, ticks for them, and brings those
//! together that use the same in-process name. `core/` implements this; the arrow points from there to here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::SocketKind;
use crate::pipe::{Lane, PipeId};
use crate::transport::InprocEnd;

/// Between two looks at the leases.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// What was left when a socket or a context was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LingerReport {
    /// Messages that the linger time was too short for.
    pub unsent_messages: u64,
    /// Their payload bytes (with framing, where they were encoded already).
    pub unsent_bytes: u64,
}

impl LingerReport {
    pub(crate) fn add(&mut self, other: LingerReport) {
        self.unsent_messages += other.unsent_messages;
        self.unsent_bytes += other.unsent_bytes;
    }
}

/// A socket that connects in process: who it is, and its end of the lane to be.
pub(crate) struct Visitor {
    pub(crate) kind: SocketKind,
    pub(crate) routing_id: Bytes,
    pub(crate) end: InprocEnd,
}

/// What a bound socket says to a visitor.
pub(crate) enum Welcome {
    /// Come in: the visitor's lane, and whom it leads to.
    In {
        lane: Box<dyn Lane>,
        kind: SocketKind,
        routing_id: Bytes,
    },
    /// The two kinds do not speak with each other.
    Incompatible,
    /// The socket was closed meanwhile.
    Closed,
}

/// See the file's text. None of these calls may be made under a socket's lock.
pub(crate) trait Hosted: Send + Sync {
    /// Closes the socket; see `Socket::close`.
    fn close(&self);

    fn is_closed(&self) -> bool;

    /// One tick of the lease; `false` ends it.
    fn check_lease(&self) -> bool;

    /// Writes what a stream of sends has collected; how long it may collect until the next time.
    fn flush_turn(&self) -> Duration;

    /// The same, should the runtime that was asked to not have come to it.
    fn flush_guarded(&self);

    /// A socket connects in process.
    fn welcome(&self, visitor: Visitor, endpoint: &str) -> Welcome;

    /// Links a pipe of this socket to the socket that made the bind of this number; `false` if that was closed
    /// meanwhile. A pipe whose last link the same bind has ended is refused.
    fn marry(&self, pipe: PipeId, binder: &Arc<dyn Hosted>, endpoint: &str, binding: u64) -> bool;
}
