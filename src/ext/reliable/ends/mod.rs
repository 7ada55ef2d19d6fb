//! What users hold, and what runs behind it. Begin with `messenger.rs`.

mod builder;
mod core;
mod delivery;
mod keeper;
mod links;
mod messenger;
mod receipt;

pub use builder::{MessengerBuilder, StartError};
pub use delivery::Delivery;
pub use messenger::{Acknowledge, Closed, Left, Messenger};
pub use receipt::{Receipt, Undelivered};
