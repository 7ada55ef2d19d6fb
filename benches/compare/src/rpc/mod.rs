//! Remote calls beside tarpc and tonic: a method that returns the bytes it gets.
//!
//! ```text
//! cargo run --release --features rpc -- rpc                               tcp, ipc and inproc; 64 B, 1 KiB, 64 KiB; 1 and 64 in flight
//! ... -- rpc --placement same --transport tcp --size 64 --in-flight 1    one row of each
//! ```
//!
//! ```text
//!   command ─ starts, for each sample ─► near process: the callers ─ starts ─► far process: the server
//! ```
//!
//! Both ends run on a current-thread runtime, in processes of their own but for inproc (two threads). Each call in flight is
//! a task that calls again when it has its answer. CPU time is that of both ends. tonic and tarpc take a Unix socket for
//! ipc, and tarpc its own channel within a process, where nothing is encoded; tonic has nothing there.

mod calls;
mod command;
mod sample;
mod taipan;
mod tarpc;
mod tonic;

pub use command::{HELP, main};
pub use sample::{RPC_END, end};
