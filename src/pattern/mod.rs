//! Patterns: who gets the message. One file a family; all plain, synchronous code.
//!
//! ```text
//!   socket core --event, send, recv--> pattern --turns, topics, ids--> routing
//!                                         '-----whole messages-------> pipes
//! ```

mod ends;
mod new_pattern;
mod pair;
#[allow(clippy::module_inception)]
mod pattern;
mod pipeline;
mod pubsub;
mod refusal;
mod reqrep;
#[cfg(test)]
mod tests;

pub(crate) use new_pattern::new_pattern;
pub(crate) use pattern::{
    Control, ControlRefusal, Gauges, Pattern, PipeEvent, RecvRefusal, Refusal,
};
