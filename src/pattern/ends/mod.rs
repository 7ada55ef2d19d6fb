//! The parts that patterns are put together from.
//!
//! ```text
//!   Inlet     fair-queued receiving         Outlet    load-balanced sending
//!   Upstream  what an XPUB is told          Probe     the empty message that makes a new peer known
//! ```

mod inlet;
mod outlet;
mod probe;
mod upstream;

pub(super) use inlet::{Inlet, read_message};
pub(super) use outlet::Outlet;
pub(super) use probe::Probe;
pub(super) use upstream::Upstream;
