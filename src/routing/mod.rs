//! Policies of routing: whose turn it is, who wants a message, which id names whom.
//!
//! Everything here works on small numbers that name peers and knows neither pipes nor runtimes. A pattern is a small
//! composition of these policies.
//!
//! ```text
//!   RoundRobin   whose turn it is to get a message      FairQueue    whose turn it is to be read
//!   TopicIndex   which peers want a topic               LocalFilter  which topics this socket wants
//!   PeerTable    which peer an id names                 FanOut       everybody, and everybody else
//!   Envelope     the address part of requests
//! ```

mod envelope;
mod key;
mod peer_table;
mod topics;
mod turns;

pub(crate) use envelope::Envelope;
pub(crate) use peer_table::PeerTable;
pub(crate) use topics::{FanOut, LocalFilter, Removed, TopicIndex};
pub(crate) use turns::{FairQueue, RoundRobin};
