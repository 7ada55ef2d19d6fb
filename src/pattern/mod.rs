//! Patterns: who gets the message. One file a family; all plain, synchronous code.

#[allow(clippy::module_inception)]
mod pattern;

pub(crate) use pattern::{Control, ControlRefusal, Gauges, Pattern, PipeEvent, RecvRefusal, Refusal, SendRefusal};
