//! Reliable messages: you only send.

mod ends;
mod engine;
mod ledger;
mod model;
mod wire;

pub use ends::{
    Acknowledge, Closed, Delivery, Left, Messenger, MessengerBuilder, Receipt, StartError,
    Undelivered,
};
pub use model::{
    Amount, DropReason, Dropped, Event, Ident, IdentError, Letter, MessageId, Overflow, PeerStatus,
    Properties, Refusal, SendError, SendFault, Settings,
};
