//! What users hold, and what runs behind it. Begin with `messenger.rs`.

mod builder;
mod core;
mod delivery;
mod failure;
mod keeper;
mod links;
mod messenger;
mod receipt;

pub use builder::MessengerBuilder;
pub use delivery::Delivery;
pub use failure::StartError;
pub use messenger::{Acknowledge, Closed, Left, Messenger};
pub use receipt::{Receipt, Undelivered};
