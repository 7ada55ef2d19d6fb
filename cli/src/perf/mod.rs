//! `taipan perf`: throughput and latency of the library, as its users would meet them.
//!
//! ```text
//!   plan (rows) ─► run (one row: two threads, or this process and a peer) ─► report (table, JSON), chart
//!                    │ near end: binds and measures      far end: connects and answers or sends
//!                    └ ends (the loops of both, async and blocking)
//! ```
//!
//! Messages are built from a slice one by one (or in a loan), payloads are looked at by whoever receives them, and
//! the sockets have the default options but for a bound on the bytes that may wait.
//!
//! What is not touched is not measured: over shared memory a large message that nobody reads has cost its sender a
//! copy and its receiver nothing, and a loan that nobody writes not even that. So a fair comparison of large messages
//! takes `--touch`, which is off by default (it is the tool's work that is measured then, too) and always on with
//! loans, which hold old bytes until they are written.

mod chart;
mod cpu;
mod ends;
mod peer;
mod plan;
mod report;
mod rpc;
mod run;
mod session;
mod sides;

pub use peer::run_peer;
pub use rpc::{run as run_rpc, run_peer as run_rpc_peer};
pub use session::run;
