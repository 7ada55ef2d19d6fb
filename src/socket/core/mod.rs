//! The inside of a socket: one lock, the waiting around it, and what goes on while no caller is there.
//!
//! ```text
//!   handle ──► calls ──► state (the lock) ──► pattern, pipes, lanes
//!                │            ▲
//!              wait ◄─ signal ┘◄── links (session) ◄── lease, linger (the context's thread)
//! ```

mod base;
mod calls;
mod endpoints;
mod flush;
mod gates;
mod hosting;
mod lease;
mod linger;
mod links;
mod signal;
mod sleeper;
mod spin;
mod spinning;
mod state;
mod stats;
mod watch;

pub(crate) use base::Core;
pub use calls::Interest;
pub(crate) use calls::{Slot, WaitError, sleep};
pub(crate) use signal::Direction;
pub(crate) use sleeper::Sleeper;
pub use stats::{PeerStats, SocketStats};
