//! Lanes: how whole messages move between a socket and one peer.
//!
//! A [`Lane`] is the way to one live peer, whatever carries it. A [`Pipe`] is what a pattern sees of a
//! peer: a lane that may come and go, with what waits for it in between, its watermarks and its counters.
//! [`Pipes`] is the set of them that a socket owns. Nothing here does I/O or knows a runtime.

mod close;
mod counters;
mod doorbell;
mod lane;
mod limits;
mod packet;
mod pipe_id;
mod pipes;
mod queue;
#[cfg(test)]
mod queue_tests;
mod single;

pub(crate) use close::{CloseCause, CloseKind};
pub(crate) use counters::Counters;
pub use counters::{DropReason, Drops};
pub(crate) use doorbell::Doorbell;
pub(crate) use lane::{Depth, Flush, Glance, Lane, LaneEvent, LaneIdle};
pub(crate) use limits::Limits;
pub(crate) use packet::{Got, Packet, Subscription};
pub(crate) use pipe_id::PipeId;
pub(crate) use pipes::Pipes;
pub(crate) use queue::{Bell, QueueReceiver, QueueSender, queue};
pub(crate) use single::{PeerInfo, Pipe};
