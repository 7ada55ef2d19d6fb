//! What many cost: connections, subscriptions, subscribers, idle peers, hours.
//!
//! ```text
//! taipan-compare scale                              everything but the soak, some ten minutes
//! taipan-compare scale connections --quick          one measurement, small
//! taipan-compare scale subscribers --filter taipan  one peer
//! taipan-compare scale soak --seconds 600           ten minutes of coming and going
//! ```
//!
//! ```text
//!   command ---starts---> near end: the library's socket that is measured
//!      ^  (a process           | ^
//!      |   a sample)           v |  lines (`task.rs`)
//!   figures (`table.rs`)   far end: whatever it takes to keep that socket busy
//! ```
//!
//! A measurement is a file in `measures/`. The near end is a socket of taipan, libzmq or omq (`ends/node.rs`); the far
//! end speaks ZMTP by hand wherever it can (`ends/wire.rs`), so that it costs the same whoever is measured, and processor
//! time and memory are those of the near process alone.

mod command;
mod end;
mod ends;
mod measures;
mod table;
mod task;

pub use command::{HELP, main};
pub use end::end;
pub use task::SCALE_END;
