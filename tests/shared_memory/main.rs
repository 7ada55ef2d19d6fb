//! `ipc://` over shared memory, as two processes use it: what must hold while one of them sends, reads, stops or dies.
//!
//! What it is not: a test of the parts (`src/shm/tests`) or of the agreement on them (`tests/negotiation.rs`). Only
//! public API; real processes, started by `process.rs`. Whatever is random comes from a seed, which is printed and can
//! be given again as `TAIPAN_SEED`.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod census;
mod children;
mod process;
mod rig;
mod script;

mod cycles;
mod flow;
mod kill;
mod limits;
mod loans;
mod mixed;
mod patterns;
mod stops;
mod torture;
mod views;
