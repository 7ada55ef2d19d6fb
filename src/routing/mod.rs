//! Policies of routing: whose turn it is, who wants a message, which id names whom.
//!
//! Everything here works on small numbers that name peers ([`Key`]) and knows neither pipes nor runtimes. A pattern is a
//! small composition of these policies.
//!
//! ```text
//!   RoundRobin   whose turn it is to get a message      FairQueue    whose turn it is to be read
//!   TopicIndex   which peers want a topic               LocalFilter  which topics this socket wants
//!   PeerTable    which peer an id names                 FanOut       everybody, and everybody else
//!   envelope     the address part of requests
//! ```

mod envelope;
mod fair_queue;
mod fan_out;
mod key;
mod load_balance;
mod local_filter;
mod peer_table;
mod prefix_map;
mod ring;
mod topic_bytes;
mod topics;

pub(crate) use envelope::Envelope;
pub(crate) use fair_queue::FairQueue;
pub(crate) use fan_out::FanOut;
pub(crate) use load_balance::RoundRobin;
pub(crate) use local_filter::LocalFilter;
pub(crate) use peer_table::PeerTable;
pub(crate) use topics::{Removed, TopicIndex};
