//! Transports: how bytes, or whole messages, cross.
//!
//! A [`Transport`] turns an address into byte streams; ZMTP on such a stream becomes a lane
//! (`stream.rs`). `inproc` has no bytes: its lane hands messages over in memory. Two ends of a Unix socket may
//! agree to hand them over in shared memory (`upgrade/`, `shared.rs`).

mod buffers;
mod failure;
mod fd_stream;
mod gate;
mod gated;
mod handshake;
mod inproc;
mod ipc;
mod link;
mod memory;
#[cfg(target_os = "linux")]
pub(crate) mod shared;
mod stream;
mod tcp;
pub(crate) mod upgrade;

pub(crate) use failure::HandshakeFailure;
pub use fd_stream::FdStream;
pub(crate) use gate::ChooseGates;
pub use gate::{LinkGate, LinkGates, NewLink};
pub(crate) use gated::GatedLane;
pub(crate) use handshake::{Link, shake};
pub(crate) use inproc::{InprocEnd, inproc_pair};
pub use ipc::Ipc;
pub use link::{BoxFuture, ByteStream, Listener, Transport, UnixPeer};
pub(crate) use memory::Memory;
pub use memory::{Loan, LoanExhausted, PoolStats};
pub use tcp::Tcp;
pub(crate) use upgrade::SharedState;
pub use upgrade::UpgradeRefusal;
