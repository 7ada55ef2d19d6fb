//! The traits a byte-stream transport implements.
//!
//! To add a transport, implement [`Transport`] and register it under its scheme with
//! [`Context::register_transport`](crate::Context::register_transport). ZMTP, reconnection, patterns and
//! counters come for free.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;

use crate::config::{Endpoint, Options};

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
