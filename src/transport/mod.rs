//! Transports: how bytes, or whole messages, cross.
//!
//! A [`Transport`] turns an address into byte streams; ZMTP on such a stream becomes a lane
//! (`stream.rs`). `inproc` has no bytes: its lane hands messages over in memory.

mod buffers;
mod fd_stream;
mod handshake;
mod inproc;
mod ipc;
mod link;
mod stream;
mod tcp;

pub use fd_stream::FdStream;
pub(crate) use handshake::{HandshakeFailure, Link, shake};
pub(crate) use inproc::{InprocEnd, inproc_pair};
pub use ipc::Ipc;
pub use link::{BoxFuture, ByteStream, Listener, Transport};
pub use tcp::Tcp;
