//! What happens between the ends of a run, once for every peer.
//!
//! A peer says how its ends are opened and how one message is sent and received; the loops are here, generic over
//! that, so that nothing but the peer's own code is between them and the messages. They exist twice, for what is
//! called in threads (`threads.rs`) and in tasks (`tasks.rs`), and share what does not send or receive (`count.rs`).

mod count;
mod tasks;
mod threads;

pub use tasks::{TaskEnd, Tasked, Tasks, aside};
pub use threads::{End, Threaded, Threads};
