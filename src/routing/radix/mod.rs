//! A radix tree over bytes: the structure under the topic index and the local filter.
//!
//! ```text
//!   tree: nodes, walks, splits and merges  -->  label: the bytes on an edge
//!                                          -->  children: which child begins with which byte
//! ```

mod children;
mod label;
mod node_id;
mod tree;

pub(super) use node_id::NodeId;
pub(super) use tree::Radix;
