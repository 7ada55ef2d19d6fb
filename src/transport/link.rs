//! The traits a byte-stream transport implements.
//!
//! To add a transport, implement [`Transport`] and register it under its scheme with
//! [`Context::register_transport`](crate::Context::register_transport). ZMTP, reconnection, patterns and
//! counters come for free.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;

use crate::config::{Endpoint, Options, PeerCredentials};

/// A future on the heap, as object-safe traits need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connected, non-blocking, reliable stream of bytes with a descriptor that can be polled.
///
/// Calls never block: they return [`io::ErrorKind::WouldBlock`], after which the descriptor's readiness
/// (edge-triggered) says when to try again.
pub trait ByteStream: AsFd + Send + Sync + fmt::Debug + 'static {
    /// Appends what has arrived to `buffer`, at most as much as its spare capacity; 0 is the end.
    fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize>;

    /// Writes from the start of the slices; returns how many bytes were taken.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// No more will be written; the peer reads the end after what is under way.
    fn finish(&self) -> io::Result<()>;

    /// The peer's address as people write it; empty if it has none.
    fn peer_address(&self) -> String;

    /// For a Unix stream socket: who is at the other end. Whoever says so vouches that the descriptor carries the
    /// stream's bytes as they are, and other descriptors too, and gives it away by [`into_fd`](Self::into_fd).
    /// Such a stream obeys [`Options::ipc_peers`] and may be exchanged for shared memory.
    fn unix(&self) -> Option<&UnixPeer> {
        None
    }

    /// The descriptor itself, of a stream that is [`unix`](Self::unix); it stays open and non-blocking.
    fn into_fd(self: Box<Self>) -> Option<OwnedFd> {
        None
    }
}

/// The other end of a Unix stream socket, to which descriptors can be passed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnixPeer {
    /// The process, if the system says which it is.
    pub credentials: Option<PeerCredentials>,
}

impl UnixPeer {
    /// A peer of which the system says this.
    pub fn new(credentials: Option<PeerCredentials>) -> Self {
        UnixPeer { credentials }
    }
}

/// Accepts connections at one address.
pub trait Listener: Send {
    /// The address it listens on, with wildcards and port 0 resolved.
    fn endpoint(&self) -> Endpoint;

    /// The next connection. Cancel safe. Called inside a tokio runtime.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>>;
}

/// A way to reach addresses of one scheme.
pub trait Transport: Send + Sync {
    /// Starts to listen; called inside a tokio runtime's context, must not block for long.
    fn bind(&self, endpoint: &Endpoint, options: &Options) -> io::Result<Box<dyn Listener>>;

    /// Connects once. Names are resolved here, that is at every attempt.
    fn connect<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a Options,
    ) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>>;
}
