//! What the interoperability tests share: one small [`Peer`] interface over every implementation of ZeroMQ, and
//! the [`exchange`] that each compatible pair of sockets has to go through.
//!
//! What it is not: a library for anybody else. Invariants: nothing here waits without a limit, and whatever goes
//! wrong panics with what was expected and what came.
//!
//! ```text
//!   test --+-- TaipanPeer (this process) --------- tcp, ipc ---------+
//!          |                                                         |
//!          +-- the other implementation, here or behind RemotePeer --+
//!                                      (lines over stdin and stdout of a child process, see serve)
//! ```

mod exchange;
mod peer;
mod remote;
mod serve;
mod taipan_peer;
mod watchdog;
mod wire;

pub use exchange::{End, exchange};
pub use peer::{Frames, PATIENCE, Peer, PeerOptions, Refusal, frames};
pub use remote::RemotePeer;
pub use serve::serve;
pub use taipan_peer::TaipanPeer;
pub use watchdog::Watchdog;
pub use wire::{Wire, fresh_endpoint};
