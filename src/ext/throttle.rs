//! Throttling: no more than so many bytes or messages a second, through a socket, a link, or several of them.
//!
//! ```text
//!                 Limits ──► Budget ◄──────────── set(), stats()      one lock: buckets, who waits, counters
//!                              ▲  ▲
//!      send, recv ──► Throttled┘  └ LinkGate ◄── lane of one peer      under the socket, below its watermark
//! ```
//!
//! Two places to throttle at, with one [`Budget`] each, or one for all:
//!
//! - [`Throttled`] wraps a socket: its calls wait (or say `WouldBlock`) until the budget lets the message pass.
//! - [`throttle_links`] puts the limit on each link of a socket by itself, behind its queue: what does not pass yet
//!   waits there within the watermark, and at the watermark the socket does what it always does. So a publisher
//!   drops for the one slow subscriber (or waits, with `xpub_nodrop`) and a PUSH gives the next peer its turn, while
//!   the other links run at full speed. It is the same over memory, Unix sockets and tcp, because it stands where
//!   whole messages are handed to a link, whatever carries them; a shaped byte stream could neither count messages
//!   nor shape shared memory, and a relay would cost a hop. What this needs of the public API is
//!   [`Socket::gate_links`](crate::Socket::gate_links).
//!
//! Waiting is being in the budget's queue: first come, first served; a call that is dropped leaves it and has taken
//! nothing. The first in the queue has an alarm (`alarm.rs`), all others sleep. Nobody polls.
//!
//! Invariant: in any window of time no more passes than `rate * window + burst`; a message larger than the burst counts
//! in place of the burst, because it passes when the bucket is full and is paid off afterwards. What counts is when the
//! socket (or the link) takes a message for sending, or hands it to the receiver.

mod alarm;
mod bucket;
mod budget;
mod claim;
mod limits;
mod links;
mod socket;

pub use budget::{Budget, ThrottleStats};
pub use limits::{LimitError, Limits};
pub use links::{LinkBudgets, throttle_links};
pub use socket::Throttled;
