//! From the Unix socket to shared memory: what two ends say to each other, and how it is carried out.
//!
//! `conversation.rs` is the protocol, a pure state machine over the commands of `wire.rs`; `drive.rs` moves bytes and
//! descriptors for it. Where there is no shared memory `none.rs` takes their place.

#[cfg(target_os = "linux")]
mod conversation;
#[cfg(target_os = "linux")]
mod drive;
#[cfg(not(target_os = "linux"))]
#[path = "none.rs"]
mod drive;
mod refusal;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(all(target_os = "linux", feature = "internals"))]
pub(crate) use conversation::{Arrived, Step, Upgrade};
pub(super) use drive::{Agreed, Side, Upgraded, upgrade};
pub(crate) use refusal::SharedState;
pub use refusal::UpgradeRefusal;
#[cfg(all(target_os = "linux", feature = "internals"))]
pub(crate) use wire::{Hello, Terms};
