//! The protocol of a messenger as a pure state machine. Begin with `machine.rs`.

mod delays;
mod machine;
mod parts;
mod peer;
mod queue;
mod receiving;
mod recover;
mod sending;
mod sessions;
mod storing;
mod stream;
#[cfg(test)]
mod tests;
mod time;

pub(in crate::ext::reliable) use machine::Engine;
pub(in crate::ext::reliable) use parts::{Identity, LinkId, Received};
pub(in crate::ext::reliable) use queue::Waiting;
pub(in crate::ext::reliable) use recover::last_time;
pub(in crate::ext::reliable) use time::Time;
