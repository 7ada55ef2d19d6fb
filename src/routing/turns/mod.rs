//! Whose turn it is: to get a message, or to be read.
//!
//! ```text
//!   RoundRobin, FairQueue  --both are policies over-->  ring: an active prefix, a passive tail
//! ```

mod fair_queue;
mod load_balance;
mod ring;

pub(crate) use fair_queue::FairQueue;
pub(crate) use load_balance::RoundRobin;
pub(super) use ring::Ring;
