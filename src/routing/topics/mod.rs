//! Who wants which topic, on both sides, and who is there at all.
//!
//! ```text
//!   TopicIndex (publisher), LocalFilter (subscriber)  -->  prefix_map  -->  topic_bytes
//!   FanOut: everybody, and everybody else
//! ```

mod fan_out;
mod index;
mod local_filter;
mod prefix_map;
mod topic_bytes;

pub(crate) use fan_out::FanOut;
pub(crate) use index::{Removed, TopicIndex};
pub(crate) use local_filter::LocalFilter;
